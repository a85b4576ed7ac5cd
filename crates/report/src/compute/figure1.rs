//! Figure 1 of real numbers: the keyed margin around a pair, before and after the model changed, and how far the boundary moved.

use brink_store::{Measured, Slice};

use super::columns::{Column, Input, data_only, number, words};
use super::fields::{AttackFields, SliceFields, read};
use super::probes::ProbeGroup;
use super::subject::{Probe, Subject};
use crate::document::Document;
use crate::document::figure::{self, Field, Figure};
use crate::document::table::Cell;

pub const SUBJECT: Subject = Subject::Probe(Probe::Slice);

/// One pair.
struct Cut<'a> {
    group: ProbeGroup<'a>,
    slice: &'a Slice,
}

/// One point of the plane through a pair.
struct Point<'a> {
    cut: &'a Cut<'a>,
    /// Its place among the margins.
    nth: usize,
}

/// The boundary around pairs.
pub fn build(input: &Input) -> Document {
    let groups = ProbeGroup::all(input.records, Probe::Slice, &[]);
    let cuts = groups.into_iter().filter_map(|group| {
        let slice = group.probes.iter().find_map(|probe| match &probe.result {
            Measured::Slice(slice) => Some(slice),
            _ => None,
        })?;
        Some(Cut { group, slice })
    });
    let cuts: Vec<Cut> = cuts.collect();
    let points = cuts.iter().flat_map(|cut| {
        let points = cut.slice.before.len().min(cut.slice.after.len());
        (0..points).map(move |nth| Point { cut, nth })
    });
    let notes = input.notes(
        cuts.is_empty(),
        "Boundary at: where it crosses the line through the two members, in distances between them; they are at -0.5 and 0.5. Outside of \
         that the pair has noticed. A dash: it is further away than was looked. The vertical axis of the figures is a direction at random, \
         at a right angle to the pair.",
    );
    let title = "Figure 1: the boundary around a pair";
    Document {
        tables: vec![input.table(title, 3, &columns(), &cuts, |_| true, notes)],
        data: input.data("Figure 1", &data(), &points.collect::<Vec<_>>()),
        figures: cuts.iter().map(|cut| cut.figure(input)).collect(),
    }
}

impl Cut<'_> {
    /// What happened to the model, e.g. `finetune, lr 1e-8`; empty if the record does not say.
    fn attack(&self) -> String {
        let probe = self.group.probes.first();
        let fields = probe.and_then(|probe| read::<SliceFields>(&probe.spec));
        let attack = fields.and_then(|fields| fields.attack.into_iter().next());
        attack.map_or_else(String::new, |(name, fields)| {
            match read::<AttackFields>(&fields).and_then(|fields| fields.lr) {
                Some(lr) => format!("{name}, lr {lr:e}"),
                None => name,
            }
        })
    }

    /// Where the boundary crosses the line through the two members, nearest to their middle, in distances between them. The
    /// members are at -0.5 and 0.5.
    fn crossing(&self, margins: &[f32]) -> Cell {
        let side = self.slice.side as usize;
        let row = &margins[side / 2 * side..][..side];
        let crossings = row.windows(2).enumerate().filter_map(|(at, pair)| {
            let (a, b) = (f64::from(pair[0]), f64::from(pair[1]));
            let column = at as f64 + a / (a - b);
            let place = self.slice.reach * (2.0 * column / (side - 1) as f64 - 1.0);
            ((a > 0.0) != (b > 0.0)).then(|| place / self.slice.gap)
        });
        let nearest = crossings.min_by(|a, b| a.abs().total_cmp(&b.abs()));
        Cell::maybe(nearest, |at| {
            let source = self.group.source("a pair");
            Cell::number(at, 2).resting_on(source.fact("points", format!("{side} x {side}")))
        })
    }

    fn figure(&self, input: &Input) -> (String, Figure) {
        let Slice {
            side,
            reach,
            gap,
            before,
            after,
        } = self.slice;
        let side = *side as usize;
        let field = |margins: &Vec<f32>| Field {
            size: (side, side),
            margins: margins.clone(),
            x: (-reach, *reach),
            y: (-reach, *reach),
        };
        let panels = [
            ("as delivered".to_owned(), field(before)),
            (format!("after {}", self.attack()), field(after)),
        ];
        let title = format!("The keyed margin around a pair: {}", self.group.title());
        let pair = [(-gap / 2.0, 0.0), (gap / 2.0, 0.0)];
        let mut name = self.group.target.stem();
        if self.group.lines().len() > 2 {
            name += &format!("-{}", self.group.probes[0].id);
        }
        let figure = figure::Slice::new(&input.title(title), panels, pair);
        (name, Figure::Slice(figure))
    }
}

impl Point<'_> {
    /// A place on an axis, in pixel space.
    fn place(&self, at: usize) -> Cell {
        let Slice { side, reach, .. } = self.cut.slice;
        Cell::Scientific(reach * (2.0 * at as f64 / (*side as usize - 1) as f64 - 1.0))
    }

    fn side(&self) -> usize {
        self.cut.slice.side as usize
    }
}

fn columns<'a>() -> Vec<Column<'a, Cut<'a>>> {
    vec![
        words("data set", |it: &Cut| it.group.dataset()),
        words("network", |it: &Cut| it.group.network()),
        words("attack", |it: &Cut| Cell::text(it.attack())),
        number("", "distance of the pair", |it: &Cut| {
            Cell::Scientific(it.slice.gap)
        }),
        number("boundary at", "before", |it: &Cut| {
            it.crossing(&it.slice.before)
        }),
        number("boundary at", "after", |it: &Cut| {
            it.crossing(&it.slice.after)
        }),
    ]
}

fn data<'a>() -> Vec<Column<'a, Point<'a>>> {
    let mut columns = ProbeGroup::columns(|it: &Point<'a>| &it.cut.group);
    columns.push(
        data_only()
            .data("attack", "", |it: &Point| Cell::text(it.cut.attack()))
            .data("x", "pixel", |it| it.place(it.nth % it.side()))
            .data("y", "pixel", |it| it.place(it.nth / it.side()))
            .real("before", "margin", |it| {
                f64::from(it.cut.slice.before[it.nth])
            })
            .real("after", "margin", |it| {
                f64::from(it.cut.slice.after[it.nth])
            }),
    );
    columns
}
