//! What sensitive samples look like, and in what the two members of a pair differ.

use std::collections::BTreeMap;

use spec::Scale;
use store::{SetRecord, TargetRecord};
use verify::{Layout, SensitiveSet};

use crate::figure::{self, Figure};
use crate::long::{Fields, align, done, skipped};
use crate::pool::{departures, fields, network, rank, targets, title};
use crate::{Cell, Column, Document, NotRun, Records, Row, Source, Table};

/// The most samples that a sheet shows.
const SHOWN: usize = 16;

/// A set whose images are at hand.
struct Seen<'a> {
    target: &'a TargetRecord,
    /// What tells the target from others, and the samples from others of the same generator; mostly empty.
    variants: [String; 2],
    record: &'a SetRecord,
    set: &'a SensitiveSet,
}

/// Sheets of the first set of each generator.
pub fn build(records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let mut all = Vec::new();
    for (variant, target) in targets(records) {
        let sets = records.sets.iter();
        let first = sets.filter(|set| set.target == target.id && set.seed == 0);
        let mut generators: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in first {
            let name = record.generator.as_str();
            generators
                .entry((rank(name), name))
                .or_default()
                .push(record);
        }
        for records_of in generators.into_values() {
            for (kind, same) in departures(records_of, |set| fields(&set.spec, &["seed"])) {
                all.extend(same.into_iter().filter_map(|record| {
                    Some(Seen {
                        target,
                        variants: [variant.clone(), kind.clone()],
                        record,
                        set: records.samples.get(&record.id)?,
                    })
                }));
            }
        }
    }
    Document {
        tables: vec![table(&all, scale, not_run)],
        data: data(&all, scale, not_run),
        figures: all.iter().map(|seen| seen.figure(scale)).collect(),
    }
}

impl Seen<'_> {
    fn names(&self) -> [String; 3] {
        let [target, samples] = &self.variants;
        let network = network(self.target);
        let network = match target.as_str() {
            "" => network,
            variant => format!("{network}, {variant}"),
        };
        let dataset = self.target.dataset_title.clone();
        [dataset, network, title(&self.record.generator, samples)]
    }

    fn figure(&self, scale: Scale) -> (String, Figure) {
        let title = format!("{}{}", self.names().join(", "), scale.title_suffix());
        let mut name = format!(
            "{}-{}-{}",
            self.target.dataset, self.target.model, self.record.generator
        );
        if self.variants.iter().any(|variant| !variant.is_empty()) {
            name += &format!("-{}", self.record.id);
        }
        let sheet = figure::sheet(&title, &self.set.images, self.set.layout, SHOWN);
        (name, sheet)
    }

    /// Mean and standard deviation of all pixels.
    fn pixels(&self) -> (f64, f64) {
        let pixels = self.set.images.data();
        let n = pixels.len() as f64;
        let mean = pixels.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let squares = pixels.iter().map(|&x| (f64::from(x) - mean).powi(2));
        (mean, (squares.sum::<f64>() / n).sqrt())
    }

    /// The largest difference between the members of a pair, and the share of pixels that differ at all; none of single samples.
    fn difference(&self) -> Option<(f64, f64)> {
        if self.set.layout != Layout::Pairs {
            return None;
        }
        let (mut largest, mut changed, mut of) = (0.0f64, 0u64, 0u64);
        for pair in 0..self.set.samples() {
            let (a, b) = (
                self.set.images.image(2 * pair),
                self.set.images.image(2 * pair + 1),
            );
            for (&a, &b) in a.iter().zip(b) {
                largest = largest.max((f64::from(a) - f64::from(b)).abs());
                changed += u64::from(a != b);
                of += 1;
            }
        }
        Some((largest, changed as f64 / of as f64))
    }
}

fn table(all: &[Seen], scale: Scale, not_run: &[NotRun]) -> Table {
    let columns = vec![
        Column::left("data set"),
        Column::left("network"),
        Column::left("samples"),
        Column::right("", "number"),
        Column::right("pixels", "mean"),
        Column::right("pixels", "deviation"),
        Column::right("of a pair", "largest difference"),
        Column::right("of a pair", "pixels that differ, %"),
    ];
    let row = |seen: &Seen| {
        let [dataset, network, generator] = seen.names();
        let source = || {
            let what = format!("{dataset}, {network}: {generator}");
            Source::new(what, [seen.record.id, seen.target.id])
        };
        let (mean, deviation) = seen.pixels();
        let difference = seen.difference();
        let number = |value, decimals| Cell::number(value, decimals).resting_on(source());
        Row {
            begins: true,
            cells: vec![
                Cell::text(&dataset),
                Cell::text(&network),
                Cell::text(&generator),
                Cell::Count(seen.set.samples() as u64),
                number(mean, 3),
                number(deviation, 3),
                Cell::maybe(difference, |(largest, _)| {
                    Cell::Scientific(largest).resting_on(source())
                }),
                Cell::maybe(difference, |(_, share)| number(100.0 * share, 1)),
            ],
        }
    };
    let mut notes: Vec<_> = not_run.iter().map(NotRun::note).collect();
    notes.push(if all.is_empty() {
        "Nothing has been computed yet.".to_owned()
    } else {
        format!("Pixels are in [0, 1]. The sheets show at most {SHOWN} samples of each first set.")
    });
    Table {
        title: format!("What samples look like{}", scale.title_suffix()),
        columns,
        heads: 3,
        rows: all.iter().map(row).collect(),
        notes,
    }
}

fn data(all: &[Seen], scale: Scale, not_run: &[NotRun]) -> Table {
    let row = |seen: &Seen| -> Fields {
        let mut row = done(scale);
        let (mean, deviation) = seen.pixels();
        let difference = seen.difference();
        row.extend([
            ("dataset", Cell::text(&seen.target.dataset)),
            ("network", Cell::text(&seen.target.model)),
            ("target_id", Cell::text(seen.target.id.to_string())),
            ("generator", Cell::text(&seen.record.generator)),
            ("set_id", Cell::text(seen.record.id.to_string())),
            ("samples", Cell::Count(seen.set.samples() as u64)),
            ("mean", Cell::Scientific(mean)),
            ("deviation", Cell::Scientific(deviation)),
            (
                "largest_difference",
                Cell::maybe(difference, |(largest, _)| Cell::Scientific(largest)),
            ),
            (
                "share_that_differs",
                Cell::maybe(difference, |(_, share)| Cell::Scientific(share)),
            ),
        ]);
        row
    };
    let mut rows: Vec<Fields> = all.iter().map(row).collect();
    rows.extend(not_run.iter().map(|missing| skipped(missing, scale)));
    align(
        format!("What samples look like, data{}", scale.title_suffix()),
        rows,
    )
}
