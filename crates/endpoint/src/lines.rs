//! A child process that reads one JSON object a line and answers each with one JSON line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::Error;

/// A running process.
pub struct Lines {
    command: String,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Lines {
    /// Starts `command`, a program and its arguments as a shell would split them. `field` names the setting in errors.
    ///
    /// # Errors
    /// If it is no command, or does not start.
    pub fn start(command: &str, field: &'static str) -> Result<Self, Error> {
        let refused = |problem: String| Error::Setting { field, problem };
        let words = shlex::split(command).unwrap_or_default();
        let Some((name, arguments)) = words.split_first() else {
            let fix = "is not a command; write the program and its arguments";
            return Err(refused(format!("`{command}` {fix}")));
        };
        let mut child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| refused(format!("cannot start `{name}`: {e}")))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(refused(format!("`{name}` has no standard input or output")));
        };
        Ok(Self {
            command: command.to_owned(),
            child,
            requests,
            answers: BufReader::new(answers),
        })
    }

    /// The command.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// If the process has ended, does not answer with JSON, or answers `{"error": "one sentence"}`.
    pub fn ask(&mut self, request: &Value) -> Result<Value, Error> {
        let place = format!("`{}`", self.command);
        let unreachable = |problem: String| Error::Unreachable {
            place: place.clone(),
            problem,
        };
        let sent = writeln!(self.requests, "{request}").and_then(|()| self.requests.flush());
        let mut line = String::new();
        let read = sent.and_then(|()| self.answers.read_line(&mut line));
        if read.map_err(|e| unreachable(e.to_string()))? == 0 {
            let problem = "it ended without an answer; its own message stands above";
            return Err(unreachable(problem.to_owned()));
        }
        let problem = match serde_json::from_str::<Value>(&line) {
            Ok(answer) => match answer.get("error").and_then(Value::as_str) {
                None => return Ok(answer),
                Some(error) => error.to_owned(),
            },
            Err(_) => {
                let line: String = line.trim_end().chars().take(80).collect();
                format!("it answered `{line}`, not JSON")
            }
        };
        Err(Error::Answer { place, problem })
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // It is idle, so nothing is lost. An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
