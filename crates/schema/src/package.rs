//! A package's schema: an index of its text, bound piece by piece.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use purlin_diag::Diagnostic;
use purlin_model::urn::PROVIDER_TYPE_PREFIX;

use crate::bind;
use crate::index::{Section, range_in};
use crate::json::{PackageJson, ParameterizationJson};
use crate::shapes::{FunctionSchema, ObjectSchema, ResourceSchema, Type, TypeDefinition};
use crate::token::candidates;

/// How a package came about by parameterizing a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaParameterization {
    /// The plugin's name.
    pub base_name: String,
    /// The plugin's version.
    pub base_version: String,
    /// Where the plugin is downloaded from; empty for the usual places.
    pub base_download_url: String,
    /// What the plugin needs to know to serve the package.
    pub parameter: Vec<u8>,
}

/// The schema of a package.
pub struct PackageSchema {
    name: String,
    version: String,
    display_name: String,
    plugin_download_url: String,
    parameterization: Option<SchemaParameterization>,
    text: Arc<str>,
    provider_range: std::ops::Range<usize>,
    provider: OnceLock<Result<Arc<ResourceSchema>, Diagnostic>>,
    config_range: std::ops::Range<usize>,
    config: OnceLock<Result<Arc<ObjectSchema>, Diagnostic>>,
    resources: Section<ResourceSchema>,
    functions: Section<FunctionSchema>,
    types: Section<TypeDefinition>,
}

impl std::fmt::Debug for PackageSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackageSchema").field("name", &self.name).field("version", &self.version).finish()
    }
}

impl PackageSchema {
    /// Reads a schema. The text is checked to be JSON and indexed; descriptions are read when they
    /// are asked for.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<PackageSchema, Diagnostic> {
        let text: Arc<str> = text.into();
        let json: PackageJson<'_> = serde_json::from_str(&text).map_err(|error| {
            Diagnostic::error("schema-invalid", format!("the package schema can't be read: {error}"))
                .with_hint("install the package's plugin again, or remove its cached schema")
        })?;
        if json.name.is_empty() {
            return Err(Diagnostic::error("schema-invalid", "the package schema doesn't name its package"));
        }
        let range =
            |raw: Option<&serde_json::value::RawValue>| raw.map_or(0..0, |r| range_in(&text, r.get()));
        Ok(PackageSchema {
            parameterization: json.parameterization.map(|raw| parameterization(raw.get())).transpose()?,
            provider_range: range(json.provider),
            provider: OnceLock::new(),
            config_range: range(json.config),
            config: OnceLock::new(),
            resources: Section::new(&text, json.resources.0),
            functions: Section::new(&text, json.functions.0),
            types: Section::new(&text, json.types.0),
            name: json.name,
            version: json.version.unwrap_or_default(),
            display_name: json.display_name.unwrap_or_default(),
            plugin_download_url: json.plugin_download_url.unwrap_or_default(),
            text: Arc::clone(&text),
        })
    }

    /// The package's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The package's version; empty if the schema doesn't say.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The package's name for people; empty if it has none.
    pub fn display_name(&self) -> &str {
        &self.display_name
    }

    /// Where the plugin is downloaded from; empty for the usual places.
    pub fn plugin_download_url(&self) -> &str {
        &self.plugin_download_url
    }

    /// How the package came about, if its plugin was parameterized.
    pub fn parameterization(&self) -> Option<&SchemaParameterization> {
        self.parameterization.as_ref()
    }

    /// The schema as it was given.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The tokens of all resource types, in the order of the schema.
    pub fn resource_tokens(&self) -> impl Iterator<Item = &str> {
        self.resources.tokens()
    }

    /// The tokens of all functions, in the order of the schema.
    pub fn function_tokens(&self) -> impl Iterator<Item = &str> {
        self.functions.tokens()
    }

    /// The tokens of all types, in the order of the schema.
    pub fn type_tokens(&self) -> impl Iterator<Item = &str> {
        self.types.tokens()
    }

    /// The canonical token of a resource type: of the package's provider, or found as written,
    /// without regard to case, with the module `index`, or with the type as part of the module.
    pub fn resolve_resource(&self, token: &str) -> Option<String> {
        if token.strip_prefix(PROVIDER_TYPE_PREFIX) == Some(self.name.as_str()) {
            return Some(token.to_owned());
        }
        candidates(token)?.iter().find_map(|c| self.resources.canonical(c)).map(str::to_owned)
    }

    /// The canonical token of a function; found like that of a resource type.
    pub fn resolve_function(&self, token: &str) -> Option<String> {
        candidates(token)?.iter().find_map(|c| self.functions.canonical(c)).map(str::to_owned)
    }

    /// A resource type by its canonical token; the package's provider too.
    pub fn resource(&self, token: &str) -> Option<Result<Arc<ResourceSchema>, Diagnostic>> {
        if token.strip_prefix(PROVIDER_TYPE_PREFIX) == Some(self.name.as_str()) {
            return Some(self.provider());
        }
        self.resources.get(&self.text, token, bind::resource)
    }

    /// The package's provider as a resource.
    pub fn provider(&self) -> Result<Arc<ResourceSchema>, Diagnostic> {
        let bound = self.provider.get_or_init(|| {
            let token = format!("{PROVIDER_TYPE_PREFIX}{}", self.name);
            let text = self.text.get(self.provider_range.clone()).filter(|text| !text.is_empty());
            let mut schema = bind::resource(&token, text.unwrap_or("{}"))?;
            schema.is_provider = true;
            Ok(Arc::new(schema))
        });
        bound.clone()
    }

    /// The package's configuration.
    pub fn config(&self) -> Result<Arc<ObjectSchema>, Diagnostic> {
        let bound = self.config.get_or_init(|| {
            let text = self.text.get(self.config_range.clone()).filter(|text| !text.is_empty());
            bind::config(text.unwrap_or("{}")).map(Arc::new)
        });
        bound.clone()
    }

    /// A function by its canonical token.
    pub fn function(&self, token: &str) -> Option<Result<Arc<FunctionSchema>, Diagnostic>> {
        self.functions.get(&self.text, token, bind::function)
    }

    /// A type that the package defines.
    pub fn definition(&self, token: &str) -> Option<Result<Arc<TypeDefinition>, Diagnostic>> {
        self.types.get(&self.text, token, bind::definition)
    }

    /// The paths of a resource type's outputs whose changes replace it, nested ones too, such as
    /// `a`, `list[*].b` and `map.*.c`.
    pub fn replace_on_changes(&self, resource: &ResourceSchema) -> Vec<String> {
        let mut paths = Vec::new();
        let mut open = Vec::new();
        self.collect_replacing(&resource.outputs, "", &mut open, &mut paths);
        paths
    }

    fn collect_replacing(
        &self,
        object: &ObjectSchema,
        prefix: &str,
        open: &mut Vec<String>,
        paths: &mut Vec<String>,
    ) {
        for (name, property) in &object.properties {
            let (suffix, mut inner) = match &property.ty {
                Type::Array(item) => ("[*]", item.as_ref()),
                Type::Map(item) => (".*", item.as_ref()),
                other => ("", other),
            };
            let path = format!("{prefix}{name}{suffix}");
            if property.replace_on_changes {
                paths.push(path);
                continue;
            }
            while let Type::Array(item) | Type::Map(item) = inner {
                inner = item;
            }
            let Type::Named(token) = inner else { continue };
            if open.contains(token) {
                continue;
            }
            let Some(Ok(definition)) = self.definition(token) else { continue };
            if let TypeDefinition::Object(nested) = &*definition {
                open.push(token.clone());
                self.collect_replacing(nested, &format!("{path}."), open, paths);
                open.pop();
            }
        }
    }
}

fn parameterization(text: &str) -> Result<SchemaParameterization, Diagnostic> {
    let invalid = |reason: String| {
        Diagnostic::error("schema-invalid", format!("the schema's parameterization can't be read: {reason}"))
    };
    let json: ParameterizationJson =
        serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    let parameter = base64::engine::general_purpose::STANDARD
        .decode(&json.parameter)
        .map_err(|error| invalid(error.to_string()))?;
    Ok(SchemaParameterization {
        base_name: json.base_provider.name,
        base_version: json.base_provider.version,
        base_download_url: json.base_provider.plugin_download_url,
        parameter,
    })
}
