//! However a file is damaged, it is read or refused, and never yields more elements than it has bytes.

mod support;

use proptest::prelude::*;
use support::corpus;

/// Reads arbitrary bytes, checks the tensors, and returns whether the bytes were accepted.
fn read(bytes: &[u8]) -> bool {
    let Ok(read) = brink_checkpoint::from_bytes(bytes) else {
        return false;
    };
    let mut elements = 0;
    for (name, tensor) in &read.tensors {
        assert_eq!(
            tensor.shape.iter().product::<usize>(),
            tensor.values.len(),
            "{name}"
        );
        assert!(
            tensor.values.iter().all(|value| value.is_finite()),
            "{name}"
        );
        elements += tensor.values.len();
    }
    assert!(elements <= bytes.len(), "{elements} numbers");
    true
}

#[test]
fn what_is_not_changed_is_read() {
    for (name, parts, build) in corpus() {
        let read =
            brink_checkpoint::from_bytes(&build(&parts)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let weight = &read.tensors["fc.weight"];
        assert_eq!(weight.shape, [3, 2], "{name}");
        assert_eq!(read.tensors["fc.bias"].values, support::BIAS, "{name}");
        assert_eq!(read.tensors.len(), 2, "{name}");
    }
}

/// Damages each part before its length and checksum are written. So the damage reaches the code that reads the part.
#[test]
fn fuzz() {
    let corpus = corpus();
    let (mut read_again, mut all) = (0, 0);
    for mut dice in fuzz::rounds(50_000) {
        let (_, parts, build) = &corpus[dice.below(corpus.len())];
        let mut parts = parts.clone();
        let at = dice.below(parts.len());
        parts[at] = fuzz::damaged(&parts[at], &mut dice);
        all += 1;
        read_again += usize::from(read(&build(&parts)));
    }
    // Some damage only changes values and goes unnoticed; other damage must be refused.
    assert!(0 < read_again && read_again < all, "{read_again} of {all}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
        read(&support::archive_of(&bytes, &[("0", bytes.clone())]));
        let mut old = support::legacy_head(2, true);
        old.extend(&bytes);
        read(&old);
        read(&support::safetensors(&format!("{{{}", String::from_utf8_lossy(&bytes)), &bytes));
    }

    /// Files that the safetensors library writes are read back exactly.
    #[test]
    fn safetensors_come_back(
        tensors in prop::collection::btree_map("[a-z]{1,8}\\.[a-z0-9]{1,8}", prop::collection::vec(-1e30f32..1e30, 0..20), 1..5),
    ) {
        use safetensors::tensor::{Dtype, TensorView};
        let bytes: Vec<_> = tensors.values().map(|values| support::floats(values)).collect();
        let views = tensors.iter().zip(&bytes).map(|((name, values), bytes)| {
            (name, TensorView::new(Dtype::F32, vec![values.len()], bytes).unwrap())
        });
        let file = safetensors::serialize(views, None).unwrap();
        let read = brink_checkpoint::from_bytes(&file).unwrap();
        prop_assert_eq!(read.tensors.len(), tensors.len());
        for (read, values) in read.tensors.values().zip(tensors.values()) {
            prop_assert_eq!(&read.values, values);
        }
    }
}
