//! The committed PTX was made of the committed kernels.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

fn hash(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_ptx_is_of_these_kernels() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(here.join("kernels")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let source: Vec<u8> = files
        .iter()
        .flat_map(|file| fs::read(file).unwrap())
        .collect();
    let ptx = fs::read(here.join("ptx/kernels.ptx")).unwrap();
    for (what, found) in [("source", hash(&source)), ("kernels", hash(&ptx))] {
        let noted = fs::read_to_string(here.join(format!("ptx/{what}.sha256"))).unwrap();
        assert_eq!(
            noted.trim(),
            found,
            "run scripts/cuda/compile after a change of {what}"
        );
    }
}

/// Every kernel is there, for a GPU of compute capability 8.0, in a version that old drivers know, and nothing in it is fused or flushed
/// that the source does not fuse or flush.
#[test]
fn the_ptx_says_what_it_should() {
    let ptx = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ptx/kernels.ptx"));
    let ptx = ptx.unwrap();
    for (name, _) in brink_cuda::KERNELS {
        assert!(ptx.contains(&format!(".entry {name}(")), "{name}");
    }
    assert!(ptx.contains("\n.target sm_80\n") && ptx.contains("\n.version 7.8\n"));
    // An operation without a rounding may be fused with the next one.
    for operation in ["add", "sub", "mul", "div", "fma"] {
        for width in ["f32", "f64"] {
            let plain = format!("\t{operation}.{width}");
            assert!(!ptx.contains(&plain), "{plain}");
        }
    }
    for word in [".ftz", ".approx", "mad.f32", "mma.", "atom.", "red.global"] {
        assert!(!ptx.contains(word), "{word}");
    }
}
