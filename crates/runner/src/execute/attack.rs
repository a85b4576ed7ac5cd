//! Attacks a target, and tests the modified model with every sample set.

use anyhow::Context;
use brink_attacks::{Victim, measure_change};
use brink_models::Network;
use brink_store::{FORMAT, RunRecord};
use brink_verify::Rate;

use super::deployed::Deployed;
use super::prepared::{Asked, PreparedSet};
use super::target::LoadedTarget;
use super::{Executor, Failures};
use crate::plan::{self, AttackStep, RunStep, TargetStep};
use crate::progress::Progress;
use crate::provenance::Clock;

/// No weight changed, but the labels or the accuracy did. So no number of this run can be trusted.
#[derive(Debug, thiserror::Error)]
#[error(
    "{name}: no weight changed, but {flipped} of the labels changed, and the accuracy went from {} to {}; the samples or the arithmetic have changed: run `runner check` to find changed files",
    accuracy[0],
    accuracy[1]
)]
struct FlippingControl {
    name: String,
    flipped: Rate,
    accuracy: [Rate; 2],
}

/// Refuses a model that gives other labels or another accuracy, although none of its weights `changed`.
///
/// # Errors
/// If `changed` is 0 and a label flipped or the accuracy changed. The whole run must stop.
fn control(
    name: &str,
    changed: u64,
    flipped: Rate,
    accuracy: [Rate; 2],
) -> Result<(), FlippingControl> {
    if changed > 0 || (flipped.hits() == 0 && accuracy[0] == accuracy[1]) {
        return Ok(());
    }
    Err(FlippingControl {
        name: name.to_owned(),
        flipped,
        accuracy,
    })
}

impl Executor<'_> {
    /// Runs the attacks of `step` that have runs without a record. Skips runs whose set could not be made.
    ///
    /// # Errors
    /// If the work cannot continue.
    pub(super) fn attacks(
        &self,
        step: &TargetStep,
        loaded: &LoadedTarget,
        prepared: &[PreparedSet],
        progress: &mut Progress,
        failures: &mut Failures,
    ) -> anyhow::Result<()> {
        for attack in &step.attacks {
            let of = |run: &RunStep| prepared.iter().find(|prepared| prepared.id == run.set);
            let missing = self.missing_runs(&attack.runs)?.into_iter();
            let asked: Vec<_> = missing.filter_map(|run| Some((run, of(run)?))).collect();
            if asked.is_empty() {
                continue;
            }
            let done = self
                .attack(step, attack, loaded, &asked, progress)
                .with_context(|| attack.name.clone());
            failures.tolerate(done, progress)?;
            self.forget_if_done(attack)?;
        }
        Ok(())
    }

    /// Deletes the state of `attack` once all its runs have records. Before that, a missing run may still resume from it.
    ///
    /// # Errors
    /// If a record cannot be read, or the state cannot be deleted.
    pub(super) fn forget_if_done(&self, attack: &AttackStep) -> brink_store::Result<()> {
        if self.store.has_state(&attack.id)? && self.missing_runs(&attack.runs)?.is_empty() {
            self.store.clear_state(&attack.id)?;
        }
        Ok(())
    }

    /// The runs among `runs` that have no record.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub(super) fn missing_runs<'s>(
        &self,
        runs: impl IntoIterator<Item = &'s RunStep>,
    ) -> brink_store::Result<Vec<&'s RunStep>> {
        let mut missing = Vec::new();
        for run in runs {
            if self.store.run(&run.id)?.is_none() {
                missing.push(run);
            }
        }
        Ok(missing)
    }

    fn attack(
        &self,
        step: &TargetStep,
        attack: &AttackStep,
        loaded: &LoadedTarget,
        asked: &[(&RunStep, &PreparedSet)],
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let mut clock = Clock::start();
        let mut line = progress.begin_all(asked.len(), &attack.name);
        // An attack with a leak knows one set, and is asked with that one.
        let leak = match (attack.attack.attack().leaks(), asked) {
            (Some(share), [(_, prepared)]) => Some(prepared.leak(share)?),
            _ => None,
        };
        let victim = Victim {
            leaked: leak
                .as_ref()
                .map_or(&[], |leak| leak.leaked.set.images.data()),
            ..loaded.victim(step)
        };
        let stream = self.root.split("attack").split(&attack.seed.to_string());
        let job = attack.attack.attack().start(victim, &stream)?;
        let modified = self.drive(&attack.id, &loaded.sum, job, &mut clock, &mut line)?;
        let change = measure_change(&loaded.weights, &modified.weights)?;
        let deployed = Deployed::new(step, &victim, &modified)?;
        line.note("testing");
        let accuracy = deployed.accuracy(loaded.images.tested())?;
        let success = |network: &Network| {
            let held_out = loaded.images.tested();
            let count = attack.attack.attack().success(network, held_out)?;
            anyhow::Ok(count.map(|count| Rate::new(count.hits as u64, count.of as u64)))
        };
        let success_before = success(&loaded.network)?;
        let success_after = success(deployed.network())?;
        let (mut results, mut unanswered) = (Vec::new(), None);
        for (run, prepared) in asked {
            let fresh = leak.as_ref().map_or(*prepared, |leak| &leak.fresh);
            let leaked = leak.as_ref().map(|leak| leak.leaked.ask(&deployed));
            let answers = fresh.ask(&deployed);
            let answers = answers.and_then(|fresh| Ok((fresh, leaked.transpose()?)));
            let (
                Asked {
                    judged,
                    by_class,
                    moves,
                },
                leaked,
            ) = match answers {
                Ok(answers) => answers,
                // The model may still have labels for the next set.
                Err(error) => {
                    unanswered.get_or_insert(error);
                    continue;
                }
            };
            let accuracies = [loaded.accuracy, accuracy];
            let leaked = leaked.map(|asked| asked.judged.counts());
            let known = leaked.map_or(Rate::default(), |leaked| leaked.single);
            let flipped = [judged.verdict.single, known].into_iter().sum();
            let noise = match deployed.is_benign() {
                false => {
                    control(&run.name, change.changed, flipped, accuracies)?;
                    None
                }
                true => Some(prepared.noise(&moves)),
            };
            results.push(format!(
                "{} {:.0} %",
                prepared.generator,
                100.0 * judged.paired.pair.value()
            ));
            self.store.put_run(&RunRecord {
                format: FORMAT,
                id: run.id,
                target: step.id,
                set: prepared.id,
                generator: prepared.generator.to_owned(),
                attack: attack.attack.name().to_owned(),
                spec: plan::fields(&attack.attack)?,
                seed: attack.seed,
                single: judged.verdict.single,
                pair: judged.paired.pair,
                both: judged.paired.both,
                all_pairs: judged.all_pairs(prepared.set.layout),
                same_label: judged.verdict.same_label(),
                change,
                steps: modified.steps as u64,
                reached: modified.reached,
                success_before,
                success_after,
                classes: by_class.map(|judged| judged.counts()),
                leaked,
                noise,
                moves: match attack.attack.attack().compares_samples() {
                    true => moves,
                    false => Vec::new(),
                },
                engine: deployed.engine().map(str::to_owned),
                accuracy_before: loaded.accuracy,
                accuracy_after: accuracy,
                target_sha256: Some(loaded.sum.clone()),
                samples_sha256: prepared.samples_sha256.clone(),
                provenance: clock.provenance(self.device),
            })?;
        }
        if let Some(error) = unanswered {
            progress.count(results.len());
            return Err(error.into());
        }
        progress.end(line, &format!("pairs flipped: {}", results.join(", ")));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::Forecast;
    use crate::signal::Signal;

    #[test]
    fn a_control_that_flips_stops_the_run() {
        let same = [Rate::new(8, 10); 2];
        let quiet = Rate::new(0, 12);
        assert!(control("ours/lr=0", 0, quiet, same).is_ok());
        assert!(control("ours/lr=1", 5, Rate::new(7, 12), same).is_ok());
        let error = control("ours/lr=0", 0, Rate::new(7, 12), same).unwrap_err();
        let message = error.to_string();
        let said = "ours/lr=0: no weight changed, but 7/12";
        assert!(message.starts_with(said), "{message}");
        let worse = [Rate::new(8, 10), Rate::new(7, 10)];
        let error = anyhow::Error::from(control("ours/lr=0", 0, quiet, worse).unwrap_err());
        // This error is not tolerated, so it ends the whole run.
        let mut failures = Failures::default();
        assert!(
            failures
                .tolerate::<()>(
                    Err(error),
                    &Progress::new(Forecast::default(), Signal::default())
                )
                .is_err()
        );
    }
}
