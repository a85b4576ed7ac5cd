//! Wall time of stage 1 (the paper's Table V). The generators take turns, so that a machine that is busy for a while is busy for all.

use super::{Measured, Probe};
use crate::{Aid, Context, Dbi, Generated, Ours, Spec, Stage1};
use candle_core::{Device, Tensor};
use models::{Coverage, Job, Result, Status, state::State};
use serde::{Deserialize, Serialize};
use spec::checked::{Count, NonNegative, Repeats, Samples};
use std::time::Instant;

/// Wall time of stage 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// Samples moved at a time.
    pub samples: Samples,
    /// Iterations of each generator in a repetition.
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
pub struct Contestant {
    /// Its name.
    pub generator: &'static str,
    /// What tells it from others of that name.
    pub variant: &'static str,
    /// Itself, with a stage 1 that does not end.
    pub spec: Spec,
}

/// The time that one generator took.
#[derive(Clone, Debug, PartialEq)]
pub struct Seconds {
    /// Its name.
    pub generator: &'static str,
    /// What tells it from others of that name.
    pub variant: &'static str,
    /// Samples moved at a time.
    pub samples: usize,
    /// Iterations of each repetition.
    pub iterations: usize,
    /// Of each repetition.
    pub seconds: Vec<f64>,
}

/// All generators of Table V, on `samples` samples.
pub fn contestants(samples: Samples) -> Vec<Contestant> {
    let stage1 = Stage1 {
        iterations: Count::literal(1_000_000_000), // more than anybody waits for
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
    let contestant = |generator, variant, spec| Contestant {
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
        contestant("dbi", "", Spec::Dbi(dbi)),
        contestant("aid", "", aid(Coverage::Detached)),
        contestant("aid", "coverage attached", aid(Coverage::Attached)),
        contestant("ours", "", Spec::Ours(ours)),
    ]
}

/// Iterations of one generator before the next one's turn.
const TURN: usize = 20;

impl Probe for Timing {
    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Measured> + 'a>> {
        let start = |contestant: Contestant| {
            let job = contestant.spec.generator().start(context.clone())?;
            Ok((contestant, job))
        };
        let entries: Vec<_> = contestants(self.samples)
            .into_iter()
            .map(start)
            .collect::<Result<_>>()?;
        Ok(Box::new(Race {
            settings: self.clone(),
            seconds: vec![0.0; entries.len() * self.repetitions.get()],
            entries,
            done: 0,
        }))
    }
}

type Entry<'a> = (Contestant, Box<dyn Job<Output = Generated> + 'a>);

struct Race<'a> {
    settings: Timing,
    entries: Vec<Entry<'a>>,
    /// `(repetitions, entries)`.
    seconds: Vec<f64>,
    /// Iterations that each entry has done.
    done: usize,
}

impl Job for Race<'_> {
    type Output = Measured;

    fn advance(&mut self) -> Result<Status> {
        let iterations = self.settings.iterations.get();
        let total = iterations * self.settings.repetitions.get();
        if self.done < total {
            let repetition = self.done / iterations;
            let turn = TURN.min((repetition + 1) * iterations - self.done);
            let row = &mut self.seconds[repetition * self.entries.len()..];
            for ((_, job), seconds) in self.entries.iter_mut().zip(row) {
                // What a sitting begins with, caches and pages, is not the generator's time.
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
        // Where the samples were does not matter to the clock.
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
        let seconds = |(at, (contestant, _)): (usize, &Entry<'_>)| Seconds {
            generator: contestant.generator,
            variant: contestant.variant,
            samples: self.settings.samples.get(),
            iterations: self.settings.iterations.get(),
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
