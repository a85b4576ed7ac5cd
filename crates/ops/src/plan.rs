//! The geometry of a convolution: which taps of the kernel touch which output position.
//!
//! Output positions with the same taps, at the same relative places, form a *class*: the interior of the map, its edges, its corners. The
//! gradient of a strided convolution also has one class per phase. Within a class, every row of the product reads the same list of
//! [`Run`]s. So taps on padding are never computed, and rows of many images share a tile. On the 1x1 maps at the end of a ResNet, a 3x3
//! kernel has one tap of nine.

use crate::kernel::Run;

/// The geometry of a 2-D convolution or pooling window: square stride and padding, no dilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Kernel height and width.
    pub kernel: (usize, usize),
    /// Step between output positions.
    pub stride: usize,
    /// Zero padding on each side.
    pub padding: usize,
}

impl Window {
    /// A square window.
    pub const fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: (kernel, kernel),
            stride,
            padding,
        }
    }

    /// Output height and width for an input of `(h, w)`; `None` if the padded input is smaller than the kernel, or there is no stride.
    pub fn output(&self, (h, w): (usize, usize)) -> Option<(usize, usize)> {
        let along = |n: usize, k: usize| {
            let steps = (n + 2 * self.padding).checked_sub(k)?;
            Some(steps.checked_div(self.stride)? + 1)
        };
        Some((along(h, self.kernel.0)?, along(w, self.kernel.1)?))
    }

    /// The taps `(k, i)` of output coordinate `o`, without padding: kernel index and input coordinate, ascending.
    pub(crate) fn taps(&self, o: usize, kernel: usize, input: usize) -> Vec<(usize, usize)> {
        (0..kernel)
            .filter_map(|k| Some((k, (o * self.stride + k).checked_sub(self.padding)?)))
            .filter(|&(_, i)| i < input)
            .collect()
    }

    /// The transposed taps `(k, o)` of input coordinate `i`: every output that reads `i`, and its kernel index, counted from the kernel's
    /// end so that both ascend.
    fn transposed_taps(&self, i: usize, kernel: usize, output: usize) -> Vec<(usize, usize)> {
        (0..kernel)
            .rev()
            .filter_map(|k| {
                let at = (i + self.padding).checked_sub(k)?;
                (at % self.stride == 0 && at / self.stride < output)
                    .then_some((kernel - 1 - k, at / self.stride))
            })
            .collect()
    }
}

/// The offsets where one output position reads and writes, in elements from the image's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub a: isize,
    pub out: usize,
}

/// Output positions that share a list of runs.
#[derive(Debug)]
pub(crate) struct Class {
    pub runs: Vec<Run>,
    /// The runs of a row whose runs were copied one behind the other.
    pub copied: Vec<Run>,
    pub positions: Vec<Position>,
}

/// One direction of a convolution for one map size: `out[position] = sum over runs of a[position + run] * panel[run]`.
#[derive(Debug)]
pub(crate) struct Plan {
    pub classes: Vec<Class>,
    /// Elements of one image of the left operand and of the result.
    pub image: (usize, usize),
    /// Rows and columns of the right operand: taps times input channels, and output channels.
    pub right: (usize, usize),
}

impl Plan {
    /// The convolution of `(h, w, channels.0)` maps to `channels.1` channels.
    pub fn forward(window: Window, map: (usize, usize), channels: (usize, usize)) -> Option<Self> {
        let out = window.output(map)?;
        Some(Self::product(
            window.kernel,
            (map, channels.0),
            (out, channels.1),
            axis(out.0, |o| window.taps(o, window.kernel.0, map.0)),
            axis(out.1, |o| window.taps(o, window.kernel.1, map.1)),
        ))
    }

    /// The gradient of the same convolution with respect to its input: from `channels.1` back to `channels.0`. The kernel
    /// is indexed from its end, see [`Window::transposed_taps`].
    pub fn backward(window: Window, map: (usize, usize), channels: (usize, usize)) -> Option<Self> {
        let out = window.output(map)?;
        Some(Self::product(
            window.kernel,
            (out, channels.1),
            (map, channels.0),
            axis(map.0, |i| window.transposed_taps(i, window.kernel.0, out.0)),
            axis(map.1, |i| window.transposed_taps(i, window.kernel.1, out.1)),
        ))
    }

    /// Which of the `taps` taps, of `channels` channels each, any position reads: one of nine on the 1x1 maps at the end of a ResNet.
    pub fn used(&self, taps: usize, channels: usize) -> Vec<bool> {
        let mut used = vec![false; taps];
        for run in self.classes.iter().flat_map(|class| &class.runs) {
            used[run.b / channels..(run.b + run.len).div_ceil(channels)].fill(true);
        }
        used
    }

    fn product(
        kernel: (usize, usize),
        (from, from_channels): ((usize, usize), usize),
        (to, to_channels): ((usize, usize), usize),
        rows: Vec<AxisClass>,
        columns: Vec<AxisClass>,
    ) -> Self {
        let mut classes = Vec::with_capacity(rows.len() * columns.len());
        for row in &rows {
            for column in &columns {
                let mut runs: Vec<Run> = Vec::new();
                for &(ky, dy) in &row.taps {
                    for &(kx, dx) in &column.taps {
                        let run = Run {
                            a: (dy * from.1 as isize + dx) * from_channels as isize,
                            b: (ky * kernel.1 + kx) * from_channels,
                            len: from_channels,
                            end: false,
                        };
                        push(&mut runs, run);
                    }
                }
                let positions = row
                    .members
                    .iter()
                    .flat_map(|&(y, iy)| {
                        column.members.iter().map(move |&(x, ix)| Position {
                            a: ((iy * from.1 + ix) * from_channels) as isize,
                            out: (y * to.1 + x) * to_channels,
                        })
                    })
                    .collect();
                let (mut copied, mut end) = (Vec::new(), 0);
                for run in &runs {
                    push(&mut copied, Run { a: end, ..*run });
                    end += run.len as isize;
                }
                classes.push(Class {
                    runs: Run::chained(&runs),
                    copied: Run::chained(&copied),
                    positions,
                });
            }
        }
        Self {
            classes,
            image: (from.0 * from.1 * from_channels, to.0 * to.1 * to_channels),
            right: (kernel.0 * kernel.1 * from_channels, to_channels),
        }
    }
}

/// Adds a run, or extends the last run if the new one continues it.
fn push(runs: &mut Vec<Run>, run: Run) {
    match runs.last_mut() {
        Some(last) if last.a + last.len as isize == run.a && last.b + last.len == run.b => {
            last.len += run.len;
        }
        _ => runs.push(run),
    }
}

/// Coordinates along one axis that share their taps.
struct AxisClass {
    /// Kernel index, and input coordinate relative to the first tap's.
    taps: Vec<(usize, isize)>,
    /// Output coordinate, and its first tap's input coordinate.
    members: Vec<(usize, usize)>,
}

fn axis(outputs: usize, taps: impl Fn(usize) -> Vec<(usize, usize)>) -> Vec<AxisClass> {
    let mut classes: Vec<AxisClass> = Vec::new();
    for o in 0..outputs {
        let absolute = taps(o);
        let first = absolute.first().map_or(0, |&(_, i)| i);
        let relative: Vec<_> = absolute
            .iter()
            .map(|&(k, i)| (k, i as isize - first as isize))
            .collect();
        match classes.iter_mut().find(|class| class.taps == relative) {
            Some(class) => class.members.push((o, first)),
            None => classes.push(AxisClass {
                taps: relative,
                members: vec![(o, first)],
            }),
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_taps_are_left_out() {
        // A 3x3 kernel on a 1x1 map touches one tap of nine.
        let plan = Plan::forward(Window::square(3, 1, 1), (1, 1), (5, 7)).unwrap();
        assert_eq!(plan.classes.len(), 1);
        assert_eq!(
            plan.classes[0].runs,
            [Run {
                a: 0,
                b: 4 * 5,
                len: 5,
                end: false
            }]
        );
    }

    #[test]
    fn interior_taps_of_one_kernel_row_are_one_run() {
        let plan = Plan::forward(Window::square(3, 1, 1), (8, 8), (4, 4)).unwrap();
        assert_eq!(plan.classes.len(), 9);
        let interior = plan
            .classes
            .iter()
            .max_by_key(|class| class.positions.len())
            .unwrap();
        assert_eq!(interior.positions.len(), 36);
        assert_eq!(
            interior.runs.iter().map(|run| run.len).collect::<Vec<_>>(),
            [12, 12, 12]
        );
    }

    #[test]
    fn a_window_without_stride_has_no_output() {
        assert_eq!(Window::square(3, 0, 1).output((8, 8)), None);
        assert_eq!(Window::square(3, 2, 1).output((8, 8)), Some((4, 4)));
    }

    #[test]
    fn every_output_position_is_in_one_class() {
        for (window, map) in [
            (Window::square(7, 2, 3), (17, 23)),
            (Window::square(1, 2, 0), (7, 5)),
            (Window::square(5, 3, 2), (11, 7)),
        ] {
            for (plan, n) in [
                (Plan::forward(window, map, (1, 1)).unwrap(), {
                    let o = window.output(map).unwrap();
                    o.0 * o.1
                }),
                (Plan::backward(window, map, (1, 1)).unwrap(), map.0 * map.1),
            ] {
                let mut out: Vec<_> = plan
                    .classes
                    .iter()
                    .flat_map(|c| c.positions.iter().map(|p| p.out))
                    .collect();
                out.sort_unstable();
                assert_eq!(out, (0..n).collect::<Vec<_>>());
            }
        }
    }
}
