//! Passes over whole maps, shared out in chunks: element by element, or row by row of channels.

use crate::kernel::Element;
use crate::parallel::{Shared, filled, for_each};
use std::mem::MaybeUninit;

/// Elements a task works on at a time.
pub(crate) const CHUNK: usize = 1 << 14;

/// `f` of each element.
pub(crate) fn map<T: Element>(x: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    chunks(x, [], CHUNK, |y, []| {
        for y in y {
            *y = f(*y);
        }
    })
}

/// `f` of each pair of elements.
pub(crate) fn zip<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    chunks(a, [b], CHUNK, |y, [b]| {
        for (y, &b) in y.iter_mut().zip(b) {
            *y = f(*y, b);
        }
    })
}

/// Maps rows of `channels` elements: `f` turns a copy of the row of `x` into the row of the result, with the same rows of `others` at
/// hand.
pub(crate) fn rows<T: Element, const N: usize>(
    x: &[T],
    others: [&[T]; N],
    channels: usize,
    f: impl Fn(&mut [T], [&[T]; N]) + Sync,
) -> Vec<T> {
    let step = (CHUNK / channels).max(1) * channels;
    chunks(x, others, step, |y, others| {
        for (i, y) in y.chunks_exact_mut(channels).enumerate() {
            f(
                y,
                others.map(|other| &other[i * channels..(i + 1) * channels]),
            );
        }
    })
}

/// `f` turns a copy of each chunk of `x` into the chunk of the result.
fn chunks<T: Element, const N: usize>(
    x: &[T],
    others: [&[T]; N],
    step: usize,
    f: impl Fn(&mut [T], [&[T]; N]) + Sync,
) -> Vec<T> {
    for other in others {
        assert_eq!(x.len(), other.len(), "all have the result's shape");
    }
    let work = |task: usize, out: &Shared<'_, MaybeUninit<T>>| {
        let (start, end) = (task * step, ((task + 1) * step).min(x.len()));
        // SAFETY: each task writes its own chunk.
        let out = unsafe { out.slice(start, end - start) };
        f(
            out.write_copy_of_slice(&x[start..end]),
            others.map(|other| &other[start..end]),
        );
    };
    // SAFETY: the chunks hold every element, and each begins as a copy.
    unsafe {
        filled(x.len(), |out| {
            for_each(x.len().div_ceil(step), |task| work(task, out));
        })
    }
}
