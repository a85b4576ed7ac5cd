//! From a text to its tree.

use std::collections::{HashMap, HashSet};

use serde_yaml::granit_parser::{
    Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag,
};

use super::fault::Fault;
use super::spot::{Source, Spot};
use super::syntax;
use super::tree::{Name, Node, Value};

/// The most values that aliases may repeat. A few lines of aliases could stand for billions.
const MOST_REPEATED: usize = 100_000;

/// The only document of `text`.
pub(super) fn parse(text: &str, source: Source) -> Result<Node, Fault> {
    let mut builder = Builder {
        text,
        events: Parser::new_from_str_with_options(text, syntax::options()),
        source,
        anchors: HashMap::new(),
        repeated: 0,
    };
    builder.document()
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
