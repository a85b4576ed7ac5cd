//! The network of a target: a name of the registry, or an ONNX file.

use std::fmt;
use std::path::{Path, PathBuf};

use brink_models::Model;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The network of a target.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Network {
    /// A network of the registry.
    Registered(Model),
    /// The network in a file.
    File(OnnxFile),
}

/// A file of ONNX, which holds a network and its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnnxFile {
    /// Its path. A relative path is looked up as that of weights.
    onnx: PathBuf,
}

impl OnnxFile {
    /// The path of the file. A relative one is looked up in `data`.
    pub fn path(&self, data: Option<&Path>) -> PathBuf {
        data.map_or_else(|| self.onnx.clone(), |data| data.join(&self.onnx))
    }
}

impl Network {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&OnnxFile> {
        match self {
            Self::Registered(_) => None,
            Self::File(file) => Some(file),
        }
    }

    /// Its name in records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Registered(model) => model.name(),
            Self::File(_) => "onnx",
        }
    }

    /// The network without the path of its file.
    pub fn without_path(&self) -> Self {
        match self {
            Self::Registered(model) => Self::Registered(*model),
            Self::File(_) => Self::File(OnnxFile {
                onnx: PathBuf::new(),
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrFile)
    }
}

struct NameOrFile;

impl<'de> Visitor<'de> for NameOrFile {
    type Value = Network;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a network, or {onnx: the path of an ONNX file}")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Network, E> {
        Model::deserialize(StrDeserializer::new(name)).map(Network::Registered)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Network, A::Error> {
        OnnxFile::deserialize(MapAccessDeserializer::new(fields)).map(Network::File)
    }
}
