//! Reading and replacing the file of a stack.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use purlin_diag::Diagnostic;
use purlin_formats::{Checkpoint, ParseOptions, WriteError, parse_checkpoint, write_checkpoint};
use purlin_model::Snapshot;
use purlin_ports::{StackId, StateError};
use sha2::{Digest as _, Sha256};

use super::compress;
use super::layout::StackFile;
use super::medium::{Copying, Draft, Onto, PlaceError, Stamp};
use super::store::Inner;

/// The file of a stack as it was read.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) file: StackFile,
    pub(crate) stamp: Stamp,
    /// What people call it.
    pub(crate) place: String,
    /// The bytes, where they aren't those of the text.
    raw: Option<Vec<u8>>,
    text: Arc<str>,
    length: u64,
    sha256: OnceLock<String>,
}

impl Stored {
    /// Reads it. `None` if it isn't there.
    pub(crate) fn read(inner: &Inner, file: StackFile) -> Result<Option<Stored>, StateError> {
        let Some((bytes, stamp)) = inner.medium.read(&file.key)? else { return Ok(None) };
        let place = inner.medium.place(&file.key);
        let damaged = |why: String| {
            let message = format!("{place} is damaged: {why}");
            StateError::Unusable(Diagnostic::error("state-not-text", message).with_hint(restore_hint(&place)))
        };
        let expanded = compress::expand(&bytes)
            .map_err(|error| damaged(format!("it can't be decompressed ({error})")))?;
        let (raw, bytes) = match expanded {
            Some(expanded) => (Some(bytes), expanded),
            None => (None, bytes),
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            damaged(format!("it is not text from byte {} on", error.utf8_error().valid_up_to()))
        })?;
        let length = text.len() as u64;
        Ok(Some(Stored { file, stamp, place, raw, text: text.into(), length, sha256: OnceLock::new() }))
    }

    /// The hex SHA-256 of the file.
    pub(crate) fn sha256(&self) -> &str {
        self.sha256.get_or_init(|| hex(&Sha256::digest(self.raw.as_deref().unwrap_or(self.text.as_bytes()))))
    }

    /// Whether another is in its place by now.
    pub(crate) fn is_replaced(&self, inner: &Inner) -> Result<bool, StateError> {
        Ok(inner.medium.stamp(&self.file.key)?.as_ref() != Some(&self.stamp))
    }

    pub(crate) fn parse(&self) -> Result<Checkpoint, StateError> {
        parse_checkpoint(&self.text, ParseOptions::default()).map_err(|mut diagnostic| {
            diagnostic.message = format!("{}: {}", self.place, diagnostic.message);
            diagnostic.hint.get_or_insert_with(|| restore_hint(&self.place));
            StateError::Unusable(diagnostic)
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// How many bytes of text it has.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The same, without the text: what it is known by, and no more.
    pub(crate) fn without_text(self) -> Stored {
        let sha256 = OnceLock::from(self.sha256().to_owned());
        Stored { raw: None, text: "".into(), sha256, ..self }
    }
}

fn restore_hint(place: &str) -> String {
    format!("restore an earlier copy: {place}.bak, or one of those under .pulumi/backups and .pulumi/history")
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
    draft: Box<dyn Draft>,
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
    let mut draft = inner.medium.draft(&inner.layout.project(id))?;
    let out = Hashing { out: &mut *draft, sha256: with_sha256.then(Sha256::new) };
    let write = |out: &mut dyn Write| write_checkpoint(out, &id.to_string(), snapshot);
    let written = compress::compressed(out, inner.options.compression, write);
    let sealed = written.map(|done| done.sha256).and_then(|sum| {
        draft.seal()?;
        Ok(sum)
    });
    match sealed {
        Ok(sum) => {
            let sha256 = sum.map(|sum| hex(&sum.finalize())).unwrap_or_default();
            Ok(NewCheckpoint { draft, file, sha256 })
        }
        Err(WriteError::Io(error)) => Err(not_written(&draft.name(), &error)),
        Err(WriteError::Refused(diagnostic)) => Err(StateError::Unusable(diagnostic)),
    }
}

pub(crate) fn not_written(place: &str, error: &io::Error) -> StateError {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, then run the command again"
        }
        _ => "check the disk, then run the command again",
    };
    let message = format!("failed to write {place}: {error}");
    StateError::Store(Diagnostic::error("store-io", message).with_hint(hint))
}

struct Hashing<'a> {
    out: &'a mut dyn Draft,
    sha256: Option<Sha256>,
}

impl Write for Hashing<'_> {
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

/// Puts a new checkpoint in its place. With `backup`, what was there before becomes the `.bak` file;
/// there is no moment without a checkpoint. `before` is what was there, if something was.
pub(crate) fn put(
    inner: &Inner,
    before: Option<&Stored>,
    new: NewCheckpoint,
    backup: bool,
) -> Result<StackFile, PlaceError> {
    let NewCheckpoint { draft, file, .. } = new;
    let medium = &inner.medium;
    if backup && let Some(before) = before {
        keep_as_backup(inner, &before.file).map_err(PlaceError::Failed)?;
    }
    let onto = match before {
        Some(before) if before.file == file => Onto::Version(before.stamp.clone()),
        _ => Onto::Nothing,
    };
    draft.place(&file.key, &onto)?;
    // The state is safe by now. What is left over of another compression must go, since the newest
    // file counts and clocks may differ.
    let tidied = (|| {
        if let Some(other) = before.filter(|before| before.file != file) {
            medium.remove(&other.file.key)?;
        }
        if inner.options.retain_checkpoints {
            let copy = format!("{}.{}", file.key, inner.around.clock.unix_nanos());
            medium.copy(&file.key, &copy, Copying::Apart)?;
        }
        Ok(())
    })();
    tidied.map_err(PlaceError::Failed)?;
    Ok(file)
}

/// Gives the content of a stack's file the name of its backup as well.
pub(crate) fn keep_as_backup(inner: &Inner, file: &StackFile) -> Result<(), StateError> {
    inner.medium.copy(&file.key, &format!("{}.bak", file.key), Copying::Share)
}
