//! From the tensors of a generator to the images of a set.

use brink_models::{Error, Result};
use brink_verify::Images;
use candle_core::Tensor;

/// `x (n, c, h, w)` as the images of a set.
///
/// # Errors
/// If a pixel is not in [0, 1].
pub(crate) fn images(x: &Tensor) -> Result<Images> {
    let (_, c, h, w) = x.dims4()?;
    let pixels = x.flatten_all()?.to_vec1()?;
    Images::new([c, h, w], pixels).map_err(|error| Error::CannotCreate(error.to_string()))
}
