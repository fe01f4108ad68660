//! The tags of a stack: a file beside its checkpoint.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StateError};
use serde::{Deserialize, Serialize};

use super::files::{self, Doing as _};
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
    let path = inner.layout.tags(id);
    let Some(bytes) = files::found(fs::read(&path)).doing("read", &path)? else {
        return Ok(BTreeMap::new());
    };
    let refuse = |what: String| {
        let message = format!("{}: {what}", path.display());
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
    let path = inner.layout.tags(id);
    if tags.is_empty() {
        return files::remove(&path).doing("remove", &path);
    }
    let file = TagsFile { version: VERSION, tags: Some(tags.clone()) };
    let text = serde_json::to_vec(&file).map_err(io::Error::from).doing("write", &path)?;
    files::remove_note(&path).doing("remove the note of", &path)?;
    files::write_whole(&path, &text, &inner.token(), true).doing("write", &path)
}
