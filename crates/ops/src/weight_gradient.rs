//! The gradient of a convolution with respect to its weights: a sum of outer products over the rows of the forward product.

use crate::kernel::{Element, Isa, PANEL, RowPair, Tile, WIDE};
use crate::parallel::{Shared, for_each};
use crate::plan::Plan;

/// The gradient of a planned product with respect to its right operand, as `(depth, columns)` row major.
///
/// `a` is the left operand and `dy` the gradient of the result, both over all images. The sum over rows runs class by class and image by
/// image; its order does not depend on the number of threads.
pub(crate) fn planned_weight_gradient<T: Element>(
    plan: &Plan,
    images: usize,
    a: &[T],
    dy: &[T],
) -> Vec<T> {
    let (depth, columns) = plan.right;
    assert_eq!(
        a.len(),
        images * plan.image.0,
        "the left operand has the plan's shape"
    );
    assert_eq!(
        dy.len(),
        images * plan.image.1,
        "the gradient has the plan's shape"
    );
    let kernels = T::kernels(Isa::current());
    // The kernels load whole panels, so a gradient with another number of channels is padded once.
    let padded = columns.next_multiple_of(PANEL);
    let widened: Vec<T>;
    let dy = if padded == columns {
        dy
    } else {
        let mut wide = vec![T::ZERO; dy.len() / columns * padded];
        for (to, from) in wide.chunks_exact_mut(padded).zip(dy.chunks_exact(columns)) {
            to[..columns].copy_from_slice(from);
        }
        widened = wide;
        &widened
    };
    let mut out = vec![T::ZERO; depth * columns];
    let shared = Shared::new(&mut out);
    let groups = padded.div_ceil(kernels.cols);
    let slabs = (8 * rayon::current_num_threads())
        .div_ceil(groups)
        .clamp(1, depth.div_ceil(kernels.rows));
    let slab = depth.div_ceil(slabs).next_multiple_of(kernels.rows);

    for_each(groups * depth.div_ceil(slab), |task| {
        let (group, at) = (task % groups, task / groups);
        let column = group * kernels.cols;
        let panels = kernels.cols.min(padded - column).div_ceil(PANEL);
        let width = kernels.cols.min(columns - column);
        let ks = at * slab..((at + 1) * slab).min(depth);
        let mut pairs = Vec::with_capacity(ROW_BLOCK);
        let mut result = Tile::new();
        for class in &plan.classes {
            let rows = images * class.positions.len();
            for block in (0..rows).step_by(ROW_BLOCK) {
                pairs.clear();
                pairs.extend((block..rows.min(block + ROW_BLOCK)).map(|row| {
                    let position = class.positions[row % class.positions.len()];
                    let image = row / class.positions.len();
                    RowPair {
                        x: (image * plan.image.0) as isize + position.a,
                        dy: (image * plan.image.1 + position.out) / columns * padded + column,
                    }
                }));
                for run in &class.runs {
                    let (from, to) = (run.b.max(ks.start), (run.b + run.len).min(ks.end));
                    let mut k = from;
                    while k < to {
                        let count = kernels.rows.min(to - k);
                        let x = a.as_ptr().wrapping_offset(run.a).wrapping_add(k - run.b);
                        // SAFETY: as in `one_tile` for `a`; `dy` has the plan's columns, widened to whole panels, for each of its positions.
                        unsafe {
                            kernels.outer(x, count, &pairs, dy.as_ptr(), panels, &mut result);
                        };
                        for i in 0..count {
                            // SAFETY: tasks have disjoint slabs or columns.
                            let row = unsafe { shared.slice((k + i) * columns + column, width) };
                            for (sum, &x) in row.iter_mut().zip(&result.0[i * WIDE..]) {
                                *sum += x;
                            }
                        }
                        k += count;
                    }
                }
            }
        }
    });
    out
}

/// Rows per block. The cache lines of their inputs and gradients stay in the first-level cache between calls of the kernel.
const ROW_BLOCK: usize = 128;

/// Converts a weight gradient (kh, kw, c, o) to the weight's layout, (o, c, kh, kw). Taps that are not `used` have no gradient.
pub(crate) fn unpack<T: Element>(dw: &[T], o: usize, c: usize, used: &[bool]) -> Vec<T> {
    let taps = used.len();
    let mut out = vec![T::ZERO; dw.len()];
    let shared = Shared::new(&mut out);
    for_each(
        o.div_ceil(PANEL),
        #[inline(always)]
        |block| {
            let first = block * PANEL;
            let width = PANEL.min(o - first);
            // SAFETY: each task writes the weights of its own output channels.
            let out = unsafe { shared.slice(first * c * taps, width * c * taps) };
            for i in 0..c {
                for tap in (0..taps).filter(|&tap| used[tap]) {
                    let from = &dw[(tap * c + i) * o + first..][..width];
                    for (n, &g) in from.iter().enumerate() {
                        out[(n * c + i) * taps + tap] = g;
                    }
                }
            }
        },
    );
    out
}
