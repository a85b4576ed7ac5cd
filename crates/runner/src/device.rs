//! The device that networks compute on, frozen or in training. All code of this crate that depends on it is here.
//!
//! A GPU has the bits of the processor, so no step's id depends on the device. What has no form on a GPU runs on the processor in any case.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use brink_cuda::{Error, Gpu, Memory};

use crate::say::warning;

/// The values of `--device`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first GPU if this machine has one, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU, counted from 0.
    Cuda(usize),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let cuda = |number: &str| match number.is_empty() || number.starts_with('+') {
            true => None,
            false => number.parse().ok().map(Self::Cuda),
        };
        let known = match text {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            _ => text.strip_prefix("cuda:").and_then(cuda),
        };
        known.ok_or_else(|| "there are auto, cpu, cuda and cuda:N, GPU N counted from 0".to_owned())
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// The value of `--gpu-memory`: a share of what is free, or a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// In percent of what is free.
    Percent(f64),
    /// In MiB.
    Mib(usize),
}

impl Budget {
    /// Nine tenths of what is free, divided among so many processes.
    pub fn shared(processes: usize) -> Self {
        Self::Percent(90.0 / processes as f64)
    }

    fn memory(self) -> Memory {
        match self {
            Self::Percent(percent) => Memory::Share(percent / 100.0),
            Self::Mib(mib) => Memory::Bytes(mib.saturating_mul(1 << 20)),
        }
    }
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = |text: &str| text.parse::<usize>().ok().filter(|&n| n > 0);
        let known = if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.parse::<f64>().ok();
            let percent = percent.filter(|percent| *percent > 0.0 && *percent <= 100.0);
            percent.map(Self::Percent)
        } else if let Some(gib) = text.strip_suffix("GiB") {
            whole(gib)
                .and_then(|gib| gib.checked_mul(1024))
                .map(Self::Mib)
        } else {
            text.strip_suffix("MiB").and_then(whole).map(Self::Mib)
        };
        known.ok_or_else(|| {
            "write a share of the free memory, e.g. 50%, or a size, e.g. 20GiB or 500MiB".to_owned()
        })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Mib(mib) => write!(f, "{mib}MiB"),
        }
    }
}

/// An open device.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    name: String,
}

impl Default for Device {
    /// The processor.
    fn default() -> Self {
        let name = "cpu".to_owned();
        Self { name }
    }
}

impl Device {
    /// Its name in records.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Choice {
    /// Opens the device. From then on, the process's networks use it.
    ///
    /// # Errors
    /// If a GPU is asked for but there is none, or it does not compute the processor's bits.
    pub fn open(self, budget: Option<Budget>) -> anyhow::Result<Device> {
        let memory = budget.map_or_else(Memory::default, Budget::memory);
        match self {
            Self::Cpu => Ok(Device::default()),
            Self::Cuda(number) => match gpu(number, memory) {
                Ok(device) => Ok(device),
                Err(error) => bail!("--device {self}: {error}; use --device cpu"),
            },
            Self::Auto => match gpu(0, memory) {
                Ok(device) => Ok(device),
                // Most machines have none.
                Err(Error::NoDriver { .. } | Error::NoGpu { .. }) => Ok(Device::default()),
                Err(error) => {
                    warning!("the GPU is not used: {error}");
                    Ok(Device::default())
                }
            },
        }
    }
}

/// Opens a GPU and compares its bits with the processor's.
fn gpu(number: usize, memory: Memory) -> Result<Device, Error> {
    let gpu = Gpu::open(number, memory)?;
    brink_cuda::check(&gpu)?;
    let name = format!("cuda:{number} {}", gpu.description());
    brink_models::use_gpu(gpu);
    Ok(Device { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_written_as_they_are_read() {
        for text in ["auto", "cpu", "cuda", "cuda:1", "cuda:12"] {
            assert_eq!(text.parse::<Choice>().unwrap().to_string(), text);
        }
        assert_eq!("cuda:0".parse(), Ok(Choice::Cuda(0)));
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "CUDA"] {
            assert!(text.parse::<Choice>().is_err(), "{text}");
        }
    }

    #[test]
    fn budgets_are_written_as_they_are_read() {
        for (text, written) in [
            ("90%", "90%"),
            ("12.5%", "12.5%"),
            ("2GiB", "2048MiB"),
            ("7MiB", "7MiB"),
        ] {
            assert_eq!(text.parse::<Budget>().unwrap().to_string(), written);
        }
        for text in [
            "",
            "0%",
            "101%",
            "NaN%",
            "0GiB",
            "-1MiB",
            "5",
            "1.5GiB",
            "99999999999999999999GiB",
        ] {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }
}
