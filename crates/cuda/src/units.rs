//! The weights of a network on a GPU. Each is packed and uploaded once, when a pass first needs it.

use crate::error::Result;
use crate::gpu::Gpu;
use crate::memory::Buffer;
use crate::session::Session;
use brink_ops::trace::{Backward, Elements, Product};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a unit applies to its sums.
pub(crate) struct Vectors {
    pub bias: Option<Buffer>,
    pub scale: Option<Buffer>,
    pub shift: Option<Buffer>,
}

/// A unit's forward weights.
pub(crate) struct Layer {
    pub panels: Buffer,
    pub vectors: Vectors,
    /// In f64.
    pub wide: bool,
    /// Keeps the unit, and with it its identity.
    _unit: Product,
}

/// The weights of a unit's input gradient.
pub(crate) enum Back {
    Panels(Buffer),
    /// `(kh * kw, o, c)`.
    Patches(Buffer),
}

/// The units of a network.
#[derive(Default)]
pub(crate) struct Units {
    layers: Mutex<HashMap<usize, Arc<Layer>>>,
    /// By identity, and whether without the scale.
    backs: Mutex<HashMap<(usize, bool), Arc<Back>>>,
}

fn locked<T>(cell: &Mutex<T>) -> MutexGuard<'_, T> {
    // Entries are inserted whole.
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Units {
    /// The forward weights of `product`.
    pub fn layer(&self, gpu: &Gpu, product: &Product) -> Result<Arc<Layer>> {
        if let Some(layer) = locked(&self.layers).get(&product.identity()) {
            return Ok(layer.clone());
        }
        let session = gpu.session()?;
        let vector = |elements: Option<Elements<'_>>| {
            elements
                .map(|elements| upload(&session, elements))
                .transpose()
        };
        let layer = Arc::new(Layer {
            panels: upload(&session, product.forward())?,
            vectors: Vectors {
                bias: vector(product.bias())?,
                scale: vector(product.scale())?,
                shift: vector(product.shift())?,
            },
            wide: matches!(product.forward(), Elements::F64(_)),
            _unit: product.clone(),
        });
        let mut layers = locked(&self.layers);
        Ok(layers.entry(product.identity()).or_insert(layer).clone())
    }

    /// The weights of the input gradient of `product`, without its scale if `raw`.
    pub fn back(&self, gpu: &Gpu, product: &Product, raw: bool) -> Result<Arc<Back>> {
        // Without a scale, both are the same.
        let key = (product.identity(), raw && product.scale().is_some());
        if let Some(back) = locked(&self.backs).get(&key) {
            return Ok(back.clone());
        }
        // Packing uses rayon's threads, so it comes before the session.
        let packed = product.backward(key.1)?;
        let back = match packed {
            None => unreachable!("a trace has no patches in f64"),
            Some(Backward::Panels(panels)) => Back::Panels(upload(&gpu.session()?, panels)?),
            Some(Backward::Patches { kernels, width }) => {
                let by_tap = by_tap(kernels, width, product);
                Back::Patches(gpu.session()?.upload(&by_tap)?)
            }
        };
        let mut backs = locked(&self.backs);
        Ok(backs.entry(key).or_insert(Arc::new(back)).clone())
    }
}

fn upload(session: &Session<'_>, elements: Elements<'_>) -> Result<Buffer> {
    match elements {
        Elements::F32(elements) => session.upload(elements),
        Elements::F64(elements) => session.upload(elements),
    }
}

/// `kernels (o, width)`, each `(kh * kw, c)` with padding behind, as `(kh * kw, o, c)`.
fn by_tap(kernels: &[f32], width: usize, product: &Product) -> Vec<f32> {
    let sizes = product.geometry();
    let ((c, _), (kh, kw)) = (sizes.channels, sizes.window.kernel);
    let tap = |tap: usize| {
        let patches = kernels.chunks_exact(width);
        patches.flat_map(move |patch| patch[tap * c..][..c].iter().copied())
    };
    (0..kh * kw).flat_map(tap).collect()
}
