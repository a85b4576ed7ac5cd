//! torchvision's MobileNetV2 (Sandler et al., arXiv 1801.04381), under torchvision's names.

use crate::builder::Builder;
use crate::conv_bn::{Activation, ConvBn};
use crate::error::Result;
use crate::layer::Layer;
use crate::pass::{Body, Pass};
use crate::slot::Kind;
use brink_ops::Window;
use candle_core::Tensor;

/// The stages of table 2: factor of expansion, output channels, blocks, stride of the first block.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// The share of the features that training drops before the classifier.
const DROPPED: f32 = 0.2;

const POINT: Window = Window::square(1, 1, 0);

pub(crate) struct MobileNetV2 {
    stem: ConvBn,
    blocks: Vec<Block>,
    last: ConvBn,
    classifier: Layer,
}

impl MobileNetV2 {
    pub fn new(builder: &mut Builder<'_>, classes: usize) -> Result<Self> {
        let mut channels = builder.channels(32);
        let window = Window::square(3, 2, 1);
        let stem = builder.conv_bn("features.0.0", "features.0.1", (3, channels), window)?;
        let mut blocks = Vec::new();
        for (expansion, full, depth, stride) in STAGES {
            for block in 0..depth {
                let stride = if block == 0 { stride } else { 1 };
                let size = (channels, builder.channels(full));
                let name = format!("features.{}.conv", blocks.len() + 1);
                blocks.push(Block::new(builder, &name, size, expansion, stride)?);
                channels = size.1;
            }
        }
        let features = builder.channels(1280);
        let kinds = [Kind::Normal { std: 0.01 }, Kind::Zero];
        Ok(Self {
            stem,
            blocks,
            last: builder.conv_bn(
                "features.18.0",
                "features.18.1",
                (channels, features),
                POINT,
            )?,
            classifier: builder.linear("classifier.1", (features, classes), kinds)?,
        })
    }
}

impl Body for MobileNetV2 {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut x = self.stem.forward(x, None, Activation::Relu6, pass)?;
        for block in &self.blocks {
            x = block.forward(&x, pass)?;
        }
        x = self.last.forward(&x, None, Activation::Relu6, pass)?;
        let features = brink_ops::adaptive_avg_pool2d(pass.tape, &x, (1, 1))?;
        let features = pass.dropout(&features, DROPPED)?;
        self.classifier.forward(&features, false, pass)
    }
}

/// An inverted residual: 1x1 to more channels, 3x3 on each channel alone, 1x1 to fewer channels.
struct Block {
    /// Without expansion there is none.
    expand: Option<ConvBn>,
    depthwise: ConvBn,
    project: ConvBn,
    /// Whether the input is added to the result.
    residual: bool,
}

impl Block {
    fn new(
        builder: &mut Builder<'_>,
        name: &str,
        (channels, out): (usize, usize),
        expansion: usize,
        stride: usize,
    ) -> Result<Self> {
        let hidden = channels * expansion;
        // torchvision numbers the steps of a block; a step with an activation is a sequence of its own.
        let mut step = 0;
        let expand = match expansion {
            1 => None,
            _ => {
                step += 1;
                let (conv, bn) = (format!("{name}.0.0"), format!("{name}.0.1"));
                Some(builder.conv_bn(&conv, &bn, (channels, hidden), POINT)?)
            }
        };
        let (conv, bn) = (format!("{name}.{step}.0"), format!("{name}.{step}.1"));
        let depthwise =
            builder.depthwise_conv_bn(&conv, &bn, hidden, Window::square(3, stride, 1))?;
        let (conv, bn) = (
            format!("{name}.{}", step + 1),
            format!("{name}.{}", step + 2),
        );
        Ok(Self {
            expand,
            depthwise,
            project: builder.conv_bn(&conv, &bn, (hidden, out), POINT)?,
            residual: stride == 1 && channels == out,
        })
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let expanded = match &self.expand {
            None => x.clone(),
            Some(unit) => unit.forward(x, None, Activation::Relu6, pass)?,
        };
        let y = self
            .depthwise
            .forward(&expanded, None, Activation::Relu6, pass)?;
        let residual = self.residual.then_some(x);
        self.project.forward(&y, residual, Activation::None, pass)
    }
}
