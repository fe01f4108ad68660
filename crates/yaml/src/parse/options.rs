//! Resource declarations and their options.

use std::sync::Arc;

use purlin_project::yaml::Node;

use super::record::{Unknown, article};
use super::{Parser, did_you_mean};
use crate::syntax::{ExprKind, Get, Properties, ResourceDecl, ResourceOptions, Text, Timeouts};

const RESOURCE: &[&str] =
    &["type", "name", "defaultProvider", "properties", "options", "get", "condition", "metadata"];

const OPTIONS: &[&str] = &[
    "additionalSecretOutputs",
    "aliases",
    "customTimeouts",
    "deleteBeforeReplace",
    "dependsOn",
    "ignoreChanges",
    "import",
    "parent",
    "protect",
    "provider",
    "providers",
    "version",
    "pluginDownloadURL",
    "replaceOnChanges",
    "retainOnDelete",
    "replaceWith",
    "deletedWith",
    "hideDiffs",
    "replacementTrigger",
    "envVarMappings",
];

impl Parser {
    pub(super) fn resource(&mut self, key: Text, node: &Node) -> Option<ResourceDecl> {
        let what = format!("the resource \"{}\"", key.value);
        self.unknown_keys(node, &what);
        let mut ty = None;
        let mut typed = false;
        let mut name = None;
        let mut default_provider = None;
        let mut properties = Properties::Absent;
        let mut options = Arc::clone(&self.no_options);
        let mut get = None;
        for (field, entry) in self.record(node, &what, RESOURCE, Unknown::Ignore) {
            let value = &entry.value;
            match field {
                "type" => {
                    typed = true;
                    ty = self.resource_type(value, &what);
                }
                "name" => name = self.literal(value, &format!("the name of {what}")),
                "defaultProvider" => default_provider = self.flag(value, "defaultProvider"),
                "properties" => properties = self.properties(value, &what),
                "options" => options = Arc::new(self.options(value)),
                "get" => get = self.get(value, &what),
                _ => {}
            }
        }
        if !typed && (node.entries().is_some() || node.is_null()) {
            let hint = "give it a type, such as type: random:RandomPet";
            self.error_with_hint("yaml-missing-type", &key.at, format!("{what} has no type"), hint);
        }
        let ty = ty?;
        if let Some(flag) = &default_provider
            && !ty.value.starts_with(purlin_model::urn::PROVIDER_TYPE_PREFIX)
        {
            let hint = "only a resource of a type pulumi:providers:<package> can be a default provider";
            let at = flag.at.clone();
            self.error_with_hint("yaml-default-provider", &at, format!("{what} is not a provider"), hint);
        }
        if get.is_some() && !matches!(properties, Properties::Absent) {
            let message = format!("{what} has both properties and get");
            let hint = "properties describe a resource that is managed here, get finds one that isn't";
            self.error_with_hint("yaml-get", &key.at, message, hint);
        }
        Some(ResourceDecl { key, ty, name, default_provider, properties, options, get })
    }

    fn resource_type(&mut self, node: &Node, what: &str) -> Option<Text> {
        let ty = self.literal(node, &format!("the type of {what}"))?;
        let parts = ty.value.split(':').count();
        if !(2..=3).contains(&parts) || ty.value.split(':').any(str::is_empty) {
            let message = format!("\"{}\" is not a resource type", ty.value);
            let hint = "types look like package:module:Type, or package:Type for the module index";
            self.error_with_hint("yaml-type", &ty.at, message, hint);
            return None;
        }
        Some(ty)
    }

    /// Complains about keys that a resource doesn't have; options get a hint where they belong.
    fn unknown_keys(&mut self, node: &Node, what: &str) {
        for entry in node.entries().unwrap_or_default() {
            let Some(name) = entry.name() else { continue };
            if RESOURCE.iter().any(|key| key.eq_ignore_ascii_case(name)) {
                continue;
            }
            let message = format!("unknown key \"{name}\" in {what}");
            let hint = match OPTIONS.iter().find(|option| option.eq_ignore_ascii_case(name)) {
                Some(option) => format!("{option} belongs under options"),
                None => did_you_mean(name, RESOURCE[..6].iter().copied()),
            };
            self.error_with_hint("yaml-unknown-key", &entry.key.location, message, hint);
        }
    }

    fn properties(&mut self, node: &Node, what: &str) -> Properties {
        if node.is_null() {
            return Properties::Absent;
        }
        if let Some(entries) = node.entries() {
            // An object with one function call as its only key is a value like any other.
            if entries.len() != 1 || !entries[0].name().is_some_and(|n| n.to_lowercase().starts_with("fn::"))
            {
                let fields = self.mapping(node, what);
                return Properties::Fields(
                    fields.into_iter().map(|(name, value)| (name, self.expr(value))).collect(),
                );
            }
        }
        let value = self.expr(node);
        if matches!(value.kind, ExprKind::Symbol(_) | ExprKind::Invoke(_) | ExprKind::StackOutput(..))
            || matches!(value.kind, ExprKind::Call(..))
        {
            return Properties::Value(value);
        }
        let message = format!("the properties of {what} must be an object, not {}", article(node.kind()));
        self.error("yaml-shape", &node.location, message);
        Properties::Absent
    }

    fn get(&mut self, node: &Node, what: &str) -> Option<Get> {
        let mut id = None;
        let mut state = Vec::new();
        for (field, entry) in self.record(node, "get", &["id", "state"], Unknown::Error) {
            match field {
                "id" => id = Some(self.expr(&entry.value)),
                _ => {
                    let fields = self.mapping(&entry.value, "the state of get");
                    state = fields.into_iter().map(|(name, value)| (name, self.expr(value))).collect();
                }
            }
        }
        if id.is_none() && node.entries().is_some() {
            let message = format!("get of {what} has no id");
            let hint = "give the provider's id of the resource to read";
            self.error_with_hint("yaml-get", &node.location, message, hint);
        }
        Some(Get { id: id?, state })
    }

    pub(super) fn version(&mut self, node: &Node) -> Option<Text> {
        let version = self.literal(node, "version")?;
        if semver::Version::parse(version.value.trim_start_matches('v')).is_err() {
            let message = format!("\"{}\" is not a version", version.value);
            let hint = "versions look like 4.16.0; a number with one point needs quotes and three parts";
            self.error_with_hint("yaml-version", &version.at, message, hint);
            return None;
        }
        Some(Text { value: version.value.trim_start_matches('v').to_owned(), at: version.at })
    }

    fn options(&mut self, node: &Node) -> ResourceOptions {
        let mut options = ResourceOptions::default();
        for (field, entry) in self.record(node, "the resource's options", OPTIONS, Unknown::Error) {
            let value = &entry.value;
            if value.is_null() {
                continue;
            }
            match field {
                "additionalSecretOutputs" => options.additional_secret_outputs = self.literals(value, field),
                "ignoreChanges" => options.ignore_changes = self.literals(value, field),
                "replaceOnChanges" => options.replace_on_changes = self.literals(value, field),
                "hideDiffs" => options.hide_diffs = self.literals(value, field),
                "customTimeouts" => options.custom_timeouts = self.timeouts(value),
                "deleteBeforeReplace" => options.delete_before_replace = self.flag(value, field),
                "retainOnDelete" => options.retain_on_delete = self.flag(value, field),
                "import" => options.import = self.literal(value, field),
                "pluginDownloadURL" => options.plugin_download_url = self.literal(value, field),
                "version" => options.version = self.version(value),
                "aliases" => match self.expr(value).kind {
                    ExprKind::List(items) => options.aliases = items,
                    _ => {
                        let message = format!("aliases must be a list, not {}", article(value.kind()));
                        self.error("yaml-shape", &value.location, message);
                    }
                },
                "dependsOn" => options.depends_on = Some(self.expr(value)),
                "parent" => options.parent = Some(self.expr(value)),
                "protect" => options.protect = Some(self.expr(value)),
                "provider" => options.provider = Some(self.expr(value)),
                "providers" => options.providers = Some(self.expr(value)),
                "replaceWith" => options.replace_with = Some(self.expr(value)),
                "deletedWith" => options.deleted_with = Some(self.expr(value)),
                "replacementTrigger" => options.replacement_trigger = Some(self.expr(value)),
                _ => options.env_var_mappings = Some(self.expr(value)),
            }
        }
        options
    }

    fn timeouts(&mut self, node: &Node) -> Timeouts {
        let mut timeouts = Timeouts::default();
        let keys = &["create", "update", "delete", "read"];
        for (field, entry) in self.record(node, "customTimeouts", keys, Unknown::Error) {
            let value = Some(self.expr(&entry.value));
            match field {
                "create" => timeouts.create = value,
                "update" => timeouts.update = value,
                "delete" => timeouts.delete = value,
                _ => timeouts.read = value,
            }
        }
        timeouts
    }
}
