//! Networks on the first GPU, frozen and in training, for `scripts/cuda/device-check`: their bits against the CPU's, and their times. Prints
//! JSON lines.
//!
//! `info`; `check model images size`; `check-training model images size`; `time work model images size seconds`.

#[path = "../benches/work/mod.rs"]
mod work;

use brink_cuda::{Gpu, Memory};
use brink_models::optim::Rule;
use brink_models::{BatchNormMode, Coverage, Learner, Model, Network, Trainable};
use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use work::{Bench, CLASSES, Work};

#[global_allocator]
static ALLOCATOR: brink_ops::memory::Allocator = brink_ops::memory::Allocator;

fn main() {
    brink_ops::memory::keep_pages();
    // Inside the pool, as the runner.
    rayon::scope(|_| answer());
}

fn answer() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let gpu = Gpu::open(0, Memory::default()).unwrap_or_else(|error| panic!("{error}"));
    let said = match words[..] {
        ["info"] => {
            let start = Instant::now();
            brink_cuda::check(&gpu).unwrap_or_else(|error| panic!("{error}"));
            json!({ "gpu": gpu.description(), "budget": gpu.budget(), "self_check_seconds": start.elapsed().as_secs_f64() })
        }
        ["check", model, images, size] => check(&gpu, model, number(images), number(size)),
        ["check-training", model, images, size] => {
            check_training(&gpu, model, number(images), number(size))
        }
        ["time", work, model, images, size, seconds] => {
            brink_models::use_gpu(gpu);
            time(work, model, number(images), number(size), number(seconds))
        }
        _ => panic!("unknown request: {words:?}"),
    };
    println!("{said}");
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values: Vec<f32> = tensor.flatten_all().and_then(|t| t.to_vec1()).expect("f32");
    values.into_iter().map(f32::to_bits).collect()
}

/// The number of elements that differ.
fn differing(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a != b).count() + a.len().abs_diff(b.len())
}

/// How many elements differ from the CPU's: logits of several batches, and logits, terms and gradients of recorded passes.
fn check(gpu: &Arc<Gpu>, name: &str, images: usize, size: usize) -> Value {
    let model: Model = name.parse().expect("a model's name");
    let bench = Bench::new(model, Bench::draw(model), images, size);
    let cpu = &bench.network;
    let frozen = Network::frozen(model, CLASSES, &bench.weights, None).expect("the weights fit");
    let gpu = frozen.on(gpu.clone());
    let all: Vec<usize> = (0..images).collect();
    let x = Tensor::from_vec(
        bench.images.images(&all),
        (images, 3, size, size),
        &Device::Cpu,
    );
    let x = x.expect("as many pixels as the shape says");
    let (mut of, mut differ) = (0, 0);
    let wanted = bits(&cpu.logits(&x).expect("logits"));
    for batch in [images, 1, 7, 64, images] {
        let parts = (0..images).step_by(batch.max(1)).flat_map(|at| {
            let part = x.narrow(0, at, batch.min(images - at)).expect("a part");
            bits(&gpu.logits(&part).expect("logits"))
        });
        let found: Vec<u32> = parts.collect();
        of += wanted.len();
        differ += differing(&wanted, &found);
    }
    let grad = (cpu.logits(&x).expect("logits") * 0.37).expect("numbers");
    for coverage in [None, Some(Coverage::Detached), Some(Coverage::Attached)] {
        let [a, b] = [cpu, &gpu].map(|network| {
            let recording = network.record(&x, coverage).expect("a pass");
            let gradient = recording
                .input_gradient(grad.clone(), 0.7)
                .expect("a way back");
            let terms = recording.coverage().expect("terms").unwrap_or_default();
            let terms = terms.into_iter().map(f64::to_bits);
            let terms = terms.flat_map(|bits| [bits as u32, (bits >> 32) as u32]);
            let mut all = bits(&recording.logits());
            all.extend(bits(&gradient));
            all.extend(terms);
            all
        });
        of += a.len();
        differ += differing(&a, &b);
    }
    json!({ "check": name, "images": images, "size": size, "elements": of, "differ": differ })
}

/// How many weights and statistics differ from the CPU's after two training steps, in both modes of batch normalisation.
fn check_training(gpu: &Arc<Gpu>, name: &str, images: usize, size: usize) -> Value {
    let model: Model = name.parse().expect("a model's name");
    let bench = Bench::new(model, Bench::draw(model), images, size);
    let all: Vec<usize> = (0..images).collect();
    let sgd = Rule::Sgd {
        momentum: 0.9,
        nesterov: true,
        weight_decay: 5e-4,
    };
    let adam = Rule::Adam { weight_decay: 0.0 };
    let (mut of, mut differ) = (0, 0);
    for (mode, rule) in [(BatchNormMode::Train, sgd), (BatchNormMode::Eval, adam)] {
        let learner = || {
            let network = Trainable::new(model, CLASSES, &bench.weights, None);
            Learner::new(network.expect("they fit"), rule, 2).expect("memory")
        };
        let both = [(learner(), false), (learner().on(gpu.clone()), true)];
        let [wanted, found] = both.map(|(mut learner, there)| {
            for _ in 0..2 {
                let pixels = (bench.images.images(&all), bench.images.shape());
                let labels = bench.images.labels(&all);
                let step = learner.step(pixels, labels, mode, 1e-4);
                step.expect("the loss is finite");
            }
            assert_eq!(learner.is_on_gpu(), there, "the batch fits the GPU");
            let network = learner.into_network().expect("the GPU answers");
            let variables = network.variables().values();
            variables.flat_map(|var| bits(var)).collect::<Vec<u32>>()
        });
        of += wanted.len();
        differ += differing(&wanted, &found);
    }
    json!({ "check": name, "in": " in training", "images": images, "size": size, "elements": of, "differ": differ })
}

/// Milliseconds of one repetition.
fn time(name: &str, model: &str, images: usize, size: usize, seconds: usize) -> Value {
    const WORK: [(&str, Work); 6] = [
        ("ours", Work::Ours),
        ("dbi", Work::Dbi),
        ("aid", Work::Aid),
        ("aid-attached", Work::AidAttached),
        ("train", Work::Train),
        ("query", Work::Query),
    ];
    let (_, work) = WORK
        .into_iter()
        .find(|&(n, _)| n == name)
        .expect("a known work");
    let known: Model = model.parse().expect("a model's name");
    let bench = Bench::new(known, Bench::draw(known), images, size);
    let (first, mut times) = bench.run(work, |once| {
        let mut timed = || {
            let start = Instant::now();
            once();
            1e3 * start.elapsed().as_secs_f64()
        };
        let first = timed();
        for _ in 0..3 {
            timed();
        }
        let (mut times, begun) = (Vec::new(), Instant::now());
        while begun.elapsed() < Duration::from_secs(seconds as u64) || times.len() < 3 {
            times.push(timed());
        }
        (first, times)
    });
    times.sort_by(f64::total_cmp);
    json!({
        "work": name, "model": model, "images": images, "size": size,
        "first_ms": first, "median_ms": times[times.len() / 2], "best_ms": times[0], "rounds": times.len(),
    })
}
