//! The device of tensors. All code of this crate that depends on the device is here.

use anyhow::bail;
use candle_core::Device;
use clap::ValueEnum;

/// The values of `--device`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// A GPU if this build and this machine have one, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The first NVIDIA GPU.
    Cuda,
}

impl Choice {
    /// Opens the device.
    ///
    /// # Errors
    /// If CUDA is asked for but is not available.
    pub fn open(self) -> anyhow::Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(if cfg!(feature = "cuda") {
                Device::new_cuda(0).unwrap_or(Device::Cpu)
            } else {
                Device::Cpu
            }),
            Self::Cuda if !cfg!(feature = "cuda") => bail!(
                "--device cuda: this program was built without CUDA; build it with `--features cuda`, or use --device cpu"
            ),
            Self::Cuda => match Device::new_cuda(0) {
                Ok(device) => Ok(device),
                Err(error) => bail!("--device cuda: no usable GPU ({error}); use --device cpu"),
            },
        }
    }
}

/// The name of the device in records. Logits have the same bits on every processor, but not on a GPU. Training has the
/// same bits on every processor with the same C library, because the loss uses its `exp` and `ln`.
pub fn name(device: &Device) -> &'static str {
    if device.is_cpu() { "cpu" } else { "cuda:0" }
}
