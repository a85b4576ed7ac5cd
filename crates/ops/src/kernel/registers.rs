//! The vector types of the kernels: one per instruction set and element type.

use super::relu::{masked_by, relu_of};
use super::vector::Vector;
use super::{Element, PANEL};

/// Sixteen elements in an array, the width of a panel. The compiler uses the target's vectors.
#[derive(Clone, Copy)]
pub(super) struct Lanes<T>([T; PANEL]);

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

    // Not less or equal, with NaN; greater, without NaN: as in `relu_of` and `masked_by`.
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
