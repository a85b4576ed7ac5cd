//! Sharing work out to rayon's current pool. No result depends on how.

use crate::kernel::vectorised;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Runs `work(0..tasks)` on the current pool; on one thread without it. A `work` that is `#[inline(always)]` is compiled for the
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

/// A new vector of `len` elements, which `write` fills without their having been zeroed first.
///
/// # Safety
/// `write` initialises every element.
pub(crate) unsafe fn filled<T>(
    len: usize,
    write: impl FnOnce(&Shared<'_, MaybeUninit<T>>),
) -> Vec<T> {
    let mut out = Vec::with_capacity(len);
    write(&Shared::new(&mut out.spare_capacity_mut()[..len]));
    // SAFETY: `len` elements were reserved, and the caller says that all are initialised.
    unsafe { out.set_len(len) };
    out
}

/// A result that tasks write in disjoint stretches.
pub(crate) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: `slice` and `pointer` are the only ways in, and their callers keep what different threads write disjoint.
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

    /// Fetches the cache line of an element that will be written.
    #[inline(always)]
    pub fn prefetch(&self, at: usize) {
        debug_assert!(at < self.len);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_ET0>(self.data.wrapping_add(at).cast());
        }
    }

    /// Where an element is.
    pub fn pointer(&self, at: usize) -> *mut T {
        debug_assert!(at <= self.len);
        self.data.wrapping_add(at)
    }

    /// Elements `start .. start + len`.
    ///
    /// # Safety
    /// No other stretch that overlaps this one is alive.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &mut [T] {
        assert!(
            start + len <= self.len,
            "{start} + {len} is past the end, {}",
            self.len
        );
        // SAFETY: inside the data, which is borrowed for `'a`; the caller keeps stretches apart.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(start), len) }
    }
}

/// Fetches the cache line of an element that will be read.
#[inline(always)]
pub(crate) fn prefetch<T>(element: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(element).cast());
    }
}
