//! Tables II to IV and figure 3: detection rates after one kind of attack, in the paper's layout and with its numbers
//! beside ours. Then what the paper does not print: counts, intervals, false alarms, the attacks and the samples.

mod columns;
mod effective;
mod figure;
mod notes;
mod samples;

use std::collections::BTreeSet;

use brink_store::Id;
use brink_store::RunRecord;

use super::aggregate::{Block, Point, REDUCED, Series};
use super::attacked;
use super::columns::{Column, Input, cells, headings};
use super::names::{compared, main_measure, measures, title};
use super::numbers::percent;
use super::paper::{Comparability, Measure, Paper, Setting as Printed};
use super::study::{Setting, Study};
use crate::document::Document;
use crate::document::table::{Cell, Heading, Row, Table};

pub use columns::{COUNTED, counted, seeds, sets};
pub use notes::{is_legend, marked};

/// All tables of a study are made of this.
pub struct Findings<'a> {
    pub study: &'a Study,
    pub blocks: Vec<Block<'a>>,
    /// Kinds of the attack without any result, on targets that have results of others.
    idle: Vec<Block<'a>>,
    paper: Paper,
    pub input: &'a Input<'a>,
}

/// Samples of one kind: generator and variant. They have columns of their own.
type Samples<'a> = (&'a str, &'a str);

/// A row of the tables for people: one setting of a block, or the untouched model.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    block: &'a Block<'a>,
    setting: Option<&'a Setting>,
}

/// The answers of one kind of samples in one setting, by one of their two rates; of the untouched model if there is no point.
#[derive(Clone, Copy)]
pub struct Answers<'a> {
    pub block: &'a Block<'a>,
    pub series: &'a Series<'a>,
    pub point: Option<&'a Point<'a>>,
    pub measure: Measure,
}

/// A row of a table that is the other way round: the samples of one kind. Its columns are settings.
#[derive(Clone, Copy)]
pub struct Kind<'a> {
    pub block: &'a Block<'a>,
    pub series: &'a Series<'a>,
}

/// A row and its label, before it has a block.
type Labelled = (Cell, Vec<Cell>);

/// The report of one attack: the table of rates, tables of details, one of data, and the figure if it has one.
///
/// Runs are pooled over seeds and sample sets only. All other differences get columns or rows of their own.
pub fn build(study: &Study, input: &Input) -> Document {
    let findings = Findings::of(study, input);
    let samples = findings.samples();
    let mut tables = vec![
        findings.rates(&samples),
        findings.counts(&samples),
        findings.means(&samples),
    ];
    tables.extend(findings.classes(&samples));
    tables.push(findings.attacks());
    tables.push(findings.of_samples());
    let figures = study.figure.map(|axis| findings.figures(axis));
    Document {
        tables,
        data: findings.data(),
        figures: figures.unwrap_or_default(),
    }
}

impl<'a> Answers<'a> {
    /// The answers in one setting, or of the untouched model; `None` if the samples were not asked there.
    pub fn of(
        block: &'a Block<'a>,
        series: &'a Series<'a>,
        setting: Option<&Setting>,
        measure: Measure,
    ) -> Option<Self> {
        let point = match setting {
            Some(setting) => Some(series.point(setting)?),
            None => None,
        };
        Some(Self {
            block,
            series,
            point,
            measure,
        })
    }
}

impl<'a> Kind<'a> {
    /// The answers in one setting, or of the untouched model.
    pub fn answers(&self, setting: Option<&Setting>) -> Option<Answers<'a>> {
        let Self { block, series } = *self;
        Answers::of(block, series, setting, main_measure(series.generator))
    }
}

impl<'a> Line<'a> {
    /// The answers of some samples, if they were asked.
    fn answers(self, (generator, variant): Samples, measure: Measure) -> Option<Answers<'a>> {
        let series = self.block.series(generator, variant)?;
        Answers::of(self.block, series, self.setting, measure)
    }

    /// The points of all samples.
    fn points(self) -> Vec<&'a Point<'a>> {
        let series = self.block.series.iter();
        let setting = self.setting.into_iter();
        setting
            .flat_map(|setting| series.clone().filter_map(|series| series.point(setting)))
            .collect()
    }

    /// The attacked models.
    fn models(self) -> Vec<&'a RunRecord> {
        let setting = self.setting.into_iter();
        setting
            .flat_map(|setting| self.block.attacks(setting))
            .collect()
    }
}

impl<'a> Findings<'a> {
    /// The runs of a study.
    pub fn of(study: &'a Study, input: &'a Input<'a>) -> Self {
        let all = Block::all(input.records, study).into_iter();
        let (blocks, mut idle): (Vec<_>, Vec<_>) = all.partition(|block| block.done() > 0);
        // A target without any result has a note that it was not run.
        let ids: BTreeSet<Id> = blocks.iter().map(|block| block.target.record.id).collect();
        idle.retain(|idle| ids.contains(&idle.target.record.id));
        Self {
            study,
            blocks,
            idle,
            paper: (study.paper)(),
            input,
        }
    }

    /// Whether samples leaked to an attacker.
    fn leaks(&self) -> bool {
        let series = self.blocks.iter().flat_map(|block| &block.series);
        let mut points = series.flat_map(|series| &series.points);
        points.any(|point| point.runs.iter().any(|run| run.leaked.is_some()))
    }

    /// A title with the study's name and the scale.
    pub fn title(&self, what: &str) -> String {
        self.input.title(format!("{}{what}", self.study.name))
    }

    /// The samples that get columns: those of the paper that the grid asks for, and whatever else was run.
    fn samples(&self) -> Vec<Samples<'_>> {
        let series = || self.blocks.iter().flat_map(|block| &block.series);
        let mut found: Vec<Samples> = Vec::new();
        let asked = compared().filter(|name| self.input.records.asked.contains(name));
        for generator in asked.chain(series().map(|series| series.generator)) {
            let own = series().filter(|series| series.generator == generator);
            let mut variants: Vec<_> = own.map(|series| series.variant.as_str()).collect();
            if variants.is_empty() {
                variants.push("");
            }
            variants.sort_unstable();
            for variant in variants {
                if !found.contains(&(generator, variant)) {
                    found.push((generator, variant));
                }
            }
        }
        found
    }

    /// The title of some samples.
    fn name(&self, (generator, variant): Samples) -> String {
        title(self.input.records, generator, variant)
    }

    /// A column of answers for each kind of samples, and for each of the rates that the paper's layout shows of it.
    fn each<'b>(
        &self,
        samples: &[Samples<'b>],
        column: impl Fn(&str, Measure) -> Column<'b, Answers<'b>>,
    ) -> Vec<Column<'b, Line<'b>>> {
        let all = samples.iter().flat_map(|&samples| {
            let measures = measures(samples.0).iter();
            measures.map(move |&measure| (samples, measure))
        });
        all.map(|(samples, measure)| {
            let column = column(&self.name(samples), measure);
            column.of(move |line: &Line<'b>| line.answers(samples, measure))
        })
        .collect()
    }

    /// The rows of a block.
    fn lines<'b>(
        &'b self,
        block: &'b Block<'b>,
        untouched: bool,
        columns: &[Column<Line<'b>>],
    ) -> Vec<Labelled> {
        let settings = block.settings().into_iter().map(Some);
        let lines = untouched.then_some(None).into_iter().chain(settings);
        let lines = lines.map(|setting| {
            let label = match setting {
                Some(setting) => self.label(block, setting),
                None => Cell::text("untouched"),
            };
            (label, cells(columns, &Line { block, setting }))
        });
        lines.collect()
    }

    /// The name of a row: the setting, or the engine that answered.
    fn label(&self, block: &Block, setting: &Setting) -> Cell {
        let models = block.attacks(setting);
        let engine = models.first().and_then(|run| run.engine.as_ref());
        engine.map_or_else(|| self.study.label(setting), Cell::text)
    }

    /// A table of these columns with a row for each setting, and one for the untouched model if it has results.
    fn table<'b>(
        &'b self,
        what: &str,
        untouched: bool,
        columns: &[Column<Line<'b>>],
        notes: Vec<String>,
    ) -> Table {
        let mut rows = Vec::new();
        for block in &self.blocks {
            let lines = self.lines(block, untouched, columns);
            push(&mut rows, block.lines(), lines);
        }
        self.stacked(what, self.head(columns), rows, notes)
    }

    /// The headings: data set, setting, then those of some columns.
    fn head<R>(&self, columns: &[Column<R>]) -> Vec<Heading> {
        let mut head = vec![
            Heading::left("data set"),
            Heading::right("", self.study.heading),
        ];
        head.extend(headings(columns));
        head
    }

    /// A table whose first column is the names of blocks.
    pub fn stacked(
        &self,
        what: &str,
        columns: Vec<Heading>,
        rows: Vec<Row>,
        notes: Vec<String>,
    ) -> Table {
        Table {
            title: self.title(what),
            columns,
            heads: 2,
            stacked: true,
            rows,
            notes,
        }
    }

    /// Detection rates and the paper's.
    fn rates<'b>(&'b self, samples: &[Samples<'b>]) -> Table {
        let columns = self.rate_columns(samples);
        let mut rows = Vec::new();
        for block in &self.blocks {
            let lines = self.lines(block, true, &columns);
            let printed = block.comparability().paper_reference();
            let printed = printed.filter(|printed| self.prints(printed));
            let top1 = percent(block.target.record.accuracy);
            let reduced = block.reduced(self.input.scale);
            let mut names = block.lines();
            names.push(format!("top-1 {top1:.1} %"));
            names.extend(reduced.map(|_| REDUCED.to_owned()));
            names.extend(printed.map(|printed| format!("paper: {}", printed.title)));
            push(&mut rows, names, lines);
        }
        let reference = self.reference();
        if let Some(printed) = reference {
            let names = vec![
                format!("paper ({printed})"),
                format!("top-1 {} %", printed.top1),
            ];
            push(&mut rows, names, self.printed_lines(printed, samples));
        }
        let columns = self.head(&columns);
        for missing in self.input.not_run {
            let cells = vec![Cell::Missing; columns.len() - 2];
            let line = (Cell::text("not run"), cells);
            push(&mut rows, vec![missing.dataset_title.clone()], vec![line]);
        }
        let what = format!(": detection rate in % {}", self.study.after);
        let notes = self.notes(samples, reference, &rows);
        self.stacked(&what, columns, rows, notes)
    }

    /// The rows of a setting of the paper, where no block stands beside them.
    fn printed_lines(&self, printed: &Printed, samples: &[Samples]) -> Vec<Labelled> {
        let lines = self.paper.values(printed.dataset).into_iter().map(|at| {
            let mut cells = Vec::new();
            for (generator, _) in samples {
                for &measure in measures(generator) {
                    cells.push(Cell::Blank);
                    let rate = self.paper.rate(printed.dataset, generator, measure, at);
                    let prints = self.paper.prints(generator, measure);
                    cells.extend(prints.then(|| Cell::maybe(rate, Cell::text)));
                }
            }
            let setting = Setting::Attack {
                value: at.map(f64::to_bits),
                variant: String::new(),
            };
            (self.study.label(&setting), cells)
        });
        lines.collect()
    }

    /// Counts and intervals of every rate.
    fn counts<'b>(&'b self, samples: &[Samples<'b>]) -> Table {
        let columns = self.each(samples, |group, measure| {
            columns::rate(group, measure.name())
        });
        let notes = vec![
            format!("{}: see the next table.", COUNTED),
            "All digits, and of single samples the exact rate over all pairs of two of them, are in the data files.".to_owned(),
        ];
        self.table(", counts and 95 % intervals in %", true, &columns, notes)
    }

    /// Means over runs, whose intervals do not take the samples of one run for independent.
    fn means<'b>(&'b self, samples: &[Samples<'b>]) -> Table {
        let points = |line: &Line<'b>| Some(line.points());
        let mut columns = vec![
            columns::runs().of(points),
            seeds().of(points),
            sets().of(points),
        ];
        let means = self.each(samples, |group, measure| {
            columns::mean(group, measure.name())
        });
        columns.extend(means);
        let notes = vec![
            "A run is one attack seed asked with one sample set. The interval is the percentile bootstrap of the mean, \
             10,000 times with whole sample sets and whole attack seeds drawn anew, since runs that share one of them depend \
             on each other; of few runs it is too short, of equal ones it has no length, and of one there is none."
                .to_owned(),
        ];
        let what = ", means over runs and 95 % bootstrap intervals in %";
        self.table(what, false, &columns, notes)
    }

    /// Pairs that change, and sets that raise an alarm.
    pub fn alarms(&self, what: &str, notes: Vec<String>) -> Table {
        self.by_samples(what, true, self.notes_of_sets(notes), columns::alarm)
    }

    /// What a verifier with one whole set says: pairs that changed, sets of which at least one pair did, and the pairs needed.
    pub fn verdicts(&self, what: &str, mut notes: Vec<String>) -> Table {
        let mut runs = self.input.records.runs.iter();
        let compared = runs.any(|run| !run.moves.is_empty() && run.noise.is_none());
        if compared {
            notes.extend([
                "moved: runs in which the margin of any image moved. The others cannot be detected, so `needed` leaves them out."
                    .to_owned(),
                "effective: the number of independent samples that would react as differently as these, from the correlations of their \
                 margins over at least 20 changes."
                    .to_owned(),
            ]);
        }
        let leaks = self.leaks();
        if leaks {
            notes.push(
                "leaked: pairs that the attacker knew, and sets of which at least one of them changed. pairs, sets and needed are of the \
                 others."
                    .to_owned(),
            );
        }
        let column = |group: &str| columns::verdict(group, compared, leaks);
        self.by_samples(what, true, self.notes_of_sets(notes), column)
    }

    /// How far each execution moves the margins of the untouched model.
    pub fn noise(&self) -> Table {
        let notes = vec![
            "Over all images of all samples; by kind of samples it is in the data files. A margin is the output of the reference label \
             minus the largest other output."
                .to_owned(),
            "quiet at: the margin at which one set in a thousand raises a false alarm, if the sizes of changes beyond their 95 % quantile \
             are exponential."
                .to_owned(),
        ];
        self.table(", changes of margins", false, &columns::noise(), notes)
    }

    /// A table with one group of columns for each kind of samples.
    fn by_samples<'b>(
        &'b self,
        what: &str,
        untouched: bool,
        notes: Vec<String>,
        column: impl Fn(&str) -> Column<'b, Answers<'b>>,
    ) -> Table {
        let samples = self.samples();
        let done = samples.into_iter().filter(|(generator, variant)| {
            let mut blocks = self.blocks.iter();
            blocks.any(|block| block.series(generator, variant).is_some())
        });
        let columns = done.map(|samples| {
            let measure = main_measure(samples.0);
            column(&self.name(samples)).of(move |line: &Line<'b>| line.answers(samples, measure))
        });
        let columns: Vec<_> = columns.collect();
        self.table(what, untouched, &columns, notes)
    }

    /// All samples of a block.
    pub fn kinds<'b>(block: &'b Block<'b>) -> impl Iterator<Item = Kind<'b>> {
        let series = block.series.iter();
        series.map(move |series| Kind { block, series })
    }

    /// A table with a row for each kind of samples.
    pub fn by_kind<'b>(
        &'b self,
        what: &str,
        columns: &[Column<Kind<'b>>],
        notes: Vec<String>,
    ) -> Table {
        let mut rows = Vec::new();
        for block in &self.blocks {
            let lines = Self::kinds(block)
                .map(|kind| (Cell::text(&kind.series.title), cells(columns, &kind)));
            let mut name = block.lines();
            let top1 = percent(block.target.record.accuracy);
            name.push(format!("top-1 {top1:.1} %"));
            name.extend(block.extent());
            push(&mut rows, name, lines.collect());
        }
        let mut head = vec![Heading::left("data set"), Heading::left("samples")];
        head.extend(headings(columns));
        self.stacked(what, head, rows, notes)
    }

    /// The same answers, judged by the network's own classes, if that was recorded.
    fn classes<'b>(&'b self, samples: &[Samples<'b>]) -> Option<Table> {
        let judged = samples.iter().filter(|(generator, variant)| {
            let blocks = self.blocks.iter();
            let series = blocks.filter_map(|block| block.series(generator, variant));
            let mut points = series.flat_map(|series| &series.points);
            points.any(|point| columns::by_classes(point).is_some())
        });
        let columns = judged.map(|&samples| {
            let column = columns::classes(&self.name(samples));
            column.of(move |line: &Line<'b>| line.answers(samples, Measure::Pair))
        });
        let columns: Vec<_> = columns.collect();
        if columns.is_empty() {
            return None;
        }
        let notes = vec![
            "The same answers as in the first table, but a label is the largest of the network's own outputs instead of the \
             keyed head's two. both: pairs of which both members' labels changed. Counts are in the data files."
                .to_owned(),
        ];
        let what = ", judged by the network's classes, in %";
        let mut table = self.table(what, false, &columns, notes);
        table.notes.extend(marked(&table.rows));
        Some(table)
    }

    /// What the attack did to the model.
    fn attacks(&self) -> Table {
        let series = self.blocks.iter().flat_map(|block| &block.series);
        let points = series.flat_map(|series| &series.points);
        let runs: Vec<_> = points
            .flat_map(|point| point.runs.iter().copied())
            .collect();
        let columns = attacked::columns(&runs)
            .into_iter()
            .map(|column| column.of(|line: &Line| Some(attacked::Attacked::of(&line.models()))));
        let columns: Vec<_> = columns.collect();
        let mut notes = vec![
            "changed: weights whose 32 bits differ, mean over seeds; largest |Δ| over all seeds; top-1 on the test \
             images used, mean over seeds, with the Wilson interval of that many images."
                .to_owned(),
        ];
        let mut runs = runs.iter();
        if runs.any(|run| run.reached.is_some() || run.success_after.is_some()) {
            notes.push(
                "attack: models in which the attacker reached what they work for, of all; and how often the model does what \
                 they want on images it had not seen, pooled over seeds."
                    .to_owned(),
            );
        }
        self.table(", what the attack did", false, &columns, notes)
    }

    /// What the samples are.
    pub fn of_samples(&self) -> Table {
        let columns = samples::columns();
        let mut rows = Vec::new();
        for block in &self.blocks {
            let lines = block.series.iter();
            let lines = lines.map(|series| (Cell::text(&series.title), cells(&columns, series)));
            push(&mut rows, block.lines(), lines.collect());
        }
        let mut head = vec![Heading::left("data set"), Heading::left("samples")];
        head.extend(headings(&columns));
        let notes = [
            "made/asked counts pairs for generators of pairs; not crossed: samples that never reached the other side of \
             the boundary in stage 2.",
            "margin 0: samples that lie on the boundary to the last bit of f32. Their label is the first, so they notice a \
             boundary that moves one way and none that moves the other.",
            "largest label group: share of the commonest reference label; a single rate near it or its complement \
             tells the balance of labels.",
        ];
        let notes = notes.map(str::to_owned).to_vec();
        self.stacked(", the samples", head, rows, notes)
    }

    /// Everything in long form, for data files: a row for each target, generator, setting and rate, nothing rounded. Rates are in
    /// [0, 1], but for the paper's, which are in % as printed.
    pub fn data(&self) -> Table {
        let mut rows = Vec::new();
        for block in &self.blocks {
            for series in &block.series {
                for measure in [Measure::Single, Measure::Pair] {
                    let points = series.points.iter().map(Some);
                    rows.extend([None].into_iter().chain(points).map(|point| Answers {
                        block,
                        series,
                        point,
                        measure,
                    }));
                }
            }
        }
        self.input
            .data(self.study.name, &self.data_columns(), &rows)
    }

    /// Whether the paper prints something about a setting.
    fn prints(&self, printed: &Printed) -> bool {
        !self.paper.values(printed.dataset).is_empty()
    }

    /// The setting whose numbers are shown for orientation: some block is unrelated to the paper, and none compares with it.
    fn reference(&self) -> Option<&'static Printed> {
        let mut blocks = self.blocks.iter();
        let unrelated = blocks.find_map(|block| match block.comparability() {
            Comparability::Unrelated(printed) => Some(printed),
            _ => None,
        })?;
        let mut blocks = self.blocks.iter();
        let shown = blocks.any(|block| block.comparability().paper_reference() == Some(unrelated));
        (self.prints(unrelated) && !shown).then_some(unrelated)
    }
}

/// Adds a block of rows. Its name stands in the first column, line by line; surplus lines are joined in the last row.
fn push(rows: &mut Vec<Row>, mut name: Vec<String>, lines: Vec<Labelled>) {
    let last = lines.len().saturating_sub(1);
    if name.len() > lines.len() {
        let rest = name.split_off(last).join(", ");
        name.push(rest);
    }
    let mut name = name.into_iter();
    for (nth, (label, rest)) in lines.into_iter().enumerate() {
        let first = Cell::text(name.next().unwrap_or_default());
        let mut cells = vec![first, label];
        cells.extend(rest);
        rows.push(Row {
            begins: nth == 0,
            cells,
        });
    }
}
