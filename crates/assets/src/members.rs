//! The members of an archive, in the order in which they are hashed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use purlin_diag::Diagnostic;
use purlin_model::{Archive, ArchiveSource, AssetOrArchive};

use crate::content::{ArchiveFormat, Blob, open_file, unreadable};
use crate::gotar::{TarWriter, clean, join};
use crate::{Contents, EMPTY_ARCHIVE_HASH};

/// The name of files and folders that archives leave out.
const BOOKKEEPING: &str = ".pulumi";

type Sink<'s> = dyn FnMut(&[u8], Blob<'_>) -> Result<(), Diagnostic> + 's;

impl Contents<'_> {
    /// Writes the members of an archive as a tar stream. Of members with the same name only the
    /// first is written.
    pub fn write_tar(&self, archive: &Archive, target: &mut impl Write) -> Result<(), Diagnostic> {
        let mut writer = TarWriter::new(target);
        let mut seen = BTreeSet::new();
        self.members(archive, &mut |name, blob| {
            if !seen.insert(name.to_vec()) {
                return Ok(());
            }
            let shown = String::from_utf8_lossy(name);
            writer.entry(name, blob.size()).map_err(|e| {
                Diagnostic::error("archive-member", format!("member \"{shown}\" can't be archived: {e}"))
            })?;
            blob.copy_to(writer.data())
        })?;
        writer
            .finish()
            .map_err(|e| Diagnostic::error("archive-write", format!("the archive can't be written: {e}")))?;
        Ok(())
    }

    /// Gives every member of an archive to `sink`, members of archives inside it included.
    pub fn members(&self, archive: &Archive, sink: &mut Sink<'_>) -> Result<(), Diagnostic> {
        if let Some((format, blob)) = self.open_archive_file(archive)? {
            return file_members(&describe(archive), format, blob, sink);
        }
        match &archive.source {
            ArchiveSource::Assets(members) => self.listed_members(members, sink),
            ArchiveSource::Path(path) => folder_members(&self.locate(path), sink),
            // An address always names an archive file.
            ArchiveSource::Uri(_) => Ok(()),
            ArchiveSource::Elided if archive.hash.is_empty() || archive.hash == EMPTY_ARCHIVE_HASH => Ok(()),
            ArchiveSource::Elided => Err(Diagnostic::error(
                "archive-elided",
                format!(
                    "the content of the archive with the hash {} isn't known, only its hash",
                    archive.hash
                ),
            )),
        }
    }

    fn listed_members(
        &self,
        members: &BTreeMap<String, AssetOrArchive>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Diagnostic> {
        for (name, member) in members {
            let place = |mut d: Diagnostic| {
                if !d.message.starts_with("member ") {
                    d.message = format!("member \"{name}\": {}", d.message);
                }
                d
            };
            match member {
                AssetOrArchive::Asset(asset) => {
                    sink(name.as_bytes(), self.open_asset(asset).map_err(place)?)?;
                }
                AssetOrArchive::Archive(archive) => self
                    .members(archive, &mut |inner, blob| sink(&join(&[name.as_bytes(), inner]), blob))
                    .map_err(place)?,
            }
        }
        Ok(())
    }
}

fn describe(archive: &Archive) -> String {
    match &archive.source {
        ArchiveSource::Path(place) | ArchiveSource::Uri(place) => place.clone(),
        ArchiveSource::Assets(_) | ArchiveSource::Elided => "<archive>".to_owned(),
    }
}

/// The files below a folder in the order of a walk that sorts each folder by name. Links to files
/// count as files, links to folders don't count; that holds for the folder itself, too.
fn folder_members(root: &Path, sink: &mut Sink<'_>) -> Result<(), Diagnostic> {
    let shown = root.display().to_string();
    let info = fs::metadata(root).map_err(|e| unreadable(&shown, format!("can't be read: {e}")))?;
    if !info.is_dir() {
        return Err(Diagnostic::error("archive-format-unknown", format!("{shown} is not a folder"))
            .with_hint(
                "an archive is a folder or a file with the extension .tar, .tgz, .tar.gz, .zip or .jar",
            ));
    }
    let mut files = Vec::new();
    walk(root, &mut files)
        .map_err(|(path, e)| unreadable(&path.display().to_string(), format!("can't be read: {e}")))?;
    for path in files {
        let name = path.strip_prefix(root).unwrap_or(&path);
        sink(&clean(name.as_os_str().as_bytes()), open_file(&path)?)?;
    }
    Ok(())
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let failed = |e| (path.to_owned(), e);
    if path.file_name().is_some_and(|name| name == BOOKKEEPING) {
        return Ok(());
    }
    let info = fs::symlink_metadata(path).map_err(failed)?;
    if info.is_dir() {
        let mut entries = fs::read_dir(path)
            .and_then(|entries| {
                entries.map(|entry| entry.map(|e| e.file_name())).collect::<io::Result<Vec<_>>>()
            })
            .map_err(failed)?;
        entries.sort();
        return entries.iter().try_for_each(|name| walk(&path.join(name), files));
    }
    if info.is_symlink() && fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(());
    }
    files.push(path.to_owned());
    Ok(())
}

fn file_members(
    name: &str,
    format: ArchiveFormat,
    blob: Blob<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), Diagnostic> {
    match format {
        ArchiveFormat::Tar => tar_members(name, blob, sink),
        ArchiveFormat::TarGz => tar_members(name, MultiGzDecoder::new(blob), sink),
        ArchiveFormat::Zip => zip_members(name, blob, sink),
    }
}

fn damaged(name: &str, what: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error("archive-damaged", format!("archive {name} can't be read: {what}"))
        .with_hint("check that the file is complete and is what its extension says")
}

fn tar_members(name: &str, reader: impl Read, sink: &mut Sink<'_>) -> Result<(), Diagnostic> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(|e| damaged(name, e))? {
        let entry = entry.map_err(|e| damaged(name, e))?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        let inner = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&inner).into_owned();
        if !kind.is_file() {
            return Err(damaged(name, format!("member \"{shown}\" is neither a file nor a folder")));
        }
        let size = entry.size();
        sink(&clean(&inner), Blob::new(format!("{shown} in {name}"), entry, size))?;
    }
    Ok(())
}

fn zip_members(name: &str, blob: Blob<'_>, sink: &mut Sink<'_>) -> Result<(), Diagnostic> {
    let mut bytes = Vec::new();
    blob.copy_to(&mut bytes)?;
    let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes)).map_err(|e| damaged(name, e))?;
    for index in 0..archive.len() {
        let member = archive.by_index(index).map_err(|e| damaged(name, e))?;
        if member.is_dir() {
            continue;
        }
        let inner = member.name_raw().to_vec();
        let (shown, size) = (String::from_utf8_lossy(&inner).into_owned(), member.size());
        sink(&clean(&inner), Blob::new(format!("{shown} in {name}"), member, size))?;
    }
    Ok(())
}
