//! A mistake, before it has its place in a file: what is wrong, and the fix.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::spot::Spot;
use crate::nearest;

/// An error on its way out of the tree. It gets its spot and the value there from the first node that it passes.
#[derive(Debug)]
pub struct Fault {
    pub(super) spot: Option<Spot>,
    pub(super) kind: Kind,
    pub(super) hint: Option<String>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A complete message.
    Message(String),
    /// What the value should be. The reader turns it into a message.
    Expected(String),
}

impl Fault {
    pub(super) fn new(spot: Spot, message: impl Into<String>) -> Self {
        Self {
            spot: Some(spot),
            ..Self::nowhere(Kind::Message(message.into()))
        }
    }

    /// Adds a hint: what to write instead.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Sets the spot of a mistake in a name, unless it is set already.
    pub(super) fn at_name(mut self, spot: Spot) -> Self {
        self.spot.get_or_insert(spot);
        self
    }

    /// A fault of the file that was read last, as a whole.
    pub(super) fn of_file(message: impl Into<String>) -> Self {
        Self::nowhere(Kind::Message(message.into()))
    }

    fn nowhere(kind: Kind) -> Self {
        Self {
            spot: None,
            kind,
            hint: None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Message(message) => f.write_str(message),
            Kind::Expected(expected) => write!(f, "this is not {expected}"),
        }
    }
}

impl std::error::Error for Fault {}

/// Translates the messages of serde and its derives into the terms of YAML.
impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::nowhere(Kind::Message(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::nowhere(Kind::Expected(in_plain_words(&expected.to_string())))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(items: usize, expected: &dyn Expected) -> Self {
        let expected = in_plain_words(&expected.to_string());
        Self::custom(format_args!("a list of {items} is not {expected}"))
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format_args!("unknown name `{name}`")).hint(nearest::hint(name, known))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format_args!("unknown field `{name}`")).hint(nearest::hint(name, known))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::custom(format_args!("the field `{name}` is missing"))
            .hint(format!("add `{name}: ...` here"))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::custom(format_args!("the field `{name}` is given twice"))
    }
}

pub(super) const A_LIST: &str = "a list";
pub(super) const A_BOOLEAN: &str = "true or false";

fn in_plain_words(expected: &str) -> String {
    let up_to = |most: u64| format!("a whole number from 0 to {most}");
    match expected {
        "u8" => up_to(u8::MAX.into()),
        "u16" => up_to(u16::MAX.into()),
        "u32" => up_to(u32::MAX.into()),
        "u64" | "usize" => "a whole number, 0 or above".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => A_BOOLEAN.to_owned(),
        "a string" => "text".to_owned(),
        "path string" => "a path, written as text".to_owned(),
        "a sequence" => A_LIST.to_owned(),
        other if other.starts_with("a nonzero") => "a whole number above 0".to_owned(),
        other if let Some(count) = other.strip_prefix("an array of length ") => {
            format!("a list of {count}")
        }
        other if other.starts_with("struct ") || other == "a map" => "a mapping".to_owned(),
        other => other.to_owned(),
    }
}
