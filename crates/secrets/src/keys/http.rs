//! Calls to key services over HTTP: small bodies in JSON there and back.

use std::time::Duration;

use purlin_diag::Diagnostic;
use serde_json::Value;

/// How long a service may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a call is made when no answer comes or the service can't just now. Encrypting and
/// decrypting change nothing, so that another try is safe.
const ATTEMPTS: u32 = 3;

/// A client for services.
pub(super) fn client() -> Result<reqwest::Client, Diagnostic> {
    let built = reqwest::Client::builder().timeout(PATIENCE).build();
    built.map_err(|error| Diagnostic::error("key-service-unreachable", format!("no HTTP client: {error}")))
}

/// Makes a call until there is an answer that counts. `call` makes a request each time, since
/// signatures have a time.
pub(super) async fn ask<F>(who: &str, mut call: impl FnMut() -> F) -> Result<Value, Diagnostic>
where
    F: Future<Output = Result<reqwest::RequestBuilder, Diagnostic>>,
{
    let mut complaint = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(200) * 4u32.pow(attempt - 1)).await;
        }
        let answer = match call().await?.send().await {
            Ok(answer) => answer,
            Err(error) => {
                complaint = chain(&error);
                continue;
            }
        };
        let status = answer.status();
        let text = match answer.text().await {
            Ok(text) => text,
            Err(error) => {
                complaint = chain(&error);
                continue;
            }
        };
        if status.is_success() {
            return serde_json::from_str(&text).map_err(|_| unexpected(who, "its answer is not JSON"));
        }
        complaint = format!("{status}: {}", shortened(&text));
        if !(status.is_server_error() || status.as_u16() == 429) {
            return Err(refused(who, status.as_u16(), &complaint));
        }
    }
    Err(Diagnostic::error("key-service-unreachable", format!("{who} does not answer: {complaint}"))
        .with_hint("nothing was changed; try again when the service can be reached"))
}

/// An answer that makes no sense.
pub(super) fn unexpected(who: &str, what: &str) -> Diagnostic {
    Diagnostic::error("key-service-answer", format!("{who} answered in a way that is not understood: {what}"))
}

/// Credentials that aren't there or can't be had.
pub(super) fn no_credentials(who: &str, why: &str, hint: &str) -> Diagnostic {
    Diagnostic::error("key-service-denied", format!("there are no credentials for {who}: {why}"))
        .with_hint(hint.to_owned())
}

fn refused(who: &str, status: u16, complaint: &str) -> Diagnostic {
    match status {
        401 | 403 => Diagnostic::error("key-service-denied", format!("{who} refuses: {complaint}"))
            .with_hint("check the credentials, and that they may encrypt and decrypt with this key"),
        _ => Diagnostic::error("key-service-refused", format!("{who} refuses: {complaint}"))
            .with_hint("check the URL of the secrets provider: the key, its region and its parameters"),
    }
}

/// An error with what led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn shortened(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// A text of an answer, by its path in it.
pub(super) fn text<'a>(answer: &'a Value, pointer: &str, who: &str) -> Result<&'a str, Diagnostic> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| unexpected(who, &format!("it has no {}", pointer.trim_start_matches('/'))))
}
