//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;
use purlin_ports::StateError;

use crate::diy::Stamp;

/// An error of the file system, with what was being done.
pub(crate) fn failed(what: &str, path: &Path, error: &io::Error) -> StateError {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => "check who owns the file and its folder",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, then run the command again"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the file system is mounted read-only",
        _ => "check the disk, then run the command again",
    };
    let message = format!("failed to {what} {}: {error}", path.display());
    StateError::Store(Diagnostic::error("store-io", message).with_hint(hint))
}

/// Turns errors of the file system into those of the store.
pub(crate) trait Doing<T> {
    /// Names what was being done.
    fn doing(self, what: &str, path: &Path) -> Result<T, StateError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: &str, path: &Path) -> Result<T, StateError> {
        self.map_err(|error| failed(what, path, &error))
    }
}

/// `None` for what isn't there.
pub(crate) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Creates a file that only its owner may read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A file being written beside the place that it is meant for. Unless it is put there, it goes away.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    placed: bool,
}

impl Draft {
    /// A new file in a folder. The name ends in `.tmp`, which nothing lists.
    pub(crate) fn create(folder: &Path, token: &str) -> io::Result<(Draft, File)> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!(".{token}.tmp"));
        let file = create_private(&path)?;
        Ok((Draft { path, placed: false }, file))
    }

    /// Puts the file in its place.
    pub(crate) fn place(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.placed = true;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.placed {
            // A leftover is harmless.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes a small file whole, by way of a draft in the folder `scratch`. With `sync` it also survives a
/// loss of power.
pub(crate) fn write_whole(
    path: &Path,
    bytes: &[u8],
    scratch: &Path,
    token: &str,
    sync: bool,
) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let (draft, mut file) = Draft::create(scratch, token)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_all()?;
    }
    drop(file);
    draft.place(path)?;
    if sync { sync_folder(folder) } else { Ok(()) }
}

/// Makes the entries of a folder survive a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Copies a file, by sharing its content where nobody writes to it in place.
pub(crate) fn link_or_copy(from: &Path, to: &Path, token: &str) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let temporary = folder.join(format!(".{token}.tmp"));
    if fs::hard_link(from, &temporary).is_err() {
        fs::copy(from, &temporary)?;
    }
    fs::rename(&temporary, to)?;
    // Two names of one file: the rename then does nothing.
    found(fs::remove_file(&temporary)).map(drop)
}

/// Copies a file.
pub(crate) fn copy(from: &Path, to: &Path, token: &str) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let (draft, mut file) = Draft::create(folder, token)?;
    io::copy(&mut File::open(from)?, &mut file)?;
    drop(file);
    draft.place(to)
}

/// Removes a file, and what the ecosystem's file backends may have noted beside it. It need not be
/// there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    remove_note(path)?;
    found(fs::remove_file(path)).map(drop)
}

/// Removes what the ecosystem's file backends may have noted beside a file: it holds for the content
/// that they wrote.
pub(crate) fn remove_note(path: &Path) -> io::Result<()> {
    let mut note = path.as_os_str().to_owned();
    note.push(".attrs");
    found(fs::remove_file(note)).map(drop)
}

/// The names of files, or of folders, in a folder, sorted; none if it isn't there.
pub(crate) fn names(folder: &Path, folders: bool) -> io::Result<Vec<String>> {
    let Some(entries) = found(fs::read_dir(folder))? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let is_folder = if kind.is_symlink() { entry.path().is_dir() } else { kind.is_dir() };
        if is_folder == folders {
            // What isn't text is none of ours.
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

/// What shows that a file was replaced or written to.
pub(crate) fn stamp(metadata: &fs::Metadata) -> Stamp {
    let (length, inode) = (metadata.len(), metadata.ino());
    Stamp(format!("{length} {inode} {}.{:09}", metadata.mtime(), metadata.mtime_nsec()))
}

/// Reads a file and its stamp.
pub(crate) fn read(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let stamp = stamp(&metadata);
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok((bytes, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_that_is_not_placed_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let (draft, file) = Draft::create(folder.path(), "x").unwrap();
        drop((draft, file));
        assert_eq!(names(folder.path(), false).unwrap(), Vec::<String>::new());
        write_whole(&folder.path().join("a"), b"1", folder.path(), "x", true).unwrap();
        link_or_copy(&folder.path().join("a"), &folder.path().join("b"), "x").unwrap();
        link_or_copy(&folder.path().join("a"), &folder.path().join("b"), "x").unwrap();
        copy(&folder.path().join("a"), &folder.path().join("c"), "x").unwrap();
        assert_eq!(names(folder.path(), false).unwrap(), ["a", "b", "c"]);
        let mode = fs::metadata(folder.path().join("c")).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }
}
