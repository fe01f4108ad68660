//! State stores: where stacks live.
//!
//! [`DirectoryStore`] keeps them in a directory, in the layout that the ecosystem's file backends
//! have. [`MemoryStore`] keeps them in memory, for tests. Both pass the suite in [`conformance`].

pub mod conformance;
mod directory;
mod memory;
mod rename;
mod rules;

pub use directory::{
    Compression, DirectoryOptions, DirectoryStore, LeaseTimes, Processes, Surroundings, SystemProcesses,
    SystemTimer, Timer, directory_of_url,
};
pub use memory::{Faults, MemoryStore};
