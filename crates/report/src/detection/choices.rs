//! The same findings the other way round: a row for each kind of samples, a column for each setting of the attack. A grid that
//! makes many kinds fits a page like this, and what a choice changes stands in one column.

use super::details::{COUNTED, counted};
use super::{Findings, NotRun, marked, push};
use crate::names::main_measure;
use crate::numbers::range;
use crate::paper::Measure;
use crate::pool::{Block, Point, Series, Setting};
use crate::study::CHOICES;
use crate::{Cell, Column, Document, Records, Row, Table};
use spec::Scale;

/// Pair rates after fine-tuning by what the samples are, their counts, and what is known of the samples.
pub fn build(records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let findings = Findings::of(&CHOICES, records, scale);
    Document {
        tables: vec![
            findings.rates_by_samples(not_run),
            findings.counts_by_samples(),
            findings.samples(),
        ],
        data: findings.data(not_run),
        figures: Vec::new(),
    }
}

impl Findings<'_> {
    fn rates_by_samples(&self, not_run: &[NotRun]) -> Table {
        let what = format!(": detection rate of pairs in % {}", self.study.after);
        let mut table = self.by_samples(
            &what,
            |block, series, measure| self.alarms(block, series, measure),
            |block, series, setting, measure| self.detected(block, series, setting, measure),
        );
        table.notes = self.notes_on_samples(&table.rows, not_run);
        table
    }

    /// How much each rate rests on: kinds of samples differ in that, too.
    fn counts_by_samples(&self) -> Table {
        let mut table = self.by_samples(
            ", counts and 95 % intervals in %",
            |_, series, measure| counted(series.false_alarms(measure)),
            |_, series, setting, measure| {
                let point = series.point(setting);
                Cell::maybe(point, |point| counted(point.rate(measure)))
            },
        );
        table.notes = vec![format!("{COUNTED}.")];
        table
    }

    /// A row for each kind of samples, a column for each setting, and what `untouched` and `attacked` make of them.
    fn by_samples(
        &self,
        what: &str,
        untouched: impl Fn(&Block, &Series, Measure) -> Cell,
        attacked: impl Fn(&Block, &Series, &Setting, Measure) -> Cell,
    ) -> Table {
        let mut settings: Vec<&Setting> = self.blocks.iter().flat_map(Block::settings).collect();
        settings.sort();
        settings.dedup();
        let mut columns = vec![Column::left("data set"), Column::left("samples")];
        columns.extend(["seeds", "sets"].map(|name| Column::right("number of", name)));
        columns.push(Column::right("", "untouched"));
        let heading = |setting: &&Setting| match setting {
            Setting::Unchanged => Column::right("", "unchanged"),
            setting => Column::right(self.study.heading, self.study.label(setting).plain()),
        };
        columns.extend(settings.iter().map(heading));
        let mut rows = Vec::new();
        for block in &self.blocks {
            let line = |series: &Series| {
                let measure = main_measure(series.generator);
                let points = series.attacked();
                let count = |of: fn(&Point) -> usize| {
                    let counts = points.iter().map(|point| of(point) as u64);
                    Cell::text(range(counts))
                };
                let mut cells = vec![
                    count(|point| point.seeds()),
                    count(|point| point.sets()),
                    untouched(block, series, measure),
                ];
                cells.extend(
                    settings
                        .iter()
                        .map(|setting| attacked(block, series, setting, measure)),
                );
                (Cell::text(series.title()), cells)
            };
            let lines = block.series.iter().map(line).collect();
            let mut name = block.lines();
            name.push(format!(
                "top-1 {:.1} %",
                super::percent(block.target.accuracy)
            ));
            name.extend(block.extent());
            push(&mut rows, name, lines);
        }
        Table {
            title: self.title(what),
            columns,
            heads: 2,
            stacked: true,
            rows,
            notes: Vec::new(),
        }
    }

    fn notes_on_samples(&self, rows: &[Row], not_run: &[NotRun]) -> Vec<String> {
        let mut notes: Vec<_> = not_run.iter().map(NotRun::note).collect();
        if rows.is_empty() {
            notes.push("Nothing has been computed yet.".to_owned());
            return notes;
        }
        notes.push(
            "Pairs of which at least one member's label changed; of the Validset, single images. In brackets: what is set \
             otherwise than for most kinds of samples of the generator or, of equally many, for the first. untouched: false alarms of the same samples on the unmodified \
             model."
                .to_owned(),
        );
        notes.extend(self.gaps());
        notes.extend(marked(rows));
        notes
    }
}
