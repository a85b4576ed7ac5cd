//! Sets every number field of a grid to the extremes. The fields come from the schema of the types.

use std::fs;
use std::path::Path;

use brink_config::registry::Entry;
use brink_config::schema::{Shape, shape};
use brink_generators::probe;
use brink_models::train::Training;

use super::{GRID, plan};
use crate::grid::{Grid, Target};

/// A field that holds a number.
struct Field {
    /// A change of the grid that sets the field; `VALUE` stands for the number.
    change: String,
    /// What the field may hold, in words.
    holds: String,
}

/// Collects the number fields of what `shape` describes. `write` puts a path into a change.
fn collect(
    shape: &dyn Fn(&[&'static str]) -> Shape,
    path: &mut Vec<&'static str>,
    write: &dyn Fn(&[&'static str]) -> String,
    found: &mut Vec<Field>,
) {
    match shape(path) {
        Shape::Fields(names) | Shape::OneOf(names) => {
            for name in names {
                path.push(name);
                collect(shape, path, write, found);
                path.pop();
            }
        }
        Shape::Value(holds) if holds.contains("number") => found.push(Field {
            change: write(path),
            holds,
        }),
        Shape::Value(_) | Shape::Nothing => {}
    }
}

fn fields() -> Vec<Field> {
    let mut found = Vec::new();
    // The entries of these lists are collected below.
    let of_grid = |path: &[&'static str]| match path {
        ["targets" | "generators" | "attacks" | "probes" | "key", ..] => Shape::Nothing,
        ["slice", "attack", ..] => Shape::Nothing,
        path => shape::<Grid>(path),
    };
    let of_target = |path: &[&'static str]| match path {
        ["train" | "generators" | "model" | "init", ..] => Shape::Nothing,
        path => shape::<Target>(path),
    };
    let dotted = |prefix: &'static str| {
        move |path: &[&'static str]| format!("{prefix}{}=VALUE", path.join("."))
    };
    collect(&of_grid, &mut Vec::new(), &dotted(""), &mut found);
    collect(
        &of_target,
        &mut Vec::new(),
        &dotted("targets.fashion-mnist-resnet20."),
        &mut found,
    );
    collect(
        &|path| shape::<Training>(path),
        &mut Vec::new(),
        &dotted("targets.fashion-mnist-resnet20.train."),
        &mut found,
    );
    let registries: [(&str, &[Entry]); 3] = [
        ("generators", brink_generators::REGISTRY),
        ("attacks", brink_attacks::REGISTRY),
        ("probes", probe::REGISTRY),
    ];
    for (list, registry) in registries {
        for entry in registry {
            let write = |path: &[&'static str]| {
                let nested = path.iter().rev().fold("VALUE".to_owned(), |inner, name| {
                    format!("{{{name}: {inner}}}")
                });
                format!("{list}=[{}: {nested}]", entry.name)
            };
            collect(&entry.shape, &mut Vec::new(), &write, &mut found);
        }
    }
    found
}

/// Sets each field that `of` selects to `value`. Returns the fields that accept it.
fn try_all(value: &str, of: impl Fn(&Field) -> bool) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grid.yaml");
    fs::write(&file, GRID).unwrap();
    let taken = |file: &Path, field: &Field| {
        let change = field.change.replace("VALUE", value);
        match plan(file, std::slice::from_ref(&change)) {
            Ok(_) => true,
            Err(error) => {
                let message = format!("{error:#}");
                // The message has the number or the fix, but no screenful of digits.
                assert!(message.len() < 400, "{change}: {message}");
                assert!(
                    message.contains(value)
                        || message.contains("lower")
                        || message.contains("write"),
                    "{change}: {message}"
                );
                false
            }
        }
    };
    fields()
        .iter()
        .filter(|field| of(field) && taken(&file, field))
        .map(|field| field.change.clone())
        .collect()
}

#[test]
fn no_whole_number_is_so_large_that_something_overflows() {
    let whole = |field: &Field| field.holds.contains("whole number");
    assert!(fields().iter().filter(|field| whole(field)).count() > 30);
    // Every seed is valid, because it is hashed.
    for value in [u64::MAX, i64::MAX as u64, 1 << 40] {
        assert_eq!(
            try_all(&value.to_string(), whole),
            ["seed=VALUE"],
            "{value}"
        );
    }
    assert_eq!(try_all("18446744073709551616", whole), [] as [&str; 0]);
}

/// The upper bound of a field must not break the plan.
#[test]
fn the_largest_whole_numbers_that_are_taken_can_be_planned() {
    for field in fields() {
        let Some((_, most)) = field.holds.rsplit_once(" to ") else {
            continue;
        };
        if field.holds.contains("whole number") {
            try_all(most, |other| other.change == field.change);
        }
    }
}

#[test]
fn numbers_at_the_ends_of_their_type_can_be_planned_or_are_refused() {
    for value in ["1.7976931348623157e308", "5e-324"] {
        try_all(value, |_| true);
    }
}
