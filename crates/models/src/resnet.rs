//! torchvision's ResNets (He et al., arXiv 1512.03385), under torchvision's names.

use crate::builder::Builder;
use crate::conv_bn::ConvBn;
use crate::error::Result;
use crate::layer::Layer;
use crate::pass::{Body, Pass};
use brink_ops::Window;
use candle_core::Tensor;

pub(crate) struct ResNet {
    stem: ConvBn,
    /// The first stage. Its maps are the largest.
    first: Vec<Block>,
    rest: Vec<Block>,
    fc: Layer,
}

/// The limit on the first maps of the images that go through the first stage together, so that they fit a second-level cache.
const BYTES: usize = 768 * 1024;

/// The kind of a network's blocks.
#[derive(Clone, Copy)]
enum Kind {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1 to fewer channels, 3x3, 1x1 to four times as many.
    Bottleneck,
}

impl Kind {
    /// The convolutions of a block with `planes` inner channels: kernel, stride, output channels. torchvision's bottlenecks have
    /// the stride in the 3x3 convolution.
    fn convolutions(self, planes: usize, stride: usize) -> Vec<(usize, usize, usize)> {
        match self {
            Self::Basic => vec![(3, stride, planes), (3, 1, planes)],
            Self::Bottleneck => vec![(1, 1, planes), (3, stride, planes), (1, 1, 4 * planes)],
        }
    }
}

impl ResNet {
    /// A network of basic blocks: `depths` blocks in the four stages.
    pub fn basic(builder: &mut Builder<'_>, depths: [usize; 4], classes: usize) -> Result<Self> {
        Self::new(builder, Kind::Basic, depths, classes)
    }

    /// A network of bottlenecks.
    pub fn bottleneck(
        builder: &mut Builder<'_>,
        depths: [usize; 4],
        classes: usize,
    ) -> Result<Self> {
        Self::new(builder, Kind::Bottleneck, depths, classes)
    }

    fn new(
        builder: &mut Builder<'_>,
        kind: Kind,
        depths: [usize; 4],
        classes: usize,
    ) -> Result<Self> {
        let mut channels = builder.channels(64);
        let stem = builder.conv_bn("conv1", "bn1", (3, channels), Window::square(7, 2, 3))?;
        let mut blocks = Vec::new();
        for (stage, depth) in depths.into_iter().enumerate() {
            for block in 0..depth {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let convolutions = kind.convolutions(builder.channels(64 << stage), stride);
                let name = format!("layer{}.{block}", stage + 1);
                let (block, out) = Block::new(builder, &name, channels, &convolutions)?;
                blocks.push(block);
                channels = out;
            }
        }
        let rest = blocks.split_off(depths[0]);
        Ok(Self {
            stem,
            first: blocks,
            rest,
            fc: builder.classifier("fc", channels, classes)?,
        })
    }

    fn first_stage(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let stem = self.stem.forward(x, None, true, pass)?;
        let mut x = brink_ops::max_pool2d(pass.tape, &stem, Window::square(3, 2, 1))?;
        for block in &self.first {
            x = block.forward(&x, pass)?;
        }
        Ok(x)
    }

    /// The first stage, for a few images at a time if images are independent. It has few weights, so the maps should fill the cache.
    fn first_stage_in_parts(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let (n, h, w, _) = x.dims4()?;
        // A quarter of the pixels, in 64 channels.
        let part = (BYTES / (x.dtype().size_in_bytes() * h * w * 16).max(1)).max(1);
        if n <= part || !x.device().is_cpu() || !pass.images_are_independent() {
            return self.first_stage(x, pass);
        }
        let mut parts = Vec::with_capacity(n.div_ceil(part));
        for at in (0..n).step_by(part) {
            parts.push(self.first_stage(&x.narrow(0, at, part.min(n - at))?, pass)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

impl Body for ResNet {
    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut x = self.first_stage_in_parts(x, pass)?;
        for block in &self.rest {
            x = block.forward(&x, pass)?;
        }
        let features = brink_ops::adaptive_avg_pool2d(pass.tape, &x, (1, 1))?;
        self.fc.forward(&features, false, pass)
    }
}

struct Block {
    /// All convolutions except the last. The shortcut is added to the output of the last one.
    first: Vec<ConvBn>,
    last: ConvBn,
    downsample: Option<ConvBn>,
}

impl Block {
    /// The block `name` on maps with `channels` channels, and its number of output channels.
    fn new(
        builder: &mut Builder<'_>,
        name: &str,
        channels: usize,
        convolutions: &[(usize, usize, usize)],
    ) -> Result<(Self, usize)> {
        let mut units = Vec::with_capacity(convolutions.len());
        let (mut c, mut strides) = (channels, 1);
        for (i, &(kernel, stride, o)) in convolutions.iter().enumerate() {
            units.push(builder.conv_bn(
                &format!("{name}.conv{}", i + 1),
                &format!("{name}.bn{}", i + 1),
                (c, o),
                Window::square(kernel, stride, kernel / 2),
            )?);
            (c, strides) = (o, strides * stride);
        }
        let downsample = if strides != 1 || c != channels {
            Some(builder.conv_bn(
                &format!("{name}.downsample.0"),
                &format!("{name}.downsample.1"),
                (channels, c),
                Window::square(1, strides, 0),
            )?)
        } else {
            None
        };
        let last = units.pop().expect("a block has convolutions");
        let block = Self {
            first: units,
            last,
            downsample,
        };
        Ok((block, c))
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut y = x.clone();
        for unit in &self.first {
            y = unit.forward(&y, None, true, pass)?;
        }
        let shortcut = match &self.downsample {
            None => x.clone(),
            Some(downsample) => downsample.forward(x, None, false, pass)?,
        };
        self.last.forward(&y, Some(&shortcut), true, pass)
    }
}
