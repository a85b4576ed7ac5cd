//! Thousands of damaged grids: none panics, and every refusal has a place.

#[path = "../../tests/common/mutate.rs"]
mod mutate;

use std::fs;

use super::{GRID, plan};

const MUTANTS: usize = 3000;

#[test]
fn no_damaged_grid_panics_and_every_refusal_has_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grid.yaml");
    let (mut planned, mut refused) = (0, 0);
    for mutant in mutate::mutants(GRID, 19, MUTANTS) {
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
    // Both happen, so both are tried.
    assert!(planned > 100 && refused > 1000, "{planned} and {refused}");
}
