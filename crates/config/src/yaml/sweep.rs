//! Sweeps: one entry that stands for several, e.g. `finetune: {lr: [1e-6, 1e-5]}` for two.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};

use super::fault::Fault;
use super::tree::{Name, Node, Value};

/// An entry `name: {fields}` whose fields may be lists. It stands for one `S` per combination of their items. The last
/// list varies fastest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sweep<S>(Vec<S>);

/// The most entries of one sweep. A few lists can multiply to more than memory holds.
const MOST: usize = 100_000;

/// The reader of files recognises a sweep by this name of a newtype struct.
pub(super) const NAME: &str = "Sweep of several";

impl<S> Sweep<S> {
    /// All entries, at least one.
    pub fn each(&self) -> &[S] {
        &self.0
    }
}

impl<'de, S: Deserialize<'de>> Deserialize<'de> for Sweep<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME, Each(PhantomData))
    }
}

struct Each<S>(PhantomData<S>);

impl<'de, S: Deserialize<'de>> Visitor<'de> for Each<S> {
    type Value = Sweep<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry")
    }

    /// Other formats, e.g. JSON, have the entries written out, as `Serialize` writes them.
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Sweep<S>, D::Error> {
        Vec::deserialize(deserializer).map(Sweep)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Sweep<S>, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_element()? {
            all.push(entry);
        }
        Ok(Sweep(all))
    }
}

/// The entries that `node` stands for. Every value keeps its position.
pub(super) fn spell_out(node: &Node) -> Result<Vec<Node>, Fault> {
    let Value::Map(entry) = &node.value else {
        return Ok(vec![node.clone()]);
    };
    let [(name, content)] = &entry[..] else {
        return Ok(vec![node.clone()]);
    };
    let Value::Map(fields) = &content.value else {
        return Ok(vec![node.clone()]);
    };
    // The lists are left out, because they would be copied once per item.
    let rest = fields.iter().map(|(field, value)| {
        let value = match &value.value {
            Value::List(_) => Node::null(value.spot),
            _ => value.clone(),
        };
        (field.clone(), value)
    });
    let mut all: Vec<Vec<(Name, Node)>> = vec![rest.collect()];
    for (at, (field, value)) in fields.iter().enumerate() {
        let Value::List(items) = &value.value else {
            continue;
        };
        if items.is_empty() {
            let problem = format!("`{}` is an empty list; give at least one entry", field.text);
            return Err(Fault::new(value.spot, problem));
        }
        if all.len().saturating_mul(items.len()) > MOST {
            let problem = format!("these lists stand for more than {MOST} entries");
            return Err(Fault::new(value.spot, problem).hint("shorten them"));
        }
        let choices = |fields: Vec<(Name, Node)>| {
            items.iter().map(move |item| {
                let mut fields = fields.clone();
                fields[at].1 = item.clone();
                fields
            })
        };
        all = all.into_iter().flat_map(choices).collect();
    }
    let entry = |fields| Node {
        spot: node.spot,
        value: Value::Map(vec![(
            name.clone(),
            Node {
                spot: content.spot,
                value: Value::Map(fields),
            },
        )]),
    };
    Ok(all.into_iter().map(entry).collect())
}
