//! How much an attack changed: counted in f32, where a small update of a large weight is no update at all.

use models::{Error, Result, Weights};
use serde::{Deserialize, Serialize};

/// The difference between two sets of weights, parameters and buffers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Weights in all.
    pub weights: u64,
    /// Weights with other bits than before.
    pub changed: u64,
    /// The largest absolute change.
    pub max_abs: f64,
    /// The mean absolute change over all weights.
    pub mean_abs: f64,
}

impl Change {
    /// From `before` to `after`.
    ///
    /// # Errors
    /// If `after` lacks a tensor of `before`, or has it in another shape.
    pub fn between(before: &Weights, after: &Weights) -> Result<Self> {
        let mut change = Self::default();
        let mut sum = 0.0;
        for (name, old) in before.tensors() {
            let new = after
                .tensors()
                .get(name)
                .filter(|new| new.shape() == old.shape());
            let new = new.ok_or_else(|| Error::CannotCreate {
                what: "attack",
                problem: format!("`{name}` is gone after it, or has another shape"),
            })?;
            let (old, new) = (
                old.flatten_all()?.to_vec1::<f32>()?,
                new.flatten_all()?.to_vec1::<f32>()?,
            );
            change.weights += old.len() as u64;
            for (old, new) in old.into_iter().zip(new) {
                if old.to_bits() != new.to_bits() {
                    let size = (f64::from(new) - f64::from(old)).abs();
                    change.changed += 1;
                    change.max_abs = change.max_abs.max(size);
                    sum += size;
                }
            }
        }
        change.mean_abs = sum / change.weights.max(1) as f64;
        Ok(change)
    }

    /// The share of weights that changed.
    pub fn share(&self) -> f64 {
        self.changed as f64 / self.weights.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn weights(values: &[f32]) -> Weights {
        Weights::from_tensors([("w".to_owned(), Tensor::new(values, &Device::Cpu).unwrap())])
    }

    #[test]
    fn counts_and_sizes() {
        let change = Change::between(
            &weights(&[1.0, 2.0, -3.0, 0.0]),
            &weights(&[1.0, 2.5, -4.0, 0.0]),
        )
        .unwrap();
        assert_eq!(
            change,
            Change {
                weights: 4,
                changed: 2,
                max_abs: 1.0,
                mean_abs: 0.375
            }
        );
        assert_eq!(change.share(), 0.5);
    }

    #[test]
    fn an_update_below_half_an_ulp_is_none() {
        let change = Change::between(&weights(&[1.0]), &weights(&[1.0 - 1e-10])).unwrap();
        assert_eq!(change.changed, 0);
    }

    #[test]
    fn other_tensors_are_an_error() {
        assert!(Change::between(&weights(&[1.0]), &weights(&[1.0, 2.0])).is_err());
    }
}
