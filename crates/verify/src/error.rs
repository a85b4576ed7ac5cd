//! The errors of the protocol.

use std::path::PathBuf;

use safetensors::SafeTensorError;

/// The version of set files. Files of version 1 have no seal, and a sum of the tensors only.
pub(crate) const FORMAT: u32 = 2;

/// Any error of an [`Oracle`](crate::Oracle). The protocol only passes it on.
pub type OracleError = Box<dyn std::error::Error + Send + Sync>;

/// Why the protocol failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A secret with too few bytes. The message never shows the secret.
    #[error("the secret key has {bytes} bytes; give at least {least}")]
    ShortKey {
        /// The bytes given.
        bytes: usize,
        /// The smallest accepted number.
        least: usize,
    },
    /// A key file or argument that is not hexadecimal. The message never shows the secret.
    #[error(
        "the secret key is not hexadecimal (problem at character {at}); write pairs of the digits 0-9 and a-f"
    )]
    KeyDigits {
        /// Position of the first wrong character, from 1.
        at: usize,
    },
    /// The set was made with another key.
    #[error(
        "this secret key did not make the set of model `{model_id}`; use the key that generated it"
    )]
    WrongKey {
        /// The model that the set was made for.
        model_id: String,
    },
    /// The number of pixels does not fit the shape of the images.
    #[error(
        "{values} pixel values are not a whole number of images of shape {shape:?} (channels, height, width)"
    )]
    Shape {
        /// Channels, height, width.
        shape: [usize; 3],
        /// The values given.
        values: usize,
    },
    /// A pixel outside of the unit interval.
    #[error("pixel {pixel} of image {image} is {value}; images hold finite values in [0, 1]")]
    Pixel {
        /// Image, from 0.
        image: usize,
        /// Position inside the image, from 0.
        pixel: usize,
        /// The value found.
        value: f32,
    },
    /// Weights that do not form a head.
    #[error("{weights} weights are not a head with 2 rows of finite numbers and finite biases")]
    HeadWeights {
        /// The weights given.
        weights: usize,
    },
    /// A set that contradicts itself.
    #[error("the sensitive set of model `{model_id}` is not usable: {problem}; generate it again")]
    Set {
        /// The model that the set was made for.
        model_id: String,
        /// The contradiction.
        problem: String,
    },
    /// A set file that cannot be read or written.
    #[error("sensitive set {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FileError,
    },
    /// Labels of the keyed head need the head.
    #[error("labels of the keyed head need the head; derive it from the secret key")]
    NoHead,
    /// The head was made for another number of classes.
    #[error(
        "the keyed head reads {head} logits, the model gives {oracle}; derive the head for {oracle} classes"
    )]
    Classes {
        /// Classes of the head.
        head: usize,
        /// Classes of the model.
        oracle: usize,
    },
    /// The oracle was set up for another model than the set.
    #[error(
        "the set is about a model of {set} classes, the oracle stands for one of {oracle}; set up the oracle for {set} classes"
    )]
    OtherClasses {
        /// Classes of the model that the set was made for.
        set: usize,
        /// Classes of the oracle.
        oracle: usize,
    },
    /// The query failed.
    #[error("the model did not answer")]
    Oracle(#[source] OracleError),
    /// The model returned another number of logits than expected.
    #[error("the model gave {got} logits for {images} images of {classes} classes; expected {}", images * classes)]
    Answer {
        /// Images in the query.
        images: usize,
        /// Expected classes.
        classes: usize,
        /// Logits received.
        got: usize,
    },
    /// A logit is NaN, so there is no label.
    #[error(
        "the model's answer for image {image} has a NaN in logit {logit}: no label can be read from it"
    )]
    Nan {
        /// Image, from 0, in the batch.
        image: usize,
        /// Logit, from 0: a class, or an output of the keyed head.
        logit: usize,
    },
    /// Single samples have no pairs of their own.
    #[error("a set of single samples has no pairs of its own; draw random ones")]
    NoPairs,
    /// Fewer than two samples cannot form pairs.
    #[error("cannot draw pairs of two distinct samples out of {samples}")]
    TooFew {
        /// The number of samples.
        samples: usize,
    },
    /// A pair names a sample that the set does not have.
    #[error(
        "pair {pair:?} does not name two distinct samples out of {samples}; draw the pairs for this set"
    )]
    Pair {
        /// The pair.
        pair: [usize; 2],
        /// The number of samples.
        samples: usize,
    },
}

impl Error {
    /// Whether the model answered, but in a way that the delivered model does not: with another number of logits, or with NaN. Such an answer
    /// is a reason for an alarm. After any other error, correct the cause or query again.
    pub fn is_an_answer(&self) -> bool {
        matches!(self, Self::Answer { .. } | Self::Nan { .. })
    }
}

/// What is wrong with a set file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refused.
    #[error("the file cannot be read or written")]
    Io(#[from] std::io::Error),
    /// Not safetensors, or truncated.
    #[error("not a whole safetensors file; copy it or generate the set again")]
    Container(#[from] SafeTensorError),
    /// A safetensors file with other content.
    #[error("not a sensitive set: {0}")]
    Foreign(String),
    /// Written by another version.
    #[error(
        "format {found} is not the format {FORMAT} that this version reads; generate the set again"
    )]
    Format {
        /// The version found.
        found: u32,
    },
    /// Written by version 1, which had no seal.
    #[error(
        "the set has format 1, which has no seal, so nobody can tell whether it is the owner's; generate the set again"
    )]
    Unsealed,
    /// The content differs from the written content.
    #[error("damaged: the content does not match its checksum; copy it or generate the set again")]
    Checksum,
    /// Someone without this key made or changed the file.
    #[error(
        "this key did not seal the set: another key sealed it, or someone changed it; use the key that sealed it, or generate the set again"
    )]
    Forged,
    /// The content contradicts itself.
    #[error(transparent)]
    Content(Box<Error>),
}
