//! The notes below detection tables.

use std::collections::{BTreeMap, BTreeSet};

use brink_store::Id;
use brink_store::SetRecord;
use brink_verify::{Rate, control};

use super::super::aggregate::{Block, REDUCED};
use super::super::kinds::unsaid;
use super::super::names::{rank, title};
use super::super::paper::{Comparability, Setting as Printed};
use super::super::study::Setting;
use super::columns::MARK;
use super::{Findings, Samples};
use crate::document::table::Row;
use crate::label::{fields, variants};

/// How the note begins that says what the names of rows leave out.
const UNLESS: &str = "Unless a row says otherwise";

/// Whether a note explains a mark or the names of rows, rather than where the numbers come from.
pub fn is_legend(note: &str) -> bool {
    note.starts_with(MARK) || note.starts_with(UNLESS)
}

impl Findings<'_> {
    /// The notes of the table of rates.
    pub fn notes(
        &self,
        samples: &[Samples],
        reference: Option<&Printed>,
        rows: &[Row],
    ) -> Vec<String> {
        let blocks = &self.blocks;
        let mut notes = self.input.notes(blocks.is_empty(), self.pairing());
        if blocks.is_empty() {
            return notes;
        }
        let unsaid = unsaid(self.study, self.input.records);
        notes.extend(unsaid.map(|what| format!("{UNLESS}: {what}.")));
        notes.push(self.controls());
        for block in blocks {
            let (title, extent) = (block.title(), block.extent().join(", "));
            let top1 = block.target.record.accuracy;
            // tract's answers may depend on the batch, and its kernels on the processor.
            let engine = match block.target.record.model.as_str() {
                "onnx" => "; tract answers, one image at a time",
                _ => "",
            };
            notes.push(format!("{title}: top-1 {top1}; {extent}{engine}."));
            let reduced = block.reduced(self.input.scale);
            notes.extend(reduced.map(|how| format!("{title}: {REDUCED}: {how}.")));
            notes.extend(self.comparison(block));
        }
        notes.extend(self.gaps());
        notes.extend(unlike(blocks));
        if let Some(printed) = reference {
            notes.push(format!(
                "paper ({printed}): printed values of another experiment, for orientation only; compare the shape of the \
                 rows, not the numbers."
            ));
        }
        notes.extend(marked(rows));
        let missing = samples.iter().filter(|(generator, variant)| {
            let mut blocks = blocks.iter();
            !blocks.any(|block| block.series(generator, variant).is_some())
        });
        let missing: Vec<_> = missing.map(|samples| self.name(*samples)).collect();
        notes.extend(
            (!missing.is_empty()).then(|| format!("No results of: {}.", missing.join(", "))),
        );
        notes
    }

    /// The notes of a table of whole sets, its `own` after what the counts mean.
    pub fn notes_of_sets(&self, own: Vec<String>) -> Vec<String> {
        let mut notes = self.input.notes(self.blocks.is_empty(), self.pairing());
        if !self.blocks.is_empty() {
            notes.extend(own);
            notes.extend(self.gaps());
        }
        notes
    }

    /// What has not been computed, a note a block.
    pub fn gaps(&self) -> impl Iterator<Item = String> {
        self.blocks.iter().chain(&self.idle).filter_map(|block| {
            let gap = block.gap(self.study)?;
            Some(format!("{}: {gap}.", block.title()))
        })
    }

    /// What the rates count, and which samples are pairs.
    fn pairing(&self) -> String {
        let series = self.blocks.iter().flat_map(|block| &block.series);
        let paired: BTreeSet<_> = series
            .filter(|series| series.are_pairs())
            .map(|series| {
                (
                    rank(series.generator),
                    title(self.input.records, series.generator, ""),
                )
            })
            .collect();
        let paired: Vec<_> = paired.into_iter().map(|(_, title)| title).collect();
        let pairs = match &paired[..] {
            [] => "Pairs are of two samples drawn at random, as the paper does.".to_owned(),
            [own] => format!(
                "{own} judges its own pairs, the others pairs of two samples drawn at random, as the paper does."
            ),
            own => format!(
                "{} judge their own pairs, the others pairs of two samples drawn at random, as the paper does.",
                own.join(" and ")
            ),
        };
        let leaks = match self.leaks() {
            true => " Where pairs leaked to the attacker, counts are of the others.",
            false => "",
        };
        format!(
            "single: samples whose label changed; pair: pairs of which at least one member's label changed. {pairs}{leaks}"
        )
    }

    /// The controls, and their false alarms.
    fn controls(&self) -> String {
        let series = self.blocks.iter().flat_map(|block| &block.series);
        // A set stands under every kind of attack, and counts once.
        let sets: BTreeMap<Id, _> = series
            .flat_map(|series| &series.sets)
            .map(|set| (set.id, control::alarms(&set.controls)[0]))
            .collect();
        let alarms: Rate = sets.into_values().sum();
        let mut note = format!(
            "untouched: false alarms, the unmodified model asked again about the same samples (other batch sizes, order, \
             threads): {}/{} samples changed their label in at least one of these ways.",
            alarms.hits(),
            alarms.of()
        );
        let settings = || self.blocks.iter().flat_map(Block::settings);
        if settings().any(|setting| *setting == Setting::Unchanged) {
            note.push_str(" unchanged: a control, an attack that changes nothing.");
        }
        if settings().any(|setting| *setting == Setting::OtherEngine) {
            note.push_str(
                " another engine: false alarms, the same weights in other engines of f32 and f64, all pooled.",
            );
        }
        let control = self.study.variable.and_then(|variable| variable.control);
        let zero = settings().any(|setting| setting.value() == Some(0.0));
        if let Some(control) = control.filter(|_| zero) {
            note.push(' ');
            note.push_str(control);
            if self.blocks.iter().any(Block::moves_at_zero) {
                note.push_str(
                    "; where batch normalisation is in training mode its running statistics move all the same, and it is none",
                );
            }
            note.push('.');
        }
        note
    }

    /// How far the paper's numbers beside a block compare.
    fn comparison(&self, block: &Block) -> Option<String> {
        let (title, comparability) = (block.title(), block.comparability());
        let printed = comparability.setting();
        if !self.prints(printed) {
            return None;
        }
        let shown = format!(
            "paper: {} beside {title}: as printed for {printed} (top-1 {} %), ",
            printed.title, printed.top1
        );
        Some(match comparability {
            Comparability::Same(_) => shown + "the same data set and network.",
            Comparability::Related(_) => {
                shown + "not the same experiment: another " + difference(block, printed) + "."
            }
            Comparability::Unrelated(_) => format!("{title} is not in the paper."),
        })
    }
}

/// What the mark means, if a row has it.
pub fn marked(rows: &[Row]) -> Option<String> {
    let mut cells = rows.iter().flat_map(|row| &row.cells);
    cells.any(|cell| cell.mark() == MARK).then(|| {
        format!(
            "{MARK} in at least one run all labels coincide after the attack, and did not before: of that run the rate is the \
             balance of the reference labels, not a sensitivity."
        )
    })
}

/// How a related target differs from the paper's.
fn difference(block: &Block, printed: &Printed) -> &'static str {
    let target = block.target.record;
    let network = printed.has_the_network_of(target);
    match (target.dataset == printed.dataset, network) {
        (true, _) => "network",
        (false, true) => "form of the data set",
        (false, false) => "form of the data set and another network",
    }
}

/// The columns whose samples were made differently on some targets.
fn unlike(blocks: &[Block]) -> Vec<String> {
    let mut columns: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for block in blocks {
        for series in &block.series {
            let column = (rank(series.generator), series.title.clone());
            let set = series.sets.first().copied();
            columns
                .entry(column)
                .or_default()
                .extend(set.map(|set| (block.target.lines().join(", "), set)));
        }
    }
    let note = |((_, column), sets): ((usize, String), BTreeMap<String, &SetRecord>)| {
        let kinds = variants(sets.into_iter().collect(), |(_, set)| {
            fields(&set.spec, &["seed"])
        });
        let kinds = kinds.iter().map(|(kind, sets)| {
            let targets: Vec<_> = sets.iter().map(|(target, _)| target.as_str()).collect();
            let how = match kind.as_str() {
                "" => "without these fields".to_owned(),
                kind => format!("with {kind}"),
            };
            format!("{} {how}", targets.join("; "))
        });
        let kinds: Vec<_> = kinds.collect();
        (kinds.len() > 1).then(|| {
            let kinds = kinds.join(" | ");
            format!("{column} is not of the same making everywhere: {kinds}.")
        })
    };
    columns.into_iter().filter_map(note).collect()
}
