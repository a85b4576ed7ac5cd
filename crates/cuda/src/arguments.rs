//! From sizes to the arguments of kernels.

use crate::kernels::*;
use brink_ops::Window as Geometry;
use brink_ops::trace::Map;

/// Blocks of one element a thread.
pub(crate) fn blocks(elements: usize) -> (usize, usize) {
    (elements.div_ceil(THREADS as usize), 1)
}

/// Bytes of an element.
pub(crate) fn size_of_element(wide: bool) -> usize {
    if wide { 8 } else { 4 }
}

/// A size as a kernel's number. Sizes of one image fit, see `Table`, and parts of a batch are cut so that rows fit.
pub(crate) fn int(size: usize) -> i32 {
    i32::try_from(size).expect("sizes of a part fit 32 bits")
}

/// Bytes of a map's element.
pub(crate) fn width(map: &Map) -> usize {
    size_of_element(map.wide)
}

/// The numbers of a window's kernels.
pub(crate) fn window(images: usize, x: &Map, y: &Map, geometry: Geometry) -> Window {
    let ((h, w, c), (oh, ow, o)) = (x.sizes(), y.sizes());
    Window {
        images: int(images),
        h: int(h),
        w: int(w),
        c: int(c),
        oh: int(oh),
        ow: int(ow),
        o: int(o),
        kh: int(geometry.kernel.0),
        kw: int(geometry.kernel.1),
        stride: int(geometry.stride),
        padding: int(geometry.padding),
    }
}

/// The numbers of an average pooling's kernels.
pub(crate) fn average(images: usize, x: &Map, y: &Map) -> AveragePool {
    let ((h, w, c), (oh, ow, _)) = (x.sizes(), y.sizes());
    AveragePool {
        images: int(images),
        h: int(h),
        w: int(w),
        c: int(c),
        oh: int(oh),
        ow: int(ow),
        ..AveragePool::default()
    }
}

/// The arguments of a shortcut, or of its gradient.
pub(crate) fn shortcut(
    images: usize,
    x: &Map,
    y: &Map,
    (stride, before): (usize, usize),
    (from, to): (u64, u64),
) -> Shortcut {
    let ((h, w, c), (oh, ow, wide)) = (x.sizes(), y.sizes());
    Shortcut {
        from,
        to,
        images: int(images),
        h: int(h),
        w: int(w),
        c: int(c),
        oh: int(oh),
        ow: int(ow),
        wide: int(wide),
        before: int(before),
        stride: int(stride),
    }
}
