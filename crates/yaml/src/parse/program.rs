//! The sections of a program.

use purlin_project::yaml::Node;

use super::Parser;
use super::record::Unknown;
use crate::program::YamlProgram;
use crate::syntax::{ConfigDecl, OutputDecl, Text, VariableDecl};

const SECTIONS: &[&str] = &[
    "name",
    "description",
    "namespace",
    "pulumi",
    "config",
    "configuration",
    "variables",
    "resources",
    "outputs",
    "components",
];

/// The other keys of the project file that a program may be in.
const PROJECT_KEYS: &[&str] = &[
    "runtime",
    "main",
    "author",
    "website",
    "license",
    "stackConfigDir",
    "backend",
    "options",
    "template",
    "packages",
    "plugins",
    "requiredPulumiVersion",
];

impl Parser {
    pub(super) fn program(&mut self, root: &Node) -> Option<YamlProgram> {
        let mut program = YamlProgram::default();
        self.mistyped_sections(root);
        let sections = self.record(root, "the program", SECTIONS, Unknown::Ignore);
        for (section, entry) in sections {
            let node = &entry.value;
            match section {
                "name" => program.name = node.as_str().map(str::to_owned),
                "pulumi" => {
                    for (_, entry) in self.record(node, "pulumi", &["requiredVersion"], Unknown::Warn) {
                        program.required_version = Some(self.expr(&entry.value));
                    }
                }
                "config" | "configuration" => {
                    if section == "configuration" {
                        let hint = "rename the section to config";
                        self.warning(
                            "yaml-deprecated",
                            &entry.key.location,
                            "configuration is deprecated",
                            hint,
                        );
                    }
                    self.config(node, &mut program.config);
                }
                "variables" => {
                    for (key, node) in self.mapping(node, "variables") {
                        program.variables.push(VariableDecl { key, value: self.expr(node) });
                    }
                }
                "resources" => {
                    let resources = self.mapping(node, "resources");
                    program.resources.reserve_exact(resources.len());
                    for (key, node) in resources {
                        if key.value.is_empty() {
                            let hint = "the key is the resource's name, which its identity is made of";
                            let message = "a resource's name can't be empty";
                            self.error_with_hint("yaml-empty-name", &key.at, message, hint);
                        }
                        program.resources.extend(self.resource(key, node));
                    }
                }
                "outputs" => {
                    for (key, node) in self.mapping(node, "outputs") {
                        program.outputs.push(OutputDecl { key, value: self.expr(node) });
                    }
                }
                "components" if !node.is_null() => {
                    let message = "components can't be defined in a program";
                    let hint = "move them to a plugin of their own (a folder with PulumiPlugin.yaml) and \
                                use it as a package";
                    self.error_with_hint("yaml-components", &entry.key.location, message, hint);
                }
                "namespace" if !node.is_null() => {
                    let message = "a program can't have a namespace";
                    let hint = "namespaces are for plugins (PulumiPlugin.yaml)";
                    self.error_with_hint("yaml-namespace", &entry.key.location, message, hint);
                }
                _ => {}
            }
        }
        program.invokes = std::mem::take(&mut self.invokes);
        program.stacks = std::mem::take(&mut self.stacks);
        Some(program)
    }

    /// Keys that stand for nothing are somebody else's affair, unless they look like a section: a
    /// program without its resources deletes them all.
    fn mistyped_sections(&mut self, root: &Node) {
        for entry in root.entries().into_iter().flatten() {
            let Some(name) = entry.name() else { continue };
            let known = |key: &&str| key.eq_ignore_ascii_case(name);
            if SECTIONS.iter().chain(PROJECT_KEYS).any(known) {
                continue;
            }
            if let Some(nearest) = purlin_project::nearest(name, SECTIONS.iter().copied()) {
                let message = format!("unknown key \"{name}\" in the program");
                let hint = format!("did you mean \"{nearest}\"?");
                self.warning("yaml-unknown-key", &entry.key.location, message, hint);
            }
        }
    }

    fn config(&mut self, node: &Node, declared: &mut Vec<ConfigDecl>) {
        // As a text the section is the old name of another setting.
        if node.scalar().is_some() {
            return;
        }
        const KEYS: &[&str] = &["type", "name", "secret", "default", "value", "items", "description"];
        for (key, node) in self.mapping(node, "config") {
            if declared.iter().any(|other| other.key.value == key.value) {
                continue;
            }
            let mut decl = ConfigDecl { key, name: None, ty: None, items: None, default: None, secret: None };
            if node.entries().is_some() {
                let what = format!("the configuration value \"{}\"", decl.key.value);
                for (field, entry) in self.record(node, &what, KEYS, Unknown::Warn) {
                    match field {
                        "type" => decl.ty = self.config_type(&entry.value, &what),
                        "name" => decl.name = self.literal(&entry.value, "name"),
                        "secret" => decl.secret = self.flag(&entry.value, "secret"),
                        "items" => {
                            decl.items = entry.value.get("type").and_then(|ty| self.config_type(ty, &what));
                        }
                        "default" | "value" => decl.default = Some(self.expr(&entry.value)),
                        _ => {}
                    }
                }
            } else if !node.is_null() {
                decl.default = Some(self.expr(node));
            }
            declared.push(decl);
        }
    }

    fn config_type(&mut self, node: &Node, what: &str) -> Option<Text> {
        let ty = self.literal(node, &format!("the type of {what}"))?;
        if crate::run::ConfigType::parse(&ty.value).is_none() {
            let message = format!("\"{}\" is not a type of configuration values", ty.value);
            let hint = "the types are string, integer, number, boolean, object, array and List<type>";
            self.error_with_hint("yaml-config-type", &ty.at, message, hint);
            return None;
        }
        Some(ty)
    }
}
