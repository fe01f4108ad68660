//! Opening what an asset or an archive file holds.

use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;
use purlin_model::{Archive, ArchiveSource, Asset, AssetSource};

use crate::{Contents, EMPTY_ASSET_HASH};

/// The content of one asset or of one member of an archive.
pub struct Blob<'a> {
    name: String,
    reader: Box<dyn Read + 'a>,
    size: u64,
}

impl<'a> Blob<'a> {
    pub(crate) fn new(name: impl Into<String>, reader: impl Read + 'a, size: u64) -> Self {
        Blob { name: name.into(), reader: Box::new(reader), size }
    }

    fn of_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        Blob::new(name, Cursor::new(bytes), size)
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Copies all bytes. It is an error if there are not as many as were promised.
    pub fn copy_to(mut self, target: &mut impl Write) -> Result<(), Diagnostic> {
        let copied = std::io::copy(&mut self.reader, target)
            .map_err(|e| unreadable(&self.name, format!("can't be read: {e}")))?;
        if copied == self.size {
            return Ok(());
        }
        Err(unreadable(
            &self.name,
            format!("has {copied} bytes instead of {}; it seems to change while it is read", self.size),
        ))
    }
}

/// What kind of archive a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArchiveFormat {
    Tar,
    TarGz,
    Zip,
}

impl ArchiveFormat {
    pub(crate) fn of_name(name: &str) -> Option<ArchiveFormat> {
        [
            (".tar", ArchiveFormat::Tar),
            (".tgz", ArchiveFormat::TarGz),
            (".tar.gz", ArchiveFormat::TarGz),
            (".zip", ArchiveFormat::Zip),
            (".jar", ArchiveFormat::Zip),
        ]
        .into_iter()
        .find_map(|(extension, format)| name.ends_with(extension).then_some(format))
    }
}

/// Whether a file of this name is taken as an archive and hashed as it is.
pub fn is_archive_name(name: &str) -> bool {
    ArchiveFormat::of_name(name).is_some()
}

pub(crate) fn unreadable(name: &str, what: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error("asset-unreadable", format!("asset {name} {what}"))
        .with_hint("check the path; relative paths start at the program's directory")
}

impl Contents<'_> {
    /// The path that a path of an asset or archive means.
    pub fn locate(&self, path: &str) -> PathBuf {
        self.base_dir.join(path)
    }

    /// Opens the content of an asset.
    pub fn open_asset(&self, asset: &Asset) -> Result<Blob<'static>, Diagnostic> {
        match &asset.source {
            AssetSource::Text(text) => Ok(Blob::of_bytes("<text>", text.clone().into_bytes())),
            AssetSource::Path(path) => open_file(&self.locate(path)),
            AssetSource::Uri(uri) => self.open_uri(uri),
            AssetSource::Elided if asset.hash.is_empty() || asset.hash == EMPTY_ASSET_HASH => {
                Ok(Blob::of_bytes("<text>", Vec::new()))
            }
            AssetSource::Elided => Err(Diagnostic::error(
                "asset-elided",
                format!("the content of the asset with the hash {} isn't known, only its hash", asset.hash),
            )),
        }
    }

    /// Opens an archive that is one file, if it is one.
    pub(crate) fn open_archive_file(
        &self,
        archive: &Archive,
    ) -> Result<Option<(ArchiveFormat, Blob<'static>)>, Diagnostic> {
        match &archive.source {
            ArchiveSource::Path(path) => match ArchiveFormat::of_name(path) {
                Some(format) => Ok(Some((format, open_file(&self.locate(path))?))),
                None => Ok(None),
            },
            ArchiveSource::Uri(uri) => {
                let path = uri.split(['?', '#']).next().unwrap_or(uri);
                let Some(format) = ArchiveFormat::of_name(path) else {
                    return Err(Diagnostic::error(
                        "archive-format-unknown",
                        format!("{uri} has no extension that archives have"),
                    )
                    .with_hint("use an address that ends with .tar, .tgz, .tar.gz, .zip or .jar"));
                };
                Ok(Some((format, self.open_uri(uri)?)))
            }
            ArchiveSource::Assets(_) | ArchiveSource::Elided => Ok(None),
        }
    }

    fn open_uri(&self, uri: &str) -> Result<Blob<'static>, Diagnostic> {
        if let Some(rest) = uri.strip_prefix("file://") {
            return open_file(&file_uri_path(uri, rest)?);
        }
        if !(uri.starts_with("http://") || uri.starts_with("https://")) {
            return Err(Diagnostic::error("asset-uri-scheme", format!("{uri} can't be fetched"))
                .with_hint("assets may come from http, https and file addresses"));
        }
        let Some(fetch) = self.fetch else {
            return Err(Diagnostic::error(
                "asset-remote",
                format!("{uri} is on the network, and fetching is not possible here"),
            )
            .with_hint("download it and use its path"));
        };
        let bytes = fetch(uri).map_err(|e| {
            Diagnostic::error("asset-remote", format!("{uri} can't be fetched: {e}"))
                .with_hint("check the address, or download it and use its path")
        })?;
        Ok(Blob::of_bytes(uri, bytes))
    }
}

/// The path in a `file` address: percent-encoding undone, no host but this one.
fn file_uri_path(uri: &str, rest: &str) -> Result<PathBuf, Diagnostic> {
    let bad = |what: &str| {
        Diagnostic::error("asset-uri-invalid", format!("{uri}: {what}"))
            .with_hint("write it as file:///folder/file")
    };
    if rest.contains(['?', '#']) {
        return Err(bad("a file address has neither query nor fragment"));
    }
    let start = rest.find('/').ok_or_else(|| bad("the path is missing"))?;
    if !matches!(&rest[..start], "" | "localhost") {
        return Err(bad("a file address can't name another host"));
    }
    let mut bytes = Vec::with_capacity(rest.len());
    let mut raw = rest[start..].bytes();
    while let Some(byte) = raw.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| (b as char).to_digit(16));
        match (digit(raw.next()), digit(raw.next())) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(bad("a percent sign is not followed by two hex digits")),
        }
    }
    String::from_utf8(bytes).map(PathBuf::from).map_err(|_| bad("the path is not UTF-8"))
}

/// Opens a file, refusing folders.
pub(crate) fn open_file(path: &Path) -> Result<Blob<'static>, Diagnostic> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| unreadable(&name, format!("can't be opened: {e}")))?;
    let info = file.metadata().map_err(|e| unreadable(&name, format!("can't be read: {e}")))?;
    if info.is_dir() {
        return Err(Diagnostic::error("asset-is-folder", format!("asset {name} is a folder"))
            .with_hint("use an archive for a folder"));
    }
    Ok(Blob::new(name, file, info.len()))
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reader.read(buffer)
    }
}
