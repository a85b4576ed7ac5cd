//! The two microkernels that do all the multiplying, written once and compiled for each instruction set.
//!
//! * `tile`: up to `MR` output rows times 16 or 32 output columns. A row of the left operand is found through a
//!   pointer, and is read as a list of contiguous *runs*, so a convolution needs no im2col: the runs of an output pixel are
//!   the stretches of its receptive field (see `plan`).
//! * `outer`: the weight gradient, a sum of outer products over rows.
//!
//! What is not a product (epilogues, pooling, batch statistics) is plain Rust, compiled for each instruction set by the same dispatch.
//!
//! **Bit-stability.** Every element of a result is one chain of fused multiply-adds in an order that depends on the
//! element's own receptive field alone: never on the other rows of its tile, the number of rows, the thread, or the
//! width of a vector register. A fused multiply-add rounds once and the same everywhere, so AVX-512, AVX2 and the
//! portable path agree bit for bit.

mod epilogue;
mod isa;
mod vector;

pub(crate) use epilogue::Epilogue;
pub(crate) use isa::vectorised;

pub use isa::Isa;
pub use vector::{Element, Real};

/// Columns of a packed panel of the right operand.
pub(crate) const PANEL: usize = 16;
/// The widest result tile: two panels.
pub(crate) const WIDE: usize = 2 * PANEL;
/// The most rows any kernel takes at a time.
pub(crate) const MAX_ROWS: usize = 14;

/// A contiguous stretch of the reduction: `len` elements at `a` past the row's pointer, against rows `b..b + len` of the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub a: isize,
    pub b: usize,
    pub len: usize,
}

/// One pair of rows of an outer-product sum: element offsets into the left and the right operand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowPair {
    pub x: isize,
    pub dy: usize,
}

/// A result tile: row `r`, column `j` at `r * WIDE + j`.
#[repr(align(64))]
pub(crate) struct Tile<T>(pub [T; MAX_ROWS * WIDE]);

impl<T: Element> Tile<T> {
    pub fn new() -> Self {
        Self([T::ZERO; MAX_ROWS * WIDE])
    }
}

type TileFn<T> = unsafe fn(&[*const T], &[Run], *const T, usize, &mut Tile<T>);
type OuterFn<T> = unsafe fn(*const T, usize, &[RowPair], *const T, &mut Tile<T>);

/// The kernels of one element type on one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Kernels<T: 'static> {
    /// Rows of a full tile.
    pub rows: usize,
    /// Columns of a full tile: `PANEL` or `WIDE`.
    pub cols: usize,
    tile: [TileFn<T>; 2],
    outer: [OuterFn<T>; 2],
}

impl<T: Element> Kernels<T> {
    /// `tile[r][j] = sum over runs and i < len of rows[r][run.a + i] * b[run.b + i][j]`, for `panels` (1 or 2) panels
    /// that lie `panel_stride` elements apart.
    ///
    /// # Safety
    /// `1 <= rows.len() <= self.rows`; `panels * PANEL <= self.cols`; each `rows[r] + run.a ..+ run.len` is readable, and
    /// so is `b[(run.b + i) * PANEL ..+ PANEL]` for each panel.
    #[inline]
    pub unsafe fn tile(
        &self,
        rows: &[*const T],
        runs: &[Run],
        b: *const T,
        panels: usize,
        panel_stride: usize,
        out: &mut Tile<T>,
    ) {
        debug_assert!((1..=self.rows).contains(&rows.len()) && panels * PANEL <= self.cols);
        // SAFETY: passed on from the caller.
        unsafe { self.tile[panels - 1](rows, runs, b, panel_stride, out) }
    }

    /// `out[i][j] = sum over pairs of x[pair.x + i] * dy[pair.dy + j]` for `i < count` and `panels * PANEL` columns.
    ///
    /// # Safety
    /// `1 <= count <= self.rows`; `panels * PANEL <= self.cols`; each `x + pair.x ..+ count` and
    /// `dy + pair.dy ..+ panels * PANEL` is readable.
    #[inline]
    pub unsafe fn outer(
        &self,
        x: *const T,
        count: usize,
        pairs: &[RowPair],
        dy: *const T,
        panels: usize,
        out: &mut Tile<T>,
    ) {
        debug_assert!((1..=self.rows).contains(&count) && panels * PANEL <= self.cols);
        // SAFETY: passed on from the caller.
        unsafe { self.outer[panels - 1](x, count, pairs, dy, out) }
    }
}
