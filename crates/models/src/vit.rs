//! A small vision transformer (Dosovitskiy et al., arXiv 2010.11929) for images of 32x32 pixels, written with candle-nn. It is the example
//! of a network of one's own: this file, and one line in the registry.
//!
//! candle-transformers has one, too. But candle's `LayerNorm` and `softmax_last_dim` have no gradient, so it cannot be trained.

use crate::builder::Builder;
use crate::error::Result;
use crate::module::ModuleBody;
use candle_core::{D, Tensor, bail};
use candle_nn::init::Init;
use candle_nn::ops::{layer_norm_slow, softmax};
use candle_nn::{Linear, Module, VarBuilder, linear};

/// The sides of an image and of a patch, in pixels.
const SIDE: usize = 32;
const PATCH: usize = 4;
const TOKENS: usize = (SIDE / PATCH) * (SIDE / PATCH);

const BLOCKS: usize = 4;
const HEADS: usize = 4;

/// The network: patches to tokens, blocks, and a classifier of the tokens' mean.
pub(crate) struct Vit {
    patches: Linear,
    position: Tensor,
    blocks: Vec<Block>,
    norm: Norm,
    head: Linear,
}

impl Vit {
    /// The network for `classes` classes. At full width each head has 16 channels.
    pub fn body(builder: &mut Builder<'_>, classes: usize) -> Result<ModuleBody<Self>> {
        let channels = HEADS * builder.channels(16);
        ModuleBody::new(builder, |vb| {
            let position = Init::Randn {
                mean: 0.0,
                stdev: 0.02,
            };
            Ok(Self {
                patches: linear(3 * PATCH * PATCH, channels, vb.pp("patches"))?,
                position: vb.get_with_hints((1, TOKENS, channels), "position", position)?,
                blocks: (0..BLOCKS)
                    .map(|block| Block::new(channels, &vb.pp("blocks").pp(block)))
                    .collect::<candle_core::Result<_>>()?,
                norm: Norm::new(channels, &vb.pp("norm"))?,
                head: linear(channels, classes, vb.pp("head"))?,
            })
        })
    }
}

impl Module for Vit {
    fn forward(&self, images: &Tensor) -> candle_core::Result<Tensor> {
        let (n, c, h, w) = images.dims4()?;
        if [h, w] != [SIDE; 2] {
            bail!("this network takes images of {SIDE}x{SIDE} pixels, not {h}x{w}");
        }
        let rows = SIDE / PATCH;
        let patches = images
            .reshape(&[n, c, rows, PATCH, rows, PATCH][..])?
            .permute(&[0, 2, 4, 1, 3, 5][..])?
            .contiguous()?
            .reshape((n, TOKENS, c * PATCH * PATCH))?;
        let mut x = self
            .patches
            .forward(&patches)?
            .broadcast_add(&self.position)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.head.forward(&self.norm.forward(&x)?.mean(1)?)
    }
}

/// Attention between tokens, then two linear layers for each token, both with a residual sum.
struct Block {
    norms: [Norm; 2],
    /// Query, key, value and output.
    attention: [Linear; 4],
    hidden: Linear,
    output: Linear,
}

impl Block {
    fn new(channels: usize, vb: &VarBuilder<'_>) -> candle_core::Result<Self> {
        let square = |name| linear(channels, channels, vb.pp(name));
        Ok(Self {
            norms: [
                Norm::new(channels, &vb.pp("norm1"))?,
                Norm::new(channels, &vb.pp("norm2"))?,
            ],
            attention: [
                square("query")?,
                square("key")?,
                square("value")?,
                square("attention")?,
            ],
            hidden: linear(channels, 2 * channels, vb.pp("hidden"))?,
            output: linear(2 * channels, channels, vb.pp("output"))?,
        })
    }

    fn attend(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (n, tokens, channels) = x.dims3()?;
        let [query, key, value, output] = &self.attention;
        let heads = |layer: &Linear| {
            let each = layer.forward(x)?;
            let each = each.reshape((n, tokens, HEADS, channels / HEADS))?;
            each.transpose(1, 2)?.contiguous()
        };
        let (query, key, value) = (heads(query)?, heads(key)?, heads(value)?);
        let scale = 1.0 / ((channels / HEADS) as f64).sqrt();
        let scores = (query.matmul(&key.transpose(2, 3)?.contiguous()?)? * scale)?;
        let mixed = softmax(&scores, D::Minus1)?.matmul(&value)?;
        let mixed = mixed.transpose(1, 2)?.contiguous()?;
        output.forward(&mixed.reshape((n, tokens, channels))?)
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let [first, second] = &self.norms;
        let x = (x + self.attend(&first.forward(x)?)?)?;
        let hidden = self.hidden.forward(&second.forward(&x)?)?.gelu_erf()?;
        &x + self.output.forward(&hidden)?
    }
}

/// Layer normalisation in operations that have gradients.
struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    fn new(channels: usize, vb: &VarBuilder<'_>) -> candle_core::Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints(channels, "weight", Init::Const(1.0))?,
            bias: vb.get_with_hints(channels, "bias", Init::Const(0.0))?,
        })
    }
}

impl Module for Norm {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        layer_norm_slow(x, &self.weight, &self.bias, 1e-5)
    }
}
