//! The microkernels' bodies, generic over a vector type; [`super::compiled`] compiles them for each instruction set.

use super::{Finish, Isa, Kernels, Negatives, PANEL, RowPair, Run, Tile, WIDE};
use crate::frozen::{Frozen, Unit};
use candle_core::{CpuStorage, Result, WithDType};
use std::sync::Arc;

/// An element type of the operations: `f32` for work, `f64` for gradient checks.
pub(crate) trait Element: WithDType + Real {
    /// The kernels of this type for an instruction set.
    fn kernels(isa: Isa) -> Kernels<Self>;

    /// A unit of this type, as one of either.
    fn frozen(unit: Arc<Unit<Self>>) -> Frozen;

    /// The elements of a storage of this type.
    fn elements_mut(storage: &mut CpuStorage) -> Result<&mut [Self]>;
}

/// The functions of real numbers that the operations need.
pub(crate) trait Real: Copy {
    /// Zero.
    const ZERO: Self;
    /// The smallest positive normal number. Smaller numbers are subnormal and slow.
    const LEAST: Self;
    /// Fused multiply-add, rounded once: `self * a + b`.
    fn fma(self, a: Self, b: Self) -> Self;
    /// Square root.
    fn root(self) -> Self;
    /// Zero if it is closer to zero than `least`.
    fn flushed(self, least: Self) -> Self;
    /// Conversion from `f64`, rounded to nearest.
    fn of(x: f64) -> Self;
    /// Conversion to `f64`, exact.
    fn wide(self) -> f64;
}

macro_rules! real {
    ($t:ty) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const LEAST: Self = Self::MIN_POSITIVE;
            #[inline(always)]
            fn fma(self, a: Self, b: Self) -> Self {
                self.mul_add(a, b)
            }
            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn flushed(self, least: Self) -> Self {
                if self.abs() < least { 0.0 } else { self }
            }
            #[inline(always)]
            fn of(x: f64) -> Self {
                x as Self
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }
        }
    };
}
real!(f32);
real!(f64);

/// `LANES` elements in one register (or, on the portable path, in one array).
pub(crate) trait Vector: Copy {
    type T: Element;
    const LANES: usize;

    fn zero() -> Self;
    /// # Safety
    /// `p` is readable, and the processor supports the instruction set of `Self`.
    unsafe fn splat(p: *const Self::T) -> Self;
    /// # Safety
    /// `p ..+ LANES` is readable, and the processor supports the instruction set of `Self`.
    unsafe fn load(p: *const Self::T) -> Self;
    /// # Safety
    /// `p ..+ LANES` is writable, and the processor supports the instruction set of `Self`.
    unsafe fn store(self, p: *mut Self::T);
    /// `self * b + c`, rounded once.
    ///
    /// # Safety
    /// The processor supports the instruction set of `Self`.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// # Safety
    /// The processor supports the instruction set of `Self`.
    unsafe fn add(self, b: Self) -> Self;
    /// # Safety
    /// The processor supports the instruction set of `Self`.
    unsafe fn sub(self, b: Self) -> Self;
    /// # Safety
    /// The processor supports the instruction set of `Self`.
    unsafe fn mul(self, b: Self) -> Self;
    /// One bit per lane, the first lowest, set if the lane is less than 0.
    ///
    /// # Safety
    /// The processor supports the instruction set of `Self`.
    unsafe fn signs(self) -> u16;
    /// One bit per lane, the first lowest, set if the lane is not 0, or NaN.
    ///
    /// # Safety
    /// The processor supports the instruction set of `Self`.
    unsafe fn nonzeros(self) -> u16;
    /// See [`relu_of`](super::relu_of).
    ///
    /// # Safety
    /// The processor supports the instruction set of `Self`.
    unsafe fn relu(self) -> Self;
    /// See [`masked_by`](super::masked_by).
    ///
    /// # Safety
    /// The processor supports the instruction set of `Self`.
    unsafe fn masked(self, y: Self) -> Self;
}

/// The offset of vector `v` of a tile's row within the packed right operand.
#[inline(always)]
const fn column<V: Vector>(v: usize, panel_stride: usize) -> usize {
    let j = v * V::LANES;
    j / PANEL * panel_stride + j % PANEL
}

/// # Safety
/// See [`Kernels::tile`]; here exactly `MR` rows and `NV` vectors of columns.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, const MR: usize, const NV: usize>(
    rows: &[*const V::T],
    runs: &[Run],
    b: *const V::T,
    panel_stride: usize,
    finish: &Finish<'_, V::T>,
) {
    let mut acc = [[V::zero(); NV]; MR];
    // The sum of the finished chains. It is on the stack, as the sums use all registers.
    let mut total = [[V::zero(); NV]; MR];
    let mut ended = false;
    let rows: &[*const V::T; MR] = rows
        .first_chunk()
        .expect("a tile has as many rows as its kernel");
    for run in runs {
        let a: [*const V::T; MR] = std::array::from_fn(|r| rows[r].wrapping_offset(run.a));
        let mut b = b.wrapping_add(run.b * PANEL);
        for i in 0..run.len {
            // SAFETY: the caller guarantees the run and the panel; the vectors lie inside the panels' rows.
            unsafe {
                let columns: [V; NV] =
                    std::array::from_fn(|v| V::load(b.wrapping_add(column::<V>(v, panel_stride))));
                for (sums, a) in acc.iter_mut().zip(&a) {
                    let x = V::splat(a.wrapping_add(i));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = x.fma(column, *sum);
                    }
                }
            }
            b = b.wrapping_add(PANEL);
        }
        if run.end {
            // SAFETY: the processor supports the instruction set.
            unsafe { add(&mut total, &acc, ended) };
            acc = [[V::zero(); NV]; MR];
            ended = true;
        }
    }
    if ended {
        // SAFETY: the processor supports the instruction set.
        unsafe { add(&mut acc, &total, true) };
    }
    // SAFETY: the caller guarantees what `finish` points to.
    unsafe { finished(acc, finish) };
}

/// Adds `part` to `sums`, or replaces `sums` if no sum has begun.
///
/// # Safety
/// The processor supports the instruction set of `V`.
#[inline(always)]
#[allow(clippy::needless_range_loop)]
unsafe fn add<V: Vector, const MR: usize, const NV: usize>(
    sums: &mut [[V; NV]; MR],
    part: &[[V; NV]; MR],
    begun: bool,
) {
    for r in 0..MR {
        for v in 0..NV {
            // SAFETY: the caller's.
            let sum = unsafe { sums[r][v].add(part[r][v]) };
            sums[r][v] = if begun { sum } else { part[r][v] };
        }
    }
}

/// The epilogue while the sums are in registers, with the arithmetic of [`Epilogue`](super::Epilogue).
///
/// # Safety
/// See [`Kernels::tile`].
#[inline(always)]
#[allow(clippy::needless_range_loop)]
unsafe fn finished<V: Vector, const MR: usize, const NV: usize>(
    mut acc: [[V; NV]; MR],
    finish: &Finish<'_, V::T>,
) {
    // Loops of constant length over constant indices keep the sums in registers. Rows past the last are ignored.
    // SAFETY: the caller guarantees `NV` vectors at each place, and for the rows that `to` has.
    unsafe {
        if let Some(bias) = finish.bias {
            for v in 0..NV {
                let bias = V::load(bias.add(v * V::LANES));
                for row in &mut acc {
                    row[v] = row[v].add(bias);
                }
            }
        }
        if let Some(negatives) = &finish.negatives {
            note(&acc, negatives);
        }
        if let Some(scale) = finish.scale {
            for v in 0..NV {
                let scale = V::load(scale.add(v * V::LANES));
                for row in &mut acc {
                    row[v] = row[v].mul(scale);
                }
            }
        }
        if let Some(shift) = finish.shift {
            for v in 0..NV {
                let shift = V::load(shift.add(v * V::LANES));
                for row in &mut acc {
                    row[v] = row[v].add(shift);
                }
            }
        }
        let to: [usize; MR] = std::array::from_fn(|r| finish.to[r.min(finish.to.len() - 1)]);
        if let Some(residual) = finish.residual {
            for r in 0..MR {
                for v in 0..NV {
                    acc[r][v] = acc[r][v].add(V::load(residual.add(to[r] + v * V::LANES)));
                }
            }
        }
        if finish.relu {
            for row in &mut acc {
                for v in 0..NV {
                    row[v] = row[v].relu();
                }
            }
        }
        if let Some(mask) = finish.mask {
            for r in 0..MR {
                for v in 0..NV {
                    acc[r][v] = acc[r][v].masked(V::load(mask.add(to[r] + v * V::LANES)));
                }
            }
        }
        // A repeated row gets the bits of the row that it repeats.
        for r in 0..MR {
            for v in 0..NV {
                acc[r][v].store(finish.out.add(to[r] + v * V::LANES));
            }
        }
    }
}

/// As [`Noted::note`](super::Noted::note), in the same order of sums.
///
/// # Safety
/// See [`Kernels::tile`].
#[inline(always)]
#[allow(clippy::needless_range_loop)]
unsafe fn note<V: Vector, const MR: usize, const NV: usize>(
    acc: &[[V; NV]; MR],
    negatives: &Negatives<'_, V::T>,
) {
    let vectors = PANEL / V::LANES;
    for r in 0..MR {
        let to = negatives.to[r.min(negatives.to.len() - 1)];
        for panel in 0..NV / vectors {
            let (mut lanes, mut signs) = ([V::T::ZERO; PANEL], 0);
            for v in 0..vectors {
                // SAFETY: the processor supports the instruction set; a panel has as many lanes as its vectors together.
                unsafe {
                    let a = acc[r][panel * vectors + v];
                    signs |= a.signs() << (v * V::LANES);
                    let part = V::zero().sub(a).relu();
                    part.store(lanes.as_mut_ptr().add(v * V::LANES));
                }
            }
            // SAFETY: the caller guarantees the panels.
            unsafe {
                *negatives.sums.add(to + panel) = halved(&mut lanes);
                *negatives.signs.add(to + panel) = signs;
            }
        }
    }
}

/// The sum of a panel's elements: the upper half is added to the lower until one element is left.
#[inline(always)]
pub(super) fn halved<T: Element>(lanes: &mut [T; PANEL]) -> T {
    let mut half = PANEL / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// # Safety
/// See [`Kernels::patch`]; here exactly `NV` vectors of columns, the first at `rows` and `out`, with `stride` elements to a row.
#[inline(always)]
pub(super) unsafe fn patch<V: Vector, const NV: usize>(
    x: &[V::T],
    rows: *const V::T,
    stride: usize,
    out: *mut V::T,
) {
    let mut acc = [V::zero(); NV];
    for (at, lanes) in x.chunks(V::LANES).enumerate() {
        let mut left = if lanes.len() == V::LANES {
            // SAFETY: there are as many elements as lanes, and the processor supports the instruction set.
            unsafe { V::load(lanes.as_ptr()).nonzeros() }
        } else {
            let bit = |(i, x): (usize, &V::T)| u16::from(*x != V::T::ZERO) << i;
            lanes.iter().enumerate().map(bit).sum()
        };
        while left != 0 {
            let i = left.trailing_zeros() as usize;
            left &= left - 1;
            let row = rows.wrapping_add((at * V::LANES + i) * stride);
            // SAFETY: bits are set for elements only; the caller guarantees the rows.
            unsafe {
                let x = V::splat(lanes.as_ptr().add(i));
                for (v, sum) in acc.iter_mut().enumerate() {
                    *sum = x.fma(V::load(row.add(v * V::LANES)), *sum);
                }
            }
        }
    }
    for (v, sum) in acc.into_iter().enumerate() {
        // SAFETY: the caller guarantees `NV` vectors.
        unsafe { sum.store(out.add(v * V::LANES)) };
    }
}

/// # Safety
/// See [`Kernels::outer`]; here exactly `MR` elements of `x` and `NV` vectors of columns, written from
/// row `first` of the tile, where `first + MR <= MAX_ROWS`.
#[inline(always)]
pub(super) unsafe fn outer<V: Vector, const MR: usize, const NV: usize>(
    x: *const V::T,
    pairs: &[RowPair],
    dy: *const V::T,
    out: &mut Tile<V::T>,
    first: usize,
) {
    let mut acc = [[V::zero(); NV]; MR];
    for pair in pairs {
        let x = x.wrapping_offset(pair.x);
        let dy = dy.wrapping_add(pair.dy);
        // SAFETY: the caller guarantees `MR` elements of `x` and `NV` vectors of `dy`.
        unsafe {
            let columns: [V; NV] = std::array::from_fn(|v| V::load(dy.wrapping_add(v * V::LANES)));
            for (r, sums) in acc.iter_mut().enumerate() {
                let x = V::splat(x.wrapping_add(r));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = x.fma(column, *sum);
                }
            }
        }
    }
    write(&acc, out, first);
}

#[inline(always)]
fn write<V: Vector, const MR: usize, const NV: usize>(
    acc: &[[V; NV]; MR],
    out: &mut Tile<V::T>,
    first: usize,
) {
    const { assert!(MR <= super::MAX_ROWS && NV * V::LANES <= WIDE) };
    assert!(first + MR <= super::MAX_ROWS);
    for (r, row) in acc.iter().enumerate() {
        for (v, lanes) in row.iter().enumerate() {
            // SAFETY: row `first + r` and column `v * LANES` lie inside the tile, as asserted.
            unsafe { lanes.store(out.0.as_mut_ptr().add((first + r) * WIDE + v * V::LANES)) }
        }
    }
}
