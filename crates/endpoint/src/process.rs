//! A model in a process: `{"images": [...]}` goes in as one line, `{"answers": [...]}` comes out as one line.

use std::cell::RefCell;

use brink_verify::Images;
use serde_json::json;

use crate::http::listed;
use crate::{Answer, Deployed, Encoding, Error, Lines};

/// A process that answers.
pub struct Process {
    lines: RefCell<Lines>,
    encoding: Encoding,
}

impl Process {
    /// Starts `command`, whose images have the `encoding`.
    ///
    /// # Errors
    /// If it is no command, or does not start.
    pub fn start(command: &str, encoding: Encoding) -> Result<Self, Error> {
        Ok(Self {
            lines: RefCell::new(Lines::start(command, "--program")?),
            encoding,
        })
    }
}

impl Deployed for Process {
    fn place(&self) -> String {
        format!("`{}`", self.lines.borrow().command())
    }

    fn ask(&self, images: &Images) -> Result<Vec<Answer>, Error> {
        let request = json!({"images": self.encoding.all(images)?});
        let answer = self.lines.borrow_mut().ask(&request)?;
        let answers = listed(answer.get("answers"), "/answers");
        let answers = answers.map_err(|problem| Error::Answer {
            place: self.place(),
            problem,
        })?;
        let (got, sent) = (answers.len(), images.len());
        if got != sent {
            return Err(Error::Answer {
                place: self.place(),
                problem: format!("{got} answers for {sent} images"),
            });
        }
        Ok(answers)
    }
}
