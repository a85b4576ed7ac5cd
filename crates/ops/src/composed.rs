//! A computation in candle's own operations as one operation of a tape.

use crate::tape::{Gradients, Operation, Tape};
use candle_core::{Result, Tensor, Var, bail};
use rayon::prelude::*;

/// `compute` of each image of `x (n, ...)` by itself. `compute` gets and gives a batch of one; `parameters` are the
/// variables that it reads.
///
/// Candle's products may change their order of summation with the size of the batch. One image at a time, they cannot.
///
/// # Errors
/// Those of `compute`. In the backward pass: if candle has no gradient for a parameter or for `x`.
pub fn composed(
    tape: &mut Tape,
    x: &Tensor,
    parameters: &[Tensor],
    compute: impl Fn(&Tensor) -> Result<Tensor> + Sync,
) -> Result<Tensor> {
    let recording = tape.is_recording();
    let image = |at: usize| {
        let image = x.narrow(0, at, 1)?.contiguous()?;
        let image = Var::from_tensor(&image.copy()?.detach())?;
        let y = match recording {
            true => compute(&image)?,
            false => compute(&image.as_detached_tensor())?,
        };
        Ok((image, y))
    };
    let images = (0..x.dim(0)?).into_par_iter().map(image);
    let (images, outputs): (Vec<Var>, Vec<Tensor>) =
        images.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let detached: Vec<Tensor> = outputs.iter().map(Tensor::detach).collect();
    let whole = Tensor::cat(&detached, 0)?;
    let inputs: Vec<&Tensor> = std::iter::once(x).chain(parameters).collect();
    Ok(tape.note(Composed { images, outputs }, &inputs, whole, false))
}

/// Each image as a variable of candle's graph, and what was computed of it.
struct Composed {
    images: Vec<Var>,
    outputs: Vec<Tensor>,
}

impl Operation for Composed {
    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let wanted: Vec<bool> = inputs.iter().map(|input| grads.wants(input)).collect();
        let of_image = |(at, (image, output)): (usize, (&Var, &Tensor))| {
            let grad = grad.narrow(0, at, 1)?.detach();
            let store = (output * grad)?.sum_all()?.backward()?;
            let nodes = std::iter::once(image.as_tensor()).chain(&inputs[1..]);
            let found = nodes.zip(&wanted).map(|(node, wanted)| match store.get(node) {
                Some(gradient) if *wanted => Ok(Some(gradient.clone())),
                None if *wanted => bail!(
                    "candle has no gradient for a tensor of shape {:?}; build the module of operations that have one, e.g. \
                     `ops::softmax` instead of `ops::softmax_last_dim`, and `ops::layer_norm_slow` instead of `LayerNorm`",
                    node.shape()
                ),
                _ => Ok(None),
            });
            found.collect::<Result<Vec<_>>>()
        };
        let pairs = self.images.par_iter().zip(&self.outputs).enumerate();
        let all = pairs.map(of_image).collect::<Result<Vec<_>>>()?;
        if wanted[0] {
            let of_x: Vec<&Tensor> = all.iter().filter_map(|each| each[0].as_ref()).collect();
            grads.add(&inputs[0], Tensor::cat(&of_x, 0)?)?;
        }
        for each in &all {
            for (input, gradient) in inputs.iter().zip(each).skip(1) {
                if let Some(gradient) = gradient {
                    grads.add(input, gradient.clone())?;
                }
            }
        }
        Ok(())
    }
}
