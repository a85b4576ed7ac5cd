//! Distribution of work over rayon's current pool. No result depends on the distribution.

use crate::kernel::vectorised;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Runs `work(0..tasks)` on the current pool, or directly if there is one thread. `work` must be `#[inline(always)]` to be compiled for the
/// instruction set in use.
pub(crate) fn for_each(tasks: usize, work: impl Fn(usize) + Sync) {
    let work = |task| {
        vectorised(
            #[inline(always)]
            || work(task),
        );
    };
    if tasks <= 1 || rayon::current_num_threads() == 1 {
        (0..tasks).for_each(work);
    } else {
        (0..tasks).into_par_iter().with_max_len(1).for_each(work);
    }
}

/// A new vector of `len` elements. `write` fills them; they are not zeroed first.
///
/// # Safety
/// `write` initialises every element.
pub(crate) unsafe fn filled<T>(
    len: usize,
    write: impl FnOnce(&Shared<'_, MaybeUninit<T>>),
) -> Vec<T> {
    let mut out = Vec::with_capacity(len);
    write(&Shared::new(&mut out.spare_capacity_mut()[..len]));
    // SAFETY: `len` elements are reserved, and the caller guarantees that all are initialised.
    unsafe { out.set_len(len) };
    out
}

/// A result that tasks write in disjoint ranges.
pub(crate) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: only `slice` and `pointer` give access, and their callers keep the ranges of different threads disjoint.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub fn new(data: &'a mut [T]) -> Self {
        Self {
            data: data.as_mut_ptr(),
            len: data.len(),
            owner: PhantomData,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Prefetches the cache line of an element that will be written.
    #[inline(always)]
    pub fn prefetch(&self, at: usize) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch has no effect on memory and accepts any address.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_ET0>(self.data.wrapping_add(at).cast());
        }
    }

    /// The address of an element, or of the end.
    ///
    /// # Panics
    /// If `at` is past the end.
    pub fn pointer(&self, at: usize) -> *mut T {
        assert!(at <= self.len, "{at} is past the end, {}", self.len);
        self.data.wrapping_add(at)
    }

    /// Elements `start .. start + len`.
    ///
    /// # Safety
    /// No other live slice overlaps this one.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &mut [T] {
        assert!(
            start + len <= self.len,
            "{start} + {len} is past the end, {}",
            self.len
        );
        // SAFETY: the range is inside the data, which is borrowed for `'a`; the caller keeps ranges disjoint.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(start), len) }
    }
}

/// Prefetches the cache line of an element that will be read.
#[inline(always)]
pub(crate) fn prefetch<T>(element: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch has no effect on memory and accepts any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(element).cast());
    }
}
