//! torchvision's networks with right gradients, their training and their checkpoints.
//!
//! A network exists twice: [`Frozen`](Network::frozen) for queries and for sample generation, where only the gradient with
//! respect to the input exists, and [`Trainable`] for training and fine-tuning. Both run the same forward code and, in
//! evaluation mode on the CPU, give the same bits. Images go in channels-first, `(n, 3, h, w)` in `[0, 1]`; inside, maps are channels-last.

mod activations;
mod cifar_resnet;
mod error;
mod evaluate;
mod fit;
pub mod job;
mod layers;
mod learner;
pub mod loss;
mod network;
pub mod optim;
mod recording;
mod registry;
mod resnet;
mod schedule;
pub mod state;
pub mod train;
mod vgg;
mod weights;

pub use activations::{Activations, Levels, Range, calibrate};
pub use error::Error;
pub use evaluate::{Count, accuracy, top1};
pub use job::{Job, Status, once};
pub use learner::Learner;
pub use network::{BatchNormMode, Coverage, Network, Normalize, Trainable};
pub use recording::{Forward, Recording};
pub use registry::{Architecture, Model, REGISTRY};
pub use schedule::OneCycle;
pub use weights::{Weights, is_buffer};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
