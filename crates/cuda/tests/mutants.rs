//! Damaged kernels: the comparison of bits at the program's start must notice each. A barrier that is missing, a chain of another length, a sum
//! that is not fused or fused too much: on a GPU some of these would show now and then, or never.

mod common;
#[path = "common/compare.rs"]
mod compare;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;

use brink_cuda::{Gpu, Memory, check};
use brink_ops::Reduction;
use compare::{Draw, same};

/// A name, the file, what is replaced, and by what.
type Mutant = (&'static str, &'static str, &'static str, &'static str);

const MUTANTS: &[Mutant] = &[
    (
        "a chain of 64",
        "product.cuh",
        "#define CHAIN 128",
        "#define CHAIN 64",
    ),
    (
        "a chain without an end",
        "product.cuh",
        "% CHAIN == 0 && more",
        "% CHAIN == 0 && more && false",
    ),
    (
        "a product not fused",
        "product.cuh",
        "acc[i][j] = fused(a[i], b.at[j], acc[i][j])",
        "acc[i][j] = add(mul(a[i], b.at[j]), acc[i][j])",
    ),
    (
        "another scale",
        "product.cuh",
        "y.at[j] = mul(y.at[j], v.at[j]);",
        "y.at[j] = mul(y.at[j], v.at[j] * T(1.0000002));",
    ),
    (
        "no barrier before the first tile",
        "product.cuh",
        "put(0);\n  __syncthreads();",
        "put(0);",
    ),
    (
        "no barrier between tiles",
        "product.cuh",
        "put(half);\n      __syncthreads();",
        "put(half);",
    ),
    (
        "a tile overwritten while it is read",
        "product.cuh",
        "half ^= 1;",
        "half ^= 0;",
    ),
    ("no mask", "product.cuh", "if (p.mask) {", "if (false) {"),
    (
        "patches not fused",
        "windows.cuh",
        "sum[c] = fused(g, weights[k * s.c + c], sum[c]);",
        "sum[c] = add(sum[c], mul(g, weights[k * s.c + c]));",
    ),
    (
        "a depthwise product fused",
        "windows.cuh",
        "sum = add(sum, mul(p.from[((image * s.h + y) * s.w + x) * s.c + c], p.weights[(ky * s.kw + kx) * s.c + c]));",
        "sum = fused(p.from[((image * s.h + y) * s.w + x) * s.c + c], p.weights[(ky * s.kw + kx) * s.c + c], sum);",
    ),
    (
        "the last of equal maxima",
        "windows.cuh",
        "bool wins = !(own < most);",
        "bool wins = own > most;",
    ),
    (
        "a mean by a reciprocal",
        "windows.cuh",
        "p.out[at] = quotient(sum, float((y1 - y0) * (x1 - x0)));",
        "p.out[at] = mul(sum, quotient(1.f, float((y1 - y0) * (x1 - x0))));",
    ),
    (
        "no barrier before lanes are added",
        "negative.cuh",
        "lanes[threadIdx.x] = sum;\n  __syncthreads();",
        "lanes[threadIdx.x] = sum;",
    ),
    (
        "no barrier before stretches are added",
        "negative.cuh",
        "= sums[first + threadIdx.x];\n    __syncthreads();",
        "= sums[first + threadIdx.x];",
    ),
    (
        "no barrier before stretches are overwritten",
        "negative.cuh",
        "sum = add(sum, part[i]);\n    __syncthreads();",
        "sum = add(sum, part[i]);",
    ),
    (
        "lanes added in pairs of neighbours",
        "negative.cuh",
        "lanes[i] = add(lanes[i], lanes[i + half])",
        "lanes[i] = add(lanes[2 * i], lanes[2 * i + 1])",
    ),
    (
        "a weight gradient not fused",
        "outer.cuh",
        "acc[i][j] = fused(a[i], b[j], acc[i][j])",
        "acc[i][j] = add(mul(a[i], b[j]), acc[i][j])",
    ),
    (
        "no barrier before outer products",
        "outer.cuh",
        ": T(0);\n    }\n    __syncthreads();\n#pragma unroll 2",
        ": T(0);\n    }\n#pragma unroll 2",
    ),
    (
        "rows overwritten while they are read",
        "outer.cuh",
        "acc[i][j]);\n    }\n    __syncthreads();",
        "acc[i][j]);\n    }",
    ),
    (
        "chains added backwards",
        "outer.cuh",
        "p.chains[(Index(block - p.first) * p.depth + k) * p.columns + n]",
        "p.chains[(Index(to - 1 - (block - from) - p.first) * p.depth + k) * p.columns + n]",
    ),
    (
        "no barrier before runs are added",
        "columns.cuh",
        "= own[s];\n  __syncthreads();",
        "= own[s];",
    ),
    (
        "runs of 32 rows",
        "columns.cuh",
        "#define RUN 16",
        "#define RUN 32",
    ),
    (
        "runs added in f32",
        "columns.cuh",
        "wide = add(wide, double(runs[s * THREADS + r * SLICE + lane]))",
        "wide = float(add(wide, double(runs[s * THREADS + r * SLICE + lane])))",
    ),
    (
        "a fused variance",
        "columns.cuh",
        "sums[1] = add(sums[1], mul(d, d));",
        "sums[1] = fused(d, d, sums[1]);",
    ),
    (
        "a scale by the inverse root",
        "columns.cuh",
        "const float scale = quotient(p.gamma[c], deviation), inverse = quotient(1.f, deviation);",
        "const float inverse = quotient(1.f, deviation), scale = mul(p.gamma[c], inverse);",
    ),
    (
        "a biased mean gradient",
        "columns.cuh",
        "p.batch[c] = __double2float_rn(quotient(g, n));",
        "p.batch[c] = __double2float_rn(quotient(g, n - 1));",
    ),
    (
        "a fused step",
        "update.cuh",
        "p.weight[at] = sub(w, mul(p.lr, g));",
        "p.weight[at] = fused(-p.lr, g, w);",
    ),
    (
        "a root and a quotient that are rounded once",
        "update.cuh",
        "quotient(root(v), p.root)",
        "float(sqrt(double(v)) / double(p.root))",
    ),
    (
        "a square in another order",
        "update.cuh",
        "mul(mul(p.take2, seen), seen)",
        "mul(p.take2, mul(seen, seen))",
    ),
    (
        "shares summed in f32",
        "weights.cuh",
        "sum = add(sum, mul(share, pixels[y * p.w + x]));",
        "sum = float(add(sum, mul(share, pixels[y * p.w + x])));",
    ),
];

#[test]
fn the_comparison_notices_every_damage() {
    let sources = common::here().join("kernels");
    let Some(whole) = common::library() else {
        return;
    };
    assert!(accepts(&whole), "the kernels themselves are accepted");
    // The compiler takes most of the time, on one core.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let libraries: Vec<_> = thread::scope(|scope| {
        let parts = MUTANTS.chunks(MUTANTS.len().div_ceil(cores));
        let sources = &sources;
        let parts = parts.map(|part| scope.spawn(move || damaged(sources, part)));
        let parts: Vec<_> = parts.collect();
        let joined = parts.into_iter().map(|part| part.join().unwrap());
        joined.flatten().collect()
    });
    for (library, (name, ..)) in libraries.iter().zip(MUTANTS) {
        assert!(!accepts(library), "{name} is not noticed");
    }
}

fn damaged(sources: &Path, mutants: &[Mutant]) -> Vec<PathBuf> {
    mutants.iter().map(|it| damage(sources, it)).collect()
}

/// The library of the kernels with this damage.
fn damage(sources: &Path, &(name, file, from, to): &Mutant) -> PathBuf {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(sources).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let path = folder.path().join(file);
    let source = fs::read_to_string(&path).unwrap();
    assert_eq!(
        source.matches(from).count(),
        1,
        "{name}: {file} has `{from}` once"
    );
    fs::write(&path, source.replace(from, to)).unwrap();
    common::compile(folder.path(), "-O1").unwrap()
}

/// Whether the bits of a library are the CPU's.
fn accepts(library: &Path) -> bool {
    let gpu = Gpu::open_with(library, 0, Memory::default()).unwrap();
    if check(&gpu).is_err() {
        return false;
    }
    // A sum that is longer than the test network has.
    let images = Draw(5).tensor((2, 3, 160, 150));
    let long = || {
        same(&gpu, &images, |tape, images| {
            let x = brink_ops::channels_last(tape, images)?;
            Ok(vec![brink_ops::negative_part(tape, &x, Reduction::Mean)?])
        });
    };
    catch_unwind(AssertUnwindSafe(long)).is_ok()
}
