//! The data set of a target: a name of the registry, or a place of one's own.

use std::fmt;

use brink_data::{Id, Own};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The data set of a target.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ImageSet {
    /// A set of the registry.
    Registered(Id),
    /// A set of one's own.
    Own(Own),
}

impl<'de> Deserialize<'de> for ImageSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrPlace)
    }
}

struct NameOrPlace;

impl<'de> Visitor<'de> for NameOrPlace {
    type Value = ImageSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = brink_data::REGISTRY.iter().map(|info| info.name).collect();
        write!(
            f,
            "{} or {{folder, parquet, npz, idx or cifar100: a path, image, label, size, test}}",
            names.join(" | ")
        )
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ImageSet, E> {
        Id::deserialize(StrDeserializer::new(name)).map(ImageSet::Registered)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<ImageSet, A::Error> {
        Own::deserialize(MapAccessDeserializer::new(fields)).map(ImageSet::Own)
    }
}
