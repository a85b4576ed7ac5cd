//! A worked example: an attack of one's own. In the crate it would be a file `src/scale.rs` and one line in the registry.

use attacks::{Attack, Change, Victim};
use models::{Job, Model, Result, Status, Weights};
use serde::{Deserialize, Serialize};
use spec::Stream;
use spec::checked::Positive;

/// Multiplies the classifier by a factor: the logits scale, no label of an ordinary image changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Scale {
    /// The factor.
    factor: Positive,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            factor: Positive::literal(1.01),
        }
    }
}

impl Attack for Scale {
    fn start<'a>(
        &self,
        victim: Victim<'a>,
        _: &Stream,
    ) -> Result<Box<dyn Job<Output = Weights> + 'a>> {
        Ok(Box::new(Scaling {
            factor: self.factor.get(),
            victim,
        }))
    }
}

/// The job; it is so short that it has no state to save.
struct Scaling<'a> {
    factor: f64,
    victim: Victim<'a>,
}

impl Job for Scaling<'_> {
    type Output = Weights;

    fn advance(&mut self) -> Result<Status> {
        Ok(Status {
            done: 1,
            total: 1,
            finished: true,
            note: String::new(),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn restore(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Weights> {
        let scaled = self.victim.weights.tensors().iter().map(|(name, tensor)| {
            let tensor = if name.starts_with("linear.") {
                (tensor * self.factor)?
            } else {
                tensor.clone()
            };
            Ok((name.clone(), tensor))
        });
        Ok(Weights::from_tensors(scaled.collect::<Result<Vec<_>>>()?))
    }
}

#[test]
fn an_attack_of_ones_own() {
    let data = data::open(data::Id::FashionMnist, None).unwrap();
    let model: Model = "resnet20".parse().unwrap();
    let weights = Weights::draw(model, 10, &Stream::new(1)).unwrap();
    let victim = Victim {
        model,
        classes: 10,
        weights: &weights,
        normalize: None,
        train: &data.train,
    };
    let job = Scale::default().start(victim, &Stream::new(2)).unwrap();
    let change = Change::between(&weights, &models::job::run(job).unwrap()).unwrap();
    assert_eq!(
        change.changed,
        64 * 10 + 10,
        "the classifier and nothing else"
    );
}
