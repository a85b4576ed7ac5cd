//! From records to documents: the registry of reports, and all that they are computed by.

pub mod detection;
pub mod headline;
pub mod paper;
pub mod runs;
pub mod steps;
pub mod subject;

mod aggregate;
mod attacked;
mod columns;
mod content;
mod fields;
mod kinds;
mod names;
mod numbers;
mod probes;
mod study;
mod target;

use std::fmt;

use brink_config::Scale;
use brink_store::Id;
use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::records::{NotRun, Records};
use columns::Input;
use subject::Subject;

/// One report: a table of the paper, or a figure, with what belongs to it.
pub struct Entry {
    /// Which one.
    pub report: Report,
    /// The name in grids and of files, e.g. `table3`.
    pub name: &'static str,
    /// The name in headings: its place in the paper, and what it shows.
    pub title: &'static str,
    /// The records that it is about.
    pub subject: Subject,
    build: fn(&Input) -> Document,
}

/// Declares [`REPORTS`], and [`Report`], the enum that a grid names them by.
///
/// Each line is a name, a file and its variant, and a title. The line is the file's `mod`, too. The file has `SUBJECT` and
/// `build`.
macro_rules! reports {
    ($($name:literal $module:ident::$variant:ident, $title:literal;)*) => {
        $(mod $module;)*

        /// A report by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Report {
            $(#[doc = $title] #[serde(rename = $name)] $variant,)*
        }

        /// All reports, in the order of the paper, then those that it does not have.
        pub static REPORTS: &[Entry] = &[$(Entry {
            report: Report::$variant,
            name: $name,
            title: $title,
            subject: $module::SUBJECT,
            build: $module::build,
        },)*];
    };
}

reports! {
    "table1" table1::Table1, "Table I: the models";
    "table2" table2::Table2, "Table II: detection of a backdoor";
    "table3" table3::Table3, "Table III: detection of fine-tuning";
    "table4" table4::Table4, "Table IV: detection of quantisation";
    "table5" table5::Table5, "Table V: time of sample generation";
    "figure3" figure3::Figure3, "Figure 3: detection of pruning";
    "dispersion" dispersion::Dispersion, "Section III-A: dispersion of logits";
    "convergence" convergence::Convergence, "Convergence of stage 1";
    "figure1" figure1::Figure1, "Figure 1: the boundary around a pair";
    "samples" samples::Samples, "Samples";
    "choices" choices::Choices, "Samples made otherwise";
    "attacks" attacks::Attacks, "Detection of all attacks";
    "verdicts" verdicts::Verdicts, "Verdicts of whole sets";
    "trade-off" trade_off::TradeOff, "Detection against false alarms";
    "false-alarms" false_alarms::FalseAlarms, "False alarms in other executions";
}

impl Report {
    /// Its entry.
    pub fn entry(self) -> &'static Entry {
        // Variants and entries are declared by the same lines.
        &REPORTS[self as usize]
    }

    /// Whether the records hold anything of a target that it is about.
    pub fn covers(self, records: &Records, target: Id) -> bool {
        self.entry().subject.covers(records, target)
    }

    /// The report of these records; each takes those that it is about.
    pub fn build(self, records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
        let input = Input {
            records,
            scale,
            not_run,
        };
        let mut document = (self.entry().build)(&input);
        let targets = records.targets.iter();
        let notes = content::notes(targets.filter(|target| self.covers(records, target.id)));
        for table in &mut document.tables {
            table.notes.extend_from_slice(&notes);
        }
        document
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.entry().name)
    }
}
