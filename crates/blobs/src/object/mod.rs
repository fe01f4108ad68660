//! Object storage: S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage.

#[cfg(feature = "azure")]
mod azure;
mod errors;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(any(feature = "s3", feature = "azure"))]
mod objects;
#[cfg(feature = "s3")]
mod s3;

use std::sync::Arc;
use std::time::Duration;

use object_store::{ClientOptions, RetryConfig};
use purlin_diag::Diagnostic;
use purlin_ports::Blobs;

use crate::{BlobUrl, Surroundings};
#[cfg(any(feature = "s3", feature = "azure"))]
use objects::Objects;

/// The bucket that a URL names, by its scheme.
pub(crate) fn open(url: &BlobUrl, around: &Surroundings<'_>) -> Result<Arc<dyn Blobs>, Diagnostic> {
    match url.scheme.as_str() {
        #[cfg(feature = "s3")]
        "s3" => Ok(Arc::new(Objects {
            store: s3::open(url, around)?,
            prefix: prefix(url),
            deletes_at_once: 1000,
        })),
        #[cfg(feature = "gcs")]
        "gs" => gcs::open(url, around),
        #[cfg(feature = "azure")]
        "azblob" => Ok(Arc::new(Objects {
            store: azure::open(url, around)?,
            prefix: prefix(url),
            deletes_at_once: 256,
        })),
        other => {
            let message = format!("this build has no backend for {other}:// URLs");
            let _ = around;
            Err(Diagnostic::error("backend-scheme", message)
                .with_hint("build it with the feature of that service, or use another backend"))
        }
    }
}

/// What keys are below: empty, or ends in `/`.
fn prefix(url: &BlobUrl) -> String {
    match url.path.trim_matches('/') {
        "" => String::new(),
        path => format!("{path}/"),
    }
}

/// Checkpoints may be large and lines slow.
const TIMEOUT: Duration = Duration::from_secs(300);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// No request is tried again: whoever asks has to look first.
fn retries() -> RetryConfig {
    RetryConfig { max_retries: 0, retry_timeout: Duration::from_secs(60), ..RetryConfig::default() }
}

/// How requests are made.
fn client(http: bool) -> ClientOptions {
    ClientOptions::new().with_allow_http(http).with_timeout(TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT)
}

/// What can't be made of a URL and its surroundings.
fn unusable(url: &BlobUrl, error: &object_store::Error) -> Diagnostic {
    let message = format!("the backend {url} can't be used: {}", errors::text(error));
    Diagnostic::error("backend-url", message).with_hint("correct the URL or the variables that it goes with")
}
