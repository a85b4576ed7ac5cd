//! Damaged set files are refused, or hold the set that was written.

mod common;

use brink_verify::{LabelSpace, Layout, SensitiveSet};
use common::{Linear, key, set_of};

#[test]
fn fuzz() {
    let wholes = [
        (Layout::Pairs, LabelSpace::Head),
        (Layout::Singles, LabelSpace::Classes),
    ]
    .map(|(layout, space)| set_of(&Linear, 6, layout, space));
    let files = wholes.each_ref().map(|set| set.to_bytes(&key()).unwrap());
    for mut dice in fuzz::rounds(20_000) {
        let nth = dice.below(files.len());
        let damaged = fuzz::damaged(&files[nth], &mut dice);
        if let Ok(read) = SensitiveSet::from_bytes(&damaged, &key()) {
            // The file has some bytes that say nothing, such as those around its JSON.
            assert_eq!(read, wholes[nth]);
        }
        if let Ok(read) = SensitiveSet::from_unsealed_bytes(&damaged, 3) {
            assert_eq!(read, wholes[nth]);
        }
    }
}
