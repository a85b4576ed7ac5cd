//! YAML as a tree of values that know where they stand.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_yaml::{Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::error::Fault;

/// The source of spots in the file; overrides count from 0.
pub(super) const FILE: usize = usize::MAX;

/// A stretch of one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// Which text: [`FILE`] or the index of an override.
    pub source: usize,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In characters.
    pub length: usize,
}

impl Spot {
    /// All of an override.
    pub fn argument(index: usize) -> Self {
        Self {
            source: index,
            line: 1,
            column: 1,
            length: 1,
        }
    }

    fn new(location: Location, source: usize) -> Self {
        Self {
            source,
            line: (location.line() as usize).max(1),
            column: (location.column() as usize).max(1),
            length: location.span().len() as usize,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub spot: Spot,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    /// Anything that stands for more than its text, with the text: a field that wants text gets `0123` as it was written.
    Typed(Typed, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Name, Node)>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Typed {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

/// The key of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub spot: Spot,
    pub text: String,
}

impl Node {
    /// The only document of `text`.
    pub fn parse(text: &str, source: usize) -> Result<Self, Fault> {
        let options = serde_yaml::options! {
            with_snippet: false,
            strict_booleans: true,
            reject_unsupported_tags: true,
        };
        match serde_yaml::from_str_with_options(text, options) {
            Ok(raw) => Ok(Self::new(raw, text, source)),
            Err(error) => {
                let spot = Spot::new(error.location().unwrap_or(Location::UNKNOWN), source);
                Err(Fault::new(
                    spot,
                    UserMessageFormatter.format_message(&error),
                ))
            }
        }
    }

    /// What stands at `path`: keys of mappings, and indices from 0 of list items.
    pub fn get(&self, path: &[&str]) -> Option<&Self> {
        let [part, rest @ ..] = path else {
            return Some(self);
        };
        let inner = match &self.value {
            Value::Map(entries) => &entries.iter().find(|(name, _)| name.text == *part)?.1,
            Value::List(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
        inner.get(rest)
    }

    fn new(raw: Spanned<Raw>, text: &str, source: usize) -> Self {
        let typed = |value| Value::Typed(value, written(text, raw.defined).to_owned());
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => typed(Typed::Bool(value)),
            Raw::Unsigned(value) => typed(Typed::Unsigned(value)),
            Raw::Signed(value) => typed(Typed::Signed(value)),
            Raw::Float(value) => typed(Typed::Float(value)),
            Raw::Text(value) => Value::Text(value),
            Raw::List(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| Self::new(item, text, source))
                    .collect(),
            ),
            Raw::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let name = Name {
                            spot: Spot::new(key.referenced, source),
                            text: key.value,
                        };
                        (name, Self::new(value, text, source))
                    })
                    .collect(),
            ),
        };
        Self {
            spot: Spot::new(raw.referenced, source),
            value,
        }
    }
}

/// The value in a message: as written, or its kind.
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

/// What stands at `location`, byte for byte.
fn written(text: &str, location: Location) -> &str {
    let span = location.span();
    let range = span.byte_offset().zip(span.byte_len());
    range
        .and_then(|(start, length)| text.get(start as usize..(start + length) as usize))
        .unwrap_or_default()
}

/// A value as the parser gives it.
enum Raw {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Unsigned(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Signed(value))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Raw::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Raw::Map(map))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
