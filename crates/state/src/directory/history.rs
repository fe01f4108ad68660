//! What happened to a stack: an entry and a copy of the checkpoint for each operation.

use std::fs;
use std::io;
use std::path::PathBuf;

use purlin_formats::{ConfigText, HistoryRecord, OperationInfo, decode_history, encode_history};
use purlin_ports::{HistoryEntry, StackId, StateError, UpdateInfo, UpdateOutcome};

use super::files::{self, Doing as _};
use super::layout::StackFile;
use super::store::Inner;

/// How the store's records say what an operation is.
pub(crate) fn operation_info(info: &UpdateInfo) -> OperationInfo {
    let text = |(text, secret): &(String, bool)| {
        if *secret { ConfigText::Secret(text.clone()) } else { ConfigText::Plain(text.clone()) }
    };
    OperationInfo {
        kind: info.kind.clone(),
        message: info.message.clone(),
        environment: info.environment.clone(),
        config: info.config.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
    }
}

fn update_info(info: OperationInfo) -> UpdateInfo {
    let text = |value| match value {
        ConfigText::Secret(text) => (text, true),
        ConfigText::Plain(text) | ConfigText::Structured(text) => (text, false),
    };
    UpdateInfo {
        kind: info.kind,
        message: info.message,
        environment: info.environment,
        config: info.config.into_iter().map(|(key, value)| (key, text(value))).collect(),
    }
}

/// Records an operation that has ended, with copies of the checkpoint that it left.
pub(crate) fn record(
    inner: &Inner,
    id: &StackId,
    checkpoint: &StackFile,
    entry: &HistoryEntry,
) -> Result<(), StateError> {
    let record = HistoryRecord {
        info: operation_info(&entry.info),
        start_time: entry.start_time,
        end_time: entry.end_time,
        result: if entry.outcome.succeeded { "succeeded" } else { "failed" }.to_owned(),
        version: 0,
        resource_changes: entry.outcome.changes.clone(),
    };
    let folder = inner.layout.history(id);
    fs::create_dir_all(&folder).doing("create", &folder)?;
    let compression = inner.options.compression;
    let mut nanos = inner.around.clock.unix_nanos();
    let name = |nanos: i128, what: &str| {
        folder.join(format!("{}-{nanos}.{what}.json{}", id.name, compression.suffix()))
    };
    // Two operations in one tick of the clock.
    while name(nanos, "history").exists() {
        nanos += 1;
    }
    let text = encode_history(&record);
    let path = name(nanos, "history");
    let write = |out: &mut dyn io::Write| out.write_all(text.as_bytes());
    let bytes = files::compressed::<_, io::Error>(Vec::new(), compression, write).doing("write", &path)?;
    files::write_whole(&path, &bytes, &inner.token(), false).doing("write", &path)?;
    let copy = name(nanos, "checkpoint");
    files::copy(&checkpoint.path, &copy, &inner.token()).doing("write", &copy)?;
    if inner.options.disable_backups {
        return Ok(());
    }
    let folder = inner.layout.backups(id);
    fs::create_dir_all(&folder).doing("create", &folder)?;
    let backup = folder.join(format!("{}.{nanos}.json{}", id.name, compression.suffix()));
    files::link_or_copy(&copy, &backup, &inner.token()).doing("write", &backup)
}

/// The entries of a stack's history, newest first.
pub(crate) fn read(inner: &Inner, id: &StackId) -> Result<Vec<HistoryEntry>, StateError> {
    let folder = inner.layout.history(id);
    let mut found: Vec<(i128, PathBuf)> = Vec::new();
    for name in files::names(&folder).doing("list", &folder)? {
        let number = name
            .split_once(".history.json")
            .filter(|(_, ending)| matches!(*ending, "" | ".gz" | ".zst"))
            .and_then(|(stem, _)| stem.rsplit('-').next()?.parse().ok());
        found.extend(number.map(|number| (number, folder.join(&name))));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| read_entry(&path)).collect()
}

fn read_entry(path: &std::path::Path) -> Result<HistoryEntry, StateError> {
    let (bytes, _) = files::read(path).doing("read", path)?;
    let bytes = files::expand(&bytes).doing("expand", path)?.unwrap_or(bytes);
    let record = decode_history(&String::from_utf8_lossy(&bytes)).map_err(|mut diagnostic| {
        diagnostic.message = format!("{}: {}", path.display(), diagnostic.message);
        StateError::Unusable(diagnostic)
    })?;
    Ok(HistoryEntry {
        info: update_info(record.info),
        outcome: UpdateOutcome { succeeded: record.result == "succeeded", changes: record.resource_changes },
        start_time: record.start_time,
        end_time: record.end_time,
    })
}

/// Moves the history of a stack to another name.
pub(crate) fn rename(inner: &Inner, from: &StackId, to: &StackId) -> Result<(), StateError> {
    let (old, new) = (inner.layout.history(from), inner.layout.history(to));
    let names = files::names(&old).doing("list", &old)?;
    if names.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(&new).doing("create", &new)?;
    for name in names {
        let Some((stem, rest)) = name.rsplit_once('-') else { continue };
        if stem == from.name {
            let path = old.join(&name);
            fs::rename(&path, new.join(format!("{}-{rest}", to.name))).doing("rename", &path)?;
        }
    }
    // What else is in it stays.
    let _ = fs::remove_dir(&old);
    Ok(())
}
