//! Which stack is selected in a project, per backend.

use std::fs;
use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;
use sha1::{Digest, Sha1};

use crate::files::{Access, read_text, remove, write_atomically};
use crate::value::{Object, Value};

/// The choices made in one project on this machine. Fields of the file that are not known here are
/// kept.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkspaceSettings {
    path: PathBuf,
    root: Object,
}

impl WorkspaceSettings {
    /// Where the choices of a project are kept. `manifest` is the absolute path of the project's
    /// manifest.
    pub fn path_for(home: &Path, project: &str, manifest: &Path) -> PathBuf {
        let digest = hex::encode(Sha1::digest(manifest.as_os_str().as_encoded_bytes()));
        home.join("workspaces").join(format!("{project}-{digest}-workspace.json"))
    }

    /// Reads the choices of a project; a missing file means none.
    pub fn load(home: &Path, project: &str, manifest: &Path) -> Result<WorkspaceSettings, Diagnostic> {
        let path = WorkspaceSettings::path_for(home, project, manifest);
        let root = read_object(&path)?.unwrap_or_default();
        Ok(WorkspaceSettings { path, root })
    }

    /// The selected stack for a backend, or the one that an older version selected for all backends.
    pub fn stack_for_backend(&self, backend_url: &str) -> Option<&str> {
        let stacks = self.root.get("stacks").and_then(Value::as_object);
        stacks
            .and_then(|stacks| stacks.get(backend_url))
            .or_else(|| self.root.get("stack"))
            .and_then(Value::as_str)
            .filter(|stack| !stack.is_empty())
    }

    /// Selects a stack for a backend, or none. Selecting none also forgets what an older version
    /// selected.
    pub fn select(&mut self, backend_url: &str, stack: Option<&str>) {
        let mut stacks = match self.root.shift_remove("stacks") {
            Some(Value::Object(stacks)) => stacks,
            _ => Object::new(),
        };
        match stack {
            Some(stack) => {
                stacks.insert(backend_url.to_owned(), Value::from(stack));
            }
            None => {
                stacks.shift_remove(backend_url);
                self.root.shift_remove("stack");
            }
        }
        if !stacks.is_empty() {
            self.root.insert("stacks".to_owned(), Value::Object(stacks));
        }
    }

    /// Writes the choices; without any, the file is removed.
    pub fn save(&self) -> Result<(), Diagnostic> {
        if self.root.is_empty() {
            return remove(&self.path);
        }
        write_object(&self.path, &self.root)
    }
}

/// The default organization of each backend: `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendSettings {
    path: PathBuf,
    root: Object,
}

impl BackendSettings {
    /// Reads the settings; a missing file means none.
    pub fn load(home: &Path) -> Result<BackendSettings, Diagnostic> {
        let path = home.join("config.json");
        let root = read_object(&path)?.unwrap_or_default();
        Ok(BackendSettings { path, root })
    }

    /// The default organization of a backend.
    pub fn default_organization(&self, backend_url: &str) -> Option<&str> {
        let backend = self.root.get("backends")?.get(backend_url)?;
        backend.get("defaultOrg")?.as_str().filter(|name| !name.is_empty())
    }

    /// Sets or forgets the default organization of a backend.
    pub fn set_default_organization(&mut self, backend_url: &str, organization: Option<&str>) {
        let mut backends = match self.root.shift_remove("backends") {
            Some(Value::Object(backends)) => backends,
            _ => Object::new(),
        };
        match organization {
            Some(name) => {
                let fields = Object::from([("defaultOrg".to_owned(), Value::from(name))]);
                backends.insert(backend_url.to_owned(), Value::Object(fields));
            }
            None => drop(backends.shift_remove(backend_url)),
        }
        if !backends.is_empty() {
            self.root.insert("backends".to_owned(), Value::Object(backends));
        }
    }

    /// Writes the settings; without any, the file is removed.
    pub fn save(&self) -> Result<(), Diagnostic> {
        if self.root.is_empty() {
            return remove(&self.path);
        }
        write_object(&self.path, &self.root)
    }
}

/// Reads a JSON object; `None` if the file is missing or empty.
pub(crate) fn read_object(path: &Path) -> Result<Option<Object>, Diagnostic> {
    let text = read_text(path)?.map(|file| file.text).unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(None);
    }
    let problem = |reason: String| {
        let message = format!("could not parse file {}: {reason}", path.display());
        Diagnostic::error("home-file", message).with_hint("fix the file, or delete it to start afresh")
    };
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| problem(error.to_string()))?;
    match Value::from_json(&json) {
        Value::Object(root) => Ok(Some(root)),
        other => Err(problem(format!("expected an object, but got {}", other.kind()))),
    }
}

/// Writes a JSON object so that only the owner can read it.
pub(crate) fn write_object(path: &Path, root: &Object) -> Result<(), Diagnostic> {
    let text = Value::Object(root.clone()).to_pretty_escaped_json(4);
    write_atomically(path, text.as_bytes(), Access::Private)
}

/// The files of all projects that have a stack selected.
pub fn workspace_files(home: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.join("workspaces")) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with("-workspace.json"))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "/home/me/shop/Pulumi.yaml";

    fn load(home: &Path) -> WorkspaceSettings {
        WorkspaceSettings::load(home, "shop", Path::new(MANIFEST)).unwrap()
    }

    #[test]
    fn the_file_name_holds_the_digest_of_the_manifest() {
        assert_eq!(
            WorkspaceSettings::path_for(Path::new("/h"), "shop", Path::new(MANIFEST)),
            Path::new("/h/workspaces/shop-b771902a6565b7c0ccefe3a7c468f575147100ad-workspace.json")
        );
    }

    #[test]
    fn stacks_are_selected_per_backend() {
        let home = tempfile::tempdir().unwrap();
        let mut settings = load(home.path());
        assert_eq!(settings.stack_for_backend("file://~"), None);
        settings.select("file://~", Some("dev"));
        settings.select("https://api.example.com?a&b", Some("org/shop/prod"));
        settings.save().unwrap();
        assert_eq!(
            fs::read_to_string(&settings.path).unwrap(),
            "{\n    \"stacks\": {\n        \"file://~\": \"dev\",\n        \"https://api.example.com?a\\u0026b\": \
             \"org/shop/prod\"\n    }\n}"
        );
        let mut settings = load(home.path());
        assert_eq!(settings.stack_for_backend("file://~"), Some("dev"));
        assert_eq!(workspace_files(home.path()).len(), 1);
        settings.select("file://~", None);
        settings.select("https://api.example.com?a&b", None);
        settings.save().unwrap();
        assert!(workspace_files(home.path()).is_empty());
        settings.save().unwrap();
    }

    #[test]
    fn an_old_selection_counts_until_it_is_cleared() {
        let home = tempfile::tempdir().unwrap();
        let path = load(home.path()).path;
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "{\"stack\": \"old\", \"future\": 1}").unwrap();
        let mut settings = load(home.path());
        assert_eq!(settings.stack_for_backend("x"), Some("old"));
        settings.select("x", Some("new"));
        assert_eq!(settings.stack_for_backend("x"), Some("new"));
        assert_eq!(settings.stack_for_backend("y"), Some("old"));
        settings.select("x", None);
        assert_eq!(settings.stack_for_backend("x"), None);
        settings.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\n    \"future\": 1\n}");
        fs::write(&path, "{nope").unwrap();
        let problem = WorkspaceSettings::load(home.path(), "shop", Path::new(MANIFEST)).unwrap_err();
        assert_eq!(
            problem.message,
            format!("could not parse file {}: key must be a string at line 1 column 2", path.display())
        );
    }

    #[test]
    fn default_organizations_are_kept() {
        let home = tempfile::tempdir().unwrap();
        let mut settings = BackendSettings::load(home.path()).unwrap();
        settings.set_default_organization("https://api", Some("acme"));
        settings.save().unwrap();
        assert_eq!(
            fs::read_to_string(home.path().join("config.json")).unwrap(),
            "{\n    \"backends\": {\n        \"https://api\": {\n            \"defaultOrg\": \"acme\"\n        }\n    }\n}"
        );
        let mut settings = BackendSettings::load(home.path()).unwrap();
        assert_eq!(settings.default_organization("https://api"), Some("acme"));
        assert_eq!(settings.default_organization("other"), None);
        settings.set_default_organization("https://api", None);
        settings.save().unwrap();
        assert!(!home.path().join("config.json").exists());
    }
}
