//! The tables of plans on a GPU. Networks of one architecture share them.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::memory::Buffer;
use brink_ops::trace::{Direction, Geometry};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A plan's tables, see [`brink_ops::trace::Table`].
pub(crate) struct Table {
    pub classes: Buffer,
    pub places: Buffer,
    pub steps: Buffer,
    /// The positions of each class.
    pub positions: Vec<usize>,
    pub image: (usize, usize),
    pub right: (usize, usize),
    /// Whether four steps in a row are four numbers in a row.
    pub fours: bool,
}

/// The tables of a weight's gradient, see [`brink_ops::trace::GradientTable`].
pub(crate) struct GradientTable {
    pub classes: Buffer,
    pub places: Buffer,
    pub offsets: Buffer,
    /// The positions of each class.
    pub positions: Vec<usize>,
    pub image: (usize, usize),
    pub right: (usize, usize),
}

/// All tables of a GPU.
#[derive(Default)]
pub(crate) struct Tables {
    products: Known<(Geometry, Direction), Table>,
    gradients: Known<Geometry, GradientTable>,
}

struct Known<K, T>(Mutex<HashMap<K, Arc<T>>>);

impl<K, T> Default for Known<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T> Known<K, T> {
    fn all(&self) -> MutexGuard<'_, HashMap<K, Arc<T>>> {
        // A table is inserted whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table of `key`, which `make` makes the first time.
    fn of(&self, key: K, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        if let Some(table) = self.all().get(&key) {
            return Ok(table.clone());
        }
        let table = Arc::new(make()?);
        Ok(self.all().entry(key).or_insert(table).clone())
    }
}

impl Tables {
    /// The tables of one direction of a product.
    pub fn product(&self, gpu: &Gpu, sizes: Geometry, direction: Direction) -> Result<Arc<Table>> {
        self.products.of((sizes, direction), || {
            let table = sizes.table(direction).ok_or(TOO_LARGE)?;
            let session = gpu.session()?;
            Ok(Table {
                positions: positions(table.classes.iter().map(|class| class[0])),
                classes: session.upload(&table.classes)?,
                places: session.upload(&table.places)?,
                steps: session.upload(&table.steps)?,
                image: table.image,
                right: table.right,
                fours: table.channels.is_multiple_of(4),
            })
        })
    }

    /// The tables of its weights' gradient.
    pub fn gradient(&self, gpu: &Gpu, sizes: Geometry) -> Result<Arc<GradientTable>> {
        self.gradients.of(sizes, || {
            let table = sizes.gradient().ok_or(TOO_LARGE)?;
            let session = gpu.session()?;
            Ok(GradientTable {
                positions: positions(table.classes.iter().map(|class| class[0])),
                classes: session.upload(&table.classes)?,
                places: session.upload(&table.places)?,
                offsets: session.upload(&table.offsets)?,
                image: table.image,
                right: table.right,
            })
        })
    }
}

const TOO_LARGE: Error = Error::TooLarge { what: "a map" };

fn positions(counts: impl Iterator<Item = i32>) -> Vec<usize> {
    counts.map(|count| count as usize).collect()
}
