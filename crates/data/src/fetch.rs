//! Downloads data sets. A download can be interrupted at any moment and resumed later. It is accepted only if its checksum is
//! right, and files get their final names only when they are complete.

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
    /// Its file name. Files that end in `.zip`, `.tar.gz` or `.tgz` are unpacked; other files are used as they are.
    pub file: &'static str,
    /// Its official address.
    pub url: &'static str,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: &'static str,
    /// The folder in the archive to unpack; `""` means everything.
    pub folder: &'static str,
    /// The folder to unpack it to, relative to the data folder.
    pub into: &'static str,
}

/// A data set that is available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its folder.
    pub folder: PathBuf,
    /// Whether its content is verified to be the official one.
    pub verified: bool,
}

/// The result of [`prepare`].
#[derive(Debug)]
pub enum Prepared<'a> {
    /// The set is already available.
    Done(Fetched),
    /// The set must be downloaded or unpacked.
    Wanted(Wanted<'a>),
}

/// A data set that is ready to be fetched.
#[derive(Debug)]
pub struct Wanted<'a> {
    info: &'static Info,
    root: &'a Path,
    sources: Vec<Source>,
}

/// Makes `id` available under the data folder `root` and checks it.
///
/// If the set is already there, nothing is done. If its archives lie in `root`, they are unpacked. Otherwise they are downloaded,
/// from `url` if given, else from their official addresses. For a set with several archives `url` is the folder that holds them
/// all. `progress` is called with the number of bytes so far and in total. The usual environment variables set a proxy.
///
/// # Errors
/// If the set has no archive, if it cannot be downloaded or written, or if it is not as expected. If the download fails, the
/// message says how to do it by hand.
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

/// The part of [`fetch`](fn@fetch) before any download. All checks that need no download are made here.
///
/// # Errors
/// If the set has no archive, if `url` is not an address, if an archive that a person put into `root` is another file, or if the
/// disk has no room for the set.
pub fn prepare<'a>(id: Id, root: &'a Path, url: Option<&str>) -> Result<Prepared<'a>, Error> {
    prepare_set(id.info(), root, url)
}

/// Like [`prepare`], for an entry that need not be in the registry.
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
        // With all archives at hand, the set is unpacked again: that verifies it without a download.
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
        // Files unpacked just now came from verified archives.
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
    /// Like [`Archive::fetch_all`] for one archive; `url` is its address. Returns the unpacked folder.
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

    /// Downloads those of `archives` that do not lie in `root`, then unpacks all of them, replacing files of the same names.
    /// Archives that a person put into `root` are kept. `url` is the address of the archive if there is one, and the folder of
    /// all if there are several.
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

    /// Like [`Archive::fetch_all`], with the timeouts and retries of `patience`.
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

    /// How to download the archive by hand.
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

    /// The error about an archive in the data folder that is not the right file.
    fn file_error(&self, file: &Path, fault: Fault) -> Error {
        let how_to_get = format!("Delete it to have it downloaded. {}", self.by_hand(file));
        Error::File {
            path: file.into(),
            fault: Box::new(fault),
            how_to_get,
        }
    }

    /// The error that another process is working with `file`.
    fn busy(&self, file: &Path, address: &str) -> Error {
        Error::Download {
            url: address.into(),
            problem: Box::new(Problem::Busy),
            by_hand: self.by_hand(file),
        }
    }

    /// Unpacks the archive `file` to its folder under `root`.
    fn unpack(&self, file: &Path, root: &Path) -> Result<(), Error> {
        let broken = |error| self.file_error(file, Fault::Unpack(error));
        // The name is fixed, so that the remains of a killed process are found. The archive's lock keeps other processes out.
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
        // In parallel: a disk syncs many files much faster at once than one by one.
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
    /// A person put it into the data folder. Its checksum is right, and it is locked.
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
        // Unpacked photographs take at least as much space as the archive.
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
            // If the free space is unknown, try anyway.
            _ => Ok(sources),
        }
    }

    fn archive(&self) -> &Archive {
        match self {
            Self::Here { archive, .. } | Self::There { archive, .. } => archive,
        }
    }

    /// The number of bytes still to download.
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
        // Locks are held until everything is unpacked and removed.
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

/// Locks `file`, which a person put into the data folder.
fn lock(archive: &Archive, file: &Path) -> Result<File, Error> {
    let lock = File::open(file).map_err(|error| archive.file_error(file, error.into()))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => Err(archive.busy(file, archive.url)),
        // If the file system does not support locks, go without.
        _ => Ok(lock),
    }
}

/// Checks that `file`, which a person put into the data folder, is the archive.
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

/// Whether `text` is an http or https address with a host.
fn is_address(text: &str) -> bool {
    let uri = text.parse::<Uri>();
    uri.is_ok_and(|uri| {
        let scheme = uri.scheme_str();
        let known = scheme.is_some_and(|scheme| ["http", "https"].contains(&scheme));
        known && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// The path of the archive `file` while it is being downloaded.
fn part(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(PART);
    name.into()
}

fn is_part(file: &Path) -> bool {
    file.to_string_lossy().ends_with(PART)
}

/// The path of an archive's file relative to `folder`; `None` if it lies elsewhere. Only plain names are allowed, so that no path
/// leads out of the folder.
fn inside<'a>(path: &'a Path, folder: &str) -> Option<&'a Path> {
    let name = path.strip_prefix(folder).ok()?;
    let mut parts = name.components();
    let plain = parts.all(|part| matches!(part, Component::Normal(_)));
    (plain && name.file_name().is_some()).then_some(name)
}

fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// The SHA-256 of a file.
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
