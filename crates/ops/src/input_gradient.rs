//! The gradient of a convolution with respect to its input. Each input pixel gathers the output pixels that read it, through a plan like
//! the forward product's. With too few input channels to fill a panel, [`Patches`] scatter instead.

use crate::gemm::planned;
use crate::kernel::{Element, Epilogue};
use crate::packed::Packed;
use crate::plan::{Plan, Window};
use crate::scatter::{CHANNELS, Patches};
use crate::sizes::as_map;
use crate::tape::Gradients;
use crate::tensor::View;
use candle_core::{Result, Tensor};

/// A convolution's weights, packed for its input gradient.
#[derive(Debug)]
pub(crate) enum Weights<T> {
    Panels(Packed<T>),
    Patches(Patches<T>),
}

impl<T: Element> Weights<T> {
    /// Packs the `used` taps of `weight (o, c, kh, kw)`, counted from the kernel's end. If there is a `scale`, it multiplies each output
    /// channel.
    pub fn new(
        weight: &[T],
        scale: Option<&[T]>,
        o: usize,
        c: usize,
        window: Window,
        used: &[bool],
    ) -> Self {
        let (kh, kw) = window.kernel;
        let scaled = |channel: usize, n: usize, tap: usize| {
            let w = weight[(channel * c + n) * kh * kw + tap];
            scale.map_or(w, |scale| w * scale[channel])
        };
        if c <= CHANNELS {
            return Self::Patches(Patches::new(window, (c, o), |channel, n, ky, kx| {
                scaled(channel, n, ky * kw + kx)
            }));
        }
        Self::Panels(Packed::new((kh * kw, o), c, used, |tap, channel, n| {
            scaled(channel, n, kh * kw - 1 - tap)
        }))
    }

    /// Adds the gradient `(n, h, w, c)` of `x` to `grads`. `dy` is the gradient of the result, and `plan` comes from [`Plan::backward`].
    pub fn add(&self, grads: &mut Gradients, x: &Tensor, dy: &Tensor, plan: &Plan) -> Result<()> {
        let (images, h, w, _) = as_map(x.shape())?;
        let (_, oh, ow, _) = as_map(dy.shape())?;
        let dy = View::of(dy);
        let dy = dy.elements::<T>()?;
        let tensor = |dx: Vec<T>| Tensor::from_vec(dx, x.shape(), x.device());
        match self {
            Self::Panels(panels) => grads.fuse(x, |so_far, masked| {
                let (so_far, x) = (so_far.map(View::of), View::of(x));
                let epilogue = Epilogue {
                    residual: so_far.as_ref().map(View::elements).transpose()?,
                    mask: masked.then(|| x.elements()).transpose()?,
                    ..Epilogue::default()
                };
                tensor(planned(plan, images, dy, panels, epilogue))
            }),
            Self::Patches(patches) => {
                grads.add(x, tensor(patches.product(images, (h, w), (oh, ow), dy))?)
            }
        }
    }
}
