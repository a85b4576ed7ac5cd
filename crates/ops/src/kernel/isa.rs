//! Instruction sets: the available ones, the one in use, and code compiled for it.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// An instruction set that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Isa {
    /// Plain Rust with a fused multiply-add. It runs everywhere, and is fast if the target has such an instruction (aarch64).
    Portable = 1,
    /// x86-64 with AVX2 and FMA.
    Avx2 = 2,
    /// x86-64 with AVX-512 (F, VL, BW, DQ: Skylake-SP and all later processors with AVX-512).
    Avx512 = 3,
}

static IN_USE: AtomicU8 = AtomicU8::new(0);

impl Isa {
    /// All instruction sets, the slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Whether this processor supports it.
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

    /// The instruction set in use: the best available one, unless [`Isa::force`] chose another.
    pub fn current() -> Self {
        match IN_USE.load(Ordering::Relaxed) {
            1 => Self::Portable,
            2 => Self::Avx2,
            3 => Self::Avx512,
            _ => Self::choose(),
        }
    }

    /// Uses the best available instruction set, unless another was forced meanwhile.
    #[cold]
    fn choose() -> Self {
        let best = Self::ALL.into_iter().rev().find(|isa| isa.is_available());
        let best = best.unwrap_or(Self::Portable) as u8;
        let _ = IN_USE.compare_exchange(0, best, Ordering::Relaxed, Ordering::Relaxed);
        Self::current()
    }

    /// Makes the whole process use this instruction set; results keep their bits. Returns `false` without an effect if it is not available.
    pub fn force(self) -> bool {
        let available = self.is_available();
        if available {
            IN_USE.store(self as u8, Ordering::Relaxed);
        }
        available
    }
}

/// No instruction set has that name.
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

    fn from_str(name: &str) -> Result<Self, UnknownIsa> {
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

/// Runs `f` compiled for the instruction set in use. Inlined loops use its vectors. The arithmetic is the same, and so are the bits.
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
            // SAFETY: the processor supports the instruction set in use.
            Isa::Avx512 => unsafe { avx512(f) },
            // SAFETY: as above.
            Isa::Avx2 => unsafe { avx2(f) },
            Isa::Portable => f(),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    f()
}
