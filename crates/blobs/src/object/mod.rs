//! Object storage: S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage.

#[cfg(feature = "azure")]
mod azure;
mod errors;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "s3")]
mod profile;
#[cfg(feature = "s3")]
mod s3;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{
    ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, RetryConfig,
    UpdateVersion,
};
use purlin_diag::Diagnostic;
use purlin_ports::{Blob, BlobError, BlobInfo, BlobTag, Blobs, Put};

use crate::{BlobUrl, Surroundings};
use errors::{bad_key, conditional, plain};

/// What tells versions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// An ETag.
    #[cfg(any(feature = "s3", feature = "azure"))]
    ETag,
    /// A generation.
    #[cfg(feature = "gcs")]
    Generation,
}

impl Tags {
    fn of(self, e_tag: Option<String>, version: Option<String>) -> BlobTag {
        BlobTag(match self {
            #[cfg(any(feature = "s3", feature = "azure"))]
            Tags::ETag => {
                let _ = version;
                e_tag.unwrap_or_default()
            }
            #[cfg(feature = "gcs")]
            Tags::Generation => {
                let _ = e_tag;
                version.unwrap_or_default()
            }
        })
    }

    fn version(self, tag: &BlobTag) -> UpdateVersion {
        match self {
            #[cfg(any(feature = "s3", feature = "azure"))]
            Tags::ETag => UpdateVersion { e_tag: Some(tag.0.clone()), version: None },
            #[cfg(feature = "gcs")]
            Tags::Generation => UpdateVersion { e_tag: None, version: Some(tag.0.clone()) },
        }
    }
}

/// The objects below a prefix of a bucket.
#[derive(Debug)]
struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Empty, or ends in `/`.
    prefix: String,
    tags: Tags,
}

/// The bucket that a URL names, by its scheme.
pub(crate) fn open(url: &BlobUrl, around: &Surroundings<'_>) -> Result<Arc<dyn Blobs>, Diagnostic> {
    let (store, tags): (Arc<dyn ObjectStore>, Tags) = match url.scheme.as_str() {
        #[cfg(feature = "s3")]
        "s3" => (s3::open(url, around)?, Tags::ETag),
        #[cfg(feature = "gcs")]
        "gs" => (gcs::open(url, around)?, Tags::Generation),
        #[cfg(feature = "azure")]
        "azblob" => (azure::open(url, around)?, Tags::ETag),
        other => {
            let message = format!("this build has no backend for {other}:// URLs");
            let _ = around;
            return Err(Diagnostic::error("backend-scheme", message)
                .with_hint("build it with the feature of that service, or use another backend"));
        }
    };
    let prefix = match url.path.trim_matches('/') {
        "" => String::new(),
        path => format!("{path}/"),
    };
    Ok(Arc::new(Objects { store, prefix, tags }))
}

/// No request is tried again: whoever asks has to look first.
fn retries() -> RetryConfig {
    RetryConfig { max_retries: 0, retry_timeout: Duration::from_secs(60), ..RetryConfig::default() }
}

/// Checkpoints may be large and lines slow.
fn client(http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(http)
        .with_timeout(Duration::from_secs(300))
        .with_connect_timeout(Duration::from_secs(10))
}

/// What can't be made of a URL and its surroundings.
fn unusable(url: &BlobUrl, error: &object_store::Error) -> Diagnostic {
    let message = format!("the backend {url} can't be used: {}", errors::text(error));
    Diagnostic::error("backend-url", message).with_hint("correct the URL or the variables that it goes with")
}

impl Objects {
    fn path(&self, key: &str) -> Result<Path, BlobError> {
        Path::parse(format!("{}{key}", self.prefix)).map_err(|error| bad_key(key, &error))
    }

    fn info(&self, meta: ObjectMeta) -> Option<BlobInfo> {
        let key = meta.location.as_ref().strip_prefix(&self.prefix)?.to_owned();
        Some(BlobInfo { key, size: meta.size, modified: meta.last_modified.into() })
    }
}

#[async_trait]
impl Blobs for Objects {
    async fn get(&self, key: &str) -> Result<Blob, BlobError> {
        let found = self.store.get(&self.path(key)?).await.map_err(|error| plain(&error))?;
        let tag = self.tags.of(found.meta.e_tag.clone(), found.meta.version.clone());
        let bytes = found.bytes().await.map_err(|error| plain(&error))?;
        Ok(Blob { bytes: bytes.into(), tag })
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, condition: &Put) -> Result<BlobTag, BlobError> {
        let mode = match condition {
            Put::Always => PutMode::Overwrite,
            Put::IfAbsent => PutMode::Create,
            Put::IfMatch(tag) => PutMode::Update(self.tags.version(tag)),
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        let put = self.store.put_opts(&self.path(key)?, bytes.into(), options).await;
        let put = put.map_err(|error| conditional(&error, condition))?;
        Ok(self.tags.of(put.e_tag, put.version))
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self.store.delete(&self.path(key)?).await.map_err(|error| plain(&error)) {
            Ok(()) | Err(BlobError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), BlobError> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        self.store.copy(&from, &to).await.map_err(|error| plain(&error))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        // The library lists folders. What begins with a text is among what is in its folder.
        let whole = format!("{}{prefix}", self.prefix);
        let folder = whole.rfind('/').map(|at| &whole[..at]).unwrap_or_default();
        let folder = Path::parse(folder).map_err(|error| bad_key(prefix, &error))?;
        let found: Vec<ObjectMeta> =
            self.store.list(Some(&folder)).try_collect().await.map_err(|error| plain(&error))?;
        let infos = found.into_iter().filter_map(|meta| self.info(meta));
        let mut infos: Vec<BlobInfo> = infos.filter(|info| info.key.starts_with(prefix)).collect();
        infos.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(infos)
    }
}
