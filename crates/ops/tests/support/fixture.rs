//! A file of golden values.

use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::path::Path;

/// Named tensors.
pub struct Fixture {
    name: String,
    tensors: HashMap<String, Tensor>,
}

impl Fixture {
    /// Reads `<name>.safetensors` from the folder of golden values of the crate at `root`.
    pub fn read(root: &str, name: &str) -> Self {
        let path = Path::new(root).join(format!("tests/golden/{name}.safetensors"));
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap_or_else(|e| {
            panic!("{}: {e}; scripts/golden/make.py writes it", path.display())
        });
        Self {
            name: name.into(),
            tensors,
        }
    }

    /// The elements of a tensor, flat.
    pub fn values(&self, key: &str) -> Vec<f64> {
        self.tensor(key)
            .to_dtype(DType::F64)
            .and_then(|t| t.flatten_all()?.to_vec1())
            .unwrap()
    }

    /// The numbers of a `case`.
    pub fn sizes(&self, key: &str) -> Vec<usize> {
        let sizes = self.tensor(key).to_vec1::<i64>().unwrap();
        sizes.into_iter().map(|n| n as usize).collect()
    }

    /// The cases of an operation, by their numbers from 0; there is at least one.
    pub fn cases(&self) -> Vec<usize> {
        let cases: Vec<usize> = (0..)
            .take_while(|case| self.tensors.contains_key(&format!("{case}.case")))
            .collect();
        assert!(!cases.is_empty(), "the fixture {} has no cases", self.name);
        cases
    }

    /// The keys that begin with `prefix`, with the prefix cut off.
    pub fn keys(&self, prefix: &str) -> Vec<&str> {
        let mut keys: Vec<&str> = self
            .tensors
            .keys()
            .filter_map(|key| key.strip_prefix(prefix))
            .collect();
        keys.sort_unstable();
        keys
    }

    fn tensor(&self, key: &str) -> &Tensor {
        self.tensors
            .get(key)
            .unwrap_or_else(|| panic!("the fixture {} has no `{key}`", self.name))
    }
}
