//! How a grid names a set of one's own.

use std::path::{Path, PathBuf};

use brink_config::checked::{Edge, Minority};
use serde::{Deserialize, Serialize};

/// A set of one's own in a grid, e.g. `{ folder: photographs, size: 64 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Own {
    /// Where its images are.
    pub place: Place,
    /// The side that all images are resized to, in pixels. If absent, they must have equal sizes, and keep them.
    pub size: Option<Edge>,
    /// The share of each class that becomes test images. If absent, a fifth. A set with a test part of its own has no share.
    pub test: Option<Minority>,
}

/// Where the images of a set are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder with one folder of image files per class, or with two such folders, `train` and `test`.
    Folder(PathBuf),
    /// A Parquet file.
    Parquet {
        /// The file.
        file: PathBuf,
        /// The column of encoded images: bytes, or a struct with a field `bytes`.
        image: String,
        /// The column of labels.
        label: String,
    },
    /// A file of NumPy's `savez`.
    Npz(PathBuf),
    /// A folder with the four files of MNIST.
    Idx(PathBuf),
    /// A folder with `train.bin` and `test.bin` of CIFAR-100, binary version.
    Cifar100(PathBuf),
}

impl Own {
    /// The path as in the grid.
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Parquet { file: path, .. }
            | Place::Folder(path)
            | Place::Npz(path)
            | Place::Idx(path)
            | Place::Cifar100(path) => path,
        }
    }

    /// The same settings without the path. The content of the files stands for it in ids.
    #[must_use]
    pub fn without_path(mut self) -> Self {
        match &mut self.place {
            Place::Parquet { file: path, .. }
            | Place::Folder(path)
            | Place::Npz(path)
            | Place::Idx(path)
            | Place::Cifar100(path) => path.clear(),
        }
        self
    }
}

/// The fields in a grid file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parquet: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    npz: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idx: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cifar100: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<Edge>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test: Option<Minority>,
}

impl TryFrom<Fields> for Own {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let columns = fields.image.is_some() || fields.label.is_some();
        let parquet = fields.parquet.map(|file| Place::Parquet {
            file,
            image: fields.image.unwrap_or_else(|| "image".to_owned()),
            label: fields.label.unwrap_or_else(|| "label".to_owned()),
        });
        if columns && parquet.is_none() {
            return Err("only a Parquet file has columns; delete `image` and `label`");
        }
        let places = [
            fields.folder.map(Place::Folder),
            parquet,
            fields.npz.map(Place::Npz),
            fields.idx.map(Place::Idx),
            fields.cifar100.map(Place::Cifar100),
        ];
        let mut places = places.into_iter().flatten();
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(Self {
                place,
                size: fields.size,
                test: fields.test,
            }),
            _ => Err("name one place of images: `folder`, `parquet`, `npz`, `idx` or `cifar100`"),
        }
    }
}

impl From<Own> for Fields {
    fn from(own: Own) -> Self {
        let mut fields = Self {
            size: own.size,
            test: own.test,
            ..Self::default()
        };
        match own.place {
            Place::Folder(path) => fields.folder = Some(path),
            Place::Parquet { file, image, label } => {
                fields.parquet = Some(file);
                fields.image = Some(image);
                fields.label = Some(label);
            }
            Place::Npz(path) => fields.npz = Some(path),
            Place::Idx(path) => fields.idx = Some(path),
            Place::Cifar100(path) => fields.cifar100 = Some(path),
        }
        fields
    }
}
