//! What the JSON interface answers.

use std::error::Error as _;
use std::time::SystemTime;

use purlin_ports::{BlobError, Put};
use serde::Deserialize;

/// The object that a put has made.
#[derive(Deserialize)]
pub(super) struct Written {
    pub(super) generation: String,
}

/// How far a copy is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rewritten {
    pub(super) done: bool,
    pub(super) rewrite_token: Option<String>,
}

/// A page of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    #[serde(default)]
    pub(super) items: Vec<Item>,
    pub(super) next_page_token: Option<String>,
}

/// An object in a list. Numbers are texts.
#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) name: String,
    size: String,
    updated: String,
    pub(super) generation: Option<String>,
}

impl Item {
    fn unclear(&self, what: &str) -> BlobError {
        BlobError::Unknown(format!("the service's answer makes no sense: {what} of {}", self.name))
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> Result<u64, BlobError> {
        self.size.parse().map_err(|_| self.unclear("the size"))
    }

    /// When it was put there.
    pub(super) fn modified(&self) -> Result<SystemTime, BlobError> {
        let time: jiff::Timestamp = self.updated.parse().map_err(|_| self.unclear("the time"))?;
        Ok(time.into())
    }
}

/// The error of a request that got no answer, or half of one. Without the URL, whose place the
/// message names anyway.
pub(super) fn lost(error: &reqwest::Error) -> BlobError {
    let mut text = String::from(if error.is_timeout() { "no answer in time" } else { "no answer" });
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    BlobError::Unknown(text)
}

/// The error that an answer is. `condition` is that of a put.
pub(super) fn refused(status: u16, body: &str, condition: Option<&Put>) -> BlobError {
    let said = message(body);
    let text = if said.is_empty() { format!("status {status}") } else { format!("status {status}: {said}") };
    match (status, condition) {
        (404, _) if said.contains("bucket does not exist") => BlobError::NoBucket(text),
        // A put needs nothing but the bucket.
        (404, Some(_)) => BlobError::NoBucket(text),
        (404, None) => BlobError::NotFound,
        (412, Some(Put::IfAbsent)) => BlobError::AlreadyExists,
        (412, Some(Put::IfMatch(_))) => BlobError::PreconditionFailed,
        // So it also says that somebody asks too often.
        (403, _) if body.contains("rateLimitExceeded") || body.contains("userRateLimitExceeded") => {
            BlobError::Unknown(text)
        }
        (401 | 403, _) => BlobError::Denied(text),
        (501, Some(Put::IfAbsent | Put::IfMatch(_))) => BlobError::Unsupported(text),
        // Two changes at the same moment (409): neither may have been made.
        (408 | 409 | 425 | 429, _) => BlobError::Unknown(text),
        (400..=499, _) => BlobError::Refused(text),
        _ => BlobError::Unknown(text),
    }
}

/// What an answer says for people, on one line.
fn message(body: &str) -> String {
    #[derive(Deserialize)]
    struct Answer {
        error: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    let said = serde_json::from_str::<Answer>(body).map(|answer| answer.error.message);
    let said = said.unwrap_or_else(|_| body.to_owned());
    // Proxies answer whole pages.
    said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let body = |text: &str| format!(r#"{{"error":{{"code":0,"message":"{text}"}}}}"#);
        let of = |status, text: &str, condition: Option<&Put>| refused(status, &body(text), condition);
        assert_eq!(of(404, "No such object: b/k", None), BlobError::NotFound);
        let no_bucket = of(404, "The specified bucket does not exist.", None);
        assert!(matches!(no_bucket, BlobError::NoBucket(text) if text.contains("status 404: The spec")));
        assert!(matches!(of(404, "", Some(&Put::Always)), BlobError::NoBucket(_)));
        assert_eq!(of(412, "x", Some(&Put::IfAbsent)), BlobError::AlreadyExists);
        let tag = Put::IfMatch(purlin_ports::BlobTag("1".into()));
        assert_eq!(of(412, "x", Some(&tag)), BlobError::PreconditionFailed);
        assert!(matches!(of(401, "Invalid Credentials", None), BlobError::Denied(_)));
        assert!(matches!(of(403, "no permission", None), BlobError::Denied(_)));
        let often = r#"{"error":{"message":"slower","errors":[{"reason":"rateLimitExceeded"}]}}"#;
        assert_eq!(refused(403, often, None), BlobError::Unknown("status 403: slower".into()));
        for status in [408, 409, 429, 500, 503] {
            assert!(matches!(of(status, "x", Some(&tag)), BlobError::Unknown(_)), "{status}");
        }
        assert!(matches!(of(501, "x", Some(&tag)), BlobError::Unsupported(_)));
        assert!(matches!(of(400, "x", None), BlobError::Refused(_)));
        assert_eq!(refused(502, "<html>\n bad", None), BlobError::Unknown("status 502: <html> bad".into()));
    }
}
