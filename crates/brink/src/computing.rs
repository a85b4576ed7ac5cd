//! Where this process computes networks.

use std::cell::Cell;

use brink_models::device::{Budget, Choice};
use clap::Args;

use crate::say::note;

/// The options of commands that compute a network.
#[derive(Args)]
pub struct Computing {
    /// Where to compute Brink's networks: auto, auto:N, cpu, cuda or cuda:N. No bit of an answer depends on it.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: Choice,
    /// The GPU memory to use: a share of what is free, e.g. 50%, or a size, e.g. 20GiB [default: 90%].
    #[arg(long, value_name = "SHARE|SIZE")]
    gpu_memory: Option<Budget>,
    /// A watch opens its model again and again.
    #[arg(skip)]
    opened: Cell<bool>,
}

impl Computing {
    /// Whether no option was given, or the default.
    pub fn is_default(&self) -> bool {
        self.device == Choice::default() && self.gpu_memory.is_none()
    }

    /// Opens the device. From then on, this process's networks use it.
    ///
    /// # Errors
    /// If a GPU is asked for, and is not there or does not compute the processor's bits.
    pub fn open(&self) -> anyhow::Result<()> {
        if self.opened.replace(true) {
            return Ok(());
        }
        let device = self.device.open(self.gpu_memory)?;
        if let Some(problem) = device.warning() {
            note!("{problem}");
        } else if device.is_gpu() {
            note!("computing on {}", device.name());
        }
        Ok(())
    }
}
