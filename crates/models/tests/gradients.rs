//! The gradient of a whole network against central differences in f64, in both modes of batch normalisation. This comparison shares nothing
//! with PyTorch's or our own backward pass.

mod common;

use brink_models::{BatchNormMode, Model, Trainable, loss};
use candle_core::{DType, Tensor, Var};
use common::support::formula;
use common::{CLASSES, flat};

/// Half the distance of two losses. Curvature and cancellation cost 3e-6 of the largest gradient at most (in ResNet-18 with an eighth of
/// its channels, in training mode); no unit of ReLU is so near its kink that one of the places below carries it across.
const STEP: f64 = 1e-6;

/// What rounding makes of a difference where the slope is 0. The bias of a transformer's keys, which its softmax cancels, has this slope.
const ROUNDING: f64 = 1e-9;

/// Compares the gradient by `var` with differences, at a few places that follow from its name.
fn check(name: &str, var: &Var, gradient: &Tensor, loss: &dyn Fn() -> f64) {
    let (start, gradient) = (flat(var), flat(gradient));
    let largest = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    let mut places = formula::places(name, start.len());
    places.truncate(2);
    for at in places {
        let moved = |by: f64| {
            let mut values = start.clone();
            values[at] += by;
            var.set(&Tensor::from_vec(values, var.shape(), var.device()).unwrap())
                .unwrap();
            loss()
        };
        let numeric = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        moved(0.0);
        let off = (numeric - gradient[at]).abs();
        assert!(
            off <= 1e-5 * largest + ROUNDING,
            "{name}, element {at}: the gradient is {}, differences say {numeric}\nhint: golden.rs names the first layer that is wrong",
            gradient[at]
        );
    }
}

#[test]
fn gradients_are_slopes() {
    // The deep network in evaluation mode only: in training mode its curvature drowns a difference.
    let both = [BatchNormMode::Eval, BatchNormMode::Train];
    gradients_are_slopes_of(common::model("resnet20"), [2, 3, 12, 12], &both);
    gradients_are_slopes_of(
        common::model("resnet18").with_width(0.125),
        [2, 3, 19, 16],
        &both,
    );
    gradients_are_slopes_of(
        common::model("resnet20-b").with_width(0.25),
        [2, 3, 12, 12],
        &both,
    );
    // A module of candle has no statistics of batches.
    gradients_are_slopes_of(
        common::model("vit-32").with_width(0.0625),
        [2, 3, 32, 32],
        &both[..1],
    );
    gradients_are_slopes_of(
        common::model("vgg11_bn").with_width(0.03125),
        [2, 3, 33, 32],
        &both[..1],
    );
    gradients_are_slopes_of(
        common::model("mobilenet_v2").with_width(0.25),
        [2, 3, 32, 33],
        &both[..1],
    );
    gradients_are_slopes_of(
        common::model("vgg16").with_width(0.03125),
        [2, 3, 35, 32],
        &both[..1],
    );
    gradients_are_slopes_of(
        common::model("resnet152").with_width(0.03125),
        [2, 3, 16, 19],
        &both[..1],
    );
}

fn gradients_are_slopes_of(model: Model, shape: [usize; 4], modes: &[BatchNormMode]) {
    for &batch_norm in modes {
        let network = Trainable::new(
            model,
            CLASSES,
            &common::weights(model, CLASSES, DType::F64),
            None,
        )
        .unwrap();
        let images = Var::from_tensor(&common::images(shape, DType::F64)).unwrap();
        let labels = common::labels(2, CLASSES);
        let loss = || {
            let logits = network.logits(&images, batch_norm).unwrap();
            loss::cross_entropy(&logits, &labels).unwrap()
        };
        let (_, _, grads) = common::backward(&network, &images, &labels, batch_norm);
        let value = || flat(&loss())[0];
        for (name, var) in network.parameters() {
            check(name, var, grads.get(var).unwrap(), &value);
        }
        check("images", &images, grads.get(&images).unwrap(), &value);
    }
}
