//! What can be said about a program before it runs: names, cycles, and types by the schemas.

pub(crate) mod bind;
pub(crate) mod graph;
mod typing;

pub(crate) use typing::check_types;
