//! How far an attack moved the weights, in f32: there a small update of a large weight is no update.

use brink_config::Change;
use brink_models::{Error, Result, Weights};

/// The change from `before` to `after`.
///
/// # Errors
/// If `after` lacks a tensor of `before`, or has it in another shape.
pub fn measure_change(before: &Weights, after: &Weights) -> Result<Change> {
    let mut change = Change::default();
    let mut sum = 0.0;
    for (name, old) in before.tensors() {
        let new = after
            .tensors()
            .get(name)
            .filter(|new| new.shape() == old.shape());
        let new = new.ok_or_else(|| {
            Error::CannotCreate(format!("the attack removed `{name}`, or changed its shape"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn weights(values: &[f32]) -> Weights {
        Weights::from_tensors([("w".to_owned(), Tensor::new(values, &Device::Cpu).unwrap())])
    }

    #[test]
    fn counts_and_sizes() {
        let found = measure_change(
            &weights(&[1.0, 2.0, -3.0, 0.0]),
            &weights(&[1.0, 2.5, -4.0, 0.0]),
        )
        .unwrap();
        assert_eq!(
            found,
            Change {
                weights: 4,
                changed: 2,
                max_abs: 1.0,
                mean_abs: 0.375
            }
        );
    }

    #[test]
    fn an_update_below_half_an_ulp_is_none() {
        let found = measure_change(&weights(&[1.0]), &weights(&[1.0 - 1e-10])).unwrap();
        assert_eq!(found.changed, 0);
    }

    #[test]
    fn other_tensors_are_an_error() {
        assert!(measure_change(&weights(&[1.0]), &weights(&[1.0, 2.0])).is_err());
    }
}
