//! All architectures, in one slice.

use crate::access::Access;
use crate::builder::{Builder, Source, Width};
use crate::cifar_resnet::CifarResNet;
use crate::error::Result;
use crate::foreign::{Foreign, ForeignBody};
use crate::mobilenet::MobileNetV2;
use crate::pass::Body;
use crate::resnet::{Form, ResNet};
use crate::slot::Slot;
use crate::vgg::{self, Vgg};
use crate::vit::Vit;
use crate::weights::{Weights, is_buffer};
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
    layers: Layers,
}

/// What builds the layers.
enum Layers {
    /// A function of this crate.
    Own(fn(&mut Builder<'_>, usize) -> Result<Box<dyn Body>>),
    /// Another engine.
    Foreign(Box<dyn Foreign>),
}

/// Declares the registry. An entry is a name, a title, a summary, and what builds the layers for `n` classes.
macro_rules! registry {
    ($($name:literal, $title:literal, $summary:literal => $layers:expr;)*) => {
        /// All architectures.
        pub static REGISTRY: &[Architecture] = &[$(Architecture {
            name: $name,
            title: $title,
            summary: $summary,
            layers: Layers::Own(|builder, classes| Ok(Box::new(($layers)(builder, classes)?))),
        }),*];
    };
}

registry! {
    "resnet18", "ResNet18", "torchvision's ResNet-18: 7x7 stem of stride 2, 3x3 maximum pooling, basic blocks (2, 2, 2, 2)"
        => |b, n| ResNet::new(b, &Form::basic([2, 2, 2, 2]), n);
    "resnet34", "ResNet34", "torchvision's ResNet-34: basic blocks (3, 4, 6, 3)"
        => |b, n| ResNet::new(b, &Form::basic([3, 4, 6, 3]), n);
    "resnet50", "ResNet50", "torchvision's ResNet-50: bottlenecks (3, 4, 6, 3)"
        => |b, n| ResNet::new(b, &Form::bottleneck([3, 4, 6, 3]), n);
    "resnet101", "ResNet101", "torchvision's ResNet-101: bottlenecks (3, 4, 23, 3)"
        => |b, n| ResNet::new(b, &Form::bottleneck([3, 4, 23, 3]), n);
    "resnet152", "ResNet152", "torchvision's ResNet-152: the same stem, bottlenecks (3, 8, 36, 3)"
        => |b, n| ResNet::new(b, &Form::bottleneck([3, 8, 36, 3]), n);
    "vgg11", "VGG11", "torchvision's VGG-11 without batch normalisation: eight convolutions"
        => |b, n| Vgg::plain(b, vgg::A, n);
    "vgg13", "VGG13", "torchvision's VGG-13 without batch normalisation: ten convolutions"
        => |b, n| Vgg::plain(b, vgg::B, n);
    "vgg16", "VGG16", "torchvision's VGG-16 without batch normalisation: thirteen 3x3 convolutions, five 2x2 poolings, three linear layers"
        => |b, n| Vgg::plain(b, vgg::D, n);
    "vgg19", "VGG19", "torchvision's VGG-19 without batch normalisation: sixteen convolutions"
        => |b, n| Vgg::plain(b, vgg::E, n);
    "vgg11_bn", "VGG11-BN", "torchvision's VGG-11 with batch normalisation"
        => |b, n| Vgg::normalised(b, vgg::A, n);
    "vgg13_bn", "VGG13-BN", "torchvision's VGG-13 with batch normalisation"
        => |b, n| Vgg::normalised(b, vgg::B, n);
    "vgg16_bn", "VGG16-BN", "torchvision's VGG-16 with batch normalisation"
        => |b, n| Vgg::normalised(b, vgg::D, n);
    "vgg19_bn", "VGG19-BN", "torchvision's VGG-19 with batch normalisation"
        => |b, n| Vgg::normalised(b, vgg::E, n);
    "mobilenet_v2", "MobileNetV2", "torchvision's MobileNetV2: seventeen inverted residuals with depthwise convolutions, ReLU6"
        => |b, n| MobileNetV2::new(b, n);
    "vit-32", "ViT-32", "a small vision transformer for images of 32x32 pixels, in candle's operations: 4x4 patches, four blocks of four heads"
        => |b, n| Vit::body(b, n);
    "resnet18-3x3", "ResNet18-3x3", "ResNet-18 for small images, as in kuangliu's pytorch-cifar: 3x3 stem of stride 1, no maximum pooling"
        => |b, n| ResNet::new(b, &Form::basic([2, 2, 2, 2]).small(), n);
    "resnet34-3x3", "ResNet34-3x3", "ResNet-34 for small images, with the same stem"
        => |b, n| ResNet::new(b, &Form::basic([3, 4, 6, 3]).small(), n);
    "resnet20", "ResNet20", "the CIFAR-style ResNet-20: 3x3 stem, three stages of 16, 32 and 64 channels, option-A shortcuts"
        => |b, n| CifarResNet::new(b, 3, n);
    "resnet32", "ResNet32", "the CIFAR-style ResNet-32 with option-A shortcuts"
        => |b, n| CifarResNet::new(b, 5, n);
    "resnet44", "ResNet44", "the CIFAR-style ResNet-44 with option-A shortcuts"
        => |b, n| CifarResNet::new(b, 7, n);
    "resnet56", "ResNet56", "the CIFAR-style ResNet-56 with option-A shortcuts"
        => |b, n| CifarResNet::new(b, 9, n);
    "resnet110", "ResNet110", "the CIFAR-style ResNet-110 with option-A shortcuts"
        => |b, n| CifarResNet::new(b, 18, n);
    "resnet20-b", "ResNet20-B", "the CIFAR-style ResNet-20 with option-B shortcuts: 1x1 convolutions where the channels change"
        => |b, n| ResNet::new(b, &Form::cifar(3), n);
    "resnet32-b", "ResNet32-B", "the CIFAR-style ResNet-32 with option-B shortcuts"
        => |b, n| ResNet::new(b, &Form::cifar(5), n);
    "resnet44-b", "ResNet44-B", "the CIFAR-style ResNet-44 with option-B shortcuts"
        => |b, n| ResNet::new(b, &Form::cifar(7), n);
    "resnet56-b", "ResNet56-B", "the CIFAR-style ResNet-56 with option-B shortcuts"
        => |b, n| ResNet::new(b, &Form::cifar(9), n);
    "resnet110-b", "ResNet110-B", "the CIFAR-style ResNet-110 with option-B shortcuts"
        => |b, n| ResNet::new(b, &Form::cifar(18), n);
}

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

    /// A network that another engine runs, with its name and title. It is in no list, and is kept until the program ends.
    pub fn foreign(name: &'static str, title: &'static str, network: Box<dyn Foreign>) -> Self {
        let architecture = Architecture {
            name,
            title,
            summary: "a network that another engine runs",
            layers: Layers::Foreign(network),
        };
        Self {
            architecture: Box::leak(Box::new(architecture)),
            width: Width::FULL,
        }
    }

    /// The weights that it brings along, if another engine runs it.
    pub fn brought(self) -> Option<Weights> {
        match &self.architecture.layers {
            Layers::Own(_) => None,
            Layers::Foreign(network) => {
                Some(Weights::from_tensors(network.weights().iter().cloned()))
            }
        }
    }

    /// What can be had of it.
    ///
    /// # Errors
    /// If it cannot have that many classes.
    pub fn access(self, classes: usize) -> Result<Access> {
        let mut builder = self.builder(Source::Declared);
        Ok(self.build(&mut builder, classes)?.access())
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

    /// This network with the share of the channels that `other` has.
    pub(crate) fn as_wide_as(self, other: Self) -> Self {
        Self {
            width: other.width,
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

    /// The number of elements of its parameters for `classes` classes, without buffers.
    ///
    /// # Errors
    /// If it cannot have that many classes.
    pub fn size(self, classes: usize) -> Result<usize> {
        let slots = self.slots(classes)?.into_iter();
        Ok(slots
            .filter(|slot| !is_buffer(&slot.name))
            .map(|slot| slot.shape.iter().product::<usize>())
            .sum())
    }

    pub(crate) fn builder(self, source: Source<'_>) -> Builder<'_> {
        Builder::new(source, self.width)
    }

    pub(crate) fn build(self, builder: &mut Builder<'_>, classes: usize) -> Result<Box<dyn Body>> {
        match &self.architecture.layers {
            Layers::Own(build) => build(builder, classes),
            Layers::Foreign(network) => {
                Ok(Box::new(ForeignBody::new(&**network, builder, classes)?))
            }
        }
    }

    /// The names of the weight and the bias of the classifier, the linear layer that gives the logits.
    ///
    /// # Errors
    /// If the network cannot have that many classes.
    pub fn head(self, classes: usize) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.slots(classes)?.into_iter().map(|s| s.name).collect();
        Ok(names.split_off(names.len().saturating_sub(2)))
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
        let listed = |it: &Self| matches!(it.layers, Layers::Own(_));
        std::ptr::eq(self, other) || (listed(self) && listed(other) && self.name == other.name)
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
