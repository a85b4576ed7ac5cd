//! Reads thousands of damaged grids. None may panic, and every error must name a place.

use std::fs;

use super::mutate::mutant;
use super::{GRID, plan};

#[test]
fn fuzz() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grid.yaml");
    let (mut planned, mut refused) = (0, 0);
    for mut dice in fuzz::rounds(3000) {
        let mutant = mutant(GRID, &mut dice);
        fs::write(&file, &mutant.grid).unwrap();
        match plan(&file, &mutant.changes) {
            Ok(_) => planned += 1,
            Err(error) => {
                refused += 1;
                let message = format!("{error:#}");
                assert!(
                    message.contains("grid.yaml") || message.starts_with("--set "),
                    "{message}\n{:?}\n{}",
                    mutant.changes,
                    mutant.grid
                );
            }
        }
    }
    // Both outcomes must occur, or the test covers only one.
    assert!(0 < planned && planned < refused, "{planned} and {refused}");
}
