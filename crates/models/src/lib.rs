//! torchvision's networks with correct gradients, their training and their checkpoints.
//!
//! A network has two forms. The [`Frozen`](Network::frozen) form answers queries and has gradients with respect to its input only. The
//! [`Trainable`] form has gradients with respect to its parameters. Both run the same forward code and, in evaluation mode on the CPU,
//! give the same bits. Images are channels-first, `(n, 3, h, w)` in `[0, 1]`; maps inside a network are channels-last.
//!
//! The files build on each other in this order: `slot` and `levels`; `pass`; `conv_bn` and `layer`; `builder`; `module` and `foreign`; one file per architecture;
//! `registry`; `names`, `fit`, `weights`, `fold` and `inspect`; `network`; `trainable`; `gpu_training`; `device`; then what trains, evaluates and calibrates a network.

mod access;
mod builder;
mod calibrate;
mod cifar_resnet;
mod classifier;
mod conv_bn;
mod coverage;
pub mod device;
mod error;
mod evaluate;
mod fit;
mod fold;
mod foreign;
mod gpu;
mod gpu_training;
mod inspect;
pub mod job;
mod layer;
mod learner;
mod levels;
pub mod loss;
mod mobilenet;
mod module;
mod names;
mod network;
mod normalize;
pub mod optim;
mod pass;
mod recording;
mod registry;
mod resnet;
mod schedule;
mod slot;
pub mod state;
pub mod train;
mod trainable;
mod vgg;
mod vit;
mod weights;

pub use access::{Access, Need};
pub use calibrate::calibrate;
pub use classifier::Classifier;
pub use coverage::Coverage;
pub use error::{Error, Result};
pub use evaluate::{Count, accuracy, top1};
pub use fold::fold_batch_norm;
pub use foreign::{Answers, Foreign};
pub use gpu::use_gpu;
pub use inspect::{Inspection, inspect};
pub use job::{Job, Status, once};
pub use learner::Learner;
pub use levels::{Activations, Levels, Range, round_mantissa};
pub use network::Network;
pub use normalize::Normalize;
pub use pass::BatchNormMode;
pub use recording::{Forward, Recording};
pub use registry::{Architecture, Model, REGISTRY};
pub use schedule::OneCycle;
pub use trainable::Trainable;
pub use weights::{Weights, is_buffer, is_layer};
