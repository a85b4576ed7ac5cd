//! Targets with their names.

use brink_store::TargetRecord;
use serde_json::Number;

use super::columns::{Column, data_only};
use super::fields::{TargetFields, read};
use super::numbers::non_empty;
use crate::document::table::Cell;
use crate::label::{fields, variants};
use crate::records::Records;

/// A target with its names.
#[derive(Clone)]
pub struct Target<'a> {
    /// Its record.
    pub record: &'a TargetRecord,
    /// Its network's title, with the width if that is not the architecture's.
    pub network: String,
    /// What distinguishes it from others of the same data set and network; mostly empty.
    pub variant: String,
}

/// The share of the architecture's channels that a target has; `None` for all.
pub fn width(target: &TargetRecord) -> Option<Number> {
    read::<TargetFields>(&target.spec)?.width
}

/// The title of a target's network.
pub fn network(records: &Records, target: &TargetRecord) -> String {
    let title = records.networks.get(&target.model).copied();
    let title = title.unwrap_or(&target.model);
    match width(target) {
        None => title.to_owned(),
        Some(width) => format!("{title} (width {width})"),
    }
}

impl<'a> Target<'a> {
    /// All targets, ordered by data set and network.
    pub fn all(records: &'a Records) -> Vec<Self> {
        let mut targets: Vec<_> = records.targets.iter().collect();
        let key = |target: &TargetRecord| (target.dataset.clone(), network(records, target));
        targets.sort_by_cached_key(|target| (key(target), target.seed, target.id));
        let mut all = Vec::new();
        for same in targets.chunk_by(|a, b| key(a) == key(b)) {
            let own = |target: &&TargetRecord| {
                let mut own = fields(&target.spec, &[]);
                own.insert("seed".to_owned(), target.seed.to_string());
                own
            };
            for (variant, targets) in variants(same.to_vec(), own) {
                all.extend(targets.into_iter().map(|record| Self {
                    record,
                    network: network(records, record),
                    variant: variant.clone(),
                }));
            }
        }
        all
    }

    /// The data set, the network, and the variant if there is one.
    pub fn lines(&self) -> Vec<String> {
        let lines = [self.record.dataset_title.clone(), self.network.clone()];
        lines.into_iter().chain(non_empty(&self.variant)).collect()
    }

    /// The network, and the variant if there is one.
    pub fn network_and_variant(&self) -> String {
        self.lines().split_off(1).join(", ")
    }

    /// The beginning of the names of its files: data set, network, and the width if that is not the architecture's.
    pub fn stem(&self) -> String {
        let stem = format!("{}-{}", self.record.dataset, self.record.model);
        match width(self.record) {
            None => stem,
            Some(width) => format!("{stem}-width{width}"),
        }
    }

    /// The number of its parameters in millions.
    pub fn millions(&self) -> f64 {
        self.record.parameters as f64 / 1e6
    }

    /// Its columns in data files.
    pub fn column() -> Column<'a, Self> {
        data_only()
            .text("dataset", |it: &Self| &it.record.dataset)
            .text("dataset_title", |it| &it.record.dataset_title)
            .text("network", |it| &it.record.model)
            .data("network_width", "share", |it| {
                let width = width(it.record).map_or(Some(1.0), |width| width.as_f64());
                Cell::maybe(width, Cell::Scientific)
            })
            .data("target", "", |it| Cell::text(it.record.id.to_string()))
            .text("target_variant", |it| &it.variant)
    }
}
