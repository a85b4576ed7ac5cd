//! Networks on an NVIDIA GPU, to the bits of the CPU: logits, activation terms and the gradient of the images; and training.
//!
//! # How the bits stay the same
//!
//! The kernels in `kernels/` work on the tables of [`brink_ops::trace`], the plans of the CPU's products. Every element is the same sum of
//! fused multiply-adds, cut into the same chains, with every other step rounded by itself. There are no tensor cores, no atomics, no TF32
//! and no transforms of weights. Statistics and gradients of vectors are sums of runs and blocks, as on the CPU. So no bit depends on the batch,
//! the tile or the GPU. NaN is NaN on both, but the bits inside a NaN are not
//! defined.
//!
//! # How a pass runs
//!
//! `brink_ops::Tape` describes a pass on one image as data, a trace. A [`Program`] is a trace whose constants are on the GPU. It takes pixels,
//! keeps all maps there, and gives back the ends: logits and terms. A [`Pass`] walks back to the gradient of the pixels. A batch that does not
//! fit the memory is cut, with the same bits.
//!
//! # How a network is trained
//!
//! A [`Trainer`] holds parameters and moments on the GPU. Its trace has the weights as parameters: each step packs them for its products, walks
//! back to their gradients, and moves them. Only pixels and the gradient of the logits go up; logits and batch statistics come down. A batch
//! is never cut.
//!
//! # What a machine needs
//!
//! NVIDIA's driver, which is loaded at run time, and a GPU of compute capability 8.0 or more. No toolkit: the kernels are in the program as
//! PTX, which `scripts/cuda/compile` makes, and the driver compiles it for its GPU. [`check`] compares bits on the machine itself.
//!
//! # Unsafe code
//!
//! Calls of the driver are in `driver`, `calls`, `memory` and `session`; each block says why it holds. `kernels` promises the layout of
//! arguments. No other file has any.

mod arguments;
mod backward;
mod calls;
mod driver;
mod error;
mod forward;
mod gpu;
mod kernels;
mod launches;
mod memory;
mod program;
mod self_check;
mod session;
mod tables;
mod trained;
mod trainer;
mod training_check;
mod units;

pub use error::{Error, Result};
pub use gpu::{Gpu, count};
pub use kernels::ALL as KERNELS;
pub use memory::Memory;
pub use program::{Pass, Program, Weights};
pub use self_check::check;
pub use trainer::{Batch, Trainer};
