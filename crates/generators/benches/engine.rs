//! The rows of the comparison with PyTorch and the paper's Table V (time of 1,000 iterations of `dbi`, `aid` and `ours`, 150 and
//! 300 samples): one iteration each, as in the program.

mod work;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use work::{Bench, Work};

#[global_allocator]
static ALLOCATOR: brink_ops::memory::Allocator = brink_ops::memory::Allocator;

/// Name, model, images, size of the images.
const ROWS: [(Work, &str, usize, usize); 7] = [
    (Work::Ours, "resnet18", 150, 32),
    (Work::Ours, "resnet18", 300, 32),
    (Work::Ours, "vgg16", 150, 40),
    (Work::Ours, "resnet152", 16, 128),
    (Work::Train, "resnet18", 128, 32),
    (Work::Query, "resnet18", 1000, 32),
    (Work::Query, "resnet18", 1, 32),
];

fn engine(criterion: &mut Criterion) {
    brink_ops::memory::keep_pages();
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(10);
    for (work, model, images, size) in ROWS {
        let model = model.parse().expect("a model's name");
        let bench = Bench::new(model, Bench::draw(model), images, size);
        let id = BenchmarkId::new(
            format!("{work:?}/{model}"),
            format!("{images}x3x{size}x{size}"),
        );
        group.bench_function(id, |b| bench.run(work, |once| b.iter(once)));
    }
    group.finish();
}

fn table5(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table5");
    group.sample_size(10);
    let model = "resnet18".parse().expect("a model's name");
    for images in [150, 300] {
        let bench = Bench::new(model, Bench::draw(model), images, 32);
        for work in [Work::Dbi, Work::Aid, Work::AidAttached, Work::Ours] {
            let id = BenchmarkId::new(format!("{work:?}"), images);
            group.bench_function(id, |b| bench.run(work, |once| b.iter(once)));
        }
    }
    group.finish();
}

criterion_group!(benches, engine, table5);
criterion_main!(benches);
