//! Another engine in a process of its own, which answers for the untouched model.
//!
//! The process reads one JSON object a line and answers with one JSON line. Tensors travel in safetensors files.
//! `scripts/peers/engine.py` is such a program.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use brink_attacks::Victim;
use brink_verify::{Images, Oracle, OracleError};
use candle_core::{DType, Device, Tensor, safetensors};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running program.
pub struct Program {
    command: String,
    classes: usize,
    /// What the program says of itself.
    pub engine: String,
    pipes: RefCell<Pipes>,
    folder: TempDir,
}

struct Pipes {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Program {
    /// Starts `command` for the untouched model of `victim`, whose images have the shape `input`, `(c, h, w)`. The network has `width` of
    /// its channels.
    ///
    /// # Errors
    /// If the command does not start, or refuses the model.
    pub fn start(
        command: &str,
        victim: &Victim<'_>,
        width: f64,
        input: [usize; 3],
    ) -> anyhow::Result<Self> {
        let words = shlex::split(command).unwrap_or_default();
        let Some((name, arguments)) = words.split_first() else {
            bail!("`program: {command}` is not a command; write the program and its arguments");
        };
        let mut child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{name}` of `program: {command}`"))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("`{command}` has no standard input or output");
        };
        let folder = tempfile::tempdir().context("cannot make a folder for tensors")?;
        let weights = folder.path().join("weights.safetensors");
        std::fs::write(&weights, victim.weights.to_bytes()?)
            .with_context(|| weights.display().to_string())?;
        let mut program = Self {
            command: command.to_owned(),
            classes: victim.classes,
            engine: String::new(),
            pipes: RefCell::new(Pipes {
                child,
                requests,
                answers: BufReader::new(answers),
            }),
            folder,
        };
        let open = json!({"open": {
            "model": victim.model.name(),
            "width": width,
            "classes": victim.classes,
            "weights": weights,
            "normalize": victim.normalize,
            "input": input,
        }});
        let answer = program.ask(&open)?;
        let engine = answer.get("engine").and_then(Value::as_str);
        program.engine = engine.unwrap_or(command).to_owned();
        Ok(program)
    }

    /// Sends a request and reads its answer.
    fn ask(&self, request: &Value) -> anyhow::Result<Value> {
        let command = &self.command;
        let mut pipes = self.pipes.borrow_mut();
        let sent = writeln!(pipes.requests, "{request}").and_then(|()| pipes.requests.flush());
        let mut line = String::new();
        let read = sent.and_then(|()| pipes.answers.read_line(&mut line));
        if read.with_context(|| format!("`{command}` cannot be reached"))? == 0 {
            bail!("`{command}` ended without an answer; its own message stands above");
        }
        let answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("`{command}` answered `{}`, not JSON", line.trim_end()))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => bail!("`{command}`: {error}"),
            None => Ok(answer),
        }
    }

    fn answered(&self, images: &Images) -> anyhow::Result<Vec<f32>> {
        let [c, h, w] = images.shape();
        let n = images.len();
        let path = |name: &str| self.folder.path().join(name);
        let (asked, answered) = (path("images.safetensors"), path("logits.safetensors"));
        let x = Tensor::from_slice(images.data(), (n, c, h, w), &Device::Cpu)?;
        safetensors::save(&HashMap::from([("images", x)]), &asked)?;
        self.ask(&json!({"images": asked, "logits": answered}))?;
        self.logits(&answered, n)
    }

    fn logits(&self, path: &Path, images: usize) -> anyhow::Result<Vec<f32>> {
        let tensors = safetensors::load(path, &Device::Cpu)
            .with_context(|| format!("`{}` wrote no logits", self.command))?;
        let expected = [images, self.classes];
        match tensors.get("logits") {
            Some(logits) if logits.dims() == expected => {
                Ok(logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
            }
            Some(logits) => bail!(
                "`{}` gave logits of shape {:?}, expected {expected:?}",
                self.command,
                logits.dims()
            ),
            None => bail!("`{}` wrote no tensor `logits`", self.command),
        }
    }
}

impl Oracle for Program {
    fn classes(&self) -> usize {
        self.classes
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        Ok(self.answered(images)?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pipes = self.pipes.get_mut();
        // It is idle, so nothing is lost. An error means that it has ended already.
        let _ = pipes.child.kill();
        let _ = pipes.child.wait();
    }
}
