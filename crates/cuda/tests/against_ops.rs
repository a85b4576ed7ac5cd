//! Every kernel through the stand-in against `brink-ops`, bit for bit: forward and back, all forms of epilogue, odd sizes, many batches.

mod common;
#[path = "common/compare.rs"]
mod compare;

use std::sync::Arc;

use brink_cuda::{Gpu, KERNELS, Memory, check};
use brink_ops::{BatchNorm, Frozen, FrozenPooledLinear, Reduction, Tape, Window};
use candle_core::{Result, Tensor};
use compare::{Draw, same};
use proptest::prelude::*;

fn gpu() -> Option<Arc<Gpu>> {
    let library = common::library()?;
    Some(Gpu::open_with(&library, 0, Memory::default()).unwrap())
}

/// A layer with everything around it.
#[derive(Clone, Copy, Debug)]
struct Layer {
    n: usize,
    map: (usize, usize),
    channels: (usize, usize),
    kernel: (usize, usize),
    stride: usize,
    padding: usize,
    /// Batch normalisation, bias before it, residual, ReLU, activation term.
    with: [bool; 5],
}

impl Layer {
    fn plain(n: usize, map: usize, channels: (usize, usize), k: usize, s: usize, p: usize) -> Self {
        Self {
            n,
            map: (map, map),
            channels,
            kernel: (k, k),
            stride: s,
            padding: p,
            with: [true, false, false, true, false],
        }
    }

    fn window(&self) -> Window {
        Window {
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
        }
    }

    /// The layer behind a 1x1 layer with a ReLU, so that its input gradient is masked, and with a branch, so that it is added up.
    fn check(&self, gpu: &Arc<Gpu>) {
        let [norm, bias, residual, relu, term] = self.with;
        let (window, (c, o), (h, w)) = (self.window(), self.channels, self.map);
        let Some((oh, ow)) = window.output((h, w)) else {
            return;
        };
        let mut draw = Draw((c * 31 + o * 7 + h) as u64);
        let first = (c > 3).then(|| {
            let weight = draw.tensor((c, 3, 1, 1));
            Frozen::conv(&weight, &draw.tensor(c), Window::square(1, 1, 0)).unwrap()
        });
        let weight = draw.tensor((o, c, self.kernel.0, self.kernel.1));
        let own_bias = draw.tensor(o);
        let unit = match norm {
            true => {
                let vectors = draw.normalisation(o);
                let bias = bias.then_some(&own_bias);
                Frozen::conv_bn(&weight, bias, vectors.each_ref(), 1e-5, window)
            }
            false => Frozen::conv(&weight, &own_bias, window),
        };
        let unit = unit.unwrap();
        // The residual: the same pixels, averaged to the size of the result, with the result's channels.
        let aside = draw.tensor((o, c, 1, 1));
        let aside = Frozen::conv(&aside, &draw.tensor(o), Window::square(1, 1, 0)).unwrap();
        let images = draw.tensor((self.n, c.min(3), h, w));
        same(gpu, &images, |tape, images| {
            let x = brink_ops::channels_last(tape, images)?;
            let x = match &first {
                Some(first) => first.forward(tape, &x, None, true)?,
                None => x,
            };
            let residual = match residual {
                true => {
                    let pooled = brink_ops::adaptive_avg_pool2d(tape, &x, (oh, ow))?;
                    Some(aside.forward(tape, &pooled, None, false)?)
                }
                false => None,
            };
            Ok(match term {
                true => {
                    let mean = Reduction::Mean;
                    let (y, term) =
                        unit.forward_covered(tape, &x, residual.as_ref(), relu, mean)?;
                    vec![y, term]
                }
                false => vec![unit.forward(tape, &x, residual.as_ref(), relu)?],
            })
        });
    }
}

#[test]
fn the_self_check_passes() {
    let Some(gpu) = gpu() else { return };
    check(&gpu).unwrap();
}

#[test]
fn arguments_have_the_size_of_the_kernels_structures() {
    let Some(path) = common::library() else {
        return;
    };
    // SAFETY: the stand-in has no initialisers of note, and these functions these types.
    unsafe {
        let library = libloading::Library::new(path).unwrap();
        let count = library.get::<unsafe extern "C" fn() -> usize>(b"brink_fake_kernels\0");
        assert_eq!(count.unwrap()(), KERNELS.len());
        let bytes = library
            .get::<unsafe extern "C" fn(*const std::ffi::c_char) -> usize>(b"brink_fake_bytes\0")
            .unwrap();
        for &(name, size) in KERNELS {
            let symbol = std::ffi::CString::new(name).unwrap();
            assert_eq!(bytes(symbol.as_ptr()), size, "{name}");
        }
    }
}

/// One layer of each geometry of torchvision's ResNets, VGGs and MobileNets, and of those for small images.
#[test]
fn geometries_of_the_networks() {
    let Some(gpu) = gpu() else { return };
    for layer in [
        Layer::plain(2, 33, (3, 64), 7, 2, 3),
        Layer::plain(2, 32, (3, 16), 3, 1, 1),
        Layer::plain(2, 17, (3, 32), 3, 2, 1),
        Layer::plain(3, 8, (64, 64), 3, 1, 1),
        Layer::plain(3, 8, (64, 128), 3, 2, 1),
        Layer::plain(3, 8, (64, 128), 1, 2, 0),
        Layer::plain(5, 2, (256, 512), 3, 2, 1),
        Layer::plain(5, 1, (512, 512), 3, 1, 1),
        Layer::plain(2, 4, (256, 64), 1, 1, 0),
        Layer::plain(2, 4, (64, 256), 1, 1, 0),
        Layer::plain(2, 10, (64, 64), 3, 1, 1),
        Layer::plain(4, 5, (24, 144), 1, 1, 0),
        Layer::plain(4, 5, (144, 24), 1, 1, 0),
        Layer::plain(2, 1, (1280, 10), 1, 1, 0),
    ] {
        for with in [
            [true, false, false, true, false],
            [true, true, true, true, true],
            [false, false, false, true, true],
            [true, false, true, false, false],
        ] {
            Layer { with, ..layer }.check(&gpu);
        }
    }
}

/// Tiles of 64 and of 32 rows begin and end at every batch.
#[test]
fn batches_from_1_to_300() {
    let Some(gpu) = gpu() else { return };
    for n in (1..=8).chain([
        31, 32, 33, 63, 64, 65, 127, 128, 129, 150, 255, 256, 257, 299, 300,
    ]) {
        Layer::plain(n, 2, (20, 33), 3, 1, 1).check(&gpu);
        Layer::plain(n, 1, (130, 10), 1, 1, 0).check(&gpu);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layer(
        (n, h, w) in (1usize..6, 1usize..14, 1usize..14),
        (c, o) in (1usize..70, 1usize..70),
        (kh, kw, stride, padding) in (1usize..6, 1usize..6, 1usize..4, 0usize..3),
        with in any::<[bool; 5]>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        Layer { n, map: (h, w), channels: (c, o), kernel: (kh, kw), stride, padding, with }.check(&gpu);
    }

    #[test]
    fn any_pooling(
        (n, h, w, c) in (1usize..4, 1usize..14, 1usize..14, 1usize..20),
        (kernel, stride, padding) in (1usize..5, 1usize..4, 0usize..3),
        (bh, bw) in (1usize..9, 1usize..9),
        nan in any::<bool>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let window = Window::square(kernel, stride, padding.min(kernel / 2));
        prop_assume!(window.output((h, w)).is_some());
        let mut draw = Draw(n as u64);
        // Few values, so that a window has several maxima.
        let images = ((draw.tensor((n, 3, h, w)) * 2.0).unwrap().round().unwrap() / 2.0).unwrap();
        let nan = nan.then(|| (draw.tensor((1, 1, h, w)).log().unwrap() * 0.0).unwrap());
        let images = nan.map_or(images.clone(), |nan| images.broadcast_add(&nan).unwrap());
        let weight = draw.tensor((c, 3, 1, 1));
        let unit = Frozen::conv(&weight, &draw.tensor(c), Window::square(1, 1, 0)).unwrap();
        same(&gpu, &images, |tape, images| {
            let x = brink_ops::channels_last(tape, images)?;
            let x = unit.forward(tape, &x, None, true)?;
            Ok(vec![
                brink_ops::max_pool2d(tape, &x, window)?,
                brink_ops::adaptive_avg_pool2d(tape, &x, (bh, bw))?,
            ])
        });
    }

    #[test]
    fn any_depthwise_convolution(
        (n, h, w, c) in (1usize..4, 1usize..14, 1usize..14, 1usize..40),
        (kernel, stride, padding) in (1usize..6, 1usize..4, 0usize..3),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let window = Window::square(kernel, stride, padding);
        prop_assume!(window.output((h, w)).is_some());
        let mut draw = Draw(c as u64);
        let images = draw.tensor((n, 3, h, w));
        let (first, depthwise) = ((draw.tensor((c, 3, 1, 1)) * 9.0).unwrap(), draw.tensor((c, 1, kernel, kernel)));
        let first = Frozen::conv(&first, &draw.tensor(c), Window::square(1, 1, 0)).unwrap();
        let [gamma, beta, mean, variance] = draw.normalisation(c);
        same(&gpu, &images, |tape, images| {
            let x = brink_ops::channels_last(tape, images)?;
            let x = first.forward(tape, &x, None, false)?;
            let x = brink_ops::relu6(tape, &x)?;
            let a = brink_ops::depthwise_conv2d(tape, &x, &depthwise, window)?;
            let term = brink_ops::negative_part(tape, &a, Reduction::Mean)?;
            let layer = BatchNorm { gamma: &gamma, beta: &beta, eps: 1e-5, residual: None, relu: true };
            Ok(vec![layer.eval(tape, &a, &mean, &variance)?, term])
        });
    }
}

/// Pooled linear layers: with weights summed in f64 on small maps, and on the bins themselves.
#[test]
fn pooled_linear_layers() {
    let Some(gpu) = gpu() else { return };
    for (n, map, c, o, bins) in [
        (3, (1, 1), 33, 40, (7, 7)),
        (2, (4, 4), 20, 33, (7, 7)),
        (2, (3, 4), 64, 10, (7, 7)),
        (2, (9, 8), 5, 17, (7, 7)),
        (65, (1, 2), 8, 5, (3, 3)),
    ] {
        let mut draw = Draw(3);
        let images = draw.tensor((n, 3, map.0, map.1));
        let weight = draw.tensor((c, 3, 1, 1));
        let first = Frozen::conv(&weight, &draw.tensor(c), Window::square(1, 1, 0)).unwrap();
        let weight = draw.tensor((o, c * bins.0 * bins.1));
        let layer = FrozenPooledLinear::new(&weight, &draw.tensor(o), bins).unwrap();
        for covered in [false, true] {
            same(&gpu, &images, |tape, images| {
                let x = brink_ops::channels_last(tape, images)?;
                let x = first.forward(tape, &x, None, true)?;
                Ok(match covered {
                    true => {
                        let (y, term) = layer.forward_covered(tape, &x, true, Reduction::Sum)?;
                        vec![y, term]
                    }
                    false => vec![layer.forward(tape, &x, true)?],
                })
            });
        }
    }
}

/// An activation term of more than 256 stretches.
#[test]
fn a_long_sum() {
    let Some(gpu) = gpu() else { return };
    let images = Draw(5).tensor((2, 3, 160, 150));
    same(&gpu, &images, long_sum);
}

fn long_sum(tape: &mut Tape, images: &Tensor) -> Result<Vec<Tensor>> {
    let x = brink_ops::channels_last(tape, images)?;
    let y = brink_ops::option_a_shortcut(tape, &x, 1, 1)?;
    Ok(vec![brink_ops::negative_part(tape, &y, Reduction::Mean)?])
}

/// Normalised images, a branch that is added twice, and a shortcut that picks pixels.
#[test]
fn branches() {
    let Some(gpu) = gpu() else { return };
    let mut draw = Draw(8);
    let images = draw.tensor((3, 3, 9, 7));
    let (mean, std) = (
        draw.tensor(3),
        (draw.tensor(3).abs().unwrap() + 0.5).unwrap(),
    );
    let [gamma, beta, running, variance] = draw.normalisation(8);
    let unit = Frozen::conv(
        &draw.tensor((8, 3, 1, 1)),
        &draw.tensor(8),
        Window::square(1, 1, 0),
    );
    let unit = unit.unwrap();
    same(&gpu, &images, |tape, images| {
        let x = brink_ops::channels_last(tape, images)?;
        let x = brink_ops::normalize(tape, &x, &mean, &std)?;
        let y = unit.forward(tape, &x, None, true)?;
        let layer = BatchNorm {
            gamma: &gamma,
            beta: &beta,
            eps: 1e-5,
            residual: Some(&y),
            relu: true,
        };
        let z = layer.eval(tape, &y, &running, &variance)?;
        let picked = brink_ops::option_a_shortcut(tape, &z, 2, 5)?;
        Ok(vec![brink_ops::relu6(tape, &y)?, z, picked])
    });
}
