//! Wall time of stage 1 (the paper's Table V). The generators take turns, so that another load on the machine affects all of them.

use super::{Measured, Probe};
use crate::{Aid, Context, Dbi, Generated, Ours, Spec, Stage1};
use brink_config::checked::{Count, NonNegative, Repeats, Samples};
use brink_models::{Coverage, Job, Need, Result, Status, state::State};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Wall time of stage 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// Samples per iteration.
    pub samples: Samples,
    /// Iterations of each generator per repetition.
    pub iterations: Count,
    /// Repetitions.
    pub repetitions: Repeats,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            iterations: Count::literal(1000),
            repetitions: Repeats::literal(1),
        }
    }
}

/// A generator of Table V.
pub struct TimedGenerator {
    /// Its name.
    pub generator: &'static str,
    /// Its variant; empty for the default.
    pub variant: &'static str,
    /// Its settings, with an endless stage 1.
    pub spec: Spec,
}

/// All generators of Table V, on `samples` samples.
pub fn timed_generators(samples: Samples) -> Vec<TimedGenerator> {
    let stage1 = Stage1 {
        iterations: Count::literal(1_000_000_000), // endless in practice
        tolerance: NonNegative::literal(0.0),
        ..Stage1::default()
    };
    let aid = |coverage| {
        Spec::Aid(Aid {
            samples,
            stage1: stage1.clone(),
            coverage,
            ..Aid::default()
        })
    };
    let timed = |generator, variant, spec| TimedGenerator {
        generator,
        variant,
        spec,
    };
    let dbi = Dbi {
        samples,
        stage1: stage1.clone(),
        ..Dbi::default()
    };
    let ours = Ours {
        samples,
        stage1: stage1.clone(),
        ..Ours::default()
    };
    vec![
        timed("dbi", "", Spec::Dbi(dbi)),
        timed("aid", "", aid(Coverage::Detached)),
        timed("aid", "coverage attached", aid(Coverage::Attached)),
        timed("ours", "", Spec::Ours(ours)),
    ]
}

/// Iterations per turn.
const TURN: usize = 20;

impl Probe for Timing {
    /// AID sums the outputs of the layers.
    fn needs(&self) -> Need {
        Need::LAYERS
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Measured> + 'a>> {
        let start = |timed: TimedGenerator| {
            let job = timed.spec.generator().start(context.clone())?;
            Ok((timed, job))
        };
        let entries: Vec<_> = timed_generators(self.samples)
            .into_iter()
            .map(start)
            .collect::<Result<_>>()?;
        Ok(Box::new(TimingJob {
            settings: self.clone(),
            seconds: vec![0.0; entries.len() * self.repetitions.get()],
            entries,
            done: 0,
        }))
    }
}

type Entry<'a> = (TimedGenerator, Box<dyn Job<Output = Generated> + 'a>);

struct TimingJob<'a> {
    settings: Timing,
    entries: Vec<Entry<'a>>,
    /// `(repetitions, entries)`.
    seconds: Vec<f64>,
    /// Iterations that each entry has done.
    done: usize,
}

impl Job for TimingJob<'_> {
    type Output = Measured;

    fn advance(&mut self) -> Result<Status> {
        let iterations = self.settings.iterations.get();
        let total = iterations * self.settings.repetitions.get();
        if self.done < total {
            let repetition = self.done / iterations;
            let turn = TURN.min((repetition + 1) * iterations - self.done);
            let row = &mut self.seconds[repetition * self.entries.len()..];
            for ((_, job), seconds) in self.entries.iter_mut().zip(row) {
                // The first iteration of a turn fills caches and pages, so it is not timed.
                job.advance()?;
                let begin = Instant::now();
                for _ in 0..turn {
                    job.advance()?;
                }
                *seconds += begin.elapsed().as_secs_f64();
            }
            self.done += turn;
        }
        Ok(Status {
            done: self.done,
            total,
            finished: self.done == total,
            note: format!("iterations of each of {} generators", self.entries.len()),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        // The samples themselves do not affect the time.
        let seconds = Tensor::new(self.seconds.as_slice(), &Device::Cpu)?;
        State::default()
            .tensor("seconds", &seconds)
            .number("done", self.done)
            .to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        self.seconds = state.take("seconds")?.to_vec1()?;
        self.done = state.count("done")?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Measured> {
        let entries = self.entries.len();
        let seconds = |(at, (timed, _)): (usize, &Entry<'_>)| brink_verify::Timing {
            generator: timed.generator.to_owned(),
            variant: timed.variant.to_owned(),
            samples: self.settings.samples.get() as u64,
            iterations: self.settings.iterations.get() as u64,
            seconds: self
                .seconds
                .iter()
                .skip(at)
                .step_by(entries)
                .copied()
                .collect(),
        };
        Ok(Measured::Timing(
            self.entries.iter().enumerate().map(seconds).collect(),
        ))
    }
}
