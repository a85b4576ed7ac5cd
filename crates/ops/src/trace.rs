//! A recorded pass as data: what an executor on another device needs to run the same operations to the same bits, forward and back.
//!
//! [`Tape::trace`] describes the pass of a network: a frozen one with its weights as constants, or one in training with its weights as
//! parameters. The executor repeats it for any number of images of the same size, and walks back as [`Tape::backward`] does:
//!
//! - The gradients of a map are added in the order of the walk. Products with panels, poolings and terms of maps fuse the sum so far into
//!   their own pass, and the mask of the map's ReLU with it. The others add their gradient in a pass of its own, and the mask is applied when
//!   the map's own step is reached.
//! - A step passes the gradient on to its residual first.
//! - With parameters, the walk ends at them, and no gradient is made of what depends on the images alone.

use crate::plan::Window;
use crate::tape::Tape;
use candle_core::{DType, Result, Tensor, TensorId, bail};
use std::collections::HashMap;

pub use crate::frozen::traced::{Backward, Product};
pub use table::{ABSENT, Direction, Geometry, GradientTable, Table};

mod table;

/// Elements of either type.
#[derive(Clone, Copy, Debug)]
pub enum Elements<'a> {
    /// In single precision.
    F32(&'a [f32]),
    /// In double precision.
    F64(&'a [f64]),
}

/// The pass of a network, for any number of images of one size.
pub struct Trace {
    /// All maps. The first is the images; the parameters follow.
    pub maps: Vec<Map>,
    /// The number of parameters; 0 for a frozen network.
    pub parameters: usize,
    /// The operations in order.
    pub steps: Vec<Step>,
    /// The maps asked for, in the order in which they were asked for.
    pub ends: Vec<usize>,
}

/// What one image has of a map; or a parameter.
pub struct Map {
    /// Its dimensions, without the images.
    pub dims: Vec<usize>,
    /// Whether all images share it: a parameter, or what is made of parameters alone.
    pub shared: bool,
    /// Whether it is in f64.
    pub wide: bool,
    /// Whether a ReLU made it, so that its gradient is masked.
    pub rectified: bool,
}

impl Map {
    /// The elements of one image, or of a parameter.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    /// The elements for so many images.
    pub fn count(&self, images: usize) -> usize {
        match self.shared {
            true => self.elements(),
            false => images * self.elements(),
        }
    }

    /// `(h, w, c)`; a row has one pixel.
    pub fn sizes(&self) -> (usize, usize, usize) {
        match self.dims[..] {
            [h, w, c] => (h, w, c),
            _ => (1, 1, self.elements()),
        }
    }
}

/// One operation.
pub struct Step {
    /// What it does.
    pub work: Work,
    /// Its maps: what it reads, then the residual if there is one.
    pub inputs: Vec<usize>,
    /// Its parameters, in the order that [`Work`] says.
    pub parameters: Vec<usize>,
    /// The map that it makes.
    pub output: usize,
    /// The activation term that it makes, and the factor of the term's sum.
    pub term: Option<(usize, f64)>,
}

/// What an operation does. Vectors have one element a channel.
pub enum Work {
    /// Images from `(c, h, w)` to `(h, w, c)`.
    ChannelsLast,
    /// `(x - mean) / std`.
    Normalize {
        /// Subtracted first.
        mean: Vec<f32>,
        /// The divisor.
        std: Vec<f32>,
    },
    /// A convolution or linear layer with what follows it.
    Product(Product),
    /// A convolution of each channel alone.
    Depthwise {
        /// The kernels, `(kh * kw, c)`.
        weights: Vec<f32>,
        /// Its geometry.
        window: Window,
    },
    /// A normalisation, `act(x * scale + shift + residual)`.
    Affine {
        /// The factors.
        scale: Vec<f32>,
        /// The summands.
        shift: Vec<f32>,
        /// The factors of the gradient, which are rounded otherwise.
        back: Vec<f32>,
    },
    /// ReLU6.
    Relu6,
    /// Maximum pooling.
    MaxPool(Window),
    /// Adaptive average pooling to so many bins.
    AveragePool((usize, usize)),
    /// The shortcut without parameters: every `stride`-th pixel, with `before` zero channels before its own.
    Shortcut {
        /// Pixels from one to the next.
        stride: usize,
        /// Zero channels before the image's.
        before: usize,
    },
    /// The other element type.
    Cast,
    /// The activation term of a map, times a share.
    Negative {
        /// The factor of the sum.
        share: f64,
    },
    /// A convolution or linear layer. Parameters: weight `(o, c, kh, kw)`, and perhaps a bias.
    Convolution(Geometry),
    /// A convolution of each channel alone. Parameter: weight `(c, 1, kh, kw)`.
    DepthwiseConvolution(Window),
    /// A normalisation, and a ReLU if the map is rectified. Parameters: gamma and beta.
    BatchNorm {
        /// Added to the variance.
        eps: f64,
        /// Mean and variance; if absent, those of the batch.
        running: Option<[Vec<f32>; 2]>,
    },
    /// The parameter `(o, c * bins.0 * bins.1)` of a linear layer behind an average pooling, summed in f64 for the pixels of the maps.
    Fold {
        /// Height and width of the bins.
        bins: (usize, usize),
        /// Height and width of the maps.
        map: (usize, usize),
    },
    /// The product with a mask that is given with the images, one element a unit.
    Dropout,
}

/// What an operation on a tape says about itself.
pub(crate) struct Described {
    pub work: Work,
    /// Which of its inputs are maps, and which are parameters; the others are constants.
    pub maps: Vec<usize>,
    pub parameters: Vec<usize>,
    pub term: Option<(Tensor, f64)>,
}

impl Described {
    /// An operation with one map and no term.
    pub fn new(work: Work) -> Self {
        Self {
            work,
            maps: vec![0],
            parameters: Vec::new(),
            term: None,
        }
    }
}

impl Tape {
    /// The recorded operations from `images (1, 3, h, w)` and `parameters` to `ends`. `None` if something was not recorded, cannot be
    /// described as [`Work`], or `images` is not in f32.
    ///
    /// # Errors
    /// If a constant cannot be read, or there is more than one image.
    pub fn trace(
        &self,
        images: &Tensor,
        parameters: &[&Tensor],
        ends: &[&Tensor],
    ) -> Result<Option<Trace>> {
        if images.dim(0)? != 1 {
            bail!("trace: one image stands for all, got {:?}", images.shape());
        }
        if images.dtype() != DType::F32 {
            return Ok(None);
        }
        let mut maps = Maps {
            known: HashMap::new(),
            all: Vec::new(),
        };
        maps.add(self, images, false);
        for parameter in parameters {
            maps.add(self, parameter, true);
        }
        let mut steps = Vec::new();
        for (operation, inputs, output) in self.noted() {
            let Some(described) = operation.describe(inputs, output)? else {
                return Ok(None);
            };
            let find = |which: &[usize]| {
                let found = which.iter().map(|&at| maps.find(&inputs[at]));
                found.collect::<Option<Vec<_>>>()
            };
            let Some((inputs, parameters)) = find(&described.maps).zip(find(&described.parameters))
            else {
                return Ok(None);
            };
            let shared = inputs.iter().all(|&input| maps.all[input].shared);
            let output = maps.add(self, output, shared);
            let term = described.term;
            steps.push(Step {
                work: described.work,
                inputs,
                parameters,
                output,
                term: term.map(|(term, share)| (maps.add(self, &term, false), share)),
            });
        }
        let ends = ends.iter().map(|end| maps.find(end));
        Ok(ends.collect::<Option<Vec<_>>>().map(|ends| Trace {
            maps: maps.all,
            parameters: parameters.len(),
            steps,
            ends,
        }))
    }
}

/// The maps so far.
struct Maps {
    known: HashMap<TensorId, usize>,
    all: Vec<Map>,
}

impl Maps {
    fn find(&self, tensor: &Tensor) -> Option<usize> {
        self.known.get(&tensor.id()).copied()
    }

    fn add(&mut self, tape: &Tape, tensor: &Tensor, shared: bool) -> usize {
        self.known.insert(tensor.id(), self.all.len());
        self.all.push(Map {
            dims: tensor.dims()[usize::from(!shared)..].to_vec(),
            shared,
            wide: tensor.dtype() == DType::F64,
            rectified: tape.is_rectified(tensor),
        });
        self.all.len() - 1
    }
}
