//! YAML programs evaluated in process, with source positions.
//!
//! A program is read into declarations ([`YamlProgram`]), checked against the schemas of the
//! packages that it uses, and run by [`YamlHost`]: every resource, call and variable is a step of a
//! graph and starts as soon as what it refers to is there.

mod check;
mod eval;
mod host;
mod packages;
mod parse;
mod program;
mod run;
pub mod syntax;
mod value;
mod version;

pub use host::YamlHost;
pub use packages::PackageLocks;
pub use program::YamlProgram;
