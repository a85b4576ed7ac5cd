//! Writes a tree as YAML that reads as the same tree.

use super::spot::Spot;
use super::tree::{Node, Value};

/// The text of `root`. `comment` gives the comment behind a value, from its position.
pub(super) fn yaml(root: &Node, comment: &dyn Fn(Spot) -> Option<String>) -> String {
    let mut writer = Writer {
        text: String::new(),
        comment,
    };
    match &root.value {
        Value::Map(entries) if !entries.is_empty() => writer.inside(root, 0),
        _ => writer.value(root, 0),
    }
    writer.text
}

struct Writer<'a> {
    text: String,
    comment: &'a dyn Fn(Spot) -> Option<String>,
}

impl Writer<'_> {
    /// Writes the value after a name or a dash: on the same line, or its entries on lines of their own.
    fn value(&mut self, node: &Node, depth: usize) {
        match on_a_line(node) {
            Some(line) => {
                self.text += " ";
                self.text += &line;
                if let Some(comment) = (self.comment)(node.spot) {
                    self.text += " # ";
                    self.text += &comment;
                }
                self.text += "\n";
            }
            None => {
                self.text += "\n";
                self.inside(node, depth);
            }
        }
    }

    /// Writes the entries of a mapping or the items of a list, each on its own lines.
    fn inside(&mut self, node: &Node, depth: usize) {
        let indent = "  ".repeat(depth);
        match &node.value {
            Value::Map(entries) => {
                for (name, value) in entries {
                    self.text += &format!("{indent}{}:", quoted(&name.text));
                    self.value(value, depth + 1);
                }
            }
            Value::List(items) => {
                for item in items {
                    let start = self.text.len();
                    if on_a_line(item).is_some() {
                        self.text += &format!("{indent}-");
                        self.value(item, depth + 1);
                    } else {
                        self.inside(item, depth + 1);
                        // The dash replaces a space in the indent of the item.
                        let dash = start + indent.len();
                        self.text.replace_range(dash..=dash, "-");
                    }
                }
            }
            _ => {}
        }
    }
}

/// The value on one line. `None` if it has a mapping with entries inside.
fn on_a_line(node: &Node) -> Option<String> {
    match &node.value {
        Value::Null => Some("null".to_owned()),
        Value::Typed(_, text) => Some(text.clone()),
        Value::Text(text) => Some(quoted(text)),
        Value::Map(entries) if entries.is_empty() => Some("{}".to_owned()),
        Value::Map(_) => None,
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(on_a_line).collect::<Option<_>>()?;
            Some(format!("[{}]", items.join(", ")))
        }
    }
}

/// A text, in quotes unless YAML reads it as text without them.
fn quoted(text: &str) -> String {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_-./+ ".contains(c);
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    let ends = outer(text.chars().next()) && text.chars().last().is_some_and(|c| c != ' ');
    let plain = ends && text.chars().all(inner) && Value::plain(text.to_owned()).is_text();
    match plain {
        true => text.to_owned(),
        // A JSON string is a YAML string.
        false => serde_json::Value::from(text).to_string(),
    }
}
