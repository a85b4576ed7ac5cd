//! YAML as a tree of values with their positions.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_yaml::granit_parser::{
    Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag,
};

use super::{error::Fault, number, syntax};

/// The text that a spot is in. Both kinds are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A file, in the order of reading.
    File(usize),
    /// An override.
    Argument(usize),
}

/// The most values that aliases may repeat. A few lines of aliases could stand for billions.
const MOST_REPEATED: usize = 100_000;

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

    fn new(start: Marker, length: usize, source: Source) -> Self {
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

/// A value that is not text.
#[derive(Clone, Copy, Debug)]
pub enum Typed {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, 0 or above.
    Unsigned(u64),
    /// A whole number below 0.
    Signed(i64),
    /// Any other number.
    Float(f64),
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

    /// Calls `see` with the position of this value and of every value inside it.
    pub(super) fn visit(&self, see: &mut impl FnMut(Spot)) {
        see(self.spot);
        match &self.value {
            Value::List(items) => items.iter().for_each(|item| item.visit(see)),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| value.visit(see)),
            _ => {}
        }
    }

    /// The only document of `text`.
    pub(super) fn parse(text: &str, source: Source) -> Result<Self, Fault> {
        let mut builder = Builder {
            text,
            events: Parser::new_from_str_with_options(text, syntax::options()),
            source,
            anchors: HashMap::new(),
            repeated: 0,
        };
        builder.document()
    }

    /// The value at `path`, which has keys of mappings and indices, from 0, of list items.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Self> {
        let [part, rest @ ..] = path else {
            return Some(self);
        };
        let inner = match &self.value {
            Value::Map(_) => self.entry(part)?,
            Value::List(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
        inner.get(rest)
    }

    /// The number of values: this one and all inside it.
    fn count(&self) -> usize {
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

/// The lines of a text by YAML's line breaks: `\n`, `\r\n` and `\r`.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').flat_map(|line| {
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line).split('\r')
    })
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

/// Builds the tree from the parser's events.
struct Builder<'a> {
    text: &'a str,
    events: Parser<'a, StrInput<'a>>,
    source: Source,
    /// The values of anchors, by the parser's numbers.
    anchors: HashMap<usize, Node>,
    /// The number of values that came from aliases.
    repeated: usize,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Node, Fault> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event if root.is_none() => root = Some(self.node(event, span)?),
                _ => {
                    let spot = self.spot(span);
                    return Err(Fault::new(spot, "a second document begins here")
                        .hint("keep one; `---` and `...` stand between documents"));
                }
            }
        }
        Ok(root.unwrap_or_else(|| Node::null(Spot::whole(self.source))))
    }

    /// The next event that is not a comment.
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        loop {
            match self.events.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => return Err(self.fault(&error)),
                None => return Ok((Event::StreamEnd, Span::empty(Marker::new(0, 1, 0)))),
            }
        }
    }

    fn fault(&self, error: &ScanError) -> Fault {
        let spot = Spot::new(*error.marker(), 1, self.source);
        let (problem, fix) = syntax::explain(error);
        Fault::new(spot, problem).hint(fix)
    }

    fn spot(&self, span: Span) -> Spot {
        let length = span.end.index().saturating_sub(span.start.index());
        Spot::new(span.start, length, self.source)
    }

    /// The value that begins with `event`.
    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Fault> {
        let spot = self.spot(span);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.no_tag(tag.as_deref(), span)?;
                let text = text.into_owned();
                let value = match style {
                    ScalarStyle::Plain => Value::plain(text),
                    _ => Value::Text(text),
                };
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.no_tag(tag.as_deref(), span)?;
                (Value::List(self.items()?), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.no_tag(tag.as_deref(), span)?;
                (Value::Map(self.entries()?), anchor)
            }
            Event::Alias(id) => return self.repeat(id, spot),
            _ => return Err(Fault::new(spot, "a value is missing here")),
        };
        let node = Node { spot, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// Refuses a tag: a tag sets the type of a value, and here its field does that.
    fn no_tag(&self, tag: Option<&Tag>, span: Span) -> Result<(), Fault> {
        let (Some(tag), at) = (tag, span.tag_span().unwrap_or(span)) else {
            return Ok(());
        };
        let written = at
            .slice(self.text)
            .map_or_else(|| tag.to_string(), str::to_owned);
        Err(Fault::new(
            self.spot(at),
            format!("`{written}` is a tag; tags are not supported"),
        )
        .hint("delete it, or put the text in quotes"))
    }

    /// The value of an alias.
    fn repeat(&mut self, id: usize, spot: Spot) -> Result<Node, Fault> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(
                Fault::new(spot, "this alias is inside the value that it stands for")
                    .hint("write the value out"),
            );
        };
        self.repeated += node.count();
        if self.repeated > MOST_REPEATED {
            return Err(Fault::new(
                spot,
                format!("aliases stand for more than {MOST_REPEATED} values"),
            )
            .hint("use fewer of them"));
        }
        Ok(Node {
            spot: Spot {
                defined: node.spot.defined,
                ..spot
            },
            value: node.value.clone(),
        })
    }

    fn items(&mut self) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    /// The entries of a mapping. Entries that `<<` merges come last. An entry that is written out wins over a merged one.
    fn entries(&mut self) -> Result<Vec<(Name, Node)>, Fault> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let name = self.name(event, span)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            if !seen.insert(name.text.clone()) {
                return Err(
                    Fault::new(name.spot, format!("`{}` is written twice", name.text))
                        .hint("delete one"),
                );
            }
            match name.text.as_str() {
                "<<" => merged.push(value),
                _ => entries.push((name, value)),
            }
        }
        for value in merged {
            merge(value, &mut seen, &mut entries)?;
        }
        Ok(entries)
    }

    fn name(&mut self, event: Event<'a>, span: Span) -> Result<Name, Fault> {
        let node = self.node(event, span)?;
        match node.value {
            Value::Typed(_, text) | Value::Text(text) => Ok(Name {
                spot: node.spot,
                text,
            }),
            Value::Null => Err(Fault::new(node.spot, "a name is missing before the colon")),
            value => Err(Fault::new(node.spot, format!("{value} is not a name"))
                .hint("write a word before the colon")),
        }
    }
}

/// Merges a mapping, or a list of mappings, under `entries`.
fn merge(
    node: Node,
    seen: &mut HashSet<String>,
    entries: &mut Vec<(Name, Node)>,
) -> Result<(), Fault> {
    match node.value {
        Value::Map(more) => {
            let new = more
                .into_iter()
                .filter(|(name, _)| seen.insert(name.text.clone()));
            entries.extend(new);
            Ok(())
        }
        Value::List(items) => items
            .into_iter()
            .try_for_each(|item| merge(item, seen, entries)),
        value => Err(Fault::new(
            node.spot,
            format!("{value} is not a mapping; `<<` merges mappings"),
        )),
    }
}
