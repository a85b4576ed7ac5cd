//! What sensitive samples look like, and how the two members of a pair differ.

use std::collections::BTreeMap;

use brink_store::SetRecord;
use brink_verify::{Pixels, SensitiveSet};

use super::columns::{Column, Input, data_only, number, words};
use super::names::{rank, title};
use super::subject::Subject;
use super::target::Target;
use crate::document::Document;
use crate::document::figure::{Figure, Sheet};
use crate::document::table::{Cell, Source};
use crate::label::{differences_from_default, fields};

pub const SUBJECT: Subject = Subject::Samples;

/// The most samples that a sheet shows.
const SHOWN: usize = 16;

/// A set whose images are here, or numbers of them.
struct Seen<'a> {
    target: Target<'a>,
    /// What distinguishes the samples from others of the same generator; mostly empty.
    variant: String,
    /// The title of the generator and its variant.
    title: String,
    record: &'a SetRecord,
    pixels: Pixels,
    /// The images, if they are here.
    set: Option<&'a SensitiveSet>,
}

/// Numbers and a sheet of the first set of each generator.
pub fn build(input: &Input) -> Document {
    let (all, unknown) = seen(input);
    let columns = columns();
    Document {
        tables: vec![input.table(
            "What samples look like",
            3,
            &columns,
            &all,
            |_| true,
            notes(input, &all, unknown),
        )],
        data: input.data("What samples look like", &columns, &all),
        figures: all.iter().filter_map(|seen| seen.figure(input)).collect(),
    }
}

/// The first sets, and the number of those of which nothing is known.
fn seen<'a>(input: &Input<'a>) -> (Vec<Seen<'a>>, usize) {
    let records = input.records;
    let (mut all, mut unknown) = (Vec::new(), 0);
    for target in Target::all(records) {
        let sets = records.sets.iter();
        let first = sets.filter(|set| set.target == target.record.id && set.seed == 0);
        let mut generators: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in first {
            let name = record.generator.as_str();
            let of = generators.entry((rank(name), name)).or_default();
            of.push(record);
        }
        let kinds = generators.into_values().flat_map(|records| {
            differences_from_default(records, |set| fields(&set.spec, &["seed"]))
        });
        for (variant, same) in kinds {
            for record in same {
                let set = records.samples.get(&record.id);
                let Some(pixels) = record.pixels.or_else(|| set.map(Pixels::of)) else {
                    unknown += 1;
                    continue;
                };
                all.push(Seen {
                    target: target.clone(),
                    variant: variant.clone(),
                    title: title(records, &record.generator, &variant),
                    record,
                    pixels,
                    set,
                });
            }
        }
    }
    (all, unknown)
}

impl Seen<'_> {
    fn number(&self, value: f64, decimals: usize) -> Cell {
        Cell::number(value, decimals).resting_on(self.source())
    }

    fn source(&self) -> Source {
        let (dataset, network) = (
            &self.target.record.dataset_title,
            self.target.network_and_variant(),
        );
        let what = format!("{dataset}, {network}: {}", self.title);
        Source::new(what, [self.record.id, self.target.record.id])
    }

    fn figure(&self, input: &Input) -> Option<(String, Figure)> {
        let set = self.set?;
        let (dataset, network) = (
            &self.target.record.dataset_title,
            self.target.network_and_variant(),
        );
        let title = input.title(format!("{dataset}, {network}, {}", self.title));
        let mut name = format!("{}-{}", self.target.stem(), self.record.generator);
        if !self.target.variant.is_empty() || !self.variant.is_empty() {
            name += &format!("-{}", self.record.id);
        }
        let sheet = Sheet::of(&title, &set.images, set.layout, SHOWN);
        Some((name, Figure::Sheet(sheet)))
    }
}

fn columns<'a>() -> Vec<Column<'a, Seen<'a>>> {
    vec![
        words("data set", |it: &Seen| {
            Cell::text(&it.target.record.dataset_title)
        }),
        words("network", |it: &Seen| {
            Cell::text(it.target.network_and_variant())
        }),
        Target::column().of(|it: &Seen<'a>| Some(it.target.clone())),
        words("samples", |it: &Seen| Cell::text(&it.title))
            .text("generator", |it| &it.record.generator)
            .text("generator_variant", |it| &it.variant),
        data_only().data("set", "", |it: &Seen| Cell::text(it.record.id.to_string())),
        number("", "number", |it: &Seen| Cell::Count(it.record.made)).count(
            "samples",
            "count",
            |it| it.record.made,
        ),
        number("pixels", "mean", |it: &Seen| it.number(it.pixels.mean, 3)).real(
            "mean",
            "pixel",
            |it| it.pixels.mean,
        ),
        number("pixels", "deviation", |it: &Seen| {
            it.number(it.pixels.deviation, 3)
        })
        .real("deviation", "pixel", |it| it.pixels.deviation),
        number("of a pair", "largest difference", |it: &Seen| {
            Cell::maybe(it.pixels.pairs, |pairs| {
                Cell::Scientific(pairs.largest).resting_on(it.source())
            })
        })
        .data("largest_difference", "pixel", |it| {
            Cell::maybe(it.pixels.pairs, |pairs| Cell::Scientific(pairs.largest))
        }),
        number("of a pair", "pixels that differ, %", |it: &Seen| {
            Cell::maybe(it.pixels.pairs, |pairs| it.number(100.0 * pairs.share, 1))
        })
        .data("share_that_differs", "share", |it| {
            Cell::maybe(it.pixels.pairs, |pairs| Cell::Scientific(pairs.share))
        }),
    ]
}

fn notes(input: &Input, all: &[Seen], unknown: usize) -> Vec<String> {
    let unseen = all.iter().filter(|seen| seen.set.is_none()).count();
    let mut notes = input.notes(
        all.is_empty() && unknown == 0,
        format!("Pixels are in [0, 1]. The sheets show at most {SHOWN} samples of each first set."),
    );
    notes.extend(
        (unseen > 0)
            .then(|| format!("Sets without a sheet, as their images are not here: {unseen}.")),
    );
    notes.extend((unknown > 0).then(|| {
        format!(
            "Sets without a row, as neither their images nor numbers of them are here: {unknown}."
        )
    }));
    notes
}
