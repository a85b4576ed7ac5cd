//! placeholder
mod common;
use brink_cuda::{Gpu, Memory, check};

#[test]
fn the_self_check_passes() {
    let Some(library) = common::library() else { return };
    let gpu = Gpu::open_with(&library, 1, Memory::default()).unwrap();
    check(&gpu).unwrap();
    println!("{}", gpu.description());
}
