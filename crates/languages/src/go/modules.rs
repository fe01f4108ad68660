//! Finds the modules of a Go program that come with a plugin, mostly without asking Go.

use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;

use crate::plugin_file::{PluginFile, tidy};
use crate::process::{self, Invocation};
use crate::program::{self, upwards};
use crate::settings::HostSettings;

/// A module that a `go.mod` requires, replacements applied.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Module {
    path: String,
    version: String,
    /// Where it lies, if a replacement says so.
    folder: Option<PathBuf>,
}

/// The packages that the required modules of a program need plugins for.
pub(super) async fn find(
    directory: &Path,
    settings: &HostSettings,
) -> Result<Vec<PackageDescriptor>, Diagnostic> {
    let Some(home) = upwards(directory, |folder| folder.join("go.mod").is_file()) else {
        return Ok(Vec::new());
    };
    let Ok(text) = std::fs::read_to_string(home.join("go.mod")) else { return Ok(Vec::new()) };
    let modules = parse(&text, home);
    let vendor = Some(home.join("vendor")).filter(|vendor| vendor.is_dir());
    let cache = module_cache(settings);
    let mut packages = Vec::new();
    let mut absent = Vec::new();
    for module in &modules {
        let folder = match (&module.folder, &vendor, &cache) {
            (Some(folder), ..) => folder.clone(),
            (None, Some(vendor), _) => vendor.join(&module.path),
            (None, None, Some(cache)) => {
                cache.join(format!("{}@{}", escaped(&module.path), escaped(&module.version)))
            }
            (None, None, None) => continue,
        };
        if folder.is_dir() {
            packages.extend(package(&folder, &module.path, &module.version));
        } else if vendor.is_none() && module.path.contains("pulumi-") {
            absent.push(module);
        }
    }
    if !absent.is_empty() {
        packages.extend(download(&absent, home, settings).await?);
    }
    Ok(tidy(packages))
}

/// Has Go fetch modules that are not in its cache.
async fn download(
    modules: &[&Module],
    home: &Path,
    settings: &HostSettings,
) -> Result<Vec<PackageDescriptor>, Diagnostic> {
    #[derive(serde::Deserialize)]
    struct Fetched {
        #[serde(rename = "Path")]
        path: String,
        #[serde(rename = "Version")]
        version: String,
        #[serde(rename = "Dir", default)]
        folder: PathBuf,
    }
    let Some(go) = settings.find_tool("go") else { return Ok(Vec::new()) };
    let invocation = Invocation::new(go, home, settings.environment.clone())
        .args(["mod", "download", "-json"])
        .args(modules.iter().map(|module| format!("{}@{}", module.path, module.version)));
    let said =
        process::capture(&invocation).await.map_err(|error| program::not_started(&invocation, &error))?;
    let fetched = serde_json::Deserializer::from_str(&said.stdout).into_iter::<Fetched>();
    Ok(fetched.flatten().filter_map(|m| package(&m.folder, &m.path, &m.version)).collect())
}

/// The package that a module stands for, if it needs a plugin.
fn package(folder: &Path, path: &str, version: &str) -> Option<PackageDescriptor> {
    let text = plugin_text(folder)?;
    let file = PluginFile::parse(&text).filter(|file| file.resource)?;
    let fallback = path.split('/').nth(2).and_then(|part| part.split_once('-')).map_or("", |(_, name)| name);
    if file.name.is_empty() && fallback.is_empty() {
        return None;
    }
    let version = if file.version.is_empty() { released(version)? } else { String::new() };
    Some(file.into_package(fallback, &version))
}

/// The text of the `pulumi-plugin.json` of a module.
fn plugin_text(folder: &Path) -> Option<String> {
    let read = |folder: &Path| std::fs::read_to_string(folder.join("pulumi-plugin.json")).ok();
    let below = |folder: &Path| {
        let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect();
        folders.sort();
        folders.iter().find_map(|folder| read(folder))
    };
    let go = folder.join("go");
    read(folder).or_else(|| read(&go)).or_else(|| below(&go)).or_else(|| below(folder))
}

/// A module version as that of a release: a commit after a release counts as the release.
fn released(version: &str) -> Option<String> {
    let plain = version.strip_prefix('v').unwrap_or(version);
    let plain = plain.strip_suffix("+incompatible").unwrap_or(plain);
    let parsed = semver::Version::parse(plain).ok()?;
    if !is_pseudo(parsed.pre.as_str()) {
        return Some(plain.to_owned());
    }
    if (parsed.major, parsed.minor, parsed.patch) == (0, 0, 0) {
        return None;
    }
    Some(format!("{}.{}.{}", parsed.major, parsed.minor, parsed.patch.saturating_sub(1)))
}

/// Whether a prerelease is what Go makes of a commit: a time of 14 digits and 12 hex digits.
fn is_pseudo(prerelease: &str) -> bool {
    let Some((before, commit)) = prerelease.rsplit_once('-') else { return false };
    let time = before.rsplit(['.', '-']).next().unwrap_or_default();
    commit.len() == 12
        && commit.bytes().all(|b| b.is_ascii_hexdigit())
        && time.len() == 14
        && time.bytes().all(|b| b.is_ascii_digit())
}

/// Where Go keeps the modules that it has fetched.
fn module_cache(settings: &HostSettings) -> Option<PathBuf> {
    if let Some(folder) = settings.variable("GOMODCACHE") {
        return Some(PathBuf::from(folder));
    }
    let workspace = match settings.variable("GOPATH") {
        Some(list) => std::env::split_paths(list).next(),
        None => settings
            .variable("HOME")
            .or_else(|| settings.variable("USERPROFILE"))
            .map(|home| PathBuf::from(home).join("go")),
    };
    workspace.map(|folder| folder.join("pkg").join("mod"))
}

/// A module path or version as a folder name: capitals become `!` and the small letter.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut result, c| {
        if c.is_ascii_uppercase() {
            result.push('!');
        }
        result.push(c.to_ascii_lowercase());
        result
    })
}

/// Reads the required modules of a `go.mod`.
fn parse(text: &str, home: &Path) -> Vec<Module> {
    let mut modules = Vec::new();
    let mut replacements = Vec::<(String, Option<String>, Module)>::new();
    let mut block = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let mut words: Vec<&str> =
            line.split_whitespace().map(|word| word.trim_matches(['"', '`'])).collect();
        match words.as_slice() {
            [] => continue,
            [")"] => {
                block.clear();
                continue;
            }
            [verb, "("] => {
                (*verb).clone_into(&mut block);
                continue;
            }
            _ => {}
        }
        let verb = if block.is_empty() { words.remove(0).to_owned() } else { block.clone() };
        match (verb.as_str(), words.as_slice()) {
            ("require", [path, version, ..]) => {
                modules.push(Module {
                    path: (*path).to_owned(),
                    version: (*version).to_owned(),
                    folder: None,
                });
            }
            ("replace", words) => replacements.extend(replacement(words, home)),
            _ => {}
        }
    }
    for module in &mut modules {
        let found = replacements.iter().find(|(path, version, _)| {
            *path == module.path && version.as_ref().is_none_or(|version| *version == module.version)
        });
        if let Some((_, _, new)) = found {
            if new.folder.is_some() {
                module.folder.clone_from(&new.folder);
            } else {
                *module = new.clone();
            }
        }
    }
    modules
}

/// Reads `old [version] => new [version]`.
fn replacement(words: &[&str], home: &Path) -> Option<(String, Option<String>, Module)> {
    let arrow = words.iter().position(|word| *word == "=>")?;
    let (old, new) = (&words[..arrow], &words[arrow + 1..]);
    let version = old.get(1).map(|version| (*version).to_owned());
    let target = (*new.first()?).to_owned();
    let module = match new.get(1) {
        Some(version) => Module { path: target, version: (*version).to_owned(), folder: None },
        None => Module { folder: Some(home.join(&target)), path: target, version: String::new() },
    };
    Some(((*old.first()?).to_owned(), version, module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read_and_replaced() {
        let text = "module m\n\ngo 1.22\n\nrequire (\n\tgithub.com/A/b v1.0.0 // indirect\n\texample.com/c v2.0.0\n)\n\
                    require example.com/d v0.1.0\nreplace example.com/c => ../c\n\
                    replace (\n\texample.com/d v0.1.0 => example.com/e v0.2.0\n)\n";
        let module = |path: &str, version: &str, folder: Option<&str>| Module {
            path: path.to_owned(),
            version: version.to_owned(),
            folder: folder.map(PathBuf::from),
        };
        assert_eq!(
            parse(text, Path::new("/home")),
            [
                module("github.com/A/b", "v1.0.0", None),
                module("example.com/c", "v2.0.0", Some("/home/../c")),
                module("example.com/e", "v0.2.0", None)
            ]
        );
    }

    #[test]
    fn commits_count_as_the_release_before() {
        for (version, release) in [
            ("v1.29.1-0.20200403140640-efb5e2a48a86", Some("1.29.0")),
            ("v3.5.1+incompatible", Some("3.5.1")),
            ("v1.2.3-alpha.4", Some("1.2.3-alpha.4")),
            ("v0.0.0-20200403140640-efb5e2a48a86", None),
        ] {
            assert_eq!(released(version).as_deref(), release, "{version}");
        }
    }

    #[tokio::test]
    async fn plugins_are_found_in_the_module_cache() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let sdk = cache.join("github.com/pulumi/pulumi-random/sdk/v4@v4.16.7/go/random");
        std::fs::create_dir_all(&sdk).unwrap();
        std::fs::write(sdk.join("pulumi-plugin.json"), r#"{"resource":true}"#).unwrap();
        let big = cache.join("github.com/!acme/kit@v1.0.0");
        std::fs::create_dir_all(&big).unwrap();
        std::fs::write(big.join("pulumi-plugin.json"), r#"{"resource":true,"name":"kit","version":"9.0.0"}"#)
            .unwrap();
        let text = "module m\nrequire (\n\tgithub.com/pulumi/pulumi-random/sdk/v4 v4.16.7\n\tgithub.com/Acme/kit v1.0.0\n)\n";
        std::fs::write(folder.path().join("go.mod"), text).unwrap();
        let environment = [("GOMODCACHE".to_owned(), cache.to_string_lossy().into_owned())].into();
        let settings = HostSettings::new(environment, folder.path());
        assert_eq!(
            find(folder.path(), &settings).await.unwrap(),
            [PackageDescriptor::new("kit", "9.0.0"), PackageDescriptor::new("random", "4.16.7")]
        );
    }
}
