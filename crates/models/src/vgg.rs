//! torchvision's VGG (Simonyan and Zisserman, arXiv 1409.1556) without batch normalisation, under torchvision's names.

use crate::builder::Builder;
use crate::error::Result;
use crate::layer::Layer;
use crate::pass::{Body, Pass};
use crate::slot::Kind;
use brink_ops::Window;
use candle_core::Tensor;

/// Convolutions of configuration D in five stages. A maximum pooling ends each stage.
const STAGES: [&[usize]; 5] = [
    &[64, 64],
    &[128, 128],
    &[256, 256, 256],
    &[512, 512, 512],
    &[512, 512, 512],
];

/// The bins of the average pooling before the classifier, for images of any size.
const BINS: (usize, usize) = (7, 7);

pub(crate) struct Vgg {
    stages: Vec<Vec<Layer>>,
    classifier: [Layer; 3],
}

impl Vgg {
    /// VGG-16.
    pub fn new(builder: &mut Builder<'_>, classes: usize) -> Result<Self> {
        // torchvision numbers all modules of a sequence: a convolution is followed by its ReLU, a stage by its pooling.
        let (mut index, mut channels) = (0, 3);
        let mut stages = Vec::with_capacity(STAGES.len());
        for widths in STAGES {
            let mut stage = Vec::with_capacity(widths.len());
            for &width in widths {
                let out = builder.channels(width);
                let name = format!("features.{index}");
                stage.push(builder.conv(&name, (channels, out), Window::square(3, 1, 1))?);
                channels = out;
                index += 2;
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
            for conv in stage {
                x = conv.forward(&x, true, pass)?;
            }
            x = brink_ops::max_pool2d(pass.tape, &x, Window::square(2, 2, 0))?;
        }
        let [first, second, last] = &self.classifier;
        x = first.forward(&x, true, pass)?;
        x = second.forward(&pass.dropout(&x)?, true, pass)?;
        x = pass.dropout(&x)?;
        last.forward(&x, false, pass)
    }
}
