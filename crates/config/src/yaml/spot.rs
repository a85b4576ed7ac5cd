//! Places in the texts of a document.

use serde_yaml::granit_parser::Marker;

/// The text that a spot is in. Both kinds are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A file, in the order of reading.
    File(usize),
    /// An override.
    Argument(usize),
}

/// A stretch of one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// Which text.
    pub source: Source,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In characters.
    pub length: usize,
    /// Line and column of the text itself. For an alias, this is the place of its anchor.
    pub defined: (usize, usize),
}

impl Spot {
    /// A whole override.
    pub fn argument(index: usize) -> Self {
        Self::whole(Source::Argument(index))
    }

    /// The beginning of a text.
    pub fn whole(source: Source) -> Self {
        Self {
            source,
            line: 1,
            column: 1,
            length: 1,
            defined: (1, 1),
        }
    }

    pub fn new(start: Marker, length: usize, source: Source) -> Self {
        let (line, column) = (start.line().max(1), start.col() + 1);
        Self {
            source,
            line,
            column,
            length,
            defined: (line, column),
        }
    }
}

/// The lines of a text by YAML's line breaks: `\n`, `\r\n` and `\r`.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').flat_map(|line| {
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line).split('\r')
    })
}
