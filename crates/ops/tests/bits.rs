//! The bits of results do not depend on the batch, the order, the number of threads or the instruction set.

mod common;

use brink_ops::kernel::Isa;
use brink_ops::{BatchNorm, Frozen, FrozenPooledLinear, Reduction, Tape, Window};
use candle_core::{DType, Device, Tensor, Var};
use common::{gradients, values};
use proptest::prelude::*;
use std::fmt::Debug;
use std::num::FpCategory;
use std::sync::Mutex;

/// The instruction set is a property of the process, so the tests that force one take turns.
static TURN: Mutex<()> = Mutex::new(());

fn tensor(seed: u64, shape: &[usize]) -> Tensor {
    wide(seed, shape).to_dtype(DType::F32).unwrap()
}

fn bits(t: &Tensor) -> Vec<u32> {
    t.flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap()
        .into_iter()
        .map(f32::to_bits)
        .collect()
}

fn bits64(t: &Tensor) -> Vec<u64> {
    let values = t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    values.into_iter().map(f64::to_bits).collect()
}

/// The elements of a tensor of either type.
fn wider(t: &Tensor) -> Vec<f64> {
    let wide = t.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
    wide.to_vec1().unwrap()
}

/// As `tensor`, with digits that f32 does not have.
fn wide(seed: u64, shape: &[usize]) -> Tensor {
    Tensor::from_vec(values(seed, shape.iter().product()), shape, &Device::Cpu).unwrap()
}

struct Net {
    conv: Frozen,
    fc: Frozen,
}

impl Net {
    fn new(seed: u64, c: usize, o: usize, window: Window) -> Self {
        let bn: Vec<Tensor> = (1..5)
            .map(|i| (tensor(seed + i, &[o]) + 1.5).unwrap())
            .collect();
        let weight = tensor(seed, &[o, c, window.kernel.0, window.kernel.1]);
        Self {
            conv: Frozen::conv_bn(
                &weight,
                None,
                [&bn[0], &bn[1], &bn[2], &bn[3]],
                1e-5,
                window,
            )
            .unwrap(),
            fc: Frozen::linear(
                &tensor(seed + 5, &[10, o]),
                &tensor(seed + 6, &[10]),
                (1, 1),
            )
            .unwrap(),
        }
    }

    /// The logits, and the sum of all activation terms.
    fn covered(&self, x: &Tensor) -> [Tensor; 2] {
        let (tape, sum) = (&mut Tape::off(), Reduction::Sum);
        let (y, conv) = self.conv.forward_covered(tape, x, None, true, sum).unwrap();
        let means = brink_ops::adaptive_avg_pool2d(tape, &y, (1, 1)).unwrap();
        let (y, fc) = self
            .fc
            .forward_covered(tape, &means, None, false, sum)
            .unwrap();
        [y, (conv + fc).unwrap()]
    }

    fn logits(&self, x: &Tensor) -> Tensor {
        let tape = &mut Tape::off();
        let y = self.conv.forward(tape, x, None, true).unwrap();
        let means = brink_ops::adaptive_avg_pool2d(tape, &y, (1, 1)).unwrap();
        self.fc.forward(tape, &means, None, false).unwrap()
    }
}

fn with_threads<R: Send>(n: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new()
        .num_threads(n)
        .build()
        .unwrap()
        .install(f)
}

/// What `compute` gives, which has to be the same with any number of threads and on every instruction set.
fn anywhere<R: PartialEq + Debug + Send>(
    compute: impl Fn() -> R + Sync,
) -> Result<R, TestCaseError> {
    let best = Isa::current();
    let expected = compute();
    for threads in [1, 2, 3, 8] {
        let found = with_threads(threads, &compute);
        prop_assert_eq!(&expected, &found, "{} threads", threads);
    }
    for isa in Isa::ALL {
        if isa.force() {
            prop_assert_eq!(&expected, &compute(), "{}", isa);
        }
    }
    best.force();
    Ok(expected)
}

/// What another process computes, as a line of text.
#[test]
fn a_process_of_its_own_prints_its_bits() {
    let net = Net::new(3, 5, 40, Window::square(3, 1, 1));
    println!("bits: {:?}", bits(&net.logits(&tensor(4, &[3, 7, 6, 5]))));
}

#[test]
fn logits_are_the_same_bits_in_another_process() {
    let answer = |threads: &str| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "a_process_of_its_own_prints_its_bits",
                "--exact",
                "--nocapture",
            ])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines()
            .find(|line| line.contains("bits: "))
            .unwrap()
            .to_owned()
    };
    let one = answer("1");
    assert!(one.len() > 100, "{one}");
    assert_eq!(one, answer("3"));
}

/// The sizes that a property test has no time for.
#[test]
fn a_thousand_images_have_the_bits_of_one() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let net = Net::new(11, 3, 33, Window::square(3, 2, 1));
    let x = tensor(12, &[1000, 9, 8, 3]);
    let whole = bits(&net.logits(&x));
    for image in [0, 1, 13, 14, 499, 999] {
        let alone = bits(&net.logits(&x.narrow(0, image, 1).unwrap()));
        assert_eq!(whole[image * 10..][..10], alone, "image {image}");
    }
}

/// A model that diverged is seen: what is no number stays none through the ReLU that layers end with, in panels that are full and that are not,
/// and through poolings; and the ReLU of an infinity below 0 is 0.
#[test]
fn nan_is_seen_through_every_activation() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let point = Window::square(1, 1, 0);
    for dtype in [DType::F32, DType::F64] {
        let vector = |o: usize| Tensor::ones(o, dtype, &Device::Cpu).unwrap();
        let pixels = [2.0, f32::NAN, f32::NEG_INFINITY];
        let x = Tensor::new(&pixels, &Device::Cpu).unwrap();
        let x = x.to_dtype(dtype).unwrap().reshape((1, 1, 3, 1)).unwrap();
        for o in [5, 16, 19, 32] {
            let (one, weight) = (vector(o), vector(o).reshape((o, 1, 1, 1)).unwrap());
            let wide = x.broadcast_as((1, 1, 3, o)).unwrap();
            let norm = BatchNorm {
                gamma: &one,
                beta: &one,
                eps: 1e-5,
                residual: None,
                relu: true,
            };
            let biased = Frozen::conv(&weight, &one, point).unwrap();
            let normed = Frozen::conv_bn(&weight, None, [&one; 4], 1e-5, point).unwrap();
            let outputs = || {
                let (tape, mean) = (&mut Tape::off(), Reduction::Mean);
                [
                    brink_ops::conv2d(tape, &x, &weight, None, true, point),
                    brink_ops::conv2d(tape, &x, &weight, Some(&one), true, point),
                    biased.forward(tape, &x, None, true),
                    normed.forward(tape, &x, None, true),
                    normed.forward(tape, &x, Some(&wide), true),
                    normed
                        .forward_covered(tape, &x, None, true, mean)
                        .map(|(y, _)| y),
                    norm.eval(tape, &wide, &one, &one),
                ]
                .map(|y| wider(&y.unwrap()))
            };
            let classes = || outputs().map(|y| y.iter().map(|y| y.classify()).collect::<Vec<_>>());
            for (at, y) in anywhere(classes).unwrap().iter().enumerate() {
                let expected = [FpCategory::Normal, FpCategory::Nan, FpCategory::Zero];
                for (pixel, expected) in y.chunks_exact(o).zip(expected) {
                    assert_eq!(
                        pixel,
                        vec![expected; o],
                        "output {at} of {o} channels, {dtype:?}"
                    );
                }
            }
            // The last of one window and the first of another.
            let window = Window {
                kernel: (1, 2),
                ..point
            };
            let pooled = anywhere(|| {
                let y = brink_ops::max_pool2d(&mut Tape::off(), &wide, window).unwrap();
                wider(&y).iter().all(|y| y.is_nan())
            });
            assert!(pooled.unwrap(), "pooled {o} channels, {dtype:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn logits_of_an_image_are_the_same_bits(
        seed in 0u64..1000,
        n in 1usize..40,
        c in 1usize..9,
        o in prop_oneof![1usize..5, 14usize..35],
        map in 1usize..9,
        kernel in prop_oneof![Just(1usize), Just(3usize)],
        stride in 1usize..3,
    ) {
        let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
        let net = Net::new(seed, c, o, Window::square(kernel, stride, kernel / 2));
        let x = tensor(seed + 7, &[n, map, map, c]);
        let whole = anywhere(|| bits(&net.logits(&x)))?;
        let with_term = anywhere(|| net.covered(&x).map(|part| bits(&part)))?;
        prop_assert_eq!(&whole, &with_term[0], "with the activation term");
        for batch in [1, 7] {
            let parts: Vec<u32> = (0..n)
                .step_by(batch)
                .flat_map(|at| bits(&net.logits(&x.narrow(0, at, batch.min(n - at)).unwrap())))
                .collect();
            prop_assert_eq!(&whole, &parts, "batches of {}", batch);
        }
        let order: Vec<u32> = (0..n as u32).rev().collect();
        let reversed = x.index_select(&Tensor::new(order.as_slice(), &Device::Cpu).unwrap(), 0).unwrap();
        let reversed: Vec<u32> = bits(&net.logits(&reversed)).chunks(10).rev().flatten().copied().collect();
        prop_assert_eq!(&whole, &reversed, "reversed order");
    }

    #[test]
    fn gradients_are_the_same_bits(seed in 0u64..1000, n in 1usize..20, c in 1usize..40, o in 1usize..40, map in 1usize..7) {
        let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
        anywhere(|| {
            let x = Var::from_tensor(&tensor(seed, &[n, map, map, c])).unwrap();
            let w = Var::from_tensor(&tensor(seed + 1, &[o, c, 3, 3])).unwrap();
            let mut tape = Tape::recording();
            let y = brink_ops::conv2d(&mut tape, &x, &w, None, false, Window::square(3, 1, 1)).unwrap();
            let grads = gradients(&tape, &y, |y| y.sqr()?.sum_all()).unwrap();
            (bits(grads.get(&x).unwrap()), bits(grads.get(&w).unwrap()))
        })?;
    }

    /// What comes back through ReLU and a max pooling is mostly zeros.
    #[test]
    fn gradients_of_a_first_layer_are_the_same_bits(seed in 0u64..1000, n in 1usize..6, c in 1usize..4, o in 20usize..40, kernel in 1usize..8, stride in 1usize..3, map in 9usize..14) {
        let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
        let unit = Net::new(seed, c, o, Window::square(kernel, stride, kernel / 2)).conv;
        let x = tensor(seed + 9, &[n, map, map + 1, c]);
        let gradient = |x: &Tensor| {
            let x = Var::from_tensor(x).unwrap();
            let mut tape = Tape::recording();
            let y = unit.forward(&mut tape, &x, None, true).unwrap();
            let y = brink_ops::max_pool2d(&mut tape, &y, Window::square(3, 2, 1)).unwrap();
            let grads = gradients(&tape, &y, |y| y.sqr()?.sum_all()).unwrap();
            bits(grads.get(&x).unwrap())
        };
        let expected = anywhere(|| gradient(&x))?;
        prop_assert!(expected.iter().any(|bits| *bits != 0));
        let alone: Vec<u32> = (0..n).flat_map(|at| gradient(&x.narrow(0, at, 1).unwrap())).collect();
        prop_assert_eq!(&expected, &alone, "each image alone");
    }

    /// The head of a VGG behind maps of fewer pixels than bins, whose product is in f64.
    #[test]
    fn answers_of_a_folded_layer_are_the_same_bits(
        seed in 0u64..1000,
        n in 1usize..30,
        c in 1usize..20,
        o in prop_oneof![1usize..5, 14usize..35],
        map in 1usize..3,
    ) {
        let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
        let layer = FrozenPooledLinear::new(&wide(seed, &[o, 16 * c]), &wide(seed + 2, &[o]), (4, 4)).unwrap();
        let x = wide(seed + 4, &[n, map, map, c]);
        let answers = |x: &Tensor| bits64(&layer.forward(&mut Tape::off(), x, false).unwrap());
        let expected = anywhere(|| answers(&x))?;
        let alone: Vec<u64> = (0..n).flat_map(|at| answers(&x.narrow(0, at, 1).unwrap())).collect();
        prop_assert_eq!(&expected, &alone, "each image alone");
    }

    #[test]
    fn depthwise_convolutions_are_the_same_bits(seed in 0u64..1000, n in 1usize..9, c in 1usize..40, stride in 1usize..3, map in 3usize..8) {
        let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
        let window = Window::square(3, stride, 1);
        let (x, weight) = (tensor(seed, &[n, map, map, c]), tensor(seed + 1, &[c, 1, 3, 3]));
        let passes = |x: &Tensor| {
            let x = Var::from_tensor(x).unwrap();
            let mut tape = Tape::recording();
            let y = brink_ops::depthwise_conv2d(&mut tape, &x, &weight, window).unwrap();
            let y = brink_ops::relu6(&mut tape, &y).unwrap();
            let grads = gradients(&tape, &y, |y| y.sqr()?.sum_all()).unwrap();
            (bits(&y), bits(grads.get(&x).unwrap()))
        };
        let whole = anywhere(|| passes(&x))?;
        let mut alone = (Vec::new(), Vec::new());
        for image in 0..n {
            let (y, dx) = passes(&x.narrow(0, image, 1).unwrap());
            alone.0.extend(y);
            alone.1.extend(dx);
        }
        prop_assert_eq!(whole, alone);
    }

    #[test]
    fn gradients_in_f64_are_the_same_bits(seed in 0u64..1000, n in 1usize..12, c in 1usize..30, o in 1usize..30, map in 1usize..6) {
        let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
        anywhere(|| {
            let x = Var::from_tensor(&wide(seed, &[n, map, map, c])).unwrap();
            let w = Var::from_tensor(&wide(seed + 2, &[o, c, 3, 3])).unwrap();
            let mut tape = Tape::recording();
            let y = brink_ops::conv2d(&mut tape, &x, &w, None, false, Window::square(3, 1, 1)).unwrap();
            let grads = gradients(&tape, &y, |y| y.sqr()?.sum_all()).unwrap();
            [bits64(&y), bits64(grads.get(&x).unwrap()), bits64(grads.get(&w).unwrap())]
        })?;
    }
}
