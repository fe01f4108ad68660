//! Finds the manifest of a project by walking upward.

use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;

/// A kind of manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// `Pulumi.yaml`: a project.
    Project,
    /// `PulumiPlugin.yaml`: a plugin in source form.
    Plugin,
    /// `PulumiPolicy.yaml`: a policy pack.
    Policy,
}

impl ManifestKind {
    fn stem(self) -> &'static str {
        match self {
            ManifestKind::Project => "Pulumi",
            ManifestKind::Plugin => "PulumiPlugin",
            ManifestKind::Policy => "PulumiPolicy",
        }
    }
}

/// The manifest in a directory itself: the JSON form first, then `.yaml`, then `.yml`.
pub fn manifest_in(directory: &Path, kind: ManifestKind) -> Option<PathBuf> {
    ["json", "yaml", "yml"]
        .into_iter()
        .map(|extension| directory.join(format!("{}.{extension}", kind.stem())))
        .find(|path| path.is_file())
}

/// The nearest manifest in a directory or one of those above it.
pub fn find_manifest(start: &Path, kind: ManifestKind) -> Option<PathBuf> {
    start.ancestors().find_map(|directory| manifest_in(directory, kind))
}

/// The nearest project manifest, or the complaint that there is none. `start` must be absolute for
/// the walk to reach the directories above it.
pub fn find_project(start: &Path) -> Result<PathBuf, Diagnostic> {
    find_manifest(start, ManifestKind::Project).ok_or_else(|| {
        let message = format!(
            "no Pulumi.yaml project file found (searching upwards from {}). If you have not created a project \
             yet, use `pulumi new` to do so: no project file found",
            start.display()
        );
        Diagnostic::error("project-not-found", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_manifest_wins_and_json_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        assert!(find_project(&inner).unwrap_err().message.starts_with("no Pulumi.yaml project file found"));
        fs::write(dir.path().join("Pulumi.yaml"), "name: outer\n").unwrap();
        assert_eq!(find_project(&inner).unwrap(), dir.path().join("Pulumi.yaml"));
        fs::write(dir.path().join("a/Pulumi.yml"), "name: yml\n").unwrap();
        assert_eq!(find_project(&inner).unwrap(), dir.path().join("a/Pulumi.yml"));
        fs::write(dir.path().join("a/Pulumi.json"), "{}").unwrap();
        assert_eq!(find_project(&inner).unwrap(), dir.path().join("a/Pulumi.json"));
        fs::create_dir(inner.join("Pulumi.yaml")).unwrap();
        assert_eq!(find_project(&inner).unwrap(), dir.path().join("a/Pulumi.json"));
        fs::write(inner.join("PulumiPlugin.yaml"), "runtime: go\n").unwrap();
        assert_eq!(find_manifest(&inner, ManifestKind::Plugin).unwrap(), inner.join("PulumiPlugin.yaml"));
        assert_eq!(find_manifest(&inner, ManifestKind::Policy), None);
    }
}
