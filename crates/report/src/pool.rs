//! Runs that differ in nothing but their seeds belong together; runs that differ in anything else must not be mixed.
//!
//! The result is a tree that tables and figures walk: a block (one target under one kind of attack), its series (one
//! generator each), their points (one setting of the attack each) with all runs that were pooled.

use std::collections::{BTreeMap, BTreeSet};

use spec::{Id, Scale, Stream, plain};
use store::{RunRecord, SetRecord, TargetRecord};
use verify::stats::crossed95;
use verify::{Layout, Rate, control};

use crate::kinds::kinds;
use crate::names::{network, rank, title};
use crate::numbers::{distinct, range};
use crate::paper::{ITERATIONS, SAMPLES};
use crate::study::{IDENTITY, Study};
use crate::variants::{departures, fields, variants};
use crate::{Kinship, Measure, Records};

/// One setting of an attack: a row of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Nothing was changed: the rate is a false alarm.
    Unchanged,
    /// The attack.
    Attack {
        /// The bits of the field that orders the rows; those of positive numbers are in the order of the numbers.
        value: Option<u64>,
        /// What tells it from others of the same value; mostly empty.
        variant: String,
    },
}

impl Setting {
    /// What tells it from others of the same value.
    pub fn variant(&self) -> &str {
        match self {
            Self::Unchanged => "",
            Self::Attack { variant, .. } => variant,
        }
    }

    /// The field that orders the rows.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Unchanged => None,
            Self::Attack { value, .. } => value.map(f64::from_bits),
        }
    }
}

/// A run, and where it belongs.
type Asked<'a> = (Setting, &'a RunRecord);

/// What is said of a target whose sets are not the paper's, at a scale that otherwise is.
pub const REDUCED: &str = "not at the paper's scale";

/// One target under one kind of attack.
pub struct Block<'a> {
    pub target: &'a TargetRecord,
    /// What tells this target from others of the same data set and network; mostly empty.
    pub target_variant: String,
    /// What tells this attack from others on the same target; mostly empty.
    pub attack_variant: String,
    pub series: Vec<Series<'a>>,
    /// The settings of the runs that the grid asks for and that have not been computed.
    pub open: Vec<Setting>,
}

/// One generator's samples for one target.
pub struct Series<'a> {
    pub generator: &'a str,
    /// What tells these samples from others of the same generator; mostly empty.
    pub variant: String,
    /// The sample sets asked.
    pub sets: Vec<&'a SetRecord>,
    /// In the order of the settings.
    pub points: Vec<Point<'a>>,
}

/// One setting.
pub struct Point<'a> {
    pub setting: Setting,
    /// One run for each attack seed and sample set.
    pub runs: Vec<&'a RunRecord>,
}

impl<'a> Block<'a> {
    /// All blocks of a study, ordered by data set and network; those of which nothing has been computed among them.
    pub fn all(records: &'a Records, study: &Study) -> Vec<Self> {
        let sets: BTreeMap<_, _> = records.sets.iter().map(|set| (set.id, set)).collect();
        let kinds = kinds(study, records);
        let mut blocks = Vec::new();
        for (target_variant, target) in targets(records) {
            let unchanged = records.runs.iter().filter(|run| run.attack == IDENTITY);
            let unchanged = unchanged.filter(|run| run.target == target.id);
            for (attack_variant, asked) in &kinds {
                let asked = || asked.iter().filter(|asked| asked.target == target.id);
                if asked().next().is_none() {
                    continue;
                }
                let done = asked().filter_map(|asked| Some((asked.setting.clone(), asked.run?)));
                let unchanged = unchanged.clone().map(|run| (Setting::Unchanged, run));
                let open = asked().filter(|asked| asked.run.is_none());
                blocks.push(Self {
                    target,
                    target_variant: target_variant.clone(),
                    attack_variant: attack_variant.clone(),
                    series: Series::all(done.chain(unchanged).collect(), &sets),
                    open: open.map(|asked| asked.setting.clone()).collect(),
                });
            }
        }
        blocks
    }

    /// How many of its runs have been computed, controls aside.
    pub fn done(&self) -> usize {
        let points = self.series.iter().flat_map(|series| &series.points);
        let attacks = points.filter(|point| point.setting != Setting::Unchanged);
        attacks.map(|point| point.runs.len()).sum()
    }

    /// What the grid asks for and has not been computed, if anything: `8 of 36 runs computed; nothing yet of 0, 1e-10`.
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
        let mut said = format!("{done} of {} runs computed", done + open);
        if !untried.is_empty() && done > 0 {
            let labels = untried.iter().map(|setting| study.label(setting).plain());
            said += &format!("; nothing yet of {}", labels.collect::<Vec<_>>().join(", "));
        }
        (open > 0).then_some(said)
    }

    /// The block's name, one line for each thing that says which target it is.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.target_lines();
        lines.extend(said(&self.attack_variant));
        lines
    }

    /// The name without the kind of attack.
    pub fn target_lines(&self) -> Vec<String> {
        let mut lines = vec![self.target.dataset_title.clone(), network(self.target)];
        lines.extend(said(&self.target_variant));
        lines
    }

    /// The block's name in one line.
    pub fn title(&self) -> String {
        self.lines().join(", ")
    }

    /// How close the block is to the paper.
    pub fn kinship(&self) -> Kinship {
        Kinship::of(self.target)
    }

    /// All settings, in their order.
    pub fn settings(&self) -> Vec<&Setting> {
        let points = self.series.iter().flat_map(|series| &series.points);
        let mut settings: Vec<_> = points.map(|point| &point.setting).collect();
        settings.sort();
        settings.dedup();
        settings
    }

    /// The attacked models in one setting: one run a seed, whichever samples it was asked with.
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

    /// How much was asked where something changed: `3 attack seeds` and `2 sample sets of 150 pairs`.
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

    /// Which sets are smaller or end earlier than the paper's, where no title says that all do.
    pub fn reduced(&self, scale: Scale) -> Option<String> {
        if scale != Scale::PAPER {
            return None;
        }
        let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for series in &self.series {
            let sets = || series.sets.iter();
            let samples = sets().filter(|set| set.asked < SAMPLES);
            let samples = samples.map(|set| format!("{} of {SAMPLES} samples", set.asked));
            let approach = sets().filter(|set| !set.spec["stage1"].is_null());
            let approach = approach.filter(|set| set.iterations_cap < ITERATIONS);
            let approach = approach.map(|set| {
                let cap = set.iterations_cap;
                let lr = plain(set.spec["stage1"]["lr"].as_f64().unwrap_or_default());
                format!("{cap} of {ITERATIONS} iterations of stage 1 at steps of {lr}")
            });
            for part in samples.chain(approach).collect::<BTreeSet<_>>() {
                parts.entry(part).or_default().push(series.title());
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
    fn all(asked: Vec<Asked<'a>>, sets: &BTreeMap<Id, &'a SetRecord>) -> Vec<Self> {
        let mut by_generator: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (setting, run) in asked {
            let generator = run.generator.as_str();
            by_generator
                .entry((rank(generator), generator))
                .or_default()
                .push((setting, run));
        }
        let mut all = Vec::new();
        for ((_, generator), asked) in by_generator {
            let spec = |(_, run): &Asked| match sets.get(&run.set) {
                Some(set) => fields(&set.spec, &["seed"]),
                None => BTreeMap::new(),
            };
            for (variant, asked) in departures(asked, spec) {
                let used: BTreeMap<_, _> = asked
                    .iter()
                    .filter_map(|(_, run)| Some((run.set, *sets.get(&run.set)?)))
                    .collect();
                all.push(Self {
                    generator,
                    variant,
                    sets: used.into_values().collect(),
                    points: Point::all(asked),
                });
            }
        }
        all
    }

    /// The series' name.
    pub fn title(&self) -> String {
        title(self.generator, &self.variant)
    }

    /// The point of one setting.
    pub fn point(&self, setting: &Setting) -> Option<&Point<'a>> {
        self.points.iter().find(|point| point.setting == *setting)
    }

    /// The points at which something changes: what changes nothing leaves nothing to chance and is run once.
    pub fn attacked(&self) -> Vec<&Point<'a>> {
        let points = self.points.iter().filter(|point| {
            point.setting != Setting::Unchanged && point.setting.value() != Some(0.0)
        });
        points.collect()
    }

    /// False alarms: the samples, or pairs, of all sets that changed in one of the controls at least.
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

    /// Whether the samples are pairs by construction, whose members' reference labels differ.
    pub fn are_pairs(&self) -> bool {
        !self.sets.is_empty() && self.sets.iter().all(|set| set.layout == Layout::Pairs)
    }
}

impl<'a> Point<'a> {
    fn all(asked: Vec<Asked<'a>>) -> Vec<Self> {
        let mut all: BTreeMap<Setting, Vec<_>> = BTreeMap::new();
        for (setting, run) in asked {
            all.entry(setting).or_default().push(run);
        }
        all.into_iter()
            .map(|(setting, runs)| Self { setting, runs })
            .collect()
    }

    /// The attacked models: one run a seed, whichever samples it was asked with.
    pub fn models(&self) -> Vec<&'a RunRecord> {
        by_seed(self.runs.iter().copied())
    }

    /// Hits of all seeds together.
    pub fn rate(&self, measure: Measure) -> Rate {
        self.runs.iter().map(|run| measure.of(run)).sum()
    }

    /// The mean over the runs, and if there are several its bootstrap interval over sample sets and attack seeds; both in [0, 1].
    pub fn mean(&self, measure: Measure) -> Option<(f64, Option<(f64, f64)>)> {
        let sets: BTreeSet<_> = self.runs.iter().map(|run| run.set).collect();
        let seeds: BTreeSet<_> = self.runs.iter().map(|run| run.seed).collect();
        let counted = self.runs.iter().filter(|run| measure.of(run).of() > 0);
        let values: Vec<_> = counted
            .map(|run| {
                let (set, seed) = (
                    sets.range(..run.set).count(),
                    seeds.range(..run.seed).count(),
                );
                (set, seed, measure.of(run).value())
            })
            .collect();
        let mean = values.iter().map(|(_, _, value)| value).sum::<f64>() / values.len() as f64;
        (!values.is_empty()).then(|| (mean, crossed95(&values, Stream::new(0).split("bootstrap"))))
    }

    /// How many of the runs tell the balance of the reference labels.
    pub fn runs_that_tell_balance(&self) -> usize {
        let runs = self.runs.iter();
        runs.filter(|run| is_balance(run.same_label, run.single))
            .count()
    }

    /// Whether some run does.
    pub fn tells_balance(&self) -> bool {
        self.runs_that_tell_balance() > 0
    }

    /// The rate with the wider of two 95 % intervals, all in [0, 1]: Wilson's of the pooled counts, which takes the samples of a run for
    /// independent, and that of [`Point::mean`], which takes runs that agree for certain.
    pub fn interval(&self, measure: Measure) -> (f64, f64) {
        let (low, high) = self.rate(measure).wilson95();
        match self.mean(measure) {
            Some((_, Some((least, most)))) => (low.min(least), high.max(most)),
            _ => (low, high),
        }
    }

    /// Whether it is of strength 0, and changed the model all the same: it is no control then.
    pub fn moves_at_zero(&self) -> bool {
        self.setting.value() == Some(0.0) && self.runs.iter().any(|run| run.change.changed > 0)
    }

    /// How much was asked: `6 runs: 3 attack seeds, 2 sample sets`.
    pub fn extent(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        format!(
            "{}: {}, {}",
            count(self.runs.len(), "run"),
            count(self.seeds(), "attack seed"),
            count(self.sets(), "sample set")
        )
    }

    /// Different seeds of the attack.
    pub fn seeds(&self) -> usize {
        distinct(self.runs.iter().map(|run| run.seed))
    }

    /// Different sample sets.
    pub fn sets(&self) -> usize {
        distinct(self.runs.iter().map(|run| run.set))
    }
}

impl Measure {
    /// The rate of one run.
    pub fn of(self, run: &RunRecord) -> Rate {
        match self {
            Self::Single => run.single,
            Self::Pair => run.pair,
        }
    }
}

/// One run of each attack seed.
fn by_seed<'a>(runs: impl Iterator<Item = &'a RunRecord>) -> Vec<&'a RunRecord> {
    let runs: BTreeMap<_, _> = runs.map(|run| (run.seed, run)).collect();
    runs.into_values().collect()
}

/// A text, unless it is empty.
fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether a rate is the balance of the reference labels and no sensitivity: all labels are the same after the attack and were not before, so
/// exactly the samples of other labels flipped, however far the boundary moved.
pub fn is_balance(same_label: bool, single: Rate) -> bool {
    same_label && 0 < single.hits() && single.hits() < single.of()
}

/// All targets, ordered by data set and network, each with what tells it from others of the same two.
pub fn targets(records: &Records) -> Vec<(String, &TargetRecord)> {
    let mut targets: Vec<_> = records.targets.iter().collect();
    let named = |target: &TargetRecord| (target.dataset.clone(), network(target));
    targets.sort_by_cached_key(|target| (named(target), target.seed, target.id));
    let kin = targets.chunk_by(|a, b| named(a) == named(b));
    let mut all = Vec::new();
    for kin in kin {
        for (variant, same) in variants(kin.to_vec(), |target| {
            let mut fields = fields(&target.spec, &[]);
            fields.insert("seed".to_owned(), target.seed.to_string());
            fields
        }) {
            all.extend(same.into_iter().map(|target| (variant.clone(), target)));
        }
    }
    all
}
