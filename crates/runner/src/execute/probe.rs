//! Runs the probes of a target.

use anyhow::Context;
use brink_store::{FORMAT, ProbeRecord};

use super::target::LoadedTarget;
use super::{Executor, Failures};
use crate::plan::{self, ProbeStep, TargetStep};
use crate::progress::Progress;
use crate::provenance::Clock;

impl Executor<'_> {
    /// Runs the probes of `step` that have no record.
    ///
    /// # Errors
    /// If the work cannot continue.
    pub(super) fn probes(
        &self,
        step: &TargetStep,
        loaded: &LoadedTarget,
        progress: &mut Progress,
        failures: &mut Failures,
    ) -> anyhow::Result<()> {
        for probe in &step.probes {
            if self.store.probe(&probe.id)?.is_none() {
                let done = self
                    .probe(step, probe, loaded, progress)
                    .with_context(|| probe.name.clone());
                failures.tolerate(done, progress)?;
            }
        }
        Ok(())
    }

    fn probe(
        &self,
        step: &TargetStep,
        probe: &ProbeStep,
        loaded: &LoadedTarget,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let mut clock = Clock::start();
        let mut line = progress.begin(&probe.name);
        let model_id = self.model_id(step, loaded)?;
        let setting = self.setting(model_id, loaded, self.root.split("probe"));
        let job = probe.probe.probe().start(setting)?;
        let measured = self.drive(&probe.id, &loaded.sum, job, &mut clock, &mut line)?;
        self.store.put_probe(&ProbeRecord {
            format: FORMAT,
            id: probe.id,
            target: step.id,
            probe: probe.probe.name().to_owned(),
            spec: plan::fields(&probe.probe)?,
            seed: self.seed,
            result: measured,
            target_sha256: Some(loaded.sum.clone()),
            provenance: clock.provenance(self.device),
        })?;
        progress.end(line, "measured");
        Ok(())
    }
}
