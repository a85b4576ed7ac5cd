//! Reads grid files, and holds the vocabulary that other crates share.
//!
//! * [`yaml`] reads YAML so that every mistake has its place: includes, overlays of a [`Scale`], overrides.
//! * [`checked`] has numbers that hold what they promise, [`nearest()`] the name that was meant.
//! * [`mod@registry`] lists what a grid can name, [`schema`] says what each of its fields may hold.
//! * [`leaves()`] and [`plain`] write settings as people do.
//! * [`Change`] is what an attack did to weights: attacks measure it, records keep it.

mod change;
pub mod checked;
pub mod leaves;
pub mod nearest;
pub mod registry;
pub mod scale;
pub mod schema;
pub mod yaml;

pub use change::Change;
pub use leaves::{leaves, plain};
pub use nearest::nearest;
pub use scale::Scale;
