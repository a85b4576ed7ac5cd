//! The saved state of a job: named tensors and named counters in one safetensors file.

use crate::error::{Error, Result};
use candle_core::{Device, Tensor, Var};
use std::collections::{BTreeMap, HashMap};

/// Named tensors and counters.
#[derive(Debug, Default)]
pub struct State {
    tensors: BTreeMap<String, Tensor>,
    numbers: BTreeMap<String, u64>,
}

const NUMBERS: &str = "numbers";

impl State {
    /// Adds a tensor.
    #[must_use]
    pub fn tensor(mut self, name: impl Into<String>, tensor: &Tensor) -> Self {
        self.tensors.insert(name.into(), tensor.clone());
        self
    }

    /// Adds a counter.
    #[must_use]
    pub fn number(mut self, name: &str, value: usize) -> Self {
        self.numbers.insert(name.into(), value as u64);
        self
    }

    /// The tensor `name`.
    ///
    /// # Errors
    /// If the state has none.
    pub fn take(&self, name: &str) -> Result<&Tensor> {
        self.tensors
            .get(name)
            .ok_or_else(|| Error::State(format!("it has no tensor `{name}`")))
    }

    /// Sets `var` to the tensor `name`.
    ///
    /// # Errors
    /// If the state has none with its shape and type.
    pub fn set(&self, var: &Var, name: &str) -> Result<()> {
        let tensor = self.take(name)?;
        if (tensor.dims(), tensor.dtype()) != (var.dims(), var.dtype()) {
            return Err(Error::State(format!(
                "its `{name}` is {:?} {:?}, expected {:?} {:?}",
                tensor.dtype(),
                tensor.dims(),
                var.dtype(),
                var.dims()
            )));
        }
        Ok(var.set(&tensor.to_device(var.device())?)?)
    }

    /// The counter `name`.
    ///
    /// # Errors
    /// If the state has none.
    pub fn count(&self, name: &str) -> Result<usize> {
        self.numbers
            .get(name)
            .map(|&n| n as usize)
            .ok_or_else(|| Error::State(format!("it has no number `{name}`")))
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// If a tensor cannot be read back.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let numbers =
            serde_json::to_string(&self.numbers).map_err(|e| Error::State(e.to_string()))?;
        safetensors::serialize(
            &self.tensors,
            Some(HashMap::from([(NUMBERS.to_owned(), numbers)])),
        )
        .map_err(|e| Error::State(e.to_string()))
    }

    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// If they are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = |e: &dyn std::fmt::Display| Error::State(format!("it is damaged ({e})"));
        let (_, header) =
            safetensors::SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
        let numbers = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get(NUMBERS))
            .map_or("", String::as_str);
        let numbers = serde_json::from_str(numbers).map_err(|e| damaged(&e))?;
        let tensors =
            candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(|e| damaged(&e))?;
        Ok(Self {
            tensors: tensors.into_iter().collect(),
            numbers,
        })
    }
}
