//! Reading and replacing the file of a stack.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use purlin_diag::Diagnostic;
use purlin_formats::{Checkpoint, ParseOptions, WriteError, parse_checkpoint, write_checkpoint};
use purlin_model::Snapshot;
use purlin_ports::{StackId, StateError};
use sha2::{Digest as _, Sha256};

use super::files::{self, Doing as _, Draft, Stamp};
use super::layout::StackFile;
use super::store::Inner;

/// The file of a stack as it was read.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) file: StackFile,
    pub(crate) stamp: Stamp,
    /// The bytes, where they aren't those of the text.
    raw: Option<Vec<u8>>,
    text: Arc<str>,
    sha256: OnceLock<String>,
}

impl Stored {
    pub(crate) fn read(file: StackFile) -> Result<Stored, StateError> {
        let (bytes, stamp) = files::read(&file.path).doing("read", &file.path)?;
        let expanded = files::expand(&bytes).doing("expand", &file.path)?;
        let (raw, bytes) = match expanded {
            Some(expanded) => (Some(bytes), expanded),
            None => (None, bytes),
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let message = format!("{} is damaged: it is not text from byte {at} on", file.path.display());
            StateError::Unusable(Diagnostic::error("state-not-text", message).with_hint(restore_hint(&file)))
        })?;
        Ok(Stored { file, stamp, raw, text: text.into(), sha256: OnceLock::new() })
    }

    /// The hex SHA-256 of the file.
    pub(crate) fn sha256(&self) -> &str {
        self.sha256.get_or_init(|| hex(&Sha256::digest(self.raw.as_deref().unwrap_or(self.text.as_bytes()))))
    }

    pub(crate) fn parse(&self) -> Result<Checkpoint, StateError> {
        parse_checkpoint(&self.text, ParseOptions::default()).map_err(|mut diagnostic| {
            diagnostic.message = format!("{}: {}", self.file.path.display(), diagnostic.message);
            diagnostic.hint.get_or_insert_with(|| restore_hint(&self.file));
            StateError::Unusable(diagnostic)
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

fn restore_hint(file: &StackFile) -> String {
    format!(
        "restore an earlier copy: {}.bak, or one of those under .pulumi/backups and .pulumi/history",
        file.path.display()
    )
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a string can't fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A checkpoint that was written and not yet put in its place.
pub(crate) struct NewCheckpoint {
    draft: Draft,
    file: StackFile,
    /// The hex SHA-256 of the file, if it was asked for.
    pub(crate) sha256: String,
}

/// Writes a checkpoint beside its place, durably. `None` is a stack that was never deployed.
pub(crate) fn draft(
    inner: &Inner,
    id: &StackId,
    snapshot: Option<&Snapshot>,
    with_sha256: bool,
) -> Result<NewCheckpoint, StateError> {
    let file = inner.layout.stack_file(id, inner.options.compression);
    let folder = inner.layout.project(id);
    let (draft, out) = Draft::create(&folder, &inner.token()).doing("create a file in", &folder)?;
    let out = Hashing { out, sha256: with_sha256.then(Sha256::new) };
    let write = |out: &mut dyn Write| write_checkpoint(out, &id.to_string(), snapshot);
    let written = files::compressed(out, inner.options.compression, write);
    let done = match written {
        Ok(done) => done,
        Err(WriteError::Io(error)) => return Err(files::failed("write", draft.path(), &error)),
        Err(WriteError::Refused(diagnostic)) => return Err(StateError::Unusable(diagnostic)),
    };
    done.out.sync_all().doing("write", draft.path())?;
    let sha256 = done.sha256.map(|sum| hex(&sum.finalize())).unwrap_or_default();
    Ok(NewCheckpoint { draft, file, sha256 })
}

struct Hashing {
    out: File,
    sha256: Option<Sha256>,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.out.write(bytes)?;
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(&bytes[..length]);
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Puts a new checkpoint in its place. What was there before becomes the `.bak` file; there is no
/// moment without a checkpoint.
pub(crate) fn put(
    inner: &Inner,
    id: &StackId,
    before: Option<&StackFile>,
    new: NewCheckpoint,
) -> Result<StackFile, StateError> {
    let NewCheckpoint { draft, file, .. } = new;
    if let Some(before) = before {
        keep_as_backup(inner, before)?;
    }
    draft.place(&file.path).doing("replace", &file.path)?;
    files::sync_folder(&inner.layout.project(id)).doing("write", &file.path)?;
    // The state is safe by now. What is left over of another compression must go, since the newest
    // file counts and clocks may differ.
    if let Some(other) = before.filter(|before| before.path != file.path) {
        files::remove(&other.path).doing("remove", &other.path)?;
    }
    files::remove_note(&file.path).doing("remove the note of", &file.path)?;
    if inner.options.retain_checkpoints {
        let mut name = file.path.clone().into_os_string();
        name.push(format!(".{}", inner.around.clock.unix_nanos()));
        files::copy(&file.path, name.as_ref(), &inner.token()).doing("copy", &file.path)?;
    }
    Ok(file)
}

/// Gives the content of a stack's file the name of its backup as well.
pub(crate) fn keep_as_backup(inner: &Inner, file: &StackFile) -> Result<(), StateError> {
    let mut backup = file.path.clone().into_os_string();
    backup.push(".bak");
    files::link_or_copy(&file.path, backup.as_ref(), &inner.token()).doing("back up", &file.path)?;
    files::remove_note(backup.as_ref()).doing("remove the note of", backup.as_ref())
}
