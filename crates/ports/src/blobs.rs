//! The port to services that keep bytes under keys: buckets, and a database used as one.

use std::time::SystemTime;

use async_trait::async_trait;

/// One version of what is kept under a key, as the service tells versions apart: an ETag, a
/// generation, a counter. Two versions with the same bytes may have the same tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobTag(pub String);

/// What is kept under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their version.
    pub tag: BlobTag,
}

/// A key in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// The whole key.
    pub key: String,
    /// How many bytes are kept.
    pub size: u64,
    /// When they were put there, by the service's clock.
    pub modified: SystemTime,
    /// Their version, if lists tell it. One that equals what `get` or `put` gave is the same version.
    pub tag: Option<BlobTag>,
}

/// On what condition bytes are put. The service decides and puts in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// On none.
    Always,
    /// Nothing is kept under the key.
    IfAbsent,
    /// What is kept under the key still is this version.
    IfMatch(BlobTag),
}

/// Why a service did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobError {
    /// Nothing is kept under the key (of a `get`).
    NotFound,
    /// Something is kept under the key already (of [`Put::IfAbsent`]). Nothing was put.
    AlreadyExists,
    /// Another version is kept under the key, or none (of [`Put::IfMatch`]). Nothing was put.
    PreconditionFailed,
    /// The service knows no such condition. Nothing was put.
    Unsupported(String),
    /// The service refuses: credentials are missing, wrong or expired, or allow too little. Nothing
    /// was done. The text is for people and holds no secret.
    Denied(String),
    /// The bucket, the container or the table isn't there. Nothing was done.
    NoBucket(String),
    /// There was no answer, or one that doesn't tell (such as a 5xx): what was asked may have been
    /// done, may be done yet, or may never be done. The text is for people and holds no secret.
    Unknown(String),
    /// The service answered that it can't, for a reason that another try doesn't change.
    Refused(String),
}

impl std::fmt::Display for BlobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BlobError::NotFound => f.write_str("there is no such object"),
            BlobError::AlreadyExists => f.write_str("there is such an object already"),
            BlobError::PreconditionFailed => f.write_str("the object is another than expected"),
            BlobError::Unsupported(text)
            | BlobError::Denied(text)
            | BlobError::NoBucket(text)
            | BlobError::Unknown(text)
            | BlobError::Refused(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for BlobError {}

/// Bytes kept under keys. Keys are relative to what the store's URL names (prefix included), are made
/// of segments with `/` between, and have no `/` at either end.
///
/// Promises of every adapter, checked by one suite:
///
/// - What a `put` has confirmed is seen by every later `get` and `list` of anybody.
/// - A `put` is there whole or not at all.
/// - Conditions are decided by the service: of racing puts on one condition at most one succeeds.
/// - No call is tried again by the adapter once its request may have been received: who asks has to
///   look first. Before that it may be (such as when no connection could be made).
#[async_trait]
pub trait Blobs: Send + Sync {
    /// The bytes under a key.
    async fn get(&self, key: &str) -> Result<Blob, BlobError>;

    /// Puts bytes under a key. Gives the tag of the new version.
    async fn put(&self, key: &str, bytes: Vec<u8>, condition: &Put) -> Result<BlobTag, BlobError>;

    /// Removes what is kept under a key. Nothing need be there.
    async fn delete(&self, key: &str) -> Result<(), BlobError>;

    /// How many keys [`Blobs::delete_all`] takes in one request. One where the service has none for several.
    fn deletes_at_once(&self) -> usize {
        1
    }

    /// Removes what is kept under several keys, as many as the service takes in one request. None of
    /// them need be there. If it fails, some may be gone.
    async fn delete_all(&self, keys: &[String]) -> Result<(), BlobError> {
        for key in keys {
            self.delete(key).await?;
        }
        Ok(())
    }

    /// Puts what is kept under one key under another as well, over what is there. Services that can do
    /// it without sending the bytes back and forth should.
    async fn copy(&self, from: &str, to: &str) -> Result<(), BlobError> {
        let blob = self.get(from).await?;
        self.put(to, blob.bytes, &Put::Always).await.map(drop)
    }

    /// All keys that begin with a text, sorted by their bytes. The text need not end at a `/`.
    async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError>;
}
