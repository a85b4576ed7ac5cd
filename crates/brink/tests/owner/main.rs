//! The command line, as an owner types it.

mod common;
mod refused;
mod served;
