//! Entries that a store did not take: kept in a file on this machine until they can be brought in.
//!
//! A line of JSON each. The first says whose they are; each other holds an entry, its number among
//! those of its operation, and the resource that its operation had begun with. Before them there may be
//! the header of a journal: they go on its checkpoint if that is in place. A last line names the
//! checkpoint that was about to be put in place with them.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_formats::{JournalHeader, JournalReader, decode_header, encode_entry, encode_header};
use purlin_journal::{Change, Entry, OpId};
use purlin_model::{OperationKind, ResourceState, Snapshot, Urn};
use purlin_ports::{StackId, StateError};
use serde::{Deserialize, Serialize};

use super::folder::{Recovered, WriterMark, to_json};
use super::medium::Segment;
use super::store::Inner;
use super::takeover;

const FORMAT: u64 = 1;

/// Whose entries they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    format: u64,
    /// The backend's URL without its options.
    backend: String,
    stack: String,
    epoch: u64,
    incarnation: String,
    /// The process that writes the file.
    #[serde(default)]
    writer: Option<WriterMark>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    urn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
}

fn backend(inner: &Inner) -> String {
    inner.url.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned()
}

/// Keeps what is not taken.
pub(crate) struct Keeper {
    path: Option<PathBuf>,
    owner: Owner,
    file: Option<File>,
    /// Operations whose begins were not taken, so that nothing was called for them.
    not_begun: HashSet<OpId>,
    under_way: HashMap<OpId, Arc<ResourceState>>,
    /// What the entries go on if a checkpoint is in place of which that isn't known.
    header: Option<JournalHeader>,
    failed: Option<String>,
}

impl Keeper {
    pub(crate) fn new(inner: &Inner, id: &StackId, epoch: u64, incarnation: &str) -> Keeper {
        let name = format!("{}.{}.{epoch}.{incarnation}.jsonl", id.project, id.name);
        Keeper {
            path: inner.around.unsent.as_ref().map(|folder| folder.join(name)),
            owner: Owner {
                format: FORMAT,
                backend: backend(inner),
                stack: id.to_string(),
                epoch,
                incarnation: incarnation.to_owned(),
                writer: Some(inner.writer.clone()),
            },
            file: None,
            not_begun: HashSet::new(),
            under_way: HashMap::new(),
            header: None,
            failed: None,
        }
    }

    /// Is told of every entry, in order.
    pub(crate) fn note(&mut self, entry: &Entry) {
        if let Entry::Begin { op, resource, .. } = entry {
            self.under_way.insert(*op, Arc::clone(resource));
        }
    }

    /// Is told that an entry is durable.
    pub(crate) fn forget(&mut self, entries: &[Entry]) {
        for entry in entries {
            if let Entry::End { op: Some(op), .. } = entry {
                self.under_way.remove(op);
            }
        }
    }

    /// Is told what comes next goes on, if the checkpoint that it names is in place.
    pub(crate) fn may_go_on(&mut self, header: JournalHeader) {
        self.header = Some(header);
    }

    /// Keeps entries that were not taken; the first has this number.
    pub(crate) fn keep<'e>(&mut self, first: u64, entries: impl IntoIterator<Item = &'e Entry>) {
        if self.path.is_none() || self.failed.is_some() {
            return;
        }
        let mut text = String::new();
        let line = |text: &mut String, line: &Line| {
            text.push_str(&serde_json::to_string(line).unwrap_or_default());
            text.push('\n');
        };
        for (number, entry) in (first..).zip(entries) {
            match entry {
                // Who began it was told that it is not stored, and called nobody.
                Entry::Begin { op, .. } => drop(self.not_begun.insert(*op)),
                Entry::End { op: Some(op), .. } if self.not_begun.contains(op) => {}
                Entry::End { op, .. } => {
                    let resource = op.and_then(|op| self.under_way.remove(&op));
                    if let Some(header) = self.header.take() {
                        let header = Some(encode_header(&header));
                        line(&mut text, &Line { header, ..Line::default() });
                    }
                    let kept = Line {
                        number: Some(number),
                        entry: encode_entry(entry).ok(),
                        urn: resource.as_ref().map(|resource| resource.urn.as_str().to_owned()),
                        id: resource.as_ref().map(|resource| resource.id.to_string()),
                        ..Line::default()
                    };
                    line(&mut text, &kept);
                }
            }
        }
        if !text.is_empty()
            && let Err(error) = self.write(&text)
        {
            self.failed = Some(error.to_string());
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
                let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
                let owner = serde_json::to_string(&self.owner).map_err(io::Error::from)?;
                file.write_all(format!("{owner}\n").as_bytes())?;
                file
            }
        };
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        self.file = Some(file);
        Ok(())
    }

    /// The file, if anything is in it.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_ref().and(self.path.as_deref())
    }

    /// What can't be kept either, and why.
    pub(crate) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// The state was saved with everything in it.
    pub(crate) fn drop_file(&mut self) {
        if self.file.take().is_some()
            && let Some(path) = &self.path
        {
            // It would only be brought in again, which changes nothing.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// An entry in a file.
#[derive(Debug)]
struct Kept {
    number: u64,
    entry: Entry,
    /// The resource that its operation began with.
    began: Option<(Urn, String)>,
}

/// A file of entries.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) path: PathBuf,
    owner: Owner,
    entries: Vec<Kept>,
    /// Whether a checkpoint was about to be put in place with them.
    in_result: bool,
    /// What they go on if the checkpoint that it names is in place.
    header: Option<JournalHeader>,
}

fn unreadable(path: &Path, why: &str) -> StateError {
    let message = format!("{}, which keeps entries of an operation, can't be read: {why}", path.display());
    StateError::Unusable(
        Diagnostic::error("unsent-damaged", message)
            .with_hint("look into it: each line is an entry; move it away to go on without them"),
    )
}

/// Reads a file. What is torn at its end is left out; `None` if nothing else is in it.
///
/// Whoever wrote it may have died in the middle of a line, and the system may have kept any part of that.
fn read_whole(path: &Path) -> Result<Option<Unsent>, StateError> {
    let text = std::fs::read(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut lines = lines.peekable();
    let Some(first) = lines.next() else { return Ok(None) };
    let owner: Owner = match serde_json::from_slice(first) {
        Err(_) if lines.peek().is_none() => return Ok(None),
        owner => owner.map_err(|error| unreadable(path, &error.to_string()))?,
    };
    if owner.format != FORMAT {
        return Err(unreadable(path, &format!("its format is {}, and {FORMAT} is known", owner.format)));
    }
    let mut unsent =
        Unsent { path: path.to_owned(), owner, entries: Vec::new(), in_result: false, header: None };
    while let Some(line) = lines.next() {
        match serde_json::from_slice::<Line>(line) {
            Ok(line) => unsent.take(line)?,
            // After a writer that has died, only who brings its entries in adds a line.
            Err(error) => {
                let next = lines.peek().map(|next| serde_json::from_slice::<Line>(next));
                if !next.is_none_or(|next| next.is_ok_and(|next| next.result.is_some())) {
                    return Err(unreadable(path, &error.to_string()));
                }
            }
        }
    }
    Ok(Some(unsent))
}

/// Reads a file that somebody named.
pub(crate) fn read(path: &Path) -> Result<Unsent, StateError> {
    read_whole(path)?.ok_or_else(|| unreadable(path, "it doesn't say whose entries they are"))
}

/// The files with entries of a stack.
pub(crate) fn of(inner: &Inner, id: &StackId) -> Result<Vec<Unsent>, StateError> {
    let Some(folder) = &inner.around.unsent else { return Ok(Vec::new()) };
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let start = format!("{}.{}.", id.project, id.name);
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&start) && name.ends_with(".jsonl") {
            let Some(unsent) = read_whole(&entry.path())? else { continue };
            if unsent.owner.backend == backend(inner) && unsent.owner.stack == id.to_string() {
                found.push(unsent);
            }
        }
    }
    found.sort_by_key(|unsent| unsent.owner.epoch);
    Ok(found)
}

impl Unsent {
    /// Adds what a line says.
    fn take(&mut self, line: Line) -> Result<(), StateError> {
        let unreadable = |why: &str| unreadable(&self.path, why);
        self.in_result |= line.result.is_some();
        if let Some(text) = &line.header {
            self.header = Some(decode_header(text).map_err(|diagnostic| unreadable(&diagnostic.message))?);
        }
        let (Some(number), Some(text)) = (line.number, line.entry) else { return Ok(()) };
        let source: Arc<str> = text.into();
        let reader = JournalReader::new(&source);
        let entry = reader.lines().next().map(|line| reader.entry(line));
        let entry = entry.transpose().map_err(|diagnostic| unreadable(&diagnostic.message))?;
        let Some(entry) = entry else { return Err(unreadable("it has an empty entry")) };
        let began = line.urn.and_then(|urn| Some((Urn::parse(&urn)?, line.id.unwrap_or_default())));
        self.entries.push(Kept { number, entry, began });
        Ok(())
    }

    /// Adds the entries to the journal that they belong to, if it is among some, or puts them beside
    /// those, if they go on the checkpoint in place. `sha256` is its hash.
    pub(crate) fn complete(&self, segments: &mut Vec<Segment>, sha256: &str) -> bool {
        let owner = &self.owner;
        let mut own = segments.iter_mut().rev();
        let found = own.find(|segment| {
            segment.header.epoch == owner.epoch && segment.header.incarnation == owner.incarnation
        });
        if let Some(segment) = found {
            let lacking = self.after(segment.last());
            segment.entries.extend(lacking);
            return true;
        }
        let Some(header) = self.header.as_ref().filter(|header| header.base == sha256) else { return false };
        let mut segment =
            Segment { place: self.path.display().to_string(), header: header.clone(), entries: Vec::new() };
        segment.entries.extend(self.after(segment.last()));
        segments.push(segment);
        true
    }

    /// The entries after one of the operation.
    fn after(&self, number: u64) -> impl Iterator<Item = Entry> {
        self.entries.iter().filter(move |kept| kept.number > number).map(|kept| kept.entry.clone())
    }

    /// Notes the checkpoint that is about to be put in place with the entries.
    pub(crate) fn announce(&self, result: &str) -> Result<(), StateError> {
        let line = Line { result: Some(result.to_owned()), ..Line::default() };
        // The line before may have no end.
        let mut text = vec![b'\n'];
        text.append(&mut to_json(&self.path.display().to_string(), &line)?);
        text.push(b'\n');
        let noted = OpenOptions::new().append(true).open(&self.path).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        noted.map_err(|error| unreadable(&self.path, &error.to_string()))
    }

    /// Whether they are in a checkpoint, seeing that their journal is gone.
    pub(crate) fn is_done(&self) -> bool {
        self.in_result
    }

    /// Whether they are of this life of the stack, and not of an earlier stack of its name.
    pub(crate) fn is_of_life(&self, incarnation: &str) -> bool {
        self.owner.incarnation == incarnation
    }

    pub(crate) fn remove(&self) {
        // A leftover is noticed as such.
        let _ = std::fs::remove_file(&self.path);
    }

    /// The refusal to begin anything before they were brought in.
    pub(crate) fn waiting(&self) -> StateError {
        let path = self.path.display();
        let message = format!(
            "an earlier operation on this machine lost the stack to another writer, and what it did at the end \
             ({} entries) is only in {path}",
            self.entries.len()
        );
        let hint = format!(
            "`purlin state submit {path}` brings it into the stack's state; move the file away to go on without it"
        );
        StateError::Unusable(Diagnostic::error("entries-unsent", message).with_hint(hint))
    }

    /// Refuses if they are those of another stack.
    pub(crate) fn refuse_other(&self, inner: &Inner, id: &StackId) -> Result<(), StateError> {
        let Owner { backend: theirs, stack, .. } = &self.owner;
        if *theirs == backend(inner) && *stack == id.to_string() {
            return Ok(());
        }
        let path = self.path.display();
        let message = format!("the entries in {path} are those of the stack {stack} in {theirs}");
        let hint = "name that stack with --stack, and log in to its backend";
        Err(StateError::Unusable(Diagnostic::error("entries-other", message).with_hint(hint)))
    }

    /// How many of the operation's entries are in a checkpoint, if that is what became of its journal
    /// and nobody has changed it since. Then the others go on it. `None` as well while more may come.
    pub(crate) fn goes_on(&self, inner: &Inner, recovered: &[Recovered], sha256: &str) -> Option<u64> {
        let writer = self.owner.writer.as_ref()?;
        let own = recovered.iter().find(|own| own.epoch == self.owner.epoch && own.result == sha256)?;
        takeover::is_dead(inner, writer).then_some(own.entries)
    }

    /// Brings the entries after so many of their operation into a state that lacks them. Gives a line
    /// for each change.
    pub(crate) fn submit(&self, after: u64, snapshot: &mut Snapshot) -> Vec<String> {
        let mut lines = Vec::new();
        for Kept { entry, began, .. } in self.entries.iter().filter(|kept| kept.number > after) {
            let Entry::End { changes, .. } = entry else { continue };
            for change in changes {
                match change {
                    Change::Place { state, .. } | Change::Amend { state, .. } => {
                        lines.push(put(snapshot, state));
                    }
                    Change::Remove { .. } => {
                        if let Some((urn, id)) = began {
                            let before = snapshot.resources.len();
                            snapshot.resources.retain(|state| state.urn != *urn || *state.id != **id);
                            if snapshot.resources.len() < before {
                                lines.push(format!("removed {urn}"));
                            }
                        }
                    }
                    _ => {}
                }
            }
            if let Some((urn, _)) = began {
                let settled = |kind: OperationKind| kind != OperationKind::Reading;
                snapshot
                    .pending_operations
                    .retain(|pending| pending.resource.urn != *urn || !settled(pending.kind));
            }
        }
        lines
    }
}

fn put(snapshot: &mut Snapshot, state: &Arc<ResourceState>) -> String {
    let same = |other: &&mut Arc<ResourceState>| other.urn == state.urn && other.id == state.id;
    match snapshot.resources.iter_mut().find(same) {
        Some(found) => {
            *found = Arc::clone(state);
            format!("updated {}", state.urn)
        }
        None => {
            snapshot.resources.push(Arc::clone(state));
            format!("added {} ({})", state.urn, state.id)
        }
    }
}
