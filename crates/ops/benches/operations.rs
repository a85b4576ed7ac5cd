//! Each operation at the sizes of the paper's networks, forward and backward.

use brink_ops::{
    AdamStep, BatchNorm, Frozen, FrozenPooledLinear, Reduction, SgdStep, Tape, Window,
};
use candle_core::{Device, Tensor, Var};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: brink_ops::memory::Allocator = brink_ops::memory::Allocator;

/// Numbers in [-0.5, 0.5) that repeat after 1013.
fn tensor(shape: &[usize]) -> Tensor {
    let values = (0..shape.iter().product::<usize>())
        .map(|i| (i * 7919 % 1013) as f32 / 1013.0 - 0.5)
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("as many values as the shape says")
}

/// One convolution: images, side of the map, channels in and out, kernel, stride.
struct Layer(&'static str, usize, usize, (usize, usize), (usize, usize));

const LAYERS: [Layer; 9] = [
    Layer("resnet18 stem", 150, 32, (3, 64), (7, 2)),
    Layer("resnet18 layer1", 150, 8, (64, 64), (3, 1)),
    Layer("resnet18 layer2", 150, 4, (128, 128), (3, 1)),
    Layer("resnet18 layer3", 150, 2, (256, 256), (3, 1)),
    Layer("resnet18 layer4", 150, 1, (512, 512), (3, 1)),
    Layer("vgg16 conv1_2", 16, 40, (64, 64), (3, 1)),
    Layer("vgg16 conv4_2", 16, 5, (512, 512), (3, 1)),
    Layer("resnet152 layer1 expand", 16, 32, (64, 256), (1, 1)),
    Layer("resnet152 layer3 reduce", 16, 8, (1024, 256), (1, 1)),
];

impl Layer {
    fn window(&self) -> Window {
        Window::square(self.4.0, self.4.1, self.4.0 / 2)
    }

    fn input(&self) -> Tensor {
        tensor(&[self.1, self.2, self.2, self.3.0])
    }

    fn weight(&self) -> Tensor {
        tensor(&[self.3.1, self.3.0, self.4.0, self.4.0])
    }

    fn normalisation(&self) -> [Tensor; 4] {
        [1.0, 0.0, 0.0, 1.0].map(|centre| (tensor(&[self.3.1]) + centre).expect("memory"))
    }
}

/// Times `run` forward, and forward with backward from the output itself; `wanted` are the tensors whose gradients are asked for.
fn both(
    criterion: &mut Criterion,
    (group, name): (&str, &str),
    wanted: &[&Tensor],
    run: impl Fn(&mut Tape) -> Tensor,
) {
    let mut group = criterion.benchmark_group(group);
    group.sample_size(20);
    group.throughput(Throughput::Elements(
        run(&mut Tape::off()).elem_count() as u64
    ));
    group.bench_function(BenchmarkId::new("forward", name), |b| {
        b.iter(|| black_box(run(&mut Tape::off())));
    });
    group.bench_function(BenchmarkId::new("forward and backward", name), |b| {
        b.iter(|| {
            let mut tape = Tape::recording();
            wanted.iter().for_each(|x| tape.watch(x));
            let y = run(&mut tape);
            black_box(
                tape.backward([(&y, y.clone())])
                    .expect("the output's own shape"),
            )
        });
    });
    group.finish();
}

fn frozen(criterion: &mut Criterion) {
    brink_ops::memory::keep_pages();
    for layer in &LAYERS {
        let (x, [gamma, beta, mean, variance]) = (layer.input(), layer.normalisation());
        let unit = Frozen::conv_bn(
            &layer.weight(),
            None,
            [&gamma, &beta, &mean, &variance],
            1e-5,
            layer.window(),
        )
        .expect("the shapes fit");
        both(criterion, ("frozen", layer.0), &[&x], |tape| {
            unit.forward(tape, &x, None, true).expect("the shapes fit")
        });
    }
}

fn conv2d(criterion: &mut Criterion) {
    for layer in &LAYERS {
        let (x, weight) = (
            layer.input(),
            Var::from_tensor(&layer.weight()).expect("memory"),
        );
        both(criterion, ("conv2d", layer.0), &[&x], |tape| {
            brink_ops::conv2d(tape, &x, &weight, None, false, layer.window())
                .expect("the shapes fit")
        });
    }
}

fn batch_norm(criterion: &mut Criterion) {
    let (x, gamma, beta) = (tensor(&[150, 16, 16, 64]), tensor(&[64]), tensor(&[64]));
    let layer = BatchNorm {
        gamma: &gamma,
        beta: &beta,
        eps: 1e-5,
        residual: None,
        relu: true,
    };
    let wanted = [&x, &gamma, &beta];
    both(criterion, ("batch_norm", "train"), &wanted, |tape| {
        layer.train(tape, &x).expect("the shapes fit").0
    });
    let variance = (tensor(&[64]) + 1.0).expect("memory");
    both(criterion, ("batch_norm", "eval"), &wanted, |tape| {
        layer
            .eval(tape, &x, &beta, &variance)
            .expect("the shapes fit")
    });
}

fn pooling(criterion: &mut Criterion) {
    let x = tensor(&[150, 16, 16, 64]);
    for (name, window) in [
        ("3x3 stride 2", Window::square(3, 2, 1)),
        ("2x2", Window::square(2, 2, 0)),
    ] {
        both(criterion, ("max_pool2d", name), &[&x], |tape| {
            brink_ops::max_pool2d(tape, &x, window).expect("the shapes fit")
        });
    }
    both(criterion, ("adaptive_avg_pool2d", "1x1"), &[&x], |tape| {
        brink_ops::adaptive_avg_pool2d(tape, &x, (1, 1)).expect("the shapes fit")
    });
}

fn linear(criterion: &mut Criterion) {
    let (x, weight, bias) = (tensor(&[150, 4096]), tensor(&[4096, 4096]), tensor(&[4096]));
    let unit = Frozen::linear(&weight, &bias, (1, 1)).expect("the shapes fit");
    both(criterion, ("linear", "vgg16 classifier.3"), &[&x], |tape| {
        unit.forward(tape, &x, None, true).expect("the shapes fit")
    });
    let (x, weight) = (tensor(&[150, 1, 1, 512]), tensor(&[4096, 512 * 49]));
    let layer = FrozenPooledLinear::new(&weight, &bias, (7, 7)).expect("the shapes fit");
    both(
        criterion,
        ("pooled_linear", "vgg16 classifier.0"),
        &[&x],
        |tape| layer.forward(tape, &x, true).expect("the shapes fit"),
    );
}

fn elementwise(criterion: &mut Criterion) {
    let x = tensor(&[150, 16, 16, 64]);
    both(
        criterion,
        ("negative_part", "150x16x16x64"),
        &[&x],
        |tape| brink_ops::negative_part(tape, &x, Reduction::Mean).expect("f32"),
    );
    let (pixels, grad) = (tensor(&[150, 3, 32, 32]), tensor(&[150, 3, 32, 32]));
    criterion.bench_function("descend/150x3x32x32", |b| {
        b.iter(|| black_box(brink_ops::descend(&pixels, &grad, 1e-3)));
    });
    both(
        criterion,
        ("channels_last", "150x3x32x32"),
        &[&pixels],
        |tape| brink_ops::channels_last(tape, &pixels).expect("f32"),
    );
}

/// The parameters of the largest layer of ResNet18.
fn optimiser_steps(criterion: &mut Criterion) {
    let shape = [512, 512, 3, 3];
    let grad = tensor(&shape);
    let [weight, first, second] =
        [(); 3].map(|()| Var::from_tensor(&tensor(&shape).abs().expect("f32")).expect("memory"));
    let mut group = criterion.benchmark_group("optimiser steps");
    group.throughput(Throughput::Elements(grad.elem_count() as u64));
    let step = AdamStep {
        lr: 1e-5,
        betas: (0.9, 0.999),
        eps: 1e-8,
        weight_decay: 0.0,
        step: 1,
    };
    group.bench_function("adam", |b| {
        b.iter(|| brink_ops::adam(&weight, &first, &second, &grad, step).expect("one shape"));
    });
    let step = SgdStep {
        lr: 1e-5,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 5e-4,
        first: false,
    };
    group.bench_function("sgd", |b| {
        b.iter(|| brink_ops::sgd(&weight, Some(&first), &grad, step).expect("one shape"));
    });
    group.finish();
}

criterion_group!(
    benches,
    frozen,
    conv2d,
    batch_norm,
    pooling,
    linear,
    elementwise,
    optimiser_steps
);
criterion_main!(benches);
