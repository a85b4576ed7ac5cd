//! What a generator differentiates: the keyed head's two outputs, or the model's own logits.

use candle_core::{D, Tensor};
use models::{Error, Network, Result};
use ops::Frozen;
use verify::{Head, LabelSpace, SecretKey};

/// The outputs that samples are moved by, and the labels they are judged by.
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
                let [outputs] = ops::node(logits, |tape, logits| {
                    Ok::<_, Error>([layer.forward(tape, logits, None, false)?])
                })?;
                Ok(outputs)
            }
            None => Ok(logits.clone()),
        }
    }

    /// Labels and margins of base logits, with the verifier's own arithmetic. The margin is that of the first over the second
    /// output of the head, or of the top class over the next.
    pub fn judge(&self, logits: &Tensor) -> Result<Vec<(u32, f32)>> {
        let rows: Vec<Vec<f32>> = logits.detach().to_vec2()?;
        rows.iter()
            .map(|row| {
                let outputs: Vec<f32> = match &self.head {
                    Some((head, _)) => head.logits(row).to_vec(),
                    None => row.clone(),
                };
                if let Some(&value) = outputs.iter().find(|x| !x.is_finite()) {
                    return Err(Error::Diverged {
                        what: "an output of the target".into(),
                        value,
                        iteration: 0,
                    });
                }
                let top =
                    (0..outputs.len()).fold(
                        0,
                        |best, i| if outputs[i] > outputs[best] { i } else { best },
                    );
                let next = (0..outputs.len())
                    .filter(|&i| i != top)
                    .map(|i| outputs[i])
                    .fold(f32::MIN, f32::max);
                Ok((top as u32, outputs[top] - next))
            })
            .collect()
    }
}

/// Mean over the batch of the unbiased variance over the outputs `(n, k)`.
pub(crate) fn variance(outputs: &Tensor) -> Result<Tensor> {
    let k = outputs.dim(D::Minus1)? as f64;
    let centred = outputs.broadcast_sub(&outputs.mean_keepdim(D::Minus1)?)?;
    Ok((centred.sqr()?.sum(D::Minus1)? / (k - 1.0))?)
}
