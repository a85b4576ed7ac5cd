//! The kernels and their arguments, as `kernels/*.cuh` declare them.

use std::ffi::CStr;
use std::marker::PhantomData;

/// The kernels, compiled by `scripts/cuda/compile`. The driver compiles them further for its GPU.
pub(crate) fn ptx() -> &'static CStr {
    const PTX: &str = concat!(include_str!("../ptx/kernels.ptx"), "\0");
    CStr::from_bytes_with_nul(PTX.as_bytes()).expect("a text has no zero byte")
}

/// Threads of a block of the kernels that make one element a thread.
pub(crate) const THREADS: u32 = 256;

/// A kernel that takes `A`.
pub(crate) struct Kernel<A> {
    pub name: &'static str,
    /// Threads of a block.
    pub threads: u32,
    arguments: PhantomData<fn(A)>,
}

/// A structure of C: plain numbers and addresses of the device.
///
/// # Safety
/// The type is `repr(C)` and has the fields of the kernels' structure of the same name.
pub(crate) unsafe trait Arguments: Copy {}

macro_rules! arguments {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default)]
            #[repr(C)]
            pub(crate) struct $name { $(pub $field: $type),* }

            // SAFETY: the fields are those of the C++ structure, in their order. The tests compare the sizes.
            unsafe impl Arguments for $name {}
        )*
    };
}

arguments! {
    /// See `product.cuh`.
    Product {
        a: u64, b: u64, bias: u64, scale: u64, shift: u64, residual: u64, mask: u64, before: u64, out: u64,
        classes: u64, places: u64, steps: u64,
        images: i32, a_image: i32, o_image: i32, columns: i32, depth: i32, relu: i32,
    }
    /// See `windows.cuh`.
    Window {
        images: i32, h: i32, w: i32, c: i32, oh: i32, ow: i32, o: i32, kh: i32, kw: i32, stride: i32, padding: i32,
    }
    /// See `windows.cuh`.
    Patches { dy: u64, weights: u64, dx: u64, window: Window }
    /// See `windows.cuh`.
    Depthwise { from: u64, weights: u64, to: u64, window: Window }
    /// See `windows.cuh`.
    MaxPool { x: u64, y: u64, dy: u64, so_far: u64, out: u64, window: Window, masked: i32 }
    /// See `windows.cuh`.
    AveragePool {
        x: u64, dy: u64, so_far: u64, out: u64,
        images: i32, h: i32, w: i32, c: i32, oh: i32, ow: i32, masked: i32,
    }
    /// See `maps.cuh`.
    Pair { a: u64, b: u64, out: u64, count: i64 }
    /// See `maps.cuh`.
    Channels { x: u64, first: u64, second: u64, residual: u64, out: u64, count: i64, channels: i32, relu: i32 }
    /// See `maps.cuh`.
    Cast { x: u64, out: u64, count: i64 }
    /// See `maps.cuh`.
    Transpose { x: u64, out: u64, count: i64, rows: i32, columns: i32 }
    /// See `maps.cuh`.
    Shortcut {
        from: u64, to: u64,
        images: i32, h: i32, w: i32, c: i32, oh: i32, ow: i32, wide: i32, before: i32, stride: i32,
    }
    /// See `negative.cuh`.
    Note { x: u64, sums: u64, signs: u64, rows: i64, columns: i32, panels: i32 }
    /// See `negative.cuh`.
    Stretches { x: u64, sums: u64, image: i64, stretches: i64, images: i32, negative: i32 }
    /// See `negative.cuh`.
    Term { sums: u64, out: u64, stretches: i64, share: f64, wide: i32 }
    /// See `negative.cuh`.
    Join {
        grad: u64, scale: u64, weights: u64, signs: u64, out: u64,
        share: f64, count: i64, image: i64, columns: i32, panels: i32,
    }
    /// See `negative.cuh`.
    NegativeBack { x: u64, so_far: u64, weights: u64, out: u64, share: f64, count: i64, image: i64, masked: i32 }
    /// See `weights.cuh`.
    Pack {
        weight: u64, packed: u64, count: i64,
        depth: i32, channels: i32, columns: i32, width: i32, taps: i32, of_column: i32, of_channel: i32, reversed: i32,
    }
    /// See `weights.cuh`.
    Fold { from: u64, to: u64, count: i64, bh: i32, bw: i32, h: i32, w: i32 }
    /// See `outer.cuh`.
    Outer {
        a: u64, dy: u64, chains: u64, classes: u64, places: u64, offsets: u64,
        images: i32, a_image: i32, dy_image: i32, columns: i32, depth: i32, first: i32,
    }
    /// See `outer.cuh`.
    OuterSum {
        chains: u64, out: u64, classes: u64, offsets: u64,
        all: i32, images: i32, columns: i32, depth: i32, channels: i32, taps: i32, first: i32, end: i32,
    }
    /// See `columns.cuh`.
    Columns { x: u64, g: u64, mean: u64, blocks: u64, rows: i64, channels: i32 }
    /// See `columns.cuh`.
    DepthwiseColumns { x: u64, dy: u64, blocks: u64, window: Window }
    /// See `columns.cuh`.
    Totals { blocks: u64, out: u64, count: i64, channels: i32, taps: i32 }
    /// See `columns.cuh`.
    Statistics { blocks: u64, wide: u64, narrow: u64, count: i64, rows: i64, channels: i32 }
    /// See `columns.cuh`.
    Normalisation { gamma: u64, beta: u64, statistics: u64, vectors: u64, channels: i32, eps: f32 }
    /// See `columns.cuh`.
    NormalisationBack {
        blocks: u64, inverse: u64, gamma: u64, beta: u64, batch: u64, count: i64, rows: i64, channels: i32,
    }
    /// See `columns.cuh`.
    BatchNormBack { g: u64, x: u64, mean: u64, scale: u64, batch: u64, out: u64, count: i64, channels: i32 }
    /// See `update.cuh`.
    Sgd {
        weight: u64, velocity: u64, grad: u64, count: i64,
        lr: f32, momentum: f32, decay: f32, least: f32, decays: i32, first: i32, nesterov: i32,
    }
    /// See `update.cuh`.
    Adam {
        weight: u64, mean: u64, square: u64, grad: u64, count: i64,
        keep1: f32, keep2: f32, take1: f32, take2: f32, size: f32, root: f32, eps: f32, decay: f32, least: f32, faint: f32,
        decays: i32,
    }
}

macro_rules! kernels {
    ($($constant:ident = $name:literal($arguments:ty, $threads:expr);)*) => {
        $(pub(crate) const $constant: Kernel<$arguments> =
            Kernel { name: $name, threads: $threads, arguments: PhantomData };)*

        /// Each kernel's name and the bytes of its arguments.
        pub const ALL: &[(&str, usize)] = &[$(($name, size_of::<$arguments>())),*];
    };
}

kernels! {
    PRODUCT_F32_64_4 = "product_f32_64_4"(Product, 128);
    PRODUCT_F32_64_1 = "product_f32_64_1"(Product, 128);
    PRODUCT_F32_32_4 = "product_f32_32_4"(Product, 64);
    PRODUCT_F32_32_1 = "product_f32_32_1"(Product, 64);
    PRODUCT_F64_32_4 = "product_f64_32_4"(Product, 64);
    PRODUCT_F64_32_1 = "product_f64_32_1"(Product, 64);
    PATCHES = "patches"(Patches, THREADS);
    DEPTHWISE = "depthwise"(Depthwise, THREADS);
    DEPTHWISE_BACK = "depthwise_back"(Depthwise, THREADS);
    MAX_POOL = "max_pool"(MaxPool, THREADS);
    MAX_POOL_BACK = "max_pool_back"(MaxPool, THREADS);
    AVERAGE_POOL = "average_pool"(AveragePool, THREADS);
    AVERAGE_POOL_BACK = "average_pool_back"(AveragePool, THREADS);
    ADD_F32 = "add_f32"(Pair, THREADS);
    ADD_F64 = "add_f64"(Pair, THREADS);
    MULTIPLY = "multiply"(Pair, THREADS);
    MASK_F32 = "mask_f32"(Pair, THREADS);
    MASK_F64 = "mask_f64"(Pair, THREADS);
    RELU6 = "relu6"(Pair, THREADS);
    RELU6_BACK = "relu6_back"(Pair, THREADS);
    AFFINE = "affine"(Channels, THREADS);
    NORMALIZE = "normalize"(Channels, THREADS);
    WIDEN = "widen"(Cast, THREADS);
    NARROW = "narrow"(Cast, THREADS);
    TRANSPOSE = "transpose"(Transpose, THREADS);
    SHORTCUT = "shortcut"(Shortcut, THREADS);
    SHORTCUT_BACK = "shortcut_back"(Shortcut, THREADS);
    NOTE_F32 = "note_f32"(Note, THREADS);
    NOTE_F64 = "note_f64"(Note, THREADS);
    STRETCHES_F32 = "stretches_f32"(Stretches, THREADS);
    STRETCHES_F64 = "stretches_f64"(Stretches, THREADS);
    TERM = "term"(Term, THREADS);
    JOIN_F32 = "join_f32"(Join, THREADS);
    JOIN_F64 = "join_f64"(Join, THREADS);
    NEGATIVE_BACK = "negative_back"(NegativeBack, THREADS);
    PACK_F32 = "pack_f32"(Pack, THREADS);
    PACK_F64 = "pack_f64"(Pack, THREADS);
    FOLD = "fold"(Fold, THREADS);
    FOLD_BACK = "fold_back"(Fold, THREADS);
    OUTER_F32_64 = "outer_f32_64"(Outer, 128);
    OUTER_F32_32 = "outer_f32_32"(Outer, 64);
    OUTER_F64_32 = "outer_f64_32"(Outer, 64);
    OUTER_SUM_F32 = "outer_sum_f32"(OuterSum, THREADS);
    OUTER_SUM_F64 = "outer_sum_f64"(OuterSum, THREADS);
    COLUMN_SUMS_F32 = "column_sums_f32"(Columns, THREADS);
    COLUMN_SUMS_F64 = "column_sums_f64"(Columns, THREADS);
    COLUMN_DEVIATIONS = "column_deviations"(Columns, THREADS);
    COLUMN_SLOPES = "column_slopes"(Columns, THREADS);
    DEPTHWISE_COLUMNS = "depthwise_columns"(DepthwiseColumns, THREADS);
    TOTALS_F32 = "totals_f32"(Totals, THREADS);
    TOTALS_F64 = "totals_f64"(Totals, THREADS);
    BATCH_MEAN = "batch_mean"(Statistics, THREADS);
    BATCH_VARIANCE = "batch_variance"(Statistics, THREADS);
    NORMALISATION = "normalisation"(Normalisation, THREADS);
    NORMALISATION_BACK = "normalisation_back"(NormalisationBack, THREADS);
    BATCH_NORM_BACK = "batch_norm_back"(BatchNormBack, THREADS);
    SGD = "sgd"(Sgd, THREADS);
    ADAM = "adam"(Adam, THREADS);
}
