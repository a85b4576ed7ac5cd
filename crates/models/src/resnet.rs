//! torchvision's ResNets (He et al., arXiv 1512.03385), and those for small images, under torchvision's names.

use crate::builder::Builder;
use crate::conv_bn::{Activation, ConvBn};
use crate::error::Result;
use crate::layer::Layer;
use crate::pass::{Body, Pass};
use brink_ops::Window;
use candle_core::Tensor;

pub(crate) struct ResNet {
    stem: ConvBn,
    /// Whether a maximum pooling follows the stem.
    pooled: bool,
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

/// The layers before the first stage.
#[derive(Clone, Copy, PartialEq)]
enum Stem {
    /// A 7x7 convolution of stride 2 and a 3x3 maximum pooling of stride 2.
    Large,
    /// A 3x3 convolution of stride 1, for small images.
    Small,
}

/// What tells one ResNet from another. Each stage has twice the channels of the stage before it.
pub(crate) struct Form {
    stem: Stem,
    kind: Kind,
    /// The channels of the stem.
    channels: usize,
    /// The number of blocks in each stage.
    depths: Vec<usize>,
}

impl Form {
    /// torchvision's networks of basic blocks.
    pub fn basic(depths: [usize; 4]) -> Self {
        Self {
            stem: Stem::Large,
            kind: Kind::Basic,
            channels: 64,
            depths: depths.into(),
        }
    }

    /// torchvision's networks of bottlenecks.
    pub fn bottleneck(depths: [usize; 4]) -> Self {
        Self {
            kind: Kind::Bottleneck,
            ..Self::basic(depths)
        }
    }

    /// The same networks for small images.
    pub fn small(self) -> Self {
        Self {
            stem: Stem::Small,
            ..self
        }
    }

    /// The networks for CIFAR-10 of He et al., section 4.2, with option-B shortcuts: three stages of `depth` basic blocks.
    pub fn cifar(depth: usize) -> Self {
        Self {
            stem: Stem::Small,
            kind: Kind::Basic,
            channels: 16,
            depths: vec![depth; 3],
        }
    }
}

impl ResNet {
    pub fn new(builder: &mut Builder<'_>, form: &Form, classes: usize) -> Result<Self> {
        let mut channels = builder.channels(form.channels);
        let window = match form.stem {
            Stem::Large => Window::square(7, 2, 3),
            Stem::Small => Window::square(3, 1, 1),
        };
        let stem = builder.conv_bn("conv1", "bn1", (3, channels), window)?;
        let mut blocks = Vec::new();
        for (stage, &depth) in form.depths.iter().enumerate() {
            let planes = builder.channels(form.channels << stage);
            for block in 0..depth {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let convolutions = form.kind.convolutions(planes, stride);
                let name = format!("layer{}.{block}", stage + 1);
                let (block, out) = Block::new(builder, &name, channels, &convolutions)?;
                blocks.push(block);
                channels = out;
            }
        }
        let rest = blocks.split_off(form.depths[0]);
        Ok(Self {
            stem,
            pooled: form.stem == Stem::Large,
            first: blocks,
            rest,
            fc: builder.classifier("fc", channels, classes)?,
        })
    }

    fn first_stage(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let mut x = self.stem.forward(x, None, Activation::Relu, pass)?;
        if self.pooled {
            x = brink_ops::max_pool2d(pass.tape, &x, Window::square(3, 2, 1))?;
        }
        for block in &self.first {
            x = block.forward(&x, pass)?;
        }
        Ok(x)
    }

    /// The first stage, for a few images at a time if images are independent. It has few weights, so the maps should fill the cache.
    fn first_stage_in_parts(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor> {
        let (n, h, w, _) = x.dims4()?;
        // 64 channels of a quarter of the pixels, or of all pixels.
        let elements = h * w * if self.pooled { 16 } else { 64 };
        let part = (BYTES / (x.dtype().size_in_bytes() * elements).max(1)).max(1);
        if n <= part || !pass.images_are_independent() {
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
            y = unit.forward(&y, None, Activation::Relu, pass)?;
        }
        let shortcut = match &self.downsample {
            None => x.clone(),
            Some(downsample) => downsample.forward(x, None, Activation::None, pass)?,
        };
        self.last
            .forward(&y, Some(&shortcut), Activation::Relu, pass)
    }
}
