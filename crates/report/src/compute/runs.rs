//! All runs of a grid in long form, for pandas, DuckDB and others: one row for each run and rate.

use std::collections::BTreeMap;

use brink_store::{RunRecord, SetRecord, TargetRecord};
use brink_verify::{LabelSpace, Layout, Rate};

use super::paper::Measure;
use crate::document::table::{Cell, Heading, Row, Table};
use crate::records::Records;

/// A row: one of the two rates of a run.
struct Run<'a> {
    record: &'a RunRecord,
    target: &'a TargetRecord,
    set: &'a SetRecord,
    measure: Measure,
}

impl Run<'_> {
    fn rate(&self) -> Rate {
        self.measure.of(self.record)
    }

    /// The rate of what leaked, if anything did.
    fn leaked(&self) -> Option<Rate> {
        let leaked = self.record.leaked?;
        Some(match self.measure {
            Measure::Single => leaked.single,
            Measure::Pair => leaked.pair,
        })
    }

    /// The rate by the network's own classes, if it was recorded.
    fn by_classes(&self) -> Option<Rate> {
        let classes = self.record.classes?;
        Some(match self.measure {
            Measure::Single => classes.single,
            Measure::Pair => classes.pair,
        })
    }
}

/// A column: name, unit, meaning and value.
type Field = (&'static str, &'static str, &'static str, fn(&Run) -> Cell);

fn text(value: impl ToString) -> Cell {
    Cell::text(value.to_string())
}

/// A number that data files do not round.
fn real(value: f64) -> Cell {
    Cell::number(value, 4)
}

/// Each line is a column: its name, unit and meaning, and its value in the run `it`.
macro_rules! fields {
    ($it:ident: $($name:literal $unit:literal $meaning:literal => $value:expr;)*) => {
        &[$(($name, $unit, $meaning, |$it| $value),)*]
    };
}

const COLUMNS: &[Field] = fields! { it:
    "run" "" "id of the run" => text(it.record.id);
    "target" "" "id of the model under protection" => text(it.target.id);
    "set" "" "id of the sample set" => text(it.set.id);
    "dataset" "" "data set" => text(&it.target.dataset);
    "network" "" "architecture" => text(&it.target.model);
    "target_spec" "" "the target's specification, as JSON" => text(&it.target.spec);
    "target_seed" "" "seed of the target" => Cell::Count(it.target.seed);
    "generator" "" "generator of the samples" => text(&it.set.generator);
    "generator_spec" "" "the generator's specification, as JSON" => text(&it.set.spec);
    "set_seed" "" "seed of the sample set" => Cell::Count(it.set.seed);
    "own_pairs" "" "whether the samples were made as pairs" => Cell::Flag(it.set.layout == Layout::Pairs);
    "keyed" "" "whether labels are the keyed head's, not classes" => Cell::Flag(it.set.label_space == LabelSpace::Head);
    "samples_made" "count" "samples, or pairs, in the set" => Cell::Count(it.set.made);
    "iterations_used" "count" "iterations of stage 1" => Cell::Count(it.set.iterations_used);
    "iterations_cap" "count" "most iterations of stage 1" => Cell::Count(it.set.iterations_cap);
    "attack" "" "attack on the model" => text(&it.record.attack);
    "attack_spec" "" "the attack's specification, as JSON" => text(&it.record.spec);
    "attack_seed" "" "seed of the attack" => Cell::Count(it.record.seed);
    "measure" "" "single: changed images; pair: pairs with such an image" => text(it.measure.name());
    "hits" "count" "images, or pairs, that noticed" => Cell::Count(it.rate().hits());
    "of" "count" "images, or pairs, that were asked" => Cell::Count(it.rate().of());
    "rate" "share" "hits / of" => real(it.rate().value());
    "leaked_hits" "count" "hits among the images, or pairs, that the attacker knew; hits and of are of the others" => Cell::maybe(it.leaked(), |rate| Cell::Count(rate.hits()));
    "leaked_of" "count" "images, or pairs, that the attacker knew" => Cell::maybe(it.leaked(), |rate| Cell::Count(rate.of()));
    "classes_hits" "count" "hits by the network's own classes" => Cell::maybe(it.by_classes(), |rate| Cell::Count(rate.hits()));
    "same_label" "" "whether all labels are the same afterwards" => Cell::Flag(it.record.same_label);
    "steps" "count" "optimiser steps of the attack" => Cell::Count(it.record.steps);
    "weights" "count" "weights of the model" => Cell::Count(it.record.change.weights);
    "weights_changed" "count" "weights whose bits changed" => Cell::Count(it.record.change.changed);
    "mean_abs_change" "weight" "mean absolute change over all weights" => real(it.record.change.mean_abs);
    "max_abs_change" "weight" "largest absolute change of a weight" => real(it.record.change.max_abs);
    "reached" "" "whether the attacker reached their aim, if any" => Cell::maybe(it.record.reached, Cell::Flag);
    "top1_before" "share" "top-1 accuracy before the attack" => real(it.record.accuracy_before.value());
    "top1_after" "share" "top-1 accuracy after the attack" => real(it.record.accuracy_after.value());
    "device" "" "device that computed it" => text(&it.record.provenance.device);
    "seconds" "s" "time that it took" => real(it.record.provenance.seconds);
};

/// The table of all runs whose target and set have records. A column in which no run has a value is of text.
pub fn runs(records: &Records) -> Table {
    let targets = records.targets.iter().map(|target| (target.id, target));
    let targets: BTreeMap<_, _> = targets.collect();
    let sets: BTreeMap<_, _> = records.sets.iter().map(|set| (set.id, set)).collect();
    let runs = records.runs.iter().filter_map(|record| {
        let (target, set) = (*targets.get(&record.target)?, *sets.get(&record.set)?);
        Some([Measure::Single, Measure::Pair].map(|measure| Run {
            record,
            target,
            set,
            measure,
        }))
    });
    let rows = runs.flatten().map(|run| Row {
        begins: false,
        cells: COLUMNS.iter().map(|(.., value)| value(&run)).collect(),
    });
    let columns = COLUMNS.iter().map(|&(name, unit, meaning, _)| Heading {
        unit,
        meaning,
        ..Heading::left(name)
    });
    Table {
        title: "Runs".to_owned(),
        columns: columns.collect(),
        heads: 0,
        stacked: false,
        rows: rows.collect(),
        notes: Vec::new(),
    }
}
