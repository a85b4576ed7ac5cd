//! The secret that a server asks for. Nothing shows it, and its memory is overwritten at the end.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::Error;

/// A bearer token.
pub struct Token(Zeroizing<String>);

impl Token {
    /// The token in `text`, without white space around it. `field` names its source in errors.
    ///
    /// # Errors
    /// If it is empty or does not fit into a header.
    pub fn new(text: &str, field: &'static str) -> Result<Self, Error> {
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Setting {
                field,
                problem: "the token is empty or has characters that a header cannot hold"
                    .to_owned(),
            });
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }

    /// The token in a file.
    ///
    /// # Errors
    /// If the file cannot be read, or as [`Token::new`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::File {
            path: path.to_owned(),
            problem: format!("the token cannot be read: {e}"),
        })?;
        Self::new(&Zeroizing::new(text), "--token-file")
    }

    pub(super) fn header(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", *self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
