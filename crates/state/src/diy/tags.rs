//! The tags of a stack: a file beside its checkpoint.

use std::collections::BTreeMap;

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StateError};
use serde::{Deserialize, Serialize};

use super::folder::to_json;
use super::store::Inner;
use crate::rules::check_tags;

/// The version of the file.
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct TagsFile {
    version: u64,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

/// The tags of a stack; none if there is no file.
pub(crate) fn read(inner: &Inner, id: &StackId) -> Result<BTreeMap<String, String>, StateError> {
    let key = inner.layout.tags(id);
    let Some((bytes, _)) = inner.medium.read(&key)? else {
        return Ok(BTreeMap::new());
    };
    let refuse = |what: String| {
        let message = format!("{}: {what}", inner.medium.place(&key));
        let hint = "correct the file or remove it; nothing but tags is in it";
        StateError::Unusable(Diagnostic::error("tags-unusable", message).with_hint(hint))
    };
    let file: TagsFile = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    if file.version != VERSION {
        return Err(refuse(format!("has version {}; this program knows version {VERSION}", file.version)));
    }
    Ok(file.tags.unwrap_or_default())
}

/// Replaces the tags of a stack. Without any, the file goes.
pub(crate) fn write(inner: &Inner, id: &StackId, tags: &BTreeMap<String, String>) -> Result<(), StateError> {
    check_tags(tags)?;
    // What a newer program wrote stays.
    read(inner, id)?;
    let key = inner.layout.tags(id);
    if tags.is_empty() {
        return inner.medium.remove(&key);
    }
    let file = TagsFile { version: VERSION, tags: Some(tags.clone()) };
    inner.medium.write(&key, &to_json(&key, &file)?, true)
}
