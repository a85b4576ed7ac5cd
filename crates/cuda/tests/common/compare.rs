//! A network on the stand-in and on the CPU: the same bits, forward and back.

#![allow(dead_code)] // each test file uses its own part

use std::sync::Arc;

use brink_cuda::{Gpu, Program, Weights};
use brink_ops::Tape;
use candle_core::{Device, Result, Shape, Tensor};

/// Numbers in `[-1, 1)`, the same everywhere. Some are 0.
pub struct Draw(pub u64);

impl Draw {
    pub fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    pub fn tensor(&mut self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        let mut value = || match self.next() {
            n if n.is_multiple_of(11) => 0.0,
            n => (n % (1 << 24)) as f32 / (1 << 23) as f32 - 1.0,
        };
        let values: Vec<f32> = (0..shape.elem_count()).map(|_| value()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    /// Scale, shift, mean and variance of a normalisation.
    pub fn normalisation(&mut self, channels: usize) -> [Tensor; 4] {
        let positive = |t: Tensor| ((t * 0.4).unwrap() + 1.0).unwrap();
        let [a, b, c, d] = [(); 4].map(|()| self.tensor(channels));
        [positive(a), b, c, positive(d)]
    }
}

pub fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Elements whose bits differ; any NaN equals any NaN.
pub fn differing(a: &[f32], b: &[f32]) -> usize {
    assert_eq!(a.len(), b.len());
    let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    a.iter().zip(b).filter(|&pair| !same(pair)).count()
}

/// The program for what `record` does with one image like `images`.
pub fn program(
    gpu: &Arc<Gpu>,
    images: &Tensor,
    record: impl Fn(&mut Tape, &Tensor) -> Result<Vec<Tensor>>,
) -> Arc<Program> {
    let one = images.narrow(0, 0, 1).unwrap().contiguous().unwrap();
    let mut tape = Tape::recording();
    tape.watch(&one);
    let ends = record(&mut tape, &one).unwrap();
    let trace = tape.trace(&one, &[], &ends.iter().collect::<Vec<_>>());
    let trace = trace.unwrap().expect("every operation has a form");
    Arc::new(Program::new(&Weights::new(gpu.clone()), trace, true).unwrap())
}

/// Compares what `record` makes of `images (n, c, h, w)`, and the gradient of the images.
pub fn same(
    gpu: &Arc<Gpu>,
    images: &Tensor,
    record: impl Fn(&mut Tape, &Tensor) -> Result<Vec<Tensor>>,
) {
    let mut draw = Draw(99);
    let n = images.dim(0).unwrap();
    let mut tape = Tape::recording();
    tape.watch(images);
    let ends = record(&mut tape, images).unwrap();
    let grads: Vec<Tensor> = ends
        .iter()
        .map(|end| draw.tensor(end.shape().clone()))
        .collect();
    let walked = tape
        .backward(ends.iter().zip(grads.iter().cloned()))
        .unwrap();
    let gradient = values(walked.get(images).unwrap());

    let program = program(gpu, images, record);
    let pixels = values(images);
    let run = program.run(&pixels, n).unwrap();
    let pass = program.record(pixels, n).unwrap();
    for (at, end) in ends.iter().enumerate() {
        let wanted = values(end);
        let of = wanted.len();
        assert_eq!(
            differing(&wanted, &pass.ends()[at]),
            0,
            "end {at} of {of} elements"
        );
        assert_eq!(
            differing(&wanted, &run[at]),
            0,
            "end {at} without a way back"
        );
    }
    let grads: Vec<_> = grads.iter().map(|grad| Some(values(grad))).collect();
    let found = pass.backward(&grads).unwrap();
    assert_eq!(
        differing(&gradient, &found),
        0,
        "of {} gradients",
        found.len()
    );
}
