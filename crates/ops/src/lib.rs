//! The differentiable operations that candle lacks, gets wrong or runs slowly on a CPU.
//!
//! Activations are **channels-last**, `(n, h, w, c)`, from [`channels_last`] to the logits; parameters keep torchvision's
//! shapes. Every operation works in f32 (and f64, for gradient checks) and computes only the tracked gradients. [`portable`] has each as
//! a composition of candle's own operations, which the tests compare. [`trace`] describes a recorded pass as data, so that another device can
//! repeat it to the same bits.
//!
//! # Which algorithm runs
//!
//! One product computes [`conv2d`], [`linear`], [`Frozen`] units and all their gradients. `plan` sorts output positions into classes
//! with the same taps. `gemm` walks tiles of such positions over panels of packed weights. The microkernels in [`kernel`] read the
//! input through pointers. So:
//!
//! | work | rows of a tile | reduction |
//! |---|---|---|
//! | convolution, any kernel, stride and padding | output pixels of one class, over images | one run per kernel row, without padding |
//! | its input gradient | input pixels of one phase and class | the same, over the output's gradient |
//! | the same with up to three input channels: `scatter` | one output pixel; its patch of input gives the columns | output channels whose gradient is not 0 |
//! | its weight gradient | taps times input channels | output pixels |
//! | convolution of each channel alone: [`depthwise_conv2d`] | no tiles: a loop over pixels, taps and channels | taps |
//! | linear layer | images | input features |
//! | linear layer behind at least twice as many bins as pixels: [`pooled_linear`] | images | pixels times channels, weights summed over bins in f64 |
//!
//! No im2col is written. A 1x1 convolution is one product over all pixels. The small maps at the end of a ResNet cost only the taps that
//! exist. Rows at the same offset of a page would evict each other from the first-level cache, so such rows are copied first. Bias or
//! normalisation, residual, ReLU and the mask of a gradient are applied to a tile in registers. The rest (pooling, batch statistics,
//! optimisers) is plain Rust, compiled for each instruction set.
//!
//! Weights are used raw. Folding a normalisation into them, or a Winograd transform, would save work but violate a requirement: a change
//! of one weight's last bit must stay a change of the answer.
//!
//! # The same bits
//!
//! For given weights, an image has the same result bits in any batch, order, thread count and instruction set. Each element is a sum of
//! chains of fused multiply-adds; its position alone fixes their order and ends (see [`kernel`]). If answers depended on the batch size,
//! a verifier would raise false alarms.
//!
//! # Speed
//!
//! Programs should use the allocator of [`memory`] and work inside rayon's pool (`rayon::scope(|_| main())`). From outside, each
//! operation would wake the pool and wait for it. `experiments/engine` compares the speed with PyTorch.

pub mod backtrace;
mod batch_norm;
mod composed;
mod conv;
mod depthwise;
mod dispatch;
mod dropout;
mod elementwise;
mod frozen;
mod gemm;
mod input_gradient;
pub mod kernel;
mod layout;
pub mod memory;
mod negative;
mod packed;
mod parallel;
mod plan;
mod pool;
mod pooled_linear;
pub mod portable;
mod relu6;
mod scatter;
mod sizes;
mod tape;
mod tensor;
pub mod trace;
mod update;
mod weight_gradient;

pub use batch_norm::{BatchNorm, BatchStatistics};
pub use composed::composed;
pub use dispatch::{
    Frozen, FrozenPooledLinear, adam, adaptive_avg_pool2d, channels_last, conv2d, depthwise_conv2d,
    descend, dropout, linear, max_pool2d, negative_part, normalize, option_a_shortcut,
    pooled_linear, relu6, sgd,
};
pub use negative::Reduction;
pub use plan::Window;
pub use tape::{Gradients, Tape, node};
pub use update::{AdamConstants, AdamStep, SgdConstants, SgdStep, Update};
