//! From errors to what gRPC answers.

use std::future::Future;

use purlin_diag::Diagnostic;
use purlin_model::{ProviderRef, Urn};
use purlin_ports::MonitorError;
use purlin_wire::CodecError;
use tonic::Status;

/// What the engine's refusal is to a program. SDKs take `Unavailable` as a wish that they end.
pub(crate) fn of_monitor(error: &MonitorError) -> Status {
    match error {
        MonitorError::Stopping => Status::unavailable(error.to_string()),
        MonitorError::Invalid(message) => Status::invalid_argument(message),
        MonitorError::Failed(message) => Status::unknown(message),
    }
}

pub(crate) fn of_codec(what: &str, error: &CodecError) -> Status {
    Status::invalid_argument(format!("{what}: {error}"))
}

pub(crate) fn of_diagnostic(diagnostic: &Diagnostic) -> Status {
    Status::unknown(diagnostic.to_string())
}

/// A URN, or an answer that says which one is wrong.
pub(crate) fn urn(what: &str, text: &str) -> Result<Urn, Status> {
    Urn::parse(text).ok_or_else(|| Status::invalid_argument(format!("{what}: '{text}' is not a URN")))
}

/// A URN that may be missing.
pub(crate) fn optional_urn(what: &str, text: &str) -> Result<Option<Urn>, Status> {
    if text.is_empty() { Ok(None) } else { urn(what, text).map(Some) }
}

/// URNs, sorted and each once.
pub(crate) fn urns<S: AsRef<str>>(
    what: &str,
    texts: impl IntoIterator<Item = S>,
) -> Result<Vec<Urn>, Status> {
    let mut urns = texts.into_iter().map(|text| urn(what, text.as_ref())).collect::<Result<Vec<_>, _>>()?;
    urns.sort();
    urns.dedup();
    Ok(urns)
}

/// A reference to a provider that may be missing.
pub(crate) fn optional_provider(text: &str) -> Result<Option<ProviderRef>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    ProviderRef::parse(text)
        .map(Some)
        .ok_or_else(|| Status::invalid_argument(format!("'{text}' is not a reference to a provider")))
}

/// Carries a call through even if the caller hangs up in the middle of it.
pub(crate) async fn to_the_end<T: Send + 'static>(
    call: impl Future<Output = Result<T, MonitorError>> + Send + 'static,
) -> Result<T, Status> {
    match tokio::spawn(call).await {
        Ok(result) => result.map_err(|error| of_monitor(&error)),
        Err(error) => Err(Status::internal(format!("the engine's answer was lost: {error}"))),
    }
}
