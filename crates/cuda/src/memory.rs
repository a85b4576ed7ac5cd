//! The GPU's memory: a pool within a budget. A block that is dropped is kept for the next request of its size, because each iteration makes
//! the same maps. The work of a GPU is in one stream, so a block may be used again before the work that reads it is over.

use crate::driver::{Driver, Handle, OUT_OF_MEMORY};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much of a GPU's memory may be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Memory {
    /// A share of what is free when the GPU is opened.
    Share(f64),
    /// So many bytes.
    Bytes(usize),
}

impl Default for Memory {
    fn default() -> Self {
        Self::Share(0.9)
    }
}

/// A handle of the driver.
#[derive(Clone, Copy)]
pub(crate) struct Shared(pub Handle);

// SAFETY: the driver's objects may be used on any thread, as long as their context is current there. No one looks into them here.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// The memory of a GPU.
pub(crate) struct Pool {
    driver: Arc<Driver>,
    context: Shared,
    stream: Shared,
    budget: usize,
    blocks: Mutex<Blocks>,
}

#[derive(Default)]
struct Blocks {
    /// Addresses by size.
    free: BTreeMap<usize, Vec<u64>>,
    /// Bytes of all blocks, and of the free ones among them.
    held: usize,
    unused: usize,
}

impl Pool {
    pub fn new(driver: Arc<Driver>, [context, stream]: [Shared; 2], budget: usize) -> Self {
        let blocks = Mutex::default();
        Self {
            driver,
            context,
            stream,
            budget,
            blocks,
        }
    }

    pub fn budget(&self) -> usize {
        self.budget
    }

    /// Bytes that can still be asked for.
    pub fn left(&self) -> usize {
        let blocks = self.blocks();
        self.budget.saturating_sub(blocks.held - blocks.unused)
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        // The numbers are changed together, without a panic between them.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block. The GPU's context must be current.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Result<Buffer> {
        let bytes = bytes.max(1);
        let mut blocks = self.blocks();
        let again = blocks.free.get_mut(&bytes).and_then(Vec::pop);
        let address = match again {
            Some(address) => {
                blocks.unused -= bytes;
                address
            }
            None => {
                if blocks.held + bytes > self.budget {
                    self.release(&mut blocks);
                }
                let (budget, need) = (self.budget, blocks.held + bytes);
                if need > budget {
                    return Err(Error::OutOfMemory { need, budget });
                }
                let address = match self.allocate(bytes) {
                    Err(Error::OutOfMemory { .. }) => {
                        // Another program has taken memory meanwhile.
                        self.release(&mut blocks);
                        self.allocate(bytes)
                    }
                    other => other,
                };
                let address = address.map_err(|error| match error {
                    Error::OutOfMemory { .. } => Error::OutOfMemory {
                        need: blocks.held + bytes,
                        budget: blocks.held,
                    },
                    other => other,
                })?;
                blocks.held += bytes;
                address
            }
        };
        Ok(Buffer {
            address,
            bytes,
            owner: Owner::Pool(self.clone()),
        })
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        let mut address = 0;
        // SAFETY: the driver writes one address.
        let code = unsafe { (self.driver.mem_alloc)(&mut address, bytes) };
        if code == OUT_OF_MEMORY {
            let budget = self.budget;
            return Err(Error::OutOfMemory {
                need: bytes,
                budget,
            });
        }
        self.driver.check("cuMemAlloc", code)?;
        Ok(address)
    }

    /// Gives the free blocks back to the driver, after the work that may use them.
    fn release(&self, blocks: &mut Blocks) {
        // SAFETY: the stream lives as long as the process. If the work has failed, so will the next call, which says so.
        unsafe { (self.driver.stream_synchronize)(self.stream.0) };
        for (bytes, addresses) in std::mem::take(&mut blocks.free) {
            for address in addresses {
                // SAFETY: the address came from `allocate`, and no buffer has it.
                unsafe { (self.driver.mem_free)(address) };
                (blocks.held, blocks.unused) = (blocks.held - bytes, blocks.unused - bytes);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: the context lives as long as the process. Every buffer holds the pool, so all blocks are free.
        unsafe { (self.driver.set_current)(self.context.0) };
        let mut blocks = std::mem::take(&mut *self.blocks());
        self.release(&mut blocks);
    }
}

/// What a pass would need, counted without a GPU.
#[derive(Default)]
pub(crate) struct Count {
    /// Bytes now, and the most at any time.
    bytes: Mutex<(usize, usize)>,
}

impl Count {
    fn bytes(&self) -> MutexGuard<'_, (usize, usize)> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn most(&self) -> usize {
        self.bytes().1
    }

    pub fn take(self: &Arc<Self>, bytes: usize) -> Buffer {
        let bytes = bytes.max(1);
        let mut counted = self.bytes();
        counted.0 += bytes;
        counted.1 = counted.1.max(counted.0);
        Buffer {
            address: 0,
            bytes,
            owner: Owner::Count(self.clone()),
        }
    }
}

/// A block of memory, which returns to its pool.
pub(crate) struct Buffer {
    address: u64,
    bytes: usize,
    owner: Owner,
}

enum Owner {
    Pool(Arc<Pool>),
    Count(Arc<Count>),
}

impl Buffer {
    pub fn address(&self) -> u64 {
        self.address
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        match &self.owner {
            Owner::Pool(pool) => {
                let mut blocks = pool.blocks();
                blocks.unused += self.bytes;
                blocks
                    .free
                    .entry(self.bytes)
                    .or_default()
                    .push(self.address);
            }
            Owner::Count(count) => count.bytes().0 -= self.bytes,
        }
    }
}
