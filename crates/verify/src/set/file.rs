//! The file of a set, sealed with the owner's key.
//!
//! The file is safetensors: `images` (n, c, h, w) f32, `labels` (n) u32, and one metadata entry, `brink`, with the rest as JSON. The entry
//! holds a SHA-256 of the whole content, which reveals damage, and an HMAC of this sum under the owner's key, the *seal*, which reveals
//! forgery. With a single entry, the content alone determines the file's bytes.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Layout, SensitiveSet};
use crate::error::{Error, FORMAT, FileError};
use crate::images::Images;
use crate::key::{KeyCheck, Seal, SecretKey};
use crate::oracle::LabelSpace;

/// The metadata entry.
const ENTRY: &str = "brink";

/// Everything except the tensors and the sums.
#[derive(Serialize, Deserialize)]
struct Content {
    layout: Layout,
    label_space: LabelSpace,
    classes: usize,
    model_id: String,
    generator: String,
    key_check: Option<KeyCheck>,
}

/// The metadata entry of version 2.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    format: u32,
    content: Content,
    sha256: String,
    seal: Seal,
}

/// The metadata entry of version 1.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstMeta {
    #[serde(rename = "format")]
    _format: u32,
    layout: Layout,
    label_space: LabelSpace,
    model_id: String,
    generator: String,
    key_check: Option<KeyCheck>,
    sha256: String,
}

/// The field that every version of the entry has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// A set from a file, with its sum and its seal. Version 1 has no seal.
struct Unpacked {
    set: SensitiveSet,
    sealed: Option<(String, Seal)>,
}

impl SensitiveSet {
    /// The bytes of the set's file, sealed with `key`; equal sets have equal bytes.
    ///
    /// # Errors
    /// If the set contradicts itself, or its keyed head belongs to another key.
    pub fn to_bytes(&self, key: &SecretKey) -> Result<Vec<u8>, Error> {
        self.check()?;
        self.head(key)?;
        self.encode(key).map_err(|problem| Error::Set {
            model_id: self.model_id.clone(),
            problem: problem.to_string(),
        })
    }

    fn encode(&self, key: &SecretKey) -> Result<Vec<u8>, FileError> {
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
        let content = Content {
            layout: self.layout,
            label_space: self.label_space,
            classes: self.classes,
            model_id: self.model_id.clone(),
            generator: self.generator.clone(),
            key_check: self.key_check,
        };
        let sha256 = sum(&content, self.images.shape(), &images, &labels)?;
        let meta = Meta {
            format: FORMAT,
            content,
            seal: key.seal(&self.model_id, sha256.as_bytes()),
            sha256,
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

    /// Reads a set from the bytes of a file that `key` sealed.
    ///
    /// # Errors
    /// If the bytes are truncated, damaged, in another version or not a sensitive set, or if `key` did not seal them.
    pub fn from_bytes(bytes: &[u8], key: &SecretKey) -> Result<Self, FileError> {
        let Unpacked { set, sealed } = Self::unpack(bytes, None)?;
        let (sum, seal) = sealed.ok_or(FileError::Unsealed)?;
        // The key check is not secret, so this error may distinguish a wrong key from a changed set.
        set.head(key)
            .map_err(|wrong| FileError::Content(Box::new(wrong)))?;
        match key.opens(&seal, &set.model_id, sum.as_bytes()) {
            true => Ok(set),
            false => Err(FileError::Forged),
        }
    }

    /// Reads a set from the bytes of a file of any version and any author: to inspect, not to trust. `classes` is the number of logits of its
    /// model, which files of version 1 do not hold.
    ///
    /// # Errors
    /// If the bytes are truncated, damaged, for another number of classes, or not a sensitive set.
    pub fn from_unsealed_bytes(bytes: &[u8], classes: usize) -> Result<Self, FileError> {
        let set = Self::unpack(bytes, Some(classes))?.set;
        if set.classes != classes {
            let problem = Error::Set {
                problem: format!(
                    "it was made for a model of {} classes, not {classes}",
                    set.classes
                ),
                model_id: set.model_id,
            };
            return Err(FileError::Content(Box::new(problem)));
        }
        Ok(set)
    }

    /// What the bytes of a file hold, free of damage and contradiction. Version 1 needs the number of `classes`.
    fn unpack(bytes: &[u8], classes: Option<usize>) -> Result<Unpacked, FileError> {
        let foreign = |problem: &dyn std::fmt::Display| FileError::Foreign(problem.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let tensors = SafeTensors::deserialize(bytes)?;
        let entry = header
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(ENTRY));
        let entry = entry.ok_or_else(|| foreign(&format_args!("no metadata entry `{ENTRY}`")))?;
        let images = tensors.tensor("images")?;
        let labels = tensors.tensor("labels")?;
        let (&[_, c, h, w], Dtype::F32, Dtype::U32) =
            (images.shape(), images.dtype(), labels.dtype())
        else {
            return Err(foreign(
                &"the tensors are not `images` (n, c, h, w) f32 and `labels` (n) u32",
            ));
        };
        let Version { format } = serde_json::from_str(entry).map_err(|e| foreign(&e))?;
        let (content, sealed) = match (format, classes) {
            (FORMAT, _) => {
                let meta: Meta = serde_json::from_str(entry).map_err(|e| foreign(&e))?;
                let found = sum(&meta.content, [c, h, w], images.data(), labels.data())?;
                if found != meta.sha256 {
                    return Err(FileError::Checksum);
                }
                (meta.content, Some((found, meta.seal)))
            }
            (1, None) => return Err(FileError::Unsealed),
            (1, Some(classes)) => {
                let meta: FirstMeta = serde_json::from_str(entry).map_err(|e| foreign(&e))?;
                let found = Sha256::new()
                    .chain_update(images.data())
                    .chain_update(labels.data());
                if hex(&found.finalize()) != meta.sha256 {
                    return Err(FileError::Checksum);
                }
                let content = Content {
                    layout: meta.layout,
                    label_space: meta.label_space,
                    classes,
                    model_id: meta.model_id,
                    generator: meta.generator,
                    key_check: meta.key_check,
                };
                (content, None)
            }
            (found, _) => return Err(FileError::Format { found }),
        };
        let contradiction = |problem| FileError::Content(Box::new(problem));
        let set = Self {
            images: Images::new(
                [c, h, w],
                words(images.data())
                    .map(f32::from_le_bytes)
                    .collect::<Arc<[f32]>>(),
            )
            .map_err(contradiction)?,
            labels: words(labels.data()).map(u32::from_le_bytes).collect(),
            layout: content.layout,
            label_space: content.label_space,
            classes: content.classes,
            model_id: content.model_id,
            generator: content.generator,
            key_check: content.key_check,
        };
        set.check().map_err(contradiction)?;
        Ok(Unpacked { set, sealed })
    }

    /// Writes the set, sealed with `key`, to one file, in place. Callers that must survive a crash write
    /// [`to_bytes`](Self::to_bytes) atomically themselves.
    ///
    /// # Errors
    /// If the set contradicts itself or the file cannot be written.
    pub fn save(&self, path: &Path, key: &SecretKey) -> Result<(), Error> {
        let bytes = self.to_bytes(key)?;
        fs::write(path, bytes).map_err(|e| at(path, e.into()))
    }

    /// Reads a set from the file that `key` sealed.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), with the file's name, or if the file cannot be read.
    pub fn load(path: &Path, key: &SecretKey) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|e| at(path, e.into()))?;
        Self::from_bytes(&bytes, key).map_err(|e| at(path, e))
    }

    /// Reads a set from a file of any version and any author: to inspect, not to trust.
    ///
    /// # Errors
    /// As [`from_unsealed_bytes`](Self::from_unsealed_bytes), with the file's name, or if the file cannot be read.
    pub fn load_unsealed(path: &Path, classes: usize) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|e| at(path, e.into()))?;
        Self::from_unsealed_bytes(&bytes, classes).map_err(|e| at(path, e))
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

/// The SHA-256 of the content of a file of version 2.
fn sum(
    content: &Content,
    shape: [usize; 3],
    images: &[u8],
    labels: &[u8],
) -> Result<String, FileError> {
    let content = serde_json::to_vec(content).map_err(SafeTensorError::JsonError)?;
    let mut hash = Sha256::new();
    // Each part follows its length, so that no byte can move from one part to the next.
    for part in [&content[..], images, labels] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    for side in shape {
        hash.update((side as u64).to_le_bytes());
    }
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
