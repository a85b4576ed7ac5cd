//! The input gradient of a convolution with few input channels, which every network begins with.
//!
//! With channels as columns, thirteen of a panel's sixteen would be padding. Here sixteen neighbouring pixels of a row are the
//! columns and the input channels are the rows: the output's gradient is turned into planes, one for each row of pixels and
//! output channel, and read at an offset for each tap. Pixels that a stride treats alike are a *phase*: they see the same taps.

use crate::kernel::{CHAIN, Element, Finish, Isa, PANEL, Run, Tile, WIDE};
use crate::parallel::{filled, for_each};
use crate::plan::Window;

/// The most input channels.
pub(crate) const CHANNELS: usize = 3;

/// The weights of each phase.
#[derive(Debug)]
pub(crate) struct Phases<T> {
    window: Window,
    channels: (usize, usize),
    phases: Vec<Phase<T>>,
}

#[derive(Debug)]
struct Phase<T> {
    /// The first of its pixels.
    pixel: (usize, usize),
    /// Outputs that its pixels see, relative to their own, the one at their coordinates over the stride.
    outputs: Vec<(isize, isize)>,
    /// `(channels.0, outputs, channels.1)`.
    weights: Vec<T>,
}

impl<T: Element> Phases<T> {
    /// Sorts `weight (o, c, kh, kw)`; `at` gives an element.
    pub fn new(
        window: Window,
        channels: (usize, usize),
        at: impl Fn(usize, usize, usize, usize) -> T,
    ) -> Self {
        let (kh, kw) = window.kernel;
        let mut phases = Vec::with_capacity(window.stride * window.stride);
        for y in 0..window.stride {
            for x in 0..window.stride {
                let (rows, columns) = (window.seen(y, kh), window.seen(x, kw));
                let pairs = || {
                    rows.iter()
                        .flat_map(|r| columns.iter().map(move |c| (r, c)))
                };
                let mut weights = Vec::new();
                for c in 0..channels.0 {
                    for (row, column) in pairs() {
                        weights.extend((0..channels.1).map(|o| at(o, c, row.1, column.1)));
                    }
                }
                phases.push(Phase {
                    pixel: (y, x),
                    outputs: pairs().map(|(row, column)| (row.0, column.0)).collect(),
                    weights,
                });
            }
        }
        Self {
            window,
            channels,
            phases,
        }
    }

    /// The gradient `(n, h, w, c)` of maps of `(h, w)` pixels, from `dy (n, oh, ow, o)`.
    pub fn product(
        &self,
        images: usize,
        (h, w): (usize, usize),
        (oh, ow): (usize, usize),
        dy: &[T],
    ) -> Vec<T> {
        let (c, o) = self.channels;
        assert!(c <= CHANNELS && dy.len() == images * oh * ow * o);
        let kernels = T::kernels(Isa::current()).0;
        let stride = self.window.stride;
        let blocks = (h.div_ceil(stride), w.div_ceil(stride));
        // Rows of pixels of one call.
        let lines = kernels.cols / PANEL;
        let (up, down) = self.reach(|output| output.0);
        let (left, right) = self.reach(|output| output.1);
        let tall = blocks.0.next_multiple_of(lines) + up + down;
        let wide = blocks.1.next_multiple_of(PANEL) + left + right;
        let runs: Vec<Vec<Run>> = self
            .phases
            .iter()
            .map(|phase| {
                let run = |(i, &(y, x)): (usize, &(isize, isize))| Run {
                    a: (i * o) as isize,
                    b: (y + up as isize) as usize * o * wide + (x + left as isize) as usize,
                    len: o,
                    end: (i + 1) % (CHAIN / o).max(1) == 0,
                };
                phase.outputs.iter().enumerate().map(run).collect()
            })
            .collect();
        let work = |image: usize, dx: &mut [T]| {
            let mut planes = vec![T::ZERO; tall * o * wide];
            let dy = &dy[image * oh * ow * o..][..oh * ow * o];
            for (at, pixel) in dy.chunks_exact(o).enumerate() {
                let (y, x) = (at / ow + up, at % ow + left);
                if y < tall && x < wide {
                    let first = y * o * wide + x;
                    let column = planes[first..].iter_mut().step_by(wide);
                    for (to, &from) in column.zip(pixel) {
                        *to = from;
                    }
                }
            }
            let mut tile = Tile::new();
            for (phase, runs) in self.phases.iter().zip(&runs) {
                if runs.is_empty() {
                    continue;
                }
                let rows: [*const T; CHANNELS] = std::array::from_fn(|r| {
                    phase.weights[r.min(c - 1) * runs.len() * o..].as_ptr()
                });
                for by in (0..blocks.0).step_by(lines) {
                    for bx in (0..blocks.1).step_by(PANEL) {
                        let base = planes[by * o * wide + bx..].as_ptr();
                        // SAFETY: `planes` has a row and a column for every block and every output it sees, blocks padded
                        // to whole calls; the weights have `o` elements for each run of each channel.
                        unsafe {
                            kernels.narrow(
                                &rows,
                                runs,
                                base,
                                wide,
                                lines,
                                o * wide,
                                &Finish::plain(&mut tile),
                            );
                        }
                        for line in 0..lines.min(blocks.0 - by) {
                            let y = (by + line) * stride + phase.pixel.0;
                            for j in 0..PANEL.min(blocks.1 - bx) {
                                let x = (bx + j) * stride + phase.pixel.1;
                                if y < h && x < w {
                                    for (channel, dx) in
                                        dx[(y * w + x) * c..][..c].iter_mut().enumerate()
                                    {
                                        *dx = tile.0[channel * WIDE + line * PANEL + j];
                                    }
                                }
                            }
                        }
                    }
                }
            }
        };
        let zeros = vec![T::ZERO; h * w * c];
        // SAFETY: the images hold every element, and each begins as zeros.
        unsafe {
            filled(images * h * w * c, |out| {
                for_each(images, |image| {
                    // SAFETY: each task writes its own image.
                    let dx = out.slice(image * h * w * c, h * w * c);
                    work(image, dx.write_copy_of_slice(&zeros));
                });
            })
        }
    }

    /// How far before and behind its own output a block sees.
    fn reach(&self, along: impl Fn(&(isize, isize)) -> isize) -> (usize, usize) {
        let seen = || {
            self.phases
                .iter()
                .flat_map(|phase| &phase.outputs)
                .map(&along)
        };
        let before = seen().map(|r| -r).max().unwrap_or(0).max(0);
        let behind = seen().max().unwrap_or(0).max(0);
        (before as usize, behind as usize)
    }
}
