//! The black box: images in, logits out; and the only place where logits become labels.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Head, Images, OracleError};

/// A model as the verifier sees it.
pub trait Oracle {
    /// N, the logits per image of the model as it was delivered. Not what a deployed model says of itself: one that answers with another number
    /// is found out by it ([`Error::Answer`]).
    fn classes(&self) -> usize;

    /// The logits of every image, `(n, N)` row-major.
    ///
    /// # Errors
    /// Whatever keeps the model from answering.
    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError>;
}

/// What a label is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSpace {
    /// The larger of the keyed head's two outputs: 0 or 1.
    Head,
    /// The largest of the model's own N logits.
    Classes,
}

impl LabelSpace {
    /// How many labels there are for a model of `classes` logits.
    pub fn labels(self, classes: usize) -> usize {
        match self {
            Self::Head => 2,
            Self::Classes => classes,
        }
    }
}

impl fmt::Display for LabelSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Head => "head",
            Self::Classes => "classes",
        })
    }
}

/// The label of every image: the position of its largest logit, the lowest one of equals.
///
/// `head` is needed for [`LabelSpace::Head`] and not looked at for [`LabelSpace::Classes`].
///
/// # Errors
/// If the head is missing or made for another number of classes, the oracle fails or breaks its promise, or a logit is NaN.
pub fn labels(
    oracle: &(impl Oracle + ?Sized),
    images: &Images,
    space: LabelSpace,
    head: Option<&Head>,
) -> Result<Vec<u32>, Error> {
    let classes = oracle.classes();
    let head = match (space, head) {
        (LabelSpace::Classes, _) => None,
        (LabelSpace::Head, None) => return Err(Error::NoHead),
        (LabelSpace::Head, Some(head)) if head.classes() != classes => {
            return Err(Error::Classes {
                head: head.classes(),
                oracle: classes,
            });
        }
        (LabelSpace::Head, Some(head)) => Some(head),
    };
    let logits = oracle.logits(images).map_err(Error::Oracle)?;
    if logits.len() != images.len() * classes || classes == 0 {
        return Err(Error::Answer {
            images: images.len(),
            classes,
            got: logits.len(),
        });
    }
    logits
        .chunks_exact(classes)
        .enumerate()
        .map(|(image, logits)| {
            let decided = match head {
                Some(head) => decide(&head.logits(logits)),
                None => decide(logits),
            };
            let (label, _) = decided.map_err(|logit| Error::Nan { image, logit })?;
            Ok(label)
        })
        .collect()
}

/// The label that some outputs stand for, the position of the largest and the lowest of equals; and the margin, by how much that is above
/// the next: of a single output, above the least number.
///
/// # Errors
/// The position of a NaN: no label can be read then.
pub fn decide(outputs: &[f32]) -> Result<(u32, f32), usize> {
    if let Some(nan) = outputs.iter().position(|output| output.is_nan()) {
        return Err(nan);
    }
    let larger = |best: usize, i: usize| if outputs[i] > outputs[best] { i } else { best };
    let top = (0..outputs.len()).fold(0, larger);
    let others = outputs.iter().enumerate().filter(|(i, _)| *i != top);
    let next = others.map(|(_, output)| *output).fold(f32::MIN, f32::max);
    let margin = outputs.get(top).map_or(0.0, |output| output - next);
    Ok((top as u32, margin))
}
