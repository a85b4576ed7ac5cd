//! A deployed model behind an oracle: images go out, answers come back.
//!
//! A [`Deployed`] model is reached in its own way, one file each: [`Http`], [`Process`], [`Onnx`] or [`Own`] weights. An [`Endpoint`] turns its
//! answers into scores, so that everything above asks an [`Oracle`](brink_verify::Oracle) and nothing else.
//!
//! Answers may be logits, probabilities or labels only ([`Kind`]). Whatever else a server sends is an [`Error`]: too few answers, no
//! numbers, a web page. It is never taken for an answer.

mod answer;
mod error;
mod http;
mod image;
mod lines;
mod onnx;
mod oracle;
mod own;
mod process;

pub use answer::{Answer, Kind};
pub use error::Error;
pub use http::{Http, Protocol, Settings, Token};
pub use image::{Encoding, png};
pub use lines::Lines;
pub use onnx::{Onnx, onnx_network};
pub use oracle::{Endpoint, Expected};
pub use own::Own;
pub use process::Process;

use brink_verify::Images;

/// A model that answers for images, however it is reached.
pub trait Deployed {
    /// Where it is, for messages. It holds no secret.
    fn place(&self) -> String;

    /// One answer for each of the images, in their order.
    ///
    /// # Errors
    /// If the model cannot be reached, or does not answer for each image.
    fn ask(&self, images: &Images) -> Result<Vec<Answer>, Error>;
}
