//! Runs that differ in nothing but their seeds belong together; runs that differ in anything else must not be mixed.
//!
//! The result is a tree that tables and figures walk: a block (one target under one kind of fine-tuning), its series (one
//! generator each), their points (one learning rate each) with all runs that were pooled.

use std::collections::BTreeMap;

use serde_json::Value;
use store::{RunRecord, SetRecord, TargetRecord};
use verify::{Control, Layout, Rate};

use crate::{Kinship, Measure, Records};

/// The attack whose learning rate Table III varies.
const ATTACK: &str = "finetune";

/// The paper's generators in the order of its columns, with their titles; others follow by name.
pub const GENERATORS: [(&str, &str); 4] = [
    ("validset", "Validset"),
    ("dbi", "DBI"),
    ("aid", "AID"),
    ("ours", "Ours"),
];

/// One target under one kind of fine-tuning.
pub struct Block<'a> {
    pub target: &'a TargetRecord,
    /// What tells this target from others of the same data set and network; mostly empty.
    pub target_variant: String,
    /// What tells this fine-tuning from others of the same target; mostly empty.
    pub attack_variant: String,
    pub series: Vec<Series<'a>>,
}

/// One generator's samples for one target.
pub struct Series<'a> {
    pub generator: &'a str,
    /// What tells these samples from others of the same generator; mostly empty.
    pub variant: String,
    /// The sample sets asked.
    pub sets: Vec<&'a SetRecord>,
    /// By ascending learning rate.
    pub points: Vec<Point<'a>>,
}

/// One learning rate.
pub struct Point<'a> {
    pub lr: f64,
    /// One run a seed.
    pub runs: Vec<&'a RunRecord>,
}

impl<'a> Block<'a> {
    /// All blocks, ordered by data set and network.
    pub fn all(records: &'a Records) -> Vec<Self> {
        let sets: BTreeMap<_, _> = records.sets.iter().map(|set| (set.id, set)).collect();
        let mut targets: Vec<_> = records.targets.iter().collect();
        targets.sort_by_key(|target| (&target.dataset, &target.model, target.seed, target.id));
        let kin = targets.chunk_by(|a, b| (&a.dataset, &a.model) == (&b.dataset, &b.model));
        let mut blocks = Vec::new();
        for kin in kin {
            for (target_variant, same) in variants(kin.to_vec(), |target| {
                let mut fields = fields(&target.spec, &[]);
                fields.insert("seed".to_owned(), target.seed.to_string());
                fields
            }) {
                for target in same {
                    let runs = records.runs.iter();
                    let runs = runs.filter(|run| run.target == target.id && lr(run).is_some());
                    for (attack_variant, runs) in
                        variants(runs.collect(), |run| fields(&run.spec, &["lr", "seed"]))
                    {
                        blocks.push(Self {
                            target,
                            target_variant: target_variant.clone(),
                            attack_variant,
                            series: Series::all(runs, &sets),
                        });
                    }
                }
            }
        }
        blocks
    }

    /// The block's name, one line for each thing that says which target it is.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            self.target.dataset_title.clone(),
            network(&self.target.model),
        ];
        let variants = [&self.target_variant, &self.attack_variant];
        lines.extend(
            variants
                .into_iter()
                .filter(|text| !text.is_empty())
                .cloned(),
        );
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

    /// All learning rates, ascending.
    pub fn lrs(&self) -> Vec<f64> {
        let points = self.series.iter().flat_map(|series| &series.points);
        let mut lrs: Vec<f64> = points.map(|point| point.lr).collect();
        lrs.sort_by(f64::total_cmp);
        lrs.dedup();
        lrs
    }

    /// The attacked models at one learning rate: one run a seed, whichever samples it was asked with.
    pub fn attacks(&self, lr: f64) -> Vec<&'a RunRecord> {
        let points = self.series.iter().filter_map(|series| series.point(lr));
        let runs = points.flat_map(|point| &point.runs);
        let by_seed: BTreeMap<_, _> = runs.map(|run| (run.seed, *run)).collect();
        by_seed.into_values().collect()
    }

    /// How much was asked: attack seeds, and pairs for each.
    pub fn extent(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let seeds = range(points().map(|point| point.seeds() as u64));
        let pairs = range(
            points()
                .flat_map(|point| &point.runs)
                .map(|run| run.pair.of()),
        );
        let plural = if seeds == "1" { "" } else { "s" };
        format!("{seeds} attack seed{plural}, {pairs} pairs each")
    }

    /// The series of one column of a table.
    pub fn series(&self, generator: &str, variant: &str) -> Option<&Series<'a>> {
        let mut all = self.series.iter();
        all.find(|series| series.generator == generator && series.variant == variant)
    }
}

impl<'a> Series<'a> {
    fn all(runs: Vec<&'a RunRecord>, sets: &BTreeMap<spec::Id, &'a SetRecord>) -> Vec<Self> {
        let mut by_generator: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for run in runs {
            let generator = run.generator.as_str();
            by_generator
                .entry((rank(generator), generator))
                .or_default()
                .push(run);
        }
        let mut all = Vec::new();
        for ((_, generator), runs) in by_generator {
            let spec = |run: &&RunRecord| match sets.get(&run.set) {
                Some(set) => fields(&set.spec, &["seed"]),
                None => BTreeMap::new(),
            };
            for (variant, runs) in variants(runs, spec) {
                let used: BTreeMap<_, _> = runs
                    .iter()
                    .filter_map(|run| Some((run.set, *sets.get(&run.set)?)))
                    .collect();
                all.push(Self {
                    generator,
                    variant,
                    sets: used.into_values().collect(),
                    points: Point::all(runs),
                });
            }
        }
        all
    }

    /// The series' name.
    pub fn title(&self) -> String {
        title(self.generator, &self.variant)
    }

    /// The point at one learning rate.
    pub fn point(&self, lr: f64) -> Option<&Point<'a>> {
        self.points.iter().find(|point| point.lr == lr)
    }

    /// False alarms: all controls of all sets together.
    pub fn false_alarms(&self, measure: Measure) -> Rate {
        let controls = self.sets.iter().flat_map(|set| &set.controls);
        controls
            .map(|control: &Control| match measure {
                Measure::Single => control.single,
                Measure::Pair => control.pair,
            })
            .sum()
    }

    /// Whether the samples are pairs by construction, whose members' reference labels differ.
    pub fn are_pairs(&self) -> bool {
        !self.sets.is_empty() && self.sets.iter().all(|set| set.layout == Layout::Pairs)
    }
}

impl<'a> Point<'a> {
    fn all(runs: Vec<&'a RunRecord>) -> Vec<Self> {
        let mut by_lr: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        for run in runs {
            // The bits of positive numbers are in the order of the numbers.
            by_lr
                .entry(lr(run).unwrap_or_default().to_bits())
                .or_default()
                .push(run);
        }
        let all = by_lr.into_iter();
        all.map(|(bits, runs)| Self {
            lr: f64::from_bits(bits),
            runs,
        })
        .collect()
    }

    /// Hits of all seeds together.
    pub fn rate(&self, measure: Measure) -> Rate {
        self.runs
            .iter()
            .map(|run| match measure {
                Measure::Single => run.single,
                Measure::Pair => run.pair,
            })
            .sum()
    }

    /// Whether all labels coincide after some attack: its single rate is then the balance of the reference labels.
    pub fn same_label(&self) -> bool {
        self.runs.iter().any(|run| run.same_label)
    }

    /// Different seeds of the attack.
    pub fn seeds(&self) -> usize {
        let mut seeds: Vec<u64> = self.runs.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds.len()
    }
}

/// The learning rate of a fine-tuning run; `None` for other attacks.
fn lr(run: &RunRecord) -> Option<f64> {
    let lr = run.spec.get("lr").and_then(Value::as_f64);
    lr.filter(|lr| run.attack == ATTACK && *lr >= 0.0)
        .map(f64::abs)
}

/// Where a generator stands among the columns.
fn rank(generator: &str) -> usize {
    let known = GENERATORS.iter().position(|(name, _)| *name == generator);
    known.unwrap_or(GENERATORS.len())
}

/// The title of a generator, or of one of its variants.
pub fn title(generator: &str, variant: &str) -> String {
    let known = GENERATORS.iter().find(|(name, _)| *name == generator);
    let title = known.map_or(generator, |(_, title)| title);
    if variant.is_empty() {
        title.to_owned()
    } else {
        format!("{title} ({variant})")
    }
}

/// A network's name as papers write it: `resnet18` is `ResNet18`.
fn network(model: &str) -> String {
    for (name, title) in [("resnet", "ResNet"), ("vgg", "VGG")] {
        if let Some(rest) = model.strip_prefix(name) {
            return format!("{title}{rest}");
        }
    }
    model.to_owned()
}

/// The leaves of a specification by dotted path, without the fields named.
fn fields(spec: &Value, without: &[&str]) -> BTreeMap<String, String> {
    fn walk(value: &Value, path: &str, out: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    walk(value, &format!("{path}{dot}{name}"), out);
                }
            }
            Value::String(text) => drop(out.insert(path.to_owned(), text.clone())),
            value => drop(out.insert(path.to_owned(), value.to_string())),
        }
    }
    let mut out = BTreeMap::new();
    walk(spec, "", &mut out);
    out.retain(|path, _| !without.contains(&path.as_str()));
    out
}

/// Groups items of equal fields, and names each group by the fields in which the groups differ.
fn variants<T>(
    items: Vec<T>,
    fields: impl Fn(&T) -> BTreeMap<String, String>,
) -> Vec<(String, Vec<T>)> {
    let mut groups: BTreeMap<BTreeMap<String, String>, Vec<T>> = BTreeMap::new();
    for item in items {
        groups.entry(fields(&item)).or_default().push(item);
    }
    let differing: Vec<String> = groups
        .keys()
        .flat_map(BTreeMap::keys)
        .filter(|path| {
            let mut values = groups.keys().map(|fields| fields.get(*path));
            let first = values.next();
            values.any(|value| Some(value) != first)
        })
        .cloned()
        .collect();
    let name = |fields: &BTreeMap<String, String>| {
        let mut parts: Vec<String> = differing
            .iter()
            .filter_map(|path| Some(format!("{path} {}", fields.get(path)?)))
            .collect();
        parts.sort();
        parts.dedup();
        parts.join(", ")
    };
    let names: Vec<_> = groups.keys().map(name).collect();
    names.into_iter().zip(groups.into_values()).collect()
}

/// `3`, or `2–3` if they differ.
pub fn range(values: impl Iterator<Item = u64> + Clone) -> String {
    match (values.clone().min(), values.max()) {
        (Some(low), Some(high)) if low == high => low.to_string(),
        (Some(low), Some(high)) => format!("{low}–{high}"),
        _ => "0".to_owned(),
    }
}
