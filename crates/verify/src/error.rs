//! What can go wrong between a key, a set of samples and a model.

use std::path::PathBuf;

use crate::set::FileError;

/// Whatever an [`Oracle`](crate::Oracle) fails with; the protocol only passes it on.
pub type OracleError = Box<dyn std::error::Error + Send + Sync>;

/// Why the protocol could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A secret of too few bytes. The message never shows the secret.
    #[error("the secret key has {bytes} bytes; give at least {least}")]
    ShortKey {
        /// The bytes given.
        bytes: usize,
        /// The fewest accepted.
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
    /// The key is not the one that the set was made with.
    #[error(
        "this secret key did not make the set of model `{model_id}`; use the key that generated it"
    )]
    WrongKey {
        /// The model that the set was made for.
        model_id: String,
    },
    /// Images whose numbers do not fit their shape.
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
    /// Weights that are no head.
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
        /// What contradicts what.
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
    /// Labels of the keyed head were asked for without the head.
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
        /// Classes that the oracle promises.
        oracle: usize,
    },
    /// The model could not be asked.
    #[error("the model did not answer")]
    Oracle(#[source] OracleError),
    /// The model answered with another number of logits than promised.
    #[error("the model gave {got} logits for {images} images of {classes} classes; expected {}", images * classes)]
    Answer {
        /// Images asked about.
        images: usize,
        /// Classes promised.
        classes: usize,
        /// Logits received.
        got: usize,
    },
    /// A logit is not a number, so there is no label.
    #[error(
        "the model's answer for image {image} has a NaN in logit {logit}: no label can be read from it"
    )]
    Nan {
        /// Image, from 0, in the batch that was asked.
        image: usize,
        /// Logit, from 0: a class, or an output of the keyed head.
        logit: usize,
    },
    /// Pairs were asked of samples that have none.
    #[error("a set of single samples has no pairs of its own; draw random ones")]
    NoPairs,
    /// Pairs of two distinct samples were asked of fewer than two.
    #[error("cannot draw pairs of two distinct samples out of {samples}")]
    TooFew {
        /// The samples there are.
        samples: usize,
    },
    /// A pair names a sample that the set does not have.
    #[error(
        "pair {pair:?} does not name two distinct samples out of {samples}; draw the pairs for this set"
    )]
    Pair {
        /// The pair.
        pair: [usize; 2],
        /// The samples there are.
        samples: usize,
    },
}

impl Error {
    /// Whether the model did answer, with what the delivered one does not answer: another number of logits, or no numbers. That is a reason for
    /// alarm; any other error is one to ask again, or to correct.
    pub fn is_an_answer(&self) -> bool {
        matches!(self, Self::Answer { .. } | Self::Nan { .. })
    }
}
