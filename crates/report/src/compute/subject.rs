//! What a report is about: of which records it is made.

use std::fmt;

use brink_store::Id;
use brink_store::Measured;

use crate::records::Records;

/// The attack that changes nothing: its rate is a false alarm.
pub const IDENTITY: &str = "identity";

/// The attack that executes the same weights otherwise: its rate is a false alarm, too.
pub const EXECUTION: &str = "execution";

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The targets themselves.
    Models,
    /// The sample sets.
    Samples,
    /// One attack.
    Attack {
        /// Its name.
        name: &'static str,
        /// The field of its specification that orders the rows.
        variable: Option<&'static str>,
    },
    /// Every attack but the one that changes nothing.
    Attacks,
    /// One kind of measurement.
    Probe(Probe),
}

/// A kind of measurement of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The time of stage 1.
    Timing,
    /// The dispersion of outputs.
    Dispersion,
    /// Stage 1 against its iterations.
    Convergence,
    /// The boundary around a pair, which a grid asks for by its field `slice`.
    Slice,
}

impl Probe {
    /// Its name in grids and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timing => "timing",
            Self::Dispersion => "dispersion",
            Self::Convergence => "convergence",
            Self::Slice => "slice",
        }
    }

    /// The kind of a measurement.
    pub fn of(result: &Measured) -> Self {
        match result {
            Measured::Timing(_) => Self::Timing,
            Measured::Dispersion(_) => Self::Dispersion,
            Measured::Convergence(_) => Self::Convergence,
            Measured::Slice(_) => Self::Slice,
        }
    }
}

impl Subject {
    /// Whether it is about the attack of this name.
    pub fn takes(self, attack: &str) -> bool {
        match self {
            Self::Attack { name, .. } => name == attack,
            Self::Attacks => attack != IDENTITY,
            _ => false,
        }
    }

    /// Whether the records have something about it of this target.
    pub fn covers(self, records: &Records, target: Id) -> bool {
        match self {
            Self::Models => records.targets.iter().any(|record| record.id == target),
            Self::Samples => records.sets.iter().any(|set| set.target == target),
            Self::Attack { .. } | Self::Attacks => {
                let mut runs = records.runs.iter();
                runs.any(|run| run.target == target && self.takes(&run.attack))
            }
            Self::Probe(kind) => {
                let mut probes = records.probes.iter();
                probes.any(|probe| probe.target == target && Probe::of(&probe.result) == kind)
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Models => f.write_str("targets"),
            Self::Samples => f.write_str("generators"),
            Self::Attack { name, .. } => write!(f, "attack `{name}`"),
            Self::Attacks => f.write_str("attack that changes anything"),
            Self::Probe(Probe::Slice) => f.write_str("`slice`"),
            Self::Probe(kind) => write!(f, "probe `{}`", kind.name()),
        }
    }
}
