//! The smallest local changes: one weight, one filter, one bias or one layer, by a share of its size. For comparison, all weights.
//!
//! TinyChange's ladder goes from 2^0 down to 2^-15 of a weight's size; `ulp` is the smallest step that f32 has.

use crate::layers::{map_layers, values};
use crate::{Attack, Modified, Victim};
use brink_config::checked::Positive;
use brink_models::{Error, Job, Need, Result, Weights, is_buffer, is_layer, once};
use brink_random::Stream;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// A small change in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nudge {
    /// What changes.
    pub part: Part,
    /// The layer.
    pub layer: Layer,
    /// The change as a share of the size: of a single number its own, of several a random direction of this share of their norm. Without it,
    /// each number changes by one unit in its last place.
    pub share: Option<Positive>,
}

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// One weight.
    Weight,
    /// The weights of one output channel.
    Filter,
    /// One bias, of a batch normalisation if the layer has one.
    Bias,
    /// All weights of the layer.
    Layer,
    /// All weights, each layer by itself.
    Network,
}

/// The layer that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// A random one. Each element that may change has the same probability.
    Any,
    /// The first.
    First,
    /// The last, the classifier.
    Last,
}

impl Default for Nudge {
    fn default() -> Self {
        Self {
            part: Part::Weight,
            layer: Layer::Any,
            share: None,
        }
    }
}

impl Attack for Nudge {
    fn needs(&self) -> Need {
        Need::ANSWERS
    }

    fn start<'a>(
        &self,
        victim: Victim<'a>,
        stream: &Stream,
    ) -> Result<Box<dyn Job<Output = Modified> + 'a>> {
        let (settings, stream) = (self.clone(), stream.split("nudge"));
        Ok(once(move || settings.nudged(&victim, stream)))
    }

    fn fits(&self, _: usize, _: [usize; 3], _: usize) -> Result<()> {
        if self.part == Part::Network && self.layer != Layer::Any {
            return Err(Error::DoesNotFit {
                field: "layer",
                problem: "`part: network` changes all layers; leave out `layer`".to_owned(),
            });
        }
        Ok(())
    }

    fn compares_samples(&self) -> bool {
        true
    }
}

impl Nudge {
    fn nudged(&self, victim: &Victim<'_>, mut stream: Stream) -> Result<Modified> {
        let share = self.share.map(Positive::get);
        if self.part == Part::Network {
            let weights = map_layers(victim.weights, |_, numbers, _| {
                change(numbers, share, &mut stream);
            });
            return Ok(weights?.into());
        }
        let (name, mut numbers, channels) = self.tensor(victim, &mut stream)?;
        let each = numbers.len() / channels;
        let place = match self.part {
            Part::Weight | Part::Bias => {
                let at = stream.below(numbers.len());
                at..at + 1
            }
            Part::Filter => {
                let at = each * stream.below(channels);
                at..at + each
            }
            Part::Layer | Part::Network => 0..numbers.len(),
        };
        change(&mut numbers[place], share, &mut stream);
        let mut tensors = victim.weights.tensors().clone();
        let old = &tensors[&name];
        let new = Tensor::from_vec(numbers, old.shape(), old.device())?;
        tensors.insert(name, new);
        Ok(Weights::from_tensors(tensors).into())
    }

    /// The tensor that changes: its name, its elements, and its number of output channels.
    fn tensor(
        &self,
        victim: &Victim<'_>,
        stream: &mut Stream,
    ) -> Result<(String, Vec<f32>, usize)> {
        let bias = self.part == Part::Bias;
        let suits = |name: &str, tensor: &Tensor| match bias {
            true => name.ends_with("bias") && !is_buffer(name),
            false => is_layer(name, tensor.rank()),
        };
        let names = victim.model.parameters(victim.classes)?;
        let tensors = victim.weights.tensors();
        let found: Vec<_> = names
            .iter()
            .filter_map(|name| Some((name, tensors.get(name)?)))
            .filter(|(name, tensor)| suits(name, tensor))
            .collect();
        let chosen = match self.layer {
            Layer::First => found.first(),
            Layer::Last => found.last(),
            Layer::Any => {
                let count = |tensor: &Tensor| match self.part {
                    Part::Weight | Part::Bias => tensor.elem_count(),
                    Part::Filter => tensor.dims()[0],
                    Part::Layer | Part::Network => 1,
                };
                let all = found.iter().map(|(_, tensor)| count(tensor)).sum::<usize>();
                let mut at = stream.below(all.max(1));
                found.iter().find(|(_, tensor)| {
                    let count = count(tensor);
                    let here = at < count;
                    at = at.saturating_sub(count);
                    here
                })
            }
        };
        let (name, tensor) = chosen.ok_or_else(|| {
            Error::CannotCreate("the network has no such part; choose another `part`".to_owned())
        })?;
        Ok(((*name).clone(), values(tensor)?, tensor.dims()[0]))
    }
}

/// Changes `numbers` by a `share` of their size, or each by one unit in the last place, up or down at random.
fn change(numbers: &mut [f32], share: Option<f64>, stream: &mut Stream) {
    let sign = |stream: &mut Stream| if stream.uniform() < 0.5 { -1.0 } else { 1.0 };
    match (share, &mut *numbers) {
        (None, numbers) => {
            for number in numbers {
                *number = match sign(stream) {
                    1.0 => number.next_up(),
                    _ => number.next_down(),
                };
            }
        }
        (Some(share), [number]) => {
            *number = (f64::from(*number) * (1.0 + sign(stream) * share)) as f32;
        }
        (Some(share), numbers) => {
            let direction: Vec<f64> = numbers.iter().map(|_| f64::from(stream.normal())).collect();
            let norm =
                |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>().sqrt();
            let size = norm(&mut numbers.iter().map(|x| f64::from(*x)));
            let length = norm(&mut direction.iter().copied());
            let scale = share * size / length.max(f64::MIN_POSITIVE);
            for (number, step) in numbers.iter_mut().zip(direction) {
                *number = (f64::from(*number) + scale * step) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_in_the_last_place() {
        let mut numbers = [1.5, -0.25, 0.0];
        let before = numbers;
        change(&mut numbers, None, &mut Stream::new(3));
        for (old, new) in before.iter().zip(numbers) {
            assert!(
                new == old.next_up() || new == old.next_down(),
                "{old} {new}"
            );
        }
    }

    #[test]
    fn a_share_of_the_size() {
        let mut one = [2.0];
        change(&mut one, Some(0.25), &mut Stream::new(1));
        assert!(one == [2.5] || one == [1.5], "{one:?}");
        let (before, mut many) = ([3.0, -4.0], [3.0, -4.0]);
        change(&mut many, Some(0.1), &mut Stream::new(1));
        let moved = before
            .iter()
            .zip(many)
            .map(|(a, b): (&f32, f32)| (a - b).powi(2));
        assert!((moved.sum::<f32>().sqrt() - 0.5).abs() < 1e-6);
    }
}
