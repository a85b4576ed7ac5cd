//! The one rule of merging: mappings merge, everything else is replaced, later wins.

use super::tree::{Node, Value};

/// Merges `over` over `base`: mappings merge, everything else is replaced.
pub fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (Value::Map(entries), Value::Map(more)) => {
            for (name, value) in more {
                match entries.iter_mut().find(|(own, _)| own.text == name.text) {
                    Some((_, own)) => merge(own, value),
                    None => entries.push((name, value)),
                }
            }
        }
        (own, value) => *own = value,
    }
    base.spot = over.spot;
}
