//! Reads the bytes of a pickle in order.

use crate::{Error, Result};

/// The bytes of a pickle, and how many are read.
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// The number of bytes read so far.
    pub fn read(&self) -> usize {
        self.at
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let rest = self.all.get(self.at..).unwrap_or_default();
        match rest.first_chunk() {
            Some(&array) => {
                self.at += N;
                Ok(array)
            }
            None => Err(self.damaged("the end of the file")),
        }
    }

    /// Reads a length, stored in `N` little-endian bytes, and takes that many bytes.
    pub fn counted<const N: usize>(&mut self) -> Result<&'a [u8]> {
        let mut length = [0; 8];
        length[..N].copy_from_slice(&self.array::<N>()?);
        match usize::try_from(u64::from_le_bytes(length)) {
            Ok(length) => self.take(length),
            Err(_) => Err(self.damaged("the end of the file")),
        }
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let rest = self.all.get(self.at..).unwrap_or_default();
        match rest.get(..length) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => Err(self.damaged("the end of the file")),
        }
    }

    /// Reads up to the next newline, which is consumed but not returned.
    pub fn line(&mut self) -> Result<&'a str> {
        let rest = self.all.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.damaged("the end of the file"));
        };
        self.at += length + 1;
        match std::str::from_utf8(&rest[..length]) {
            Ok(line) => Ok(line),
            Err(_) => Err(self.damaged("a line that is not UTF-8")),
        }
    }

    /// The error of a pickle that holds `met` at this position.
    pub fn damaged(&self, met: &str) -> Error {
        let problem = format!("{met} at byte {}", self.at);
        Error::damaged("PyTorch pickle", problem)
    }
}
