//! Images within a distance of the images that they started from.

use brink_models::Result;
use candle_core::{D, Tensor};

/// Each image of `x (n, c, h, w)` moved to within the L2 distance `radius` of the same image of `center`, and its pixels into [0, 1].
pub(crate) fn project(x: &Tensor, center: &Tensor, radius: f64) -> Result<Tensor> {
    let away = (x - center)?;
    let distance = away.sqr()?.flatten_from(1)?.sum(D::Minus1)?.sqrt()?;
    // Images inside keep their bits: a factor of 1 is exact.
    let factor = distance.maximum(radius)?.recip()?.affine(radius, 0.0)?;
    let inside = distance.le(radius)?;
    let factor = inside.where_cond(&factor.ones_like()?, &factor)?;
    let n = factor.dim(0)?;
    let away = away.broadcast_mul(&factor.reshape((n, 1, 1, 1))?)?;
    Ok((center + away)?.clamp(0.0, 1.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn images_outside_are_moved_to_the_rim_and_into_range() {
        let images = |values: &[f32]| {
            Tensor::from_slice(values, (values.len() / 2, 1, 1, 2), &Device::Cpu).unwrap()
        };
        let center = images(&[0.5, 0.5, 0.5, 0.5, 0.9, 0.5]);
        let x = images(&[0.5, 0.6, 0.8, 0.9, 1.4, 0.5]);
        let found = project(&x, &center, 0.25).unwrap();
        let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
        let expected = [0.5, 0.6, 0.65, 0.7, 1.0, 0.5];
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{found:?}");
        }
    }
}
