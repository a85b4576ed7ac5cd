//! What follows a product: for tiles that fill their panels [`Finish`](super::Finish) has the same arithmetic in registers, here it is for
//! the others and for maps that exist already.

use super::vector::halved;
use super::{Element, Negatives, PANEL, relu_of};
use crate::parallel::Shared;

/// What happens to a sum on its way into the result: `y = act((sum + bias) * scale + shift + residual)`, or for a gradient
/// `mask(sum + residual)`; each part is optional.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a, T> {
    /// Per output channel.
    pub bias: Option<&'a [T]>,
    /// Of the sum with its bias.
    pub negatives: Option<&'a Noted<'a, T>>,
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
            bias: None,
            negatives: None,
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
        if let Some(bias) = self.bias {
            for (y, &bias) in sums.iter_mut().zip(&bias[channel..channel + n]) {
                *y += bias;
            }
        }
        if let Some(noted) = self.negatives {
            noted.note(sums, channel, at);
        }
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

/// What the sums of a product leave negative, for AID's activation term: of each pixel and panel of [`PANEL`] channels the sum of
/// `max(-a, 0)`, and a bit for each channel, the first lowest, set where `a < 0`.
pub(crate) struct Noted<'a, T> {
    pub sums: Shared<'a, T>,
    pub signs: Shared<'a, u16>,
    pub channels: usize,
}

impl<T: Element> Noted<'_, T> {
    /// Where the panel that begins with the element `at` of the result lies, whose channel is `channel`.
    #[inline(always)]
    pub fn panel(&self, at: usize, channel: usize) -> usize {
        if self.channels.is_multiple_of(PANEL) {
            at / PANEL
        } else {
            (at - channel) / self.channels * self.channels.div_ceil(PANEL) + channel / PANEL
        }
    }

    /// For a tile whose rows begin with the panels `to`.
    pub fn of_tile<'t>(&self, to: &'t [usize]) -> Negatives<'t, T> {
        Negatives {
            sums: self.sums.pointer(0),
            signs: self.signs.pointer(0),
            to,
        }
    }

    /// Notes the sums of the channels `channel ..`, which make the elements `at ..` of the result.
    fn note(&self, sums: &[T], channel: usize, at: usize) {
        for (i, panel) in sums.chunks(PANEL).enumerate() {
            let (mut lanes, mut signs) = ([T::ZERO; PANEL], 0);
            for (j, (lane, &a)) in lanes.iter_mut().zip(panel).enumerate() {
                *lane = relu_of(T::ZERO - a);
                signs |= u16::from(a < T::ZERO) << j;
            }
            let to = self.panel(at + i * PANEL, channel + i * PANEL);
            // SAFETY: a panel is noted by the task that makes its elements, and by no other.
            unsafe {
                self.sums.slice(to, 1)[0] = halved(&mut lanes);
                self.signs.slice(to, 1)[0] = signs;
            }
        }
    }
}
