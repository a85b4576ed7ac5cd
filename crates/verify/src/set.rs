//! Sensitive samples with their reference labels. [`file`] keeps them to the last bit.

mod file;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::head::Head;
use crate::images::Images;
use crate::key::{KeyCheck, SecretKey};
use crate::oracle::LabelSpace;

/// How images form samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Every image is a sample of its own.
    Singles,
    /// Images 2i and 2i + 1 are sample i just before and just after it crossed the boundary.
    Pairs,
}

/// Why stage 1 of a generator ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// The generator has no stage 1.
    None,
    /// The loss and the margins stopped changing.
    Converged,
    /// The limit on iterations was reached.
    Cap,
}

/// Images beside the decision boundary, and the labels that the untouched model gave them.
#[derive(Clone, Debug, PartialEq)]
pub struct SensitiveSet {
    /// The samples.
    pub images: Images,
    /// The reference labels, one per image, recorded when the set was made.
    pub labels: Vec<u32>,
    /// How images form samples.
    pub layout: Layout,
    /// The meaning of a label.
    pub label_space: LabelSpace,
    /// N, the number of logits per image of the delivered model.
    pub classes: usize,
    /// The model of the set. The keyed head is derived for this name.
    pub model_id: String,
    /// The generator of the set, e.g. `ours`.
    pub generator: String,
    /// Recognises the key of the head; `None` for [`LabelSpace::Classes`], which needs no key.
    pub key_check: Option<KeyCheck>,
}

impl SensitiveSet {
    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// If the set has no images, half a pair, or fewer than two classes. If the numbers of labels and images differ, or its label space does
    /// not have a label. If there is a key check but no keyed head, or the reverse.
    pub fn check(&self) -> Result<(), Error> {
        let (images, labels) = (self.images.len(), self.labels.len());
        let last = self.label_space.labels(self.classes).saturating_sub(1);
        let beyond = self.labels.iter().position(|&label| label as usize > last);
        let problem = if images == 0 {
            "it has no images".to_owned()
        } else if images != labels {
            format!("{images} images have {labels} labels")
        } else if self.layout == Layout::Pairs && !images.is_multiple_of(2) {
            format!("{images} images do not form pairs")
        } else if self.classes < 2 {
            format!(
                "a model of {} classes has no decision boundary",
                self.classes
            )
        } else if let Some(image) = beyond {
            format!(
                "image {image} has label {}, but labels of the label space `{}` go from 0 to {last}",
                self.labels[image], self.label_space
            )
        } else if (self.label_space == LabelSpace::Head) != self.key_check.is_some() {
            format!(
                "the label space `{}` does not fit its key check",
                self.label_space
            )
        } else {
            return Ok(());
        };
        Err(Error::Set {
            model_id: self.model_id.clone(),
            problem,
        })
    }

    /// The number of samples: images, or pairs of them.
    pub fn samples(&self) -> usize {
        match self.layout {
            Layout::Singles => self.images.len(),
            Layout::Pairs => self.images.len() / 2,
        }
    }

    /// The first pair, from 0, with two equal images: no boundary lies between them.
    pub fn equal_pair(&self) -> Option<usize> {
        let differ = |pair: &usize| self.images.image(2 * pair) != self.images.image(2 * pair + 1);
        match self.layout {
            Layout::Singles => None,
            Layout::Pairs => (0..self.samples()).find(|pair| !differ(pair)),
        }
    }

    /// The keyed head of this set; `None` for [`LabelSpace::Classes`], which has none.
    ///
    /// # Errors
    /// If `key` is not the key of the set.
    pub fn head(&self, key: &SecretKey) -> Result<Option<Head>, Error> {
        match self.key_check {
            None => Ok(None),
            Some(check) if check == key.check(&self.model_id) => {
                Ok(Some(key.head(&self.model_id, self.classes)))
            }
            Some(_) => Err(Error::WrongKey {
                model_id: self.model_id.clone(),
            }),
        }
    }
}
