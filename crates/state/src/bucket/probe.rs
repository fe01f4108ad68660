//! Finds out whether a service decides conditions. Some overlook them, and then two writers could both
//! succeed.

use purlin_diag::Diagnostic;
use purlin_ports::{BlobError, BlobTag, Put, StateError};
use serde::{Deserialize, Serialize};

use super::errors::failed;
use super::requests::Requests;

/// What was found out, kept in the bucket.
#[derive(Serialize, Deserialize)]
struct Found {
    /// The store that it was found out of: a copied bucket may be another service's.
    url: String,
}

const NOTE: &str = ".pulumi/purlin/conditional-writes.json";

/// Makes sure that conditional writes work, if that isn't known yet.
pub(crate) async fn check(requests: &Requests, nonce: &str) -> Result<(), StateError> {
    if requests.is_unconditional() {
        return Ok(());
    }
    let url = requests.identity().to_owned();
    if let Some(blob) = requests.get(NOTE).await?
        && serde_json::from_slice::<Found>(&blob.bytes).is_ok_and(|found| found.url == url)
    {
        return Ok(());
    }
    let key = format!(".pulumi/purlin/probe.{nonce}");
    let tried = try_conditions(requests, &key).await;
    let removed = requests.delete(&key).await;
    if let Some(why) = tried? {
        return Err(refusal(requests, &why));
    }
    removed?;
    let note = serde_json::to_vec(&Found { url }).unwrap_or_default();
    requests.put(NOTE, note).await.map(drop)
}

/// Says what is wrong, if something is.
async fn try_conditions(requests: &Requests, key: &str) -> Result<Option<String>, StateError> {
    let put = |text: &'static str, condition: Put| async move {
        match requests.put_once(key, text.into(), &condition).await {
            Ok(tag) => Ok(Some(tag)),
            Err(BlobError::AlreadyExists | BlobError::PreconditionFailed) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let wrong = async {
        let Some(first) = put("1", Put::IfAbsent).await? else {
            return Ok(Some("it says that there is what is not".to_owned()));
        };
        if put("2", Put::IfAbsent).await?.is_some() {
            return Ok(Some("it puts an object 'if absent' where there is one".to_owned()));
        }
        if put("3", Put::IfMatch(first.clone())).await?.is_none() {
            return Ok(Some("it doesn't know the version that it just gave".to_owned()));
        }
        let stale: BlobTag = first;
        if put("4", Put::IfMatch(stale)).await?.is_some() {
            return Ok(Some("it replaces an object 'if it matches' that doesn't".to_owned()));
        }
        Ok(None)
    };
    match wrong.await {
        Ok(wrong) => Ok(wrong),
        Err(BlobError::Unsupported(text)) => Ok(Some(text)),
        Err(error) => Err(failed("try conditional writes in", &requests.place(""), &error)),
    }
}

fn refusal(requests: &Requests, why: &str) -> StateError {
    let message = format!(
        "{} has no conditional writes ({why}), so two operations could overwrite each other's state",
        requests.place("")
    );
    StateError::Unusable(Diagnostic::error("store-conditions", message).with_hint(
        "keep the state in a service that has them, or, if nobody else ever works on its stacks at the same time, \
         set PURLIN_WITHOUT_CONDITIONAL_WRITES=true",
    ))
}
