//! Figure 1 of real numbers: the keyed margin around a pair, before and after the model changed, and how far the boundary moved.

use spec::Scale;
use store::{Measured, Slice};

use crate::figure::{self, Field, Figure};
use crate::long::{Fields, align, done, skipped};
use crate::names::stem;
use crate::probes::Asked;
use crate::{Cell, Column, Document, NotRun, Records, Row, Source, Table};

/// One pair.
struct Cut<'a> {
    asked: Asked<'a>,
    slice: &'a Slice,
}

/// The boundary around pairs.
pub fn build(records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let all = Asked::all(records, &[], |probe| {
        matches!(probe.result, Measured::Slice(_))
    });
    let cuts = all.into_iter().filter_map(|asked| {
        let slice = asked.probes.iter().find_map(|probe| match &probe.result {
            Measured::Slice(slice) => Some(slice),
            _ => None,
        })?;
        Some(Cut { asked, slice })
    });
    let cuts: Vec<Cut> = cuts.collect();
    Document {
        tables: vec![table(&cuts, scale, not_run)],
        data: data(&cuts, scale, not_run),
        figures: cuts.iter().map(|cut| cut.figure(scale)).collect(),
    }
}

impl Cut<'_> {
    /// What happened to the model, e.g. `finetune, lr 1e-8`.
    fn attack(&self) -> String {
        let spec = self.asked.probes.first().map(|probe| &probe.spec["attack"]);
        let entry = spec.and_then(|attack| attack.as_object()?.iter().next());
        entry.map_or_else(String::new, |(name, fields)| match fields["lr"].as_f64() {
            Some(lr) => format!("{name}, lr {lr:e}"),
            None => name.clone(),
        })
    }

    /// Where the boundary crosses the line through the two members, nearest to their middle, in distances between them: -0.5 and 0.5
    /// are the members.
    fn crossing(&self, margins: &[f32]) -> Option<f64> {
        let side = self.slice.side as usize;
        let row = &margins[side / 2 * side..][..side];
        let crossings = row.windows(2).enumerate().filter_map(|(at, pair)| {
            let (a, b) = (f64::from(pair[0]), f64::from(pair[1]));
            let column = at as f64 + a / (a - b);
            let place = self.slice.reach * (2.0 * column / (side - 1) as f64 - 1.0);
            ((a > 0.0) != (b > 0.0)).then(|| place / self.slice.gap)
        });
        crossings.min_by(|a, b| a.abs().total_cmp(&b.abs()))
    }

    fn figure(&self, scale: Scale) -> (String, Figure) {
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
        let title = format!(
            "The keyed margin around a pair: {}{}",
            self.asked.title(),
            scale.title_suffix()
        );
        let pair = [(-gap / 2.0, 0.0), (gap / 2.0, 0.0)];
        let mut name = stem(self.asked.target);
        if self.asked.lines.len() > 2 {
            name += &format!("-{}", self.asked.probes[0].id);
        }
        (name, figure::slice(&title, panels, pair))
    }
}

fn table(cuts: &[Cut], scale: Scale, not_run: &[NotRun]) -> Table {
    let columns = vec![
        Column::left("data set"),
        Column::left("network"),
        Column::left("attack"),
        Column::right("", "distance of the pair"),
        Column::right("boundary at", "before"),
        Column::right("boundary at", "after"),
    ];
    let row = |cut: &Cut| {
        let (dataset, network) = cut.asked.names();
        let source = || {
            let steps = cut.asked.probes.iter().map(|probe| probe.id);
            Source::new(
                format!("{}: a pair", cut.asked.title()),
                steps.chain([cut.asked.target.id]),
            )
            .fact("points", format!("{0} x {0}", cut.slice.side))
        };
        let place = |margins| {
            Cell::maybe(cut.crossing(margins), |at| {
                Cell::number(at, 2).resting_on(source())
            })
        };
        Row {
            begins: true,
            cells: vec![
                Cell::text(dataset),
                Cell::text(network),
                Cell::text(cut.attack()),
                Cell::Scientific(cut.slice.gap),
                place(&cut.slice.before),
                place(&cut.slice.after),
            ],
        }
    };
    let mut notes: Vec<_> = not_run.iter().map(NotRun::note).collect();
    notes.push(if cuts.is_empty() {
        "Nothing has been computed yet.".to_owned()
    } else {
        "Boundary at: where it crosses the line through the two members, in distances between them; they are at -0.5 and 0.5. Outside of \
         that the pair has noticed. A dash: it is further away than was looked. The vertical axis of the figures is a direction at random, \
         at a right angle to the pair."
            .to_owned()
    });
    Table {
        title: format!(
            "Figure 1: the boundary around a pair{}",
            scale.title_suffix()
        ),
        columns,
        heads: 3,
        stacked: false,
        rows: cuts.iter().map(row).collect(),
        notes,
    }
}

fn data(cuts: &[Cut], scale: Scale, not_run: &[NotRun]) -> Table {
    let mut rows: Vec<Fields> = Vec::new();
    for cut in cuts {
        let side = cut.slice.side as usize;
        let place = |at: usize| cut.slice.reach * (2.0 * at as f64 / (side - 1) as f64 - 1.0);
        let margins = cut.slice.before.iter().zip(&cut.slice.after);
        for (at, (before, after)) in margins.enumerate() {
            let mut row = done(scale);
            row.extend(cut.asked.fields());
            row.extend([
                ("attack", Cell::text(cut.attack())),
                ("x", Cell::Scientific(place(at % side))),
                ("y", Cell::Scientific(place(at / side))),
                ("before", Cell::Scientific(f64::from(*before))),
                ("after", Cell::Scientific(f64::from(*after))),
            ]);
            rows.push(row);
        }
    }
    rows.extend(not_run.iter().map(|missing| skipped(missing, scale)));
    align(format!("Figure 1, data{}", scale.title_suffix()), rows)
}
