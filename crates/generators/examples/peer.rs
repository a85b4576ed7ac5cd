//! Brink's side of the comparison with PyTorch, see `scripts/peers`: reads one request per line from standard input and answers
//! with one line of JSON. A request is `work model images size weights-file repetitions`; the answer has the seconds of each repetition
//! and the peak memory so far. `draw model weights-file` writes random weights, `answers model images size weights-file file` images and
//! their logits.

#[path = "../benches/work/mod.rs"]
mod work;

use brink_models::{Model, Network, Weights};
use candle_core::{DType, Device, Tensor};
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;
use work::{Bench, CLASSES, Work};

/// What can be asked for.
const WORK: [(&str, Work); 6] = [
    ("ours", Work::Ours),
    ("dbi", Work::Dbi),
    ("aid", Work::Aid),
    ("aid-attached", Work::AidAttached),
    ("train", Work::Train),
    ("query", Work::Query),
];

#[global_allocator]
static ALLOCATOR: brink_ops::memory::Allocator = brink_ops::memory::Allocator;

fn main() {
    brink_ops::memory::keep_pages();
    // Inside the pool, as the runner.
    rayon::scope(|_| serve());
}

fn serve() {
    let mut last: Option<(String, Bench)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        let words: Vec<&str> = line.split_whitespace().collect();
        let seconds = match words[..] {
            ["draw", model, file] => {
                let model: Model = model.parse().expect("a model's name");
                let bytes = Bench::draw(model).to_bytes().expect("enough memory");
                std::fs::write(file, bytes).expect("a writable path");
                Vec::new()
            }
            ["answers", model, images, size, weights, file] => {
                let model: Model = model.parse().expect("a model's name");
                let weights = Weights::read(Path::new(weights)).expect("a file of weights");
                let bench = Bench::new(model, weights, number(images), number(size));
                let answers = Weights::from_tensors(answers(&bench));
                std::fs::write(file, answers.to_bytes().expect("enough memory"))
                    .expect("a writable path");
                Vec::new()
            }
            [name, model, images, size, file, times] => {
                let key = words[1..5].join(" ");
                if last.as_ref().is_none_or(|(known, _)| *known != key) {
                    drop(last.take());
                    let model: Model = model.parse().expect("a model's name");
                    let weights = Weights::read(Path::new(file)).expect("a file of weights");
                    weights.check(model, CLASSES).expect("weights that fit");
                    last = Some((
                        key,
                        Bench::new(model, weights, number(images), number(size)),
                    ));
                }
                let (_, bench) = last.as_ref().expect("just made");
                let (_, work) = WORK
                    .into_iter()
                    .find(|&(n, _)| n == name)
                    .expect("a known work");
                bench.run(work, |once| timed(number(times), once))
            }
            _ => panic!("unknown request: {line}"),
        };
        let peak = peak_memory();
        println!(
            "{}",
            serde_json::json!({ "seconds": seconds, "peak_memory": peak })
        );
        std::io::stdout().flush().expect("somebody listens");
    }
}

/// The images `(n, 3, size, size)`, and their logits in both precisions.
fn answers(bench: &Bench) -> [(String, Tensor); 3] {
    let all: Vec<usize> = (0..bench.images.len()).collect();
    let [c, h, w] = bench.images.shape();
    let shape = (all.len(), c, h, w);
    let images = Tensor::from_vec(bench.images.images(&all), shape, &Device::Cpu)
        .expect("as many pixels as the shape says");
    let wide = bench.weights.to(DType::F64, &Device::Cpu).expect("memory");
    let wide = Network::frozen(bench.model, CLASSES, &wide, None).expect("the weights fit");
    let logits = |network: &Network| {
        let images = images.to_dtype(network.dtype()).expect("memory");
        network.logits(&images).expect("the images fit")
    };
    [
        ("f32".into(), logits(&bench.network)),
        ("f64".into(), logits(&wide)),
        ("images".into(), images),
    ]
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

/// The seconds of each of `times` calls, after one that warms up.
fn timed(times: usize, once: &mut dyn FnMut()) -> Vec<f64> {
    once();
    let time = |()| {
        let start = Instant::now();
        once();
        start.elapsed().as_secs_f64()
    };
    std::iter::repeat_n((), times).map(time).collect()
}

/// Bytes, where Linux tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
