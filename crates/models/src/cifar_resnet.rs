//! The ResNets for CIFAR-10 of He et al., section 4.2, with option-A shortcuts, under the names of the common PyTorch port
//! (`layer1.0.conv1.weight`, ..., `linear.weight`), so that its published checkpoints load.

use crate::Result;
use crate::layers::{Builder, ConvBn, Linear};
use crate::network::{Body, Pass};
use candle_core::{D, Tensor};
use ops::Window;

pub(crate) struct CifarResNet {
    stem: ConvBn,
    blocks: Vec<Block>,
    linear: Linear,
}

impl CifarResNet {
    /// Three stages of `depth` blocks: `6 * depth + 2` layers.
    pub fn new(builder: &mut Builder<'_>, depth: usize, classes: usize) -> Result<Self> {
        let stem = builder.conv_bn("conv1", "bn1", (3, 16), Window::square(3, 1, 1))?;
        let mut blocks = Vec::new();
        let mut channels = 16;
        for stage in 0..3 {
            let out = 16 << stage;
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
                    shrinks: stride != 1 || channels != out,
                });
                channels = out;
            }
        }
        Ok(Self {
            stem,
            blocks,
            linear: builder.linear("linear", (channels, classes))?,
        })
    }
}

impl Body for CifarResNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut x = self.stem.forward(x, None, true, pass)?;
        for block in &self.blocks {
            x = block.forward(&x, pass)?;
        }
        let features = ops::global_avg_pool(pass.tape, &x)?;
        self.linear.forward(&features, pass)
    }
}

struct Block {
    first: ConvBn,
    second: ConvBn,
    shrinks: bool,
}

impl Block {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let y = self.first.forward(x, None, true, pass)?;
        let shortcut = if self.shrinks {
            ops::shortcut(pass.tape, x, 2, x.dim(D::Minus1)?)?
        } else {
            x.clone()
        };
        self.second.forward(&y, Some(&shortcut), true, pass)
    }
}
