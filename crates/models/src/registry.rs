//! All architectures, in one slice.

use crate::builder::{Builder, Source, Width};
use crate::cifar_resnet::CifarResNet;
use crate::error::Result;
use crate::pass::Body;
use crate::resnet::ResNet;
use crate::slot::Slot;
use crate::vgg::Vgg;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use std::str::FromStr;

/// An architecture.
pub struct Architecture {
    /// Its name in configurations and records.
    pub name: &'static str,
    /// Its title in tables and figures.
    pub title: &'static str,
    /// A sentence about it.
    pub summary: &'static str,
    build: fn(&mut Builder<'_>, usize) -> Result<Box<dyn Body>>,
}

/// All architectures.
pub static REGISTRY: &[Architecture] = &[
    Architecture {
        name: "resnet18",
        title: "ResNet18",
        summary: "torchvision's ResNet-18: 7x7 stem of stride 2, 3x3 maximum pooling, basic blocks (2, 2, 2, 2)",
        build: |builder, classes| Ok(Box::new(ResNet::basic(builder, [2, 2, 2, 2], classes)?)),
    },
    Architecture {
        name: "resnet152",
        title: "ResNet152",
        summary: "torchvision's ResNet-152: the same stem, bottlenecks (3, 8, 36, 3)",
        build: |builder, classes| {
            Ok(Box::new(ResNet::bottleneck(
                builder,
                [3, 8, 36, 3],
                classes,
            )?))
        },
    },
    Architecture {
        name: "vgg16",
        title: "VGG16",
        summary: "torchvision's VGG-16 without batch normalisation: thirteen 3x3 convolutions, five 2x2 poolings, three linear layers",
        build: |builder, classes| Ok(Box::new(Vgg::new(builder, classes)?)),
    },
    Architecture {
        name: "resnet20",
        title: "ResNet20",
        summary: "the CIFAR-style ResNet-20: 3x3 stem, three stages of 16, 32 and 64 channels, option-A shortcuts",
        build: |builder, classes| Ok(Box::new(CifarResNet::new(builder, 3, classes)?)),
    },
];

/// One of the [`REGISTRY`], at full width or with fewer channels. It is read and written as its name.
#[derive(Clone, Copy, PartialEq)]
pub struct Model {
    architecture: &'static Architecture,
    width: Width,
}

impl Model {
    /// All models.
    pub fn all() -> impl Iterator<Item = Self> {
        REGISTRY.iter().map(|architecture| Self {
            architecture,
            width: Width::FULL,
        })
    }

    /// The same layers with `share` of the channels, for machines that are too small for the whole network.
    ///
    /// # Panics
    /// If `share` is not in `(0, 1]`.
    pub fn with_width(self, share: f64) -> Self {
        assert!(share > 0.0 && share <= 1.0, "a share of {share}");
        Self {
            width: Width(share),
            ..self
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.architecture.name
    }

    /// Its entry in the registry.
    pub fn architecture(self) -> &'static Architecture {
        self.architecture
    }

    /// The number of elements of all its tensors for `classes` classes, with buffers.
    ///
    /// # Errors
    /// If it cannot have that many classes.
    pub fn elements(self, classes: usize) -> Result<usize> {
        let slots = self.slots(classes)?;
        Ok(slots
            .iter()
            .map(|slot| slot.shape.iter().product::<usize>())
            .sum())
    }

    pub(crate) fn builder(self, source: Source<'_>) -> Builder<'_> {
        Builder::new(source, self.width)
    }

    pub(crate) fn build(self, builder: &mut Builder<'_>, classes: usize) -> Result<Box<dyn Body>> {
        (self.architecture.build)(builder, classes)
    }

    /// The names of the weight and the bias of the classifier, the linear layer that gives the logits.
    ///
    /// # Errors
    /// If the network cannot have that many classes.
    pub fn head(self, classes: usize) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.slots(classes)?.into_iter().map(|s| s.name).collect();
        Ok(names.split_off(names.len() - 2))
    }

    /// The names of its parameters and buffers, in the order of the forward pass.
    ///
    /// # Errors
    /// If the network cannot have that many classes.
    pub fn parameters(self, classes: usize) -> Result<Vec<String>> {
        let slots = self.slots(classes)?.into_iter();
        Ok(slots.map(|slot| slot.name).collect())
    }

    /// Its tensors, in the order of the forward pass.
    pub(crate) fn slots(self, classes: usize) -> Result<Vec<Slot>> {
        let mut builder = self.builder(Source::Declared);
        self.build(&mut builder, classes)?;
        Ok(builder.slots)
    }
}

impl PartialEq for Architecture {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

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

/// No model has that name.
#[derive(Debug, thiserror::Error)]
#[error("unknown model `{0}`; {1}")]
pub struct Unknown(String, String);

impl FromStr for Model {
    type Err = Unknown;

    fn from_str(name: &str) -> std::result::Result<Self, Unknown> {
        let names: Vec<&str> = Self::all().map(Self::name).collect();
        Self::all()
            .find(|model| model.name() == name)
            .ok_or_else(|| Unknown(name.into(), brink_config::nearest::hint(name, &names)))
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
