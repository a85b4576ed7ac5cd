//! The sizes of a convolution, or of a linear layer as a convolution whose window is the whole map.

use crate::plan::Window;
use candle_core::{Result, Shape, bail};

/// The sizes of a convolution.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub images: usize,
    pub map: (usize, usize),
    pub channels: (usize, usize),
    pub output: (usize, usize),
    pub window: Window,
}

impl Sizes {
    /// The sizes for `x (n, h, w, c)` and `weight (o, c, kh, kw)`.
    pub fn conv2d(x: &Shape, weight: &Shape, window: Window) -> Result<Self> {
        let ((images, h, w, c), (o, wc, kh, kw)) = (x.dims4()?, weight.dims4()?);
        if c != wc || (kh, kw) != window.kernel || window.stride == 0 {
            bail!(
                "conv2d: input {x:?} (n, h, w, c) and weight {weight:?} (o, c, kh, kw) do not fit {window:?}"
            );
        }
        let Some(output) = window.output((h, w)) else {
            bail!("conv2d: the {h}x{w} map is smaller than {window:?}");
        };
        Ok(Self {
            images,
            map: (h, w),
            channels: (c, o),
            output,
            window,
        })
    }

    /// The sizes for `x (n, i)` or `(n, h, w, c)` and `weight (o, i)`: one window as large as the map.
    pub fn linear(x: &Shape, weight: &Shape) -> Result<Self> {
        let (images, h, w, c) = as_map(x)?;
        let (o, i) = weight.dims2()?;
        if c * h * w != i || i == 0 {
            bail!("linear: input {x:?} and weight {weight:?} (o, i) do not fit");
        }
        Ok(Self {
            images,
            map: (h, w),
            channels: (c, o),
            output: (1, 1),
            window: Window {
                kernel: (h, w),
                stride: 1,
                padding: 0,
            },
        })
    }

    /// The number of taps of the kernel.
    pub fn taps(&self) -> usize {
        self.window.kernel.0 * self.window.kernel.1
    }
}

/// The dimensions of a map. The rows of a matrix are 1x1 maps.
pub(crate) fn as_map(x: &Shape) -> Result<(usize, usize, usize, usize)> {
    match x.dims() {
        &[n, i] => Ok((n, 1, 1, i)),
        _ => x.dims4(),
    }
}
