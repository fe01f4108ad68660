//! The port over a client of the library for object storage. Versions are told by ETags.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use purlin_ports::{Blob, BlobError, BlobInfo, BlobTag, Blobs, Put};

use super::errors::{bad_key, conditional, plain};

/// The objects below a prefix of a bucket.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
    /// How many objects the service removes in one request.
    pub(super) deletes_at_once: usize,
}

impl Objects {
    fn path(&self, key: &str) -> Result<Path, BlobError> {
        Path::parse(format!("{}{key}", self.prefix)).map_err(|error| bad_key(key, &error))
    }

    fn info(&self, meta: ObjectMeta) -> Option<BlobInfo> {
        let key = meta.location.as_ref().strip_prefix(&self.prefix)?.to_owned();
        let tag = meta.e_tag.map(BlobTag);
        Some(BlobInfo { key, size: meta.size, modified: meta.last_modified.into(), tag })
    }
}

#[async_trait]
impl Blobs for Objects {
    async fn get(&self, key: &str) -> Result<Blob, BlobError> {
        let found = self.store.get(&self.path(key)?).await.map_err(|error| plain(&error))?;
        let tag = BlobTag(found.meta.e_tag.clone().unwrap_or_default());
        let bytes = found.bytes().await.map_err(|error| plain(&error))?;
        Ok(Blob { bytes: bytes.into(), tag })
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, condition: &Put) -> Result<BlobTag, BlobError> {
        let mode = match condition {
            Put::Always => PutMode::Overwrite,
            Put::IfAbsent => PutMode::Create,
            Put::IfMatch(BlobTag(tag)) => {
                PutMode::Update(UpdateVersion { e_tag: Some(tag.clone()), version: None })
            }
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        let put = self.store.put_opts(&self.path(key)?, bytes.into(), options).await;
        let put = put.map_err(|error| conditional(&error, condition))?;
        Ok(BlobTag(put.e_tag.unwrap_or_default()))
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self.store.delete(&self.path(key)?).await.map_err(|error| plain(&error)) {
            Ok(()) | Err(BlobError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn deletes_at_once(&self) -> usize {
        self.deletes_at_once
    }

    async fn delete_all(&self, keys: &[String]) -> Result<(), BlobError> {
        let paths = keys.iter().map(|key| self.path(key)).collect::<Result<Vec<Path>, BlobError>>()?;
        let mut ends = self.store.delete_stream(futures::stream::iter(paths.into_iter().map(Ok)).boxed());
        let mut wrong = None;
        // The answer speaks of each object.
        while let Some(end) = ends.next().await {
            match end.map_err(|error| plain(&error)) {
                Ok(_) | Err(BlobError::NotFound) => {}
                Err(error) => wrong = Some(error),
            }
        }
        wrong.map_or(Ok(()), Err)
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
