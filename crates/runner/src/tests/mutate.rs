//! Makes damaged grids and overrides, with likely and unlikely mistakes.

use brink_random::Stream;

/// A damaged grid, and overrides for it.
pub struct Mutant {
    pub grid: String,
    pub changes: Vec<String>,
}

/// Texts to insert into a grid.
const WORDS: &[&str] = &[
    "",
    " ",
    "\n",
    "\t",
    ":",
    ": ",
    "-",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    "&a ",
    "*a",
    "!t ",
    "|",
    ">",
    "\"",
    "'",
    "%",
    "@",
    "`",
    "<<",
    "<<: *a",
    "---",
    "...",
    "~",
    "null",
    "true",
    "yes",
    "0",
    "-1",
    "017",
    "0x1F",
    "1e400",
    "1e-400",
    "1_000",
    ".inf",
    ".nan",
    "18446744073709551615",
    "-9223372036854775809",
    "1e308",
    "5e-324",
    "é",
    "\u{feff}",
    "\u{2028}",
    "\r",
    "\0",
    "name",
    "key",
    "targets",
    "generators",
    "attacks",
    "desk",
    "ours",
    "finetune",
    "lr",
    "[1, 2]",
    "{a: b}",
    "[[[[",
    "con",
];

/// Paths of overrides. Some are wrong.
const PATHS: &[&str] = &[
    "",
    ".",
    "seed",
    "key",
    "key.passphrase",
    "targets",
    "targets.fashion-mnist-resnet20",
    "targets.*",
    "targets.*.train.epochs",
    "targets.other.model",
    "generators.ours.samples",
    "generators.our.samples",
    "attacks.finetune.lr",
    "attacks.0",
    "attack_seeds",
    "sample_sets",
    "head_balance",
    "slice",
    "probes",
    "reports",
    "desk",
    "name",
    "title",
];

/// A random mutant of `grid`.
pub fn mutant(grid: &str, dice: &mut Stream) -> Mutant {
    let mut text: Vec<char> = grid.chars().collect();
    // Sometimes the grid stays intact, and only the overrides are wrong.
    for _ in 0..dice.below(4) {
        mutate(&mut text, dice);
    }
    let changes = (0..dice.below(3)).map(|_| {
        let path = pick(PATHS, dice);
        let value = pick(WORDS, dice);
        match dice.below(8) {
            0 => format!("{path}{value}"),
            _ => format!("{path}={value}"),
        }
    });
    let changes: Vec<String> = changes.collect();
    Mutant {
        grid: text.into_iter().collect(),
        // An argument cannot hold a NUL.
        changes: changes
            .iter()
            .map(|change| change.replace('\0', ""))
            .collect(),
    }
}

fn mutate(text: &mut Vec<char>, dice: &mut Stream) {
    let at = dice.below(text.len() + 1);
    let length = dice.below(12);
    let end = (at + length).min(text.len());
    match dice.below(5) {
        // Inserts a word, or replaces a stretch by a word.
        0 => drop(text.splice(at..at, pick(WORDS, dice).chars())),
        1 => drop(text.splice(at..end, pick(WORDS, dice).chars())),
        // Deletes or repeats a stretch.
        2 => drop(text.drain(at..end)),
        3 => {
            let stretch: Vec<char> = text[at..end].to_vec();
            text.splice(at..at, stretch);
        }
        // Ends the file here.
        _ => text.truncate(at),
    }
}

fn pick(words: &[&'static str], dice: &mut Stream) -> &'static str {
    words[dice.below(words.len())]
}
