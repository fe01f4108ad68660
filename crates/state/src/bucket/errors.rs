//! What services refuse, as errors of the store.

use purlin_diag::Diagnostic;
use purlin_ports::{BlobError, StateError};

/// An error of a service, with what was being done to what.
pub(crate) fn failed(what: &str, place: &str, error: &BlobError) -> StateError {
    let (code, hint) = match error {
        BlobError::Denied(_) => (
            "store-denied",
            "renew or set the credentials of the backend, check that they allow to read, write, list and \
             delete objects, then run the command again",
        ),
        BlobError::NoBucket(_) => {
            ("backend-missing", "make the bucket, or correct the backend's URL; `purlin whoami -v` shows it")
        }
        BlobError::Unknown(_) => ("store-unreachable", "check the connection, then run the command again"),
        BlobError::Unsupported(_) => {
            ("store-conditions", "the service lacks conditional writes; keep the state in another one")
        }
        _ => ("store-refused", "look into what the service says"),
    };
    let message = format!("failed to {what} {place}: {error}");
    StateError::Store(Diagnostic::error(code, message).with_hint(hint))
}
