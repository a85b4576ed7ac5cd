//! The ResNets for CIFAR-10 of He et al., section 4.2, with option-A shortcuts, under the names of the common PyTorch port
//! (`layer1.0.conv1.weight`, ..., `linear.weight`). So the published checkpoints of the port load.

use crate::builder::Builder;
use crate::conv_bn::{Activation, ConvBn};
use crate::error::Result;
use crate::layer::Layer;
use crate::pass::{Body, Pass};
use brink_ops::Window;
use candle_core::Tensor;

pub(crate) struct CifarResNet {
    stem: ConvBn,
    blocks: Vec<Block>,
    linear: Layer,
}

impl CifarResNet {
    /// Three stages of `depth` blocks: `6 * depth + 2` layers.
    pub fn new(builder: &mut Builder<'_>, depth: usize, classes: usize) -> Result<Self> {
        let mut channels = builder.channels(16);
        let stem = builder.conv_bn("conv1", "bn1", (3, channels), Window::square(3, 1, 1))?;
        let mut blocks = Vec::new();
        for stage in 0..3 {
            let out = builder.channels(16 << stage);
            for block in 0..depth {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let name = format!("layer{}.{block}", stage + 1);
                blocks.push(Block {
                    first: builder.conv_bn(
                        &format!("{name}.conv1"),
                        &format!("{name}.bn1"),
                        (channels, out),
                        Window::square(3, stride, 1),
                    )?,
                    second: builder.conv_bn(
                        &format!("{name}.conv2"),
                        &format!("{name}.bn2"),
                        (out, out),
                        Window::square(3, 1, 1),
                    )?,
                    stride,
                    added: out - channels,
                });
                channels = out;
            }
        }
        Ok(Self {
            stem,
            blocks,
            linear: builder.classifier("linear", channels, classes)?,
        })
    }
}

impl Body for CifarResNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut x = self.stem.forward(x, None, Activation::Relu, pass)?;
        for block in &self.blocks {
            x = block.forward(&x, pass)?;
        }
        let features = brink_ops::adaptive_avg_pool2d(pass.tape, &x, (1, 1))?;
        self.linear.forward(&features, false, pass)
    }
}

struct Block {
    first: ConvBn,
    second: ConvBn,
    /// The block keeps every `stride`-th pixel.
    stride: usize,
    /// Channels that the shortcut adds. A narrow network may have two stages of equal width, and then it is 0.
    added: usize,
}

impl Block {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let y = self.first.forward(x, None, Activation::Relu, pass)?;
        let shortcut = if self.stride > 1 {
            brink_ops::option_a_shortcut(pass.tape, x, self.stride, self.added)?
        } else {
            x.clone()
        };
        self.second
            .forward(&y, Some(&shortcut), Activation::Relu, pass)
    }
}
