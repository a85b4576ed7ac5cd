//! Reads small text files. A bound on the length keeps a wrong file from filling the memory.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// The longest grid or key file, in bytes.
const MOST: u64 = 16 << 20;

/// Reads a text file.
///
/// # Errors
/// If the file cannot be read, is too long or is not UTF-8.
pub fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(MOST + 1).read_to_string(&mut text);
    match length {
        Ok(length) if length as u64 > MOST => Err(Error::new(
            ErrorKind::FileTooLarge,
            format!("it is longer than {} MiB; name another file", MOST >> 20),
        )),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(Error::new(
            ErrorKind::InvalidData,
            "it is not text in UTF-8; save it as UTF-8",
        )),
        Err(error) => Err(error),
    }
}
