//! Comparisons other than with PyTorch: the two forms of a network with each other, candle-transformers' ResNet, and the literature's
//! parameter counts.

mod common;

use brink_models::{BatchNormMode, Coverage, Model, Network, Normalize, Trainable, Weights};
use brink_random::Stream;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Module, VarBuilder};
use common::support::Deviation;
use common::{CLASSES, bits, flat};

const PRECISIONS: [DType; 2] = [DType::F32, DType::F64];

/// Square, odd and tiny images.
const SHAPES: [[usize; 4]; 3] = [[3, 3, 32, 32], [2, 3, 33, 47], [1, 3, 8, 8]];

#[test]
fn every_way_to_ask_gives_the_same_bits() {
    for model in common::models() {
        for dtype in PRECISIONS {
            for normalize in [None, Some(Normalize::IMAGENET)] {
                let weights = common::weights(model, CLASSES, dtype);
                let frozen = Network::frozen(model, CLASSES, &weights, normalize).unwrap();
                let trainable = Trainable::new(model, CLASSES, &weights, normalize).unwrap();
                for shape in SHAPES {
                    // Five poolings leave nothing of a smaller image.
                    if model.name().starts_with("vgg") && shape[2] < 32 {
                        continue;
                    }
                    let images = common::images(shape, dtype);
                    let expected = bits(&frozen.logits(&images).unwrap());
                    let live = trainable.logits(&images, BatchNormMode::Eval).unwrap();
                    assert_eq!(
                        bits(&live),
                        expected,
                        "{model} in {dtype:?}: trainable and frozen differ on {shape:?}"
                    );
                    for coverage in [Coverage::Detached, Coverage::Attached] {
                        let covered = frozen.record(&images, Some(coverage)).unwrap();
                        assert_eq!(
                            bits(&covered.logits()),
                            expected,
                            "{model} in {dtype:?}: the activation term changes the logits on {shape:?}"
                        );
                    }
                }
            }
        }
    }
}

/// Two stages of one channel each: the second halves its maps all the same.
#[test]
fn a_narrow_network_keeps_its_strides() {
    let model = common::model("resnet20").with_width(0.04);
    let weights = common::weights(model, CLASSES, DType::F32);
    let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
    let images = common::images([2, 3, 32, 32], DType::F32);
    let recording = network.record(&images, None).unwrap();
    let logits = recording.logits();
    assert_eq!(logits.dims(), [2, CLASSES]);
    let gradient = recording.input_gradient(logits, 0.0).unwrap();
    assert_eq!(gradient.dims(), images.dims());
}

/// Both forms of the activation term, and the gradient of one by differences.
#[test]
fn the_activation_term_has_its_gradient() {
    let model = common::model("resnet20");
    let weights = common::weights(model, CLASSES, DType::F64);
    let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
    let images = common::images([2, 3, 12, 12], DType::F64);
    let record = |images: &Tensor, coverage| network.record(images, Some(coverage)).unwrap();
    let term = |images: &Tensor, coverage| -> f64 {
        let terms = record(images, coverage).coverage().unwrap().unwrap();
        terms.iter().sum()
    };
    let gradient = |coverage| {
        let recording = record(&images, coverage);
        let nothing = recording.logits().zeros_like().unwrap();
        flat(&recording.input_gradient(nothing, 1.0).unwrap())
    };

    let detached = gradient(Coverage::Detached);
    let gradient = gradient(Coverage::Attached);
    let largest = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    assert!(largest > 0.0);
    for at in [0, gradient.len() / 3, gradient.len() - 1] {
        let moved = |by: f64| {
            let mut values = flat(&images);
            values[at] += by;
            let moved = Tensor::from_vec(values, images.shape(), &Device::Cpu).unwrap();
            term(&moved, Coverage::Attached)
        };
        let numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        let off = (numeric - gradient[at]).abs();
        assert!(
            off <= 1e-6 * largest,
            "{at}: {} and {numeric}",
            gradient[at]
        );
    }

    assert!(term(&images, Coverage::Detached) > term(&images, Coverage::Attached));
    // The classifier is no hidden layer.
    let recording = record(&images, Coverage::Hidden);
    let logits: Vec<Vec<f64>> = recording.logits().to_vec2().unwrap();
    let negative =
        |row: &Vec<f64>| row.iter().map(|z| (-z).max(0.0)).sum::<f64>() / row.len() as f64;
    let classifier: f64 = logits.iter().map(negative).sum();
    let without = term(&images, Coverage::Attached) - term(&images, Coverage::Hidden);
    assert!(
        classifier > 0.0 && (without - classifier).abs() < 1e-12,
        "{without} {classifier}"
    );
    assert!(
        detached.iter().all(|&g| g == 0.0),
        "a number has no gradient"
    );
}

/// A frozen network takes a batch in as many strands as there are threads, and an image does not notice.
#[test]
fn strands_keep_the_bits() {
    let model = common::model("resnet20");
    let weights = common::weights(model, CLASSES, DType::F32);
    let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
    let (n, threads) = (29, [1, 2, 3]);
    let images = common::images([n, 3, 16, 16], DType::F32);
    let passes = |images: &Tensor| {
        let recording = network.record(images, Some(Coverage::Attached)).unwrap();
        let logits = recording.logits();
        let gradient = recording.input_gradient(logits.sqr().unwrap(), 0.5);
        let covered = recording.coverage().unwrap().unwrap();
        let covered: Vec<u64> = covered.into_iter().map(f64::to_bits).collect();
        (bits(&logits), bits(&gradient.unwrap()), covered)
    };
    let mut alone = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..n {
        let (logits, gradient, covered) = passes(&images.narrow(0, at, 1).unwrap());
        alone.0.extend(logits);
        alone.1.extend(gradient);
        alone.2.extend(covered);
    }
    for threads in threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let together = pool.build().unwrap().install(|| passes(&images));
        assert!(together == alone, "{threads} threads");
    }
}

/// Weights are packed when the first strand asks for them. A thread that waits for others to pack takes up work meanwhile, another
/// strand too, which asks for the same weights: it must not wait for itself.
#[test]
fn strands_that_pack_do_not_wait_for_themselves() {
    let (done, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(8);
        let pool = pool.build().unwrap();
        for (name, rounds) in [("vgg16", 20), ("resnet20", 20)] {
            let model = common::model(name).with_width(1.0 / 4.0);
            let weights = common::weights(model, CLASSES, DType::F32);
            let images = common::images([64, 3, 32, 32], DType::F32);
            for _ in 0..rounds {
                let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
                pool.install(|| {
                    let recording = network.record(&images, None).unwrap();
                    recording.input_gradient(recording.logits(), 0.0).unwrap()
                });
            }
        }
        done.send(()).unwrap();
    });
    end.recv_timeout(std::time::Duration::from_secs(200))
        .expect("every pass ends");
}

/// Normalisation is part of the network: raw images into a normalising network are normalised images into a plain one.
#[test]
fn normalisation_is_the_networks_own() {
    let model = common::model("resnet20");
    let weights = common::weights(model, CLASSES, DType::F64);
    let Normalize { mean, std } = Normalize::IMAGENET;
    let images = common::images([2, 3, 32, 32], DType::F64);
    let normalised = || -> Result<Tensor> {
        let channel = |values: [f64; 3]| Tensor::new(&values, &Device::Cpu)?.reshape((1, 3, 1, 1));
        images
            .broadcast_sub(&channel(mean)?)?
            .broadcast_div(&channel(std)?)
    };
    let plain = Network::frozen(model, CLASSES, &weights, None).unwrap();
    let own = Network::frozen(model, CLASSES, &weights, Some(Normalize::IMAGENET)).unwrap();
    let expected = plain.logits(&normalised().unwrap()).unwrap();
    let actual = own.logits(&images).unwrap();
    Deviation::of(&flat(&actual), &flat(&expected)).assert_within(
        1e-13,
        "normalised logits",
        "subtract the mean, then divide",
    );
}

/// candle-transformers' ResNet-18 takes the same names, so the same weights; it knows evaluation mode only.
#[test]
fn candle_transformers_agrees_on_resnet18() {
    let model = common::model("resnet18");
    for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 1e-5)] {
        let weights = common::weights(model, CLASSES, dtype);
        let tensors = weights.tensors().clone().into_iter().collect();
        let builder = VarBuilder::from_tensors(tensors, dtype, &Device::Cpu);
        let theirs = candle_transformers::models::resnet::resnet18(CLASSES, builder).unwrap();
        let ours = Network::frozen(model, CLASSES, &weights, None).unwrap();
        for shape in [[2, 3, 32, 32], [1, 3, 33, 47]] {
            let images = common::images(shape, dtype);
            let (ours, theirs) = (
                ours.logits(&images).unwrap(),
                theirs.forward(&images).unwrap(),
            );
            let deviation = Deviation::of(&flat(&ours), &flat(&theirs));
            println!(
                "candle-transformers, {dtype:?}, {shape:?}: {:.1e}",
                deviation.share
            );
            let hint = "golden.rs says which of the two is right";
            deviation.assert_within(
                tolerance,
                &format!("resnet18 in {dtype:?} on {shape:?}"),
                hint,
            );
        }
    }
}

#[test]
fn networks_have_the_known_numbers_of_parameters() {
    let parameters = |name: &str, classes| common::model(name).size(classes).unwrap();
    // torchvision's documentation of each network's weights.
    for (name, expected) in [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
        ("vgg11", 132_863_336),
        ("vgg13", 133_047_848),
        ("vgg16", 138_357_544),
        ("vgg19", 143_667_240),
        ("vgg11_bn", 132_868_840),
        ("vgg13_bn", 133_053_736),
        ("vgg16_bn", 138_365_992),
        ("vgg19_bn", 143_678_248),
        ("mobilenet_v2", 3_504_872),
    ] {
        assert_eq!(parameters(name, 1000), expected, "{name}");
    }
    assert_eq!(parameters("resnet18", 10), 11_689_512 - 990 * (512 + 1));

    // The 7x7 stem has 40 more taps than the 3x3 stem, of three channels to 64.
    for (small, large) in [("resnet18-3x3", "resnet18"), ("resnet34-3x3", "resnet34")] {
        assert_eq!(
            parameters(small, 10),
            parameters(large, 10) - 40 * 3 * 64,
            "{small}"
        );
    }

    // With the running statistics.
    let resnet20 = common::model("resnet20");
    let drawn = Weights::draw(resnet20, 10, &Stream::new(0)).unwrap();
    assert_eq!(drawn.parameters(), parameters("resnet20", 10));
    let elements = drawn.tensors().values().map(Tensor::elem_count);
    assert_eq!(resnet20.elements(10).unwrap(), elements.sum::<usize>());

    // Counted: a convolution with its normalisation has 9 c o + 2 o parameters. He et al., table 6, print the millions of option A.
    let unit = |c: usize, o: usize| 9 * c * o + 2 * o;
    for (layers, millions) in [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)] {
        let blocks = (layers - 2) / 6;
        let stage = |c: usize, o: usize| unit(c, o) + (2 * blocks - 1) * unit(o, o);
        let counted = unit(3, 16) + stage(16, 16) + stage(16, 32) + stage(32, 64) + 64 * 10 + 10;
        assert!((counted as f64 / 1e6 - millions).abs() < 0.05, "{counted}");
        assert_eq!(parameters(&format!("resnet{layers}"), 10), counted);
        // Option B has two 1x1 convolutions more.
        let shortcuts = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64;
        let name = format!("resnet{layers}-b");
        assert_eq!(parameters(&name, 10), counted + shortcuts, "{name}");
    }
}

/// Every registered network runs, and its two forms give the same bits.
#[test]
fn every_network_gives_logits() {
    for model in Model::all().map(|model| model.with_width(1.0 / 16.0)) {
        let weights = common::weights(model, CLASSES, DType::F32);
        let images = common::images([2, 3, 32, 32], DType::F32);
        let frozen = Network::frozen(model, CLASSES, &weights, None).unwrap();
        let trainable = Trainable::new(model, CLASSES, &weights, None).unwrap();
        let logits = frozen.logits(&images).unwrap();
        let live = trainable.logits(&images, BatchNormMode::Eval).unwrap();
        assert_eq!(bits(&live), bits(&logits), "{model}");
        let [first, second] = [0, 1].map(|at| flat(&logits.get(at).unwrap()));
        assert!(first.iter().all(|logit| logit.is_finite()), "{model}");
        assert_ne!(first, second, "{model} does not look at the images");
    }
}

#[test]
fn a_gradient_of_another_shape_than_the_logits_is_an_error() {
    let model = common::model("resnet20");
    let weights = common::weights(model, CLASSES, DType::F32);
    let frozen = Network::frozen(model, CLASSES, &weights, None).unwrap();
    let trainable = Trainable::new(model, CLASSES, &weights, None).unwrap();
    // In one strand and in several.
    for n in [2, 64] {
        let images = common::images([n, 3, 8, 8], DType::F32);
        let recording = frozen.record(&images, None).unwrap();
        let forward = trainable
            .record(&images, BatchNormMode::Eval, None)
            .unwrap();
        let tall = Tensor::cat(&[recording.logits(), forward.logits()], 0).unwrap();
        let errors = [
            recording.input_gradient(tall.clone(), 0.0).err(),
            forward.backward(tall).err(),
        ];
        for error in errors {
            let error = error.expect("no gradient").to_string();
            assert!(error.contains("does not fit logits"), "{error}");
        }
    }
}

/// The variables of a network as weights, which share their memory.
fn shared(network: &Trainable) -> Weights {
    let variables = network.variables().iter();
    Weights::from_tensors(variables.map(|(name, var)| (name.clone(), var.as_tensor().clone())))
}

/// A copy, though tensors that are variables are shared elsewhere.
#[test]
fn what_one_network_learns_another_of_the_same_weights_does_not() {
    let model = common::model("resnet20");
    let weights = common::weights(model, CLASSES, DType::F32);
    let first = Trainable::new(model, CLASSES, &weights, None).unwrap();
    let second = Trainable::new(model, CLASSES, &shared(&first), None).unwrap();
    let bias = &second.variables()["linear.bias"];
    bias.set(&bias.ones_like().unwrap()).unwrap();
    assert_ne!(flat(&first.variables()["linear.bias"]), flat(bias));
}

/// Neither what is packed at once nor what is packed when first asked for.
#[test]
fn what_a_network_learns_a_frozen_one_of_the_same_weights_does_not() {
    for model in common::models() {
        let weights = common::weights(model, CLASSES, DType::F32);
        let teacher = Trainable::new(model, CLASSES, &weights, None).unwrap();
        let frozen = Network::frozen(model, CLASSES, &shared(&teacher), None).unwrap();
        for var in teacher.variables().values() {
            var.set(&(var.as_detached_tensor() * 2.0).unwrap()).unwrap();
        }
        let untouched = Network::frozen(model, CLASSES, &weights, None).unwrap();
        // The head of a VGG is packed otherwise for maps of at least half as many pixels as it has bins.
        let sides: &[usize] = if model.name().starts_with("vgg") {
            &[32, 160]
        } else {
            &[32]
        };
        for &side in sides {
            let images = common::images([1, 3, side, side], DType::F32);
            let answers = |network: &Network| {
                [None, Some(Coverage::Attached)].map(|coverage| {
                    let recording = network.record(&images, coverage).unwrap();
                    let gradient = recording.input_gradient(recording.logits(), 0.5);
                    [bits(&recording.logits()), bits(&gradient.unwrap())]
                })
            };
            assert!(
                answers(&frozen) == answers(&untouched),
                "{model} learned on images of {side}x{side}"
            );
        }
    }
}

#[test]
fn images_without_pixels_and_terms_of_no_images_are_errors() {
    for model in common::models() {
        let weights = common::weights(model, CLASSES, DType::F32);
        let network = Network::frozen(model, CLASSES, &weights, None).unwrap();
        let images = |shape: [usize; 4]| Tensor::zeros(&shape, DType::F32, &Device::Cpu).unwrap();
        let error = network.logits(&images([1, 3, 0, 0])).unwrap_err();
        assert!(error.to_string().contains("no pixels"), "{model}: {error}");

        let none = images([0, 3, 32, 32]);
        let recording = network.record(&none, None).unwrap();
        let gradient = recording.input_gradient(recording.logits(), 0.0).unwrap();
        assert_eq!(gradient.dims(), none.dims());
        let Err(error) = network.record(&none, Some(Coverage::Attached)) else {
            panic!("{model} has a term of no images");
        };
        assert!(error.to_string().contains("no images"), "{model}: {error}");
    }
}
