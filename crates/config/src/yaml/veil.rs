//! Keeps the secret of a document out of messages, whatever is wrong with the document.
//!
//! In a mistyped document the secret may be in any field that resembles the secret's. A field stays hidden if it has a
//! word like a name of the secret's fields. An unknown field also stays hidden if it has another word for a secret, a
//! shared value or many hexadecimal digits, or if its name is not a plain word.

use super::spot::{Spot, lines};
use super::tree::{Node, Value};
use crate::nearest;

/// The parts of a document that messages may show.
#[derive(Clone, Copy, Debug)]
pub struct Veil {
    /// The field at the top that holds the secret, and the names inside it.
    pub secret: &'static [&'static str],
    /// All fields at the top.
    pub top: &'static [&'static str],
    /// The hint that says how to write the secret.
    pub fix: &'static str,
}

/// Parts of words that people may write instead of the secret's field.
const WORDS: [&str; 5] = ["secret", "pass", "phrase", "token", "pwd"];

/// The shortest row of hexadecimal digits that may be a secret: 16 bytes.
const DIGITS: usize = 32;

/// Replaces hidden text.
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

    /// The stretches of `text`. `root` is its tree, if it is YAML.
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
            let parts: Vec<&str> = between(lines, *start, end).collect();
            let hidden = match self.is_open(name) {
                true => parts.iter().any(|part| self.is_like_secret(part)),
                false => !is_plain(name) || !self.is_harmless(&parts.join("\n"), ':'),
            };
            // Whether only white space stands before `at` on its line.
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

    /// An override without what is hidden.
    pub fn argument(&self, argument: &str) -> String {
        if self.hides_argument(argument) {
            self.change(argument, MASK)
        } else {
            argument.to_owned()
        }
    }

    /// Whether the value of an override is hidden.
    pub(super) fn hides_argument(&self, argument: &str) -> bool {
        let path = argument.split('=').next().unwrap_or_default();
        let mut names = path.split('.').map(str::trim);
        let hidden = match names.next() {
            Some(first) if self.is_open(first) => self.is_like_secret(argument),
            first => {
                let names = &mut first.into_iter().chain(names);
                !names.all(is_plain) || !self.is_harmless(argument, '=')
            }
        };
        !self.secret.is_empty() && hidden
    }

    /// Whether an override sets the field of the secret.
    pub(super) fn is_of_secret(&self, argument: &str) -> bool {
        let first = argument.split(['.', '=']).next().unwrap_or_default();
        self.secret.contains(&first.trim())
    }

    /// The override `path=value`, with `mask` in place of the value and of each unknown name in the path.
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

    /// A message with a mask between its first and its last backquote. It stays as it is if a known name stands there,
    /// or if [`is_unknown_word`] allows it.
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

    /// Whether any word of `text` may be a mistyped name of the secret's fields.
    pub fn is_like_secret(&self, text: &str) -> bool {
        let mut words = text.split(|c: char| !c.is_alphanumeric());
        words.any(|word| {
            let word = word.to_lowercase();
            let contains = |name: &&'static str| word.contains(*name);
            self.secret.iter().any(contains)
                || nearest(&word, self.secret.iter().copied()).is_some()
        })
    }

    /// Whether an unknown field, whose name and value `sign` separates, can be shown. An alias could show another field.
    fn is_harmless(&self, text: &str, sign: char) -> bool {
        let lower = text.to_lowercase();
        let mut rows = text.split(|c: char| !c.is_ascii_hexdigit());
        text.contains(sign)
            && !self.is_like_secret(text)
            && !WORDS.iter().any(|word| lower.contains(word))
            && !text.contains(['&', '*'])
            && !rows.any(|row| row.len() >= DIGITS)
    }

    /// Whether `word` is a name of a field, perhaps misspelt.
    fn is_known(&self, word: &str) -> bool {
        let names = self.secret.iter().chain(self.top).copied();
        nearest(word, names).is_some()
    }
}

/// The stretches of a document in order. Each goes from one name at the top to the next.
pub(super) struct Stretches(Vec<Stretch>);

struct Stretch {
    start: Position,
    /// The start of the next stretch.
    end: Position,
    /// The last line that has a part of it.
    last: usize,
    hidden: bool,
    /// Whether it is the field of the secret.
    secret: bool,
    /// Its name, if the name is known and begins its line.
    name: Option<String>,
}

/// Whether a name has only lower-case letters, digits, `-` and `_`.
fn is_plain(name: &str) -> bool {
    let plain = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    !name.is_empty() && name.bytes().all(plain)
}

/// Whether a message only says that a field is unknown, and the field is one lower-case word. Such a message stays
/// readable. A secret shows up there only if it is one such word in the place of a field's name.
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
    /// The spot of an alias that shares a value between the secret and another field, if there is one.
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

    /// Whether `position` is in the field of the secret.
    pub fn hold_secret(&self, position: Position) -> bool {
        let mut secret = self.0.iter().filter(|stretch| stretch.secret);
        secret.any(|stretch| stretch.holds(position))
    }

    /// Whether the text at `position` is hidden.
    pub fn hide(&self, position: Position) -> bool {
        let mut hidden = self.0.iter().filter(|stretch| stretch.hidden);
        hidden.any(|stretch| stretch.holds(position))
    }

    /// The text to show for a line with a hidden part. `None` if nothing on it is hidden.
    pub fn masked(&self, line: usize) -> Option<String> {
        let mut hidden = self.0.iter().filter(|stretch| stretch.hidden);
        let stretch = hidden.find(|stretch| (stretch.start.0..=stretch.last).contains(&line))?;
        Some(match &stretch.name {
            Some(name) if stretch.start.0 == line => format!("{name}: {MASK}"),
            _ => MASK.to_owned(),
        })
    }
}

/// The names at the beginning of lines, for a text that is not YAML. The text before the first name has the empty name.
/// Lines inside open quotes or brackets belong to the name before them.
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

/// The text from `start` to `end`, line by line, without lines that are comments.
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
