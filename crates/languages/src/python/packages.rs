//! Finds the installed distributions that come with a plugin, without asking pip.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use purlin_model::PackageDescriptor;

use crate::plugin_file::{PluginFile, tidy};

/// Distributions whose name looks as if they had a plugin.
const WITHOUT_PLUGIN: [&str; 2] = ["pulumi-policy", "pulumi-esc-sdk"];

/// The package folders of a virtual environment.
pub(super) fn folders_of(venv: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = subfolders(&venv.join("lib"))
        .into_iter()
        .filter(|folder| name_of(folder).starts_with("python"))
        .map(|folder| folder.join("site-packages"))
        .collect();
    folders.push(venv.join("Lib").join("site-packages"));
    folders.retain(|folder| folder.is_dir());
    folders
}

/// The packages that the distributions in some folders need plugins for.
pub(super) fn find(folders: &[PathBuf]) -> Vec<PackageDescriptor> {
    let mut distributions = BTreeMap::<String, String>::new();
    let mut files = BTreeMap::<String, PluginFile>::new();
    let mut folders = folders.to_vec();
    let linked: Vec<PathBuf> = folders.iter().flat_map(|folder| linked_folders(folder)).collect();
    folders.extend(linked);
    for folder in &folders {
        for entry in subfolders(folder) {
            let name = name_of(&entry);
            if let Some((name, version)) = distribution(&name) {
                distributions.entry(name).or_insert(version);
            } else if let Ok(text) = std::fs::read_to_string(entry.join("pulumi-plugin.json"))
                && let Some(file) = PluginFile::parse(&text)
            {
                files.entry(normal(&name)).or_insert(file);
            }
        }
    }
    for name in distributions.keys().filter(|name| name.starts_with("pulumi-")) {
        files.entry(name.clone()).or_insert_with(|| PluginFile { resource: true, ..PluginFile::default() });
    }
    let packages = files
        .into_iter()
        .filter(|(name, file)| file.resource && !WITHOUT_PLUGIN.contains(&name.as_str()))
        .filter_map(|(name, file)| {
            let version = distributions.get(&name).and_then(|version| plugin_version(version));
            if file.version.is_empty() && version.is_none() {
                return None;
            }
            let short = name.strip_prefix("pulumi-").unwrap_or(&name).to_owned();
            Some(file.into_package(&short, &version.unwrap_or_default()))
        })
        .collect();
    tidy(packages)
}

/// Name and version from the name of a folder with a distribution's metadata.
fn distribution(folder: &str) -> Option<(String, String)> {
    let stem = folder.strip_suffix(".dist-info").or_else(|| folder.strip_suffix(".egg-info"))?;
    let mut parts = stem.split('-');
    Some((normal(parts.next()?), parts.next().unwrap_or_default().to_owned()))
}

/// The folders that `.pth` files add, as editable installations do.
fn linked_folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pth"))
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .flat_map(|text| {
            let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("import"));
            lines.map(|line| folder.join(line)).collect::<Vec<_>>()
        })
        .filter(|linked| linked.is_dir() && linked != folder)
        .collect()
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn normal(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

/// The version of the plugin that belongs to a distribution's version; `None` where it can't be
/// told.
fn plugin_version(version: &str) -> Option<String> {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let release_end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let release = version[..release_end].trim_end_matches('.');
    let mut rest = &version[release.len()..];
    let mut segments: Vec<&str> = release.split('.').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return None;
    }
    while segments.len() < 3 {
        segments.push("0");
    }
    let mut result = segments.join(".");
    for (mark, word) in [("a", "-alpha."), ("b", "-beta."), ("rc", "-rc.")] {
        if let Some(after) = rest.strip_prefix(mark) {
            let (number, after) = after.split_at(digits(after));
            result.push_str(word);
            result.push_str(number);
            rest = after;
            break;
        }
    }
    for mark in ["post", "dev"] {
        if let Some(after) = rest.strip_prefix('.').and_then(|rest| rest.strip_prefix(mark)) {
            let (number, after) = after.split_at(digits(after));
            if !result.contains('+') {
                result.push('+');
            }
            result.push_str(mark);
            result.push_str(number);
            rest = after;
        }
    }
    rest.is_empty().then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_versions_become_semantic_ones() {
        for (python, semantic) in [
            ("4.16.7", Some("4.16.7")),
            ("1.0", Some("1.0.0")),
            ("1.2.3a4", Some("1.2.3-alpha.4")),
            ("1.2.3b4", Some("1.2.3-beta.4")),
            ("1.2.3rc4", Some("1.2.3-rc.4")),
            ("1.2.3.post4", Some("1.2.3+post4")),
            ("1.2.3.post4.dev5", Some("1.2.3+post4dev5")),
            ("1!2.0", None),
            ("1.2.3+local", None),
            ("", None),
        ] {
            assert_eq!(plugin_version(python).as_deref(), semantic, "{python}");
        }
    }

    #[test]
    fn distributions_count_by_file_or_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("pulumi_random-4.16.7.dist-info/METADATA", "");
        write("pulumi_random/pulumi-plugin.json", r#"{"resource":true,"name":"random","version":"4.16.7"}"#);
        write("pulumi_old-1.0.dist-info/METADATA", "");
        write("acme-2.0.0.dist-info/METADATA", "");
        write("acme/pulumi-plugin.json", r#"{"resource":true,"server":"https://acme.example"}"#);
        write("pulumi_policy-1.0.0.dist-info/METADATA", "");
        write("pulumi_lib-1.0.0.dist-info/METADATA", "");
        write("pulumi_lib/pulumi-plugin.json", r#"{"resource":false}"#);
        write("requests-2.0.0.dist-info/METADATA", "");
        write(
            "elsewhere/edited/pulumi-plugin.json",
            r#"{"resource":true,"name":"edited","version":"0.1.0"}"#,
        );
        write("edited.pth", "elsewhere\n");
        let mut acme = PackageDescriptor::new("acme", "2.0.0");
        acme.download_url = "https://acme.example".to_owned();
        assert_eq!(
            find(&[folder.path().to_owned()]),
            [
                acme,
                PackageDescriptor::new("edited", "0.1.0"),
                PackageDescriptor::new("old", "1.0.0"),
                PackageDescriptor::new("random", "4.16.7")
            ]
        );
    }
}
