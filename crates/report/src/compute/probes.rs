//! Measurements of one kind, by target and specification.

use brink_store::{ProbeRecord, TargetRecord};

use super::columns::{Column, data_only};
use super::numbers::non_empty;
use super::subject::Probe;
use super::target::Target;
use crate::document::table::{Cell, Source};
use crate::label::{fields, variants};
use crate::records::Records;

/// The measurements of one target under one specification.
pub struct ProbeGroup<'a> {
    pub target: Target<'a>,
    /// What distinguishes this specification from others; mostly empty.
    pub variant: String,
    /// One, or one for each value of the fields that have columns of their own.
    pub probes: Vec<&'a ProbeRecord>,
}

impl<'a> ProbeGroup<'a> {
    /// All measurements of one kind, ordered by data set and network. Measurements that differ in the fields `shown` alone, which
    /// have columns of their own, are one group.
    pub fn all(records: &'a Records, kind: Probe, shown: &[&str]) -> Vec<Self> {
        let mut all = Vec::new();
        for target in Target::all(records) {
            let probes = records.probes.iter().filter(|probe| {
                probe.target == target.record.id && Probe::of(&probe.result) == kind
            });
            let groups = variants(probes.collect(), |probe| fields(&probe.spec, shown));
            all.extend(groups.into_iter().map(|(variant, probes)| Self {
                target: target.clone(),
                variant,
                probes,
            }));
        }
        all
    }

    /// The target's record.
    pub fn record(&self) -> &'a TargetRecord {
        self.target.record
    }

    /// Data set, network, and the variants if there are any.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.target.lines();
        lines.extend(non_empty(&self.variant));
        lines
    }

    /// The name in one line.
    pub fn title(&self) -> String {
        self.lines().join(", ")
    }

    /// The data set, for the first column.
    pub fn dataset(&self) -> Cell {
        Cell::text(&self.record().dataset_title)
    }

    /// The network and the variants, for the second column.
    pub fn network(&self) -> Cell {
        Cell::text(self.lines().split_off(1).join(", "))
    }

    /// The source of a number of all its measurements.
    pub fn source(&self, what: &str) -> Source {
        let steps = self.probes.iter().map(|probe| probe.id);
        let title = format!("{}: {what}", self.title());
        Source::new(title, steps.chain([self.record().id]))
    }

    /// Its columns in data files, for rows that belong to a group.
    pub fn columns<R: 'a>(group: impl Fn(&R) -> &Self + Copy + 'a) -> Vec<Column<'a, R>> {
        vec![
            Target::column().of(move |row: &R| Some(group(row).target.clone())),
            data_only().data("probe_variant", "", move |row: &R| {
                Cell::text(&group(row).variant)
            }),
        ]
    }
}
