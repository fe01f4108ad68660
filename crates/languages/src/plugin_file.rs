//! What packages say about the plugin that serves them: `pulumi-plugin.json`, or the `pulumi` part
//! of a `package.json`.

use std::collections::BTreeMap;

use base64::Engine as _;
use purlin_model::PackageDescriptor;
use purlin_model::package::Parameterization;
use serde::Deserialize;

/// The file's content.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PluginFile {
    #[serde(default)]
    pub(crate) resource: bool,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) server: String,
    pub(crate) parameterization: Option<FileParameterization>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FileParameterization {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    value: String,
}

impl PluginFile {
    /// Reads the JSON text; `None` if it makes no sense.
    pub(crate) fn parse(text: &str) -> Option<PluginFile> {
        serde_json::from_str(text).ok()
    }

    /// The package, with a name and a version for where the file has none.
    pub(crate) fn into_package(self, name: &str, version: &str) -> PackageDescriptor {
        let pick = |own: String, other: &str| if own.is_empty() { other.to_owned() } else { own };
        let version = pick(self.version, version);
        PackageDescriptor {
            name: pick(self.name, name),
            version: version.strip_prefix('v').unwrap_or(&version).to_owned(),
            download_url: self.server,
            checksums: BTreeMap::new(),
            parameterization: self.parameterization.map(|p| Parameterization {
                name: p.name,
                version: p.version,
                value: base64::engine::general_purpose::STANDARD.decode(p.value).unwrap_or_default(),
            }),
            ..PackageDescriptor::default()
        }
    }
}

/// Sorts packages and drops repetitions.
pub(crate) fn tidy(mut packages: Vec<PackageDescriptor>) -> Vec<PackageDescriptor> {
    packages.sort();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_name_and_version_win_and_parameters_are_decoded() {
        let file = PluginFile::parse(
            r#"{"resource":true,"name":"terraform-provider","version":"v0.9.0","server":"https://x",
                "parameterization":{"name":"hetzner","version":"1.2.3","value":"eyJ9"}}"#,
        )
        .unwrap();
        let package = file.into_package("other", "1.0.0");
        assert_eq!((package.name.as_str(), package.version.as_str()), ("terraform-provider", "0.9.0"));
        assert_eq!(package.package(), "hetzner");
        assert_eq!(package.parameterization.unwrap().value, b"{\"}");
        let bare = PluginFile::parse(r#"{"resource":true}"#).unwrap().into_package("random", "v4.1.0");
        assert_eq!(bare, PackageDescriptor::new("random", "4.1.0"));
    }
}
