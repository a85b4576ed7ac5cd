//! Instruction sets: which are there, which one is used, and the kernels compiled for each.

use super::vector::{self, Element, Vector};
use super::{Finish, Kernels, PANEL, RowPair, Run, Tile};
use crate::activation::{masked_by, relu_of};
use candle_core::{CpuStorage, Result, bail};
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// An instruction set that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Isa {
    /// Plain Rust with a fused multiply-add: runs everywhere; fast where the target has one (aarch64).
    Portable = 1,
    /// x86-64 with AVX2 and FMA.
    Avx2 = 2,
    /// x86-64 with AVX-512 (F, VL, BW, DQ: Skylake-SP and every processor with AVX-512 since).
    Avx512 = 3,
}

static IN_USE: AtomicU8 = AtomicU8::new(0);

impl Isa {
    /// All of them, the slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The one in use: the best available, unless [`Isa::force`] chose another.
    pub fn current() -> Self {
        match IN_USE.load(Ordering::Relaxed) {
            1 => Self::Portable,
            2 => Self::Avx2,
            3 => Self::Avx512,
            _ => Self::choose(),
        }
    }

    /// Takes the best available into use, unless another has been forced meanwhile.
    #[cold]
    fn choose() -> Self {
        let best = Self::ALL.into_iter().rev().find(|isa| isa.is_available());
        let best = best.unwrap_or(Self::Portable) as u8;
        let _ = IN_USE.compare_exchange(0, best, Ordering::Relaxed, Ordering::Relaxed);
        Self::current()
    }

    /// Makes the whole process use this instruction set; results keep their bits. False, and nothing done, if it is not
    /// available.
    pub fn force(self) -> bool {
        let available = self.is_available();
        if available {
            IN_USE.store(self as u8, Ordering::Relaxed);
        }
        available
    }
}

/// There is no instruction set of that name.
#[derive(Clone, Debug)]
pub struct UnknownIsa(String);

impl fmt::Display for UnknownIsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Isa::ALL.map(|isa| isa.to_string()).join(", ");
        write!(f, "unknown instruction set `{}`; there are {names}", self.0)
    }
}

impl std::error::Error for UnknownIsa {}

impl std::str::FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(name: &str) -> std::result::Result<Self, UnknownIsa> {
        Self::ALL
            .into_iter()
            .find(|isa| isa.to_string() == name)
            .ok_or_else(|| UnknownIsa(name.into()))
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

/// Runs `f` compiled for the instruction set in use: loops in what is inlined into it become that set's vectors. The arithmetic is the
/// same, so are the bits.
#[inline(always)]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn avx2<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512bw,avx512dq")]
        fn avx512<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        match Isa::current() {
            // SAFETY: the instruction set in use is there.
            Isa::Avx512 => unsafe { avx512(f) },
            // SAFETY: as above.
            Isa::Avx2 => unsafe { avx2(f) },
            Isa::Portable => f(),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    f()
}

/// Sixteen elements in an array: one panel's width, which compilers turn into whatever vectors there are.
#[derive(Clone, Copy)]
struct Lanes<T>([T; PANEL]);

impl<T: Element> Vector for Lanes<T> {
    type T = T;
    const LANES: usize = PANEL;

    #[inline(always)]
    fn zero() -> Self {
        Self([T::ZERO; PANEL])
    }
    #[inline(always)]
    unsafe fn splat(p: *const T) -> Self {
        // SAFETY: the caller's.
        Self([unsafe { *p }; PANEL])
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> Self {
        // SAFETY: the caller's; an array has its element's alignment.
        Self(unsafe { *p.cast() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut T) {
        // SAFETY: the caller's.
        unsafe { *p.cast() = self.0 }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].fma(b.0[i], c.0[i])))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + b.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - b.0[i]))
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * b.0[i]))
    }
    #[inline(always)]
    unsafe fn signs(self) -> u16 {
        let bit = |i: usize| u16::from(self.0[i] < T::ZERO) << i;
        (0..PANEL).map(bit).fold(0, |all, bit| all | bit)
    }
    #[inline(always)]
    unsafe fn nonzeros(self) -> u16 {
        let bit = |i: usize| u16::from(self.0[i] != T::ZERO) << i;
        (0..PANEL).map(bit).fold(0, |all, bit| all | bit)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Self(self.0.map(relu_of))
    }
    #[inline(always)]
    unsafe fn masked(self, y: Self) -> Self {
        Self(std::array::from_fn(|i| masked_by(self.0[i], y.0[i])))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    macro_rules! vector {
        ($register:ty, $t:ty, $lanes:expr, $set1:ident, $load:ident, $store:ident, $fma:ident, $add:ident,
         $sub:ident, $mul:ident, $relu:expr, $masked:expr, $signs:expr, $nonzeros:expr) => {
            impl Vector for $register {
                type T = $t;
                const LANES: usize = $lanes;

                #[inline(always)]
                fn zero() -> Self {
                    // SAFETY: a vector register's bits may all be zero.
                    unsafe { std::mem::zeroed() }
                }
                #[inline(always)]
                unsafe fn splat(p: *const $t) -> Self {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $set1(*p) }
                }
                #[inline(always)]
                unsafe fn load(p: *const $t) -> Self {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $load(p) }
                }
                #[inline(always)]
                unsafe fn store(self, p: *mut $t) {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $store(p, self) }
                }
                #[inline(always)]
                unsafe fn fma(self, b: Self, c: Self) -> Self {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $fma(self, b, c) }
                }
                #[inline(always)]
                unsafe fn add(self, b: Self) -> Self {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $add(self, b) }
                }
                #[inline(always)]
                unsafe fn sub(self, b: Self) -> Self {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $sub(self, b) }
                }
                #[inline(always)]
                unsafe fn signs(self) -> u16 {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $signs(self, Self::zero()) as u16 }
                }
                #[inline(always)]
                unsafe fn nonzeros(self) -> u16 {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $nonzeros(self, Self::zero()) as u16 }
                }
                #[inline(always)]
                unsafe fn mul(self, b: Self) -> Self {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $mul(self, b) }
                }
                #[inline(always)]
                unsafe fn relu(self) -> Self {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $relu(self, Self::zero()) }
                }
                #[inline(always)]
                unsafe fn masked(self, y: Self) -> Self {
                    // SAFETY: the caller's; loads and stores may be unaligned.
                    unsafe { $masked(self, y, Self::zero()) }
                }
            }
        };
    }

    // Not less or equal, NaN included; greater, NaN excluded: as `relu_of` and `masked_by`.
    macro_rules! avx512 {
        ($register:ty, $t:ty, $lanes:expr, $set1:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $sub:ident, $mul:ident, $cmp:ident, $keep:ident) => {
            vector!(
                $register,
                $t,
                $lanes,
                $set1,
                $load,
                $store,
                $fma,
                $add,
                $sub,
                $mul,
                |x, zero| $keep($cmp::<_CMP_NLE_UQ>(x, zero), x),
                |x, y, zero| $keep($cmp::<_CMP_GT_OQ>(y, zero), x),
                |x, zero| $cmp::<_CMP_LT_OQ>(x, zero),
                |x, zero| $cmp::<_CMP_NEQ_UQ>(x, zero)
            );
        };
    }
    macro_rules! avx2 {
        ($register:ty, $t:ty, $lanes:expr, $set1:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $sub:ident, $mul:ident, $cmp:ident, $and:ident, $bits:ident) => {
            vector!(
                $register,
                $t,
                $lanes,
                $set1,
                $load,
                $store,
                $fma,
                $add,
                $sub,
                $mul,
                |x, zero| $and($cmp::<_CMP_NLE_UQ>(x, zero), x),
                |x, y, zero| $and($cmp::<_CMP_GT_OQ>(y, zero), x),
                |x, zero| $bits($cmp::<_CMP_LT_OQ>(x, zero)),
                |x, zero| $bits($cmp::<_CMP_NEQ_UQ>(x, zero))
            );
        };
    }
    avx512!(
        __m512,
        f32,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_cmp_ps_mask,
        _mm512_maskz_mov_ps
    );
    avx2!(
        __m256,
        f32,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_cmp_ps,
        _mm256_and_ps,
        _mm256_movemask_ps
    );
    avx512!(
        __m512d,
        f64,
        8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd,
        _mm512_cmp_pd_mask,
        _mm512_maskz_mov_pd
    );
    avx2!(
        __m256d,
        f64,
        4,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        _mm256_cmp_pd,
        _mm256_and_pd,
        _mm256_movemask_pd
    );
}

/// Compiles the kernels for one vector type. A remainder of a tile takes the smallest of `sizes` that holds it; its rows past
/// the end repeat the last one and are ignored. `full` leaves room for more sums in vector registers: with twelve rows their pointers and the
/// loop's counters just fit the general registers, with fourteen each step loads some of them again.
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
                // Greedy from the back: the remainder by powers of two, then full tiles, each against its own stretch of `x`.
                // SAFETY: the caller's; the stretches are disjoint and end at `count`.
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

    fn elements_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F64(data) => Ok(data),
            _ => bail!("expected f64 elements"),
        }
    }
}
