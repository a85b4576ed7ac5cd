//! The outputs that a generator differentiates.

use brink_models::{Error, Network, Result};
use brink_ops::Frozen;
use brink_verify::{Head, LabelSpace, SecretKey, decide};
use candle_core::Tensor;

/// The outputs that stage 1 differentiates and that give the labels: the keyed head's two, or the model's logits.
pub(crate) struct Outputs {
    space: LabelSpace,
    head: Option<(Head, Frozen)>,
}

impl Outputs {
    pub fn new(
        space: LabelSpace,
        key: &SecretKey,
        model_id: &str,
        target: &Network,
    ) -> Result<Self> {
        let head = match space {
            LabelSpace::Classes => None,
            LabelSpace::Head => {
                let head = key.head(model_id, target.classes());
                let weight =
                    Tensor::from_slice(head.weight(), (2, target.classes()), target.device())?;
                let bias = Tensor::new(&head.bias(), target.device())?;
                Some((head, Frozen::linear(&weight, &bias, (1, 1))?))
            }
        };
        Ok(Self { space, head })
    }

    pub fn space(&self) -> LabelSpace {
        self.space
    }

    /// Differentiable outputs `(n, 2)` or `(n, classes)` of base logits `(n, classes)`.
    pub fn of(&self, logits: &Tensor) -> Result<Tensor> {
        match &self.head {
            Some((_, layer)) => {
                let [outputs] = brink_ops::node(logits, |tape, logits| {
                    Ok::<_, Error>([layer.forward(tape, logits, None, false)?])
                })?;
                Ok(outputs)
            }
            None => Ok(logits.clone()),
        }
    }

    /// Labels and margins of base logits, in the verifier's own arithmetic. The margin is the largest output minus the next.
    pub fn judge(&self, logits: &Tensor) -> Result<Vec<(u32, f32)>> {
        let rows: Vec<Vec<f32>> = logits.detach().to_vec2()?;
        rows.iter()
            .map(|row| {
                let outputs: Vec<f32> = match &self.head {
                    Some((head, _)) => head.logits(row).to_vec(),
                    None => row.clone(),
                };
                if let Some(&value) = outputs.iter().find(|x| !x.is_finite()) {
                    return Err(Error::NotFinite {
                        what: "an output of the target".into(),
                        value,
                    });
                }
                // Finite outputs always have a label.
                decide(&outputs).map_err(|nan| Error::NotFinite {
                    what: "an output of the target".into(),
                    value: outputs[nan],
                })
            })
            .collect()
    }
}
