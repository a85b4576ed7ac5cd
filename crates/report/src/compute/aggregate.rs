//! Aggregates runs. Runs that differ in their seeds alone are pooled; all others are kept apart.
//!
//! The result is a tree. A block is one target under one kind of attack; its series are one generator each; their points are
//! one setting of the attack each, with the runs that were pooled.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use brink_config::{Scale, plain};
use brink_random::Stream;
use brink_store::Id;
use brink_store::{RunRecord, SetRecord};
use brink_verify::stats::crossed95;
use brink_verify::{Layout, Rate, control};

use super::fields::{ExecutionFields, SetFields, read};
use super::kinds::kinds;
use super::names::{rank, title};
use super::numbers::{distinct, median, non_empty, range};
use super::paper::{Comparability, ITERATIONS, Measure, SAMPLES};
use super::study::{Setting, Study};
use super::subject::{EXECUTION, IDENTITY};
use super::target::Target;
use crate::label::{Leaves, differences_from_default, fields};
use crate::records::Records;

/// A run and its setting.
type Placed<'a> = (Setting, &'a RunRecord);

/// A mean in [0, 1], and its 95 % interval if it is of several values.
pub type Mean = (f64, Option<(f64, f64)>);

/// The note of a target whose sets are smaller than the paper's, at the paper's scale.
pub const REDUCED: &str = "not at the paper's scale";

/// One target under one kind of attack.
pub struct Block<'a> {
    pub target: Target<'a>,
    /// What distinguishes this attack from others on the same target; mostly empty.
    pub attack_variant: String,
    pub series: Vec<Series<'a>>,
    /// The settings of the planned runs that have not been computed.
    pub open: Vec<Setting>,
}

/// One generator's samples for one target.
pub struct Series<'a> {
    pub generator: &'a str,
    /// What distinguishes these samples from others of the same generator; mostly empty.
    pub variant: String,
    /// The title of both.
    pub title: String,
    /// The sample sets that were used.
    pub sets: Vec<&'a SetRecord>,
    /// In the order of the settings.
    pub points: Vec<Point<'a>>,
}

/// One setting.
pub struct Point<'a> {
    pub setting: Setting,
    /// One run for each attack seed and sample set; at least one.
    pub runs: Vec<&'a RunRecord>,
    /// The means of the single and the pair rate, once they were computed: the bootstrap takes its time.
    means: [OnceCell<Option<Mean>>; 2],
}

impl<'a> Block<'a> {
    /// All blocks of a study, ordered by data set and network. Some may have no run that has been computed.
    pub fn all(records: &'a Records, study: &Study) -> Vec<Self> {
        let sets: BTreeMap<_, _> = records.sets.iter().map(|set| (set.id, set)).collect();
        let kinds = kinds(study, records);
        let mut blocks = Vec::new();
        for target in Target::all(records) {
            let id = target.record.id;
            let unchanged = records.runs.iter().filter(|run| run.attack == IDENTITY);
            let unchanged = unchanged.filter(|run| run.target == id);
            let engines = records.runs.iter().filter(|run| run.target == id);
            // The studies that show every execution by itself need no pool of them.
            let pooled = study.attack.is_some_and(|attack| attack != EXECUTION);
            let engines = engines.filter(|run| pooled && is_other_engine(run));
            for (attack_variant, planned) in &kinds {
                let planned = || planned.iter().filter(|planned| planned.target == id);
                if planned().next().is_none() {
                    continue;
                }
                let done = planned().filter_map(|one| Some((one.setting.clone(), one.run?)));
                let unchanged = unchanged.clone().map(|run| (Setting::Unchanged, run));
                let engines = engines.clone().map(|run| (Setting::OtherEngine, run));
                let controls = unchanged.chain(engines);
                let open = planned().filter(|planned| planned.run.is_none());
                blocks.push(Self {
                    target: target.clone(),
                    attack_variant: attack_variant.clone(),
                    series: Series::all(records, done.chain(controls).collect(), &sets),
                    open: open.map(|planned| planned.setting.clone()).collect(),
                });
            }
        }
        blocks
    }

    /// The number of its computed runs, without controls.
    pub fn done(&self) -> usize {
        let points = self.series.iter().flat_map(|series| &series.points);
        let attacks = points.filter(|point| point.setting.is_attack());
        attacks.map(|point| point.runs.len()).sum()
    }

    /// What has not been computed, if anything: `8 of 36 runs computed; nothing yet of 0, 1e-10`.
    pub fn gap(&self, study: &Study) -> Option<String> {
        let known = self.settings();
        let mut untried: Vec<_> = self
            .open
            .iter()
            .filter(|open| !known.contains(open))
            .collect();
        untried.sort();
        untried.dedup();
        let (done, open) = (self.done(), self.open.len());
        let mut gap = format!("{done} of {} runs computed", done + open);
        if !untried.is_empty() && done > 0 {
            let labels = untried.iter().map(|setting| study.label(setting).plain());
            gap += &format!("; nothing yet of {}", labels.collect::<Vec<_>>().join(", "));
        }
        (open > 0).then_some(gap)
    }

    /// The block's name in lines: data set, network, and the variants if there are any.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.target.lines();
        lines.extend(non_empty(&self.attack_variant));
        lines
    }

    /// The block's name in one line.
    pub fn title(&self) -> String {
        self.lines().join(", ")
    }

    /// How far its numbers can be compared with the paper's.
    pub fn comparability(&self) -> Comparability {
        Comparability::of(self.target.record)
    }

    /// All settings, in their order.
    pub fn settings(&self) -> Vec<&Setting> {
        let points = self.series.iter().flat_map(|series| &series.points);
        let mut settings: Vec<_> = points.map(|point| &point.setting).collect();
        settings.sort();
        settings.dedup();
        settings
    }

    /// The attacked models in one setting: one run a seed, whatever its samples.
    pub fn attacks(&self, setting: &Setting) -> Vec<&'a RunRecord> {
        let points = self
            .series
            .iter()
            .filter_map(|series| series.point(setting));
        by_seed(points.flat_map(|point| point.runs.iter().copied()))
    }

    /// Whether an attack of strength 0 changed the model.
    pub fn moves_at_zero(&self) -> bool {
        let mut points = self.series.iter().flat_map(|series| &series.points);
        points.any(Point::moves_at_zero)
    }

    /// The size of what was tested where something changed: `3 attack seeds` and `2 sample sets of 150 pairs`.
    pub fn extent(&self) -> [String; 2] {
        let points: Vec<_> = self.series.iter().flat_map(Series::attacked).collect();
        let ranged = |values: Vec<u64>, what: &str| {
            let number = range(values.into_iter());
            let plural = if number == "1" { "" } else { "s" };
            format!("{number} {what}{plural}")
        };
        let seeds = points.iter().map(|point| point.seeds() as u64);
        let sets = points.iter().map(|point| point.sets() as u64);
        let runs = points.iter().flat_map(|point| &point.runs);
        let pairs = range(runs.map(|run| run.pair.of()));
        let sets = ranged(sets.collect(), "sample set");
        [
            ranged(seeds.collect(), "attack seed"),
            format!("{sets} of {pairs} pairs"),
        ]
    }

    /// The sets that are smaller or end earlier than the paper's. At desk scale every title says so, and this is `None`.
    pub fn reduced(&self, scale: Scale) -> Option<String> {
        if scale != Scale::PAPER {
            return None;
        }
        let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for series in &self.series {
            let sets = || series.sets.iter();
            let samples = sets().filter(|set| set.asked < SAMPLES);
            let samples = samples.map(|set| format!("{} of {SAMPLES} samples", set.asked));
            let capped = sets().filter(|set| set.iterations_cap < ITERATIONS);
            let approach = capped.filter_map(|set| {
                let stage1 = read::<SetFields>(&set.spec)?.stage1?;
                let lr = stage1.lr.map_or_else(|| "–".to_owned(), plain);
                let cap = set.iterations_cap;
                Some(format!(
                    "{cap} of {ITERATIONS} iterations of stage 1 at steps of {lr}"
                ))
            });
            for part in samples.chain(approach).collect::<BTreeSet<_>>() {
                parts.entry(part).or_default().push(series.title.clone());
            }
        }
        let parts = parts.iter();
        let parts: Vec<_> = parts
            .map(|(part, names)| format!("{} with {part}", names.join(", ")))
            .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// The series of one column of a table.
    pub fn series(&self, generator: &str, variant: &str) -> Option<&Series<'a>> {
        let mut all = self.series.iter();
        all.find(|series| series.generator == generator && series.variant == variant)
    }
}

impl<'a> Series<'a> {
    fn all(
        records: &Records,
        runs: Vec<Placed<'a>>,
        sets: &BTreeMap<Id, &'a SetRecord>,
    ) -> Vec<Self> {
        let mut by_generator: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (setting, run) in runs {
            let generator = run.generator.as_str();
            by_generator
                .entry((rank(generator), generator))
                .or_default()
                .push((setting, run));
        }
        let mut all = Vec::new();
        for ((_, generator), runs) in by_generator {
            let spec = |(_, run): &Placed| match sets.get(&run.set) {
                Some(set) => fields(&set.spec, &["seed"]),
                None => Leaves::new(),
            };
            for (variant, runs) in differences_from_default(runs, spec) {
                let used: BTreeMap<_, _> = runs
                    .iter()
                    .filter_map(|(_, run)| Some((run.set, *sets.get(&run.set)?)))
                    .collect();
                all.push(Self {
                    generator,
                    title: title(records, generator, &variant),
                    variant,
                    sets: used.into_values().collect(),
                    points: Point::all(runs),
                });
            }
        }
        all
    }

    /// The point of one setting.
    pub fn point(&self, setting: &Setting) -> Option<&Point<'a>> {
        self.points.iter().find(|point| point.setting == *setting)
    }

    /// The points at which something changes. An attack that changes nothing has no chance in it and is run once.
    pub fn attacked(&self) -> Vec<&Point<'a>> {
        let points = self
            .points
            .iter()
            .filter(|point| point.setting.is_attack() && point.setting.value() != Some(0.0));
        points.collect()
    }

    /// False alarms: the samples, or pairs, of all sets that changed in at least one control.
    pub fn false_alarms(&self, measure: Measure) -> Rate {
        let rates = self.sets.iter().map(|set| {
            let [single, pair] = control::alarms(&set.controls);
            match measure {
                Measure::Single => single,
                Measure::Pair => pair,
            }
        });
        rates.sum()
    }

    /// The sum of a count over its sets.
    pub fn sum(&self, count: fn(&SetRecord) -> u64) -> u64 {
        self.sets.iter().map(|set| count(set)).sum()
    }

    /// The median |margin| after stage 1 over its samples.
    pub fn median_margin(&self) -> Option<f64> {
        let margins = self.sets.iter().flat_map(|set| &set.margins);
        median(margins.copied().map(f64::from))
    }

    /// Whether the samples were made as pairs, whose members' reference labels differ.
    pub fn are_pairs(&self) -> bool {
        !self.sets.is_empty() && self.sets.iter().all(|set| set.layout == Layout::Pairs)
    }
}

impl<'a> Point<'a> {
    fn all(placed: Vec<Placed<'a>>) -> Vec<Self> {
        let mut all: BTreeMap<Setting, Vec<_>> = BTreeMap::new();
        for (setting, run) in placed {
            all.entry(setting).or_default().push(run);
        }
        let all = all.into_iter();
        all.map(|(setting, runs)| Self {
            setting,
            runs,
            means: Default::default(),
        })
        .collect()
    }

    /// The attacked models: one run a seed, whatever its samples.
    pub fn models(&self) -> Vec<&'a RunRecord> {
        by_seed(self.runs.iter().copied())
    }

    /// Hits of all seeds together.
    pub fn rate(&self, measure: Measure) -> Rate {
        self.runs.iter().map(|run| measure.of(run)).sum()
    }

    /// The mean over the runs, with a bootstrap interval over sample sets and attack seeds if there are several.
    pub fn mean(&self, measure: Measure) -> Option<Mean> {
        *self.means[measure as usize].get_or_init(|| self.compute_mean(measure))
    }

    fn compute_mean(&self, measure: Measure) -> Option<Mean> {
        let sets: BTreeSet<_> = self.runs.iter().map(|run| run.set).collect();
        let seeds: BTreeSet<_> = self.runs.iter().map(|run| run.seed).collect();
        let counted = self.runs.iter().filter(|run| measure.of(run).of() > 0);
        let values: Vec<_> = counted
            .map(|run| {
                let set = sets.range(..run.set).count();
                let seed = seeds.range(..run.seed).count();
                (set, seed, measure.of(run).value())
            })
            .collect();
        let mean = values.iter().map(|(_, _, value)| value).sum::<f64>() / values.len() as f64;
        (!values.is_empty()).then(|| (mean, crossed95(&values, Stream::new(0).split("bootstrap"))))
    }

    /// The number of runs whose rate is the balance of the reference labels.
    pub fn runs_that_tell_balance(&self) -> usize {
        let runs = self.runs.iter();
        runs.filter(|run| is_balance(run.same_label, run.single))
            .count()
    }

    /// Whether there is such a run.
    pub fn tells_balance(&self) -> bool {
        self.runs_that_tell_balance() > 0
    }

    /// The union of two 95 % intervals, in [0, 1]: Wilson's of the pooled counts and that of [`Point::mean`]. The first assumes
    /// independent samples; the second has no length where all runs agree.
    pub fn interval(&self, measure: Measure) -> (f64, f64) {
        let (low, high) = self.rate(measure).wilson95();
        match self.mean(measure) {
            Some((_, Some((least, most)))) => (low.min(least), high.max(most)),
            _ => (low, high),
        }
    }

    /// Whether an attack of strength 0 changed the model: it is no control then.
    pub fn moves_at_zero(&self) -> bool {
        self.setting.value() == Some(0.0) && self.runs.iter().any(|run| run.change.changed > 0)
    }

    /// Its size: `6 runs: 3 attack seeds, 2 sample sets`.
    pub fn extent(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        format!(
            "{}: {}, {}",
            count(self.runs.len(), "run"),
            count(self.seeds(), "attack seed"),
            count(self.sets(), "sample set")
        )
    }

    /// The number of attack seeds.
    pub fn seeds(&self) -> usize {
        distinct(self.runs.iter().map(|run| run.seed))
    }

    /// The number of sample sets.
    pub fn sets(&self) -> usize {
        distinct(self.runs.iter().map(|run| run.set))
    }
}

/// Whether another engine executed the untouched model, in f32 or f64 and on images of f32.
pub fn is_other_engine(run: &RunRecord) -> bool {
    let fields = || read::<ExecutionFields>(&run.spec);
    run.attack == EXECUTION
        && fields().is_some_and(|fields| {
            let exact = matches!(fields.arithmetic.as_str(), "float64" | "folded");
            fields.transport == "float32" && (exact || fields.program.is_some())
        })
}

/// One run of each attacked model: of each attack seed, and of each set if a part of it leaked to the attacker.
fn by_seed<'a>(runs: impl Iterator<Item = &'a RunRecord>) -> Vec<&'a RunRecord> {
    let model = |run: &RunRecord| (run.seed, run.leaked.map(|_| run.set));
    let runs: BTreeMap<_, _> = runs.map(|run| (model(run), run)).collect();
    runs.into_values().collect()
}

/// Whether a rate is the balance of the reference labels rather than a sensitivity.
///
/// All labels are the same after the attack and were not before. So exactly the samples of other labels flipped, however far
/// the boundary moved.
pub fn is_balance(same_label: bool, single: Rate) -> bool {
    same_label && 0 < single.hits() && single.hits() < single.of()
}
