//! YAML as a tree of values with their positions.

use std::fmt;

use super::fault::Fault;
use super::number;
use super::scalar::Typed;
use super::spot::Spot;

/// A value with its position.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) spot: Spot,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// A boolean or a number, with its text. A field that wants text gets it as written, e.g. `1e5`.
    Typed(Typed, String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(Name, Node)>),
}

/// The key of a mapping.
#[derive(Clone, Debug)]
pub struct Name {
    pub(super) spot: Spot,
    /// The key.
    pub text: String,
}

impl Name {
    /// A fault at this name.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.spot, message)
    }
}

impl Node {
    /// Nothing, at `spot`.
    pub(super) fn null(spot: Spot) -> Self {
        Self {
            spot,
            value: Value::Null,
        }
    }

    /// Another value at the same position.
    pub fn with(&self, value: Value) -> Self {
        Self {
            spot: self.spot,
            value,
        }
    }

    /// A name at the position of this value.
    pub fn name(&self, text: impl Into<String>) -> Name {
        Name {
            spot: self.spot,
            text: text.into(),
        }
    }

    /// A fault at this value.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.spot, message)
    }

    /// The entry `name` of a mapping.
    pub fn entry(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(own, _)| own.text == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The entry `name` of a mapping, to change it.
    pub fn entry_mut(&mut self, name: &str) -> Option<&mut Self> {
        match &mut self.value {
            Value::Map(entries) => entries
                .iter_mut()
                .find(|(own, _)| own.text == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Takes the entry `name` out of a mapping.
    pub fn take(&mut self, name: &str) -> Option<Self> {
        let Value::Map(entries) = &mut self.value else {
            return None;
        };
        let at = entries.iter().position(|(own, _)| own.text == name)?;
        Some(entries.remove(at).1)
    }

    /// Calls `see` with this value and every value inside it.
    pub(super) fn visit(&self, see: &mut impl FnMut(&Self)) {
        see(self);
        match &self.value {
            Value::List(items) => items.iter().for_each(|item| item.visit(see)),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| value.visit(see)),
            _ => {}
        }
    }

    /// The spot of the value at `path`, which has keys of mappings and indices, from 0, of list items. If there is no
    /// such value, the spot of the closest one around it. The spot of a mapping is its name's, which says more.
    pub(super) fn closest(&self, path: &[&str]) -> Spot {
        let (mut node, mut spot) = (self, self.spot);
        for part in path {
            let inner = match &node.value {
                Value::Map(entries) => {
                    let found = entries.iter().find(|(name, _)| name.text == *part);
                    found.map(|(name, value)| match value.value {
                        Value::Map(_) => (value, name.spot),
                        _ => (value, value.spot),
                    })
                }
                Value::List(items) => {
                    let item = part.parse::<usize>().ok().and_then(|at| items.get(at));
                    item.map(|item| (item, item.spot))
                }
                _ => None,
            };
            match inner {
                Some(inner) => (node, spot) = inner,
                None => break,
            }
        }
        spot
    }

    /// The number of values: this one and all inside it.
    pub(super) fn count(&self) -> usize {
        let mut count = 0;
        self.visit(&mut |_| count += 1);
        count
    }
}

/// The value for a message: its text, or its kind.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("an empty value"),
            Self::Typed(_, text) | Self::Text(text) => write!(f, "`{text}`"),
            Self::List(_) => f.write_str("a list"),
            Self::Map(_) => f.write_str("a mapping"),
        }
    }
}

impl Value {
    /// The value of a word without quotes.
    pub(super) fn plain(word: String) -> Self {
        match word.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" => Self::Typed(Typed::Bool(true), word),
            "false" | "False" | "FALSE" => Self::Typed(Typed::Bool(false), word),
            _ => match number::read(&word) {
                Some(number) => Self::Typed(number, word),
                None => Self::Text(word),
            },
        }
    }

    /// Whether it is a text.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}
