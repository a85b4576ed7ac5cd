//! What sensitive samples look like, and in what the two members of a pair differ.

use std::collections::BTreeMap;

use spec::Scale;
use store::{SetRecord, TargetRecord};
use verify::{Pixels, SensitiveSet};

use crate::figure::{self, Figure};
use crate::long::{Fields, align, done, of_target, skipped};
use crate::names::{network, rank, stem, title};
use crate::pool::targets;
use crate::variants::{departures, fields};
use crate::{Cell, Column, Document, NotRun, Records, Row, Source, Table};

/// The most samples that a sheet shows.
const SHOWN: usize = 16;

/// A set of which it is known what its images are like.
struct Seen<'a> {
    target: &'a TargetRecord,
    /// What tells the target from others, and the samples from others of the same generator; mostly empty.
    variants: [String; 2],
    record: &'a SetRecord,
    pixels: Pixels,
    /// The images, if they are at hand.
    set: Option<&'a SensitiveSet>,
}

/// Sheets of the first set of each generator.
pub fn build(records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let (mut all, mut unknown) = (Vec::new(), 0);
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
                for record in same {
                    let set = records.samples.get(&record.id);
                    let Some(pixels) = record.pixels.or_else(|| set.map(Pixels::of)) else {
                        unknown += 1;
                        continue;
                    };
                    all.push(Seen {
                        target,
                        variants: [variant.clone(), kind.clone()],
                        record,
                        pixels,
                        set,
                    });
                }
            }
        }
    }
    Document {
        tables: vec![table(&all, unknown, scale, not_run)],
        data: data(&all, scale, not_run),
        figures: all.iter().filter_map(|seen| seen.figure(scale)).collect(),
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

    fn figure(&self, scale: Scale) -> Option<(String, Figure)> {
        let set = self.set?;
        let title = format!("{}{}", self.names().join(", "), scale.title_suffix());
        let mut name = format!("{}-{}", stem(self.target), self.record.generator);
        if self.variants.iter().any(|variant| !variant.is_empty()) {
            name += &format!("-{}", self.record.id);
        }
        Some((name, figure::sheet(&title, &set.images, set.layout, SHOWN)))
    }
}

fn table(all: &[Seen], unknown: usize, scale: Scale, not_run: &[NotRun]) -> Table {
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
        let pixels = seen.pixels;
        let number = |value, decimals| Cell::number(value, decimals).resting_on(source());
        Row {
            begins: true,
            cells: vec![
                Cell::text(&dataset),
                Cell::text(&network),
                Cell::text(&generator),
                Cell::Count(seen.record.made),
                number(pixels.mean, 3),
                number(pixels.deviation, 3),
                Cell::maybe(pixels.pairs, |pairs| {
                    Cell::Scientific(pairs.largest).resting_on(source())
                }),
                Cell::maybe(pixels.pairs, |pairs| number(100.0 * pairs.share, 1)),
            ],
        }
    };
    let mut notes: Vec<_> = not_run.iter().map(NotRun::note).collect();
    let unseen = all.iter().filter(|seen| seen.set.is_none()).count();
    notes.push(if all.is_empty() && unknown == 0 {
        "Nothing has been computed yet.".to_owned()
    } else {
        format!("Pixels are in [0, 1]. The sheets show at most {SHOWN} samples of each first set.")
    });
    notes.extend(
        (unseen > 0)
            .then(|| format!("Sets without a sheet, as their images are not here: {unseen}.")),
    );
    notes.extend((unknown > 0).then(|| {
        format!(
            "Sets without a row, as neither their images nor numbers of them are here: {unknown}."
        )
    }));
    Table {
        title: format!("What samples look like{}", scale.title_suffix()),
        columns,
        heads: 3,
        stacked: false,
        rows: all.iter().map(row).collect(),
        notes,
    }
}

fn data(all: &[Seen], scale: Scale, not_run: &[NotRun]) -> Table {
    let row = |seen: &Seen| -> Fields {
        let mut row = done(scale);
        let pixels = seen.pixels;
        let [target, samples] = &seen.variants;
        row.extend(of_target(seen.target, target));
        row.extend([
            ("generator", Cell::text(&seen.record.generator)),
            ("generator_variant", Cell::text(samples)),
            ("set", Cell::text(seen.record.id.to_string())),
            ("samples", Cell::Count(seen.record.made)),
            ("mean", Cell::Scientific(pixels.mean)),
            ("deviation", Cell::Scientific(pixels.deviation)),
            (
                "largest_difference",
                Cell::maybe(pixels.pairs, |pairs| Cell::Scientific(pairs.largest)),
            ),
            (
                "share_that_differs",
                Cell::maybe(pixels.pairs, |pairs| Cell::Scientific(pairs.share)),
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
