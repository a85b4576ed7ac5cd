//! What a generator differentiates: the keyed head's two outputs, or the model's own logits.

use crate::{Context, Start};
use candle_core::{D, Tensor};
use models::{Error, Network, Result};
use ops::Frozen;
use verify::{Head, LabelSpace, SecretKey, decide};

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
                    return Err(Error::NotFinite {
                        what: "an output of the target".into(),
                        value,
                    });
                }
                // Of finite outputs it always is one.
                decide(&outputs).map_err(|nan| Error::NotFinite {
                    what: "an output of the target".into(),
                    value: outputs[nan],
                })
            })
            .collect()
    }
}

/// Noise images that a head is tried on.
const TRIED_ON: usize = 128;

/// Heads of a key that are tried.
const TRIED: usize = 1000;

/// The first of the names `id`, `id#1`, `id#2`, ... for whose head at least the share `least` of noise images has each label. Noise
/// looks much the same to a network, so that to most heads all of it has one label, and stage 1 has far to go.
///
/// # Errors
/// If none of a thousand heads is as balanced as that.
pub fn balanced(context: &Context<'_>, least: f64) -> Result<String> {
    let Context {
        key,
        model_id,
        target,
        ..
    } = context;
    let noise = Start::Normal.images(TRIED_ON, context)?.clamp(0.0, 1.0)?;
    let logits = target.logits(&noise)?;
    for number in 0..TRIED {
        let name = match number {
            0 => (*model_id).to_owned(),
            _ => format!("{model_id}#{number}"),
        };
        let labels = Outputs::new(LabelSpace::Head, key, &name, target)?.judge(&logits)?;
        let ones = labels.iter().filter(|&&(label, _)| label == 1).count();
        if ones.min(TRIED_ON - ones) as f64 >= least * TRIED_ON as f64 {
            return Ok(name);
        }
    }
    Err(Error::CannotCreate {
        what: "keyed head",
        problem: format!(
            "of {TRIED} heads none gives {least} of noise images each label; lower `head_balance`"
        ),
    })
}

/// The unbiased variance of each sample's outputs `(n, k)`: one value a sample.
pub(crate) fn variance(outputs: &Tensor) -> Result<Tensor> {
    let k = outputs.dim(D::Minus1)? as f64;
    let centred = outputs.broadcast_sub(&outputs.mean_keepdim(D::Minus1)?)?;
    Ok((centred.sqr()?.sum(D::Minus1)? / (k - 1.0))?)
}
