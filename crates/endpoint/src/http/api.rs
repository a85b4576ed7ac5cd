//! What a server must be told, and what it tells: one file for each kind.

use brink_verify::Images;
use serde_json::Value;

use crate::{Answer, Encoding, Error};

/// The body of a request.
pub(crate) struct Request {
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Request {
    /// A request in JSON.
    pub fn json(json: &Value) -> Self {
        Self {
            content_type: "application/json",
            body: json.to_string().into_bytes(),
        }
    }
}

/// The requests and answers of a kind of server.
pub(crate) trait Api {
    /// Checks that images can travel in this encoding.
    ///
    /// # Errors
    /// If they cannot.
    fn fits(&self, _encoding: Encoding) -> Result<(), Error> {
        Ok(())
    }

    /// Whether a request holds one image only.
    fn one_by_one(&self) -> bool {
        false
    }

    /// The request about `images`.
    ///
    /// # Errors
    /// If the images cannot be encoded.
    fn request(&self, images: &Images, encoding: Encoding) -> Result<Request, Error>;

    /// The answers in `json`, in the order of the images.
    ///
    /// # Errors
    /// What was found instead.
    fn answers(&self, json: &Value) -> Result<Vec<Answer>, String>;
}

/// The answers in an array, one for each image.
pub(crate) fn listed(json: Option<&Value>, at: &str) -> Result<Vec<Answer>, String> {
    let list = json.and_then(Value::as_array);
    let list = list.ok_or_else(|| format!("no array at `{at}`"))?;
    list.iter().map(Answer::from_json).collect()
}

/// The error for an encoding that an API cannot carry.
pub(crate) fn only(encoding: &'static str) -> Error {
    Error::Setting {
        field: "--pixels",
        problem: format!("this kind of server takes {encoding} only"),
    }
}
