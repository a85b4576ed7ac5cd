//! Tables II to IV and figure 3: detection rates after one kind of attack, in the paper's layout and with its numbers
//! beside ours; then what the paper does not print: counts, intervals, false alarms, what the attack did, what the samples
//! are.

pub mod choices;

mod data;
mod details;

use std::collections::{BTreeMap, BTreeSet};

use spec::{Id, Scale};
use store::SetRecord;
use verify::{Rate, control};

use crate::figure::{Figure, Rates};
use crate::names::{GENERATORS, measures, rank, title};
use crate::numbers::estimate;
use crate::paper::{Kinship, Measure, Paper, Setting as Printed};
use crate::pool::{Block, Point, REDUCED, Series, Setting};
use crate::study::Study;
use crate::variants::{fields, variants};
use crate::{Cell, Column, Document, Records, Row, Source, Table};

/// Part of a grid that was not computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRun {
    /// The data set, for people.
    pub dataset_title: String,
    /// Why not.
    pub reason: String,
    /// What to type to get it.
    pub command: String,
}

impl NotRun {
    /// What a note says of it.
    pub fn note(&self) -> String {
        format!(
            "{}: not run, {}. To get it: `{}`",
            self.dataset_title, self.reason, self.command
        )
    }
}

const MARK: &str = "†";

/// What all tables of one report are made of.
struct Findings<'a> {
    study: &'a Study,
    blocks: Vec<Block<'a>>,
    /// Kinds of the attack of which nothing has been computed on targets of which others have.
    idle: Vec<Block<'a>>,
    paper: Paper,
    scale: Scale,
}

/// The report of one attack: the table of rates, tables of details, one of data, and the figure if it has one.
///
/// Runs are pooled over seeds and sample sets only; whatever else differs gets columns or rows of its own.
pub fn build(study: &Study, records: &Records, scale: Scale, not_run: &[NotRun]) -> Document {
    let findings = Findings::of(study, records, scale);
    let generators = generators(&findings.blocks);
    let mut tables = vec![findings.rates(&generators, not_run)];
    tables.push(findings.counts(&generators));
    tables.push(findings.means(&generators));
    tables.extend(findings.classes(&generators));
    tables.push(findings.attacks());
    tables.push(findings.samples());
    Document {
        tables,
        data: findings.data(not_run),
        figures: Rates::of(&findings.blocks, study, &findings.paper, scale)
            .into_iter()
            .map(|rates| (String::new(), Figure::Rates(rates)))
            .collect(),
    }
}

/// The generators that get columns, as (generator, variant): the paper's four and whatever else was run.
fn generators<'a>(blocks: &'a [Block<'a>]) -> Vec<(&'a str, &'a str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let all = blocks.iter().flat_map(|block| &block.series);
    let all: Vec<_> = all
        .map(|series| (series.generator, series.variant.as_str()))
        .collect();
    let known = GENERATORS.iter().map(|(name, _)| *name);
    let others = all.iter().map(|(name, _)| *name);
    for generator in known.chain(others) {
        let mut variants: Vec<&str> = all
            .iter()
            .filter(|(name, _)| *name == generator)
            .map(|(_, variant)| *variant)
            .collect();
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

/// The mark of a rate that says how the reference labels were balanced rather than how sensitive the samples are. Pairs
/// across the boundary have one label each: their pair rate is a detection all the same.
fn mark(series: &Series, point: &Point, measure: Measure) -> &'static str {
    let genuine = measure == Measure::Pair && series.are_pairs();
    if point.tells_balance() && !genuine {
        MARK
    } else {
        ""
    }
}

/// What the mark means, if a row has it.
fn marked(rows: &[Row]) -> Option<String> {
    let mut cells = rows.iter().flat_map(|row| &row.cells);
    cells.any(|cell| cell.mark() == MARK).then(|| {
        format!(
            "{MARK} in at least one run all labels coincide after the attack, and did not before: of that run the rate is the \
             balance of the reference labels, not a sensitivity."
        )
    })
}

fn percent(rate: Rate) -> f64 {
    100.0 * rate.value()
}

impl<'a> Findings<'a> {
    fn of(study: &'a Study, records: &'a Records, scale: Scale) -> Self {
        let all = Block::all(records, study);
        let (blocks, mut idle): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|block| block.done() > 0);
        // Of a target without any it is said that it was not run.
        idle.retain(|idle| blocks.iter().any(|block| block.target.id == idle.target.id));
        Self {
            study,
            blocks,
            idle,
            paper: (study.paper)(),
            scale,
        }
    }

    /// What the grid asks for and has not been computed, a note a block.
    fn gaps(&self) -> impl Iterator<Item = String> {
        self.blocks.iter().chain(&self.idle).filter_map(|block| {
            let gap = block.gap(self.study)?;
            Some(format!("{}: {gap}.", block.title()))
        })
    }

    /// A title: what, and at which scale.
    fn title(&self, what: &str) -> String {
        format!("{}{what}{}", self.study.name, self.scale.title_suffix())
    }

    fn rates(&self, generators: &[(&str, &str)], not_run: &[NotRun]) -> Table {
        let mut columns = vec![
            Column::left("data set"),
            Column::right("", self.study.heading),
        ];
        for (generator, variant) in generators {
            for &measure in measures(generator) {
                let group = title(generator, variant);
                columns.push(Column::right(&group, measure.name()));
                if self.paper.prints(generator, measure) {
                    columns.push(Column::paper(group));
                }
            }
        }
        let mut rows = Vec::new();
        for block in &self.blocks {
            let beside = block.kinship().beside();
            let mut lines = vec![(
                Cell::text("untouched"),
                self.cells(generators, |generator, variant, measure| {
                    let series = block.series(generator, variant);
                    let alarms = |series| self.alarms(block, series, measure);
                    (Cell::maybe(series, alarms), Cell::Missing)
                }),
            )];
            for setting in block.settings() {
                let cells = self.cells(generators, |generator, variant, measure| {
                    let series = block.series(generator, variant);
                    let theirs = beside.zip(self.study.beside(setting));
                    let theirs = theirs.and_then(|(printed, at)| {
                        self.paper.rate(printed.dataset, generator, measure, at)
                    });
                    let ours = |series| self.detected(block, series, setting, measure);
                    (Cell::maybe(series, ours), Cell::maybe(theirs, Cell::text))
                });
                lines.push((self.study.label(setting), cells));
            }
            let mut names = block.lines();
            names.push(format!("top-1 {:.1} %", percent(block.target.accuracy)));
            names.extend(block.reduced(self.scale).map(|_| REDUCED.to_owned()));
            let printed = beside.filter(|setting| !self.paper.values(setting.dataset).is_empty());
            names.extend(printed.map(|setting| format!("paper: {}", setting.title)));
            push(&mut rows, names, lines);
        }
        let reference = self.reference();
        if let Some(printed) = reference {
            let lines = self.paper.values(printed.dataset).into_iter().map(|at| {
                let cells = self.cells(generators, |generator, _, measure| {
                    let rate = self.paper.rate(printed.dataset, generator, measure, at);
                    (Cell::Blank, Cell::maybe(rate, Cell::text))
                });
                let setting = Setting::Attack {
                    value: at.map(f64::to_bits),
                    variant: String::new(),
                };
                (self.study.label(&setting), cells)
            });
            let names = vec![
                format!("paper ({printed})"),
                format!("top-1 {} %", printed.top1),
            ];
            push(&mut rows, names, lines.collect());
        }
        for missing in not_run {
            let width = columns.len() - 2;
            let line = (Cell::text("not run"), vec![Cell::Missing; width]);
            push(&mut rows, vec![missing.dataset_title.clone()], vec![line]);
        }
        Table {
            title: self.title(&format!(": detection rate in % {}", self.study.after)),
            columns,
            heads: 2,
            stacked: true,
            notes: self.notes(generators, reference, &rows, not_run),
            rows,
        }
    }

    /// One line of the table of rates: our number and, where the paper has such a column, the paper's.
    fn cells(
        &self,
        generators: &[(&str, &str)],
        cell: impl Fn(&str, &str, Measure) -> (Cell, Cell),
    ) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (generator, variant) in generators {
            for &measure in measures(generator) {
                let (ours, theirs) = cell(generator, variant, measure);
                cells.push(ours);
                if self.paper.prints(generator, measure) {
                    cells.push(theirs);
                }
            }
        }
        cells
    }

    /// The false alarms of some samples.
    fn alarms(&self, block: &Block, series: &Series, measure: Measure) -> Cell {
        let rate = series.false_alarms(measure);
        let what = self.what(block, series, "untouched", measure);
        let steps = series.sets.iter().map(|set| set.id);
        let mut source =
            Source::new(what, steps.chain([block.target.id])).fact("counted", rate.to_string());
        let controls = series.sets.iter().flat_map(|set| &set.controls);
        for control in controls {
            let rate = match measure {
                Measure::Single => control.single,
                Measure::Pair => control.pair,
            };
            source = source.fact(&control.name, format!("{}/{}", rate.hits(), rate.of()));
        }
        Cell::number(percent(rate), 1).resting_on(source)
    }

    /// The rate of some samples in one setting.
    fn detected(
        &self,
        block: &Block,
        series: &Series,
        setting: &Setting,
        measure: Measure,
    ) -> Cell {
        Cell::maybe(series.point(setting), |point| {
            let rate = point.rate(measure);
            let cell = Cell::marked(percent(rate), 1, mark(series, point, measure));
            cell.resting_on(self.source(block, series, point, measure))
        })
    }

    /// What a rate rests on.
    fn source(&self, block: &Block, series: &Series, point: &Point, measure: Measure) -> Source {
        let label = self.study.label(&point.setting).plain();
        let ids = |ids: &mut dyn Iterator<Item = Id>| ids.collect::<Vec<_>>();
        let mut steps = ids(&mut point.runs.iter().map(|run| run.id));
        steps.extend(ids(&mut series.sets.iter().map(|set| set.id)));
        steps.push(block.target.id);
        let (first, rate) = (point.runs[0], point.rate(measure));
        let mut source = Source::new(self.what(block, series, &label, measure), steps)
            .fact("counted", rate.to_string())
            .fact("runs", point.extent());
        let coincide = point.runs_that_tell_balance();
        if coincide > 0 {
            source = source.fact(
                "all labels one afterwards",
                format!("in {coincide} of {}", point.runs.len()),
            );
        }
        if let Some((mean, interval)) = point.mean(measure) {
            source = source.fact("mean over runs, %", estimate(mean, interval));
        }
        source
            .fact("attack", format!("{} {}", first.attack, first.spec))
            .fact(
                "samples",
                series.sets.first().map_or_else(String::new, |set| {
                    format!("{} {}", series.generator, set.spec)
                }),
            )
    }

    fn what(&self, block: &Block, series: &Series, label: &str, measure: Measure) -> String {
        let (target, samples, measure) = (block.title(), series.title(), measure.name());
        match (label, self.study.attack) {
            ("untouched" | "unchanged", _) | (_, None) => {
                format!("{target}: {samples}, {measure}, {label}")
            }
            (label, Some(attack)) => format!("{target}: {samples}, {measure}, {attack} {label}"),
        }
    }

    /// The setting whose numbers are shown for orientation: some block is far from the paper, and none shows them beside
    /// its own.
    fn reference(&self) -> Option<&'static Printed> {
        let mut blocks = self.blocks.iter();
        let foreign = blocks.find_map(|block| match block.kinship() {
            Kinship::Foreign(printed) => Some(printed),
            _ => None,
        })?;
        let shown = |block: &Block| block.kinship().beside() == Some(foreign);
        let prints = !self.paper.values(foreign.dataset).is_empty();
        (prints && !self.blocks.iter().any(shown)).then_some(foreign)
    }

    fn notes(
        &self,
        generators: &[(&str, &str)],
        reference: Option<&Printed>,
        rows: &[Row],
        not_run: &[NotRun],
    ) -> Vec<String> {
        let mut notes: Vec<String> = not_run.iter().map(NotRun::note).collect();
        let blocks = &self.blocks;
        if blocks.is_empty() {
            notes.push("Nothing has been computed yet.".to_owned());
            return notes;
        }
        let series = || blocks.iter().flat_map(|block| &block.series);
        let paired: BTreeSet<_> = series()
            .filter(|series| series.are_pairs())
            .map(|series| (rank(series.generator), title(series.generator, "")))
            .collect();
        let paired: Vec<_> = paired.into_iter().map(|(_, title)| title).collect();
        notes.push(format!(
            "single: samples whose label changed; pair: pairs of which at least one member's label changed. {}",
            match &paired[..] {
                [] => "Pairs are of two samples drawn at random, as the paper does.".to_owned(),
                [own] => format!(
                    "{own} judges its own pairs, the others pairs of two samples drawn at random, as the paper does."
                ),
                own => format!(
                    "{} judge their own pairs, the others pairs of two samples drawn at random, as the paper does.",
                    own.join(" and ")
                ),
            }
        ));
        // A set is asked under every kind of attack, and counts once.
        let sets: BTreeMap<Id, _> = series()
            .flat_map(|series| &series.sets)
            .map(|set| (set.id, control::alarms(&set.controls)[0]))
            .collect();
        let controls: Rate = sets.into_values().sum();
        let mut alarms = format!(
            "untouched: false alarms, the unmodified model asked again about the same samples (other batch sizes, order, \
             threads): {}/{} samples changed their label in at least one of these ways.",
            controls.hits(),
            controls.of()
        );
        let settings = || blocks.iter().flat_map(Block::settings);
        if settings().any(|setting| *setting == Setting::Unchanged) {
            alarms.push_str(" unchanged: a control, an attack that changes nothing.");
        }
        if self.study.axis == Some("lr") && settings().any(|setting| setting.value() == Some(0.0)) {
            alarms.push_str(" lr 0: a control, fine-tuning that must not move a weight");
            if blocks.iter().any(Block::moves_at_zero) {
                alarms.push_str(
                    "; where batch normalisation is in training mode its running statistics move all the same, and it is none",
                );
            }
            alarms.push('.');
        }
        notes.push(alarms);
        for block in blocks {
            notes.push(format!(
                "{}: top-1 {}; {}.",
                block.title(),
                block.target.accuracy,
                block.extent().join(", ")
            ));
            let reduced = block.reduced(self.scale);
            notes.extend(reduced.map(|how| format!("{}: {REDUCED}: {how}.", block.title())));
            notes.extend(self.beside(block));
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
        let missing = generators.iter().filter(|(generator, variant)| {
            let mut blocks = blocks.iter();
            !blocks.any(|block| block.series(generator, variant).is_some())
        });
        let missing: Vec<_> = missing
            .map(|(generator, variant)| title(generator, variant))
            .collect();
        if !missing.is_empty() {
            notes.push(format!("No results of: {}.", missing.join(", ")));
        }
        notes
    }

    /// What to know about the paper's numbers beside a block.
    fn beside(&self, block: &Block) -> Option<String> {
        let (title, kinship) = (block.title(), block.kinship());
        let printed = kinship.setting();
        if self.paper.values(printed.dataset).is_empty() {
            return None;
        }
        let shown = format!(
            "paper: {} beside {title}: as printed for {printed} (top-1 {} %), ",
            printed.title, printed.top1
        );
        Some(match kinship {
            Kinship::Same(_) => shown + "the same data set and network.",
            Kinship::Akin(_) => {
                shown + "not the same experiment: another " + difference(block, printed) + "."
            }
            Kinship::Foreign(_) => format!("{title} is not in the paper."),
        })
    }
}

/// Adds a block of rows; its name stands in the first column, line by line, and what is left over in its last row.
fn push(rows: &mut Vec<Row>, mut name: Vec<String>, lines: Vec<(Cell, Vec<Cell>)>) {
    let last = lines.len().saturating_sub(1);
    if name.len() > lines.len() {
        let rest = name.split_off(last).join(", ");
        name.push(rest);
    }
    let mut name = name.into_iter();
    for (nth, (lr, rest)) in lines.into_iter().enumerate() {
        let first = Cell::text(name.next().unwrap_or_default());
        let mut cells = vec![first, lr];
        cells.extend(rest);
        rows.push(Row {
            begins: nth == 0,
            cells,
        });
    }
}

/// In what a related target differs from the paper's.
fn difference(block: &Block, setting: &Printed) -> &'static str {
    let network = setting.has_the_network_of(block.target);
    match (block.target.dataset == setting.dataset, network) {
        (true, _) => "network",
        (false, true) => "form of the data set",
        (false, false) => "form of the data set and another network",
    }
}

/// Which columns hold samples of more than one making, and on which targets.
fn unlike(blocks: &[Block]) -> Vec<String> {
    let mut columns: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for block in blocks {
        for series in &block.series {
            let column = (rank(series.generator), series.title());
            let set = series.sets.first().copied();
            columns
                .entry(column)
                .or_default()
                .extend(set.map(|set| (block.target_lines().join(", "), set)));
        }
    }
    let note = |((_, column), sets): ((usize, String), BTreeMap<String, &SetRecord>)| {
        let kinds = variants(sets.into_iter().collect(), |(_, set)| {
            fields(&set.spec, &["seed"])
        });
        let said = kinds.iter().map(|(kind, sets)| {
            let targets: Vec<_> = sets.iter().map(|(target, _)| target.as_str()).collect();
            let how = match kind.as_str() {
                "" => "without these fields".to_owned(),
                kind => format!("with {kind}"),
            };
            format!("{} {how}", targets.join("; "))
        });
        let said: Vec<_> = said.collect();
        (said.len() > 1).then(|| {
            format!(
                "{column} is not of the same making everywhere: {}.",
                said.join(" | ")
            )
        })
    };
    columns.into_iter().filter_map(note).collect()
}
