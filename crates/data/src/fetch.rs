//! Gets a data set from the network: a download that can be cut at any moment and goes on later, is believed only if its
//! checksum is right, and appears under its final name whole or not at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rayon::prelude::*;
use ureq::http::{StatusCode, Uri, header};
use ureq::{Agent, Body};

use crate::checksum::Hasher;
use crate::{Error, Fault, Id, Presence, find, open, unpack};

/// How long to wait for a connection or for the next bytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An archive on the network that holds a folder of files, or a single file.
#[derive(Clone, Copy, Debug)]
pub struct Archive {
    /// Its file name: what ends in `.zip`, `.tar.gz` or `.tgz` is unpacked, anything else is a file that is wanted as it is.
    pub file: &'static str,
    /// Its official address.
    pub url: &'static str,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: &'static str,
    /// The folder in it that is wanted; `""` is everything.
    pub folder: &'static str,
    /// The folder under the data folder that this becomes.
    pub into: &'static str,
}

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// No answer.
    #[error("cannot be reached ({0})")]
    Unreachable(ureq::Error),
    /// An answer that is no file.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// Another part of the file than the one asked for.
    #[error("the server was asked for what follows byte {asked} and sends something else")]
    Range {
        /// Number of bytes that were there already.
        asked: u64,
    },
    /// A file of another length.
    #[error("the server offers {found} bytes instead of {expected}")]
    Size {
        /// Length in bytes.
        found: u64,
        /// Expected length in bytes.
        expected: u64,
    },
    /// The connection was lost, and so it was when it was tried again.
    #[error(
        "the connection was lost after {have} of {expected} bytes; the same command goes on from there"
    )]
    Cut {
        /// Bytes on disk.
        have: u64,
        /// Length of the file in bytes.
        expected: u64,
        /// The system's reason.
        reason: io::Error,
    },
    /// The file has other contents than the published one.
    #[error(
        "the sha256 of what was downloaded is {found} instead of {expected}; it was thrown away"
    )]
    Checksum {
        /// Its sum, in hex.
        found: String,
        /// The expected sum, in hex.
        expected: &'static str,
    },
    /// Another process is at it.
    #[error("another process is downloading or unpacking this; wait for it")]
    Busy,
}

/// Makes `id` available under the data folder `root` and checks it: does nothing if it is there already, unpacks its
/// archives if those lie in `root`, else downloads them, from `url` if given and from their official addresses if not. For a
/// set of several archives `url` is the folder that holds them all. `progress` is called with the bytes had and the bytes in
/// all. A proxy is taken from the usual environment variables.
///
/// Returns the folder of the set.
///
/// # Errors
/// If the set has no archive, cannot be downloaded (the message tells how to do it by hand) or written, or is not as
/// expected.
pub fn fetch(
    id: Id,
    root: &Path,
    url: Option<&str>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<PathBuf, Error> {
    let info = id.info();
    if info.archives.is_empty() {
        return Err(Error::NoArchive {
            title: info.title,
            name: info.name,
            how_to_get: info.how_to_get,
        });
    }
    let folder = || match find(id, Some(root)) {
        Presence::Found { folder, .. } => Some(folder),
        _ => None,
    };
    if let Some(folder) = folder()
        && open(id, Some(root)).is_ok()
    {
        return Ok(folder);
    }
    Archive::fetch_all(info.archives, root, url, progress)?;
    open(id, Some(root))?;
    Ok(folder().unwrap_or_else(|| root.into()))
}

impl Archive {
    /// As [`Archive::fetch_all`] for one archive, `url` being its own. Returns the folder that it became.
    ///
    /// # Errors
    /// As [`fetch`](fn@fetch).
    pub fn fetch(
        &self,
        root: &Path,
        url: Option<&str>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<PathBuf, Error> {
        Self::fetch_all(std::slice::from_ref(self), root, url, progress)?;
        Ok(root.join(self.into))
    }

    /// Downloads those of `archives` that do not lie in `root`, and when all are there, unpacks their folders, replacing files
    /// of the same names. Archives that were put there by hand are kept. `url` is the archive's address if there is one
    /// archive, and the folder of all if there are several.
    ///
    /// # Errors
    /// As [`fetch`](fn@fetch).
    pub fn fetch_all(
        archives: &[Self],
        root: &Path,
        url: Option<&str>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Error> {
        fs::create_dir_all(root).map_err(|reason| write_error(root, reason))?;
        let total = archives.iter().map(|archive| archive.bytes).sum();
        let mut before = 0;
        let mut packed = Vec::with_capacity(archives.len());
        // Until all is unpacked and removed nobody else is to begin.
        let mut locks = Vec::new();
        for archive in archives {
            let by_hand = root.join(archive.file);
            if by_hand.exists() {
                locks.push(archive.lock(&by_hand)?);
                archive.verify(&by_hand)?;
                packed.push(by_hand);
            } else {
                let address = match url {
                    None => archive.url.to_owned(),
                    Some(url) if archives.len() == 1 => url.to_owned(),
                    Some(url) => format!("{}/{}", url.trim_end_matches('/'), archive.file),
                };
                let mut progress = |done, _| progress(before + done, total);
                let (part, lock) = archive.download(&by_hand, &address, &mut progress)?;
                packed.push(part);
                locks.push(lock);
            }
            before += archive.bytes;
        }
        for (archive, file) in archives.iter().zip(&packed) {
            archive.unpack(file, root)?;
        }
        let mut ours = packed.iter().filter(|file| is_part(file));
        ours.try_for_each(|file| fs::remove_file(file).map_err(|reason| write_error(file, reason)))
    }

    /// The lock on `file`, which was put there by hand.
    fn lock(&self, file: &Path) -> Result<File, Error> {
        let lock = File::open(file).map_err(|error| self.file_error(file, error.into()))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Error::Download {
                url: self.url.into(),
                problem: Box::new(Problem::Busy),
                by_hand: self.by_hand(file),
            }),
            // Where the file system knows no locks, go without.
            _ => Ok(lock),
        }
    }

    /// Whether `file`, put there by hand, is the archive.
    fn verify(&self, file: &Path) -> Result<(), Error> {
        let found = sum(file).map_err(|error| self.file_error(file, error.into()))?;
        if found == self.sha256 {
            return Ok(());
        }
        let fault = Fault::Checksum {
            what: "the file".into(),
            found,
            expected: self.sha256.into(),
        };
        Err(self.file_error(file, fault))
    }

    /// Downloads the archive to `<file>.part`, which survives interruptions, and returns that with its lock: the name without the end is left
    /// to those who put an archive there by hand.
    fn download(
        &self,
        file: &Path,
        url: &str,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(PathBuf, File), Error> {
        let part = file.with_file_name(format!("{}{PART}", self.file));
        let fail = |problem| Error::Download {
            url: url.into(),
            problem: Box::new(problem),
            by_hand: self.by_hand(file),
        };
        let unwritable = |reason| write_error(&part, reason);

        let mut out = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&part)
            .map_err(unwritable)?;
        // Where the file system knows no locks, go without.
        if let Err(TryLockError::WouldBlock) = out.try_lock() {
            return Err(fail(Problem::Busy));
        }
        let agent = agent(url);
        loop {
            let have = out.metadata().map_err(unwritable)?.len();
            if have == self.bytes {
                break;
            }
            match self.attempt(&agent, url, have, &mut out, progress) {
                Ok(()) => {}
                // As long as every connection brings something, the file will be complete some day.
                Err(Trouble::Problem(Problem::Cut { have: now, .. })) if now > have => {}
                Err(Trouble::Problem(problem)) => return Err(fail(problem)),
                Err(Trouble::Disk(reason)) => return Err(unwritable(reason)),
            }
        }
        out.sync_all().map_err(unwritable)?;

        let found = sum(&part).map_err(unwritable)?;
        if found != self.sha256 {
            fs::remove_file(&part).map_err(unwritable)?;
            return Err(fail(Problem::Checksum {
                found,
                expected: self.sha256,
            }));
        }
        Ok((part, out))
    }

    /// One connection: appends to `out`, which holds `have` bytes, as much as comes.
    fn attempt(
        &self,
        agent: &Agent,
        url: &str,
        mut have: u64,
        out: &mut File,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Trouble> {
        let expected = self.bytes;
        let mut request = agent.get(url);
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let response = request.call().map_err(Problem::Unreachable)?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if begins_at(&response, have) => {}
            StatusCode::PARTIAL_CONTENT => return Err(Problem::Range { asked: have }.into()),
            // The server sends the whole file, because it does not know ranges or none was asked for.
            StatusCode::OK => {
                // Not before it is known to be no page of a portal's: what is on disk would be lost to it.
                if let Some(found) = response.body().content_length()
                    && found != expected
                {
                    return Err(Problem::Size { found, expected }.into());
                }
                out.set_len(0).map_err(Trouble::Disk)?;
                have = 0;
            }
            // Nothing follows that byte: what is on disk belongs to another file.
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                return out.set_len(0).map_err(Trouble::Disk);
            }
            status => return Err(Problem::Status(status.as_u16()).into()),
        }
        let body = response.into_body();
        if let Some(length) = body.content_length()
            && have + length != expected
        {
            return Err(Problem::Size {
                found: have + length,
                expected,
            }
            .into());
        }
        let mut body = body.into_reader();
        let mut buffer = vec![0; 1 << 16];
        progress(have, expected);
        while have < expected {
            let read = match body.read(&mut buffer) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                other => other,
            };
            let read = read.map_err(|reason| Problem::Cut {
                have,
                expected,
                reason,
            })?;
            if have + read as u64 > expected {
                return Err(Problem::Size {
                    found: have + read as u64,
                    expected,
                }
                .into());
            }
            out.write_all(&buffer[..read]).map_err(Trouble::Disk)?;
            have += read as u64;
            progress(have, expected);
        }
        Ok(())
    }

    /// Unpacks the archive's folder out of `file` to its place under `root`.
    fn unpack(&self, file: &Path, root: &Path) -> Result<(), Error> {
        let broken = |error| self.file_error(file, Fault::Unpack(error));
        // Of a fixed name, so that what a killed process left is found; whoever holds the archive's lock is alone here.
        let name = format!(".unpack-{}", self.file);
        let left = root.join(&name);
        if left.exists() {
            fs::remove_dir_all(&left).map_err(|reason| write_error(&left, reason))?;
        }
        let temporary = tempfile::Builder::new()
            .prefix(&name)
            .rand_bytes(0)
            .tempdir_in(root);
        let temporary = temporary.map_err(|reason| write_error(&left, reason))?;
        let fresh = temporary.path().join("folder");

        let mut names = Vec::new();
        let mut visit = |path: &Path, contents: &[u8]| {
            let Some(name) = inside(path, self.folder) else {
                return Ok(());
            };
            let path = fresh.join(name);
            create_parent(&path)
                .and_then(|()| fs::write(&path, contents))
                .map_err(|reason| write_error(&path, reason))?;
            names.push(name.to_owned());
            Ok(())
        };
        unpack::walk(file, self.file, &mut visit, &broken)?;
        if names.is_empty() {
            return Err(broken(io::Error::other(format!(
                "no files in a folder {}",
                self.folder
            ))));
        }
        // All at once, which a disk does much faster than one by one.
        let sync = |name| {
            File::options()
                .append(true)
                .open(fresh.join(name))?
                .sync_all()
        };
        let folder = root.join(self.into);
        let moved = names.par_iter().try_for_each(sync).and_then(|()| {
            if !folder.exists() {
                create_parent(&folder)?;
                return fs::rename(&fresh, &folder);
            }
            names.iter().try_for_each(|name| {
                create_parent(&folder.join(name))?;
                fs::rename(fresh.join(name), folder.join(name))
            })
        });
        moved.map_err(|reason| write_error(&folder, reason))
    }

    /// How to get on without this program's download.
    fn by_hand(&self, file: &Path) -> String {
        let Self {
            url, bytes, sha256, ..
        } = self;
        format!(
            "By hand: download {url} ({bytes} bytes, sha256 {sha256}), put it at {}, and run the same command again, which \
             unpacks it",
            file.display()
        )
    }

    /// An archive that lies there and is not what it should be.
    fn file_error(&self, file: &Path, fault: Fault) -> Error {
        let how_to_get = format!("Delete it to have it downloaded. {}", self.by_hand(file));
        Error::File {
            path: file.into(),
            fault: Box::new(fault),
            how_to_get,
        }
    }
}

/// The end of the name of a file that this program downloads, or has downloaded and not yet unpacked.
const PART: &str = ".part";

fn is_part(file: &Path) -> bool {
    file.to_string_lossy().ends_with(PART)
}

/// The path in `folder` of a file in an archive; `None` if it lies elsewhere. Only plain names: none can lead out of the folder.
fn inside<'a>(path: &'a Path, folder: &str) -> Option<&'a Path> {
    let name = path.strip_prefix(folder).ok()?;
    let mut parts = name.components();
    let plain = parts.all(|part| matches!(part, Component::Normal(_)));
    (plain && name.file_name().is_some()).then_some(name)
}

fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// What can end one connection.
enum Trouble {
    Problem(Problem),
    Disk(io::Error),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// A client that neither waits for ever nor takes a proxy to reach this very machine.
fn agent(url: &str) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE));
    let uri: Option<Uri> = url.parse().ok();
    let local = uri.and_then(|uri| {
        uri.host()
            .map(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
    });
    match local {
        Some(true) => config.proxy(None).build().into(),
        _ => config.build().into(),
    }
}

/// Whether a partial answer begins at byte `have` of the file.
fn begins_at(response: &ureq::http::Response<Body>, have: u64) -> bool {
    let range = response
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}

/// The checksum of a file.
fn sum(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.hex()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn write_error(path: &Path, reason: io::Error) -> Error {
    Error::Write {
        path: path.into(),
        reason,
    }
}
