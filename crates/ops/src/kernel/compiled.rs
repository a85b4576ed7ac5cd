//! The kernels compiled for each instruction set and element type.

use super::registers::Lanes;
use super::vector::{self, Element, Vector};
use super::{Finish, Isa, Kernels, PANEL, RowPair, Run, Tile};
use crate::frozen::{Frozen, Unit};
use candle_core::{CpuStorage, Result, bail};
use std::sync::Arc;

/// Compiles the kernels for one vector type.
///
/// The remainder of a tile uses the smallest sufficient size of `sizes`; rows past its end repeat the last row and are ignored. `full` does
/// not use all vector registers: with twelve rows, the pointers and counters just fit the general registers. With fourteen, each step would
/// load some of them again.
macro_rules! kernels {
    ($name:ident, $(#[$feature:meta])? $v:ty, sizes [$($size:literal),*] full $full:literal, vectors [$($nv:literal),*], patch [$($panels:literal),*]) => {
        mod $name {
            use super::*;
            type T = <$v as Vector>::T;

            $(#[$feature])?
            unsafe fn tile<const NV: usize>(rows: &[*const T], runs: &[Run], b: *const T, stride: usize, finish: &Finish<'_, T>) {
                let last = rows[rows.len() - 1];
                let padded: [*const T; $full] = std::array::from_fn(|r| rows.get(r).copied().unwrap_or(last));
                // SAFETY: the caller's; a repeated row is as readable as the row it repeats.
                unsafe {
                    $(if rows.len() <= $size {
                        return vector::tile::<$v, $size, NV>(&padded, runs, b, stride, finish);
                    })*
                    vector::tile::<$v, $full, NV>(&padded, runs, b, stride, finish);
                }
            }

            $(#[$feature])?
            unsafe fn patch(x: &[T], rows: *const T, panels: usize, out: *mut T) {
                const VECTORS: usize = PANEL / <$v as Vector>::LANES;
                let mut at = 0;
                // Greedy: as many panels at a time as there are registers for their sums.
                // SAFETY: the caller's; `at` never passes the last panel.
                unsafe {
                    $(while panels - at >= $panels {
                        vector::patch::<$v, { $panels * VECTORS }>(x, rows.add(at * PANEL), panels * PANEL, out.add(at * PANEL));
                        at += $panels;
                    })*
                }
            }

            $(#[$feature])?
            unsafe fn outer<const NV: usize>(x: *const T, count: usize, pairs: &[RowPair], dy: *const T, out: &mut Tile<T>) {
                let mut left = count;
                // Greedy from the back: the remainder by powers of two, then full tiles, each with its own part of `x`.
                // SAFETY: the caller's; the parts are disjoint and end at `count`.
                unsafe {
                    $(if left % $full & $size != 0 {
                        left -= $size;
                        vector::outer::<$v, $size, NV>(x.wrapping_add(left), pairs, dy, out, left);
                    })*
                    while left > 0 {
                        left -= $full;
                        vector::outer::<$v, $full, NV>(x.wrapping_add(left), pairs, dy, out, left);
                    }
                }
            }

            pub(super) fn kernels() -> Kernels<T> {
                const VECTORS: &[usize] = &[$($nv),*];
                const ONE: usize = VECTORS[0];
                const MOST: usize = VECTORS[VECTORS.len() - 1];
                Kernels {
                    rows: $full,
                    cols: VECTORS.len() * PANEL,
                    tile: [tile::<ONE>, tile::<MOST>],
                    patch,
                    outer: [outer::<ONE>, outer::<MOST>],
                }
            }
        }
    };
}

kernels!(portable_f32, Lanes<f32>, sizes [1, 2] full 4, vectors [1], patch [2, 1]);
kernels!(portable_f64, Lanes<f64>, sizes [1, 2] full 4, vectors [1], patch [2, 1]);
#[cfg(target_arch = "x86_64")]
kernels!(avx2_f32, #[target_feature(enable = "avx2,fma")] std::arch::x86_64::__m256, sizes [1, 2, 4] full 6, vectors [2], patch [5, 2, 1]);
#[cfg(target_arch = "x86_64")]
kernels!(avx2_f64, #[target_feature(enable = "avx2,fma")] std::arch::x86_64::__m256d, sizes [1, 2] full 3, vectors [4], patch [2, 1]);
#[cfg(target_arch = "x86_64")]
kernels!(avx512_f32, #[target_feature(enable = "avx512f")] std::arch::x86_64::__m512, sizes [1, 2, 4, 8] full 12, vectors [1, 2], patch [10, 5, 2, 1]);
#[cfg(target_arch = "x86_64")]
kernels!(avx512_f64, #[target_feature(enable = "avx512f")] std::arch::x86_64::__m512d, sizes [1, 2, 4, 8] full 12, vectors [2], patch [5, 2, 1]);

impl Element for f32 {
    fn kernels(isa: Isa) -> Kernels<Self> {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512_f32::kernels(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2_f32::kernels(),
            _ => portable_f32::kernels(),
        }
    }

    fn frozen(unit: Arc<Unit<Self>>) -> Frozen {
        Frozen::F32(unit)
    }

    fn elements_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F32(data) => Ok(data),
            _ => bail!("expected f32 elements"),
        }
    }
}

impl Element for f64 {
    fn kernels(isa: Isa) -> Kernels<Self> {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512_f64::kernels(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2_f64::kernels(),
            _ => portable_f64::kernels(),
        }
    }

    fn frozen(unit: Arc<Unit<Self>>) -> Frozen {
        Frozen::F64(unit)
    }

    fn elements_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F64(data) => Ok(data),
            _ => bail!("expected f64 elements"),
        }
    }
}
