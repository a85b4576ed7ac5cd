//! The provenance of a number: when, where and with which versions it was computed.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use brink_models::device::Device;
use brink_store::Provenance;

/// The clock of a step.
pub struct Clock {
    started: String,
    since: Instant,
    /// Seconds of earlier sessions, if the step was resumed.
    pub before: f64,
}

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        Self {
            started: brink_store::now(),
            since: Instant::now(),
            before: 0.0,
        }
    }

    /// Whether a step of this start time began after the clock did.
    pub fn is_before(&self, started: &str) -> bool {
        self.started.as_str() <= started
    }

    /// Seconds up to now, including earlier sessions.
    pub fn seconds(&self) -> f64 {
        self.before + self.since.elapsed().as_secs_f64()
    }

    /// The provenance for a record, as of now.
    pub fn provenance(&self, device: &Device) -> Provenance {
        Provenance {
            started: self.started.clone(),
            seconds: self.seconds(),
            ..describe(device)
        }
    }
}

/// The version of this program, with its commit if that is known.
pub fn program() -> String {
    let version = env!("CARGO_PKG_VERSION");
    match option_env!("BRINK_GIT") {
        Some(commit) => format!("brink {version} ({commit})"),
        None => format!("brink {version}"),
    }
}

/// The provenance of this program on this machine, without times.
pub fn describe(device: &Device) -> Provenance {
    let crates = env!("BRINK_CRATES").split_whitespace();
    Provenance {
        brink: env!("CARGO_PKG_VERSION").to_owned(),
        git: option_env!("BRINK_GIT").map(str::to_owned),
        crates: crates
            .filter_map(|each| each.split_once('='))
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .collect::<BTreeMap<_, _>>(),
        device: device.name().to_owned(),
        threads: rayon::current_num_threads(),
        cpu: cpu(),
        ..Provenance::default()
    }
}

/// The processor and the instruction set in use.
fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or(std::env::consts::ARCH, |(_, model)| model.trim());
    format!("{model} ({})", brink_ops::kernel::Isa::current())
}

/// The peak memory of this process in bytes. `None` if the system does not tell it.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
