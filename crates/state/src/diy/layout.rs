//! Where what is kept.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StateError};

use super::medium::{Medium, Stamp};
use super::options::Compression;
use crate::rules::{ORGANIZATION, is_name};

/// The places of a store.
#[derive(Clone)]
pub(crate) struct Layout {
    medium: Arc<dyn Medium>,
}

/// The file of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StackFile {
    pub(crate) key: String,
    pub(crate) compression: Compression,
}

fn under(parts: &[&str]) -> String {
    format!(".pulumi/{}", parts.join("/"))
}

impl Layout {
    pub(crate) fn new(medium: Arc<dyn Medium>) -> Self {
        Layout { medium }
    }

    pub(crate) fn meta(&self) -> String {
        under(&["meta.yaml"])
    }

    pub(crate) fn stacks(&self) -> String {
        under(&["stacks"])
    }

    pub(crate) fn project(&self, id: &StackId) -> String {
        under(&["stacks", &id.project])
    }

    pub(crate) fn locks(&self, id: &StackId) -> String {
        under(&["locks", ORGANIZATION, &id.project, &id.name])
    }

    pub(crate) fn history(&self, id: &StackId) -> String {
        under(&["history", &id.project, &id.name])
    }

    pub(crate) fn backups(&self, id: &StackId) -> String {
        under(&["backups", &id.project, &id.name])
    }

    pub(crate) fn tags(&self, id: &StackId) -> String {
        format!("{}/{}.pulumi-tags", self.project(id), id.name)
    }

    /// The folder of our own.
    pub(crate) fn own(&self, id: &StackId) -> String {
        under(&["purlin", &id.project, &id.name])
    }

    fn name(id: &StackId, compression: Compression) -> String {
        format!("{}.json{}", id.name, compression.suffix())
    }

    /// The file that a stack has under a compression.
    pub(crate) fn stack_file(&self, id: &StackId, compression: Compression) -> StackFile {
        StackFile { key: format!("{}/{}", self.project(id), Self::name(id, compression)), compression }
    }

    /// The files that a stack of a name would have in the old layout, without projects.
    pub(crate) fn legacy_files(&self, name: &str) -> Vec<String> {
        let name = |compression: Compression| format!("{name}.json{}", compression.suffix());
        Compression::ALL.into_iter().map(|c| under(&["stacks", &name(c)])).collect()
    }

    /// The file that a stack has; if there are several, the one that was modified last.
    pub(crate) fn find(&self, id: &StackId) -> Result<Option<StackFile>, StateError> {
        Ok(self.find_stamped(id)?.map(|(file, _)| file))
    }

    /// The same, with its stamp if that is known by the way.
    pub(crate) fn find_stamped(
        &self,
        id: &StackId,
    ) -> Result<Option<(StackFile, Option<Stamp>)>, StateError> {
        let names = Compression::ALL.map(|compression| Self::name(id, compression));
        let newest = self.medium.newest(&self.project(id), &names)?;
        Ok(newest.map(|(at, stamp)| (self.stack_file(id, Compression::ALL[at]), stamp)))
    }

    /// All stacks, sorted.
    pub(crate) fn list(&self, project: Option<&str>) -> Result<Vec<StackId>, StateError> {
        let stacks = self.stacks();
        let folders = match project {
            Some(project) => vec![project.to_owned()],
            None => self.medium.folders(&stacks)?,
        };
        let mut ids = Vec::new();
        for folder in folders.into_iter().filter(|folder| is_name(folder)) {
            for file in self.medium.names(&format!("{stacks}/{folder}"))? {
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

    /// Refuses a root whose layout is old, or newer than this program.
    pub(crate) fn check(&self) -> Result<(), StateError> {
        self.medium.check_root()?;
        let key = self.meta();
        let Some((bytes, _)) = self.medium.read(&key)? else {
            return if self.legacy_stacks()?.is_empty() { Ok(()) } else { Err(self.legacy()) };
        };
        match version(&String::from_utf8_lossy(&bytes)) {
            Some(1) => Ok(()),
            Some(0) => Err(self.legacy()),
            Some(other) => {
                let message = format!(
                    "{} says that the backend has layout {other}; this program knows layout 1",
                    self.medium.place(&key)
                );
                let hint = "use the newer program that made it";
                Err(StateError::Unusable(Diagnostic::error("backend-version", message).with_hint(hint)))
            }
            None => {
                let message = format!("{} has no version", self.medium.place(&key));
                let hint = "for a backend with stacks in folders by project it holds 'version: 1'";
                Err(StateError::Unusable(Diagnostic::error("backend-meta", message).with_hint(hint)))
            }
        }
    }

    /// A folder that a stack has in the old layout.
    pub(crate) fn legacy_folder(&self, what: &str, name: &str) -> String {
        under(&[what, name])
    }

    /// The stacks of the old layout, sorted, with their files.
    pub(crate) fn legacy_stacks(&self) -> Result<Vec<(String, StackFile)>, StateError> {
        let stacks = self.stacks();
        let mut found: Vec<(String, StackFile)> = Vec::new();
        for file in self.medium.names(&stacks)? {
            let Some(name) = stack_name(&file) else { continue };
            let ending = Compression::ALL.into_iter().find(|c| file == format!("{name}.json{}", c.suffix()));
            if let Some(compression) = ending.filter(|_| !found.iter().any(|(known, _)| known == name)) {
                found.push((name.to_owned(), StackFile { key: format!("{stacks}/{file}"), compression }));
            }
        }
        Ok(found)
    }

    fn legacy(&self) -> StateError {
        let message = format!("{} has the old layout, without projects", self.medium.place(""));
        let hint =
            "upgrade it with `pulumi state upgrade`, which moves every stack into the folder of its project";
        StateError::Unusable(Diagnostic::error("backend-legacy", message).with_hint(hint))
    }

    /// Marks a new root with its layout.
    pub(crate) fn mark(&self) -> Result<(), StateError> {
        let key = self.meta();
        if self.medium.stamp(&key)?.is_some() {
            return Ok(());
        }
        self.medium.write(&key, b"version: 1\n", false)
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
