//! What the outer world says about plugins.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use purlin_diag::Diagnostic;
use regex_lite::Regex;
use semver::Version;

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PluginKind {
    /// Manages resources.
    Resource,
    /// Runs programs of a language.
    Language,
    /// Checks policies.
    Analyzer,
    /// Converts other tools' projects.
    Converter,
    /// A tool of its own.
    Tool,
}

impl PluginKind {
    /// The word in names of files and folders.
    pub fn as_str(self) -> &'static str {
        match self {
            PluginKind::Resource => "resource",
            PluginKind::Language => "language",
            PluginKind::Analyzer => "analyzer",
            PluginKind::Converter => "converter",
            PluginKind::Tool => "tool",
        }
    }

    /// The kind of a word in names of files and folders.
    pub fn parse(word: &str) -> Option<PluginKind> {
        [
            PluginKind::Resource,
            PluginKind::Language,
            PluginKind::Analyzer,
            PluginKind::Converter,
            PluginKind::Tool,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// A plugin that the project file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectPlugin {
    /// What it is for.
    pub kind: PluginKind,
    /// Its name.
    pub name: String,
    /// The version that it stands for; `None` for any.
    pub version: Option<String>,
    /// The folder that holds it.
    pub path: PathBuf,
}

/// A rule that sends downloads elsewhere.
#[derive(Clone, Debug)]
pub struct UrlOverride {
    pattern: Regex,
    url: String,
}

impl UrlOverride {
    /// Reads rules written as `regexp=URL,regexp=URL`, the form of
    /// `PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES`.
    pub fn parse_list(text: &str) -> Result<Vec<UrlOverride>, Diagnostic> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let bad = |what: String| {
            Diagnostic::error("plugin-url-override", format!("the download URL overrides {text:?}: {what}"))
                .with_hint("write them as regexp=URL,regexp=URL")
        };
        text.split(',')
            .map(|pair| match pair.split('=').collect::<Vec<_>>()[..] {
                [pattern, url] if !pattern.is_empty() && !url.is_empty() => Ok(UrlOverride {
                    pattern: Regex::new(pattern).map_err(|e| bad(e.to_string()))?,
                    url: url.to_owned(),
                }),
                _ => Err(bad(format!("{pair:?} is not of the form regexp=URL"))),
            })
            .collect()
    }

    /// The URL that takes the place of another, if the rule matches it. `$1` and `${name}` in the
    /// new URL stand for what the groups of the pattern matched.
    pub fn apply(&self, url: &str) -> Option<String> {
        let found = self.pattern.captures(url)?;
        let mut result = self.url.clone();
        for (index, name) in self.pattern.capture_names().enumerate() {
            let text = found.get(index).map_or("", |m| m.as_str());
            result = result.replace(&format!("${index}"), text);
            if let (Some(name), true) = (name, index > 0) {
                result = result.replace(&format!("${{{name}}}"), text);
            }
        }
        Some(result)
    }
}

/// Where the usual downloads are.
#[derive(Clone, Debug)]
pub struct DownloadEndpoints {
    /// Where releases of public repositories are.
    pub github: String,
    /// The API of GitHub in the place of `https://<host>`; empty for that of the host itself.
    pub github_api: String,
    /// The folder of the fallback.
    pub releases: String,
}

impl Default for DownloadEndpoints {
    fn default() -> Self {
        DownloadEndpoints {
            github: "https://github.com".into(),
            github_api: String::new(),
            releases: "https://get.pulumi.com/releases/plugins".into(),
        }
    }
}

/// What the outer world says about plugins: places, the environment, switches and addresses.
#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// The folders of the search path.
    pub path: Vec<PathBuf>,
    /// The folder that holds `plugins` (`PULUMI_HOME`).
    pub home: PathBuf,
    /// The folder of the executable, links resolved.
    pub exe_dir: Option<PathBuf>,
    /// The plugins that the project names, in order.
    pub project_plugins: Vec<ProjectPlugin>,
    /// Whether the search path is left out (`PULUMI_IGNORE_AMBIENT_PLUGINS`).
    pub ignore_ambient: bool,
    /// Whether a newer version in the cache may serve (`PULUMI_ENABLE_LEGACY_PLUGIN_SEARCH`).
    pub legacy_search: bool,
    /// Whether nothing is downloaded (`PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION`).
    pub disable_acquisition: bool,
    /// Rules that send downloads elsewhere (`PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES`).
    pub download_overrides: Vec<UrlOverride>,
    /// Where the usual downloads are.
    pub endpoints: DownloadEndpoints,
    /// The token for GitHub (`GITHUB_TOKEN`).
    pub github_token: Option<String>,
    /// The token for GitLab (`GITLAB_TOKEN`).
    pub gitlab_token: Option<String>,
    /// What downloads call themselves.
    pub user_agent: String,

    /// The environment that plugins inherit, whole.
    pub env: Vec<(OsString, OsString)>,
    /// The folder of the program; plugins run here.
    pub program_dir: PathBuf,
    /// The project's name; empty for none.
    pub project: String,
    /// The options of the project's runtime, as text.
    pub runtime_options: BTreeMap<String, String>,
    /// Configuration by `namespace:key`, secrets decrypted.
    pub config: BTreeMap<String, String>,
    /// Where the engine service listens, as `host:port`.
    pub engine_address: String,
    /// Where the schema loader listens; empty for none.
    pub loader_address: String,
    /// Where the mapper listens; empty for none.
    pub mapper_address: String,

    /// Providers that already run, with their ports (`PULUMI_DEBUG_PROVIDERS`).
    pub debug_providers: BTreeMap<String, u16>,
    /// How many calls of one process may be under way at once.
    pub max_calls: usize,
    /// Packages whose processes get one call at a time.
    pub serialised: BTreeSet<String>,
    /// Whether providers are left out of previews (`PULUMI_DISABLE_PROVIDER_PREVIEW`).
    pub disable_provider_preview: bool,
    /// Whether previews with an unconfigured provider answer with the inputs
    /// (`PULUMI_LEGACY_PROVIDER_PREVIEW`).
    pub legacy_provider_preview: bool,
    /// Whether providers may not ask to be read before updates
    /// (`PULUMI_DISABLE_REFRESH_BEFORE_UPDATE`).
    pub disable_refresh_before_update: bool,
    /// Whether warnings about versions are left out (`PULUMI_DEV`).
    pub dev: bool,
}

impl PluginSettings {
    /// Settings with nothing switched on, nothing on the search path and an empty environment.
    pub fn new(home: impl Into<PathBuf>, program_dir: impl Into<PathBuf>) -> Self {
        PluginSettings {
            path: Vec::new(),
            home: home.into(),
            exe_dir: None,
            project_plugins: Vec::new(),
            ignore_ambient: false,
            legacy_search: false,
            disable_acquisition: false,
            download_overrides: Vec::new(),
            endpoints: DownloadEndpoints::default(),
            github_token: None,
            gitlab_token: None,
            user_agent: "purlin".into(),
            env: Vec::new(),
            program_dir: program_dir.into(),
            project: String::new(),
            runtime_options: BTreeMap::new(),
            config: BTreeMap::new(),
            engine_address: String::new(),
            loader_address: String::new(),
            mapper_address: String::new(),
            debug_providers: BTreeMap::new(),
            max_calls: 256,
            serialised: BTreeSet::new(),
            disable_provider_preview: false,
            legacy_provider_preview: false,
            disable_refresh_before_update: false,
            dev: false,
        }
    }

    /// Reads the list of `PULUMI_DEBUG_PROVIDERS`: `name:port,name:port`.
    pub fn parse_debug_providers(text: &str) -> Result<BTreeMap<String, u16>, Diagnostic> {
        text.split(',')
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let parsed = entry.split_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?)));
                parsed.map(|(name, port)| (name.to_owned(), port)).ok_or_else(|| {
                    Diagnostic::error(
                        "plugin-debug-port",
                        format!("{entry:?} doesn't name a provider and a port"),
                    )
                    .with_hint("write PULUMI_DEBUG_PROVIDERS as name:port,name:port")
                })
            })
            .collect()
    }

    /// The value of a variable in the environment of plugins.
    pub fn env_var(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.to_str())
    }
}

/// Reads a version with the tolerance of the ecosystem: a leading `v`, missing parts and leading
/// zeros are fine.
pub fn parse_version(text: &str) -> Option<Version> {
    let text = text.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    if let Ok(version) = Version::parse(text) {
        return Some(version);
    }
    let split = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(split);
    let mut parts: Vec<String> =
        numbers.split('.').map(|p| p.parse::<u64>().ok().map(|n| n.to_string())).collect::<Option<_>>()?;
    if parts.len() > 3 || (parts.len() < 3 && !rest.is_empty()) {
        return None;
    }
    parts.resize(3, "0".into());
    Version::parse(&format!("{}{rest}", parts.join("."))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_tolerance() {
        for (text, version) in
            [("1.2.3", "1.2.3"), ("v1.2", "1.2.0"), ("2", "2.0.0"), ("v01.2.3-rc.1", "1.2.3-rc.1")]
        {
            assert_eq!(parse_version(text).unwrap().to_string(), version, "{text}");
        }
        for text in ["", "x", "1.2.3.4", "1.2-rc"] {
            assert_eq!(parse_version(text), None, "{text}");
        }
    }

    #[test]
    fn overrides_fill_in_what_the_pattern_matched() {
        let rules =
            UrlOverride::parse_list("^https://old/(?P<org>\\w+)$=https://new/${org}/$1,github=http://x")
                .unwrap();
        assert_eq!(rules[0].apply("https://old/acme").unwrap(), "https://new/acme/acme");
        assert_eq!(rules[0].apply("https://other/acme"), None);
        assert_eq!(rules[1].apply("github://api.github.com/pulumi").unwrap(), "http://x");
        for text in ["a", "a=b=c", "=b", "(=b"] {
            assert_eq!(UrlOverride::parse_list(text).unwrap_err().code, "plugin-url-override", "{text}");
        }
    }

    #[test]
    fn debug_providers_are_names_with_ports() {
        let parsed = PluginSettings::parse_debug_providers("aws:12345,gcp:678").unwrap();
        assert_eq!(parsed, BTreeMap::from([("aws".into(), 12345), ("gcp".into(), 678)]));
        assert!(PluginSettings::parse_debug_providers("aws:port").is_err());
    }
}
