//! Workers share a results folder: each step has one owner at a time, and only the owner writes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::Duration;

use brink_random::Stream;
use brink_store::next::{Next, Standing};
use brink_store::worker::{EXPIRY, Terms};
use brink_store::{Error, Id, Store, claim, worker};

fn terms(expiry: Duration) -> Terms {
    Terms {
        agreed: BTreeMap::from([("the program".to_owned(), "one".to_owned())]),
        expiry,
        folder: None,
    }
}

fn join(root: &std::path::Path) -> Store {
    Store::join(root, terms(EXPIRY)).unwrap()
}

fn claim_of(store: &Store, step: &Id) -> bool {
    let last = claim::last(store.root()).unwrap().get(step).copied();
    store.worker().unwrap().claim(step, last).unwrap()
}

fn step(number: usize) -> Id {
    Id::of(&number).unwrap()
}

#[test]
fn of_many_workers_exactly_one_gets_each_step() {
    const WORKERS: usize = 16;
    const STEPS: usize = 60;
    let root = tempfile::tempdir().unwrap();
    let owners = Mutex::new(HashMap::<usize, usize>::new());
    scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let store = join(root.path());
                for number in 0..STEPS {
                    if claim_of(&store, &step(number)) {
                        *owners.lock().unwrap().entry(number).or_default() += 1;
                        // Another worker that still sees no claim must not get the step.
                        sleep(Duration::from_millis(1));
                        // The claim stays, as if the step took for ever.
                        std::mem::forget(store);
                        return;
                    }
                }
            });
        }
    });
    let owners = owners.into_inner().unwrap();
    assert_eq!(owners.len(), WORKERS);
    assert!(owners.values().all(|owners| *owners == 1), "{owners:?}");
}

#[test]
fn a_late_owner_finds_that_it_lost_its_claim() {
    let root = tempfile::tempdir().unwrap();
    let step = step(1);
    let late = Store::join(root.path(), terms(Duration::from_millis(1200))).unwrap();
    assert!(claim_of(&late, &step));
    late.save_state(&step, "inputs", &[("job", b"half-way")])
        .unwrap();

    // A beating heart keeps the claim.
    let other = Store::join(root.path(), terms(Duration::from_millis(1200))).unwrap();
    sleep(Duration::from_millis(1500));
    assert!(!claim_of(&other, &step));

    // As if the host of the owner had been suspended: its card was last written long ago.
    let name = &late.worker().unwrap().card().name;
    let card = root.path().join("workers").join(name);
    let ago = std::fs::metadata(&card).unwrap().modified().unwrap() - Duration::from_secs(600);
    let silent = |card: &std::path::Path| {
        let file = std::fs::File::options().write(true).open(card).unwrap();
        file.set_modified(ago).unwrap();
    };
    let mut taken = false;
    for _ in 0..1000 {
        silent(&card);
        taken = claim_of(&other, &step);
        if taken {
            break;
        }
        sleep(Duration::from_millis(5));
    }
    assert!(taken, "the claim did not expire");

    // The new owner goes on from the state of the old one, whose writes are refused.
    let state = other.load_state(&step, "inputs").unwrap().unwrap();
    assert_eq!(state, [("job".to_owned(), b"half-way".to_vec())]);
    let lost = late.save_state(&step, "inputs", &[("job", b"old")]);
    assert!(matches!(lost, Err(Error::Lost { step: lost }) if lost == step));
    assert!(matches!(
        late.note_failure(&step, "diverged"),
        Err(Error::Lost { .. })
    ));
    late.worker().unwrap().finish().unwrap();
    other
        .save_state(&step, "inputs", &[("job", b"new")])
        .unwrap();
    other.worker().unwrap().finish().unwrap();
    assert!(claim::last(root.path()).unwrap().is_empty());
}

/// Unclaimed steps come first, then those of the dead; those of the living are left.
#[test]
fn a_worker_takes_unclaimed_steps_before_those_of_the_dead() {
    let root = tempfile::tempdir().unwrap();
    let dead = Store::join(root.path(), terms(Duration::from_millis(1200))).unwrap();
    assert!(claim_of(&dead, &step(0)));
    let name = dead.worker().unwrap().card().name.clone();
    // It leaves no card, as one that died long ago.
    std::mem::forget(dead);
    let busy = join(root.path());
    assert!(claim_of(&busy, &step(1)));
    let store = join(root.path());
    let worker = store.worker().unwrap();
    let mut open: Vec<Id> = (0..4).map(step).collect();
    let mut stream = Stream::new(3);
    let mut next = |open: &mut Vec<Id>| {
        // Its heart beats in this process, too.
        let _ = std::fs::remove_file(root.path().join("workers").join(&name));
        let standing = |it: &Id| -> Result<Standing<()>, Error> {
            Ok(if *it == step(3) {
                Standing::Ended
            } else {
                Standing::Ready(())
            })
        };
        let next = worker.next(open, |it| *it, standing, &mut stream).unwrap();
        if let Next::Claimed { .. } = next {
            worker.finish().unwrap();
        }
        next
    };
    let first = next(&mut open);
    assert!(
        matches!(first, Next::Claimed { step: it, deaths: 0, .. } if it == step(2)),
        "{first:?}"
    );
    let second = next(&mut open);
    assert!(
        matches!(second, Next::Claimed { step: it, deaths: 1, .. } if it == step(0)),
        "{second:?}"
    );
    assert!(matches!(next(&mut open), Next::Others));
    assert_eq!(open, [step(1)]);
    drop(busy);
    assert!(matches!(next(&mut open), Next::Claimed { .. }));
    assert!(matches!(next(&mut open), Next::Nothing));
}

#[test]
fn a_step_that_was_given_back_can_be_claimed() {
    let root = tempfile::tempdir().unwrap();
    let (one, other) = (join(root.path()), join(root.path()));
    assert!(claim_of(&one, &step(1)));
    assert!(!claim_of(&other, &step(1)));
    one.worker().unwrap().give_back().unwrap();
    assert!(matches!(
        one.clear_state(&step(1)),
        Err(Error::Unclaimed { .. })
    ));
    assert!(claim_of(&other, &step(1)));
    drop(other);
    assert!(claim_of(&one, &step(1)));
    assert_eq!(worker::all(root.path()).unwrap().len(), 1);
}

#[test]
fn workers_that_do_not_fit_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let first = join(root.path());
    let process = first.worker().unwrap().card().holder.to_string();
    let mut another = terms(EXPIRY);
    another
        .agreed
        .insert("the program".to_owned(), "two".to_owned());
    let message = Store::join(root.path(), another).unwrap_err().to_string();
    for said in [&process, "with the program one", "has the program two"] {
        assert!(message.contains(said), "{message}");
    }

    let elsewhere = Terms {
        folder: Some("0123456789abcdef".to_owned()),
        ..terms(EXPIRY)
    };
    let message = Store::join(root.path(), elsewhere).unwrap_err().to_string();
    for said in [
        first.name().unwrap().as_str(),
        "0123456789abcdef",
        "not shared",
    ] {
        assert!(message.contains(said), "{message}");
    }

    // A folder that hosts copy to each other: a card comes from another folder.
    let copy = tempfile::tempdir().unwrap();
    let stranger = join(copy.path());
    let name = &stranger.worker().unwrap().card().name;
    let card = std::path::Path::new("workers").join(name);
    std::fs::copy(copy.path().join(&card), root.path().join(&card)).unwrap();
    let message = Store::join(root.path(), terms(EXPIRY))
        .unwrap_err()
        .to_string();
    assert!(message.contains("works in another folder"), "{message}");

    // Whoever was refused leaves no card.
    assert_eq!(worker::all(root.path()).unwrap().len(), 2);
}

#[test]
fn one_writer_alone_and_workers_keep_each_other_out() {
    let root = tempfile::tempdir().unwrap();
    let alone = Store::open(root.path()).unwrap();
    assert!(matches!(
        Store::join(root.path(), terms(EXPIRY)),
        Err(Error::Locked { .. })
    ));
    drop(alone);
    let shared = join(root.path());
    assert!(matches!(
        Store::open(root.path()),
        Err(Error::Locked { .. })
    ));
    let card = root
        .path()
        .join("workers")
        .join(&shared.worker().unwrap().card().name);
    let text = std::fs::read_to_string(&card).unwrap();
    drop(shared);
    // A worker of another host, whose lock this host does not see.
    let mut worker: serde_json::Value = serde_json::from_str(&text).unwrap();
    worker["holder"]["host"] = "elsewhere".into();
    std::fs::write(&card, worker.to_string()).unwrap();
    let message = Store::open(root.path()).unwrap_err().to_string();
    assert!(message.contains("1 worker (one is process"), "{message}");
}
