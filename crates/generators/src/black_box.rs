//! A network as the verifier sees it: a black box.

use brink_models::Network;
use brink_verify::{Images, Oracle, OracleError};
use candle_core::{DType, Tensor};

/// Computes the logits of each call with one forward pass.
pub struct BlackBox<'a>(pub &'a Network);

impl Oracle for BlackBox<'_> {
    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        let [c, h, w] = images.shape();
        let x = Tensor::from_slice(images.data(), (images.len(), c, h, w), self.0.device())?;
        let logits = self.0.logits(&x.to_dtype(self.0.dtype())?)?;
        Ok(logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }
}
