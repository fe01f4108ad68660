//! Requests of the JSON interface, version 1.
//!
//! A version is told by its generation, a number. A put or a copy that expects generation zero expects
//! nothing there.

use async_trait::async_trait;
use object_store::path::Path;
use purlin_credentials::NoCredentials;
use purlin_credentials::google::Tokens;
use purlin_ports::{Blob, BlobError, BlobInfo, BlobTag, Blobs, Put};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use url::Url;

use super::answers::{Listed, Rewritten, Written, lost, refused};
use crate::object::errors::bad_key;

/// The objects below a prefix of a bucket.
pub(super) struct JsonObjects {
    pub(super) http: Client,
    /// Without a path.
    pub(super) endpoint: Url,
    /// `None` where nobody asks for any.
    pub(super) tokens: Option<Tokens>,
    pub(super) bucket: String,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
}

/// Without a token nothing was asked of the service, so nothing was done.
fn no_token(none: NoCredentials) -> BlobError {
    let text = format!("no token for Google Cloud Storage: {none}");
    if none.passing { BlobError::Unknown(text) } else { BlobError::Denied(text) }
}

impl JsonObjects {
    /// The whole name of a key's object.
    fn object(&self, key: &str) -> Result<String, BlobError> {
        let path = Path::parse(format!("{}{key}", self.prefix)).map_err(|error| bad_key(key, &error))?;
        Ok(path.into())
    }

    /// The address of the bucket's objects, and of what is below it. Slashes in names are escaped.
    fn address(&self, above: &[&str], below: &[&str]) -> Result<Url, BlobError> {
        let mut url = self.endpoint.clone();
        let Ok(mut path) = url.path_segments_mut() else {
            return Err(BlobError::Refused(format!("{} is not the address of a server", self.endpoint)));
        };
        path.extend(above).extend(["storage", "v1", "b", &self.bucket, "o"]).extend(below);
        drop(path);
        Ok(url)
    }

    /// Makes a request, once. Gives the answer if it is a good one. `condition` is that of a put.
    async fn ask(&self, request: RequestBuilder, condition: Option<&Put>) -> Result<Response, BlobError> {
        let request = match &self.tokens {
            Some(tokens) => request.bearer_auth(tokens.get().await.map_err(no_token)?),
            None => request,
        };
        let answer = request.send().await.map_err(|error| lost(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        // The status counts, even if the text that goes with it is lost.
        let text = answer.text().await.unwrap_or_default();
        Err(refused(status.as_u16(), &text, condition))
    }
}

/// What an answer says. One that is torn or makes no sense doesn't tell what was done.
async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, BlobError> {
    let bytes = answer.bytes().await.map_err(|error| lost(&error))?;
    let unclear = |error| BlobError::Unknown(format!("the service's answer makes no sense: {error}"));
    serde_json::from_slice(&bytes).map_err(unclear)
}

/// The generation that a condition expects.
fn expected(condition: &Put) -> Result<Option<u64>, BlobError> {
    match condition {
        Put::Always => Ok(None),
        Put::IfAbsent => Ok(Some(0)),
        // What is no generation was never there, and zero would mean that nothing is.
        Put::IfMatch(BlobTag(tag)) => match tag.parse() {
            Ok(generation) if generation > 0 => Ok(Some(generation)),
            _ => Err(BlobError::PreconditionFailed),
        },
    }
}

#[async_trait]
impl Blobs for JsonObjects {
    async fn get(&self, key: &str) -> Result<Blob, BlobError> {
        let mut url = self.address(&[], &[&self.object(key)?])?;
        url.query_pairs_mut().append_pair("alt", "media");
        // Whoever takes gzip gets what is kept; for others the service would unpack it.
        let answer = self.ask(self.http.get(url).header(ACCEPT_ENCODING, "gzip"), None).await?;
        let generation = answer.headers().get("x-goog-generation").and_then(|value| value.to_str().ok());
        let tag = BlobTag(generation.unwrap_or_default().to_owned());
        let bytes = answer.bytes().await.map_err(|error| lost(&error))?;
        if tag.0.is_empty() {
            return Err(BlobError::Unknown("the service's answer names no generation".to_owned()));
        }
        Ok(Blob { bytes: bytes.into(), tag })
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, condition: &Put) -> Result<BlobTag, BlobError> {
        let mut url = self.address(&["upload"], &[])?;
        url.query_pairs_mut()
            .append_pair("uploadType", "media")
            .append_pair("name", &self.object(key)?)
            .append_pair("fields", "generation");
        if let Some(generation) = expected(condition)? {
            url.query_pairs_mut().append_pair("ifGenerationMatch", &generation.to_string());
        }
        let request = self.http.post(url).header(CONTENT_TYPE, "application/octet-stream").body(bytes);
        let written: Written = read(self.ask(request, Some(condition)).await?).await?;
        Ok(BlobTag(written.generation))
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let url = self.address(&[], &[&self.object(key)?])?;
        match self.ask(self.http.delete(url), None).await {
            Ok(_) | Err(BlobError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), BlobError> {
        let (from, to) = (self.object(from)?, self.object(to)?);
        let mut token: Option<String> = None;
        // Large objects are copied in several steps.
        loop {
            let mut url = self.address(&[], &[&from, "rewriteTo", "b", &self.bucket, "o", &to])?;
            url.query_pairs_mut().append_pair("fields", "done,rewriteToken");
            if let Some(token) = &token {
                url.query_pairs_mut().append_pair("rewriteToken", token);
            }
            let answer = self.ask(self.http.post(url).header(CONTENT_LENGTH, 0), None).await?;
            match read(answer).await? {
                Rewritten { done: true, .. } => return Ok(()),
                Rewritten { rewrite_token: None, .. } => {
                    return Err(BlobError::Unknown("the service has not ended a copy".to_owned()));
                }
                Rewritten { rewrite_token, .. } => token = rewrite_token,
            }
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        let mut infos = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let mut url = self.address(&[], &[])?;
            url.query_pairs_mut()
                .append_pair("prefix", &format!("{}{prefix}", self.prefix))
                .append_pair("fields", "items(name,size,updated,generation),nextPageToken");
            if let Some(page) = &page {
                url.query_pairs_mut().append_pair("pageToken", page);
            }
            let answer = self.ask(self.http.get(url), None).await.map_err(|error| match error {
                // What is not there is the bucket.
                BlobError::NotFound => BlobError::NoBucket(format!("there is no bucket '{}'", self.bucket)),
                error => error,
            })?;
            let listed: Listed = read(answer).await?;
            for item in listed.items {
                // Others may keep anything in the bucket, but nothing outside the prefix is listed.
                let Some(key) = item.name.strip_prefix(&self.prefix) else { continue };
                let (size, modified) = (item.size()?, item.modified()?);
                let tag = item.generation.clone().map(BlobTag);
                infos.push(BlobInfo { key: key.to_owned(), size, modified, tag });
            }
            match listed.next_page_token.filter(|token| !token.is_empty()) {
                Some(next) => page = Some(next),
                None => break,
            }
        }
        infos.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(infos)
    }
}
