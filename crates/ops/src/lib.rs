//! The differentiable operations that candle lacks, gets wrong or runs slowly on a CPU.
//!
//! Activations are **channels-last**, `(n, h, w, c)`, from [`channels_last`] to the logits; parameters keep torchvision's
//! shapes. Every operation works in f32 (and f64, for gradient checks), computes only the gradients that are tracked, and
//! on a device other than the CPU is a composition of candle's own operations ([`portable`], the one place that is
//! device-dependent).
//!
//! # Which algorithm runs
//!
//! There is one product behind [`conv2d`], [`linear`], [`Frozen`] units and all their gradients: `plan` sorts output positions
//! into classes with the same taps, `gemm` walks tiles of such positions over panels of packed weights, and the
//! microkernels in [`kernel`] read the input through pointers. So:
//!
//! | work | rows of a tile | reduction |
//! |---|---|---|
//! | convolution, any kernel, stride and padding | output pixels of one class, over images | one run a kernel row, padding skipped |
//! | its input gradient | input pixels of one phase and class | the same, over the output's gradient |
//! | the same with three input channels | blocks of input pixels, see `input_gradient` | the same |
//! | its weight gradient | taps times input channels | output pixels |
//! | linear layer | images | input features |
//!
//! No im2col is written, a 1x1 convolution is one product over all pixels, and the small maps at the end of a ResNet cost only the
//! taps that exist.
//!
//! # The same bits
//!
//! For given weights the result for an image is the same bits in any batch, order, thread count and instruction set: each element
//! is one chain of fused multiply-adds whose order its own position fixes (see [`kernel`]). A verifier whose answer depended on
//! the batch size would raise false alarms.

mod activation;
mod batch_norm;
mod conv;
mod elementwise;
mod frozen;
mod gemm;
mod input_gradient;
pub mod kernel;
mod layout;
pub mod memory;
mod parallel;
mod plan;
mod planes;
mod pool;
mod pooled_linear;
pub mod portable;
mod tape;
mod tensor;
mod update;

pub use activation::{negative_part, relu};
pub use batch_norm::{BatchNorm, BatchStatistics};
pub use conv::{conv2d, linear};
pub use frozen::Frozen;
pub use layout::{channels_last, normalize, shortcut};
pub use plan::Window;
pub use pool::{adaptive_avg_pool2d, max_pool2d};
pub use pooled_linear::{FrozenPooledLinear, pooled_linear};
pub use tape::{Gradients, Tape, node};
pub use update::{AdamStep, SgdStep, adam, descend, sgd};
