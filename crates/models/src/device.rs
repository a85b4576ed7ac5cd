//! The device that the networks of a process compute on, frozen or in training: the values of `--device` and `--gpu-memory` in each program.
//!
//! A GPU has the bits of the processor, so neither a step's id nor a mark depends on the device. What has no form on a GPU runs on the
//! processor in any case.

use crate::gpu::use_gpu;
use brink_cuda::{Error as GpuError, Gpu, Memory};
use std::fmt;
use std::str::FromStr;

/// The value of `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A GPU if this machine has one that computes the processor's bits, else the processor. The number is the GPU's, counted from 0. Without
    /// it, a single process takes the first GPU, and [several](Choice::shares) take all in turn.
    Auto(Option<usize>),
    /// The processor.
    Cpu,
    /// An NVIDIA GPU, counted from 0.
    Cuda(usize),
}

impl Default for Choice {
    fn default() -> Self {
        Self::Auto(None)
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `parse` alone would take a sign.
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().ok(),
            false => None,
        };
        let known = match (text, text.split_once(':')) {
            ("auto", _) => Some(Self::Auto(None)),
            ("cpu", _) => Some(Self::Cpu),
            ("cuda", _) => Some(Self::Cuda(0)),
            (_, Some(("auto", digits))) => number(digits).map(|gpu| Self::Auto(Some(gpu))),
            (_, Some(("cuda", digits))) => number(digits).map(Self::Cuda),
            _ => None,
        };
        known.ok_or_else(|| {
            "there are auto, auto:N, cpu, cuda and cuda:N, GPU N counted from 0".to_owned()
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto(None) => f.write_str("auto"),
            Self::Auto(Some(number)) => write!(f, "auto:{number}"),
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

/// A GPU that was asked for, but cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--device {asked}: {problem}; use --device cpu")]
pub struct Unusable {
    asked: Choice,
    problem: GpuError,
}

/// The device of this process.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    name: String,
    warning: Option<String>,
}

impl Default for Device {
    /// The processor.
    fn default() -> Self {
        Self {
            name: "cpu".to_owned(),
            warning: None,
        }
    }
}

impl Device {
    /// Its name in records: `cpu`, or e.g. `cuda:1 NVIDIA H200 (driver 580.65.06, CUDA 13.0)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a GPU.
    pub fn is_gpu(&self) -> bool {
        self.name != "cpu"
    }

    /// Why the processor computes, although there is a GPU and `auto` was asked for.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

/// What one of several processes computes with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Its device.
    pub device: Choice,
    /// Its memory, if that is a GPU.
    pub memory: Budget,
}

impl Choice {
    /// Opens the device. From then on, the process's networks use it; a program does so once, at its start.
    ///
    /// # Errors
    /// If this is [`Choice::Cuda`], and the GPU is not there or does not compute the processor's bits.
    pub fn open(self, budget: Option<Budget>) -> Result<Device, Unusable> {
        let memory = budget.map_or_else(Memory::default, Budget::memory);
        let number = match self {
            Self::Cpu => return Ok(Device::default()),
            Self::Auto(number) => number.unwrap_or(0),
            Self::Cuda(number) => number,
        };
        match (gpu(number, memory), self) {
            (Ok(device), _) => Ok(device),
            (Err(problem), Self::Cuda(_)) => Err(self.unusable(problem)),
            // Most machines have none.
            (Err(GpuError::NoDriver { .. } | GpuError::NoGpu { count: 0, .. }), _) => {
                Ok(Device::default())
            }
            (Err(problem), _) => Ok(Device {
                warning: Some(format!("GPU {number} is not used: {problem}")),
                ..Device::default()
            }),
        }
    }

    /// The shares of so many processes on this machine. `auto` gives each a GPU, in turn. Those on one GPU divide nine tenths of its free
    /// memory.
    ///
    /// # Errors
    /// If this is [`Choice::Cuda`], and the GPU is not there.
    pub fn shares(self, processes: usize) -> Result<Vec<Share>, Unusable> {
        let gpus = match self {
            Self::Cpu => 0,
            // If the driver fails, whoever opens its GPU says so.
            Self::Auto(_) => brink_cuda::count().unwrap_or(0),
            Self::Cuda(ordinal) => match brink_cuda::count() {
                Ok(count) if ordinal < count => count,
                Ok(count) => return Err(self.unusable(GpuError::NoGpu { ordinal, count })),
                Err(problem) => return Err(self.unusable(problem)),
            },
        };
        Ok(self.among(processes, gpus))
    }

    /// The same on a machine with so many GPUs.
    fn among(self, processes: usize, gpus: usize) -> Vec<Share> {
        let share = |process: usize| {
            let (device, processes) = match self {
                Self::Auto(None) if gpus > 0 => {
                    let gpu = process % gpus;
                    (Self::Auto(Some(gpu)), (processes - gpu).div_ceil(gpus))
                }
                _ => (self, processes),
            };
            Share {
                device,
                memory: Budget::Percent(90.0 / processes as f64),
            }
        };
        (0..processes).map(share).collect()
    }

    fn unusable(self, problem: GpuError) -> Unusable {
        let asked = self;
        Unusable { asked, problem }
    }
}

/// Opens a GPU and compares its bits with the processor's.
fn gpu(number: usize, memory: Memory) -> Result<Device, GpuError> {
    let gpu = Gpu::open(number, memory)?;
    brink_cuda::check(&gpu)?;
    let name = format!("cuda:{number} {}", gpu.description());
    use_gpu(gpu);
    Ok(Device {
        name,
        warning: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_written_as_they_are_read() {
        for text in [
            "auto", "auto:0", "auto:3", "cpu", "cuda", "cuda:1", "cuda:12",
        ] {
            assert_eq!(text.parse::<Choice>().unwrap().to_string(), text);
        }
        assert_eq!("cuda:0".parse(), Ok(Choice::Cuda(0)));
        for text in [
            "", "gpu", "cuda:", "auto:", "cpu:0", "cuda:-1", "auto:+1", "cuda:x", "cuda:1:1",
            "CUDA",
        ] {
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

    #[test]
    fn processes_take_gpus_in_turn_and_divide_their_memory() {
        let shares = |choice: &str, processes, gpus| -> Vec<String> {
            let shares = choice.parse::<Choice>().unwrap().among(processes, gpus);
            let said = |Share { device, memory }| format!("{device} {memory}");
            shares.into_iter().map(said).collect()
        };
        // Two of five on the second GPU.
        let five = [
            "auto:0 30%",
            "auto:1 45%",
            "auto:0 30%",
            "auto:1 45%",
            "auto:0 30%",
        ];
        assert_eq!(shares("auto", 5, 2), five);
        assert_eq!(shares("auto", 2, 8), ["auto:0 90%", "auto:1 90%"]);
        assert_eq!(shares("auto", 2, 0), ["auto 45%"; 2]);
        for one in ["auto:1", "cuda:1", "cpu"] {
            assert_eq!(shares(one, 3, 2), vec![format!("{one} 30%"); 3]);
        }
    }

    #[test]
    fn a_gpu_that_nobody_has_is_told_before_processes_start() {
        let error = Choice::Cuda(1000).shares(2).unwrap_err().to_string();
        assert!(error.starts_with("--device cuda:1000: "), "{error}");
        assert!(error.ends_with("; use --device cpu"), "{error}");
    }
}
