//! Takes files as assets and into an archive after a command has run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use purlin_assets::Contents;
use purlin_model::{Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, PropertyMap, PropertyValue};
use purlin_ports::ProviderError;

use super::glob::Pattern;
use super::inputs::Settings;

/// The outputs `assets` and `archive`, as far as the settings ask for them.
pub(super) async fn gather(directory: &Path, settings: &Settings<'_>) -> Result<PropertyMap, ProviderError> {
    if settings.asset_paths.is_none() && settings.archive_paths.is_none() {
        return Ok(PropertyMap::new());
    }
    let owned = |paths: &Option<Vec<&str>>| -> Option<Vec<String>> {
        paths.as_ref().map(|paths| paths.iter().map(|p| (*p).to_owned()).collect())
    };
    let folder = Folder { base: directory.to_owned(), dir: settings.dir.map(str::to_owned) };
    let (asset_paths, archive_paths) = (owned(&settings.asset_paths), owned(&settings.archive_paths));
    let gathered = tokio::task::spawn_blocking(move || folder.outputs(asset_paths, archive_paths)).await;
    gathered.map_err(|e| e.to_string()).flatten().map_err(ProviderError::Rejected)
}

struct Folder {
    base: PathBuf,
    /// The folder that the command ran in, as the inputs name it.
    dir: Option<String>,
}

impl Folder {
    fn outputs(
        &self,
        asset_paths: Option<Vec<String>>,
        archive_paths: Option<Vec<String>>,
    ) -> Result<PropertyMap, String> {
        let mut outputs = PropertyMap::new();
        if let Some(patterns) = asset_paths {
            let assets = self.find(&patterns)?;
            let assets: PropertyMap =
                assets.into_iter().map(|(name, asset)| (name, PropertyValue::Asset(asset))).collect();
            outputs.insert("assets".to_owned(), assets.into());
        }
        if let Some(patterns) = archive_paths {
            let assets = self.find(&patterns)?;
            let members =
                assets.into_iter().map(|(name, asset)| (name, AssetOrArchive::Asset(asset))).collect();
            let mut archive = Archive { hash: String::new(), source: ArchiveSource::Assets(members) };
            Contents::new(&self.base).resolve_archive(&mut archive).map_err(|d| d.to_string())?;
            outputs.insert("archive".to_owned(), PropertyValue::Archive(archive));
        }
        Ok(outputs)
    }

    /// The files that fit, by path below the folder. Later patterns win over earlier ones; those
    /// that begin with `!` take files out again.
    fn find(&self, patterns: &[String]) -> Result<BTreeMap<String, Asset>, String> {
        let patterns: Vec<(bool, Pattern)> = patterns
            .iter()
            .map(|text| match text.strip_prefix('!') {
                Some(excluded) => Ok((false, Pattern::parse(excluded)?)),
                None => Ok((true, Pattern::parse(text)?)),
            })
            .collect::<Result<_, String>>()?;
        let root = self.base.join(self.dir.as_deref().unwrap_or_default());
        let mut files = Vec::new();
        walk(&root, "", &mut files)?;
        let contents = Contents::new(&self.base);
        let mut assets = BTreeMap::new();
        for file in files {
            let last = patterns.iter().rev().find(|(_, pattern)| pattern.matches(&file));
            if !last.is_some_and(|(included, _)| *included) {
                continue;
            }
            let mut asset = Asset { hash: String::new(), source: AssetSource::Path(self.shown(&file)) };
            contents.resolve_asset(&mut asset).map_err(|d| d.to_string())?;
            assets.insert(file, asset);
        }
        Ok(assets)
    }

    /// The path of a file as assets name it: below the folder as the inputs name it, or absolute
    /// where they don't.
    fn shown(&self, file: &str) -> String {
        let dir = self.dir.clone().unwrap_or_else(|| self.base.to_string_lossy().into_owned());
        let mut parts: Vec<&str> = Vec::new();
        for part in dir.split('/').chain(file.split('/')) {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
                ".." if dir.starts_with('/') => {}
                other => parts.push(other),
            }
        }
        let root = if dir.starts_with('/') { "/" } else { "" };
        format!("{root}{}", parts.join("/"))
    }
}

/// The files below a folder, in order. Links to folders are not followed.
fn walk(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("can't read the folder {}: {error}", folder.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), entry));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, entry) in entries {
        let path = format!("{prefix}{name}");
        if entry.file_type().map_err(unreadable)?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if entry.path().is_file() {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_named_below_the_folder_of_the_inputs() {
        let shown = |dir: Option<&str>| {
            Folder { base: PathBuf::from("/prog"), dir: dir.map(str::to_owned) }.shown("a/b.txt")
        };
        assert_eq!(shown(None), "/prog/a/b.txt");
        assert_eq!(shown(Some("./sub/")), "sub/a/b.txt");
        assert_eq!(shown(Some("sub/../..")), "../a/b.txt");
        assert_eq!(shown(Some("/x/../y")), "/y/a/b.txt");
    }
}
