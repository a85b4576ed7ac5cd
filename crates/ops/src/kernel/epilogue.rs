//! What follows a product: for tiles that fill their panels [`Finish`](super::Finish) has the same arithmetic in registers, here it is for
//! the others and for maps that exist already.

use super::Element;
use crate::activation::relu_of;

/// What happens to a sum on its way into the result: `y = act(sum * scale + shift + residual)`, or for a gradient
/// `mask(sum + residual)`; each part is optional.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a, T> {
    /// Per output channel.
    pub scale: Option<&'a [T]>,
    /// Per output channel.
    pub shift: Option<&'a [T]>,
    /// The shape of the result.
    pub residual: Option<&'a [T]>,
    pub relu: bool,
    /// The shape of the result, which is 0 where this is not positive.
    pub mask: Option<&'a [T]>,
}

impl<T> Default for Epilogue<'_, T> {
    fn default() -> Self {
        Self {
            scale: None,
            shift: None,
            residual: None,
            relu: false,
            mask: None,
        }
    }
}

impl<T: Element> Epilogue<'_, T> {
    /// Turns sums of the channels `channel ..` into the elements `at ..` of the result.
    #[inline(always)]
    pub fn apply(&self, sums: &mut [T], channel: usize, at: usize) {
        let n = sums.len();
        if let Some(scale) = self.scale {
            for (y, &scale) in sums.iter_mut().zip(&scale[channel..channel + n]) {
                *y *= scale;
            }
        }
        if let Some(shift) = self.shift {
            for (y, &shift) in sums.iter_mut().zip(&shift[channel..channel + n]) {
                *y += shift;
            }
        }
        if let Some(residual) = self.residual {
            for (y, &r) in sums.iter_mut().zip(&residual[at..at + n]) {
                *y += r;
            }
        }
        if self.relu {
            for y in sums.iter_mut() {
                *y = relu_of(*y);
            }
        }
        if let Some(mask) = self.mask {
            for (y, &x) in sums.iter_mut().zip(&mask[at..at + n]) {
                *y = if x > T::ZERO { *y } else { T::ZERO };
            }
        }
    }
}
