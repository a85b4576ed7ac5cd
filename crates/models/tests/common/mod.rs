//! The networks, images and labels that the golden values are about.

// Each test uses its own part.
#![allow(dead_code)]

#[path = "../../../ops/tests/support/mod.rs"]
pub mod support;

use brink_models::{Model, Weights};
use brink_random::Stream;
use candle_core::{DType, Device, Tensor};
use support::fixture::Fixture;
use support::formula;

/// Classes of the golden networks.
pub const CLASSES: usize = 10;

/// The model called `name`.
pub fn model(name: &str) -> Model {
    name.parse().unwrap()
}

/// A model of each kind, as the golden values have them: the large ones with an eighth of their channels. The other models have other
/// numbers of the same layers.
pub fn models() -> impl Iterator<Item = Model> {
    let whole = ["resnet18", "resnet20", "resnet20-b", "mobilenet_v2"].map(model);
    let narrow = ["resnet152", "resnet18-3x3", "vgg16", "vgg11_bn"].map(model);
    whole
        .into_iter()
        .chain(narrow.map(|model| model.with_width(1.0 / 8.0)))
}

/// The golden values of a model.
pub fn fixture(model: Model) -> Fixture {
    Fixture::read(env!("CARGO_MANIFEST_DIR"), model.name())
}

/// The formula's weights.
pub fn weights(model: Model, classes: usize, dtype: DType) -> Weights {
    // Drawn for their names and shapes.
    let drawn = Weights::draw(model, classes, &Stream::new(0)).unwrap();
    let tensors = drawn.tensors().iter().map(|(name, tensor)| {
        let values = formula::parameter(name, tensor.dims());
        (name.clone(), to_tensor(values, tensor.dims(), dtype))
    });
    Weights::from_tensors(tensors)
}

/// The formula's images.
pub fn images(shape: [usize; 4], dtype: DType) -> Tensor {
    to_tensor(formula::images(&shape), &shape, dtype)
}

/// The formula's labels.
pub fn labels(n: usize, classes: usize) -> Tensor {
    Tensor::new(formula::labels(n, classes), &Device::Cpu).unwrap()
}

/// A tensor of f32 values in another precision.
pub fn to_tensor(values: Vec<f32>, shape: &[usize], dtype: DType) -> Tensor {
    Tensor::from_vec(values, shape, &Device::Cpu)
        .and_then(|t| t.to_dtype(dtype))
        .unwrap()
}

/// The elements of a tensor, flat.
pub fn flat(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64)
        .and_then(|t| t.flatten_all()?.to_vec1())
        .unwrap()
}

/// The bits of an f32 or f64 tensor's elements: equal exactly if the numbers are, signs of zeros included.
pub fn bits(t: &Tensor) -> Vec<u64> {
    flat(t).into_iter().map(f64::to_bits).collect()
}

/// Logits and loss of a batch, and the gradients of all parameters and of `images` if that is a variable.
pub fn backward(
    network: &brink_models::Trainable,
    images: &Tensor,
    labels: &Tensor,
    batch_norm: brink_models::BatchNormMode,
) -> (Tensor, Tensor, brink_ops::Gradients) {
    let recording = network.record(images, batch_norm, None).unwrap();
    let (loss, grad) =
        brink_models::loss::cross_entropy_gradient(&recording.logits(), labels).unwrap();
    (recording.logits(), loss, recording.backward(grad).unwrap())
}
