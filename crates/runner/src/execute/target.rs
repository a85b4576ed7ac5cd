//! Trains a target or reads it from a file, and tests it.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Context;
use brink_attacks::Victim;
use brink_data::Dataset;
use brink_models::train::Trainer;
use brink_models::{Network, Normalize, Weights};
use brink_random::Stream;
use brink_store::{FORMAT, TargetRecord};
use brink_verify::Rate;
use candle_core::{DType, Device};

use super::Executor;
use super::images::{self, Images};
use crate::grid::{Head, Sha256, Target};
use crate::plan::{self, TargetStep, WeightFile};
use crate::progress::{Line, Progress};
use crate::provenance::Clock;

/// A target in memory.
pub struct LoadedTarget {
    /// The network that the verifier queries.
    pub network: Network,
    /// The weights that an attack modifies.
    pub weights: Weights,
    /// Its input normalisation.
    pub normalize: Option<Normalize>,
    /// Its images.
    pub images: Images,
    /// Top-1 accuracy on the test images in use.
    pub accuracy: Rate,
    /// The SHA-256 of its weights and images. All its sets and runs depend on it.
    pub sum: String,
    /// The name that selects its keyed head, once it is known.
    pub head: OnceCell<String>,
}

impl LoadedTarget {
    /// The target of `step` as an attack gets it.
    pub fn victim(&self, step: &TargetStep) -> Victim<'_> {
        Victim {
            model: step.model,
            classes: self.network.classes(),
            weights: &self.weights,
            normalize: self.normalize,
            train: self.images.train(),
            leaked: &[],
        }
    }
}

impl Executor<'_> {
    /// The target of `step`: read if it is finished, computed otherwise.
    ///
    /// # Errors
    /// If it cannot be read or computed.
    pub(super) fn target(
        &self,
        step: &TargetStep,
        dataset: Rc<Dataset>,
        progress: &mut Progress,
    ) -> anyhow::Result<LoadedTarget> {
        let stream = self.root.split("target");
        let images =
            Images::new(&step.target, dataset, &stream).with_context(|| step.name.clone())?;
        match self.store.target(&step.id)? {
            Some(record) => self.finished(step, &record, images, &stream),
            None => self.prepare(step, images, &stream, progress),
        }
        .with_context(|| step.name.clone())
    }

    /// Reads the finished target of `record`.
    fn finished(
        &self,
        step: &TargetStep,
        record: &TargetRecord,
        images: Images,
        stream: &Stream,
    ) -> anyhow::Result<LoadedTarget> {
        let now = images.content();
        if let Some(then) = &record.content
            && then.sha256 != now.sha256
        {
            let path = self.store.weights(&step.id).with_file_name("record.json");
            let problem = format!(
                "its images have changed: the sha256 of their pixels and labels was {} when the target was made, and is now {}; \
                 restore the files, or delete this record to make the target again",
                then.sha256, now.sha256
            );
            return Err(brink_models::Error::File { path, problem }.into());
        }
        let path = self.store.weights(&step.id);
        let other = |found: &Sha256| {
            let sum = record.weights_sha256.as_ref();
            sum.is_some_and(|sum| found.as_str() != sum)
        };
        // What a file brings along is read from there, as its bytes are part of the id.
        let kept = path.exists() && step.target.model.file().is_none();
        let (weights, sum) = match (kept, &step.target.train) {
            (true, _) => {
                let found = Sha256::of_file(&path).with_context(|| path.display().to_string())?;
                if other(&found) {
                    return Err(stale(path, "have changed"));
                }
                (Weights::read(&path)?, found)
            }
            // Weights without training are quickly made again, so their record alone is enough.
            (false, None) => {
                let weights = initial(step, stream)?.to(DType::F32, &Device::Cpu)?;
                let found = Sha256::of(&weights.to_bytes()?);
                if other(&found) {
                    return Err(stale(path, "are gone, and making them again gives others"));
                }
                (weights, found)
            }
            (false, Some(_)) => return Err(stale(path, "are gone")),
        };
        let loaded = self.loaded(step, weights, images)?;
        Ok(LoadedTarget {
            accuracy: record.accuracy,
            sum: brink_store::target_sum(sum.as_str(), &now.sha256),
            ..loaded
        })
    }

    fn prepare(
        &self,
        step: &TargetStep,
        images: Images,
        stream: &Stream,
        progress: &mut Progress,
    ) -> anyhow::Result<LoadedTarget> {
        let mut clock = Clock::start();
        let mut line = progress.begin(&step.name);
        let weights = initial(step, stream)?;
        if let Some(prefix) = weights.dropped_prefix() {
            let name = &step.name;
            progress.warn(&format!(
                "{name}: all names in the file begin with `{prefix}`, which is left out"
            ));
        }
        if let Some(family) = weights.family() {
            let name = &step.name;
            progress.warn(&format!(
                "{name}: the file has the names of {family}, which are taken for torchvision's"
            ));
        }
        if let Some((theirs, ours)) = weights.renamed() {
            let name = &step.name;
            progress.warn(&format!(
                "{name}: the file's layer `{theirs}` is taken for `{ours}`"
            ));
        }
        let weights = self.trained(step, weights, &images, stream, &mut clock, &mut line)?;
        line.note("testing");
        let mut loaded = self.loaded(step, weights, images)?;
        loaded.accuracy = images::accuracy(&loaded.network, loaded.images.tested())?;
        if let Some(doubt) = doubt(&loaded.weights, loaded.accuracy) {
            progress.warn(&format!("{}: {doubt}", step.name));
        }
        let validation = loaded.images.validation();
        let validation = validation.map(|held| images::accuracy(&loaded.network, held));
        let validation = validation.transpose()?;

        let target = &step.target;
        let facts = &step.facts;
        let bytes = loaded.weights.to_bytes()?;
        let record = TargetRecord {
            format: FORMAT,
            id: step.id,
            dataset: facts.name.clone(),
            dataset_title: facts.title.clone(),
            model: target.model.name().to_owned(),
            classes: facts.classes,
            input: facts.shape,
            parameters: loaded.weights.parameters() as u64,
            spec: serde_json::to_value(Target {
                generators: None,
                ..target.clone()
            })?,
            seed: self.seed,
            accuracy: loaded.accuracy,
            validation,
            train_images: loaded.images.train().len() as u64,
            epochs: target
                .train
                .as_ref()
                .map_or(0.0, |train| train.epochs.get() as f64),
            weights_sha256: Some(Sha256::of(&bytes).as_str().to_owned()),
            content: Some(loaded.images.content()),
            provenance: clock.provenance(self.device),
        };
        loaded.sum = record.sum().unwrap_or_default();
        self.store
            .put_target(&record, |path| Ok(std::fs::write(path, &bytes)?))?;
        let mut result = format!("accuracy {}", loaded.accuracy);
        if let Some(validation) = validation {
            result += &format!(", validation {validation}");
        }
        progress.end(line, &result);
        Ok(loaded)
    }

    /// The weights, after training if the target has any.
    fn trained(
        &self,
        step: &TargetStep,
        weights: Weights,
        images: &Images,
        stream: &Stream,
        clock: &mut Clock,
        line: &mut Line,
    ) -> anyhow::Result<Weights> {
        let target = &step.target;
        let Some(training) = &target.train else {
            return Ok(weights);
        };
        let (model, classes) = (step.model, step.facts.classes);
        let weights = weights.to(DType::F32, &Device::Cpu)?;
        let normalize = target.normalize.map(Into::into);
        let stream = stream.split("training");
        let trainer = Trainer::new(
            model,
            classes,
            &weights,
            normalize,
            images.train(),
            training,
            &stream,
        )?;
        let on = images.content().sha256;
        self.drive(&step.id, &on, Box::new(trainer), clock, line)
    }

    /// The target with these weights, not yet tested.
    fn loaded(
        &self,
        step: &TargetStep,
        weights: Weights,
        images: Images,
    ) -> anyhow::Result<LoadedTarget> {
        let weights = weights.to(DType::F32, &Device::Cpu)?;
        let normalize = step.target.normalize.map(Into::into);
        let network = Network::frozen(step.model, step.facts.classes, &weights, normalize)?;
        Ok(LoadedTarget {
            network,
            weights,
            normalize,
            images,
            accuracy: Rate::default(),
            sum: String::new(),
            head: OnceCell::new(),
        })
    }
}

/// The weights of a target before any training: drawn at random, or read from its file.
///
/// # Errors
/// If the file cannot be read, has changed since planning, or is for another network.
pub fn initial(step: &TargetStep, stream: &Stream) -> anyhow::Result<Weights> {
    let target = &step.target;
    let (model, classes) = (step.model, step.facts.classes);
    let stream = stream.split("weights");
    let Some(WeightFile { path, sum }) = &step.weights else {
        return Ok(Weights::draw(model, classes, &stream)?);
    };
    let weights = match model.brought() {
        Some(weights) => weights,
        None => Weights::read(path)?.named_for(model, classes)?,
    };
    // The plan may be hours old, and the id of the target depends on the file as it was then.
    let found = Sha256::of_file(path).with_context(|| path.display().to_string())?;
    if found != *sum {
        let problem = format!(
            "its sha256 is {}, but was {} when the steps were planned; do not change the file, and run the same command again",
            found.as_str(),
            sum.as_str()
        );
        let path = path.clone();
        return Err(brink_models::Error::File { path, problem }.into());
    }
    match target.init.as_ref().and_then(|init| init.head) {
        Some(Head::New) => weights.with_new_head(model, classes, &stream),
        None => weights.check(model, classes).map(|()| weights),
    }
    .with_context(|| path.display().to_string())
}

/// The warning if the accuracy is much lower than the file claims.
fn doubt(weights: &Weights, measured: Rate) -> Option<String> {
    /// The largest accepted loss, in percentage points. JPEG images cost 11 points, a missing normalisation costs 50.
    const LOSS: f64 = 15.0;
    let measured = 100.0 * measured.value();
    let claim = weights.claim()?;
    (claim.percent - measured > LOSS).then(|| {
        format!(
            "the file claims {:.2} % (`{}`), measured {measured:.2} %: `normalize` is probably not what the network was trained with; check it and the data set",
            claim.percent, claim.name
        )
    })
}

/// The error for unusable weights at `path`, with the fix.
fn stale(path: PathBuf, problem: &str) -> anyhow::Error {
    let problem = format!(
        "the weights of this finished target {problem}; {}",
        plan::made_again(&path)
    );
    brink_models::Error::File { path, problem }.into()
}

#[cfg(test)]
mod tests {
    use brink_store::Id;

    use super::*;

    #[test]
    fn a_weight_file_that_has_changed_since_the_plan_is_refused() {
        let text = "{dataset: fashion-mnist, model: resnet20, init: {weights: net.safetensors}}";
        let target: Target = brink_config::yaml::parse("target", text).unwrap();
        let stream = Stream::new(0);
        let model: brink_models::Model = "resnet20".parse().unwrap();
        let bytes = Weights::draw(model, 10, &stream);
        let bytes = bytes.unwrap().to_bytes().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        std::fs::write(&path, &bytes).unwrap();
        let planned_with = |bytes: &[u8]| TargetStep {
            id: Id::of(&0).unwrap(),
            name: String::new(),
            target: target.clone(),
            model,
            facts: brink_data::Id::FashionMnist.info().facts(),
            own: None,
            weights: Some(WeightFile {
                path: path.clone(),
                sum: Sha256::of(bytes),
            }),
            sets: Vec::new(),
            attacks: Vec::new(),
            probes: Vec::new(),
            slice: None,
        };
        assert!(initial(&planned_with(&bytes), &stream).is_ok());
        let error = initial(&planned_with(b"other weights"), &stream);
        let message = error.map(|_| ()).unwrap_err().to_string();
        for said in ["net.safetensors", "when the steps were planned"] {
            assert!(message.contains(said), "{message}");
        }
    }
}
