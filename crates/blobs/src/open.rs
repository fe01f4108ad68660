//! The adapter that a URL asks for.

use std::sync::Arc;

use purlin_credentials::Surroundings;
use purlin_diag::Diagnostic;
use purlin_ports::Blobs;

use crate::BlobUrl;

/// The schemes of URLs that [`open`] knows, whether or not this build has their adapters.
pub const SCHEMES: &[&str] = &["s3", "gs", "azblob", "postgres", "postgresql"];

/// What keeps the bytes of a URL. Makes no request.
pub fn open(url: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Blobs>, Diagnostic> {
    let scheme = url.split("://").next().unwrap_or_default();
    #[cfg(feature = "postgres")]
    if matches!(scheme, "postgres" | "postgresql") {
        return Ok(Arc::new(crate::PostgresBlobs::open(url)?));
    }
    let _ = (around, scheme);
    let url = BlobUrl::parse(url)?;
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    if matches!(url.scheme.as_str(), "s3" | "gs" | "azblob") {
        return crate::object::open(&url, around);
    }
    let message = format!("there is no backend for {}:// URLs", url.scheme);
    Err(Diagnostic::error("backend-scheme", message).with_hint(
        "known are file://, s3://, gs://, azblob:// and postgres:// URLs, as far as the build has them",
    ))
}
