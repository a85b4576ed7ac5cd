//! Makes sample sets, checks them for false alarms, and stores them.

use std::collections::BTreeSet;

use anyhow::Context;
use brink_config::checked::Minority;
use brink_generators::{Context as Setting, Generated};
use brink_random::Stream;
use brink_store::{FORMAT, SetRecord};
use brink_verify::{Control, Layout, Pixels, Rate, SensitiveSet, Stop};

use super::prepared::PreparedSet;
use super::target::LoadedTarget;
use super::{Executor, Failures};
use crate::examine;
use crate::grid::Sha256;
use crate::plan::{self, SetStep, TargetStep};
use crate::progress::Progress;
use crate::provenance::Clock;
use brink_generators::BlackBox;

impl Executor<'_> {
    /// Makes the missing sets of `step`, and reads the sets that missing runs or a missing slice need, unless `all` has
    /// them. Sets that cannot be made or read are left out.
    ///
    /// # Errors
    /// If the work cannot continue.
    pub(super) fn sets(
        &self,
        step: &TargetStep,
        loaded: &LoadedTarget,
        all: &mut Vec<PreparedSet>,
        progress: &mut Progress,
        failures: &mut Failures,
    ) -> anyhow::Result<()> {
        let runs = self.missing_runs(step.attacks.iter().flat_map(|attack| &attack.runs))?;
        let mut asked: BTreeSet<_> = runs.into_iter().map(|run| run.set).collect();
        if let Some(slice) = &step.slice
            && self.store.probe(&slice.id)?.is_none()
        {
            asked.insert(slice.set);
        }
        for set in &step.sets {
            if all.iter().any(|prepared| prepared.id == set.id) {
                continue;
            }
            let stream = self.root.split("set").split(&set.seed.to_string());
            let prepared = match self.store.set(&set.id)? {
                Some(_) if !asked.contains(&set.id) => continue,
                Some(record) => self.made(step, set, &record, loaded, &stream, progress),
                None => self.make(step, set, loaded, &stream, progress),
            };
            let prepared = prepared.with_context(|| set.name.clone());
            all.extend(failures.tolerate(prepared, progress)?);
        }
        Ok(())
    }

    /// Reads the set of `record`, and checks it before it tests a model.
    fn made(
        &self,
        step: &TargetStep,
        set: &SetStep,
        record: &SetRecord,
        loaded: &LoadedTarget,
        stream: &Stream,
        progress: &Progress,
    ) -> anyhow::Result<PreparedSet> {
        let path = self.store.samples(&set.id);
        let unusable = |problem: String| brink_models::Error::File {
            problem: format!("{problem}; {}", plan::made_again(&path)),
            path: path.clone(),
        };
        if record.samples_sha256.is_none() {
            progress.warn(&format!(
                "{}: its samples have no checksum and no seal, because an older version made them",
                set.name
            ));
        }
        if let Some(sum) = record
            .target_sha256
            .as_ref()
            .filter(|sum| **sum != loaded.sum)
        {
            let problem = format!(
                "it was made for weights and images with the SHA-256 {sum}, which is now {}",
                loaded.sum
            );
            return Err(unusable(problem).into());
        }
        let classes = loaded.network.classes();
        let samples = examine::samples_at(&path, record, self.key, classes).map_err(unusable)?;
        let model_id = self.model_id(step, loaded)?;
        if samples.model_id != model_id {
            let other = &samples.model_id;
            return Err(
                unusable(format!("it is for the model `{other}`, not `{model_id}`")).into(),
            );
        }
        let mut prepared = self.prepared(set, samples, loaded, stream)?;
        prepared.samples_sha256 = record.samples_sha256.clone();
        // Whatever the origin of the samples, the untouched model must give them their labels.
        let judged = prepared.ask(&BlackBox(&loaded.network))?.judged;
        match judged.verdict.single.hits() {
            0 => Ok(prepared),
            flipped => Err(unusable(format!(
                "the untouched model gives {flipped} of its images another label"
            ))
            .into()),
        }
    }

    fn make(
        &self,
        step: &TargetStep,
        set: &SetStep,
        loaded: &LoadedTarget,
        stream: &Stream,
        progress: &mut Progress,
    ) -> anyhow::Result<PreparedSet> {
        let mut clock = Clock::start();
        let mut line = progress.begin(&set.name);
        let model_id = self.model_id(step, loaded)?;
        let setting = self.setting(model_id, loaded, stream.clone());
        let job = set.generator.generator().start(setting)?;
        let made = self.drive(&set.id, &loaded.sum, job, &mut clock, &mut line)?;
        let made = as_announced(made, set, model_id, loaded.network.classes())?;
        line.note("asking the untouched model again");
        let mut prepared = self.prepared(set, made.set.clone(), loaded, stream)?;
        let controls = prepared.controls(&BlackBox(&loaded.network))?;
        let alarms: Rate = controls.iter().map(|control| control.single).sum();
        if alarms.hits() > 0 {
            progress.warn(&format!(
                "{}: {alarms} false alarms on the untouched model: rates of this set cannot be trusted",
                set.name
            ));
        }
        let result = summary(&made);
        let provenance = clock.provenance(self.device);
        let record = SetRecord {
            head_balance: self.head_balance.map(Minority::get),
            ..record(step, set, loaded, made, controls, provenance)?
        };
        let bytes = prepared.set.to_bytes(self.key)?;
        let record = SetRecord {
            samples_sha256: Some(Sha256::of(&bytes).as_str().to_owned()),
            ..record
        };
        prepared.samples_sha256 = record.samples_sha256.clone();
        self.store
            .put_set(&record, |path| Ok(std::fs::write(path, &bytes)?))?;
        progress.end(line, &format!("{result}, {} false alarms", alarms.hits()));
        Ok(prepared)
    }

    /// The name that selects the keyed head of a target.
    pub(super) fn model_id<'s>(
        &self,
        step: &TargetStep,
        loaded: &'s LoadedTarget,
    ) -> anyhow::Result<&'s str> {
        if let Some(name) = loaded.head.get() {
            return Ok(name);
        }
        let mut name = step.id.to_string();
        if let Some(least) = self.head_balance {
            let setting = self.setting(&name, loaded, self.root.split("head"));
            name = brink_generators::balanced(&setting, least.get())?;
        }
        Ok(loaded.head.get_or_init(|| name))
    }

    /// The inputs of a generator or a probe.
    pub(super) fn setting<'s>(
        &'s self,
        model_id: &'s str,
        loaded: &'s LoadedTarget,
        stream: Stream,
    ) -> Setting<'s> {
        Setting {
            target: &loaded.network,
            weights: &loaded.weights,
            normalize: loaded.normalize,
            model_id,
            key: self.key,
            train: loaded.images.train(),
            held_out: loaded.images.held_out(),
            stream,
        }
    }

    fn prepared(
        &self,
        step: &SetStep,
        samples: SensitiveSet,
        loaded: &LoadedTarget,
        stream: &Stream,
    ) -> anyhow::Result<PreparedSet> {
        let head = samples.head(self.key)?;
        let untouched = BlackBox(&loaded.network);
        PreparedSet::new(step, samples, head, &untouched, stream)
    }
}

/// Checks the set that a generator made, and names it after the generator.
///
/// # Errors
/// If the generator made a mistake: another layout than it announces, another model, or a label out of range.
fn as_announced(
    mut made: Generated,
    set: &SetStep,
    model_id: &str,
    classes: usize,
) -> Result<Generated, brink_models::Error> {
    let unmade = |problem| Err(brink_models::Error::CannotCreate(problem));
    let labels = made.set.label_space.labels(classes);
    let announced = set.generator.generator().layout();
    if made.set.layout != announced {
        return unmade(format!(
            "it made {:?}, but announces {announced:?}; correct its `layout`",
            made.set.layout
        ));
    }
    if made.set.model_id != model_id {
        return unmade(format!(
            "its set is for the model `{}`; use the `model_id` of its context",
            made.set.model_id
        ));
    }
    let mut given = made.set.labels.iter();
    if let Some(label) = given.find(|&&label| label as usize >= labels) {
        return unmade(format!(
            "it gave the label {label}, but there are {labels} labels, from 0"
        ));
    }
    made.set.generator = set.generator.name().to_owned();
    Ok(made)
}

fn summary(made: &Generated) -> String {
    let samples = made.set.samples();
    let what = match made.set.layout {
        Layout::Pairs => "pairs",
        Layout::Singles => "samples",
    };
    let stop = match made.stop {
        Stop::None => return format!("{samples} {what}"),
        Stop::Converged => "converged",
        Stop::Cap => "stopped at the cap",
    };
    let uncrossed = match made.uncrossed {
        0 => String::new(),
        n => format!(", {n} never crossed"),
    };
    format!(
        "{samples} {what}{uncrossed}, stage 1 {stop} after {} iterations",
        made.iterations_used
    )
}

fn record(
    step: &TargetStep,
    set: &SetStep,
    loaded: &LoadedTarget,
    made: Generated,
    controls: Vec<Control>,
    provenance: brink_store::Provenance,
) -> anyhow::Result<SetRecord> {
    let mut balance = vec![0; made.set.label_space.labels(loaded.network.classes())];
    for label in &made.set.labels {
        balance[*label as usize] += 1;
    }
    Ok(SetRecord {
        format: FORMAT,
        id: set.id,
        target: step.id,
        generator: set.generator.name().to_owned(),
        spec: plan::fields(&set.generator)?,
        head_balance: None,
        seed: set.seed,
        label_space: made.set.label_space,
        layout: made.set.layout,
        asked: made.asked as u64,
        made: made.set.samples() as u64,
        uncrossed: made.uncrossed as u64,
        iterations_cap: made.iterations_cap as u64,
        iterations_used: made.iterations_used as u64,
        stop: made.stop,
        margins: made.margins,
        queries: made.queries,
        label_balance: balance,
        pixels: Some(Pixels::of(&made.set)),
        controls,
        samples_sha256: None,
        target_sha256: Some(loaded.sum.clone()),
        provenance,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use brink_verify::{Images, LabelSpace};

    /// A custom generator might make these mistakes.
    #[test]
    fn a_set_is_what_its_generator_announces() {
        let step = SetStep {
            id: brink_store::Id::of(&"a set").unwrap(),
            name: "a set".to_owned(),
            generator: serde_json::from_value(serde_json::json!({ "validset": {} })).unwrap(),
            seed: 0,
        };
        let made = Generated {
            set: SensitiveSet {
                images: Images::new([1, 1, 1], vec![0.0, 1.0]).unwrap(),
                labels: vec![0, 9],
                layout: Layout::Singles,
                label_space: LabelSpace::Classes,
                classes: 10,
                model_id: "mine".to_owned(),
                generator: "another name".to_owned(),
                key_check: None,
            },
            asked: 2,
            uncrossed: 0,
            iterations_cap: 0,
            iterations_used: 0,
            stop: Stop::None,
            margins: Vec::new(),
            queries: None,
        };
        let refused = |change: fn(&mut SensitiveSet)| {
            let mut made = made.clone();
            change(&mut made.set);
            as_announced(made, &step, "mine", 10)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(|set| set.layout = Layout::Pairs).contains("announces Singles"));
        assert!(refused(|set| set.model_id = "yours".to_owned()).contains("`yours`"));
        assert!(refused(|set| set.labels[1] = 10).contains("label 10"));
        let kept = as_announced(made.clone(), &step, "mine", 10).unwrap();
        assert_eq!(kept.set.generator, "validset");
        assert_eq!(kept.set.labels, made.set.labels);
    }
}
