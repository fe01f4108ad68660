//! Packages: versions of them, those made from plugins, extensions, stashes.

use std::fmt::Write;

use super::{Kind, Res, World};

/// The package of the engine's own resources: here a stash, which keeps its first value.
pub(super) const STASH: &str = "pulumi";
/// The package that is made from the plugin of another.
const MADE: &str = "w";

impl World {
    pub(super) fn package(&mut self, kind: Kind) -> &'static str {
        if self.themes.packages && kind == Kind::Custom {
            match self.choices.below(12) {
                0 => return STASH,
                1 | 2 => return MADE,
                _ => {}
            }
        }
        if self.choices.one_in(6) { "u" } else { "t" }
    }

    /// The version in which the state has a package.
    pub(super) fn version(&mut self, kind: Kind, package: &str, explicit: bool) -> &'static str {
        let free = self.themes.packages && kind == Kind::Custom && !explicit && matches!(package, "t" | "u");
        if package == MADE {
            "0.5.0"
        } else if free && self.choices.one_in(3) {
            "1.0.0"
        } else {
            ""
        }
    }

    /// The default providers of the state.
    pub(super) fn write_defaults(&mut self, text: &mut String) {
        let mut wanted = vec![("t", ""), ("u", "")];
        for res in
            self.all.iter().filter(|res| (res.in_state || self.themes.pendings) && res.kind == Kind::Custom)
        {
            if !wanted.contains(&(res.package, res.version)) {
                wanted.push((res.package, res.version));
            }
        }
        for (package, version) in wanted {
            let ty =
                if package == "t" { String::new() } else { format!(" @type=pulumi:providers:{package}") };
            let (made, plain) = match (package, version) {
                (MADE, _) => ("name: t, parameterization: \"YmxvYg==\", version: 1.0.0", true),
                (_, version) => ("", !version.is_empty()),
            };
            let inputs = match plain {
                true => {
                    format!(" in={{__internal: {{{made}}}, version: {version}}} out={{version: {version}}}")
                }
                false => String::new(),
            };
            Self::line(text, &format!("provider {}{inputs}{ty} @parent=none", default_name(version)));
        }
    }

    /// What the program says of a resource's package.
    pub(super) fn write_package(&mut self, res: &Res, line: &mut String) {
        let version = match res.version {
            // Now and then another version serves.
            "1.0.0" if self.choices.one_in(4) => "2.0.0",
            "" if self.themes.packages && free(res) && self.choices.one_in(8) => "1.0.0",
            version => version,
        };
        if !version.is_empty() {
            let _ = write!(line, " @version={version}");
        }
        if res.package == MADE {
            let value = if self.choices.one_in(12) { "data" } else { "blob" };
            let _ = write!(line, " @base=t@1.0.0/{value}");
        }
        if res.extends && res.package != STASH {
            let version = if self.choices.one_in(6) { "2.0.0" } else { "1.0.0" };
            let _ = write!(line, " @extends=more@{version}/blob");
        }
    }
}

/// Whether a resource may ask for any version.
fn free(res: &Res) -> bool {
    res.kind == Kind::Custom && res.provider.is_none() && matches!(res.package, "t" | "u")
}

fn default_name(version: &str) -> String {
    if version.is_empty() { "default".into() } else { format!("default_{}", version.replace('.', "_")) }
}

impl Res {
    /// The type of a resource, as options say it.
    pub(super) fn type_option(&self) -> String {
        let ty = match (self.kind, self.package) {
            (Kind::Component, _) if self.remote => "t:m:K",
            (Kind::Custom, STASH) => "pulumi:index:Stash",
            (Kind::Custom, "u") => "u:m:R",
            (Kind::Custom, MADE) => "w:m:R",
            (Kind::Provider, "u") => "pulumi:providers:u",
            _ => return String::new(),
        };
        format!(" @type={ty}")
    }

    /// The default provider of its old state.
    pub(super) fn default_provider(&self) -> String {
        format!("pulumi:providers:{}::{}", self.package, default_name(self.version))
    }
}
