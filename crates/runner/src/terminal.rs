//! The terminal: its width, its colours, and text that fits.

use std::env;

use clap::ValueEnum;
use console::{Style, Term};

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Sets the colours of standard output and standard error.
    pub fn apply(self) {
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let on = |terminal: Term| match self {
            Self::Auto => terminal.is_term() && !plain,
            Self::Always => true,
            Self::Never => false,
        };
        console::set_colors_enabled(on(Term::stdout()));
        console::set_colors_enabled_stderr(on(Term::stderr()));
    }
}

/// The style of a heading on standard output.
pub fn heading() -> Style {
    Style::new().bold()
}

/// The style of `error:` on standard error.
pub fn error() -> Style {
    Style::new().red().bold().for_stderr()
}

/// The style of `WARNING:` on standard error.
pub fn warning() -> Style {
    Style::new().yellow().bold().for_stderr()
}

/// The columns of standard output, if it is a terminal.
pub fn width() -> Option<usize> {
    columns(&Term::stdout())
}

/// The columns of standard error, if it is a terminal.
pub fn width_of_errors() -> Option<usize> {
    columns(&Term::stderr())
}

fn columns(terminal: &Term) -> Option<usize> {
    let (_, columns) = terminal.size_checked()?;
    terminal.is_term().then_some(columns.into())
}

/// The name of a step in at most `width` columns. The target loses its end first, since the rest tells steps of a target apart; then the
/// middle of all goes.
pub fn shorten_step(name: &str, width: usize) -> String {
    let rest = name.find('/').map_or("", |at| &name[at..]);
    let room = width.saturating_sub(rest.chars().count());
    if rest.is_empty() || room < 4 || name.chars().count() <= width {
        return shorten(name, width);
    }
    let target: String = name.chars().take(room - 1).collect();
    format!("{target}…{rest}")
}

/// The text in at most `width` columns. A longer one loses its middle, because steps differ at both ends.
pub fn shorten(text: &str, width: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let ends = [&letters[..head], &letters[letters.len() - tail..]];
    let [head, tail] = ends.map(String::from_iter);
    match width {
        0 => String::new(),
        _ => format!("{head}…{tail}"),
    }
}

/// The text in lines that fit the terminal, if standard output is one. A word is broken only if it is wider.
pub fn wrap(text: &str) -> String {
    let Some(width) = width() else {
        return text.to_owned();
    };
    wrap_to(text, width)
}

fn wrap_to(text: &str, width: usize) -> String {
    let bare = text.trim_start_matches(' ');
    let indent = text.len() - bare.len();
    let mut out = " ".repeat(indent);
    let mut at = 0;
    let width = width.saturating_sub(indent);
    for word in bare.split(' ') {
        let length = word.chars().count();
        if at > 0 && at + 1 + length > width {
            // What continues a line stands a little to the right.
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            at = 2;
        } else if at > 0 {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += length;
    }
    out
}

/// A time for people: `40 s`, `5 min`, `2.5 h`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        short if short < 99.5 => format!("{short:.0} s"),
        middle if middle < 99.5 * 60.0 => format!("{:.0} min", middle / 60.0),
        long => format!("{:.1} h", long / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_their_middle() {
        let name = "cifar10-resnet18/ours/finetune/lr=1e-10/seed0";
        assert_eq!(shorten(name, 20), "cifar10-re…-10/seed0");
        assert_eq!(shorten(name, 100), name);
        for width in 0..50 {
            assert!(shorten(name, width).chars().count() <= width, "{width}");
        }
    }

    #[test]
    fn a_target_loses_its_end_first() {
        let name = "flowers102-64-resnet152/validset/finetune/lr=1e-8/seed0";
        assert_eq!(
            shorten_step(name, 45),
            "flowers102-64…/validset/finetune/lr=1e-8/seed0".replace("-64", "-6")
        );
        assert_eq!(shorten_step(name, 20), shorten(name, 20));
        for width in 0..60 {
            let short = shorten_step(name, width);
            assert!(short.chars().count() <= width, "{width}: {short}");
        }
    }

    #[test]
    fn lines_break_between_words() {
        let wrapped = wrap_to("next: `runner report` puts all on one page", 24);
        assert_eq!(wrapped, "next: `runner report`\n  puts all on one page");
        let inner = wrap_to("  seed: 0  # a whole number", 20);
        assert_eq!(inner, "  seed: 0  # a whole\n    number");
    }

    #[test]
    fn times_have_two_digits_or_three() {
        let told = [4.4, 99.0, 100.0, 3000.0, 9000.0].map(duration);
        assert_eq!(told, ["4 s", "99 s", "2 min", "50 min", "2.5 h"]);
    }
}
