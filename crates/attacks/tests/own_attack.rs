//! A worked example: an attack of one's own. In the crate it would be a file `src/scale.rs` and one line in the registry.

use attacks::{Attack, Change, Modified, Victim};
use models::{Job, Model, Result, Weights};
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
    ) -> Result<Box<dyn Job<Output = Modified> + 'a>> {
        let factor = self.factor.get();
        // It is so short that it has no state to save; `finetune.rs` is a job of many steps.
        Ok(attacks::once(move || {
            let scaled = victim.weights.tensors().iter().map(|(name, tensor)| {
                let tensor = if name.starts_with("linear.") {
                    (tensor * factor)?
                } else {
                    tensor.clone()
                };
                Ok((name.clone(), tensor))
            });
            Ok(Weights::from_tensors(scaled.collect::<Result<Vec<_>>>()?).into())
        }))
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
    let modified = models::job::run(job).unwrap();
    let change = Change::between(&weights, &modified.weights).unwrap();
    assert_eq!(
        change.changed,
        64 * 10 + 10,
        "the classifier and nothing else"
    );
}
