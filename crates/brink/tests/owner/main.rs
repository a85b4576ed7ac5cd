//! The command line, as an owner types it.

mod common;
#[path = "../../../cuda/tests/common/mod.rs"]
mod fake;
mod gpu;
mod refused;
mod served;
