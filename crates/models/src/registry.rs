//! Every network there is, in one slice.

use crate::Result;
use crate::cifar_resnet::CifarResNet;
use crate::layers::{Builder, Slot, Source};
use crate::network::Body;
use crate::resnet::ResNet;
use crate::vgg::Vgg;
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

/// One of the [`REGISTRY`], in full or with fewer channels; reads and writes as its name.
#[derive(Clone, Copy, PartialEq)]
pub struct Model {
    architecture: &'static Architecture,
    width: Width,
}

/// Which share of an architecture's channels a network has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Width(f64);

impl Width {
    const FULL: Self = Self(1.0);

    /// How many channels are left of `full`: at least one.
    pub fn of(self, full: usize) -> usize {
        ((full as f64 * self.0).round() as usize).max(1)
    }
}

impl Model {
    /// All models.
    pub fn all() -> impl Iterator<Item = Self> {
        REGISTRY.iter().map(|architecture| Self {
            architecture,
            width: Width::FULL,
        })
    }

    /// The same layers with `share` of the channels, for work that the whole network is too large for.
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

    /// What is known about it.
    pub fn architecture(self) -> &'static Architecture {
        self.architecture
    }

    /// How many numbers its tensors have for `classes` classes, buffers among them.
    ///
    /// # Errors
    /// If it cannot have so many classes.
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

    /// The names of the tensors, weight and bias, of the linear layer that gives the logits of so many classes.
    ///
    /// # Errors
    /// If the network cannot have so many.
    pub fn head(self, classes: usize) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.slots(classes)?.into_iter().map(|s| s.name).collect();
        Ok(names.split_off(names.len() - 2))
    }

    /// The tensors it has, in the order of the forward pass.
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
