//! Services that keep bytes under keys, as adapters of the [`Blobs`](purlin_ports::Blobs) port.
//!
//! [`open`] finds the adapter for a URL: S3 and what speaks its protocol, Google Cloud Storage, Azure
//! Blob Storage, PostgreSQL, each a feature of this crate. [`MemoryBlobs`] keeps bytes in memory, for
//! tests, and fails as it is told. All pass the suite in [`conformance`].

pub mod conformance;
mod memory;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod object;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
mod url;

pub use memory::{Answer, MemoryBlobs, Request, RequestKind};
pub use open::{SCHEMES, open};
#[cfg(feature = "postgres")]
pub use postgres::PostgresBlobs;
pub use purlin_credentials::Surroundings;
pub use url::BlobUrl;
