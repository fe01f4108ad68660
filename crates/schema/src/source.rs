//! The port to wherever schemas come from.

use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;

use crate::package::PackageSchema;

/// Gives the schemas of packages: from a cache, from a plugin, from a test.
#[async_trait]
pub trait SchemaSource: Send + Sync {
    /// The schema of a package. An empty version means any.
    async fn schema(&self, package: &PackageDescriptor) -> Result<Arc<PackageSchema>, Diagnostic>;
}
