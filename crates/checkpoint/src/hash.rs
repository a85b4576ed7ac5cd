//! A hash of the content, whatever the container.

use crate::Checkpoint;
use sha2::{Digest, Sha256};

impl Checkpoint {
    /// The SHA-256 of names, shapes and values, in hexadecimal digits. The container, the wrappers and the order of the tensors do not
    /// matter; nor does the type in the file, if the values are the same as `f32`.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for (name, tensor) in &self.tensors {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update((tensor.shape.len() as u64).to_le_bytes());
            for &side in &tensor.shape {
                hash.update((side as u64).to_le_bytes());
            }
            for value in &tensor.values {
                hash.update(value.to_le_bytes());
            }
        }
        let digits = hash.finalize().into_iter().map(|b| format!("{b:02x}"));
        digits.collect()
    }
}
