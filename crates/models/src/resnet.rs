//! torchvision's ResNets (He et al., arXiv 1512.03385), under torchvision's names.

use crate::Result;
use crate::layers::{Builder, ConvBn, Linear};
use crate::network::{Body, Pass};
use candle_core::Tensor;
use ops::Window;

pub(crate) struct ResNet {
    stem: ConvBn,
    blocks: Vec<BasicBlock>,
    fc: Linear,
}

impl ResNet {
    /// A network of basic blocks: `depths` blocks in the four stages.
    pub fn basic(builder: &mut Builder<'_>, depths: [usize; 4], classes: usize) -> Result<Self> {
        let stem = builder.conv_bn("conv1", "bn1", (3, 64), Window::square(7, 2, 3))?;
        let mut blocks = Vec::new();
        let mut channels = 64;
        for (stage, depth) in depths.into_iter().enumerate() {
            let out = 64 << stage;
            for block in 0..depth {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                blocks.push(BasicBlock::new(
                    builder,
                    &format!("layer{}.{block}", stage + 1),
                    (channels, out),
                    stride,
                )?);
                channels = out;
            }
        }
        Ok(Self {
            stem,
            blocks,
            fc: builder.linear("fc", (channels, classes))?,
        })
    }
}

impl Body for ResNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let stem = self.stem.forward(x, None, true, pass)?;
        let mut x = ops::max_pool2d(pass.tape, &stem, Window::square(3, 2, 1))?;
        for block in &self.blocks {
            x = block.forward(&x, pass)?;
        }
        let features = ops::global_avg_pool(pass.tape, &x)?;
        self.fc.forward(&features, pass)
    }
}

struct BasicBlock {
    first: ConvBn,
    second: ConvBn,
    downsample: Option<ConvBn>,
}

impl BasicBlock {
    fn new(
        builder: &mut Builder<'_>,
        name: &str,
        (c, o): (usize, usize),
        stride: usize,
    ) -> Result<Self> {
        let mut unit = |conv: &str, bn: &str, channels, window| {
            builder.conv_bn(
                &format!("{name}.{conv}"),
                &format!("{name}.{bn}"),
                channels,
                window,
            )
        };
        Ok(Self {
            first: unit("conv1", "bn1", (c, o), Window::square(3, stride, 1))?,
            second: unit("conv2", "bn2", (o, o), Window::square(3, 1, 1))?,
            downsample: if stride != 1 || c != o {
                Some(unit(
                    "downsample.0",
                    "downsample.1",
                    (c, o),
                    Window::square(1, stride, 0),
                )?)
            } else {
                None
            },
        })
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let y = self.first.forward(x, None, true, pass)?;
        match &self.downsample {
            None => self.second.forward(&y, Some(x), true, pass),
            Some(downsample) => {
                let shortcut = downsample.forward(x, None, false, pass)?;
                self.second.forward(&y, Some(&shortcut), true, pass)
            }
        }
    }
}
