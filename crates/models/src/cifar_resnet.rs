//! The ResNets for CIFAR-10 of He et al., section 4.2, with option-A shortcuts, under the names of the common PyTorch port
//! (`layer1.0.conv1.weight`, ..., `linear.weight`), so that its published checkpoints load.

use crate::Result;
use crate::layers::{Builder, ConvBn, Linear};
use crate::network::{Body, Pass};
use candle_core::Tensor;
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
        self.linear.forward(&ops::global_avg_pool(&x)?, pass)
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
            option_a(x)?
        } else {
            x.clone()
        };
        self.second.forward(&y, Some(&shortcut), true, pass)
    }
}

/// The shortcut without parameters: every second pixel, and as many zero channels on either side as a quarter of the new number.
fn option_a(x: &Tensor) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    // Every second row and column as a view: an odd side is widened by one so that it splits in two.
    let even = x.pad_with_zeros(1, 0, h % 2)?.pad_with_zeros(2, 0, w % 2)?;
    let (oh, ow) = (h.div_ceil(2), w.div_ceil(2));
    let picked = even
        .reshape((n, oh, 2, ow, 2 * c))?
        .narrow(2, 0, 1)?
        .narrow(4, 0, c)?
        .reshape((n, oh, ow, c))?;
    Ok(picked.pad_with_zeros(3, c / 2, c / 2)?)
}
