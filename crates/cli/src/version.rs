//! Versions: our own, and the one that stands for what we are compatible with.

/// Purlin's own version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the ecosystem's engine that this one stands in for. Clients decide by it which
/// flags and features they may use, so it must be one whose behaviour we have.
pub(crate) const COMPATIBLE_VERSION: &str = "3.260.0";
