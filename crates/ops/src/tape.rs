//! Reverse-mode differentiation of this crate's operations.
//!
//! Candle's own graph adds each gradient to a fresh tensor of zeros, on a second pool of spinning threads. For small maps that costs as
//! much as the products. A [`Tape`] moves a gradient. If several meet, the product of the last one adds the others in its epilogue. It
//! applies ReLU masks there, too: **a gradient arrives masked**, so no operation needs a pass for the ReLU at its end.
//!
//! [`node`] makes a recorded computation one node of candle's graph, so that losses can use candle's operations. [`Tape::trace`] describes a
//! recording as data, for an executor on another device.

use crate::elementwise::zip;
use crate::kernel::masked_by;
use crate::tensor::{View, by_dtype};
use crate::trace::Described;
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, TensorId, bail};
use std::collections::{HashMap, HashSet};

/// An operation on a tape.
pub(crate) trait Operation: Send + Sync {
    /// Adds the gradients of the wanted inputs to `grads`. `grad` is the gradient of `output`, before its ReLU if it has one.
    fn backward(
        &self,
        inputs: &[Tensor],
        output: &Tensor,
        grad: Tensor,
        grads: &mut Gradients,
    ) -> Result<()>;

    /// The operation as data. `None` if there is no form for it.
    fn describe(&self, _inputs: &[Tensor], _output: &Tensor) -> Result<Option<Described>> {
        Ok(None)
    }
}

struct Node {
    operation: Box<dyn Operation>,
    inputs: Vec<Tensor>,
    output: Tensor,
}

/// The operations of a forward pass, in order, as far as gradients need them.
#[derive(Default)]
pub struct Tape {
    recording: bool,
    nodes: Vec<Node>,
    tracked: HashSet<TensorId>,
    rectified: HashSet<TensorId>,
}

impl Tape {
    /// Records everything that depends on a variable or on a [watched](Tape::watch) tensor.
    pub fn recording() -> Self {
        Self {
            recording: true,
            ..Self::default()
        }
    }

    /// Records nothing: for answers without gradients. Maps are freed after their last use.
    pub fn off() -> Self {
        Self::default()
    }

    /// Whether it records.
    pub fn is_recording(&self) -> bool {
        self.recording
    }

    /// Requests the gradient of `x`, as of a variable. `x` must be contiguous: otherwise the operations use a copy, which is another tensor.
    pub fn watch(&mut self, x: &Tensor) {
        self.tracked.insert(x.id());
    }

    fn tracks(&self, x: &Tensor) -> bool {
        x.is_variable() || self.tracked.contains(&x.id())
    }

    /// The recorded operations in order, with their inputs and outputs.
    pub(crate) fn noted(&self) -> impl Iterator<Item = (&dyn Operation, &[Tensor], &Tensor)> {
        let nodes = self.nodes.iter();
        nodes.map(|node| (&*node.operation, &node.inputs[..], &node.output))
    }

    /// Whether a ReLU made `x`.
    pub(crate) fn is_rectified(&self, x: &Tensor) -> bool {
        self.rectified.contains(&x.id())
    }

    /// Records that `operation` made `output` from `inputs`. Its last step is a ReLU if `relu`.
    pub(crate) fn note(
        &mut self,
        operation: impl Operation + 'static,
        inputs: &[&Tensor],
        output: Tensor,
        relu: bool,
    ) -> Tensor {
        if self.recording && inputs.iter().any(|x| self.tracks(x)) {
            self.tracked.insert(output.id());
            if relu {
                self.rectified.insert(output.id());
            }
            self.nodes.push(Node {
                operation: Box::new(operation),
                inputs: inputs.iter().map(|&x| x.clone()).collect(),
                output: output.clone(),
            });
        }
        output
    }

    /// The gradients of all variables and watched tensors, from the gradients of `outputs`.
    ///
    /// # Errors
    /// If an output and its gradient differ in shape.
    pub fn backward<'a>(
        &self,
        outputs: impl IntoIterator<Item = (&'a Tensor, Tensor)>,
    ) -> Result<Gradients> {
        let mut grads = Gradients {
            tracked: self.tracked.clone(),
            rectified: self.rectified.clone(),
            ..Gradients::default()
        };
        for (output, grad) in outputs {
            if output.shape() != grad.shape() {
                bail!(
                    "an output of shape {:?} has a gradient of shape {:?}",
                    output.shape(),
                    grad.shape()
                );
            }
            grads.add(output, grad.contiguous()?)?;
        }
        for node in self.nodes.iter().rev() {
            if let Some(grad) = grads.take(&node.output)? {
                node.operation
                    .backward(&node.inputs, &node.output, grad, &mut grads)?;
            }
        }
        Ok(grads)
    }
}

/// The gradients of a backward pass, by tensor.
#[derive(Default)]
pub struct Gradients {
    sums: HashMap<TensorId, Sum>,
    tracked: HashSet<TensorId>,
    rectified: HashSet<TensorId>,
    /// The gradients of candle's own graph.
    composed: Option<GradStore>,
}

/// The gradient of a tensor so far, and whether the mask of the tensor's ReLU was applied.
struct Sum {
    grad: Tensor,
    masked: bool,
}

impl From<GradStore> for Gradients {
    /// The gradients of candle's own graph.
    fn from(store: GradStore) -> Self {
        Self {
            composed: Some(store),
            ..Self::default()
        }
    }
}

impl Gradients {
    /// The gradient of a variable or a watched tensor, if the outputs depend on it.
    pub fn get(&self, x: &Tensor) -> Option<&Tensor> {
        match &self.composed {
            Some(store) => store.get(x),
            None => self.sums.get(&x.id()).map(|sum| &sum.grad),
        }
    }

    /// Whether the gradient of `x` is needed.
    pub(crate) fn wants(&self, x: &Tensor) -> bool {
        x.is_variable() || self.tracked.contains(&x.id())
    }

    /// Adds `grad` to the gradient of `x`.
    pub(crate) fn add(&mut self, x: &Tensor, grad: Tensor) -> Result<()> {
        let grad = match self.sums.remove(&x.id()) {
            None => grad,
            Some(sum) => (sum.grad + grad)?,
        };
        let masked = false;
        self.sums.insert(x.id(), Sum { grad, masked });
        Ok(())
    }

    /// Replaces the gradient of `x` by the result of `with`. It gets the sum so far, adds to it, and applies the mask `x > 0` if the flag is set.
    pub(crate) fn fuse(
        &mut self,
        x: &Tensor,
        with: impl FnOnce(Option<&Tensor>, bool) -> Result<Tensor>,
    ) -> Result<()> {
        let so_far = self.sums.remove(&x.id()).map(|sum| sum.grad);
        let masked = self.rectified.contains(&x.id());
        let grad = with(so_far.as_ref(), masked)?;
        self.sums.insert(x.id(), Sum { grad, masked });
        Ok(())
    }

    /// The whole gradient of an operation's output, before its ReLU.
    fn take(&mut self, output: &Tensor) -> Result<Option<Tensor>> {
        let Some(sum) = self.sums.remove(&output.id()) else {
            return Ok(None);
        };
        if sum.masked || !self.rectified.contains(&output.id()) {
            return Ok(Some(sum.grad));
        }
        masked(output, &sum.grad).map(Some)
    }
}

/// `grad` where the output `y` of a ReLU is positive, otherwise 0.
fn masked(y: &Tensor, grad: &Tensor) -> Result<Tensor> {
    by_dtype!(y.dtype(), T => {
        let dx = zip(View::of(grad).elements::<T>()?, View::of(y).elements::<T>()?, masked_by);
        Tensor::from_vec(dx, y.shape(), y.device())
    })
}

/// Runs `record` as one node of candle's graph. If candle tracks `x`, the outputs have gradients with respect to `x`. Everything else
/// that `record` uses is constant.
///
/// # Errors
/// Those of `record`.
pub fn node<const N: usize, E: From<candle_core::Error>>(
    x: &Tensor,
    record: impl FnOnce(&mut Tape, &Tensor) -> std::result::Result<[Tensor; N], E>,
) -> std::result::Result<[Tensor; N], E> {
    if !x.track_op() {
        return record(&mut Tape::off(), x);
    }
    let mut tape = Tape::recording();
    let inside = x.detach().contiguous()?;
    tape.watch(&inside);
    let outputs = record(&mut tape, &inside)?;
    Ok(rejoin(x, tape, inside, outputs)?)
}

/// Candle's nodes have one output, so the outputs of a recording are concatenated.
fn rejoin<const N: usize>(
    x: &Tensor,
    tape: Tape,
    inside: Tensor,
    outputs: [Tensor; N],
) -> Result<[Tensor; N]> {
    let ends: Vec<Tensor> = outputs
        .iter()
        .map(Tensor::flatten_all)
        .collect::<Result<_>>()?;
    let whole = x.apply_op1(Recorded {
        inside,
        outputs: outputs.to_vec(),
        whole: Tensor::cat(&ends, 0)?,
        tape,
    })?;
    let mut start = 0;
    let mut split = outputs;
    for output in &mut split {
        let len = output.elem_count();
        *output = whole.narrow(0, start, len)?.reshape(output.shape())?;
        start += len;
    }
    Ok(split)
}

/// A recorded computation as an operation of candle.
struct Recorded {
    inside: Tensor,
    outputs: Vec<Tensor>,
    whole: Tensor,
    tape: Tape,
}

impl CustomOp1 for Recorded {
    fn name(&self) -> &'static str {
        "recorded"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        by_dtype!(self.whole.dtype(), T => {
            let storage = crate::tensor::result::<T>(View::of(&self.whole).elements::<T>()?.to_vec(), self.whole.shape())?;
            Ok(storage)
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut start = 0;
        let mut seeds = Vec::with_capacity(self.outputs.len());
        for output in &self.outputs {
            let len = output.elem_count();
            let grad = grad.narrow(0, start, len)?.reshape(output.shape())?;
            seeds.push((output, grad));
            start += len;
        }
        let grads = self.tape.backward(seeds)?;
        match grads.get(&self.inside) {
            Some(grad) => Ok(Some(grad.clone())),
            None => x.zeros_like().map(Some),
        }
    }
}
