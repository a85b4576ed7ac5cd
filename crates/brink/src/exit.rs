//! Exit codes.

use std::process::ExitCode;

use brink_endpoint::Error as Endpoint;
use brink_owner::{Error as Owner, Verdict};
use brink_verify::Error as Verify;

/// The exit codes in `--help`.
pub const HELP: &str = "Exit codes:
  0  done; for `verify`: the model is intact
  1  `verify`, `watch`: the model is changed
  2  refused: command line, file, key or image
  3  cannot tell: the model does not answer, or its answers allow no finding";

/// The model is changed.
const CHANGED: u8 = 1;
/// Nothing can be said.
const CANNOT_TELL: u8 = 3;

/// The code of a verdict.
pub fn of(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Intact => ExitCode::SUCCESS,
        Verdict::Changed => ExitCode::from(CHANGED),
        Verdict::CannotTell => ExitCode::from(CANNOT_TELL),
    }
}

/// The code of an error: a model that does not answer, or anything else.
pub fn code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(if is_no_answer(error) { CANNOT_TELL } else { 2 })
}

/// Whether the model did not answer, or not as a model does.
fn is_no_answer(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let endpoint = cause.downcast_ref::<Endpoint>();
        let owner = cause.downcast_ref::<Owner>();
        let verify = cause.downcast_ref::<Verify>();
        endpoint.is_some_and(|it| !it.is_input())
            || owner.is_some_and(Owner::is_no_answer)
            || verify.is_some_and(Verify::is_an_answer)
    })
}
