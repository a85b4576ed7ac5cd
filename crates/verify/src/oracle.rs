//! The black box: images in, logits out. This is the only place where logits become labels.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, OracleError};
use crate::head::Head;
use crate::images::Images;

/// A model as the verifier sees it.
pub trait Oracle {
    /// N, the number of logits per image of the delivered model. It must not come from the deployed model: a model that answers with another
    /// number is detected ([`Error::Answer`]).
    fn classes(&self) -> usize;

    /// The logits of every image, `(n, N)` row-major.
    ///
    /// # Errors
    /// Any failure of the query.
    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError>;
}

/// The meaning of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSpace {
    /// The larger of the keyed head's two outputs: 0 or 1.
    Head,
    /// The largest of the model's own N logits.
    Classes,
}

impl LabelSpace {
    /// The number of labels for a model of `classes` logits.
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

/// The label of every image: the position of its largest output, the lowest of equal ones.
///
/// [`LabelSpace::Head`] needs `head`; [`LabelSpace::Classes`] ignores it.
///
/// # Errors
/// As [`outputs`], or if a logit is NaN.
pub fn labels(
    oracle: &(impl Oracle + ?Sized),
    images: &Images,
    space: LabelSpace,
    head: Option<&Head>,
) -> Result<Vec<u32>, Error> {
    let outputs = outputs(oracle, images, space, head)?;
    let decided = outputs.iter().enumerate().map(|(image, outputs)| {
        let (label, _) = decide(outputs).map_err(|logit| Error::Nan { image, logit })?;
        Ok(label)
    });
    decided.collect()
}

/// The outputs of every image that give its label: the keyed head's two, or the model's own N logits.
///
/// [`LabelSpace::Head`] needs `head`; [`LabelSpace::Classes`] ignores it.
///
/// # Errors
/// If the head is missing or has another number of classes, or if the oracle fails or returns another number of logits.
pub fn outputs(
    oracle: &(impl Oracle + ?Sized),
    images: &Images,
    space: LabelSpace,
    head: Option<&Head>,
) -> Result<Vec<Vec<f32>>, Error> {
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
    let logits = logits.chunks_exact(classes);
    Ok(logits
        .map(|logits| match head {
            Some(head) => head.logits(logits).to_vec(),
            None => logits.to_vec(),
        })
        .collect())
}

/// The signed margin of `label`: its output minus the largest other one. It is negative if another label is given.
///
/// # Panics
/// If there is no output `label`.
pub fn margin(outputs: &[f32], label: u32) -> f32 {
    let own = outputs[label as usize];
    let others = outputs.iter().enumerate();
    let others = others.filter(|(i, _)| *i != label as usize);
    own - others.map(|(_, output)| *output).fold(f32::MIN, f32::max)
}

/// The label of some outputs: the position of the largest, the lowest of equal ones. And the margin: the largest output minus the next. For a
/// single output, the next is the smallest number.
///
/// # Errors
/// The position of a NaN: then there is no label.
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
