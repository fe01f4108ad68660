//! What happened to a stack: an entry and a copy of the checkpoint for each operation.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_formats::{
    ConfigText, HistoryRecord, OperationInfo, WriteError, decode_history, encode_history, write_checkpoint,
};
use purlin_model::Snapshot;
use purlin_ports::{
    HistoryEntry, LoadedStack, RecordedConfig, StackId, StateError, UpdateInfo, UpdateOutcome,
};

use super::at_once::{Task, all};
use super::checkpoint::{Stored, not_written};
use super::compress;
use super::layout::StackFile;
use super::medium::Copying;
use super::options::Compression;
use super::store::Inner;

/// How the store's records say what an operation is.
pub(crate) fn operation_info(info: &UpdateInfo) -> OperationInfo {
    let text = |value: &RecordedConfig| match value.clone() {
        RecordedConfig::Plain(text) => ConfigText::Plain(text),
        RecordedConfig::Secret(text) => ConfigText::Secret(text),
        RecordedConfig::Structured(text) => ConfigText::Structured(text),
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
        ConfigText::Plain(text) => RecordedConfig::Plain(text),
        ConfigText::Secret(text) => RecordedConfig::Secret(text),
        ConfigText::Structured(text) => RecordedConfig::Structured(text),
    };
    UpdateInfo {
        kind: info.kind,
        message: info.message,
        environment: info.environment,
        config: info.config.into_iter().map(|(key, value)| (key, text(value))).collect(),
    }
}

/// Records an operation that has ended under names that are free, with copies of the checkpoint that it
/// left.
pub(crate) fn record(
    inner: &Inner,
    id: &StackId,
    names: &Names,
    checkpoint: &StackFile,
    entry: &HistoryEntry,
) -> Result<(), StateError> {
    let medium = &inner.medium;
    let copy = names.key("checkpoint");
    let (folder, ending) = (inner.layout.backups(id), inner.options.compression.suffix());
    let backup = format!("{folder}/{}.{}.json{ending}", id.name, names.nanos);
    let mut tasks: Vec<Task<'_>> = vec![
        Box::new(|| write_entry(inner, names, entry)),
        Box::new(|| medium.copy(&checkpoint.key, &copy, Copying::Apart)),
    ];
    // Where copies are made one after the other they share what they can.
    let source = if medium.is_far() { &checkpoint.key } else { &copy };
    if !inner.options.disable_backups {
        tasks.push(Box::new(|| medium.copy(source, &backup, Copying::Share)));
    }
    all(&**medium, tasks)
}

/// Adds an entry that another store recorded.
pub(crate) fn add(
    inner: &Inner,
    id: &StackId,
    entry: &HistoryEntry,
    state: Option<&Snapshot>,
) -> Result<(), StateError> {
    let names = next_names(inner, id)?;
    // The state first: an entry is not to be seen without it.
    if let Some(snapshot) = state {
        let key = names.key("checkpoint");
        let write = |out: &mut dyn io::Write| write_checkpoint(out, &id.to_string(), Some(snapshot));
        let bytes = match compress::compressed(Vec::new(), inner.options.compression, write) {
            Ok(bytes) => bytes,
            Err(WriteError::Io(error)) => return Err(not_written(&inner.medium.place(&key), &error)),
            Err(WriteError::Refused(diagnostic)) => return Err(StateError::Unusable(diagnostic)),
        };
        inner.medium.write(&key, &bytes, false)?;
    }
    write_entry(inner, &names, entry)
}

/// The names of the files of an entry.
pub(crate) struct Names {
    folder: String,
    stack: String,
    nanos: i128,
    ending: &'static str,
}

impl Names {
    fn key(&self, what: &str) -> String {
        format!("{}/{}-{}.{what}.json{}", self.folder, self.stack, self.nanos, self.ending)
    }
}

/// The names of an entry that comes after all that are there.
pub(crate) fn next_names(inner: &Inner, id: &StackId) -> Result<Names, StateError> {
    let folder = inner.layout.history(id);
    let newest = entries(inner, id)?.last().map(|found| found.nanos);
    // Two operations in one tick of the clock, or a clock that was put back.
    let nanos = inner.around.clock.unix_nanos().max(newest.map_or(0, |newest| newest + 1));
    Ok(Names { folder, stack: id.name.clone(), nanos, ending: inner.options.compression.suffix() })
}

fn write_entry(inner: &Inner, names: &Names, entry: &HistoryEntry) -> Result<(), StateError> {
    let record = HistoryRecord {
        info: operation_info(&entry.info),
        start_time: entry.start_time,
        end_time: entry.end_time,
        result: if entry.outcome.succeeded { "succeeded" } else { "failed" }.to_owned(),
        version: 0,
        resource_changes: entry.outcome.changes.clone(),
    };
    let text = encode_history(&record);
    let key = names.key("history");
    let write = |out: &mut dyn io::Write| out.write_all(text.as_bytes());
    let compression = inner.options.compression;
    let bytes = compress::compressed::<_, io::Error>(Vec::new(), compression, write)
        .map_err(|error| not_written(&inner.medium.place(&key), &error))?;
    inner.medium.write(&key, &bytes, false)
}

/// An entry as the names of its files show it.
pub(crate) struct Found {
    nanos: i128,
    pub(crate) entry: String,
    pub(crate) checkpoint: Option<StackFile>,
}

/// What is in the folder of a history, oldest first.
pub(crate) fn entries(inner: &Inner, id: &StackId) -> Result<Vec<Found>, StateError> {
    let folder = inner.layout.history(id);
    let names = inner.medium.names(&folder)?;
    let number = |name: &str, what: &str| -> Option<(i128, Compression)> {
        let (stem, ending) = name.split_once(&format!(".{what}.json"))?;
        let compression = Compression::ALL.into_iter().find(|c| c.suffix() == ending)?;
        Some((stem.rsplit('-').next()?.parse().ok()?, compression))
    };
    let mut checkpoints: BTreeMap<i128, StackFile> = BTreeMap::new();
    for name in &names {
        if let Some((nanos, compression)) = number(name, "checkpoint") {
            checkpoints.insert(nanos, StackFile { key: format!("{folder}/{name}"), compression });
        }
    }
    let mut found: Vec<Found> = names
        .iter()
        .filter_map(|name| Some((number(name, "history")?.0, format!("{folder}/{name}"))))
        .map(|(nanos, entry)| Found { nanos, entry, checkpoint: checkpoints.remove(&nanos) })
        .collect();
    found.sort_by_key(|found| found.nanos);
    Ok(found)
}

/// The entries of a stack's history, newest first.
pub(crate) fn read(inner: &Inner, id: &StackId) -> Result<Vec<HistoryEntry>, StateError> {
    let found = entries(inner, id)?;
    let texts = inner.medium.read_all(found.iter().map(|found| found.entry.clone()).collect())?;
    let read = (1..).zip(found.iter().zip(texts)).filter_map(|(version, (found, bytes))| {
        // What went away meanwhile is not in the list.
        Some(decode(inner, version, found, bytes?))
    });
    let mut entries = read.collect::<Result<Vec<_>, _>>()?;
    entries.reverse();
    Ok(entries)
}

pub(crate) fn read_entry(
    inner: &Inner,
    version: u64,
    found: &Found,
) -> Result<Option<HistoryEntry>, StateError> {
    let read = inner.medium.read(&found.entry)?;
    read.map(|(bytes, _)| decode(inner, version, found, bytes)).transpose()
}

fn decode(inner: &Inner, version: u64, found: &Found, bytes: Vec<u8>) -> Result<HistoryEntry, StateError> {
    let place = inner.medium.place(&found.entry);
    let bytes = match compress::expand(&bytes) {
        Ok(expanded) => expanded.unwrap_or(bytes),
        Err(error) => {
            let message = format!("{place} is damaged: it can't be decompressed ({error})");
            return Err(StateError::Unusable(Diagnostic::error("history-damaged", message)));
        }
    };
    let record = decode_history(&String::from_utf8_lossy(&bytes)).map_err(|mut diagnostic| {
        diagnostic.message = format!("{place}: {}", diagnostic.message);
        StateError::Unusable(diagnostic)
    })?;
    Ok(HistoryEntry {
        version,
        has_state: found.checkpoint.is_some(),
        info: update_info(record.info),
        outcome: UpdateOutcome { succeeded: record.result == "succeeded", changes: record.resource_changes },
        start_time: record.start_time,
        end_time: record.end_time,
    })
}

/// The state that an operation left.
pub(crate) fn state(inner: &Inner, id: &StackId, version: u64) -> Result<LoadedStack, StateError> {
    if inner.layout.find(id)?.is_none() {
        return Err(StateError::NotFound(id.clone()));
    }
    let found = entries(inner, id)?;
    let newest = found.len();
    let index = usize::try_from(version).ok().and_then(|version| version.checked_sub(1));
    let Some(found) = index.and_then(|index| found.into_iter().nth(index)) else {
        return Err(crate::rules::no_version(id, version, newest));
    };
    let Some(file) = found.checkpoint else {
        return Err(crate::rules::no_state(id, version));
    };
    let stored = Stored::read(inner, file)?.ok_or_else(|| crate::rules::no_state(id, version))?;
    let checkpoint = stored.parse()?;
    Ok(LoadedStack {
        snapshot: Arc::new(checkpoint.snapshot),
        deployed: checkpoint.deployed,
        recovered: false,
    })
}

/// Moves the history of a stack to another name.
pub(crate) fn rename(inner: &Inner, from: &StackId, to: &StackId) -> Result<(), StateError> {
    let (old, new) = (inner.layout.history(from), inner.layout.history(to));
    for name in inner.medium.names(&old)? {
        let Some((stem, rest)) = name.rsplit_once('-') else { continue };
        if stem == from.name {
            inner.medium.rename(&format!("{old}/{name}"), &format!("{new}/{}-{rest}", to.name))?;
        }
    }
    Ok(())
}

/// The error of an operation whose state is safe and whose entry is missing.
pub(crate) fn not_recorded(error: StateError) -> StateError {
    let mut diagnostic = error.diagnostic();
    diagnostic.message = format!("the state was saved, but its history was not: {}", diagnostic.message);
    StateError::Store(diagnostic)
}
