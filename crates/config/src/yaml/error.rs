//! Errors: what is wrong, where, and how to fix it.

use std::fmt;

use super::fault::Fault;
use super::file::File;
use super::spot::{Source, Spot, lines};
use super::veil::{Stretches, Veil};

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
    let line = lines(text).nth(spot.line - 1).unwrap_or_default();
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
