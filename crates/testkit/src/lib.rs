//! Doubles for tests and benchmarks.

mod ambient;
mod null_monitor;

pub use ambient::{CollectedEvents, CountingEntropy};
pub use null_monitor::{NullMonitor, Seen};
