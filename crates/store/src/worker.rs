//! Workers: processes that share one results folder and divide its steps among themselves.
//!
//! A worker has a card, the file `workers/<name>`, and writes to it every few seconds. Its modification time is the worker's
//! heartbeat: the file system sets it, so hosts with wrong clocks agree on it. A worker whose heart has not beaten for
//! [`Terms::expiry`] is taken for dead.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::flush::Flushing;
use crate::{Error, Holder, Id, Result, file, folder};

/// The folder of the cards.
pub(crate) const CARDS: &str = "workers";

/// How long a worker's heart usually may stand still. A network file system may show a beat a minute late.
pub const EXPIRY: Duration = Duration::from_secs(120);

/// The number of heartbeats in the time after which a worker is taken for dead.
const BEATS: u32 = 12;

/// What all workers of a results folder must have in common.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Names and values, e.g. the version of the program. Workers that give one name another value do not work together.
    pub agreed: BTreeMap<String, String>,
    /// How long a worker's heart may stand still.
    pub expiry: Duration,
    /// The name of the folder, if whoever started the worker knows it. On a host with another folder at this path it differs.
    pub folder: Option<String>,
}

/// The card of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The worker's name: no other worker has it.
    pub name: String,
    /// Its process.
    pub holder: Holder,
    /// The name of its results folder.
    pub folder: String,
    /// What it has in common with the other workers.
    pub agreed: BTreeMap<String, String>,
    /// How long its heart may stand still.
    pub expiry: Duration,
}

/// A worker, as others see it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its card.
    pub card: Card,
    /// The time of its last heartbeat.
    pub beat: SystemTime,
}

/// This process as a worker. Its heart beats until it is dropped.
#[derive(Debug)]
pub struct Worker {
    pub(crate) root: PathBuf,
    pub(crate) card: Card,
    /// The claim that it holds.
    pub(crate) claim: Mutex<Option<Claim>>,
    /// The flush of its last record.
    pub(crate) flushing: Flushing,
    alive: Mutex<Alive>,
    /// The workers of claims that were read once. A claim never changes.
    pub(crate) owners: Mutex<HashMap<(Id, u32), String>>,
    /// Dropping it stops the heart.
    heart: Mutex<Option<Sender<()>>>,
}

/// Which workers are alive. Asked anew after every heartbeat.
#[derive(Debug)]
struct Alive {
    since: Instant,
    known: HashMap<String, bool>,
}

impl Worker {
    /// Joins the workers of the results folder `root`.
    ///
    /// # Errors
    /// [`Error::NotThere`], [`Error::Elsewhere`], [`Error::Disagree`], [`Error::Io`].
    pub(crate) fn join(root: &Path, terms: Terms) -> Result<Arc<Self>> {
        let found = folder::name(root)?;
        if let Some(expected) = terms.folder
            && expected != found
        {
            return Err(Error::NotThere {
                root: root.to_owned(),
                expected,
                found,
            });
        }
        let worker = Self {
            root: root.to_owned(),
            card: Card {
                name: folder::token(),
                holder: Holder::this(),
                folder: found,
                agreed: terms.agreed,
                expiry: terms.expiry,
            },
            claim: Mutex::new(None),
            flushing: Flushing::default(),
            alive: Mutex::new(Alive {
                since: Instant::now(),
                known: HashMap::new(),
            }),
            owners: Mutex::default(),
            heart: Mutex::new(None),
        };
        // Show the card before looking at others. Of two that join at once and disagree, at least one then sees the other.
        worker.show_card()?;
        let agreed = worker.require_agreement();
        if agreed.is_err() {
            file::remove(&worker.card_path())?;
        }
        agreed?;
        let worker = Arc::new(worker);
        let (heart, stop) = mpsc::channel();
        *lock(&worker.heart) = Some(heart);
        let beating = Arc::downgrade(&worker);
        let period = worker.card.expiry / BEATS;
        thread::Builder::new()
            .spawn(move || {
                while stop.recv_timeout(period) == Err(RecvTimeoutError::Timeout)
                    && let Some(worker) = beating.upgrade()
                {
                    // Who leaves holds the heart meanwhile, so no beat makes its card again.
                    let heart = lock(&worker.heart);
                    if heart.is_some() {
                        // If the folder is gone, the next record cannot be written, and that error is told.
                        let _ = worker.beat();
                    }
                }
            })
            .map_err(Error::io("start the heart of a worker in", root))?;
        Ok(worker)
    }

    /// The worker's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Its results folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Leaves: flushes its last record, gives back its claim, and removes its card.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn leave(&self) -> Result<()> {
        let mut heart = lock(&self.heart);
        heart.take();
        let flushed = self.flushing.end();
        self.give_back()?;
        file::remove(&self.card_path())?;
        flushed
    }

    /// Whether the worker `name` is alive.
    pub(crate) fn is_alive(&self, name: &str) -> Result<bool> {
        let mut alive = lock(&self.alive);
        if alive.since.elapsed() > self.card.expiry / BEATS {
            alive.known.clear();
            alive.since = Instant::now();
        }
        if let Some(known) = alive.known.get(name) {
            return Ok(*known);
        }
        let known = match last_beat(&self.root.join(CARDS).join(name))? {
            Some(beat) => now(&self.root, &self.card_path())?
                .duration_since(beat)
                .is_ok_and(|age| age > self.card.expiry),
            None => true,
        };
        alive.known.insert(name.to_owned(), !known);
        Ok(!known)
    }

    fn card_path(&self) -> PathBuf {
        self.root.join(CARDS).join(&self.card.name)
    }

    fn show_card(&self) -> Result<()> {
        let path = self.card_path();
        let card = serde_json::to_vec(&self.card).map_err(|error| Error::damaged(&path, error))?;
        file::write(&path, &card)
    }

    /// Refuses other living workers that work under other terms or belong to another folder. Removes cards of the dead.
    fn require_agreement(&self) -> Result<()> {
        let now = folder::time(&self.root)?;
        for seen in all(&self.root)? {
            let other = seen.card;
            if now
                .duration_since(seen.beat)
                .is_ok_and(|age| age > other.expiry)
            {
                file::remove(&self.root.join(CARDS).join(&other.name))?;
                continue;
            }
            if other.folder != self.card.folder {
                return Err(Error::Elsewhere {
                    root: self.root.clone(),
                    holder: other.holder,
                });
            }
            for (what, mine) in &self.card.agreed {
                if let Some(theirs) = other.agreed.get(what)
                    && theirs != mine
                {
                    return Err(Error::Disagree {
                        root: self.root.clone(),
                        holder: Box::new(other.holder),
                        what: what.clone(),
                        theirs: theirs.clone(),
                        mine: mine.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Writes the last byte of the card again, so that the file system sets its time.
    fn beat(&self) -> Result<()> {
        let path = self.card_path();
        let written = || {
            let mut file = File::options().write(true).open(&path)?;
            file.seek(SeekFrom::End(-1))?;
            file.write_all(b"}")?;
            file.sync_all()
        };
        match written() {
            // Others took this worker for dead.
            Err(source) if source.kind() == ErrorKind::NotFound => self.show_card(),
            written => written.map_err(Error::io("write", &path)),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // If the folder is gone, the claim expires.
        let _ = self.leave();
    }
}

/// The cards of the results folder `root`, of living and dead workers.
///
/// # Errors
/// [`Error::Io`], [`Error::Damaged`].
pub fn all(root: &Path) -> Result<Vec<Seen>> {
    let folder = root.join(CARDS);
    let mut seen = Vec::new();
    for name in file::names(&folder)? {
        let path = folder.join(&name);
        // A worker may leave meanwhile, and a card that is being written has another name.
        let (false, Some(beat), Some(card)) = (
            file::is_partial(&name),
            last_beat(&path)?,
            file::bytes(&path)?,
        ) else {
            continue;
        };
        let card = serde_json::from_slice(&card).map_err(|error| Error::damaged(&path, error))?;
        seen.push(Seen { card, beat });
    }
    seen.sort_by(|a, b| a.card.holder.since.cmp(&b.card.holder.since));
    Ok(seen)
}

/// The time by the file system at the last heartbeat of this worker, so at most one heartbeat too early.
fn now(root: &Path, card: &Path) -> Result<SystemTime> {
    match last_beat(card)? {
        Some(beat) => Ok(beat),
        None => folder::time(root),
    }
}

/// When a card was last written; `None` if there is none.
fn last_beat(path: &Path) -> Result<Option<SystemTime>> {
    // Over NFS, opening a file asks the server; its time may be a minute old otherwise.
    match File::open(path).and_then(|file| file.metadata()?.modified()) {
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
        time => time.map(Some).map_err(Error::io("read", path)),
    }
}

/// Locks a value that stays whole if a thread panics.
pub(crate) fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
