//! Refuses tensors of zeros that no training leaves: part of the file was never written.

use crate::error::SAVE;
use crate::names::last;
use crate::{Error, Result, Tensor};
use std::collections::BTreeMap;

/// Fails at the first matrix, convolution or variance that is all zeros. Biases, means and scales may be 0.
pub(crate) fn refuse(tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    let never_zero = |name: &str, tensor: &Tensor| match last(name) {
        "weight" => tensor.shape.len() > 1,
        "running_var" => true,
        _ => false,
    };
    let zeros = |tensor: &Tensor| {
        !tensor.values.is_empty() && tensor.values.iter().all(|&value| value == 0.0)
    };
    match tensors
        .iter()
        .find(|(name, tensor)| never_zero(name, tensor) && zeros(tensor))
    {
        Some((name, _)) => {
            let problem = "is all zeros, as in a file that was not written to its end";
            Err(Error::tensor(name, problem, SAVE))
        }
        None => Ok(()),
    }
}
