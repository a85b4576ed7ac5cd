//! What there is to report, by name: the paper's tables and figures, and what belongs to them.

use std::fmt;

use serde::{Deserialize, Serialize};
use spec::{Id, Scale};

use crate::study::{ATTACKS, BACKDOOR, CHOICES, FINETUNE, PRUNE, QUANTIZE, Study};
use crate::{Document, NotRun, Records};
use crate::{boundary, content, convergence, detection, dispersion, samples, targets, timing};

/// A table of the paper, or a figure, with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// The models under protection.
    Table1,
    /// Detection of a backdoor.
    Table2,
    /// Detection of fine-tuning, by learning rate.
    Table3,
    /// Detection of quantisation.
    Table4,
    /// The time that samples take.
    Table5,
    /// Detection of pruning, by the share of weights pruned.
    Figure3,
    /// How far logits differ after the approach to the boundary.
    Dispersion,
    /// Stage 1 against its iterations.
    Convergence,
    /// The boundary around a pair.
    Figure1,
    /// What samples look like.
    Samples,
    /// Samples made otherwise, side by side.
    Choices,
    /// Detection of every attack in one table.
    Attacks,
}

/// What a report is about: of which records it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The targets themselves.
    Models,
    /// The sample sets.
    Samples,
    /// What one attack does, by its name.
    Attack(&'static str),
    /// What any attack does.
    Attacks,
    /// What one probe measured, by its name; `slice` for the boundary around a pair.
    Probe(&'static str),
}

impl Subject {
    /// Whether it is about what the attack of this name does.
    pub fn takes(self, attack: &str) -> bool {
        match self {
            Self::Attack(name) => name == attack,
            Self::Attacks => ATTACKS.is_about(attack),
            _ => false,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Models => f.write_str("targets"),
            Self::Samples => f.write_str("generators"),
            Self::Attack(name) => write!(f, "attack `{name}`"),
            Self::Attacks => f.write_str("attack that changes anything"),
            Self::Probe("slice") => f.write_str("`slice`"),
            Self::Probe(name) => write!(f, "probe `{name}`"),
        }
    }
}

impl Report {
    /// All of them, in the order of the paper, then what it does not have.
    pub const ALL: [Self; 12] = [
        Self::Table1,
        Self::Table2,
        Self::Table3,
        Self::Table4,
        Self::Table5,
        Self::Figure3,
        Self::Dispersion,
        Self::Convergence,
        Self::Figure1,
        Self::Samples,
        Self::Choices,
        Self::Attacks,
    ];

    /// The name in grids and of files, e.g. `table3`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table1 => "table1",
            Self::Table2 => "table2",
            Self::Table3 => "table3",
            Self::Table4 => "table4",
            Self::Table5 => "table5",
            Self::Figure3 => "figure3",
            Self::Dispersion => "dispersion",
            Self::Convergence => "convergence",
            Self::Figure1 => "figure1",
            Self::Samples => "samples",
            Self::Choices => "choices",
            Self::Attacks => "attacks",
        }
    }

    /// The name in headings: where it stands in the paper, and what it shows.
    pub fn title(self) -> &'static str {
        match self {
            Self::Table1 => "Table I: the models",
            Self::Table2 => "Table II: detection of a backdoor",
            Self::Table3 => "Table III: detection of fine-tuning",
            Self::Table4 => "Table IV: detection of quantisation",
            Self::Table5 => "Table V: time of sample generation",
            Self::Figure3 => "Figure 3: detection of pruning",
            Self::Dispersion => "Section III-A: dispersion of logits",
            Self::Convergence => "Convergence of stage 1",
            Self::Figure1 => "Figure 1: the boundary around a pair",
            Self::Samples => "Samples",
            Self::Choices => "Samples made otherwise",
            Self::Attacks => "Detection of all attacks",
        }
    }

    /// What it is about.
    pub fn subject(self) -> Subject {
        let about = |study: &Study| study.attack.map_or(Subject::Attacks, Subject::Attack);
        match self {
            Self::Table1 => Subject::Models,
            Self::Table2 => about(&BACKDOOR),
            Self::Table3 => about(&FINETUNE),
            Self::Table4 => about(&QUANTIZE),
            Self::Table5 => Subject::Probe("timing"),
            Self::Figure3 => about(&PRUNE),
            Self::Dispersion => Subject::Probe("dispersion"),
            Self::Convergence => Subject::Probe("convergence"),
            Self::Figure1 => Subject::Probe("slice"),
            Self::Samples => Subject::Samples,
            Self::Choices => about(&CHOICES),
            Self::Attacks => about(&ATTACKS),
        }
    }

    /// Whether the records hold anything of a target that it is about.
    pub fn covers(self, records: &Records, target: Id) -> bool {
        match self.subject() {
            Subject::Models => records.targets.iter().any(|record| record.id == target),
            Subject::Samples => records.sets.iter().any(|set| set.target == target),
            subject @ (Subject::Attack(_) | Subject::Attacks) => {
                let mut runs = records.runs.iter();
                runs.any(|run| run.target == target && subject.takes(&run.attack))
            }
            Subject::Probe(name) => {
                let mut probes = records.probes.iter();
                probes.any(|probe| probe.target == target && probe.probe == name)
            }
        }
    }

    /// The report of these records; each takes those that it is about.
    pub fn build(self, records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
        let mut document = self.document(records, scale, not_run);
        let targets = records.targets.iter();
        let notes = content::notes(targets.filter(|target| self.covers(records, target.id)));
        for table in &mut document.tables {
            table.notes.extend_from_slice(&notes);
        }
        document
    }

    fn document(self, records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
        match self {
            Self::Table1 => targets::build(records, scale, not_run),
            Self::Table2 => detection::build(&BACKDOOR, records, scale, not_run),
            Self::Table3 => detection::build(&FINETUNE, records, scale, not_run),
            Self::Table4 => detection::build(&QUANTIZE, records, scale, not_run),
            Self::Table5 => timing::build(records, scale, not_run),
            Self::Figure3 => detection::build(&PRUNE, records, scale, not_run),
            Self::Dispersion => dispersion::build(records, scale, not_run),
            Self::Convergence => convergence::build(records, scale, not_run),
            Self::Figure1 => boundary::build(records, scale, not_run),
            Self::Samples => samples::build(records, scale, not_run),
            Self::Choices => detection::choices::build(records, scale, not_run),
            Self::Attacks => detection::build(&ATTACKS, records, scale, not_run),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
