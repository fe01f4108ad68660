//! What can be said about a program before it runs: names, cycles, and types by the schemas.

pub(crate) mod bind;
pub(crate) mod graph;
mod types;

pub(crate) use types::check_types;
