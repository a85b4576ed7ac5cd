//! Unstructured pruning (the paper prunes from 0.1 % on): single weights become 0. By default they have the smallest magnitude in the
//! whole network, as in PyTorch's `global_unstructured`.

use crate::layers::{layers, map_layers, values};
use crate::{Attack, Modified, Victim};
use brink_config::checked::UnitInterval;
use brink_models::{Job, Need, Result, Weights, once};
use brink_random::Stream;
use serde::{Deserialize, Serialize};

/// Pruning of the weights of convolutions and linear layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prune {
    /// The share of weights that become 0.
    pub rate: UnitInterval,
    /// The weights that the rate is a share of.
    pub scope: Scope,
    /// Which weights.
    pub criterion: Criterion,
}

/// What a pruning rate is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All layers together.
    Global,
    /// Each layer.
    Layer,
}

/// Which weights are pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The weights with the smallest magnitude; the first of equal ones.
    Magnitude,
    /// Random weights.
    Random,
}

impl Default for Prune {
    fn default() -> Self {
        Self {
            rate: UnitInterval::literal(0.001),
            scope: Scope::Global,
            criterion: Criterion::Magnitude,
        }
    }
}

impl Attack for Prune {
    fn needs(&self) -> Need {
        Need::ANSWERS
    }

    /// A rate of 0 or 1 leaves no choice.
    fn is_random(&self, _: usize) -> bool {
        let some = 0.0 < self.rate.get() && self.rate.get() < 1.0;
        self.criterion == Criterion::Random && some
    }

    fn start<'a>(
        &self,
        victim: Victim<'a>,
        stream: &Stream,
    ) -> Result<Box<dyn Job<Output = Modified> + 'a>> {
        let (settings, stream) = (self.clone(), stream.clone());
        Ok(once(move || {
            Ok(settings.pruned(victim.weights, &stream)?.into())
        }))
    }
}

impl Prune {
    fn pruned(&self, weights: &Weights, stream: &Stream) -> Result<Weights> {
        let mut global = None;
        if self.scope == Scope::Global {
            let mut all = Vec::new();
            for (name, tensor) in layers(weights) {
                all.extend(self.ranks(name, &values(tensor)?, stream));
            }
            global = Some(Cut::new(all, self.rate));
        }
        map_layers(weights, |name, values, _| {
            let ranks = self.ranks(name, values, stream);
            let mut own = None;
            let cut = match &mut global {
                Some(cut) => cut,
                None => own.insert(Cut::new(ranks.clone(), self.rate)),
            };
            for (value, rank) in values.iter_mut().zip(ranks) {
                if cut.takes(rank) {
                    *value = 0.0;
                }
            }
        })
    }

    /// The weights of the lowest ranks go first.
    fn ranks(&self, layer: &str, values: &[f32], stream: &Stream) -> Vec<u32> {
        match self.criterion {
            // The bits of non-negative numbers have the order of the numbers.
            Criterion::Magnitude => values.iter().map(|value| value.abs().to_bits()).collect(),
            Criterion::Random => {
                let mut stream = stream.split(layer);
                values.iter().map(|_| stream.next_u32()).collect()
            }
        }
    }
}

/// The lowest of some ranks: all below `rank`, and the next `ties` equal to it.
struct Cut {
    rank: u32,
    ties: usize,
}

impl Cut {
    /// The lowest `rate` of `ranks`, rounded as PyTorch does: to a whole number of them, half to even.
    fn new(mut ranks: Vec<u32>, rate: UnitInterval) -> Self {
        let n = (rate.get() * ranks.len() as f64).round_ties_even() as usize;
        let Some(last) = n.checked_sub(1) else {
            return Self { rank: 0, ties: 0 };
        };
        let (below, &mut rank, _) = ranks.select_nth_unstable(last);
        let ties = 1 + below.iter().filter(|&&other| other == rank).count();
        Self { rank, ties }
    }

    fn takes(&mut self, rank: u32) -> bool {
        let tie = rank == self.rank && self.ties > 0;
        self.ties -= usize::from(tie);
        tie || rank < self.rank
    }
}
