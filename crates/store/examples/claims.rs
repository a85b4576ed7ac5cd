//! Measures claims: so many workers share so many steps, each of which takes so many milliseconds of sleep.
//!
//! ```text
//! claims WORKERS STEPS MILLISECONDS [FOLDER]
//! ```
//!
//! It prints the time of all, what one claim cost, and whether each step was computed once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Barrier;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use brink_random::Stream;
use brink_store::next::{Next, Standing};
use brink_store::worker::{EXPIRY, Terms};
use brink_store::{BoxError, Error, FORMAT, Id, Measured, ProbeRecord, Provenance, Store};

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [workers, steps, milliseconds, rest @ ..] = &arguments[..] else {
        return Err("write: claims WORKERS STEPS MILLISECONDS [FOLDER]".into());
    };
    let (workers, steps): (usize, usize) = (workers.parse()?, steps.parse()?);
    let work = Duration::from_millis(milliseconds.parse()?);
    let place = match rest {
        [folder, ..] => tempfile::tempdir_in(folder)?,
        [] => tempfile::tempdir()?,
    };
    let ids: Vec<Id> = (0..steps).map(|n| Id::of(&n)).collect::<Result<_, _>>()?;

    // All begin at once, as tasks of an array do.
    let start = Barrier::new(workers + 1);
    let (computed, seconds) = scope(|scope| {
        let worker = || {
            let joined = join(place.path());
            start.wait();
            run(&joined?, &ids, work)
        };
        let all: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        start.wait();
        let began = Instant::now();
        let done = all
            .into_iter()
            .map(|one| one.join().map_err(|_| "a worker panicked")?);
        let done: Result<Vec<usize>, BoxError> = done.collect();
        (done, began.elapsed().as_secs_f64())
    });
    let computed: usize = computed?.iter().sum();
    let ideal = work.as_secs_f64() * steps.div_ceil(workers) as f64;
    println!(
        "{workers} workers, {steps} steps of {milliseconds} ms: {seconds:.2} s; sleep alone takes {ideal:.2} s"
    );
    println!(
        "{:.2} ms of all workers' time a step",
        (seconds - ideal) / steps as f64 * 1e3
    );
    println!("steps computed: {computed}");
    Ok(())
}

fn join(root: &Path) -> brink_store::Result<Store> {
    let terms = Terms {
        agreed: BTreeMap::new(),
        expiry: EXPIRY,
        folder: None,
    };
    Store::join(root, terms)
}

/// As those of `runner work`: how long a worker that finds nothing to do pauses at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_secs(2)];

/// Works like `runner work`, with sleep in place of a computation. Returns how many steps it computed.
fn run(store: &Store, ids: &[Id], work: Duration) -> Result<usize, BoxError> {
    let worker = store.worker().ok_or("not a worker")?;
    let mut stream = Stream::new(u64::from_str_radix(&worker.card().name, 16)?);
    let mut open: Vec<Id> = ids.to_vec();
    let mut computed = 0;
    let mut pause = PAUSES[0];
    let standing = |step: &Id| -> Result<Standing<()>, Error> {
        let done = store.record_path::<ProbeRecord>(step).exists();
        Ok(if done {
            Standing::Ended
        } else {
            Standing::Ready(())
        })
    };
    loop {
        match worker.next(&mut open, |step| *step, standing, &mut stream)? {
            Next::Claimed { step, .. } => {
                pause = PAUSES[0];
                sleep(work);
                store.put_probe(&record(step))?;
                worker.finish()?;
                computed += 1;
            }
            Next::Others => {
                sleep(pause);
                pause = PAUSES[1].min(2 * pause);
            }
            Next::Nothing => return Ok(computed),
        }
    }
}

fn record(id: Id) -> ProbeRecord {
    ProbeRecord {
        format: FORMAT,
        id,
        target: id,
        probe: "timing".to_owned(),
        spec: serde_json::Value::Null,
        seed: 0,
        result: Measured::Timing(Vec::new()),
        target_sha256: None,
        provenance: Provenance::default(),
    }
}
