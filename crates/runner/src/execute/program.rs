//! Another engine in a process of its own, which answers for the untouched model.
//!
//! It answers line by line, and tensors travel in safetensors files.
//! `scripts/peers/engine.py` is such a program.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};
use brink_attacks::Victim;
use brink_endpoint::Lines;
use brink_verify::{Images, Oracle, OracleError};
use candle_core::{DType, Device, Tensor, safetensors};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running program.
pub struct Program {
    classes: usize,
    /// What the program says of itself.
    pub engine: String,
    lines: RefCell<Lines>,
    folder: TempDir,
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
        let lines = Lines::start(command, "program")?;
        let folder = tempfile::tempdir().context("cannot make a folder for tensors")?;
        let weights = folder.path().join("weights.safetensors");
        std::fs::write(&weights, victim.weights.to_bytes()?)
            .with_context(|| weights.display().to_string())?;
        let mut program = Self {
            classes: victim.classes,
            engine: String::new(),
            lines: RefCell::new(lines),
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
        let answer = program.lines.get_mut().ask(&open)?;
        let engine = answer.get("engine").and_then(Value::as_str);
        program.engine = engine.unwrap_or(command).to_owned();
        Ok(program)
    }

    fn answered(&self, images: &Images) -> anyhow::Result<Vec<f32>> {
        let [c, h, w] = images.shape();
        let n = images.len();
        let path = |name: &str| self.folder.path().join(name);
        let (asked, answered) = (path("images.safetensors"), path("logits.safetensors"));
        let x = Tensor::from_slice(images.data(), (n, c, h, w), &Device::Cpu)?;
        safetensors::save(&HashMap::from([("images", x)]), &asked)?;
        let request = json!({"images": asked, "logits": answered});
        self.lines.borrow_mut().ask(&request)?;
        self.logits(&answered, n)
    }

    fn logits(&self, path: &Path, images: usize) -> anyhow::Result<Vec<f32>> {
        let lines = self.lines.borrow();
        let command = lines.command();
        let tensors = safetensors::load(path, &Device::Cpu)
            .with_context(|| format!("`{command}` wrote no logits"))?;
        let expected = [images, self.classes];
        match tensors.get("logits") {
            Some(logits) if logits.dims() == expected => {
                Ok(logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
            }
            Some(logits) => bail!(
                "`{command}` gave logits of shape {:?}, expected {expected:?}",
                logits.dims()
            ),
            None => bail!("`{command}` wrote no tensor `logits`"),
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
