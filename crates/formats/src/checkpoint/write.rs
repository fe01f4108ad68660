//! Checkpoints and exported deployments to their text.

use std::io::{self, Write};

use purlin_diag::Diagnostic;
use purlin_model::Snapshot;
use sha2::{Digest as _, Sha256};

use super::{Place, features_of};
use crate::envelope_write::{STORED, push_resource};
use crate::extension::push_extension;
use crate::text::{Escape, Indenter, ObjectWriter, push_on_one_line, push_string, push_texts};

/// How much text is gathered before it is handed on.
const CHUNK: usize = 128 * 1024;

/// Why a snapshot was not written, or not all of it.
#[derive(Debug)]
pub enum WriteError {
    /// The writer failed.
    Io(io::Error),
    /// The snapshot must not be written.
    Refused(Diagnostic),
}

impl WriteError {
    /// The error as a diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            WriteError::Io(error) => {
                Diagnostic::error("state-write", format!("the state could not be written: {error}"))
            }
            WriteError::Refused(diagnostic) => diagnostic.clone(),
        }
    }
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.diagnostic().fmt(f)
    }
}

impl std::error::Error for WriteError {}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        WriteError::Io(error)
    }
}

impl From<Diagnostic> for WriteError {
    fn from(diagnostic: Diagnostic) -> Self {
        WriteError::Refused(diagnostic)
    }
}

/// The check word of a manifest: the hex SHA-256 of its version.
pub fn magic(version: &str) -> String {
    if version.is_empty() {
        return String::new();
    }
    Sha256::digest(version.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the file of a stack, compact, bags as they are. Without a snapshot, that of a stack that
/// was never deployed.
///
/// Fails before anything is written only by chance: write to a place from which nobody reads yet.
pub fn write_checkpoint(
    out: &mut dyn Write,
    stack: &str,
    snapshot: Option<&Snapshot>,
) -> Result<(), WriteError> {
    let mut chunks = Chunks { out, text: String::new() };
    head(&mut chunks.text, snapshot);
    chunks.text.push_str(",\"checkpoint\":{\"stack\":");
    push_string(&mut chunks.text, stack, Escape::Plain);
    if let Some(snapshot) = snapshot {
        let mut rest = String::new();
        carried(&mut rest, snapshot, Place::Checkpoint);
        // The configuration of old files stands before the deployment.
        chunks.text.push_str(&rest);
        chunks.text.push_str(",\"latest\":");
        deployment(&mut chunks, snapshot)?;
    }
    chunks.text.push('}');
    if let Some(snapshot) = snapshot {
        carried(&mut chunks.text, snapshot, Place::File);
    }
    chunks.text.push('}');
    chunks.flush()
}

/// Writes an exported deployment, compact.
pub fn write_deployment(out: &mut dyn Write, snapshot: Option<&Snapshot>) -> Result<(), WriteError> {
    let mut chunks = Chunks { out, text: String::new() };
    head(&mut chunks.text, snapshot);
    if let Some(snapshot) = snapshot {
        chunks.text.push_str(",\"deployment\":");
        deployment(&mut chunks, snapshot)?;
        carried(&mut chunks.text, snapshot, Place::File);
    }
    chunks.text.push('}');
    chunks.flush()
}

/// The text of an exported deployment as people see it, with a line break at its end.
pub fn export_deployment(snapshot: Option<&Snapshot>) -> Result<String, WriteError> {
    let mut bytes = Vec::new();
    write_export(&mut bytes, snapshot)?;
    Ok(String::from_utf8(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?)
}

/// Writes the same piece by piece, in pieces of some size.
pub fn write_export(out: &mut dyn Write, snapshot: Option<&Snapshot>) -> Result<(), WriteError> {
    let mut lines = Lines { out, indenter: Indenter::default(), text: String::new() };
    write_deployment(&mut lines, snapshot)?;
    Ok(lines.out.write_all(b"\n")?)
}

/// Lays out what comes in pieces of whole tokens.
struct Lines<'o> {
    out: &'o mut dyn Write,
    indenter: Indenter,
    text: String,
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = std::str::from_utf8(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        self.text.clear();
        self.indenter.push(piece, &mut self.text);
        self.out.write_all(self.text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

struct Chunks<'o> {
    out: &'o mut dyn Write,
    text: String,
}

impl Chunks<'_> {
    fn breathe(&mut self) -> Result<(), WriteError> {
        if self.text.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.out.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }
}

fn head(text: &mut String, snapshot: Option<&Snapshot>) {
    let features = snapshot.map(features_of).unwrap_or_default();
    text.push_str(if features.is_empty() { "{\"version\":3" } else { "{\"version\":4,\"features\":" });
    if !features.is_empty() {
        push_texts(text, features.iter().map(String::as_str), Escape::Plain);
    }
}

/// Appends the carried keys of a place, each with a comma before it.
fn carried(text: &mut String, snapshot: &Snapshot, wanted: Place) {
    for (key, json) in &snapshot.carried {
        let (place, key) = Place::of(key);
        if place == wanted && !(place == Place::Deployment && KNOWN.contains(&key)) {
            text.push(',');
            push_string(text, key, Escape::Plain);
            text.push(':');
            push_on_one_line(text, json);
        }
    }
}

/// Carried keys of a deployment that have a fixed place.
const KNOWN: [&str; 2] = ["metadata", "snippets"];

fn deployment(chunks: &mut Chunks<'_>, snapshot: &Snapshot) -> Result<(), WriteError> {
    let text = &mut chunks.text;
    text.push_str("{\"manifest\":");
    let mut manifest = ObjectWriter::begin(text, Escape::Plain);
    let time = if snapshot.time.is_empty() { "0001-01-01T00:00:00Z" } else { &snapshot.time };
    manifest.text("time", time);
    manifest.text("magic", &magic(&snapshot.version));
    manifest.text("version", &snapshot.version);
    carried(manifest.out, snapshot, Place::Manifest);
    manifest.end();
    if let Some(provider) = &snapshot.secrets_provider {
        text.push_str(",\"secrets_providers\":");
        let mut object = ObjectWriter::begin(text, Escape::Plain);
        object.text("type", &provider.ty);
        if !provider.state.is_empty() {
            push_on_one_line(object.key("state"), &provider.state);
        }
        object.end();
    }
    for (index, state) in snapshot.resources.iter().enumerate() {
        chunks.text.push_str(if index == 0 { ",\"resources\":[" } else { "," });
        push_resource(&mut chunks.text, state, STORED)?;
        chunks.breathe()?;
    }
    if !snapshot.resources.is_empty() {
        chunks.text.push(']');
    }
    for (index, operation) in snapshot.pending_operations.iter().enumerate() {
        chunks.text.push_str(if index == 0 { ",\"pending_operations\":[" } else { "," });
        chunks.text.push_str("{\"resource\":");
        push_resource(&mut chunks.text, &operation.resource, STORED)?;
        chunks.text.push_str(",\"type\":\"");
        chunks.text.push_str(operation.kind.as_str());
        chunks.text.push_str("\"}");
        chunks.breathe()?;
    }
    let text = &mut chunks.text;
    if !snapshot.pending_operations.is_empty() {
        text.push(']');
    }
    for known in KNOWN {
        let given = snapshot.carried.iter().find(|(key, _)| key == known).map(|(_, json)| json.as_str());
        if let Some(json) = given.or((known == "metadata").then_some("{}")) {
            text.push_str(",\"");
            text.push_str(known);
            text.push_str("\":");
            push_on_one_line(text, json);
        }
    }
    for (index, (reference, extension)) in snapshot.extensions.iter().enumerate() {
        text.push_str(if index == 0 { ",\"extensions\":{" } else { "," });
        push_string(text, reference, Escape::Plain);
        text.push(':');
        push_extension(text, extension);
    }
    if !snapshot.extensions.is_empty() {
        text.push('}');
    }
    carried(text, snapshot, Place::Deployment);
    text.push('}');
    Ok(())
}
