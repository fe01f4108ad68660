//! Packages and plugins that a manifest names.

use indexmap::IndexMap;

use super::check::{Checker, Null};
use crate::value::{Object, Value};
use crate::yaml::Node;

/// A package that a project depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageSpec {
    /// A name, `organization/name`, URL or path.
    pub source: String,
    /// The version: a semantic version or a git hash.
    pub version: Option<String>,
    /// Arguments of a parameterized provider.
    pub parameters: Vec<String>,
    /// The server to download the provider from.
    pub plugin_download_url: Option<String>,
    /// Checksums in base64 by `<os>-<architecture>`.
    pub checksums: IndexMap<String, String>,
    /// Arguments that extend the base provider.
    pub extensions: Vec<String>,
    /// Whether the file has it in the long form, which is kept when it is written back.
    pub long_form: bool,
}

impl PackageSpec {
    /// Reads `source[@version]`.
    pub fn parse(text: &str) -> PackageSpec {
        let (source, version) = match text.split_once('@') {
            Some((source, version)) => (source, Some(version).filter(|version| !version.is_empty())),
            None => (text, None),
        };
        PackageSpec { source: source.to_owned(), version: version.map(str::to_owned), ..Default::default() }
    }

    /// The value that stands for it in a manifest.
    pub fn to_value(&self) -> Value {
        let short = !self.long_form
            && self.parameters.is_empty()
            && self.plugin_download_url.is_none()
            && self.checksums.is_empty()
            && self.extensions.is_empty();
        if short {
            return Value::String(match &self.version {
                Some(version) => format!("{}@{version}", self.source),
                None => self.source.clone(),
            });
        }
        let mut fields = Object::from([("source".to_owned(), Value::from(self.source.as_str()))]);
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        add("version", self.version.clone().map(Value::String));
        add("parameters", list(&self.parameters));
        let checksums = self.checksums.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str())));
        add("checksums", (!self.checksums.is_empty()).then(|| Value::Object(checksums.collect())));
        add("pluginDownloadURL", self.plugin_download_url.clone().map(Value::String));
        add("extensions", list(&self.extensions));
        Value::Object(fields)
    }
}

fn list(texts: &[String]) -> Option<Value> {
    let items = texts.iter().map(|text| Value::from(text.as_str())).collect();
    (!texts.is_empty()).then_some(Value::Array(items))
}

/// A plugin at a path of the machine, used instead of an installed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginOverride {
    /// The plugin's name.
    pub name: String,
    /// Its directory, relative to the manifest.
    pub path: String,
    /// Only requests for this version are answered; without it, all are.
    pub version: Option<String>,
}

/// The plugins that a manifest overrides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginOverrides {
    /// Resource providers.
    pub providers: Vec<PluginOverride>,
    /// Language hosts.
    pub languages: Vec<PluginOverride>,
    /// Policy analyzers.
    pub analyzers: Vec<PluginOverride>,
}

pub(super) fn read_packages(check: &mut Checker, node: Option<&Node>) -> IndexMap<String, PackageSpec> {
    let mut packages = IndexMap::new();
    let Some(node) = check.mapping("/packages", node, Null::Refused) else { return packages };
    for entry in node.entries().unwrap_or_default() {
        let name = entry.name().unwrap_or_default();
        let path = format!("/packages/{name}");
        if let Some(text) = entry.value.as_str() {
            packages.insert(name.to_owned(), PackageSpec::parse(text));
        } else if entry.value.entries().is_some() {
            packages.insert(name.to_owned(), read_package(check, &path, &entry.value));
        } else {
            let message = format!("expected string or object, but got {}", entry.value.kind());
            check.at(&path, entry.value.span(), message);
        }
    }
    packages
}

fn read_package(check: &mut Checker, path: &str, node: &Node) -> PackageSpec {
    const KEYS: [&str; 6] =
        ["source", "version", "parameters", "pluginDownloadURL", "checksums", "extensions"];
    check.only_keys(path, node, &KEYS);
    check.required_keys(path, node, &["source"]);
    let field = |name: &str| (format!("{path}/{name}"), node.get(name));
    let mut text = |name: &str| {
        let (path, node) = field(name);
        check.string(&path, node, Null::Refused)
    };
    let source = text("source").unwrap_or_default();
    let version = text("version").filter(|version| !version.is_empty());
    let plugin_download_url = text("pluginDownloadURL").filter(|url| !url.is_empty());
    let mut texts = |name: &str| {
        let (path, node) = field(name);
        check.strings(&path, node)
    };
    let (parameters, extensions) = (texts("parameters"), texts("extensions"));
    let (checksums_path, checksums) = field("checksums");
    let checksums = check.string_map(&checksums_path, checksums, Null::Refused);
    PackageSpec { source, version, parameters, plugin_download_url, checksums, extensions, long_form: true }
}

pub(super) fn read_plugins(check: &mut Checker, node: Option<&Node>) -> PluginOverrides {
    let Some(node) = check.mapping("/plugins", node, Null::Refused) else { return Default::default() };
    let mut read = |kind: &str| {
        let path = format!("/plugins/{kind}");
        let items = check.list(&path, node.get(kind)).iter().enumerate();
        items.filter_map(|(index, item)| read_plugin(check, &format!("{path}/{index}"), item)).collect()
    };
    PluginOverrides {
        providers: read("providers"),
        languages: read("languages"),
        analyzers: read("analyzers"),
    }
}

fn read_plugin(check: &mut Checker, path: &str, node: &Node) -> Option<PluginOverride> {
    let node = check.mapping(path, Some(node), Null::Refused)?;
    check.only_keys(path, node, &["name", "path", "version"]);
    check.required_keys(path, node, &["name", "path"]);
    let mut text = |name: &str| check.string(&format!("{path}/{name}"), node.get(name), Null::Refused);
    Some(PluginOverride {
        name: text("name").unwrap_or_default(),
        path: text("path").unwrap_or_default(),
        version: text("version"),
    })
}
