//! What providers say when they refuse.

use purlin_ports::{CheckFailure, ProviderError};
use purlin_wire::details::{ErrorDetails, error_details};
use purlin_wire::{CodecError, pulumirpc as rpc};
use tonic::Status;

use super::connection::CallFailure;

/// A failure's text with what its details say.
pub(super) fn describe(status: &Status) -> String {
    let details = error_details(status);
    if !details.missing_keys.is_empty() {
        return missing_keys(&details);
    }
    let mut text = status.message().to_owned();
    if text.is_empty() {
        text = format!("the provider failed without saying why ({})", status.code());
    }
    for cause in &details.causes {
        if !cause.message.is_empty() && !text.contains(&cause.message) {
            text.push_str(": ");
            text.push_str(&cause.message);
        }
    }
    for error in &details.property_errors {
        text.push_str("\n  ");
        if !error.property_path.is_empty() {
            text.push_str(&error.property_path);
            text.push_str(": ");
        }
        text.push_str(&error.reason);
    }
    text
}

fn missing_keys(details: &ErrorDetails) -> String {
    let lines = details.missing_keys.iter().map(|key| {
        format!(
            "missing required configuration key \"{}\": {}\nset it with `pulumi config set {} <value>`",
            key.name, key.description, key.name
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What is left of a resource that was only half made.
pub(super) struct HalfMade {
    pub(super) detail: rpc::ErrorResourceInitFailed,
    /// Why; never empty.
    pub(super) reasons: Vec<String>,
}

/// The half-made resource that a failure speaks of, if it does.
pub(super) fn half_made(failure: CallFailure) -> Result<HalfMade, ProviderError> {
    let CallFailure::Server(status) = &failure else { return Err(failure.into()) };
    let Some(mut detail) = error_details(status).init_failed else { return Err(failure.into()) };
    let mut reasons = std::mem::take(&mut detail.reasons);
    if reasons.is_empty() {
        reasons.push(describe(status));
    }
    Ok(HalfMade { detail, reasons })
}

/// The error for values that can't be sent: nothing has happened.
pub(super) fn not_sendable(error: &CodecError) -> ProviderError {
    ProviderError::Rejected(format!("the values can't be sent to the provider: {error}"))
}

/// The error for an answer that can't be read, where the call changes nothing.
pub(super) fn not_readable(label: &str, error: &CodecError) -> ProviderError {
    ProviderError::Rejected(format!("the answer of {label} can't be read: {error}"))
}

/// The error for an answer that can't be read, where the call has changed something.
pub(super) fn outcome_not_readable(label: &str, error: &CodecError) -> ProviderError {
    ProviderError::OutcomeUnknown(format!(
        "{label} has answered that it is done, but the answer can't be read: {error}"
    ))
}

/// Why arguments were refused.
pub(super) fn failures(failures: Vec<rpc::CheckFailure>) -> Vec<CheckFailure> {
    failures.into_iter().map(|f| CheckFailure { property: f.property, reason: f.reason }).collect()
}
