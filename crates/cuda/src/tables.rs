//! The tables of plans on a GPU. Networks of one architecture share them.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::memory::Buffer;
use brink_ops::Window;
use brink_ops::trace::{Direction, Product};
use std::collections::HashMap;
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

type Key = (Window, (usize, usize), (usize, usize), Direction);

/// All tables of a GPU.
#[derive(Default)]
pub(crate) struct Tables(Mutex<HashMap<Key, Arc<Table>>>);

impl Tables {
    fn known(&self) -> MutexGuard<'_, HashMap<Key, Arc<Table>>> {
        // A table is inserted whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tables of one direction of `product`.
    pub fn of(&self, gpu: &Gpu, product: &Product, direction: Direction) -> Result<Arc<Table>> {
        let key = (
            product.window(),
            product.map(),
            product.channels(),
            direction,
        );
        if let Some(table) = self.known().get(&key) {
            return Ok(table.clone());
        }
        let Some(table) = product.table(direction)? else {
            return Err(Error::TooLarge { what: "a map" });
        };
        let session = gpu.session()?;
        let table = Arc::new(Table {
            positions: table
                .classes
                .iter()
                .map(|class| class[0] as usize)
                .collect(),
            classes: session.upload(&table.classes)?,
            places: session.upload(&table.places)?,
            steps: session.upload(&table.steps)?,
            image: table.image,
            right: table.right,
            fours: table.channels.is_multiple_of(4),
        });
        Ok(self.known().entry(key).or_insert(table).clone())
    }
}
