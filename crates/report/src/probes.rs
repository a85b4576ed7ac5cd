//! Probes of one kind, by the target they are about and what they were asked.

use store::{ProbeRecord, TargetRecord};

use crate::long::{Fields, of_target};
use crate::names::network;
use crate::pool::targets;
use crate::variants::{fields, variants};
use crate::{Cell, Records};

/// The probes of one target under one specification.
pub struct Asked<'a> {
    /// The target.
    pub target: &'a TargetRecord,
    /// Data set, network, and what tells this target and specification from others; mostly nothing.
    pub lines: Vec<String>,
    /// What tells this target from others of the same data set and network, and this specification from others.
    telling: [String; 2],
    /// One, or one for each value of the fields that have columns of their own.
    pub probes: Vec<&'a ProbeRecord>,
}

impl<'a> Asked<'a> {
    /// All probes whose result `wanted` accepts, ordered by data set and network. The fields `shown` have columns of their own: probes
    /// that differ in them alone belong together too.
    pub fn all(
        records: &'a Records,
        shown: &[&str],
        wanted: impl Fn(&ProbeRecord) -> bool,
    ) -> Vec<Self> {
        let apart = |probe: &&ProbeRecord| fields(&probe.spec, shown);
        let mut all = Vec::new();
        for (variant, target) in targets(records) {
            let probes = records.probes.iter();
            let probes = probes.filter(|probe| probe.target == target.id && wanted(probe));
            for (spec, probes) in variants(probes.collect(), apart) {
                let lines = [
                    target.dataset_title.clone(),
                    network(target),
                    variant.clone(),
                    spec.clone(),
                ];
                all.push(Self {
                    target,
                    lines: lines.into_iter().filter(|line| !line.is_empty()).collect(),
                    telling: [variant.clone(), spec],
                    probes,
                });
            }
        }
        all
    }

    /// The name in one line.
    pub fn title(&self) -> String {
        self.lines.join(", ")
    }

    /// What the rows of a data file are told apart by.
    pub fn fields(&self) -> Fields {
        let mut fields = of_target(self.target, &self.telling[0]);
        fields.push(("probe_variant", Cell::text(&self.telling[1])));
        fields
    }

    /// Data set, and network with what else tells it from others: the first two cells of a row.
    pub fn names(&self) -> (String, String) {
        let (first, rest) = self.lines.split_at(1);
        (first.concat(), rest.join(", "))
    }
}
