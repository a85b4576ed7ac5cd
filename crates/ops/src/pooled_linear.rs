//! Adaptive average pooling and the linear layer behind it as one product: the first classifier layer of a VGG.
//!
//! If the map has at most half as many pixels as bins, bins repeat pixels, and most of the layer's products have the same inputs. For the
//! 1x1 maps of a VGG-16 on small images, the 25,088 inputs are 49 copies of 512. Then the layer's weights are first summed over the bins of
//! each pixel, and the product has one input per element of the map.
//!
//! The sums and the product are in f64. In f32, a sum of 49 weights would lose the last bit of one weight, and a model with a changed
//! weight would give the old answer.

use crate::conv::linear;
use crate::frozen::Frozen;
use crate::kernel::Element;
use crate::negative::Reduction;
use crate::parallel::{filled, for_each};
use crate::pool::{adaptive_avg_pool2d, bin_range};
use crate::tape::{Gradients, Operation, Tape};
use crate::tensor::{View, by_dtype, constant};
use crate::trace::{Described, Work};
use candle_core::{DType, Result, Tensor, bail};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// See [`crate::pooled_linear`], which checks that there are pixels.
pub(crate) fn pooled_linear(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    bins: (usize, usize),
    relu: bool,
) -> Result<Tensor> {
    let map = map_of(x)?;
    if !folds(map, bins) {
        let pooled = adaptive_avg_pool2d(tape, x, bins)?;
        return linear(tape, &pooled, weight, bias, relu);
    }
    let (folded, bias) = (
        fold(tape, weight, bins, map)?,
        cast(tape, bias, DType::F64)?,
    );
    let wide = cast(tape, x, DType::F64)?;
    let y = linear(tape, &wide, &folded, &bias, relu)?;
    cast(tape, &y, x.dtype())
}

/// See [`crate::FrozenPooledLinear`]. It sums its weights once for each size of maps.
#[derive(Clone)]
pub(crate) struct FrozenPooledLinear(Arc<Layer>);

struct Layer {
    weight: Tensor,
    bias: Tensor,
    bins: (usize, usize),
    /// The layer on the bins themselves.
    whole: OnceLock<Frozen>,
    /// The layer on maps with at most half as many pixels as bins, by map size.
    folded: Mutex<HashMap<(usize, usize), Frozen>>,
}

impl FrozenPooledLinear {
    /// See [`crate::FrozenPooledLinear::new`], which checks the shapes.
    pub fn new(weight: &Tensor, bias: &Tensor, bins: (usize, usize)) -> Result<Self> {
        Ok(Self(Arc::new(Layer {
            weight: constant(weight)?,
            bias: constant(bias)?,
            bins,
            whole: OnceLock::new(),
            folded: Mutex::default(),
        })))
    }

    /// See [`crate::FrozenPooledLinear::forward`].
    pub fn forward(&self, tape: &mut Tape, x: &Tensor, relu: bool) -> Result<Tensor> {
        let (unit, inputs) = self.unit(tape, x)?;
        let y = unit.forward(tape, &inputs, None, relu)?;
        cast(tape, &y, x.dtype())
    }

    /// See [`crate::FrozenPooledLinear::forward_covered`].
    pub fn forward_covered(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        relu: bool,
        reduction: Reduction,
    ) -> Result<(Tensor, Tensor)> {
        let (unit, inputs) = self.unit(tape, x)?;
        let (y, part) = unit.forward_covered(tape, &inputs, None, relu, reduction)?;
        Ok((cast(tape, &y, x.dtype())?, cast(tape, &part, x.dtype())?))
    }

    /// The linear unit for maps like `x`, and its inputs.
    fn unit(&self, tape: &mut Tape, x: &Tensor) -> Result<(Frozen, Tensor)> {
        let (layer, map) = (&*self.0, map_of(x)?);
        if folds(map, layer.bins) {
            return Ok((layer.folded(map)?, cast(tape, x, DType::F64)?));
        }
        let pooled = adaptive_avg_pool2d(tape, x, layer.bins)?;
        let unit = match layer.whole.get() {
            Some(unit) => unit,
            None => {
                let unit = Frozen::linear(&layer.weight, &layer.bias, layer.bins)?;
                layer.whole.get_or_init(|| unit)
            }
        };
        Ok((unit.clone(), pooled))
    }
}

impl Layer {
    fn folded(&self, map: (usize, usize)) -> Result<Frozen> {
        // A unit is inserted whole, so a panic elsewhere cannot leave half a unit.
        let units = || self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unit) = units().get(&map) {
            return Ok(unit.clone());
        }
        // Without the lock: a thread that waits for the folding may take up a shard that needs the same unit.
        let weight = fold(&mut Tape::off(), &self.weight, self.bins, map)?;
        let unit = Frozen::linear(&weight, &self.bias.to_dtype(DType::F64)?, map)?;
        Ok(units().entry(map).or_insert(unit).clone())
    }
}

fn map_of(x: &Tensor) -> Result<(usize, usize)> {
    let (_, h, w, _) = x.dims4()?;
    Ok((h, w))
}

/// Whether summing the weights first saves work: f64 costs twice as much as f32.
fn folds(map: (usize, usize), bins: (usize, usize)) -> bool {
    2 * map.0 * map.1 <= bins.0 * bins.1
}

/// `x` in another element type.
fn cast(tape: &mut Tape, x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    let y = x.to_dtype(dtype)?.detach();
    Ok(tape.note(Cast, &[x], y, false))
}

struct Cast;

impl Operation for Cast {
    fn describe(&self, _: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        Ok(Some(Described::new(Work::Cast)))
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        inputs
            .iter()
            .try_for_each(|x| grads.add(x, grad.to_dtype(x.dtype())?))
    }
}

/// The weights `(o, c * h * w)` in f64 for the pixels of `(h, w)` maps. They give the result of `weight (o, c * bins.0 * bins.1)` on the
/// bins' means.
fn fold(
    tape: &mut Tape,
    weight: &Tensor,
    bins: (usize, usize),
    map: (usize, usize),
) -> Result<Tensor> {
    let (o, i) = weight.dims2()?;
    let (area, pixels) = (bins.0 * bins.1, map.0 * map.1);
    if i % area != 0 {
        bail!("pooled_linear: {i} inputs are not maps of {bins:?} bins");
    }
    let weight = weight.contiguous()?;
    let shares = shares(bins, map);
    let folded = by_dtype!(weight.dtype(), T => {
        let ws = View::of(&weight);
        each_row(ws.elements::<T>()?, o, i, i / area * pixels, |row, out: &mut [f64]| {
            for (bins, pixels) in row.chunks_exact(area).zip(out.chunks_exact_mut(pixels)) {
                for &(bin, pixel, share) in &shares {
                    pixels[pixel] += share * bins[bin].wide();
                }
            }
        })
    });
    let folded = Tensor::from_vec(folded, (o, i / area * pixels), weight.device())?;
    Ok(tape.note(Fold { bins, map }, &[&weight], folded, false))
}

/// Each bin with each of its pixels, and the pixel's share of the bin's mean.
fn shares(bins: (usize, usize), map: (usize, usize)) -> Vec<(usize, usize, f64)> {
    let mut shares = Vec::new();
    for y in 0..bins.0 {
        for x in 0..bins.1 {
            let (rows, columns) = (bin_range(y, bins.0, map.0), bin_range(x, bins.1, map.1));
            let share = 1.0 / (rows.len() * columns.len()) as f64;
            for i in rows {
                shares.extend(
                    columns
                        .clone()
                        .map(|j| (y * bins.1 + x, i * map.1 + j, share)),
                );
            }
        }
    }
    shares
}

struct Fold {
    bins: (usize, usize),
    map: (usize, usize),
}

impl Operation for Fold {
    fn describe(&self, inputs: &[Tensor], _: &Tensor) -> Result<Option<Described>> {
        let Self { bins, map } = *self;
        let narrow = inputs[0].dtype() == DType::F32;
        Ok(narrow.then(|| Described::new(Work::Fold { bins, map })))
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()> {
        let [weight] = inputs else {
            bail!("folding has one input");
        };
        let (o, i) = weight.dims2()?;
        let (area, pixels) = (self.bins.0 * self.bins.1, self.map.0 * self.map.1);
        let shares = shares(self.bins, self.map);
        let gs = View::of(&grad);
        let g = gs.elements::<f64>()?;
        by_dtype!(weight.dtype(), T => {
            let dw = each_row(g, o, i / area * pixels, i, |row, out: &mut [T]| {
                let mut sums = vec![0.0; area];
                for (pixels, bins) in row.chunks_exact(pixels).zip(out.chunks_exact_mut(area)) {
                    sums.fill(0.0);
                    for &(bin, pixel, share) in &shares {
                        sums[bin] += share * pixels[pixel];
                    }
                    for (bin, &sum) in bins.iter_mut().zip(&sums) {
                        *bin = T::of(sum);
                    }
                }
            });
            grads.add(weight, Tensor::from_vec(dw, (o, i), weight.device())?)
        })
    }
}

/// `f` makes each of `rows` rows of `to` elements from a row of `from` elements. The result starts as zeros.
fn each_row<S: Element, D: Element>(
    source: &[S],
    rows: usize,
    from: usize,
    to: usize,
    f: impl Fn(&[S], &mut [D]) + Sync,
) -> Vec<D> {
    let zeros = vec![D::ZERO; to];
    // SAFETY: the rows hold every element, and each begins as a copy.
    unsafe {
        filled(rows * to, |out| {
            for_each(rows, |row| {
                // SAFETY: each task writes its own row.
                let out = out.slice(row * to, to).write_copy_of_slice(&zeros);
                f(&source[row * from..(row + 1) * from], out);
            });
        })
    }
}
