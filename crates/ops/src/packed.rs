//! Right operands of products, packed into the panels that the microkernels read.

use crate::kernel::{Element, PANEL};
use crate::parallel::{Shared, for_each};

/// A right operand, packed as panels of [`PANEL`] columns: element `(k, n)` at `(n / PANEL * depth + k) * PANEL + n % PANEL`.
/// Missing columns of the last panel are zero.
#[derive(Debug)]
pub(crate) struct Packed<T> {
    pub data: Vec<T>,
    pub depth: usize,
    pub columns: usize,
}

impl<T: Element> Packed<T> {
    /// Packs the matrix with element `at(tap, c, n)` at `(tap * channels + c, n)`. Taps that are not `used` stay zero.
    pub fn new(
        (taps, channels): (usize, usize),
        columns: usize,
        used: &[bool],
        at: impl Fn(usize, usize, usize) -> T + Sync,
    ) -> Self {
        let depth = taps * channels;
        let panels = columns.div_ceil(PANEL);
        let mut data = vec![T::ZERO; panels * depth * PANEL];
        let out = Shared::new(&mut data);
        for_each(
            panels,
            #[inline(always)]
            |panel| {
                // SAFETY: each task writes its own panel.
                let panel_data = unsafe { out.slice(panel * depth * PANEL, depth * PANEL) };
                let width = PANEL.min(columns - panel * PANEL);
                // Taps are the inner loop, as in torchvision's layout, so that reads stay in the first-level cache.
                for c in 0..channels {
                    for tap in (0..taps).filter(|&tap| used[tap]) {
                        let row = (tap * channels + c) * PANEL;
                        for (j, x) in panel_data[row..row + width].iter_mut().enumerate() {
                            *x = at(tap, c, panel * PANEL + j);
                        }
                    }
                }
            },
        );
        Self {
            data,
            depth,
            columns,
        }
    }
}

/// Packs the `used` taps of `weight (o, c, kh, kw)` for the forward product: depth (kh, kw, c), columns o.
pub(crate) fn pack_forward<T: Element>(
    weight: &[T],
    o: usize,
    c: usize,
    used: &[bool],
) -> Packed<T> {
    let taps = used.len();
    Packed::new((taps, c), o, used, |tap, i, n| {
        weight[(n * c + i) * taps + tap]
    })
}
