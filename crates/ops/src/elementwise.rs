//! Passes over whole maps in parallel chunks: element by element, or row by row of channels; and sums over all rows.

use crate::kernel::Element;
use crate::parallel::{Shared, filled, for_each};

/// Elements per task.
pub(crate) const CHUNK: usize = 1 << 14;

/// Applies `f` to each pair of elements.
pub(crate) fn zip<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    chunks(
        a,
        [b],
        1,
        #[inline(always)]
        |_, y, [b]| {
            for (y, &b) in y.iter_mut().zip(b) {
                *y = f(*y, b);
            }
        },
    )
}

/// Maps rows of `channels` elements. `f` turns a copy of a row of `x` into the row of the result; it also gets the same rows of `others`.
pub(crate) fn rows<T: Element, const N: usize>(
    x: &[T],
    others: [&[T]; N],
    channels: usize,
    f: impl Fn(&mut [T], [&[T]; N]) + Sync,
) -> Vec<T> {
    chunks(
        x,
        others,
        channels,
        #[inline(always)]
        |_, y, others| {
            for (i, y) in y.chunks_exact_mut(channels).enumerate() {
                f(
                    y,
                    others.map(|other| &other[i * channels..(i + 1) * channels]),
                );
            }
        },
    )
}

/// Elements per step of a task, so that a copy and its result fit the first-level cache.
const SLICE: usize = 1 << 11;

/// `f` turns a copy of each chunk of `x` into the chunk of the result. It also gets the chunk's start. Chunks hold whole groups of
/// `group` elements.
pub(crate) fn chunks<T: Element, const N: usize>(
    x: &[T],
    others: [&[T]; N],
    group: usize,
    f: impl Fn(usize, &mut [T], [&[T]; N]) + Sync,
) -> Vec<T> {
    for other in others {
        assert_eq!(x.len(), other.len(), "all have the result's shape");
    }
    let groups = |elements: usize| (elements / group).max(1) * group;
    let (step, slice) = (groups(CHUNK), groups(SLICE));
    // SAFETY: the chunks hold every element, and each begins as a copy.
    unsafe {
        filled(x.len(), |out| {
            for_each(
                x.len().div_ceil(step),
                #[inline(always)]
                |task| {
                    let end = ((task + 1) * step).min(x.len());
                    for start in (task * step..end).step_by(slice) {
                        let range = start..end.min(start + slice);
                        // SAFETY: each task writes its own chunks.
                        let out = out.slice(start, range.len());
                        f(
                            start,
                            out.write_copy_of_slice(&x[range.clone()]),
                            others.map(|other| &other[range.clone()]),
                        );
                    }
                },
            );
        })
    }
}

/// Elements of a sum in the element type, and the number of sums side by side.
const STRETCH: usize = 256;
const LANES: usize = 16;

/// The sum of `f` over the elements of each of `parts` equal parts. The order does not depend on the number of threads.
pub(crate) fn sums<T: Element>(x: &[T], parts: usize, f: impl Fn(T) -> T + Sync) -> Vec<f64> {
    let len = x.len() / parts.max(1);
    let mut all = vec![0.0; parts];
    let shared = Shared::new(&mut all);
    for_each(
        parts,
        #[inline(always)]
        |part| {
            // Short stretches in the element type vectorise. Their sums are added in f64.
            let stretch = |stretch: &[T]| {
                let mut lanes = [T::ZERO; LANES];
                for part in stretch.chunks(LANES) {
                    for (lane, &x) in lanes.iter_mut().zip(part) {
                        *lane += f(x);
                    }
                }
                lanes.iter().map(|lane| lane.wide()).sum::<f64>()
            };
            let stretches = x[part * len..(part + 1) * len].chunks(STRETCH);
            // SAFETY: each task writes its own sum.
            let sum = unsafe { shared.slice(part, 1) };
            sum[0] = stretches.map(stretch).sum();
        },
    );
    all
}

/// Rows summed by one task; fixed, so that a sum does not depend on the number of threads.
const BLOCK: usize = 512;

/// Rows summed in `T`; a longer sum is in f64. A gradient that is the same all over a map would else gather a rounding error
/// of one sign, which the convolution before a normalisation sums up over all its inputs.
const RUN: usize = 16;

/// `S` sums per channel over all rows of `maps`, which `add` adds a row at a time. All slices that `add` gets are `channels` long.
pub(crate) fn column_sums<T: Element, const N: usize, const S: usize>(
    maps: [&[T]; N],
    channels: usize,
    add: impl Fn([&[T]; N], [&mut [T]; S]) + Sync,
) -> [Vec<f64>; S] {
    let len = maps.first().map_or(0, |map| map.len());
    let step = BLOCK * channels;
    let blocks = len.div_ceil(step);
    let mut partial = vec![0.0; blocks * S * channels];
    let shared = Shared::new(&mut partial);
    for_each(
        blocks,
        #[inline(always)]
        |task| {
            let end = ((task + 1) * step).min(len);
            // SAFETY: each task writes its own sums.
            let block = unsafe { shared.slice(task * S * channels, S * channels) };
            let mut run: [Vec<T>; S] = std::array::from_fn(|_| vec![T::ZERO; channels]);
            for start in (task * step..end).step_by(RUN * channels) {
                run.iter_mut().for_each(|sums| sums.fill(T::ZERO));
                for row in (start..end.min(start + RUN * channels)).step_by(channels) {
                    add(
                        maps.map(|map| &map[row..row + channels]),
                        run.each_mut().map(|sums| &mut sums[..channels]),
                    );
                }
                for (sum, &part) in block.iter_mut().zip(run.iter().flatten()) {
                    *sum += part.wide();
                }
            }
        },
    );
    let mut sums = std::array::from_fn(|_| vec![0.0; channels]);
    for block in partial.chunks_exact(S * channels) {
        for (sum, part) in sums.iter_mut().zip(block.chunks_exact(channels)) {
            for (s, &p) in sum.iter_mut().zip(part) {
                *s += p;
            }
        }
    }
    sums
}
