//! What a grid file is made of: YAML reading with positions, scales, identifiers and random streams.
//!
//! This crate sits below every other one. It knows nothing about networks, only what each part needs in order to say
//! what is to be computed ([`yaml`], [`checked`], [`nearest()`], [`schema`], [`Scale`]), to name the result ([`Id`], [`leaves()`]) and to compute
//! the same thing again ([`Stream`]).

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
