//! Doubles for tests and benchmarks, and the lab in which whole operations run as text cases.

mod ambient;
pub mod lab;
mod null_monitor;
mod policies;
pub mod proxy;
pub mod servers;
pub mod world;

pub use ambient::{CollectedEvents, CountingEntropy};
pub use null_monitor::{NullMonitor, Seen};
pub use policies::PolicyDouble;
