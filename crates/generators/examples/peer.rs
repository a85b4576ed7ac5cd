//! Brink's side of the comparison with PyTorch, see `scripts/peers`: reads one request a line from standard input, answers with
//! one line of JSON. A request is `work model images size weights-file repetitions`; the answer has the seconds of each repetition
//! and the peak memory so far. `draw model weights-file` writes random weights.

#[path = "../benches/work/mod.rs"]
mod work;

use models::{Model, Weights};
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;
use work::{Bench, CLASSES, Work};

#[global_allocator]
static ALLOCATOR: ops::memory::Allocator = ops::memory::Allocator;

fn main() {
    ops::memory::keep_pages();
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
                let (_, work) = Work::ALL
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
