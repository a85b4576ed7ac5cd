//! The epilogue of a product. Tiles that fill their panels have the same arithmetic in registers, see [`Finish`](super::Finish). This file
//! is for the other tiles and for existing maps.

use super::vector::halved;
use super::{Element, Negatives, PANEL, relu_of};
use crate::parallel::Shared;

/// From a sum to an element of the result: `y = act((sum + bias) * scale + shift + residual)`, or `mask(sum + residual)` for a gradient. Each
/// part is optional.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a, T> {
    /// Per output channel.
    pub bias: Option<&'a [T]>,
    /// Records the negative part of the sum with its bias.
    pub negatives: Option<&'a Noted<'a, T>>,
    /// Per output channel.
    pub scale: Option<&'a [T]>,
    /// Per output channel.
    pub shift: Option<&'a [T]>,
    /// It has the shape of the result.
    pub residual: Option<&'a [T]>,
    pub relu: bool,
    /// It has the shape of the result, and the result is 0 where it is not positive.
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
    /// Turns the sums of channels `channel ..` into elements `at ..` of the result.
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

/// The negative part of a product, for AID's activation term. For each pixel and panel of [`PANEL`] channels: the sum of `max(-a, 0)`, and
/// one bit per channel, the first lowest, set if `a < 0`.
pub(crate) struct Noted<'a, T> {
    pub sums: Shared<'a, T>,
    pub signs: Shared<'a, u16>,
    pub channels: usize,
}

impl<T: Element> Noted<'_, T> {
    /// The index of the panel that begins with element `at` of the result, of channel `channel`.
    #[inline(always)]
    pub fn panel(&self, at: usize, channel: usize) -> usize {
        if self.channels.is_multiple_of(PANEL) {
            at / PANEL
        } else {
            (at - channel) / self.channels * self.channels.div_ceil(PANEL) + channel / PANEL
        }
    }

    /// The pointers for a tile whose rows begin with the panels `to`.
    pub fn of_tile<'t>(&self, to: &'t [usize]) -> Negatives<'t, T> {
        Negatives {
            sums: self.sums.pointer(0),
            signs: self.signs.pointer(0),
            to,
        }
    }

    /// Records the sums of channels `channel ..`, which become elements `at ..` of the result.
    fn note(&self, sums: &[T], channel: usize, at: usize) {
        for (i, panel) in sums.chunks(PANEL).enumerate() {
            let (mut lanes, mut signs) = ([T::ZERO; PANEL], 0);
            for (j, (lane, &a)) in lanes.iter_mut().zip(panel).enumerate() {
                *lane = relu_of(T::ZERO - a);
                signs |= u16::from(a < T::ZERO) << j;
            }
            let to = self.panel(at + i * PANEL, channel + i * PANEL);
            // SAFETY: only the task that makes a panel's elements records it.
            unsafe {
                self.sums.slice(to, 1)[0] = halved(&mut lanes);
                self.signs.slice(to, 1)[0] = signs;
            }
        }
    }
}
