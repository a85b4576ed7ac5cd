//! Every network there is, in one slice.

use crate::layers::{Builder, Slot, Source};
use crate::network::Body;
use crate::{Result, cifar_resnet, resnet};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use std::str::FromStr;

/// An architecture.
pub struct Architecture {
    /// Its name in configurations and records.
    pub name: &'static str,
    /// Its name in tables.
    pub title: &'static str,
    /// What it is, in a sentence.
    pub summary: &'static str,
    build: fn(&mut Builder<'_>, usize) -> Result<Box<dyn Body>>,
}

/// All architectures.
pub static REGISTRY: &[Architecture] = &[
    Architecture {
        name: "resnet18",
        title: "ResNet18",
        summary: "torchvision's ResNet-18: 7x7 stem of stride 2, 3x3 maximum pooling, basic blocks (2, 2, 2, 2)",
        build: |builder, classes| {
            Ok(Box::new(resnet::ResNet::basic(
                builder,
                [2, 2, 2, 2],
                classes,
            )?))
        },
    },
    Architecture {
        name: "resnet20",
        title: "ResNet20",
        summary: "the CIFAR-style ResNet-20: 3x3 stem, three stages of 16, 32 and 64 channels, option-A shortcuts",
        build: |builder, classes| {
            Ok(Box::new(cifar_resnet::CifarResNet::new(
                builder, 3, classes,
            )?))
        },
    },
];

/// One of the [`REGISTRY`]; reads and writes as its name.
#[derive(Clone, Copy)]
pub struct Model(&'static Architecture);

impl Model {
    /// All models.
    pub fn all() -> impl Iterator<Item = Self> {
        REGISTRY.iter().map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// What is known about it.
    pub fn architecture(self) -> &'static Architecture {
        self.0
    }

    pub(crate) fn build(self, builder: &mut Builder<'_>, classes: usize) -> Result<Box<dyn Body>> {
        (self.0.build)(builder, classes)
    }

    /// The tensors it has, in the order of the forward pass.
    pub(crate) fn slots(self, classes: usize) -> Result<Vec<Slot>> {
        let mut builder = Builder::new(Source::Declared);
        self.build(&mut builder, classes)?;
        Ok(builder.slots)
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Model {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no model of that name.
#[derive(Debug, thiserror::Error)]
#[error("unknown model `{0}`; {1}")]
pub struct Unknown(String, String);

impl FromStr for Model {
    type Err = Unknown;

    fn from_str(name: &str) -> std::result::Result<Self, Unknown> {
        let names: Vec<&str> = Self::all().map(Self::name).collect();
        Self::all()
            .find(|model| model.name() == name)
            .ok_or_else(|| Unknown(name.into(), spec::nearest::hint(name, &names)))
    }
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
