//! What services answer, as errors of the port.

use std::error::Error as _;

use object_store::Error;
use purlin_ports::{BlobError, Put};

/// A key that can't be one.
pub(super) fn bad_key(key: &str, error: &object_store::path::Error) -> BlobError {
    BlobError::Refused(format!("'{key}' can't be a key: {error}"))
}

/// An error with its causes, on one line. Nothing that signs a request is in it.
pub(super) fn text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The error of a request without a condition.
pub(super) fn plain(error: &Error) -> BlobError {
    conditional(error, &Put::Always)
}

/// The error of a put.
pub(super) fn conditional(error: &Error, condition: &Put) -> BlobError {
    let text = text(error);
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]) {
        return BlobError::NoBucket(text);
    }
    if says(&["169.254.169.254", "metadata.google.internal", "169.254.170.2"]) {
        return BlobError::Denied(format!(
            "no credentials were found, and there is no service that gives them here ({text})"
        ));
    }
    // Two changes at the same moment: neither may have been made.
    if says(&["ConditionalRequestConflict", "OperationAborted"]) {
        return BlobError::Unknown(text);
    }
    if says(&[
        "ExpiredToken",
        "InvalidAccessKeyId",
        // Of one object among several.
        "AccessDenied",
        "SignatureDoesNotMatch",
        "invalid_grant",
        "AuthenticationFailed",
    ]) {
        return BlobError::Denied(text);
    }
    match (error, condition) {
        // To replace what isn't there fails like replacing another version.
        (Error::NotFound { .. }, Put::IfMatch(_)) => BlobError::PreconditionFailed,
        (Error::NotFound { .. }, _) => BlobError::NotFound,
        (Error::AlreadyExists { .. } | Error::Precondition { .. }, Put::IfAbsent) => BlobError::AlreadyExists,
        (Error::AlreadyExists { .. } | Error::Precondition { .. }, Put::IfMatch(_)) => {
            BlobError::PreconditionFailed
        }
        (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, _) => BlobError::Denied(text),
        (Error::NotImplemented { .. } | Error::NotSupported { .. }, _) => BlobError::Unsupported(text),
        (Error::InvalidPath { .. } | Error::UnknownConfigurationKey { .. }, _) => BlobError::Refused(text),
        _ if says(&["status 501", "501 Not Implemented", "NotImplemented"]) && *condition != Put::Always => {
            BlobError::Unsupported(text)
        }
        _ if says(&["status 400", "400 Bad Request", "status 405", "405 Method"]) => BlobError::Refused(text),
        _ => BlobError::Unknown(text),
    }
}
