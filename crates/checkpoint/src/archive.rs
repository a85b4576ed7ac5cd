//! The zip archive of PyTorch 1.6 and newer: one folder with the pickle `data.pkl` and one file per storage, `data/KEY`.

use crate::error::{AGAIN, SAVE, Shown};
use crate::float::Order;
use crate::load::Loader;
use crate::pickle::Pickle;
use crate::torch::Outside;
use crate::{Checkpoint, Container, Error, Result};
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

const PICKLE: &str = "data.pkl";

/// The unpacked content may be this many times as long as the archive. PyTorch itself does not compress.
const MAX_EXPANSION: u64 = 8;

/// Reads a whole archive. The CRC of every entry is checked, even if the entry is not needed.
pub(crate) fn read(bytes: &[u8]) -> Result<Checkpoint> {
    let mut zip = Zip::open(bytes)?;
    let folder = zip.folder()?;
    let pickle = zip.named(&format!("{folder}{PICKLE}"))?.unwrap_or_default();
    let order = match zip.named(&format!("{folder}byteorder"))?.as_deref() {
        // PyTorch before 2.1 did not write this entry.
        None | Some(b"little") => Order::Little,
        Some(b"big") => Order::Big,
        Some(_) => return Err(damaged("its entry `byteorder` is neither little nor big")),
    };
    let pickle = Pickle::read(&pickle)?;
    let mut loader = Loader::new(&pickle, Container::Archive, Outside::default(), zip.length)?;
    let storages = format!("{folder}data/");
    for at in 0..zip.names.len() {
        let content = zip.entry(at);
        let Some(key) = zip.names[at].strip_prefix(&storages) else {
            content?;
            continue;
        };
        match (content, loader.tensor_in(key)) {
            (Err(Error::Damaged { format, problem }), Some(name)) => {
                let problem = format!("tensor `{}`, {problem}", Shown(name));
                return Err(Error::Damaged { format, problem });
            }
            (Err(error), _) => return Err(error),
            (Ok(content), _) if loader.storages().get(key).is_some() => {
                loader.read(key, &content, order)?;
            }
            (Ok(_), _) => {}
        }
    }
    loader.finish()
}

struct Zip<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
    /// The unpacked length of all entries, in bytes.
    length: u64,
}

impl<'a> Zip<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        // Otherwise another reader could see other entries in the same file.
        archive.validate_header_consistency().map_err(damaged)?;
        let mut names = Vec::new();
        let mut length = 0u64;
        for at in 0..archive.len() {
            let entry = archive.by_index_raw(at).map_err(damaged)?;
            names.push(String::from_utf8_lossy(entry.name_raw()).into_owned());
            length = length.saturating_add(entry.size());
        }
        if length > MAX_EXPANSION.saturating_mul(bytes.len() as u64) {
            let problem = "claims to hold more than eight times its length".into();
            return Err(Error::Limit(problem));
        }
        Ok(Self {
            archive,
            names,
            length,
        })
    }

    /// The folder of all entries, with its trailing slash.
    fn folder(&self) -> Result<String> {
        let folder = |name: &String| {
            let folder = name.strip_suffix(PICKLE)?;
            (folder.is_empty() || folder.ends_with('/')).then(|| folder.to_owned())
        };
        let mut folders = self.names.iter().filter_map(folder);
        let Some(first) = folders.next() else {
            return Err(Error::Content {
                what: format!("is a zip archive without `{PICKLE}`, not written by torch.save"),
                fix: "give a .safetensors or .pth file",
            });
        };
        if let Some(second) = folders.next() {
            return Err(Error::Ambiguous {
                what: "holds two pickles",
                first: Shown(&format!("{first}{PICKLE}")).to_string(),
                second: Shown(&format!("{second}{PICKLE}")).to_string(),
                fix: SAVE,
            });
        }
        let program = ["code/", "constants.pkl"].map(|part| format!("{first}{part}"));
        let is_program = |name: &String| program.iter().any(|part| name.starts_with(part));
        if self.names.iter().any(is_program) {
            return Err(Error::Content {
                what: "is a TorchScript program, not a state dict".into(),
                fix: r#"in Python, type `torch.save(torch.jit.load("FILE").state_dict(), "weights.pth")`"#,
            });
        }
        Ok(first)
    }

    fn named(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let at = self.names.iter().position(|other| other == name);
        at.map(|at| self.entry(at)).transpose()
    }

    /// The content of an entry, after checking its length and its CRC.
    fn entry(&mut self, at: usize) -> Result<Vec<u8>> {
        let name = Shown(&self.names[at]);
        let mut entry = self.archive.by_index(at).map_err(|e| match e {
            ZipError::UnsupportedArchive(_) | ZipError::InvalidPassword => Error::Content {
                what: format!("entry `{name}` is compressed or encrypted ({e})"),
                fix: AGAIN,
            },
            e => damaged(format!("entry `{name}`: {e}")),
        })?;
        let length = entry.size();
        let mut content = Vec::new();
        let read = (&mut entry).take(length + 1).read_to_end(&mut content);
        match read {
            Ok(read) if read as u64 == length => Ok(content),
            Ok(_) => Err(damaged(format!("entry `{name}` has the wrong length"))),
            Err(e) => Err(damaged(format!("entry `{name}`: {e}"))),
        }
    }
}

fn damaged(problem: impl std::fmt::Display) -> Error {
    Error::damaged("PyTorch zip archive", problem)
}
