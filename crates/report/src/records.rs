//! The records that reports are made of, and what is missing among them.

use std::collections::{BTreeMap, BTreeSet};

use brink_store::Id;
use brink_store::{ProbeRecord, RunRecord, SetRecord, TargetRecord};
use brink_verify::SensitiveSet;
use serde_json::Value;

/// The records that a report is made of.
///
/// A report shows all of them: the table of one grid needs that grid's records alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// The targets.
    pub targets: Vec<TargetRecord>,
    /// The sample sets.
    pub sets: Vec<SetRecord>,
    /// The runs.
    pub runs: Vec<RunRecord>,
    /// What was measured about the targets themselves.
    pub probes: Vec<ProbeRecord>,
    /// The runs that the grid asks for and that have no record, of targets that have one.
    pub open: Vec<OpenRun>,
    /// The images of sets, as far as they are at hand.
    pub samples: BTreeMap<Id, SensitiveSet>,
    /// The titles of networks by their names in records. A network without a title goes by its name.
    pub networks: BTreeMap<String, &'static str>,
    /// The names of the generators that the grid asks for. Tables have no columns for the paper's other ones.
    pub asked: BTreeSet<&'static str>,
    /// The titles of generators by their names in records. A generator without a title goes by its name.
    pub generators: BTreeMap<&'static str, &'static str>,
    /// The titles of attacks by their names in records. An attack without a title goes by its name.
    pub attacks: BTreeMap<&'static str, &'static str>,
}

/// A run that has not been computed.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenRun {
    /// The target.
    pub target: Id,
    /// The attack, by its name.
    pub attack: &'static str,
    /// The fields of the attack, as [`RunRecord::spec`] has them.
    pub spec: Value,
}

/// Part of a grid that was not computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRun {
    /// The data set, for people.
    pub dataset_title: String,
    /// The reason.
    pub reason: String,
    /// The command that gets it, if there is one.
    pub command: Option<String>,
}

impl NotRun {
    /// The note below a table that lacks it.
    pub fn note(&self) -> String {
        let note = format!("{}: not run, {}.", self.dataset_title, self.reason);
        match &self.command {
            Some(command) => format!("{note} To get it: `{command}`"),
            None => note,
        }
    }
}
