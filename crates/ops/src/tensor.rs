//! From candle's tensors to the slices that the operations use.

use crate::kernel::Element;
use candle_core::{CpuStorage, Layout, Result, Shape, Storage, Tensor, bail};
use std::ops::Deref;

/// Runs `$body` with `$t` as the element type of `$dtype`, or fails if the type is not supported.
macro_rules! by_dtype {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                #[allow(unused_imports)]
                use crate::kernel::Real as _;
                type $t = f32;
                $body
            }
            candle_core::DType::F64 => {
                #[allow(unused_imports)]
                use crate::kernel::Real as _;
                type $t = f64;
                $body
            }
            other => candle_core::bail!("expected f32 or f64, got {other:?}"),
        }
    };
}
pub(crate) use by_dtype;

/// The elements of a contiguous storage.
pub(crate) fn elements<'a, T: Element>(
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<T>()?[from..to]),
        None => bail!(
            "expected a contiguous tensor, got strides {:?} for {:?}",
            layout.stride(),
            layout.shape()
        ),
    }
}

/// `tensor` as a constant that no optimiser changes. A tracked tensor may be a variable or a view of one, so it is copied.
pub(crate) fn constant(tensor: &Tensor) -> Result<Tensor> {
    match tensor.track_op() {
        true => Ok(tensor.copy()?.detach()),
        false => Ok(tensor.clone()),
    }
}

/// A tensor on the CPU, held for reading.
pub(crate) struct View<'a> {
    /// A read guard. Candle does not export its type.
    storage: Box<dyn Deref<Target = Storage> + 'a>,
    layout: &'a Layout,
}

impl<'a> View<'a> {
    pub fn of(tensor: &'a Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        Self {
            storage: Box::new(storage),
            layout,
        }
    }

    pub fn elements<T: Element>(&self) -> Result<&[T]> {
        match &**self.storage {
            Storage::Cpu(storage) => elements(storage, self.layout),
            _ => bail!("expected a tensor on the CPU"),
        }
    }
}

/// The result of an operation's forward pass.
pub(crate) fn result<T: Element>(
    data: Vec<T>,
    shape: impl Into<Shape>,
) -> Result<(CpuStorage, Shape)> {
    Ok((T::to_cpu_storage_owned(data), shape.into()))
}
