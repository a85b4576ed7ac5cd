//! The same findings the other way round: a row for each kind of samples, a column for each setting of the attack. A grid that
//! makes many kinds fits a page like this, and what a choice changes stands in one column.

use super::{Findings, NotRun, marked, measures, push};
use crate::paper::Measure;
use crate::pool::{Block, Series, Setting};
use crate::study::CHOICES;
use crate::{Cell, Column, Document, Records, Row, Table};
use spec::Scale;

/// Pair rates after fine-tuning by what the samples are, and what is known of the samples.
pub fn build(records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let findings = Findings::of(&CHOICES, records, scale);
    Document {
        tables: vec![findings.by_samples(not_run), findings.samples()],
        data: findings.data(not_run),
        figures: Vec::new(),
    }
}

impl Findings<'_> {
    fn by_samples(&self, not_run: &[NotRun]) -> Table {
        let mut settings: Vec<&Setting> = self.blocks.iter().flat_map(Block::settings).collect();
        settings.sort();
        settings.dedup();
        let mut columns = vec![Column::left("data set"), Column::left("samples")];
        columns.push(Column::right("", "untouched"));
        let heading = |setting: &&Setting| match setting {
            Setting::Unchanged => Column::right("", "unchanged"),
            setting => Column::right(self.study.heading, self.study.label(setting).plain()),
        };
        columns.extend(settings.iter().map(heading));
        let mut rows = Vec::new();
        for block in &self.blocks {
            let line = |series: &Series| {
                let measure = *measures(series.generator)
                    .last()
                    .unwrap_or(&Measure::Single);
                let mut cells = vec![self.alarms(block, series, measure)];
                cells.extend(
                    settings
                        .iter()
                        .map(|setting| self.detected(block, series, setting, measure)),
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
            title: self.title(&format!(
                ": detection rate of pairs in % {}",
                self.study.after
            )),
            columns,
            heads: 2,
            stacked: true,
            notes: self.notes_on_samples(&rows, not_run),
            rows,
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
             otherwise than for most samples of the generator. untouched: false alarms of the same samples on the unmodified \
             model."
                .to_owned(),
        );
        notes.extend(self.gaps());
        notes.extend(marked(rows));
        notes
    }
}
