//! Explains syntax errors of the parser in plain words, with a fix.

use serde_yaml::granit_parser::{ErrorKind, Options, ScanError};

/// The deepest nesting that is read. Grids are a few levels deep.
const DEEPEST: usize = 64;

/// The options of the parser.
pub(super) fn options() -> Options {
    let mut options = Options::default();
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    options.set_emit_comments(false);
    options
}

/// The problem and the fix.
pub(super) fn explain(error: &ScanError) -> (String, String) {
    let problem = match error.kind() {
        ErrorKind::RecursionLimitExceeded => {
            format!("values are nested more than {DEEPEST} levels deep")
        }
        ErrorKind::UnknownAnchor => "this alias, `*name`, has no anchor, `&name`".to_owned(),
        ErrorKind::SimpleKeyExpected => "`: ` is missing after a name".to_owned(),
        ErrorKind::UnexpectedCharacter { character } => {
            format!(
                "the character `{}` is not allowed here",
                character.escape_default()
            )
        }
        _ => error.info(),
    };
    let fix = match error.kind() {
        ErrorKind::RecursionLimitExceeded => "delete some of the brackets",
        ErrorKind::UnknownAnchor => "write the value out, or put the text in quotes",
        ErrorKind::SimpleKeyExpected => "write `name: value`, with a space after the colon",
        ErrorKind::UnexpectedCharacter { .. } => "delete it, or put the text in quotes",
        ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::ExpectedBlockMappingKey => {
            "indent this line like its neighbours"
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => {
            "close every `[` and `{`, and put commas between entries"
        }
        _ if error.info().contains("tab") => "write spaces instead of tabs",
        _ => "check colons, indentation, brackets and quotes here and on the line before",
    };
    (problem, fix.to_owned())
}
