//! Files of JSON lines to which lines are only added. A process that ends in the middle of a line loses that line only.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// A file of JSON lines.
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// The journal at `path`, which need not exist.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// All whole lines. A last line without an end is left out.
    ///
    /// # Errors
    /// If the file cannot be read, or another line is damaged.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        let text = match std::fs::read_to_string(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            text => text.map_err(|e| Error::file(&self.path, e))?,
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().enumerate();
        lines
            .map(|(number, line)| {
                serde_json::from_str(line).map_err(|e| {
                    let number = number + 1;
                    let problem = format!("line {number} is damaged ({e}); remove it");
                    Error::file(&self.path, problem)
                })
            })
            .collect()
    }

    /// Checks that lines can be added, before there is one.
    ///
    /// # Errors
    /// If the file cannot be opened, or its folder does not exist.
    pub fn check(&self) -> Result<(), Error> {
        self.open().map(drop).map_err(|e| {
            let problem = format!(
                "the journal cannot be written ({e}); create its folder, or give another file"
            );
            Error::file(&self.path, problem)
        })
    }

    fn open(&self) -> std::io::Result<File> {
        let mut options = File::options();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path)
    }

    /// Adds a line. The file is only its owner's to read.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&self, entry: &impl Serialize) -> Result<(), Error> {
        let write = || -> std::io::Result<()> {
            let mut file = self.open()?;
            cut_torn_line(&mut file)?;
            file.write_all(format!("{}\n", serde_json::to_string(entry)?).as_bytes())?;
            file.sync_data()
        };
        write().map_err(|e| Error::file(&self.path, e))
    }
}

/// Removes a last line without an end, which a process that was killed left.
fn cut_torn_line(file: &mut File) -> std::io::Result<()> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    let whole = text
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    match whole == text.len() {
        true => Ok(()),
        false => file.set_len(whole as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_left_out_and_then_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = Journal::at(&path);
        assert!(journal.read::<u32>().unwrap().is_empty());
        journal.add(&1).unwrap();
        journal.add(&22).unwrap();
        std::fs::write(&path, "1\n22\n33").unwrap();
        assert_eq!(journal.read::<u32>().unwrap(), [1, 22]);
        journal.add(&4).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n22\n4\n");
        std::fs::write(&path, "1\n{\n3\n").unwrap();
        let error = journal.read::<u32>().unwrap_err().to_string();
        assert!(
            error.contains("line 2 is damaged") && error.ends_with("; remove it"),
            "{error}"
        );
    }
}
