//! Services that keep bytes under keys, as adapters of the [`Blobs`](purlin_ports::Blobs) port.
//!
//! [`MemoryBlobs`] keeps them in memory, for tests, and fails as it is told. All pass the suite in
//! [`conformance`].

pub mod conformance;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;

pub use memory::{Answer, MemoryBlobs, Request, RequestKind};
#[cfg(feature = "postgres")]
pub use postgres::PostgresBlobs;
