//! Gets a data set from the network: a download that can be cut at any moment and goes on later, is believed only if its
//! checksum is right, and appears under its final name whole or not at all.

mod answer;
mod download;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;
use ureq::http::Uri;

use crate::checksum::Hasher;
use crate::locate::{presence, read};
use crate::{Content, Error, Fault, Id, Info, Presence, content, unpack};
use download::PART;
pub use download::{Patience, Problem};

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

/// A data set that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its folder.
    pub folder: PathBuf,
    /// Whether its content was shown to be the official one.
    pub verified: bool,
}

/// What [`prepare`] found.
#[derive(Debug)]
pub enum Prepared<'a> {
    /// The set is there already.
    Done(Fetched),
    /// It must be downloaded, or unpacked.
    Wanted(Wanted<'a>),
}

/// A data set that can be fetched.
#[derive(Debug)]
pub struct Wanted<'a> {
    info: &'static Info,
    root: &'a Path,
    sources: Vec<Source>,
}

/// Makes `id` available under the data folder `root` and checks it: does nothing if it is there already, unpacks its
/// archives if those lie in `root`, else downloads them, from `url` if given and from their official addresses if not. For a
/// set of several archives `url` is the folder that holds them all. `progress` is called with the bytes had and the bytes in
/// all. A proxy is taken from the usual environment variables.
///
/// # Errors
/// If the set has no archive, cannot be downloaded (the message tells how to do it by hand) or written, or is not as
/// expected.
pub fn fetch(
    id: Id,
    root: &Path,
    url: Option<&str>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Fetched, Error> {
    match prepare(id, root, url)? {
        Prepared::Done(fetched) => Ok(fetched),
        Prepared::Wanted(wanted) => wanted.fetch(progress),
    }
}

/// The part of [`fetch`](fn@fetch) that comes before any download: whatever can be refused is refused here.
///
/// # Errors
/// If the set has no archive, `url` is no address, an archive that was put into `root` by hand is another file, or the disk
/// cannot hold the set.
pub fn prepare<'a>(id: Id, root: &'a Path, url: Option<&str>) -> Result<Prepared<'a>, Error> {
    prepare_set(id.info(), root, url)
}

/// As [`prepare`], for an entry that need not be in the registry.
pub(crate) fn prepare_set<'a>(
    info: &'static Info,
    root: &'a Path,
    url: Option<&str>,
) -> Result<Prepared<'a>, Error> {
    if info.archives.is_empty() {
        return Err(Error::NoArchive {
            title: info.title,
            name: info.name,
            how_to_get: info.how_to_get,
        });
    }
    if let Presence::Found { folder, .. } = presence(info, Some(root))
        && let Ok(set) = read(info, Some(root))
    {
        let verified = set.content.verified;
        let mut archives = info.archives.iter();
        // Archives at hand cost nothing to compare with.
        if verified || !archives.all(|archive| root.join(archive.file).exists()) {
            return Ok(Prepared::Done(Fetched { folder, verified }));
        }
    }
    let sources = Source::all(info.archives, root, url)?;
    Ok(Prepared::Wanted(Wanted {
        info,
        root,
        sources,
    }))
}

impl Wanted<'_> {
    /// Downloads, unpacks and checks the set.
    ///
    /// # Errors
    /// As [`fetch`](fn@fetch).
    pub fn fetch(self, progress: &mut dyn FnMut(u64, u64)) -> Result<Fetched, Error> {
        let Self {
            info,
            root,
            sources,
        } = self;
        Source::get_all(&sources, root, &Patience::default(), progress)?;
        let set = read(info, Some(root))?;
        let folder = match presence(info, Some(root)) {
            Presence::Found { folder, .. } => folder,
            _ => root.into(),
        };
        // What was unpacked just now came out of verified archives.
        let unpacked = info.archives.iter().any(|archive| {
            let into = root.join(archive.into);
            into.starts_with(&folder)
        });
        if unpacked && !set.content.verified {
            write_receipt(&folder, info, &set.content)?;
        }
        Ok(Fetched {
            folder,
            verified: unpacked || set.content.verified,
        })
    }
}

fn write_receipt(folder: &Path, info: &Info, content: &Content) -> Result<(), Error> {
    content::write_receipt(folder, info, content).map_err(|reason| write_error(folder, reason))
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
        Self::fetch_patiently(archives, root, url, &Patience::default(), progress)
    }

    /// As [`Archive::fetch_all`], waiting as `patience` says.
    ///
    /// # Errors
    /// As [`fetch`](fn@fetch).
    pub fn fetch_patiently(
        archives: &[Self],
        root: &Path,
        url: Option<&str>,
        patience: &Patience,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Error> {
        let sources = Source::all(archives, root, url)?;
        Source::get_all(&sources, root, patience, progress)
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

    /// Another process works with the file at `address`.
    fn busy(&self, file: &Path, address: &str) -> Error {
        Error::Download {
            url: address.into(),
            problem: Box::new(Problem::Busy),
            by_hand: self.by_hand(file),
        }
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
}

/// Where an archive comes from.
#[derive(Debug)]
enum Source {
    /// A person put it into the data folder; it is what it should be, and locked.
    Here {
        archive: Archive,
        file: PathBuf,
        _lock: File,
    },
    /// The network.
    There {
        archive: Archive,
        file: PathBuf,
        address: String,
    },
}

impl Source {
    /// Where each of `archives` comes from.
    fn all(archives: &[Archive], root: &Path, url: Option<&str>) -> Result<Vec<Self>, Error> {
        fs::create_dir_all(root).map_err(|reason| write_error(root, reason))?;
        let source = |archive: &Archive| {
            let (archive, file) = (*archive, root.join(archive.file));
            if file.exists() {
                let lock = lock(&archive, &file)?;
                verify(&archive, &file)?;
                return Ok(Self::Here {
                    archive,
                    file,
                    _lock: lock,
                });
            }
            let address = match url {
                None => archive.url.to_owned(),
                Some(url) if archives.len() == 1 => url.to_owned(),
                Some(url) => format!("{}/{}", url.trim_end_matches('/'), archive.file),
            };
            if !is_address(&address) {
                return Err(Error::Address {
                    address,
                    by_hand: archive.by_hand(&file),
                });
            }
            Ok(Self::There {
                archive,
                file,
                address,
            })
        };
        let sources: Vec<Self> = archives.iter().map(source).collect::<Result<_, _>>()?;
        // Photographs do not get smaller by unpacking.
        let needed = sources
            .iter()
            .map(|source| source.missing() + source.archive().bytes);
        let needed = needed.sum();
        match fs4::available_space(root) {
            Ok(free) if free < needed => Err(Error::Space {
                path: root.into(),
                needed,
                free,
            }),
            // A file system that does not tell is given a try.
            _ => Ok(sources),
        }
    }

    fn archive(&self) -> &Archive {
        match self {
            Self::Here { archive, .. } | Self::There { archive, .. } => archive,
        }
    }

    /// How many bytes are still to be downloaded.
    fn missing(&self) -> u64 {
        match self {
            Self::Here { .. } => 0,
            Self::There { archive, file, .. } => {
                let have = fs::metadata(part(file)).map_or(0, |about| about.len());
                archive.bytes.saturating_sub(have)
            }
        }
    }

    /// Downloads what is missing, then unpacks all.
    fn get_all(
        sources: &[Self],
        root: &Path,
        patience: &Patience,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Error> {
        let total = sources.iter().map(|source| source.archive().bytes).sum();
        let mut before = 0;
        let mut packed = Vec::with_capacity(sources.len());
        // Until all is unpacked and removed nobody else is to begin.
        let mut locks = Vec::new();
        for source in sources {
            match source {
                Self::Here { file, .. } => packed.push(file.clone()),
                Self::There {
                    archive,
                    file,
                    address,
                } => {
                    let mut progress = |done, _| progress(before + done, total);
                    let (part, lock) = archive.download(file, address, patience, &mut progress)?;
                    packed.push(part);
                    locks.push(lock);
                }
            }
            before += source.archive().bytes;
        }
        for (source, file) in sources.iter().zip(&packed) {
            source.archive().unpack(file, root)?;
        }
        let mut ours = packed.iter().filter(|file| is_part(file));
        ours.try_for_each(|file| fs::remove_file(file).map_err(|reason| write_error(file, reason)))
    }
}

/// The lock on `file`, which was put there by hand.
fn lock(archive: &Archive, file: &Path) -> Result<File, Error> {
    let lock = File::open(file).map_err(|error| archive.file_error(file, error.into()))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => Err(archive.busy(file, archive.url)),
        // Where the file system knows no locks, go without.
        _ => Ok(lock),
    }
}

/// Whether `file`, put there by hand, is the archive.
fn verify(archive: &Archive, file: &Path) -> Result<(), Error> {
    let found = sum(file).map_err(|error| archive.file_error(file, error.into()))?;
    if found == archive.sha256 {
        return Ok(());
    }
    let fault = Fault::Checksum {
        what: "the file".into(),
        found,
        expected: archive.sha256.into(),
    };
    Err(archive.file_error(file, fault))
}

/// Whether `text` is an address that can be asked.
fn is_address(text: &str) -> bool {
    let uri = text.parse::<Uri>();
    uri.is_ok_and(|uri| {
        let scheme = uri.scheme_str();
        let known = scheme.is_some_and(|scheme| ["http", "https"].contains(&scheme));
        known && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// Where the archive `file` is while it is downloaded.
fn part(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(PART);
    name.into()
}

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
