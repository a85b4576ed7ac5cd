//! From the channels-first images that everybody exchanges to the channels-last maps that the operations use.

use crate::kernel::Element;
use crate::parallel::{Shared, for_each};
use crate::tensor::{View, by_dtype, elements, result};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// `(n, c, h, w)` to `(n, h, w, c)`, contiguous.
///
/// # Errors
/// If `x` has not four dimensions or is neither f32 nor f64.
pub fn channels_last(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.contiguous()?.apply_op1(ChannelsLast)
    } else {
        x.permute((0, 2, 3, 1))?.contiguous()
    }
}

struct ChannelsLast;

impl CustomOp1 for ChannelsLast {
    fn name(&self) -> &'static str {
        "channels-last"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = layout.shape().dims4()?;
        by_dtype!(storage.dtype(), T => result(transpose(elements::<T>(storage, layout)?, n, c, h * w), (n, h, w, c)))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (n, c, h, w) = x.dims4()?;
        let grad = grad.contiguous()?;
        by_dtype!(x.dtype(), T => {
            let dx = transpose(View::of(&grad).elements::<T>()?, n, h * w, c);
            Tensor::from_vec(dx, (n, c, h, w), x.device()).map(Some)
        })
    }
}

/// Transposes each of `n` matrices of `rows` by `columns`.
fn transpose<T: Element>(x: &[T], n: usize, rows: usize, columns: usize) -> Vec<T> {
    let size = rows * columns;
    let mut out = vec![T::ZERO; n * size];
    let shared = Shared::new(&mut out);
    for_each(n, |image| {
        let from = &x[image * size..(image + 1) * size];
        // SAFETY: each task writes its own image.
        let to = unsafe { shared.slice(image * size, size) };
        for (j, column) in to.chunks_exact_mut(rows).enumerate() {
            for (i, y) in column.iter_mut().enumerate() {
                *y = from[i * columns + j];
            }
        }
    });
    out
}
