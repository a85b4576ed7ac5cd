//! Keeps a secret that a document holds out of messages about it, whatever is wrong with the document.
//!
//! Nobody knows what a mistyped document means. So this does not look for the secret, but for what is surely none: fields that
//! are known to be harmless, and in which no word is like a name of the secret's. All the rest is hidden.

use super::tree::{Node, Spot, Value, lines};
use crate::nearest;

/// What of a document messages may show.
#[derive(Clone, Copy, Debug)]
pub struct Veil {
    /// The field at the top that holds the secret, and the names inside of it.
    pub secret: &'static [&'static str],
    /// All fields at the top.
    pub top: &'static [&'static str],
    /// How the secret is written.
    pub fix: &'static str,
}

/// In the place of what is hidden.
const MASK: &str = "***";

/// Line and column, both from 1.
type Position = (usize, usize);

impl Veil {
    /// Hides nothing.
    pub const NONE: Self = Self {
        secret: &[],
        top: &[],
        fix: "",
    };

    /// Where something is hidden in `text`, whose tree is `root` if it is YAML.
    pub(super) fn stretches(&self, text: &str, root: Option<&Node>) -> Stretches {
        let mut all = Vec::new();
        if !self.secret.is_empty() {
            let starts = match root.map(|root| &root.value) {
                Some(Value::Map(entries)) => entries
                    .iter()
                    .map(|(name, _)| ((name.spot.line, name.spot.column), name.text.clone()))
                    .collect(),
                Some(Value::Null) => Vec::new(),
                _ => top_names(text),
            };
            let lines: Vec<&str> = lines(text).collect();
            all = self.judge(starts, &lines);
        }
        Stretches(all)
    }

    /// The stretches that begin at the names `starts`.
    fn judge(&self, mut starts: Vec<(Position, String)>, lines: &[&str]) -> Vec<Stretch> {
        starts.sort();
        let end = (lines.len() + 1, 1);
        let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let judged = starts.iter().zip(ends).map(|((start, name), end)| {
            let hidden = !self.is_open(name)
                || between(lines, *start, end).any(|part| self.is_like_secret(part));
            // What the next name has before it on its line is a blank at most.
            let alone = |at: Position| {
                let line = lines.get(at.0 - 1).copied().unwrap_or_default();
                line.chars().take(at.1 - 1).all(char::is_whitespace)
            };
            Stretch {
                start: *start,
                end,
                last: if alone(end) { end.0 - 1 } else { end.0 },
                hidden,
                secret: self.secret.contains(&name.as_str()),
                name: (alone(*start) && self.is_known(name)).then(|| name.clone()),
            }
        });
        judged.collect()
    }

    /// An override as far as it may be shown.
    pub fn argument(&self, argument: &str) -> String {
        if self.hides_argument(argument) {
            self.change(argument, MASK)
        } else {
            argument.to_owned()
        }
    }

    /// Whether more than the path of an override is hidden.
    pub(super) fn hides_argument(&self, argument: &str) -> bool {
        !self.secret.is_empty()
            && (self.hides_path(argument.split('=').next().unwrap_or_default())
                || self.is_like_secret(argument))
    }

    /// Whether the value of an override of `path` is hidden.
    pub fn hides_path(&self, path: &str) -> bool {
        let first = path.split('.').next().unwrap_or_default().trim();
        !self.is_open(first) || self.is_like_secret(path)
    }

    /// Whether an override is of the secret's field.
    pub(super) fn is_of_secret(&self, argument: &str) -> bool {
        let first = argument.split(['.', '=']).next().unwrap_or_default();
        self.secret.contains(&first.trim())
    }

    /// The override `path=value` with `mask` for the value, and for what of the path is no known name.
    pub fn change(&self, argument: &str, mask: &str) -> String {
        let (path, value) = match argument.split_once('=') {
            Some((path, _)) => (path, Some(mask)),
            None => (argument, None),
        };
        let part = |part: &str| match self.is_known(part.trim()) {
            true => part.trim().to_owned(),
            false => mask.to_owned(),
        };
        let mut shown = path.split('.').map(part).collect::<Vec<_>>().join(".");
        if let Some(value) = value {
            shown = format!("{shown}={value}");
        }
        shown
    }

    /// A message without what it quotes in backquotes, from the first to the last, unless that is a known name or a field's that nobody knows.
    pub(super) fn message(&self, message: &str) -> String {
        match (message.find('`'), message.rfind('`')) {
            (Some(first), Some(last))
                if first < last
                    && !self.is_known(&message[first + 1..last])
                    && !is_unknown_word(message) =>
            {
                format!("{}{MASK}{}", &message[..=first], &message[last..])
            }
            _ => message.to_owned(),
        }
    }

    /// Whether the field `name` at the top holds no secret.
    fn is_open(&self, name: &str) -> bool {
        self.top.contains(&name) && !self.secret.contains(&name)
    }

    /// Whether any word of `text` may be meant as a name of the secret's.
    pub fn is_like_secret(&self, text: &str) -> bool {
        let mut words = text.split(|c: char| !c.is_alphanumeric());
        words.any(|word| {
            let word = word.to_lowercase();
            let contains = |name: &&'static str| word.contains(*name);
            self.secret.iter().any(contains)
                || nearest(&word, self.secret.iter().copied()).is_some()
        })
    }

    /// Whether `word` is a name that a document has, or a misspelt one.
    fn is_known(&self, word: &str) -> bool {
        let names = self.secret.iter().chain(self.top).copied();
        nearest(word, names).is_some()
    }
}

/// Parts of a document in their order, each from one name at the top to the next.
pub(super) struct Stretches(Vec<Stretch>);

struct Stretch {
    start: Position,
    /// Where the next begins.
    end: Position,
    /// The last line of which something belongs to it.
    last: usize,
    hidden: bool,
    /// Whether it is the secret itself.
    secret: bool,
    /// The name that it begins with, if its line does and it is a known one.
    name: Option<String>,
}

/// Whether all that a message quotes is a plain word that names no field. A secret in the place of a field's name would have to be one.
fn is_unknown_word(message: &str) -> bool {
    let word = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.strip_suffix('`'));
    word.is_some_and(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

impl Stretch {
    fn holds(&self, position: Position) -> bool {
        (self.start..self.end).contains(&position)
    }
}

impl Stretches {
    /// An alias by which the secret would stand in another place as well, or be what stands in another place.
    pub fn leak(&self, node: &Node) -> Option<Spot> {
        let spot = node.spot;
        if self.hold_secret((spot.line, spot.column)) != self.hold_secret(spot.defined) {
            return Some(spot);
        }
        match &node.value {
            Value::List(items) => items.iter().find_map(|item| self.leak(item)),
            Value::Map(entries) => entries.iter().find_map(|(_, value)| self.leak(value)),
            _ => None,
        }
    }

    /// Whether `position` is in the secret's field.
    pub fn hold_secret(&self, position: Position) -> bool {
        let mut secret = self.0.iter().filter(|stretch| stretch.secret);
        secret.any(|stretch| stretch.holds(position))
    }

    /// Whether what stands at `position` is hidden.
    pub fn hide(&self, position: Position) -> bool {
        let mut hidden = self.0.iter().filter(|stretch| stretch.hidden);
        hidden.any(|stretch| stretch.holds(position))
    }

    /// What to show of a line in which something is hidden.
    pub fn masked(&self, line: usize) -> Option<String> {
        let mut hidden = self.0.iter().filter(|stretch| stretch.hidden);
        let stretch = hidden.find(|stretch| (stretch.start.0..=stretch.last).contains(&line))?;
        Some(match &stretch.name {
            Some(name) if stretch.start.0 == line => format!("{name}: {MASK}"),
            _ => MASK.to_owned(),
        })
    }
}

/// The names with which lines begin, of a text that is no YAML. What comes before the first one has none, and lines inside of open
/// quotes or brackets belong to the name before them.
fn top_names(text: &str) -> Vec<(Position, String)> {
    let mut names = vec![((1, 1), String::new())];
    let (mut single, mut double, mut depth) = (0, 0, 0_isize);
    for (nth, line) in lines(text).enumerate() {
        let closed = single % 2 == 0 && double % 2 == 0 && depth <= 0;
        if closed && line.starts_with(|c: char| !c.is_whitespace() && !"#-}]".contains(c)) {
            let name = line.split_once(':').map_or(line, |(name, _)| name);
            let name = name.trim().trim_matches(['"', '\'']);
            names.push(((nth + 1, 1), name.to_owned()));
        }
        let code = match line.trim_start().starts_with('#') {
            true => "",
            false => line.split(" #").next().unwrap_or_default(),
        };
        for c in code.chars() {
            match c {
                '\'' => single += 1,
                '"' => double += 1,
                '{' | '[' => depth += 1,
                '}' | ']' => depth -= 1,
                _ => {}
            }
        }
    }
    names
}

/// What stands from `start` to `end`, line by line, without lines that are comments.
fn between<'a>(
    lines: &'a [&'a str],
    start: Position,
    end: Position,
) -> impl Iterator<Item = &'a str> {
    let until = |line: &'a str, column: usize| {
        let at = line.char_indices().nth(column - 1);
        at.map_or(line.len(), |(at, _)| at)
    };
    let part = move |number: usize| {
        let line = lines.get(number - 1).copied().unwrap_or_default();
        let from = if number == start.0 {
            until(line, start.1)
        } else {
            0
        };
        let to = if number == end.0 {
            until(line, end.1)
        } else {
            line.len()
        };
        line.get(from..to).unwrap_or_default()
    };
    (start.0..=end.0)
        .map(part)
        .filter(|part| !part.trim_start().starts_with('#'))
}
