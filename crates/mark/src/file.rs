//! The file of a mark.
//!
//! | bytes | content |
//! |---|---|
//! | 13 | `brink mark 2` and a line feed |
//! | 32 | the public key of ed25519 |
//! | 64 | the signature of all other bytes: the 45 before it and the rest |
//! | rest | safetensors: `images` (n, c, h, w) f32, `labels` (n) u32, `anchors` (k, c, h, w) f32, and the metadata entry `brink`, JSON |
//!
//! If a keyed head gives the labels, the JSON has its key. The first line is part of what is signed, so that no signature for another
//! purpose fits. Version 1 had neither keys nor profiles, and is still read.

use std::collections::HashMap;

use brink_keys::{PublicKey, Signer};
use brink_verify::{Images, LabelSpace, Layout, SecretKey, SensitiveSet};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{About, Error, Mark};

/// The version of the file.
pub const FORMAT: u32 = 2;

const LINE: &[u8; 13] = b"brink mark 2\n";
/// The first lines of all versions that are read.
const LINES: [&[u8; 13]; 2] = [b"brink mark 1\n", LINE];
/// What every version begins with.
const MAGIC: &[u8] = b"brink mark ";
const ENTRY: &str = "brink";

/// A mark from a file, and whose signature it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// The mark.
    pub mark: Mark,
    /// Who signed it. Anybody can sign: the caller decides whom to trust.
    pub by: PublicKey,
    /// The first 16 hexadecimal digits of the signature, a name for this very file.
    pub id: String,
}

/// The metadata entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    classes: usize,
    model_id: String,
    generator: String,
    /// The key of the head in hexadecimal digits, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    about: About,
}

impl Mark {
    /// The bytes of the file, signed by `signer`.
    ///
    /// # Errors
    /// If the set contradicts itself or its key, or is not of pairs.
    pub fn to_bytes(&self, signer: &Signer) -> Result<Vec<u8>, Error> {
        self.check()?;
        let rest = self.encode()?;
        let public = signer.public().to_bytes();
        let signature = signer.sign(&[&LINE[..], &public, &rest].concat());
        Ok([&LINE[..], &public, &signature, &rest].concat())
    }

    fn encode(&self) -> Result<Vec<u8>, Error> {
        let Self {
            set,
            key,
            anchors,
            about,
        } = self;
        let floats =
            |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|x| x.to_le_bytes()).collect() };
        let labels = set.labels.iter().flat_map(|label| label.to_le_bytes());
        let (images, labels, far) = (
            floats(set.images.data()),
            labels.collect::<Vec<u8>>(),
            floats(anchors.data()),
        );
        let shape = |images: &Images| {
            let [c, h, w] = images.shape();
            vec![images.len(), c, h, w]
        };
        let tensors = [
            (
                "images",
                TensorView::new(Dtype::F32, shape(&set.images), &images)?,
            ),
            (
                "labels",
                TensorView::new(Dtype::U32, vec![set.labels.len()], &labels)?,
            ),
            (
                "anchors",
                TensorView::new(Dtype::F32, shape(anchors), &far)?,
            ),
        ];
        let meta = serde_json::to_string(&Meta {
            classes: set.classes,
            model_id: set.model_id.clone(),
            generator: set.generator.clone(),
            key: key.as_ref().map(SecretKey::to_hex),
            about: about.clone(),
        });
        let meta = meta.map_err(|e| Error::Content(e.to_string()))?;
        let entries = HashMap::from([(ENTRY.to_owned(), meta)]);
        Ok(safetensors::serialize(tensors, Some(entries))?)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let content = |problem: &dyn std::fmt::Display| Error::Content(problem.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| content(&e))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| content(&e))?;
        let entry = header.metadata().as_ref().and_then(|it| it.get(ENTRY));
        let entry = entry.ok_or_else(|| content(&"no metadata entry `brink`"))?;
        let meta: Meta = serde_json::from_str(entry).map_err(|e| content(&e))?;
        let tensor = |name| tensors.tensor(name).map_err(|e| content(&e));
        let words = |bytes: &[u8]| bytes.as_chunks::<4>().0.to_vec();
        let floats = |bytes: &[u8]| -> Vec<f32> {
            words(bytes).into_iter().map(f32::from_le_bytes).collect()
        };
        let images = |name| {
            let images = tensor(name)?;
            let (&[_, c, h, w], Dtype::F32) = (images.shape(), images.dtype()) else {
                return Err(content(&format_args!("`{name}` is not (n, c, h, w) f32")));
            };
            Images::new([c, h, w], floats(images.data())).map_err(|e| content(&e))
        };
        let (anchors, labels) = (images("anchors")?, tensor("labels")?);
        if labels.dtype() != Dtype::U32 {
            return Err(content(&"`labels` is not (n) u32"));
        }
        let key = meta.key.map(|digits| SecretKey::from_hex(&digits));
        let key = key.transpose().map_err(|e| content(&e))?;
        let set = SensitiveSet {
            images: images("images")?,
            labels: words(labels.data())
                .into_iter()
                .map(u32::from_le_bytes)
                .collect(),
            layout: Layout::Pairs,
            label_space: match key {
                Some(_) => LabelSpace::Head,
                None => LabelSpace::Classes,
            },
            classes: meta.classes,
            key_check: key.as_ref().map(|key| key.check(&meta.model_id)),
            model_id: meta.model_id,
            generator: meta.generator,
        };
        let mark = Self {
            set,
            key,
            anchors,
            about: meta.about,
        };
        mark.check()?;
        Ok(mark)
    }

    fn check(&self) -> Result<(), Error> {
        let content = |problem: &dyn std::fmt::Display| Error::Content(problem.to_string());
        let set = &self.set;
        set.check().map_err(|e| content(&e))?;
        if set.layout != Layout::Pairs {
            return Err(content(&"the samples are not pairs"));
        }
        let check = self.key.as_ref().map(|key| key.check(&set.model_id));
        if check != set.key_check {
            return Err(content(&"the key does not fit the labels"));
        }
        if self.anchors.shape() != set.images.shape() {
            return Err(content(&"`anchors` have another shape than `images`"));
        }
        let labels = set.labels.len();
        let profiles = &self.about.measured.profiles;
        if let Some(profile) = profiles.iter().find(|it| it.labels.len() > labels) {
            let (name, n) = (&profile.name, profile.labels.len());
            return Err(content(&format_args!(
                "the profile `{name}` has {n} labels, and the set {labels}"
            )));
        }
        self.about.risks().map_err(|e| content(&e)).map(drop)
    }
}

impl Signed {
    /// Reads the bytes of a file, after its signature was checked.
    ///
    /// # Errors
    /// If a bit differs from what was signed, or the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let Some((line, rest)) = bytes.split_first_chunk::<13>() else {
            return Err(Error::Foreign);
        };
        if !LINES.contains(&line) {
            return Err(other(bytes));
        }
        let Some((public, rest)) = rest.split_first_chunk::<32>() else {
            return Err(Error::Signature);
        };
        let Some((signature, rest)) = rest.split_first_chunk::<64>() else {
            return Err(Error::Signature);
        };
        let by = PublicKey::from_bytes(public).map_err(|_| Error::Signature)?;
        if !by.signed(&[&line[..], public, rest].concat(), signature) {
            return Err(Error::Signature);
        }
        Ok(Self {
            mark: Mark::decode(rest)?,
            by,
            id: signature[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        })
    }
}

/// The error for bytes that do not begin as this version does.
fn other(bytes: &[u8]) -> Error {
    let version = bytes.strip_prefix(MAGIC).and_then(|rest| {
        let digits = rest.split(|byte| *byte == b'\n').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    });
    match version {
        Some(found) if found > FORMAT => Error::Format { found },
        _ => Error::Foreign,
    }
}
