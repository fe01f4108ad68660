//! Finds the installed packages that come with a plugin.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use purlin_model::PackageDescriptor;
use serde::Deserialize;

use crate::plugin_file::{PluginFile, tidy};
use crate::program::upwards;

/// What matters here of a `package.json`.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    pulumi: Option<PluginFile>,
}

/// The packages under the nearest `node_modules` folder that need plugins.
pub(super) fn find(directory: &Path) -> Vec<PackageDescriptor> {
    let mut search = Search { seen: HashSet::new(), found: Vec::new() };
    if let Some(home) = upwards(directory, |folder| folder.join("node_modules").is_dir()) {
        search.modules(&home.join("node_modules"));
    }
    tidy(search.found)
}

struct Search {
    seen: HashSet<PathBuf>,
    found: Vec<PackageDescriptor>,
}

impl Search {
    /// Looks at each package in a `node_modules` folder, scoped ones included, and at what is
    /// installed below them.
    fn modules(&mut self, folder: &Path) {
        let new = folder.canonicalize().is_ok_and(|real| self.seen.insert(real));
        if !new {
            return;
        }
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = entry.path();
            if name.starts_with('@') {
                let scoped = std::fs::read_dir(&path).into_iter().flatten().flatten();
                for entry in scoped {
                    self.package(&entry.path());
                }
            } else if name == ".pnpm" {
                let stored = std::fs::read_dir(&path).into_iter().flatten().flatten();
                for entry in stored {
                    self.modules(&entry.path().join("node_modules"));
                }
            } else if !name.starts_with('.') {
                self.package(&path);
            }
        }
    }

    fn package(&mut self, folder: &Path) {
        if folder.join("PulumiPolicy.yaml").exists() {
            return;
        }
        if let Some(package) = std::fs::read(folder.join("package.json")).ok().and_then(|text| read(&text)) {
            self.found.push(package);
        }
        self.modules(&folder.join("node_modules"));
    }
}

/// The package that a manifest stands for, if it needs a plugin.
fn read(text: &[u8]) -> Option<PackageDescriptor> {
    // Most manifests don't mention it; they needn't be parsed.
    text.windows(8).any(|window| window == b"\"pulumi\"").then_some(())?;
    let manifest: Manifest = serde_json::from_slice(text).ok()?;
    let file = manifest.pulumi.filter(|file| file.resource)?;
    let name = match manifest.name.strip_prefix("@pulumi/") {
        Some(name) => name,
        // A package of another scope has to say the plugin's name.
        None if file.name.is_empty() => return None,
        None => "",
    };
    Some(file.into_package(name, &manifest.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_where_managers_put_them() {
        let folder = tempfile::tempdir().unwrap();
        let modules = folder.path().join("node_modules");
        let write = |path: &str, text: &str| {
            let folder = modules.join(path);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("package.json"), text).unwrap();
        };
        write("@pulumi/random", r#"{"name":"@pulumi/random","version":"v4.1.0","pulumi":{"resource":true}}"#);
        write("@pulumi/pulumi", r#"{"name":"@pulumi/pulumi","version":"3.0.0"}"#);
        write("@acme/kit", r#"{"name":"@acme/kit","version":"1.0.0","pulumi":{"resource":true}}"#);
        write(
            "plain/node_modules/acme",
            r#"{"name":"acme","version":"1.0.0","pulumi":{"resource":true,"name":"acme","version":"2.0.0"}}"#,
        );
        write(
            ".pnpm/deep@1.0.0/node_modules/@pulumi/deep",
            r#"{"name":"@pulumi/deep","version":"1.0.0","pulumi":{"resource":true}}"#,
        );
        write("pack", r#"{"name":"@pulumi/pack","version":"1.0.0","pulumi":{"resource":true}}"#);
        std::fs::write(modules.join("pack/PulumiPolicy.yaml"), "runtime: nodejs").unwrap();
        write("broken", "{\"pulumi\"");
        let below = folder.path().join("app");
        std::fs::create_dir(&below).unwrap();
        assert_eq!(
            find(&below),
            [
                PackageDescriptor::new("acme", "2.0.0"),
                PackageDescriptor::new("deep", "1.0.0"),
                PackageDescriptor::new("random", "4.1.0")
            ]
        );
    }
}
