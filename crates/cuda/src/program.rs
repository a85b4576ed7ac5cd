//! The pass of a frozen network on a GPU, for images of one size.

use crate::backward::{Grads, backward};
use crate::error::{Error, Result};
use crate::forward::{Maps, Start, forward};
use crate::gpu::Gpu;
use crate::memory::{Buffer, Count};
use crate::session::Session;
use crate::tables::Table;
use crate::trained::TrainedStep;
use crate::units::{Back, Layer, Units};
use brink_ops::trace::{Direction, Product, Trace, Work};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The weights of a network on a GPU. Its programs share them.
pub struct Weights {
    gpu: Arc<Gpu>,
    units: Units,
}

impl Weights {
    /// None yet: they are uploaded when a program needs them.
    pub fn new(gpu: Arc<Gpu>) -> Self {
        let units = Units::default();
        Self { gpu, units }
    }

    /// The GPU.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }
}

/// The constants of a step.
pub(crate) enum Constants {
    None,
    /// In the order in which the step's kernels need them.
    Vectors(Vec<Buffer>),
    Product(Box<ProductStep>),
    /// Of a product whose weights are parameters.
    Trained(TrainedStep),
}

pub(crate) struct ProductStep {
    pub layer: Arc<Layer>,
    pub forward: Arc<Table>,
    /// If the program walks back.
    pub back: Option<BackStep>,
}

pub(crate) struct BackStep {
    pub table: Arc<Table>,
    pub back: Arc<Back>,
    /// The weights without the scale, if the step makes a term.
    pub raw: Option<Arc<Back>>,
}

/// A pass, ready to run.
pub struct Program {
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) trace: Trace,
    pub(crate) constants: Vec<Constants>,
    /// The last step that reads each map.
    pub(crate) last: Vec<usize>,
    /// Whether a walk back needs the gradient of each map.
    pub(crate) wanted: Vec<bool>,
    recording: bool,
    /// The memory for so many images, with and without a walk back.
    needs: Mutex<HashMap<(usize, bool), usize>>,
}

impl Program {
    /// The pass that `trace` describes, forward, and back if `recording`. Its ends are in f32.
    ///
    /// # Errors
    /// If there is no memory for the weights.
    pub fn new(weights: &Weights, trace: Trace, recording: bool) -> Result<Self> {
        let gpu = weights.gpu.clone();
        let wanted = wanted(&trace);
        let mut constants = Vec::with_capacity(trace.steps.len());
        for step in &trace.steps {
            let vectors = |vectors: &[&[f32]]| {
                let session = gpu.session()?;
                let all = vectors.iter().map(|vector| session.upload(vector));
                Ok::<_, Error>(Constants::Vectors(all.collect::<Result<_>>()?))
            };
            constants.push(match &step.work {
                Work::Product(product) => {
                    let product = product_step(weights, product, recording, step.term.is_some())?;
                    Constants::Product(Box::new(product))
                }
                Work::Normalize { mean, std } => vectors(&[std, mean])?,
                Work::Depthwise { weights, .. } => vectors(&[weights])?,
                Work::Affine { scale, shift, back } => vectors(&[scale, shift, back])?,
                Work::Convolution(sizes) => {
                    let back = recording && wanted[step.inputs[0]];
                    Constants::Trained(TrainedStep::new(&gpu, *sizes, back)?)
                }
                Work::BatchNorm {
                    running: Some([mean, variance]),
                    ..
                } => vectors(&[&[&mean[..], &variance[..]].concat()])?,
                _ => Constants::None,
            });
        }
        let mut last = vec![0; trace.maps.len()];
        for (at, step) in trace.steps.iter().enumerate() {
            for &input in step.inputs.iter().chain(&step.parameters) {
                last[input] = at;
            }
        }
        for &end in &trace.ends {
            assert!(!trace.maps[end].wide, "the ends of a program are in f32");
            last[end] = usize::MAX;
        }
        Ok(Self {
            gpu,
            trace,
            constants,
            last,
            wanted,
            recording,
            needs: Mutex::default(),
        })
    }

    /// The ends for images `(images, c, h, w)`, without a way back.
    ///
    /// # Errors
    /// If the GPU fails, or has no memory for one image.
    ///
    /// # Panics
    /// If `pixels` are not that many images.
    pub fn run(&self, pixels: &[f32], images: usize) -> Result<Vec<Vec<f32>>> {
        let size = self.image(pixels, images);
        let part = self.part(images, false)?;
        let mut ends = vec![Vec::new(); self.trace.ends.len()];
        for pixels in pixels.chunks((part * size).max(1)) {
            let session = self.gpu.session()?;
            let start = Start::of(pixels, pixels.len() / size);
            let maps = forward(self, &session, start, false)?;
            let values = maps.ends(self, &session, start.images)?;
            for (all, values) in ends.iter_mut().zip(values) {
                all.extend(values);
            }
        }
        Ok(ends)
    }

    /// The same bits, with a way back.
    ///
    /// # Errors
    /// As [`Program::run`].
    ///
    /// # Panics
    /// If the program does not record, or `pixels` are not that many images.
    pub fn record(self: &Arc<Self>, pixels: Vec<f32>, images: usize) -> Result<Pass> {
        assert!(self.recording, "the program has a way back");
        self.image(&pixels, images);
        let part = self.part(images, true)?;
        let (ends, whole) = if part >= images {
            let session = self.gpu.session()?;
            let maps = forward(self, &session, Start::of(&pixels, images), true)?;
            (maps.ends(self, &session, images)?, Some(maps))
        } else {
            // The maps of all parts do not fit, so the way back makes them again.
            (self.run(&pixels, images)?, None)
        };
        Ok(Pass {
            program: self.clone(),
            pixels: if whole.is_some() { Vec::new() } else { pixels },
            images,
            ends,
            whole,
        })
    }

    /// The running statistics of the normalisation of step `at`: means, then variances. `None` if it uses the batch's.
    pub(crate) fn running(&self, at: usize) -> Option<&Buffer> {
        match &self.constants[at] {
            Constants::Vectors(vectors) => vectors.first(),
            _ => None,
        }
    }

    /// The elements of an image.
    fn image(&self, pixels: &[f32], images: usize) -> usize {
        let size = self.trace.maps[0].elements();
        assert_eq!(pixels.len(), images * size, "the pixels are the images'");
        size
    }

    /// The most images, of `images`, that fit the memory together.
    fn part(&self, images: usize, recording: bool) -> Result<usize> {
        let mut part = images.min(self.limit()).max(1);
        let left = self.gpu.pool.left();
        while self.need(part, recording)? > left {
            if part == 1 {
                let budget = self.gpu.budget();
                let need = budget - left + self.need(1, recording)?;
                return Err(Error::OutOfMemory { need, budget });
            }
            // The need is nearly in proportion to the images.
            let fits = part as f64 * left as f64 / self.need(part, recording)? as f64;
            part = (fits as usize).clamp(1, part - 1);
        }
        // Equal parts: a last part of a few images would use little of the GPU.
        Ok(images.div_ceil(images.div_ceil(part).max(1)).max(1))
    }

    /// Whether so many images fit the memory together.
    ///
    /// # Errors
    /// If the driver fails.
    pub(crate) fn fits(&self, images: usize) -> Result<bool> {
        Ok(images <= self.limit() && self.need(images, self.recording)? <= self.gpu.pool.left())
    }

    /// The most images whose rows a product can count: they are 32-bit numbers.
    fn limit(&self) -> usize {
        let tables = |constants: &Constants| match constants {
            Constants::Product(product) => {
                let back = product.back.as_ref().map(|back| back.table.clone());
                [Some(product.forward.clone()), back]
            }
            Constants::Trained(tables) => [Some(tables.forward.clone()), tables.back.clone()],
            _ => [None, None],
        };
        let tables = self.constants.iter().flat_map(tables).flatten();
        let most = tables.flat_map(|table| table.positions.iter().copied().max());
        i32::MAX as usize / most.max().unwrap_or(1).max(1) / 2
    }

    /// Bytes that a pass of so many images takes beside the constants.
    fn need(&self, images: usize, recording: bool) -> Result<usize> {
        let mut needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&need) = needs.get(&(images, recording)) {
            return Ok(need);
        }
        let count = Arc::new(Count::default());
        let session = Session::counting(count.clone());
        let start = Start::of(&[], images);
        let maps = forward(self, &session, start, recording)?;
        if recording {
            let ends = self.trace.ends.iter();
            let zeros = ends.map(|&end| Some(vec![0.0; images * self.trace.maps[end].elements()]));
            backward(self, &session, &maps, images, &zeros.collect::<Vec<_>>())?;
        }
        let need = count.most();
        needs.insert((images, recording), need);
        Ok(need)
    }
}

/// Whether a walk back needs the gradient of each map: of the parameters if there are any, else of the images, and of what depends on them.
fn wanted(trace: &Trace) -> Vec<bool> {
    let mut wanted: Vec<bool> = (0..trace.maps.len())
        .map(|map| match trace.parameters {
            0 => map == 0,
            parameters => (1..=parameters).contains(&map),
        })
        .collect();
    for step in &trace.steps {
        let mut read = step.inputs.iter().chain(&step.parameters);
        if read.any(|&map| wanted[map]) {
            wanted[step.output] = true;
            if let Some((term, _)) = step.term {
                wanted[term] = true;
            }
        }
    }
    wanted
}

fn product_step(
    weights: &Weights,
    product: &Product,
    recording: bool,
    term: bool,
) -> Result<ProductStep> {
    let (gpu, units) = (&weights.gpu, &weights.units);
    let back = match recording {
        false => None,
        true => Some(BackStep {
            table: gpu
                .tables
                .product(gpu, product.geometry(), Direction::Backward)?,
            back: units.back(gpu, product, false)?,
            raw: match term {
                true => Some(units.back(gpu, product, true)?),
                false => None,
            },
        }),
    };
    Ok(ProductStep {
        layer: units.layer(gpu, product)?,
        forward: gpu
            .tables
            .product(gpu, product.geometry(), Direction::Forward)?,
        back,
    })
}

/// A recorded pass: its ends, and the way back to the gradient of its images.
pub struct Pass {
    program: Arc<Program>,
    /// Only if the maps are not kept.
    pixels: Vec<f32>,
    images: usize,
    ends: Vec<Vec<f32>>,
    whole: Option<Maps>,
}

impl Pass {
    /// The values of each end, image after image.
    pub fn ends(&self) -> &[Vec<f32>] {
        &self.ends
    }

    /// The gradient of the images, from the gradients of the ends; an end may have none.
    ///
    /// # Errors
    /// As [`Program::run`].
    ///
    /// # Panics
    /// If a gradient is not as long as its end.
    pub fn backward(&self, grads: &Grads) -> Result<Vec<f32>> {
        let ends = self.ends.iter().zip(grads);
        for (end, grad) in ends {
            let len = grad.as_ref().map(Vec::len);
            assert!(
                len.is_none_or(|len| len == end.len()),
                "a gradient fits its end"
            );
        }
        let program = &*self.program;
        let size = program.trace.maps[0].elements();
        let download = |session: &Session<'_>, grad: Option<Arc<Buffer>>, images: usize| {
            Ok::<_, Error>(match grad {
                Some(grad) => session.download(&[(&grad, images * size)])?.remove(0),
                None => vec![0.0; images * size],
            })
        };
        if let Some(maps) = &self.whole {
            let session = program.gpu.session()?;
            let mut sums = backward(program, &session, maps, self.images, grads)?;
            return download(&session, sums.swap_remove(0), self.images);
        }
        let part = program.part(self.images, true)?;
        let (mut all, mut at) = (Vec::with_capacity(self.pixels.len()), 0);
        while at < self.images {
            let images = part.min(self.images - at);
            let own = |grad: &Option<Vec<f32>>| {
                let grad = grad.as_ref()?;
                let each = grad.len() / self.images;
                Some(grad[at * each..(at + images) * each].to_vec())
            };
            let grads: Vec<_> = grads.iter().map(own).collect();
            let session = program.gpu.session()?;
            let pixels = &self.pixels[at * size..(at + images) * size];
            let maps = forward(program, &session, Start::of(pixels, images), true)?;
            let mut sums = backward(program, &session, &maps, images, &grads)?;
            all.extend(download(&session, sums.swap_remove(0), images)?);
            at += images;
        }
        Ok(all)
    }
}
