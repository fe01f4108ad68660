//! Where what is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StateError};

use super::files::{self, Doing as _};
use super::options::Compression;
use crate::rules::{ORGANIZATION, is_name};

/// The places under a directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// The file of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StackFile {
    pub(crate) path: PathBuf,
    pub(crate) compression: Compression,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Layout { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn under(&self, parts: &[&str]) -> PathBuf {
        self.root.join(".pulumi").join(parts.iter().collect::<PathBuf>())
    }

    pub(crate) fn meta(&self) -> PathBuf {
        self.under(&["meta.yaml"])
    }

    pub(crate) fn stacks(&self) -> PathBuf {
        self.under(&["stacks"])
    }

    pub(crate) fn project(&self, id: &StackId) -> PathBuf {
        self.under(&["stacks", &id.project])
    }

    pub(crate) fn locks(&self, id: &StackId) -> PathBuf {
        self.under(&["locks", ORGANIZATION, &id.project, &id.name])
    }

    pub(crate) fn history(&self, id: &StackId) -> PathBuf {
        self.under(&["history", &id.project, &id.name])
    }

    pub(crate) fn backups(&self, id: &StackId) -> PathBuf {
        self.under(&["backups", &id.project, &id.name])
    }

    pub(crate) fn tags(&self, id: &StackId) -> PathBuf {
        self.project(id).join(format!("{}.pulumi-tags", id.name))
    }

    /// Where files are written that must not be seen before they are whole.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.under(&["purlin"])
    }

    /// The folder of our own.
    pub(crate) fn own(&self, id: &StackId) -> PathBuf {
        self.under(&["purlin", &id.project, &id.name])
    }

    /// The file that a stack has under a compression.
    pub(crate) fn stack_file(&self, id: &StackId, compression: Compression) -> StackFile {
        let name = format!("{}.json{}", id.name, compression.suffix());
        StackFile { path: self.project(id).join(name), compression }
    }

    /// The files that a stack of a name would have in the old layout, without projects.
    pub(crate) fn legacy_files(&self, name: &str) -> Vec<PathBuf> {
        let name = |compression: Compression| format!("{name}.json{}", compression.suffix());
        Compression::ALL.into_iter().map(|c| self.under(&["stacks", &name(c)])).collect()
    }

    /// The file that a stack has; if there are several, the one that was modified last.
    pub(crate) fn find(&self, id: &StackId) -> Result<Option<StackFile>, StateError> {
        let mut best: Option<(SystemTime, StackFile)> = None;
        for compression in Compression::ALL {
            let file = self.stack_file(id, compression);
            let metadata = files::found(fs::metadata(&file.path)).doing("look at", &file.path)?;
            let Some(metadata) = metadata.filter(fs::Metadata::is_file) else { continue };
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if best.as_ref().is_none_or(|(other, _)| modified >= *other) {
                best = Some((modified, file));
            }
        }
        Ok(best.map(|(_, file)| file))
    }

    /// All stacks, sorted.
    pub(crate) fn list(&self, project: Option<&str>) -> Result<Vec<StackId>, StateError> {
        let stacks = self.stacks();
        let mut ids = Vec::new();
        for folder in files::names(&stacks).doing("list", &stacks)? {
            if !is_name(&folder) || project.is_some_and(|project| project != folder) {
                continue;
            }
            let path = stacks.join(&folder);
            for file in files::names(&path).doing("list", &path)? {
                if let Some(name) = stack_name(&file).filter(|name| is_name(name)) {
                    ids.push(StackId {
                        organization: ORGANIZATION.to_owned(),
                        project: folder.clone(),
                        name: name.to_owned(),
                    });
                }
            }
        }
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    /// Refuses a directory whose layout is old, or newer than this program.
    pub(crate) fn check(&self) -> Result<(), StateError> {
        if !self.root.is_dir() {
            let message = format!("there is no directory {}", self.root.display());
            let hint = "make it, or log in to another backend";
            return Err(StateError::Store(Diagnostic::error("backend-missing", message).with_hint(hint)));
        }
        let path = self.meta();
        match files::found(fs::read_to_string(&path)).doing("read", &path)? {
            Some(text) => match version(&text) {
                Some(1) => Ok(()),
                Some(0) => Err(self.legacy()),
                Some(other) => {
                    let message = format!(
                        "{} says that the directory has layout {other}; this program knows layout 1",
                        path.display()
                    );
                    let hint = "use the newer program that made it";
                    Err(StateError::Unusable(Diagnostic::error("backend-version", message).with_hint(hint)))
                }
                None => {
                    let message = format!("{} has no version", path.display());
                    let hint = "for a directory with stacks in folders by project it holds 'version: 1'";
                    Err(StateError::Unusable(Diagnostic::error("backend-meta", message).with_hint(hint)))
                }
            },
            None if self.has_legacy_stacks().doing("list", &self.stacks())? => Err(self.legacy()),
            None => Ok(()),
        }
    }

    fn has_legacy_stacks(&self) -> io::Result<bool> {
        let stacks = self.stacks();
        Ok(files::names(&stacks)?
            .iter()
            .any(|name| stack_name(name).is_some() && stacks.join(name).is_file()))
    }

    fn legacy(&self) -> StateError {
        let message = format!("{} has the old layout, without projects", self.root.display());
        let hint =
            "upgrade it with `pulumi state upgrade`, which moves every stack into the folder of its project";
        StateError::Unusable(Diagnostic::error("backend-legacy", message).with_hint(hint))
    }

    /// Marks a new directory with its layout.
    pub(crate) fn mark(&self, token: &str) -> Result<(), StateError> {
        let path = self.meta();
        if path.exists() {
            return Ok(());
        }
        files::write_whole(&path, b"version: 1\n", token, false).doing("write", &path)
    }
}

/// The stack whose file has a name.
fn stack_name(file: &str) -> Option<&str> {
    let file = file.strip_suffix(".gz").or_else(|| file.strip_suffix(".zst")).unwrap_or(file);
    file.strip_suffix(".json")
}

/// The version in the text of `meta.yaml`.
fn version(text: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix("version:"))?;
    value.split('#').next()?.trim().trim_matches(['"', '\'']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_files_of_stacks() {
        let cases = [
            ("dev.json", Some("dev")),
            ("dev.json.gz", Some("dev")),
            ("a.b.json.zst", Some("a.b")),
            ("dev.json.bak", None),
            ("dev.json.attrs", None),
            ("dev.pulumi-tags", None),
            (".x.tmp", None),
        ];
        for (file, name) in cases {
            assert_eq!(stack_name(file), name, "{file}");
        }
    }

    #[test]
    fn reads_the_version_of_the_layout() {
        assert_eq!(version("version: 1\n"), Some(1));
        assert_eq!(version("# c\nversion: 12 # x\n"), Some(12));
        assert_eq!(version("versions: 1\n"), None);
        assert_eq!(version(""), None);
    }
}
