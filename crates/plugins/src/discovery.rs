//! Where a plugin is.
//!
//! In this order: what the project names; the search path; the folder of the executable, for what
//! ships with it; the cache, where a version that is asked for means exactly that version.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;
use semver::Version;

use crate::settings::{PluginKind, PluginSettings, parse_version};

/// Languages whose hosts ship beside the executable.
const BUNDLED_LANGUAGES: [&str; 8] = ["nodejs", "bun", "go", "python", "dotnet", "yaml", "java", "pcl"];
/// Resource plugins that ship beside the executable.
const BUNDLED_RESOURCES: [&str; 2] = ["pulumi-nodejs", "pulumi-python"];

/// Which place a plugin was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The project names it.
    Project,
    /// The search path.
    Ambient,
    /// Beside the executable.
    Bundled,
    /// The cache.
    Cache,
}

/// A plugin that was found.
#[derive(Clone, Debug)]
pub struct Located {
    /// Where it was found.
    pub place: Place,
    /// The folder that holds it.
    pub folder: PathBuf,
    /// What to run.
    pub program: Program,
    /// What the user should know about how it was found.
    pub warnings: Vec<Diagnostic>,
}

/// What there is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// An executable.
    Executable(PathBuf),
    /// Source code that a language host runs; the file describes it.
    Source(PathBuf),
}

/// A plugin that is looked for.
#[derive(Clone, Debug)]
pub struct PluginQuery {
    /// What it is for.
    pub kind: PluginKind,
    /// Its name.
    pub name: String,
    /// Its version; `None` for any.
    pub version: Option<Version>,
}

impl PluginQuery {
    /// A query; an empty version means any.
    pub fn new(kind: PluginKind, name: &str, version: &str) -> Result<PluginQuery, Diagnostic> {
        if !is_plugin_name(name) {
            return Err(Diagnostic::error(
                "plugin-name-invalid",
                format!("{name:?} can't be the name of a plugin"),
            )
            .with_hint("names are made of letters, digits, hyphens, underscores and dots"));
        }
        let version = match version {
            "" => None,
            text => Some(parse_version(text).ok_or_else(|| {
                Diagnostic::error(
                    "plugin-version-invalid",
                    format!(
                        "{text:?}, asked for as the version of the {} plugin {name}, is no version",
                        kind.as_str()
                    ),
                )
                .with_hint("versions look like 1.2.3")
            })?),
        };
        Ok(PluginQuery { kind, name: name.to_owned(), version })
    }

    /// The name of the executable.
    pub fn file_name(&self) -> String {
        format!("pulumi-{}-{}", self.kind.as_str(), self.name)
    }

    /// What messages call it.
    pub fn describe(&self) -> String {
        match &self.version {
            Some(version) => format!("{} plugin {} version {version}", self.kind.as_str(), self.name),
            None => format!("{} plugin {}", self.kind.as_str(), self.name),
        }
    }

    /// The name of its folder in the cache, if it has a version.
    pub fn cache_name(&self) -> Option<String> {
        self.version.as_ref().map(|v| format!("{}-{}-v{v}", self.kind.as_str(), self.name))
    }
}

/// Whether a text can be the name of a plugin. What can't never becomes part of a path.
pub fn is_plugin_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// The folder of the cache.
pub fn cache_folder(settings: &PluginSettings) -> PathBuf {
    settings.home.join("plugins")
}

/// Looks for a plugin. `None` if it is nowhere.
pub fn find(query: &PluginQuery, settings: &PluginSettings) -> Result<Option<Located>, Diagnostic> {
    let mut warnings = Vec::new();
    if let Some(located) = in_project(query, settings, &mut warnings)? {
        return Ok(Some(Located { warnings, ..located }));
    }
    if let Some(located) = ambient_or_bundled(query, settings, &mut warnings) {
        return Ok(Some(Located { warnings, ..located }));
    }
    let Some(folder) = in_cache(query, settings) else { return Ok(None) };
    let program = program_in(&folder, query)
        .ok_or_else(|| broken(query, &folder, "remove the folder to have it installed again"))?;
    Ok(Some(Located { place: Place::Cache, folder, program, warnings }))
}

fn broken(query: &PluginQuery, folder: &Path, hint: &str) -> Diagnostic {
    Diagnostic::error(
        "plugin-broken",
        format!(
            "the {} in {} has neither an executable {} nor a PulumiPlugin.yaml",
            query.describe(),
            folder.display(),
            query.file_name()
        ),
    )
    .with_hint(hint)
}

/// What there is to run in the folder of a plugin.
pub fn program_in(folder: &Path, query: &PluginQuery) -> Option<Program> {
    let executable = folder.join(query.file_name());
    if executable.is_file() {
        return Some(Program::Executable(executable));
    }
    let description = match query.kind {
        PluginKind::Resource | PluginKind::Converter | PluginKind::Tool => "PulumiPlugin.yaml",
        PluginKind::Analyzer => "PulumiPolicy.yaml",
        PluginKind::Language => return None,
    };
    let description = folder.join(description);
    description.is_file().then_some(Program::Source(description))
}

fn in_project(
    query: &PluginQuery,
    settings: &PluginSettings,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Option<Located>, Diagnostic> {
    for plugin in settings.project_plugins.iter().filter(|p| p.kind == query.kind && p.name == query.name) {
        let listed = plugin.version.as_deref().and_then(parse_version);
        if let (Some(listed), Some(wanted)) = (&listed, &query.version)
            && listed.cmp_precedence(wanted).is_ne()
        {
            warnings.push(Diagnostic::warning(
                "plugin-project-version",
                format!(
                    "the project's plugin {} stands for version {listed}, but version {wanted} is asked for; \
                     it is passed over",
                    query.name
                ),
            ));
            continue;
        }
        let folder = plugin.path.clone();
        let program = program_in(&folder, query)
            .ok_or_else(|| broken(query, &folder, "correct its path under `plugins` in the project file"))?;
        return Ok(Some(Located { place: Place::Project, folder, program, warnings: Vec::new() }));
    }
    Ok(None)
}

fn ambient_or_bundled(
    query: &PluginQuery,
    settings: &PluginSettings,
    warnings: &mut Vec<Diagnostic>,
) -> Option<Located> {
    let file = query.file_name();
    let ships = match query.kind {
        PluginKind::Language => BUNDLED_LANGUAGES.contains(&&*query.name),
        PluginKind::Resource => BUNDLED_RESOURCES.contains(&&*query.name),
        _ => false,
    };
    let bundled =
        settings.exe_dir.as_ref().filter(|_| ships).map(|d| d.join(&file)).filter(|p| is_executable(p));
    let ambient = if settings.ignore_ambient {
        None
    } else {
        settings.path.iter().map(|folder| folder.join(&file)).find(|p| is_executable(p))
    };
    let (place, path) = match (ambient, bundled) {
        (Some(ambient), bundled) => {
            let same = |path: &Path| bundled.as_deref() == Some(path);
            if !same(&ambient) && !fs::canonicalize(&ambient).is_ok_and(|p| same(&p)) {
                let expected = bundled.map(|p| format!(" instead of {}", p.display())).unwrap_or_default();
                warnings.push(
                    Diagnostic::warning(
                        "plugin-ambient",
                        format!("using {file} from the search path at {}{expected}", ambient.display()),
                    )
                    .with_hint("set PULUMI_IGNORE_AMBIENT_PLUGINS=true to leave the search path out"),
                );
            }
            (Place::Ambient, ambient)
        }
        (None, Some(bundled)) => (Place::Bundled, bundled),
        (None, None) => return None,
    };
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Some(Located { place, folder, program: Program::Executable(path), warnings: Vec::new() })
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|info| info.is_file() && info.permissions().mode() & 0o111 != 0)
}

/// A plugin in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedPlugin {
    /// What it is for.
    pub kind: PluginKind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Its folder.
    pub folder: PathBuf,
}

/// All plugins in the cache, ordered by kind, name and version. Unfinished ones are left out.
pub fn cached(settings: &PluginSettings) -> Vec<CachedPlugin> {
    let Ok(entries) = fs::read_dir(cache_folder(settings)) else { return Vec::new() };
    let mut found: Vec<CachedPlugin> = entries
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let (kind, name, version) = parse_cache_name(folder.file_name()?.to_str()?)?;
            (folder.is_dir() && !sidecar(&folder, ".partial").exists()).then_some(CachedPlugin {
                kind,
                name,
                version,
                folder,
            })
        })
        .collect();
    found.sort_by(|a, b| {
        (a.kind, &a.name)
            .cmp(&(b.kind, &b.name))
            .then_with(|| a.version.cmp_precedence(&b.version))
            .then_with(|| a.folder.cmp(&b.folder))
    });
    found
}

/// The file beside a plugin's folder that has the folder's name and a suffix.
pub fn sidecar(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes `<kind>-<name>-v<version>` apart. The last `-v` that leaves a version counts, names being
/// greedy.
fn parse_cache_name(name: &str) -> Option<(PluginKind, String, Version)> {
    let temporary = name
        .rsplit_once(".tmp")
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    let (kind, rest) = name.split_once('-').filter(|_| !temporary)?;
    let (plugin, version) = rest.rsplit_once("-v")?;
    let kind = PluginKind::parse(kind)?;
    is_plugin_name(plugin).then_some(())?;
    Some((kind, plugin.to_owned(), parse_version(version)?))
}

fn in_cache(query: &PluginQuery, settings: &PluginSettings) -> Option<PathBuf> {
    if let (Some(name), false) = (query.cache_name(), settings.legacy_search) {
        let folder = cache_folder(settings).join(name);
        if folder.is_dir() {
            return (!sidecar(&folder, ".partial").exists()).then_some(folder);
        }
    }
    let mut candidates =
        cached(settings).into_iter().filter(|p| p.kind == query.kind && p.name == query.name);
    let best = match &query.version {
        Some(wanted) if !settings.legacy_search => {
            candidates.rfind(|p| p.version.cmp_precedence(wanted).is_eq())
        }
        wanted => candidates
            .filter(|p| wanted.as_ref().is_none_or(|wanted| p.version.cmp_precedence(wanted).is_ge()))
            .max_by(|a, b| {
                (a.version.pre.is_empty())
                    .cmp(&b.version.pre.is_empty())
                    .then_with(|| a.version.cmp_precedence(&b.version))
            }),
    };
    best.map(|p| p.folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(path: PathBuf) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    struct Places {
        dir: tempfile::TempDir,
        settings: PluginSettings,
    }

    impl Places {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let mut settings = PluginSettings::new(dir.path().join("home"), dir.path());
            settings.path = vec![dir.path().join("nothing"), dir.path().join("bin")];
            settings.exe_dir = Some(dir.path().join("exe"));
            Places { dir, settings }
        }

        fn cache(&self, name: &str, version: &str) {
            let folder = format!("home/plugins/resource-{name}-v{version}");
            make(self.dir.path().join(folder).join(format!("pulumi-resource-{name}")));
        }

        fn find(&self, name: &str, version: &str) -> Option<(Place, String)> {
            let query = PluginQuery::new(PluginKind::Resource, name, version).unwrap();
            find(&query, &self.settings).unwrap().map(|found| {
                let folder = found.folder.strip_prefix(self.dir.path()).unwrap().display().to_string();
                (found.place, folder)
            })
        }

        fn cached_version(&self, version: &str) -> Option<String> {
            self.find("random", version).map(|(place, folder)| {
                assert_eq!(place, Place::Cache);
                folder.trim_start_matches("home/plugins/resource-random-v").to_owned()
            })
        }
    }

    #[test]
    fn a_version_means_exactly_that_version() {
        let places = Places::new();
        for version in ["1.0.0", "2.0.0", "3.0.0-rc.1"] {
            places.cache("random", version);
        }
        assert_eq!(places.cached_version("1.0.0").unwrap(), "1.0.0");
        assert_eq!(places.cached_version("v1.0").unwrap(), "1.0.0");
        assert_eq!(places.cached_version("1.5.0"), None);
        assert_eq!(places.cached_version("3.0.0-rc.1").unwrap(), "3.0.0-rc.1");
        assert_eq!(places.cached_version("").unwrap(), "2.0.0", "stable before newer prereleases");
    }

    #[test]
    fn the_old_search_takes_newer_versions() {
        let mut places = Places::new();
        places.settings.legacy_search = true;
        for version in ["1.0.0", "2.0.0", "10.0.0"] {
            places.cache("random", version);
        }
        assert_eq!(places.cached_version("1.5.0").unwrap(), "10.0.0");
        assert_eq!(places.cached_version("11.0.0"), None);
    }

    #[test]
    fn unfinished_and_foreign_folders_do_not_count() {
        let places = Places::new();
        places.cache("random", "1.0.0");
        places.cache("random", "2.0.0");
        let plugins = places.dir.path().join("home/plugins");
        fs::write(plugins.join("resource-random-v2.0.0.partial"), "").unwrap();
        make(plugins.join("resource-random-v3.0.0.tmp123/pulumi-resource-random"));
        make(plugins.join("other-random-v4.0.0/pulumi-other-random"));
        assert_eq!(places.cached_version("").unwrap(), "1.0.0");
        assert_eq!(places.cached_version("2.0.0"), None);
        assert_eq!(cached(&places.settings).len(), 1);
    }

    #[test]
    fn project_then_search_path_then_executable_then_cache() {
        let mut places = Places::new();
        let at = |name: &str| places.dir.path().join(name);
        places.cache("pulumi-python", "1.0.0");
        assert_eq!(places.find("pulumi-python", "").unwrap().0, Place::Cache);
        make(at("exe/pulumi-resource-pulumi-python"));
        make(at("exe/pulumi-resource-random"));
        assert_eq!(places.find("pulumi-python", "").unwrap().0, Place::Bundled);
        assert_eq!(places.find("random", ""), None, "this one does not ship with the executable");
        make(at("bin/pulumi-resource-pulumi-python"));
        assert_eq!(places.find("pulumi-python", "9.9.9").unwrap().0, Place::Ambient, "whatever the version");
        make(at("mine/pulumi-resource-pulumi-python"));
        let plugin = |version: &str| super::super::ProjectPlugin {
            kind: PluginKind::Resource,
            name: "pulumi-python".into(),
            version: Some(version.into()),
            path: at("mine"),
        };
        places.settings.project_plugins = vec![plugin("1.0.0")];
        assert_eq!(places.find("pulumi-python", "1.0.0").unwrap(), (Place::Project, "mine".into()));
        assert_eq!(places.find("pulumi-python", "2.0.0").unwrap().0, Place::Ambient);
        places.settings.ignore_ambient = true;
        assert_eq!(places.find("pulumi-python", "2.0.0").unwrap().0, Place::Bundled);
    }

    #[test]
    fn names_can_not_leave_the_cache() {
        for name in ["", "..", "../x", "a/b", "a\0", ".a", "a b"] {
            assert!(PluginQuery::new(PluginKind::Resource, name, "").is_err(), "{name:?}");
        }
        assert!(PluginQuery::new(PluginKind::Resource, "a", "../1").is_err());
        assert!(PluginQuery::new(PluginKind::Resource, "azure-native_v2.x", "1.0.0").is_ok());
    }

    #[test]
    fn a_folder_without_a_program_is_an_error() {
        let places = Places::new();
        fs::create_dir_all(places.dir.path().join("home/plugins/resource-random-v1.0.0")).unwrap();
        let query = PluginQuery::new(PluginKind::Resource, "random", "1.0.0").unwrap();
        assert_eq!(find(&query, &places.settings).unwrap_err().code, "plugin-broken");
    }
}
