//! Sensitive samples with the labels on record, and the one file that holds them to the last bit.
//!
//! The file is safetensors: `images` (n, c, h, w) f32, `labels` (n) u32, and one metadata entry, `brink`, with the rest
//! as JSON, among it a SHA-256 of both tensors. One entry rather than many keeps the file's bytes a function of its
//! content.

use std::{collections::HashMap, fs, path::Path};

use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Head, Images, KeyCheck, LabelSpace, SecretKey};

/// The version of the file; readers refuse any other.
const FORMAT: u32 = 1;

/// The metadata entry.
const ENTRY: &str = "brink";

/// How images form samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Every image is a sample of its own.
    Singles,
    /// Images 2i and 2i + 1 are sample i just before and just after it crossed the boundary.
    Pairs,
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
    /// What a label is.
    pub label_space: LabelSpace,
    /// The model that the set was made for; the keyed head is derived for this name.
    pub model_id: String,
    /// What made the set, e.g. `ours`.
    pub generator: String,
    /// Recognises the key of the head; `None` in [`LabelSpace::Classes`], which needs no key.
    pub key_check: Option<KeyCheck>,
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
    /// A safetensors file of something else.
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
    /// The content is not what was written.
    #[error("damaged: the content does not match its checksum; copy it or generate the set again")]
    Checksum,
    /// The content contradicts itself.
    #[error(transparent)]
    Content(Box<Error>),
}

/// All but the tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    format: u32,
    layout: Layout,
    label_space: LabelSpace,
    model_id: String,
    generator: String,
    key_check: Option<KeyCheck>,
    sha256: String,
}

/// The part of [`Meta`] that every version has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl SensitiveSet {
    /// Whether the parts fit together.
    ///
    /// # Errors
    /// If the set is empty, has another number of labels than images, half a pair, a label of the keyed head that is neither
    /// 0 nor 1, or a key check without a keyed head or the other way round.
    pub fn check(&self) -> Result<(), Error> {
        let (images, labels) = (self.images.len(), self.labels.len());
        let problem = if images == 0 {
            "it has no images".to_owned()
        } else if images != labels {
            format!("{images} images have {labels} labels")
        } else if self.layout == Layout::Pairs && !images.is_multiple_of(2) {
            format!("{images} images do not form pairs")
        } else if self.label_space == LabelSpace::Head && self.labels.iter().any(|label| *label > 1)
        {
            "a label of the keyed head is neither 0 nor 1".to_owned()
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

    /// The keyed head of this set for a model of `classes` logits; nothing in [`LabelSpace::Classes`], where no key is looked at: who relies on
    /// the key asks for [`LabelSpace::Head`] first. `classes` is the delivered model's: with another number the head is another.
    ///
    /// # Errors
    /// If `key` is not the key that the set was made with.
    pub fn head(&self, key: &SecretKey, classes: usize) -> Result<Option<Head>, Error> {
        match self.key_check {
            None => Ok(None),
            Some(check) if check == key.check(&self.model_id) => {
                Ok(Some(key.head(&self.model_id, classes)))
            }
            Some(_) => Err(Error::WrongKey {
                model_id: self.model_id.clone(),
            }),
        }
    }

    /// The bytes of the set's file; equal sets have equal bytes.
    ///
    /// # Errors
    /// If the set contradicts itself.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.check()?;
        self.encode().map_err(|problem| Error::Set {
            model_id: self.model_id.clone(),
            problem: problem.to_string(),
        })
    }

    fn encode(&self) -> Result<Vec<u8>, FileError> {
        let images: Vec<u8> = self
            .images
            .data()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let labels: Vec<u8> = self
            .labels
            .iter()
            .flat_map(|label| label.to_le_bytes())
            .collect();
        let meta = Meta {
            format: FORMAT,
            layout: self.layout,
            label_space: self.label_space,
            model_id: self.model_id.clone(),
            generator: self.generator.clone(),
            key_check: self.key_check,
            sha256: checksum(&images, &labels),
        };
        let meta = serde_json::to_string(&meta).map_err(SafeTensorError::JsonError)?;
        let [c, h, w] = self.images.shape();
        let shape = vec![self.images.len(), c, h, w];
        let tensors = [
            ("images", TensorView::new(Dtype::F32, shape, &images)?),
            (
                "labels",
                TensorView::new(Dtype::U32, vec![self.labels.len()], &labels)?,
            ),
        ];
        let entries = HashMap::from([(ENTRY.to_owned(), meta)]);
        Ok(safetensors::serialize(tensors, Some(entries))?)
    }

    /// The set in the bytes of a file.
    ///
    /// # Errors
    /// If the bytes are truncated, damaged, of another version or not a sensitive set at all.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileError> {
        let foreign = |problem: &dyn std::fmt::Display| FileError::Foreign(problem.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let tensors = SafeTensors::deserialize(bytes)?;
        let entry = header
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(ENTRY));
        let entry = entry.ok_or_else(|| foreign(&format_args!("no metadata entry `{ENTRY}`")))?;
        let Version { format } = serde_json::from_str(entry).map_err(|e| foreign(&e))?;
        if format != FORMAT {
            return Err(FileError::Format { found: format });
        }
        let meta: Meta = serde_json::from_str(entry).map_err(|e| foreign(&e))?;
        let images = tensors.tensor("images")?;
        let labels = tensors.tensor("labels")?;
        let (&[_, c, h, w], Dtype::F32, Dtype::U32) =
            (images.shape(), images.dtype(), labels.dtype())
        else {
            return Err(foreign(
                &"the tensors are not `images` (n, c, h, w) f32 and `labels` (n) u32",
            ));
        };
        if checksum(images.data(), labels.data()) != meta.sha256 {
            return Err(FileError::Checksum);
        }
        let content = |problem| FileError::Content(Box::new(problem));
        let set = Self {
            images: Images::new(
                [c, h, w],
                words(images.data()).map(f32::from_le_bytes).collect(),
            )
            .map_err(content)?,
            labels: words(labels.data()).map(u32::from_le_bytes).collect(),
            layout: meta.layout,
            label_space: meta.label_space,
            model_id: meta.model_id,
            generator: meta.generator,
            key_check: meta.key_check,
        };
        set.check().map_err(content)?;
        Ok(set)
    }

    /// Writes the set to one file, in place. Callers that must survive a crash write [`to_bytes`](Self::to_bytes)
    /// atomically themselves.
    ///
    /// # Errors
    /// If the set contradicts itself or the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let bytes = self.to_bytes()?;
        fs::write(path, bytes).map_err(|e| at(path, e.into()))
    }

    /// Reads a set from its file.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), with the file's name, or if the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|e| at(path, e.into()))?;
        Self::from_bytes(&bytes).map_err(|e| at(path, e))
    }
}

fn at(path: &Path, source: FileError) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    bytes.as_chunks::<4>().0.iter().copied()
}

fn checksum(images: &[u8], labels: &[u8]) -> String {
    let hash = Sha256::new()
        .chain_update(images)
        .chain_update(labels)
        .finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
