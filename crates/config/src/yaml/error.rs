//! Errors: what is wrong, where, and how to fix it.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::include::File;
use super::number;
use super::tree::{self, Node, Source, Spot, Typed, Value};
use super::veil::{Stretches, Veil};
use crate::nearest;

/// An error in a file, a text or an override.
///
/// The message is meant for the author of the text:
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

/// The place of an [`Error`].
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
        /// The line, with the value underlined.
        snippet: String,
    },
    /// An override.
    Argument {
        /// Which one, from 0.
        index: usize,
        /// `path=value`, without what is hidden.
        shown: String,
    },
}

impl Error {
    /// Where the mistake is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead, if the message does not say it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(file) => write!(f, "{file}: {}", self.message)?,
            Place::Argument { shown, .. } => write!(f, "--set {shown}: {}", self.message)?,
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
    /// What the value should be. [`Fault::at`] turns it into a message.
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

    /// Sets the spot to the one of `node`, unless it is set already.
    pub(super) fn at(mut self, node: &Node) -> Self {
        if self.spot.is_none() {
            self.spot = Some(node.spot);
            if let Kind::Expected(expected) = &self.kind {
                self.hint = fix(expected, &node.value);
                self.kind = Kind::Message(format!("{} is not {expected}", node.value));
            }
        }
        self
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

const A_LIST: &str = "a list";
const A_BOOLEAN: &str = "true or false";

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

/// What to write instead of `value` where `expected` is wanted.
fn fix(expected: &str, value: &Value) -> Option<String> {
    match value {
        Value::Typed(_, text) | Value::Text(text) if expected == A_LIST => {
            Some(format!("write `[{text}]`"))
        }
        Value::Typed(Typed::Float(number), _)
            if expected.contains("whole number")
                && number.fract() == 0.0
                && number.abs() < 1e15 =>
        {
            Some(format!("write `{number}`"))
        }
        Value::Text(text) if expected == A_BOOLEAN => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Some("write `true`, without quotes".to_owned()),
            "false" | "no" | "off" | "n" => Some("write `false`, without quotes".to_owned()),
            _ => None,
        },
        Value::Text(text) if expected.contains("number") => number::fix(text),
        Value::Null => Some("write a value, or leave the field out".to_owned()),
        _ => None,
    }
}

/// The texts that spots point into.
pub(super) struct Sources<'a> {
    /// The first file, then its includes.
    pub files: &'a [File],
    pub arguments: &'a [String],
    pub veil: Veil,
}

impl Sources<'_> {
    pub fn explain(&self, fault: Fault) -> Error {
        let (place, hidden, in_secret) = match fault.spot {
            None => {
                let name = self.files.last().map(|file| file.name.clone());
                (Place::File(name.unwrap_or_default()), false, false)
            }
            Some(spot) => match spot.source {
                Source::File(file) => self.in_file(&self.files[file], spot),
                Source::Argument(index) => self.in_argument(index),
            },
        };
        let (mut message, mut hint) = (fault.to_string(), fault.hint);
        if hidden {
            let shown = self.veil.message(&message);
            hint = hint.filter(|hint| self.veil.message(hint) == *hint);
            // A masked message says little, so the hint says how to write the secret.
            if in_secret && (hint.is_none() || shown != message) {
                hint = Some(self.veil.fix.to_owned());
            }
            message = shown;
        }
        Error {
            place,
            message,
            hint,
        }
    }

    /// The place of `spot`, whether it is hidden, and whether it is in the field of the secret.
    fn in_file(&self, file: &File, spot: Spot) -> (Place, bool, bool) {
        let stretches = self.veil.stretches(&file.text, file.root.as_ref());
        let place = Place::Line {
            file: file.name.clone(),
            line: spot.line,
            column: spot.column,
            snippet: snippet(&file.text, spot, &stretches),
        };
        let spots = [(spot.line, spot.column), spot.defined];
        let hidden = spots.iter().any(|at| stretches.hide(*at));
        (place, hidden, stretches.hold_secret(spots[0]))
    }

    fn in_argument(&self, index: usize) -> (Place, bool, bool) {
        let argument = &self.arguments[index];
        let place = Place::Argument {
            index,
            shown: self.veil.argument(argument),
        };
        let hidden = self.veil.hides_argument(argument);
        (place, hidden, self.veil.is_of_secret(argument))
    }
}

/// The longest part of a line that is shown, in characters.
const WIDTH: usize = 160;

/// The line of `spot`, with the value underlined up to the end of the line. A line with a hidden part shows at most the
/// name at its start.
fn snippet(text: &str, spot: Spot, stretches: &Stretches) -> String {
    let number = spot.line.to_string();
    let margin = " ".repeat(number.len());
    if let Some(shown) = stretches.masked(spot.line) {
        return format!("{margin} |\n{number} | {shown}");
    }
    let line = tree::lines(text).nth(spot.line - 1).unwrap_or_default();
    let line: Vec<char> = line.trim_end().replace('\t', " ").chars().collect();
    let before = spot.column - 1;
    // A long line is cut to the part around the spot.
    let from = if line.len() > WIDTH {
        before.saturating_sub(WIDTH / 2)
    } else {
        0
    };
    let shown: String = line.iter().skip(from).take(WIDTH).collect();
    let rest = shown.chars().count().saturating_sub(before - from);
    let (indent, mark) = (
        " ".repeat(before - from),
        "^".repeat(spot.length.min(rest).max(1)),
    );
    format!("{margin} |\n{number} | {shown}\n{margin} | {indent}{mark}")
}
