//! The choice of a keyed head whose two labels are balanced on noise.

use crate::outputs::Outputs;
use crate::{Context, Start};
use brink_models::{Error, Result};
use brink_verify::LabelSpace;

/// Noise images for the test of a head.
const NOISE: usize = 128;

/// The number of heads that are tested.
const HEADS: usize = 1000;

/// The first of the names `id`, `id#1`, `id#2`, ... whose head gives each label to at least the share `least` of noise images.
///
/// Noise images have similar logits. So most heads give all of them one label, and stage 1 starts far from the boundary.
///
/// # Errors
/// If none of a thousand heads is balanced enough.
pub fn balanced(context: &Context<'_>, least: f64) -> Result<String> {
    let Context {
        key,
        model_id,
        target,
        ..
    } = context;
    let noise = Start::Normal.images(NOISE, context)?.clamp(0.0, 1.0)?;
    let logits = target.logits(&noise)?;
    for number in 0..HEADS {
        let name = match number {
            0 => (*model_id).to_owned(),
            _ => format!("{model_id}#{number}"),
        };
        let labels = Outputs::new(LabelSpace::Head, key, &name, target)?.judge(&logits)?;
        let ones = labels.iter().filter(|&&(label, _)| label == 1).count();
        if ones.min(NOISE - ones) as f64 >= least * NOISE as f64 {
            return Ok(name);
        }
    }
    Err(Error::CannotCreate(format!(
        "none of {HEADS} keyed heads gives each label to {least} of the noise images; lower `head_balance`"
    )))
}
