//! Where the elements of a tensor lie in a storage, and how they are read.

use crate::dtype::Dtype;
use crate::error::{BIG_ENDIAN, FLOAT, LITTLE_ENDIAN};
use crate::float::{self, Order};
use crate::{Error, Result, Tensor};
use half::{bf16, f16};

/// The most dimensions that a tensor can have in PyTorch.
const MAX_RANK: usize = 64;

/// The fix for views whose elements overlap.
const CONTIGUOUS: &str =
    r#"in Python, type `torch.save({k: v.clone() for k, v in state_dict.items()}, "weights.pth")`"#;
const DAMAGED: &str = "copy the file again";

/// A tensor within a storage. Offset, shape and strides count elements, not bytes.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub name: String,
    pub dtype: Dtype,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

impl View {
    /// A tensor in row-major order that begins at `offset`.
    pub fn contiguous(name: String, dtype: Dtype, offset: usize, shape: Vec<usize>) -> Self {
        let mut strides = vec![1usize; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis].saturating_mul(shape[axis].max(1));
        }
        Self {
            name,
            dtype,
            offset,
            shape,
            strides,
        }
    }

    /// Checks that the view lies within a storage of `length` elements and has a float type. Returns its number of elements.
    pub fn check(&self, length: usize) -> Result<usize> {
        let fail = |problem: &str, fix| Err(Error::tensor(&self.name, problem, fix));
        if let Dtype::Other { name, .. } = self.dtype {
            let problem = format!("is of type {name}, and weights must be floats");
            return fail(&problem, FLOAT);
        }
        if self.shape.len() != self.strides.len() || self.shape.len() > MAX_RANK {
            return fail("has an invalid shape", DAMAGED);
        }
        // A length of zero counts as one: code that computes strides multiplies the other lengths, and they must not overflow.
        let mut sides = self.shape.iter().map(|&side| side.max(1));
        let Some(count) = sides.try_fold(1usize, |n, side| n.checked_mul(side)) else {
            return fail("claims more elements than there can be", DAMAGED);
        };
        if self.shape.contains(&0) {
            return Ok(0);
        }
        let last = self
            .shape
            .iter()
            .zip(&self.strides)
            .try_fold(self.offset, |at, (&side, &stride)| {
                at.checked_add((side - 1).checked_mul(stride)?)
            });
        if last.is_none_or(|last| last >= length) {
            return fail("reaches beyond the end of its storage", DAMAGED);
        }
        // With overlapping elements, a small file could claim a huge tensor.
        if count > length {
            return fail("has elements that share their memory", CONTIGUOUS);
        }
        Ok(count)
    }

    /// Reads the tensor. `bytes` is its whole storage.
    ///
    /// # Errors
    /// If [`View::check`] fails, an element is not finite, or the elements are in the other byte order.
    pub fn read(&self, bytes: &[u8], order: Order) -> Result<Tensor> {
        let values = self.values(bytes, order);
        let doubtful = |values: &Vec<f32>| ordinary(values).is_some_and(|share| share < 0.5);
        if values.as_ref().map_or(true, doubtful)
            && let Ok(turned) = self.values(bytes, order.turned())
            && ordinary(&turned).is_some_and(|share| share > 0.99)
        {
            let problem = "has the other byte order than the file says";
            let fix = match order {
                Order::Little => BIG_ENDIAN,
                Order::Big => LITTLE_ENDIAN,
            };
            return Err(Error::tensor(&self.name, problem, fix));
        }
        Ok(Tensor {
            shape: self.shape.clone(),
            dtype: self.dtype.name(),
            values: values?,
        })
    }

    fn values(&self, bytes: &[u8], order: Order) -> Result<Vec<f32>> {
        match self.dtype {
            Dtype::F16 => self.gather(bytes, order, |b| f16::from_le_bytes(b).to_f64()),
            Dtype::BF16 => self.gather(bytes, order, |b| bf16::from_le_bytes(b).to_f64()),
            Dtype::F32 => self.gather(bytes, order, |b| f32::from_le_bytes(b).into()),
            Dtype::F64 => self.gather(bytes, order, f64::from_le_bytes),
            Dtype::Other { .. } => Err(self.check(0).err().unwrap_or(Error::Empty)),
        }
    }

    /// The elements in row-major order.
    fn gather<const N: usize>(
        &self,
        bytes: &[u8],
        order: Order,
        decode: impl Fn([u8; N]) -> f64,
    ) -> Result<Vec<f32>> {
        let count = self.check(bytes.len() / N)?;
        let mut values = Vec::with_capacity(count);
        if count == 0 {
            return Ok(values);
        }
        // Contiguous inner dimensions are read in one run.
        let (mut inner, mut run) = (self.shape.len(), 1);
        while inner > 0 && (self.strides[inner - 1] == run || self.shape[inner - 1] == 1) {
            inner -= 1;
            run *= self.shape[inner];
        }
        let mut index = vec![0; inner];
        let mut at = self.offset;
        loop {
            let run = &bytes[at * N..(at + run) * N];
            float::append(&self.name, run, order, &decode, &mut values)?;
            // Advance the outer index, like an odometer.
            let mut axis = inner;
            loop {
                if axis == 0 {
                    return Ok(values);
                }
                axis -= 1;
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.shape[axis] * self.strides[axis];
                index[axis] = 0;
            }
        }
    }
}

/// The share of the values other than 0 that have the magnitude of a weight. In the wrong byte order it is a sixth, by chance. There is
/// none if the values are too few to tell.
fn ordinary(values: &[f32]) -> Option<f64> {
    const ENOUGH: usize = 8;
    let nonzero = values.iter().filter(|&&value| value != 0.0);
    let (all, ordinary) = nonzero.fold((0, 0), |(all, ordinary), value| {
        let is_ordinary = (1e-8..1e4).contains(&value.abs());
        (all + 1, ordinary + usize::from(is_ordinary))
    });
    (all >= ENOUGH).then(|| ordinary as f64 / all as f64)
}
