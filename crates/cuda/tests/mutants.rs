//! Damaged kernels: the comparison of bits must notice each. A barrier that is missing, a chain of another length, a sum that is not fused or
//! fused too much: on a GPU some of these would show now and then, or never.

mod common;
#[path = "common/compare.rs"]
mod compare;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use brink_cuda::{Gpu, Memory, check};
use brink_ops::Reduction;
use compare::{Draw, same};

/// A name, the file, what is replaced, and by what.
const MUTANTS: &[(&str, &str, &str, &str)] = &[
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
];

#[test]
fn the_comparison_notices_every_damage() {
    let sources = common::here().join("kernels");
    let Some(whole) = common::library() else {
        return;
    };
    assert!(accepts(&whole), "the kernels themselves are accepted");
    for &(name, file, from, to) in MUTANTS {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(&sources).unwrap() {
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
        let library = common::compile(folder.path(), "-O1").unwrap();
        assert!(!accepts(&library), "{name} is not noticed");
    }
}

/// Whether the bits of a library are the CPU's.
fn accepts(library: &std::path::Path) -> bool {
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
