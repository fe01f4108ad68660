//! State stores: where stacks live.
//!
//! [`DiyStore`] keeps them in the layout that the ecosystem's self-managed backends have, in a
//! directory or in a bucket. [`MemoryStore`] keeps them in memory, for tests. All pass the suite in
//! [`conformance`].

mod bucket;
pub mod conformance;
mod directory;
mod diy;
mod memory;
mod rename;
mod rules;

pub use directory::directory_of_url;
pub use diy::{
    Compression, DiyOptions, DiyStore, LeaseTimes, LegacyStack, Processes, Retries, Surroundings,
    SystemProcesses, SystemTimer, Timer, UpgradeReport,
};
pub use memory::{Faults, MemoryStore};
