//! What a program or a state says about the plugin that serves a package.

use std::collections::BTreeMap;

/// The parameterization of a package: one plugin made to serve another package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parameterization {
    /// The name of the package that comes out.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What the plugin needs to know to serve it.
    pub value: Vec<u8>,
}

/// What a plugin is told so that it serves an extension of its package, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    /// What states call it by: made from the rest, so that equal extensions have equal references.
    pub reference: String,
    /// The name of the package that comes out.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What the plugin needs to know to serve it.
    pub value: Vec<u8>,
    /// Keys that a state has for it and this version doesn't know, with their values as JSON text.
    pub unknown_keys: Vec<(String, String)>,
}

/// A package and where the plugin that serves it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageDescriptor {
    /// The name of the plugin, such as `random`. Equal to the package's unless parameterized.
    pub name: String,
    /// The plugin's version without a leading `v`; empty for any.
    pub version: String,
    /// Where to download the plugin from; empty for the usual places.
    pub download_url: String,
    /// SHA-256 of the plugin's archive by `os-arch`.
    pub checksums: BTreeMap<String, Vec<u8>>,
    /// How the plugin is made to serve another package.
    pub parameterization: Option<Parameterization>,
    /// Environment variables that the plugin gets under other names: the value of the key, if there is
    /// one, under the name that it maps to.
    pub env_var_mappings: BTreeMap<String, String>,
}

impl PackageDescriptor {
    /// A package served by the plugin of its own name.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        PackageDescriptor { name: name.into(), version: version.into(), ..Default::default() }
    }

    /// The name of the package: that of the parameterization if there is one.
    pub fn package(&self) -> &str {
        self.parameterization.as_ref().map_or(&self.name, |p| &p.name)
    }

    /// The version of the package: that of the parameterization if there is one.
    pub fn package_version(&self) -> &str {
        self.parameterization.as_ref().map_or(&self.version, |p| &p.version)
    }
}
