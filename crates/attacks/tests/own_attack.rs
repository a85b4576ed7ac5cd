//! A worked example of a new attack. In the crate, the first half of this file would be `src/scale.rs`, with `crate` for `attacks`, and the
//! registry would have one more line: `"scale" scale::Scale, "Scaling", "multiplies the classifier by a factor";`.

use brink_attacks::{Attack, Modified, Victim, measure_change};
use brink_config::checked::Positive;
use brink_models::{Job, Model, Need, Result, Weights};
use brink_random::Stream;
use serde::{Deserialize, Serialize};

/// Multiplies the classifier by a factor: the logits scale, no label of an ordinary image changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scale {
    /// The factor.
    pub factor: Positive,
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
        let classifier = victim.model.head(victim.classes)?;
        // It is so short that it has no state to save; `finetune.rs` is a job of many steps.
        Ok(brink_models::once(move || {
            let scaled = victim.weights.tensors().iter().map(|(name, tensor)| {
                let tensor = if classifier.contains(name) {
                    (tensor * factor)?
                } else {
                    tensor.clone()
                };
                Ok((name.clone(), tensor))
            });
            Ok(Weights::from_tensors(scaled.collect::<Result<Vec<_>>>()?).into())
        }))
    }

    /// It changes weights only.
    fn needs(&self) -> Need {
        Need::ANSWERS
    }

    /// There is no chance in it: a grid runs it once, not once a seed, which would count the same answers several times.
    fn is_random(&self, _: usize) -> bool {
        false
    }
}

#[test]
fn an_attack_of_ones_own() {
    let data = brink_data::open(brink_data::Id::FashionMnist, None).unwrap();
    for (model, inputs) in [("resnet20", 64), ("resnet18", 512)] {
        let model: Model = model.parse().unwrap();
        let weights = Weights::draw(model, 10, &Stream::new(1)).unwrap();
        let victim = Victim {
            model,
            classes: 10,
            weights: &weights,
            normalize: None,
            train: &data.train,
            leaked: &[],
        };
        let job = Scale::default().start(victim, &Stream::new(2)).unwrap();
        let modified = brink_models::job::run(job).unwrap();
        let change = measure_change(&weights, &modified.weights).unwrap();
        let classifier = inputs * 10 + 10;
        assert_eq!(change.changed, classifier, "it and nothing else");
    }
}
