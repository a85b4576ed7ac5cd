//! The parts of a grid file: YAML reading with positions, scales, identifiers and random streams.
//!
//! Every other crate builds on this one, and it knows nothing about networks. Each crate uses it to
//!
//! * read what is to be computed: [`yaml`], [`checked`], [`nearest()`], [`schema`], [`Scale`];
//! * name the result: [`Id`], [`leaves()`];
//! * reproduce it: [`Stream`].

mod change;
pub mod checked;
pub mod id;
pub mod leaves;
pub mod nearest;
pub mod registry;
pub mod rng;
pub mod scale;
pub mod schema;
pub mod yaml;

pub use change::Change;
pub use id::Id;
pub use leaves::{leaves, plain};
pub use nearest::nearest;
pub use rng::Stream;
pub use scale::Scale;
