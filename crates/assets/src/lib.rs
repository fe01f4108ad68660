//! Hashes of assets and archives, and their contents.
//!
//! Programs send assets as a text, a path or an address and leave the hash to the engine. What
//! counts in a comparison is the hash alone, so it must be the very hash that every other engine
//! of the ecosystem computes: for an asset that of its bytes, for an archive that of the tar
//! stream that Go's `archive/tar` would write of its members (see [`gotar`]), unless the archive
//! is a file that is an archive by its extension, which is hashed as it is.
//!
//! Relative paths are taken from a folder that the caller names.

mod content;
pub mod gotar;
mod members;

use std::path::Path;

use purlin_diag::Diagnostic;
use purlin_model::{Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, PropertyMap, PropertyValue};
use sha2::{Digest, Sha256};

pub use content::{Blob, is_archive_name};

/// The hash of an asset without content.
pub const EMPTY_ASSET_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The hash of an archive without members: that of the 1024 zero bytes that end a tar stream.
pub const EMPTY_ARCHIVE_HASH: &str = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// Gets the bytes at an `http` or `https` address, or says why not.
pub type Fetch<'a> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'a;

/// A [`Fetch`] that can be kept and shared.
pub type SharedFetch = std::sync::Arc<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// Where contents come from.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    base_dir: &'a Path,
    fetch: Option<&'a Fetch<'a>>,
}

/// What states call an extension of a package by: the SHA-256 of its name, version and value with
/// zero bytes between.
pub fn extension_reference(name: &str, version: &str, value: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [name.as_bytes(), b"\0", version.as_bytes(), b"\0", value] {
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// Fills in the missing hashes of all assets and archives among the properties, at any depth.
/// Relative paths are taken from `base_dir`. Addresses of the network are refused; see
/// [`Contents::with_fetch`].
pub fn resolve(map: &mut PropertyMap, base_dir: &Path) -> Result<(), Diagnostic> {
    Contents::new(base_dir).resolve(map)
}

/// Like [`resolve`], for addresses of the network too if there is something to fetch with.
pub fn resolve_fetching(
    map: &mut PropertyMap,
    base_dir: &Path,
    fetch: Option<&SharedFetch>,
) -> Result<(), Diagnostic> {
    match fetch {
        Some(fetch) => Contents::new(base_dir).with_fetch(&**fetch).resolve(map),
        None => resolve(map, base_dir),
    }
}

/// Whether [`resolve`] would have anything to do, and so whether it may take long.
pub fn needs_resolving(map: &PropertyMap) -> bool {
    map.values().any(|value| {
        value.any(&mut |v| match v {
            PropertyValue::Asset(asset) => asset.hash.is_empty(),
            PropertyValue::Archive(archive) => archive.hash.is_empty(),
            _ => false,
        })
    })
}

impl<'a> Contents<'a> {
    /// Contents found from a folder, and none from the network.
    pub fn new(base_dir: &'a Path) -> Self {
        Contents { base_dir, fetch: None }
    }

    /// Contents that may come from the network, too.
    #[must_use]
    pub fn with_fetch(self, fetch: &'a Fetch<'a>) -> Self {
        Contents { fetch: Some(fetch), ..self }
    }

    /// Fills in the missing hashes of all assets and archives among the properties, at any depth.
    pub fn resolve(&self, map: &mut PropertyMap) -> Result<(), Diagnostic> {
        for (key, value) in map {
            self.resolve_value(key, value)?;
        }
        Ok(())
    }

    fn resolve_value(&self, key: &str, value: &mut PropertyValue) -> Result<(), Diagnostic> {
        let place = |mut d: Diagnostic| {
            d.message = format!("property \"{key}\": {}", d.message);
            d
        };
        match value {
            PropertyValue::Asset(asset) => self.resolve_asset(asset).map_err(place),
            PropertyValue::Archive(archive) => self.resolve_archive(archive).map_err(place),
            PropertyValue::Array(items) => {
                items.iter_mut().try_for_each(|item| self.resolve_value(key, item))
            }
            PropertyValue::Object(map) => self.resolve(map),
            PropertyValue::Secret(inner) => self.resolve_value(key, inner),
            PropertyValue::Output(output) => match &mut output.value {
                Some(inner) => self.resolve_value(key, inner),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Fills in the hash of an asset, if it is missing. An asset with neither hash nor content is
    /// the empty text.
    pub fn resolve_asset(&self, asset: &mut Asset) -> Result<(), Diagnostic> {
        if asset.hash.is_empty() {
            asset.hash = self.asset_hash(asset)?;
            if asset.source == AssetSource::Elided {
                asset.source = AssetSource::Text(String::new());
            }
        }
        Ok(())
    }

    /// Fills in the hash of an archive and those of its members, if it is missing. An archive with
    /// neither hash nor content is the empty one.
    pub fn resolve_archive(&self, archive: &mut Archive) -> Result<(), Diagnostic> {
        if archive.hash.is_empty() {
            if let ArchiveSource::Assets(members) = &mut archive.source {
                for member in members.values_mut() {
                    match member {
                        AssetOrArchive::Asset(asset) => self.resolve_asset(asset)?,
                        AssetOrArchive::Archive(archive) => self.resolve_archive(archive)?,
                    }
                }
            }
            archive.hash = self.archive_hash(archive)?;
            if archive.source == ArchiveSource::Elided {
                archive.source = ArchiveSource::Assets(Default::default());
            }
        }
        Ok(())
    }

    /// Computes the hash of an asset's content.
    pub fn asset_hash(&self, asset: &Asset) -> Result<String, Diagnostic> {
        let mut hasher = Sha256::new();
        match &asset.source {
            AssetSource::Text(text) => hasher.update(text),
            _ => self.open_asset(asset)?.copy_to(&mut hasher)?,
        }
        Ok(hex::encode(hasher.finalize()))
    }

    /// Computes the hash of an archive's content.
    pub fn archive_hash(&self, archive: &Archive) -> Result<String, Diagnostic> {
        let mut hasher = Sha256::new();
        match self.open_archive_file(archive)? {
            Some((_, blob)) => blob.copy_to(&mut hasher)?,
            None => self.write_tar(archive, &mut hasher)?,
        }
        Ok(hex::encode(hasher.finalize()))
    }

    /// Reads the whole content of an asset.
    pub fn read_asset(&self, asset: &Asset) -> Result<Vec<u8>, Diagnostic> {
        let mut bytes = Vec::new();
        self.open_asset(asset)?.copy_to(&mut bytes)?;
        Ok(bytes)
    }
}
