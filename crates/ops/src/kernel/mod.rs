//! The microkernels of all products, written once and compiled for each instruction set.
//!
//! * `tile`: up to `MR` output rows times 16 or 32 output columns. A pointer locates a row of the left operand, and the row is read as a
//!   list of contiguous *runs*. So a convolution needs no im2col: the runs of an output pixel cover its receptive field (see `plan`).
//! * `patch`: a sum of rows, each times a number; most numbers are 0.
//! * `outer`: the weight gradient, a sum of outer products over rows.
//!
//! A tile is finished in registers: see `Epilogue`. Pooling, batch statistics and optimisers are plain Rust; `vectorised` compiles them for
//! each instruction set.
//!
//! **Bit-stability.** Every element of a result is a sum of chains of fused multiply-adds. Their order and their ends depend only on the
//! element's receptive field: not on the other rows of its tile, the number of rows, the thread or the width of a vector register. A fused
//! multiply-add rounds once and equally everywhere, so AVX-512, AVX2 and the portable path agree bit for bit.

mod compiled;
mod epilogue;
mod isa;
mod registers;
mod relu;
mod vector;

pub(crate) use epilogue::{Epilogue, Noted};
pub(crate) use isa::vectorised;
pub(crate) use relu::{masked_by, relu_of};
pub(crate) use vector::{Element, Real};

pub use isa::{Isa, UnknownIsa};

/// Columns of a packed panel of the right operand.
pub(crate) const PANEL: usize = 16;
/// The widest result tile: two panels.
pub(crate) const WIDE: usize = 2 * PANEL;
/// The largest number of rows of any kernel.
pub(crate) const MAX_ROWS: usize = 12;

/// A contiguous part of the reduction: `len` elements at `a` past the row's pointer, times rows `b..b + len` of the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub a: isize,
    pub b: usize,
    pub len: usize,
    /// Whether a chain of sums ends here. The next run then starts another chain.
    pub end: bool,
}

/// The largest number of products in a chain. The sums of chains are added at their ends. A longer chain would have a larger rounding
/// error than a blocked matrix product.
pub(crate) const CHAIN: usize = 128;

impl Run {
    /// Cuts runs so that no chain is longer than [`CHAIN`]. The cuts depend only on the runs' lengths.
    pub fn chained(runs: &[Self]) -> Vec<Self> {
        let (mut out, mut left) = (Vec::with_capacity(runs.len()), CHAIN);
        for &run in runs {
            let mut rest = run;
            while rest.len > 0 {
                let len = rest.len.min(left);
                left -= len;
                out.push(Self {
                    len,
                    end: left == 0,
                    ..rest
                });
                rest.a += len as isize;
                rest.b += len;
                rest.len -= len;
                if left == 0 {
                    left = CHAIN;
                }
            }
        }
        // The last chain needs no mark.
        if let Some(last) = out.last_mut() {
            last.end = false;
        }
        out
    }
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

/// The epilogue and the destination of a tile of sums: an [`Epilogue`] as pointers to the tile's first column.
pub(crate) struct Finish<'a, T> {
    pub bias: Option<*const T>,
    pub negatives: Option<Negatives<'a, T>>,
    pub scale: Option<*const T>,
    pub shift: Option<*const T>,
    pub residual: Option<*const T>,
    pub relu: bool,
    pub mask: Option<*const T>,
    pub out: *mut T,
    /// The offset of each row, in elements past `out`, `residual` and `mask`.
    pub to: &'a [usize],
}

impl<'a, T> Finish<'a, T> {
    /// Writes the plain sums into `tile`.
    pub fn plain(tile: &'a mut Tile<T>) -> Self {
        const ROWS: [usize; MAX_ROWS] = {
            let mut rows = [0; MAX_ROWS];
            let mut r = 0;
            while r < MAX_ROWS {
                rows[r] = r * WIDE;
                r += 1;
            }
            rows
        };
        Self {
            bias: None,
            negatives: None,
            scale: None,
            shift: None,
            residual: None,
            relu: false,
            mask: None,
            out: tile.0.as_mut_ptr(),
            to: &ROWS,
        }
    }
}

/// Where a tile records the negative part of its sums, see [`Noted`]: pointers to the panel of the tile's first column.
#[derive(Clone, Copy)]
pub(crate) struct Negatives<'a, T> {
    pub sums: *mut T,
    pub signs: *mut u16,
    /// The offset of each row, in panels past both.
    pub to: &'a [usize],
}

type TileFn<T> = unsafe fn(&[*const T], &[Run], *const T, usize, &Finish<'_, T>);
type PatchFn<T> = unsafe fn(&[T], *const T, usize, *mut T);
type OuterFn<T> = unsafe fn(*const T, usize, &[RowPair], *const T, &mut Tile<T>);

/// The kernels of one element type on one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Kernels<T: 'static> {
    /// Rows of a full tile.
    pub rows: usize,
    /// Columns of a full tile: `PANEL` or `WIDE`.
    pub cols: usize,
    tile: [TileFn<T>; 2],
    patch: PatchFn<T>,
    outer: [OuterFn<T>; 2],
}

impl<T: Element> Kernels<T> {
    /// `sum over runs and i < len of rows[r][run.a + i] * b[run.b + i][j]`, for `panels` (1 or 2) panels that lie `panel_stride`
    /// elements apart, finished and written to row `r`, column `j`.
    ///
    /// # Safety
    /// `1 <= rows.len() <= self.rows`, and `finish.to` is as long; `panels * PANEL <= self.cols`; each
    /// `rows[r] + run.a ..+ run.len` is readable, and so is `b[(run.b + i) * PANEL ..+ PANEL]` for each panel; `panels * PANEL` elements
    /// are readable at `finish.bias`, `scale` and `shift`, and at each `to` past `residual` and `mask`, and writable past `out`; `panels` are
    /// writable at each of its own `to` past what `negatives` points to.
    ///
    /// # Panics
    /// If the number of rows or panels is out of range.
    #[inline]
    pub unsafe fn tile(
        &self,
        rows: &[*const T],
        runs: &[Run],
        b: *const T,
        panels: usize,
        panel_stride: usize,
        finish: &Finish<'_, T>,
    ) {
        assert!((1..=self.rows).contains(&rows.len()) && panels * PANEL <= self.cols);
        assert_eq!(rows.len(), finish.to.len());
        // SAFETY: passed on from the caller.
        unsafe { self.tile[panels - 1](rows, runs, b, panel_stride, finish) }
    }

    /// `out[j] = sum over c of x[c] * rows[c][j]` for `j < panels * PANEL`, in the order of `c`. Zeros in `x` take no time.
    ///
    /// # Safety
    /// `rows` has one readable row of `panels * PANEL` elements for each element of `x`.
    ///
    /// # Panics
    /// If `out` does not have the length of a row.
    #[inline]
    pub unsafe fn patch(&self, x: &[T], rows: *const T, panels: usize, out: &mut [T]) {
        assert_eq!(out.len(), panels * PANEL, "the result is as long as a row");
        // SAFETY: passed on from the caller.
        unsafe { (self.patch)(x, rows, panels, out.as_mut_ptr()) }
    }

    /// `out[i][j] = sum over pairs of x[pair.x + i] * dy[pair.dy + j]` for `i < count` and `panels * PANEL` columns.
    ///
    /// # Safety
    /// `1 <= count <= self.rows`; `panels * PANEL <= self.cols`; each `x + pair.x ..+ count` and
    /// `dy + pair.dy ..+ panels * PANEL` is readable.
    ///
    /// # Panics
    /// If `count` or `panels` is out of range.
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
        assert!((1..=self.rows).contains(&count) && panels * PANEL <= self.cols);
        // SAFETY: passed on from the caller.
        unsafe { self.outer[panels - 1](x, count, pairs, dy, out) }
    }
}
