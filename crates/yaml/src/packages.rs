//! Which package a token belongs to: what the project has installed under a name, or the plugin of
//! that name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use purlin_diag::Diagnostic;
use purlin_model::{Extension, PackageDescriptor, Parameterization};
use purlin_project::yaml::{self, Node};

/// How deep below the program's folder package files are looked for.
const MAX_FOLDER_DEPTH: usize = 16;

/// The packages that a project has installed, by the first part of their tokens.
#[derive(Clone, Debug, Default)]
pub struct PackageLocks {
    by_namespace: BTreeMap<String, Vec<PackageDescriptor>>,
    /// What among the parameterizations extends a package rather than making another of it.
    extensions: BTreeMap<Parameterization, Arc<Extension>>,
}

impl PackageLocks {
    /// Reads the package files below the program's folder, and the `packages` of the project file
    /// for names without such a file.
    pub fn read(folder: &Path, project: &Node) -> Result<PackageLocks, Diagnostic> {
        let mut locks = PackageLocks::default();
        locks.walk(folder, 0)?;
        locks.add_section(project);
        Ok(locks)
    }

    /// What is installed under a name.
    pub fn declared(&self, namespace: &str) -> &[PackageDescriptor] {
        self.by_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// The extension that a package stands for, if it is one.
    pub(crate) fn extension(&self, package: &PackageDescriptor) -> Option<Arc<Extension>> {
        self.extensions.get(package.parameterization.as_ref()?).cloned()
    }

    /// What serves a package: for an extension the package that is extended.
    pub(crate) fn served_by(&self, package: &PackageDescriptor) -> PackageDescriptor {
        let mut package = package.clone();
        if self.extension(&package).is_some() {
            package.parameterization = None;
        }
        package
    }

    /// The packages that may know a token, in the order to try them.
    pub(crate) fn candidates(&self, namespace: &str, version: &str, url: &str) -> Vec<PackageDescriptor> {
        let mut found = self.declared(namespace).to_vec();
        let has_base =
            found.iter().any(|package| package.parameterization.as_ref().is_none_or(|p| p.name == namespace));
        if !has_base {
            found.push(PackageDescriptor::new(namespace, ""));
        }
        // An extended package knows everything that it knew before.
        found.sort_by_key(|package| self.extension(package).is_some());
        for package in &mut found {
            if !version.is_empty() {
                version.clone_into(&mut package.version);
            }
            if !url.is_empty() {
                url.clone_into(&mut package.download_url);
            }
        }
        found
    }

    fn walk(&mut self, folder: &Path, depth: usize) -> Result<(), Diagnostic> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_symlink() || name.starts_with('.') || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                if depth < MAX_FOLDER_DEPTH {
                    self.walk(&path, depth + 1)?;
                }
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                self.read_file(&path)?;
            }
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path) -> Result<(), Diagnostic> {
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(()) };
        if !text.contains("packageDeclarationVersion") {
            return Ok(());
        }
        let Ok(node) = yaml::parse(&path.display().to_string(), &text) else { return Ok(()) };
        if node.get("packageDeclarationVersion").and_then(Node::as_i64) != Some(1) {
            return Ok(());
        }
        let problem = |what: &str| {
            Diagnostic::error("yaml-package-file", format!("the package file {} {what}", path.display()))
                .with_span(node.span())
                .with_hint("add the package again")
        };
        let name = text_of(&node, "name");
        if name.is_empty() {
            return Err(problem("names no package"));
        }
        let replacement = node.get("parameterization").filter(|n| !n.is_null());
        let extension = node.get("extension").filter(|n| !n.is_null());
        if replacement.is_some() && extension.is_some() {
            return Err(problem("has both a parameterization and an extension"));
        }
        let parameterization = match replacement.or(extension) {
            None => None,
            Some(fields) => {
                let value = base64::engine::general_purpose::STANDARD
                    .decode(text_of(fields, "value"))
                    .map_err(|_| problem("has a parameter that isn't base64"))?;
                let (name, version) = (text_of(fields, "name"), text_of(fields, "version"));
                if name.is_empty() || version.is_empty() {
                    return Err(problem("has a parameterization without name or version"));
                }
                Some(Parameterization { name, version, value })
            }
        };
        let namespace = match (&parameterization, replacement) {
            (Some(parameterization), Some(_)) => parameterization.name.clone(),
            (Some(extension), None) => {
                let Parameterization { name: extended, version, value } = extension.clone();
                let extension_of_it = Arc::new(Extension {
                    reference: purlin_assets::extension_reference(&extended, &version, &value),
                    name: extended,
                    version,
                    value,
                    ..Extension::default()
                });
                self.extensions.insert(extension.clone(), extension_of_it);
                name.clone()
            }
            (None, _) => name.clone(),
        };
        self.by_namespace.entry(namespace).or_default().push(PackageDescriptor {
            name,
            version: text_of(&node, "version"),
            download_url: text_of(&node, "downloadUrl"),
            checksums: BTreeMap::new(),
            parameterization,
            ..PackageDescriptor::default()
        });
        Ok(())
    }

    /// Entries that only pin a plugin's version; all others need their package file.
    fn add_section(&mut self, project: &Node) {
        let entries = project.get("packages").and_then(Node::entries).unwrap_or_default();
        for entry in entries {
            let value = &entry.value;
            let (source, version, url) = match value.as_str() {
                Some(text) => match text.split_once('@') {
                    Some((source, version)) => (source.to_owned(), version.to_owned(), String::new()),
                    None => (text.to_owned(), String::new(), String::new()),
                },
                None => {
                    (text_of(value, "source"), text_of(value, "version"), text_of(value, "pluginDownloadURL"))
                }
            };
            let parameters = value.get("parameters").and_then(Node::items).unwrap_or_default();
            let plain =
                !source.is_empty() && !source.contains(['/', '.', ':', '\\']) && parameters.is_empty();
            if plain && !self.by_namespace.contains_key(&source) {
                let package = PackageDescriptor {
                    download_url: url,
                    ..PackageDescriptor::new(source.clone(), version.trim_start_matches('v'))
                };
                self.by_namespace.insert(source, vec![package]);
            }
        }
    }
}

fn text_of(node: &Node, key: &str) -> String {
    node.get(key).and_then(Node::scalar).map_or_else(String::new, |scalar| scalar.text.clone())
}
