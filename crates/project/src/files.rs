//! Reading and writing settings files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;

/// A text file without its byte order mark.
pub(crate) struct TextFile {
    pub(crate) text: String,
    pub(crate) byte_order_mark: bool,
}

impl TextFile {
    /// What the file holds on disk.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mark = if self.byte_order_mark { "\u{feff}" } else { "" };
        format!("{mark}{}", self.text).into_bytes()
    }
}

/// Reads a text file; `None` if there is none.
pub(crate) fn read_text(path: &Path) -> Result<Option<TextFile>, Diagnostic> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_problem("could not read", path, &error)),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
        let message = format!("could not read '{}': line {line} is not valid UTF-8", path.display());
        Diagnostic::error("file-encoding", message)
    })?;
    Ok(Some(match text.strip_prefix('\u{feff}') {
        Some(rest) => TextFile { text: rest.to_owned(), byte_order_mark: true },
        None => TextFile { text, byte_order_mark: false },
    }))
}

/// Who may read a file that is written.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Access {
    /// As the file that is replaced, or as the system's default for a new one.
    Keep,
    /// Only the owner.
    Private,
}

/// Puts a file in place whole or not at all: writes beside it, then renames. A symbolic link stays
/// one; what it points to is replaced.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8], access: Access) -> Result<(), Diagnostic> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let problem = |error: io::Error| io_problem("could not write", path, &error);
    if let Some(directory) = target.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        create_directory(directory, access).map_err(problem)?;
    }
    let (temporary, mut file) = create_beside(&target, access).map_err(problem)?;
    let written = copy_mode(&target, &file, access)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &target));
    written.map_err(|error| {
        drop(fs::remove_file(&temporary));
        problem(error)
    })
}

/// Removes a file; there being none is fine.
pub(crate) fn remove(path: &Path) -> Result<(), Diagnostic> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_problem("could not remove", path, &error))
        }
        _ => Ok(()),
    }
}

pub(crate) fn io_problem(what: &str, path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error("file-access", format!("{what} '{}': {error}", path.display()))
}

fn create_directory(directory: &Path, access: Access) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    if access == Access::Private {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    }
    builder.create(directory)
}

/// Creates a file of a name not in use next to the target.
fn create_beside(target: &Path, access: Access) -> io::Result<(PathBuf, File)> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    for attempt in 0..1000 {
        let candidate = target.with_file_name(format!(".{name}.{process}.{attempt}.tmp"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if access == Access::Private {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        match options.open(&candidate) {
            Ok(file) => return Ok((candidate, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many temporary files beside it"))
}

fn copy_mode(target: &Path, file: &File, access: Access) -> io::Result<()> {
    match (access, fs::metadata(target)) {
        (Access::Keep, Ok(metadata)) => file.set_permissions(metadata.permissions()),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn writing_keeps_mode_and_links_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sub/settings.yaml");
        write_atomically(&file, b"one", Access::Keep).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link.yaml");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, b"two", Access::Keep).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert!(fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
        assert_eq!(mode(&file), 0o640);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn private_files_are_readable_by_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("home/credentials.json");
        write_atomically(&file, b"{}", Access::Private).unwrap();
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        write_atomically(&file, b"{}", Access::Private).unwrap();
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn reading_strips_the_mark_and_names_bad_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        fs::write(&file, b"\xef\xbb\xbfa: 1\n").unwrap();
        let read = read_text(&file).unwrap().unwrap();
        assert_eq!((read.text.as_str(), read.byte_order_mark), ("a: 1\n", true));
        fs::write(&file, b"a: 1\nb: \xff\n").unwrap();
        assert!(read_text(&file).err().unwrap().message.ends_with("line 2 is not valid UTF-8"));
        assert!(read_text(&dir.path().join("none")).unwrap().is_none());
    }
}
