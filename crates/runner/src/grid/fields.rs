//! The fields at the top of a grid file.

use brink_config::schema::{Shape, shape};
use brink_config::yaml;

use super::Grid;

/// The field that names the scale of a resolved grid.
pub const SCALE: &str = "scale";

/// The fields at the top that control reading, and what each holds. They are not fields of [`Grid`].
pub const READING: [(&str, &str); 5] = [
    (
        yaml::INCLUDE,
        "files that this one is merged over, relative to its folder: a name or a list of names",
    ),
    (
        "presets",
        "{targets, generators, attacks, probes}: default settings of all entries of a name",
    ),
    (
        yaml::OVERLAYS[0],
        "what the scale `desk` changes; may stand in any mapping",
    ),
    (
        yaml::OVERLAYS[1],
        "{NAME: what the scale NAME changes}; may stand in any mapping",
    ),
    (
        SCALE,
        "the scale whose settings the file holds; `runner show` writes it",
    ),
];

/// The fields at the top that every grid needs, each with an example.
pub const REQUIRED: [(&str, &str); 4] = [
    ("name", "mine"),
    ("title", "What it measures"),
    ("key", "{passphrase: \"a secret\"}"),
    ("targets", "[{dataset: fashion-mnist, model: resnet18}]"),
];

/// The fields that every target needs.
pub const REQUIRED_OF_TARGETS: [&str; 2] = ["dataset", "model"];

/// All fields at the top of a grid file.
pub fn fields() -> Vec<&'static str> {
    let own = match shape::<Grid>(&[]) {
        Shape::Fields(names) => names,
        _ => &[],
    };
    let reading = READING.map(|(name, _)| name);
    own.iter().copied().chain(reading).collect()
}

/// The field at the top of the grid that an override, `path=value`, changes.
pub fn first_part(change: &str) -> &str {
    let (path, _) = change.split_once('=').unwrap_or((change, ""));
    path.split('.').next().unwrap_or_default().trim()
}
