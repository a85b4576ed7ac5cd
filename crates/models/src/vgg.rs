//! torchvision's VGGs (Simonyan and Zisserman, arXiv 1409.1556), with and without batch normalisation, under torchvision's names.

use crate::builder::Builder;
use crate::conv_bn::{Activation, ConvBn};
use crate::error::Result;
use crate::layer::Layer;
use crate::pass::{Body, Pass};
use crate::slot::Kind;
use brink_ops::Window;
use candle_core::Tensor;

/// The channels of the five stages. A maximum pooling ends each stage.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

/// The bins of the average pooling before the classifier, for images of any size.
const BINS: (usize, usize) = (7, 7);

/// The convolutions in each stage of a configuration.
pub(crate) type Depths = [usize; 5];

/// Configuration A, VGG-11.
pub(crate) const A: Depths = [1, 1, 2, 2, 2];
/// Configuration B, VGG-13.
pub(crate) const B: Depths = [2, 2, 2, 2, 2];
/// Configuration D, VGG-16.
pub(crate) const D: Depths = [2, 2, 3, 3, 3];
/// Configuration E, VGG-19.
pub(crate) const E: Depths = [2, 2, 4, 4, 4];

/// A convolution with bias, and its batch normalisation if the network has any.
enum Convolution {
    Plain(Layer),
    Normalised(ConvBn),
}

impl Convolution {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        match self {
            Self::Plain(layer) => layer.forward(x, true, pass),
            Self::Normalised(unit) => unit.forward(x, None, Activation::Relu, pass),
        }
    }
}

pub(crate) struct Vgg {
    stages: Vec<Vec<Convolution>>,
    classifier: [Layer; 3],
}

impl Vgg {
    /// The network without batch normalisation.
    pub fn plain(builder: &mut Builder<'_>, depths: Depths, classes: usize) -> Result<Self> {
        Self::new(builder, depths, false, classes)
    }

    /// The network with batch normalisation after each convolution.
    pub fn normalised(builder: &mut Builder<'_>, depths: Depths, classes: usize) -> Result<Self> {
        Self::new(builder, depths, true, classes)
    }

    fn new(
        builder: &mut Builder<'_>,
        depths: Depths,
        normalised: bool,
        classes: usize,
    ) -> Result<Self> {
        // torchvision numbers all modules of a sequence: a convolution is followed by its normalisation and its ReLU, a stage by its
        // pooling.
        let (mut index, mut channels) = (0, 3);
        let window = Window::square(3, 1, 1);
        let mut stages = Vec::with_capacity(depths.len());
        for (width, depth) in CHANNELS.into_iter().zip(depths) {
            let out = builder.channels(width);
            let mut stage = Vec::with_capacity(depth);
            for _ in 0..depth {
                let name = format!("features.{index}");
                let size = (channels, out);
                stage.push(if normalised {
                    let bn = format!("features.{}", index + 1);
                    Convolution::Normalised(builder.biased_conv_bn(&name, &bn, size, window)?)
                } else {
                    Convolution::Plain(builder.conv(&name, size, window)?)
                });
                channels = out;
                index += if normalised { 3 } else { 2 };
            }
            stages.push(stage);
            index += 1;
        }
        let hidden = builder.channels(4096);
        // torchvision's 0.01. With fewer channels, the factor keeps the spread of a layer's outputs.
        let std = 0.01 * (4096.0 / hidden as f32).sqrt();
        let kinds = [Kind::Normal { std }, Kind::Zero];
        Ok(Self {
            stages,
            // A ReLU and, in training, a dropout follow the first two.
            classifier: [
                builder.pooled_linear("classifier.0", (channels, BINS), hidden, kinds)?,
                builder.linear("classifier.3", (hidden, hidden), kinds)?,
                builder.linear("classifier.6", (hidden, classes), kinds)?,
            ],
        })
    }
}

impl Body for Vgg {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut x = x.clone();
        for stage in &self.stages {
            for convolution in stage {
                x = convolution.forward(&x, pass)?;
            }
            x = brink_ops::max_pool2d(pass.tape, &x, Window::square(2, 2, 0))?;
        }
        let [first, second, last] = &self.classifier;
        x = first.forward(&x, true, pass)?;
        x = second.forward(&pass.dropout(&x, 0.5)?, true, pass)?;
        x = pass.dropout(&x, 0.5)?;
        last.forward(&x, false, pass)
    }
}
