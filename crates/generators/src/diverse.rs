//! Bracketed pairs that together react to many local changes, chosen out of many candidates.
//!
//! Filters of the target change one after the other, and the change of every candidate's margin is measured. A greedy choice then
//! adds pair after pair. It needs the weights, but no gradient.

mod greedy;

use crate::{BlackBox, Bracketed, Context, Generated, Generator, PixelValues, Start};
use brink_config::checked::{Count, NonNegative, Samples};
use brink_models::{Error, Job, Network, Result, Status, Weights, state::State};
use brink_random::Stream;
use brink_verify::{LabelSpace, Layout, SensitiveSet, margin, outputs};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Chosen pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Diverse {
    /// Number of pairs.
    pub samples: Samples,
    /// Pairs to choose from.
    pub candidates: Samples,
    /// Random changes of one filter, to which the chosen pairs react most.
    pub changes: Count,
    /// The images that pairs start from.
    pub start: Start,
    /// The model's own classes, or the keyed head's two labels.
    pub label_space: LabelSpace,
    /// The values that pixels may have.
    pub pixels: PixelValues,
    /// The distance of each member from the boundary, as a margin of the outputs; 0 for the closest pair.
    pub margin: NonNegative,
}

impl Default for Diverse {
    fn default() -> Self {
        let Bracketed {
            samples,
            start,
            label_space,
            pixels,
            margin,
            ..
        } = Bracketed::default();
        Self {
            samples,
            candidates: Samples::literal(1500),
            changes: Count::literal(128),
            start,
            label_space,
            pixels,
            margin,
        }
    }
}

impl Diverse {
    fn bracketed(&self) -> Bracketed {
        Bracketed {
            samples: self.candidates,
            start: self.start,
            label_space: self.label_space,
            pixels: self.pixels,
            margin: self.margin,
            ..Bracketed::default()
        }
    }
}

impl Generator for Diverse {
    fn layout(&self) -> Layout {
        Layout::Pairs
    }

    fn fits(&self, train: usize, held_out: usize) -> Result<()> {
        let (samples, candidates) = (self.samples.get(), self.candidates.get());
        if candidates < samples {
            return Err(Error::DoesNotFit {
                field: "candidates",
                problem: format!(
                    "{samples} samples cannot be chosen from {candidates} candidates; ask for more"
                ),
            });
        }
        self.bracketed().fits(train, held_out)
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        Ok(Box::new(Choosing {
            settings: self.clone(),
            stage: Stage::Making(self.bracketed().start(context.clone())?),
            rounds: 0,
            context,
        }))
    }
}

struct Choosing<'a> {
    settings: Diverse,
    context: Context<'a>,
    stage: Stage<'a>,
    /// Steps that the candidates took.
    rounds: usize,
}

enum Stage<'a> {
    /// Makes the candidates.
    Making(Box<dyn Job<Output = Generated> + 'a>),
    /// Measures how their margins change.
    Measuring(Measuring),
}

struct Measuring {
    /// The state of the finished job that made the candidates.
    made: Vec<u8>,
    candidates: Generated,
    /// The margins of the candidates in the untouched target.
    before: Vec<f32>,
    /// For each change so far, by how much it moved the margins.
    moved: Vec<Vec<f32>>,
}

impl Measuring {
    /// Begins with the candidates whose finished job has the state `made`.
    fn new(settings: &Diverse, context: &Context<'_>, made: Vec<u8>) -> Result<Self> {
        let mut job = settings.bracketed().start(context.clone())?;
        job.restore(&made)?;
        let candidates = job.finish()?;
        Ok(Self {
            made,
            before: margins(context, context.target, &candidates.set)?,
            candidates,
            moved: Vec::new(),
        })
    }

    /// Measures the next change.
    fn advance(&mut self, context: &Context<'_>) -> Result<()> {
        let Context {
            target,
            weights,
            normalize,
            ref stream,
            ..
        } = *context;
        let stream = stream.split("changes").split(&self.moved.len().to_string());
        let weights = one_filter_changed(weights, stream)?;
        let changed = Network::frozen(target.model(), target.classes(), &weights, normalize)?;
        let after = margins(context, &changed, &self.candidates.set)?;
        let moved = after.iter().zip(&self.before).map(|(a, b)| a - b);
        self.moved.push(moved.collect());
        Ok(())
    }
}

/// The margin of the first member of each pair, which nearly equals the other one's.
fn margins(context: &Context<'_>, network: &Network, set: &SensitiveSet) -> Result<Vec<f32>> {
    let head = set.head(context.key);
    let head = head.map_err(|e| Error::CannotCreate(e.to_string()))?;
    let firsts: Vec<usize> = (0..set.samples()).map(|pair| 2 * pair).collect();
    let images = set.images.select(&firsts);
    let outputs = outputs(&BlackBox(network), &images, set.label_space, head.as_ref());
    let outputs = outputs.map_err(|e| Error::NoAnswer(e.into()))?;
    let labelled = outputs.iter().zip(&firsts);
    Ok(labelled
        .map(|(outputs, &first)| margin(outputs, set.labels[first]))
        .collect())
}

/// The standard deviation of a changed weight, as a share of its size.
const SHARE: f32 = 0.01;

/// `weights` with one random output channel changed: each of its weights by its own random share.
fn one_filter_changed(weights: &Weights, mut stream: Stream) -> Result<Weights> {
    let mut tensors = weights.tensors().clone();
    let layers: Vec<(&String, &Tensor)> = weights
        .tensors()
        .iter()
        .filter(|(_, tensor)| tensor.rank() > 1)
        .collect();
    let filters: usize = layers.iter().map(|(_, tensor)| tensor.dims()[0]).sum();
    let mut at = stream.below(filters);
    for (name, tensor) in layers {
        let channels = tensor.dims()[0];
        if at >= channels {
            at -= channels;
            continue;
        }
        let mut values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        let each = values.len() / channels;
        for value in &mut values[at * each..][..each] {
            *value *= 1.0 + SHARE * stream.normal();
        }
        let changed = Tensor::from_vec(values, tensor.shape(), tensor.device())?;
        tensors.insert(name.clone(), changed);
        break;
    }
    Ok(Weights::from_tensors(tensors))
}

impl Job for Choosing<'_> {
    type Output = Generated;

    fn advance(&mut self) -> Result<Status> {
        let all = self.settings.changes.get();
        match &mut self.stage {
            Stage::Making(job) => {
                let status = job.advance()?;
                self.rounds = status.done;
                if status.finished {
                    let made = job.save()?;
                    let next = Measuring::new(&self.settings, &self.context, made)?;
                    self.stage = Stage::Measuring(next);
                }
                Ok(Status {
                    total: status.total + all,
                    finished: false,
                    ..status
                })
            }
            Stage::Measuring(measuring) => {
                if measuring.moved.len() < all {
                    measuring.advance(&self.context)?;
                }
                let done = measuring.moved.len();
                Ok(Status {
                    done: self.rounds + done,
                    total: self.rounds + all,
                    finished: done == all,
                    note: "changing filters".to_owned(),
                })
            }
        }
    }

    fn save(&self) -> Result<Vec<u8>> {
        let state = |made: &[u8]| -> Result<State> {
            let made = Tensor::from_slice(made, made.len(), &Device::Cpu)?;
            Ok(State::default()
                .number("rounds", self.rounds)
                .tensor("made", &made))
        };
        match &self.stage {
            Stage::Making(job) => state(&job.save()?)?.to_bytes(),
            Stage::Measuring(measuring) => {
                let moved = &measuring.moved;
                let shape = (moved.len(), measuring.before.len());
                let moved = Tensor::from_vec(moved.concat(), shape, &Device::Cpu)?;
                state(&measuring.made)?.tensor("moved", &moved).to_bytes()
            }
        }
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        let made = state.take("made")?.to_vec1::<u8>()?;
        self.rounds = state.count("rounds")?;
        self.stage = match state.take("moved") {
            Ok(moved) => {
                let moved: Vec<Vec<f32>> = moved.to_vec2()?;
                let begun = Measuring::new(&self.settings, &self.context, made)?;
                if moved.iter().any(|row| row.len() != begun.before.len()) {
                    return Err(Error::State("it is about other candidates".into()));
                }
                Stage::Measuring(Measuring { moved, ..begun })
            }
            Err(_) => {
                let mut job = self.settings.bracketed().start(self.context.clone())?;
                job.restore(&made)?;
                Stage::Making(job)
            }
        };
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Generated> {
        let Stage::Measuring(Measuring {
            candidates, moved, ..
        }) = self.stage
        else {
            return Err(Error::State("its candidates are not made".into()));
        };
        let asked = self.settings.samples.get();
        let chosen = greedy::chosen(&moved, asked);
        let members = chosen.iter().flat_map(|&pair| [2 * pair, 2 * pair + 1]);
        let members: Vec<usize> = members.collect();
        let labels = members.iter().map(|&member| candidates.set.labels[member]);
        Ok(Generated {
            asked,
            uncrossed: asked - chosen.len(),
            margins: chosen
                .iter()
                .map(|&pair| candidates.margins[pair])
                .collect(),
            set: SensitiveSet {
                images: candidates.set.images.select(&members),
                labels: labels.collect(),
                generator: "diverse".to_owned(),
                ..candidates.set
            },
            ..candidates
        })
    }
}
