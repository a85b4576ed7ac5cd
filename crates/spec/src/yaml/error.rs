//! What is wrong, where, and what to do about it.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::tree::{self, Node, Spot, Value};
use crate::nearest;

/// Why a file or text could not be read.
///
/// The message is meant for whoever wrote the text:
///
/// ```text
/// grid.yaml:3:5: unknown field `iteratons`
///   |
/// 3 |     iteratons: 500
///   |     ^^^^^^^^^
///   = did you mean `iterations`?
/// ```
#[derive(Debug)]
pub struct Error {
    place: Place,
    message: String,
    hint: Option<String>,
}

/// What an [`Error`] points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file as a whole.
    File(String),
    /// A place in a file.
    Line {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// The line, and the value underlined.
        snippet: String,
    },
    /// An override, `path=value`.
    Argument(String),
}

impl Error {
    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead, if there is more to say than the message does.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(file) => write!(f, "{file}: {}", self.message)?,
            Place::Argument(argument) => write!(f, "--set {argument}: {}", self.message)?,
            Place::Line {
                file,
                line,
                column,
                snippet,
            } => write!(f, "{file}:{line}:{column}: {}\n{snippet}", self.message)?,
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  = {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// A mistake on its way out of the tree: it gets its spot, and the value found there, from the first node it passes.
#[derive(Debug)]
pub(super) struct Fault {
    pub spot: Option<Spot>,
    pub kind: Kind,
    pub hint: Option<String>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Something is wrong; this says what.
    Message(String),
    /// The value is not what this says.
    Expected(String),
}

impl Fault {
    pub fn new(spot: Spot, message: impl Into<String>) -> Self {
        Self {
            spot: Some(spot),
            ..Self::nowhere(Kind::Message(message.into()))
        }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Settles the spot, unless it is settled already.
    pub fn at(mut self, node: &Node) -> Self {
        if self.spot.is_none() {
            self.spot = Some(node.spot);
            if let Kind::Expected(expected) = &self.kind {
                self.hint = match (expected.as_str(), &node.value) {
                    (A_LIST, Value::Typed(_, text) | Value::Text(text)) => {
                        Some(format!("write `[{text}]`"))
                    }
                    (expected, Value::Text(text))
                        if expected.contains("number")
                            && text.parse().is_ok_and(f64::is_finite) =>
                    {
                        Some("it is text; take the quotes off".to_owned())
                    }
                    _ => None,
                };
                self.kind = Kind::Message(format!("{} is not {expected}", node.value));
            }
        }
        self
    }

    /// Settles the spot of a mistake in a name, unless it is settled already.
    pub fn at_name(mut self, spot: Spot) -> Self {
        self.spot.get_or_insert(spot);
        self
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

/// The words that serde's own implementations and derives use, in the words of whoever writes YAML.
impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::nowhere(Kind::Message(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::nowhere(Kind::Expected(in_plain_words(&expected.to_string())))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::nowhere(Kind::Expected(in_plain_words(&expected.to_string())))
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

const A_LIST: &str = "a list";

fn in_plain_words(expected: &str) -> String {
    let up_to = |most: u64| format!("a whole number from 0 to {most}");
    match expected {
        "u8" => up_to(u8::MAX.into()),
        "u16" => up_to(u16::MAX.into()),
        "u32" => up_to(u32::MAX.into()),
        "u64" | "usize" => "a whole number, 0 or above".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" => "text".to_owned(),
        "a sequence" => A_LIST.to_owned(),
        other if other.starts_with("a nonzero") => "a whole number above 0".to_owned(),
        other if other.starts_with("struct ") || other == "a map" => "a mapping".to_owned(),
        other => other.to_owned(),
    }
}

/// The texts that spots refer to.
pub(super) struct Sources<'a> {
    pub name: &'a str,
    pub text: &'a str,
    pub arguments: &'a [&'a str],
}

impl Sources<'_> {
    pub fn explain(&self, fault: Fault) -> Error {
        let place = match fault.spot {
            None => Place::File(self.name.to_owned()),
            Some(spot) if spot.source == tree::FILE => Place::Line {
                file: self.name.to_owned(),
                line: spot.line,
                column: spot.column,
                snippet: snippet(self.text, spot),
            },
            Some(spot) => Place::Argument(self.arguments[spot.source].to_owned()),
        };
        Error {
            place,
            message: fault.to_string(),
            hint: fault.hint,
        }
    }
}

/// The line of `spot`, and under it a mark as long as the value, which ends with the line at the latest.
fn snippet(text: &str, spot: Spot) -> String {
    let line: String = text
        .lines()
        .nth(spot.line - 1)
        .unwrap_or_default()
        .replace('\t', " ");
    let before = spot.column - 1;
    let rest = line.trim_end().chars().count().saturating_sub(before);
    let number = spot.line.to_string();
    let margin = " ".repeat(number.len());
    let (indent, mark) = (" ".repeat(before), "^".repeat(spot.length.min(rest).max(1)));
    format!(
        "{margin} |\n{number} | {}\n{margin} | {indent}{mark}",
        line.trim_end()
    )
}
