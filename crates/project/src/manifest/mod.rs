//! Manifests: `Pulumi.yaml`, `PulumiPlugin.yaml` and `PulumiPolicy.yaml`.

mod check;
mod declaration;
mod find;
mod package;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use purlin_diag::Diagnostic;

use crate::files::{Access, TextFile, read_text, write_atomically};
use crate::suggest::nearest;
use crate::value::{Object, Value};
use crate::yaml::{self, Format, Node};
use check::{Checker, Null};
pub(crate) use declaration::is_project_key;
pub use declaration::{ConfigDeclaration, ConfigType};
pub use find::{ManifestKind, find_manifest, find_project, manifest_in};
pub use package::{PackageSpec, PluginOverride, PluginOverrides};

/// The language of a program and how to run it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runtime {
    /// The language's name; empty if the manifest names none.
    pub name: String,
    /// Options for the language host.
    pub options: Object,
}

/// What makes a project a template for new ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// The name to show.
    pub display_name: Option<String>,
    /// What the template is for.
    pub description: Option<String>,
    /// Text to show once a project was made.
    pub quickstart: Option<String>,
    /// Whether it is listed by default.
    pub important: bool,
    /// Free texts by name.
    pub metadata: IndexMap<String, String>,
    /// Configuration to ask for.
    pub config: IndexMap<String, TemplateConfig>,
}

/// A configuration value that a template asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TemplateConfig {
    /// What the value is for.
    pub description: Option<String>,
    /// What is offered.
    pub default: Option<Value>,
    /// Whether it is to be encrypted.
    pub secret: bool,
}

/// A project, as its manifest describes it.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where the manifest is.
    pub path: PathBuf,
    /// The project's name.
    pub name: String,
    /// The language and its options.
    pub runtime: Runtime,
    /// The program's directory or entry point, relative to the manifest.
    pub main: Option<String>,
    /// What the project is.
    pub description: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Where to read about it.
    pub website: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// Declared configuration by key, in the order of the file.
    pub config: IndexMap<String, ConfigDeclaration>,
    /// Where the stack settings are, relative to the manifest.
    pub stack_config_dir: Option<String>,
    /// The backend that keeps the project's stacks.
    pub backend_url: Option<String>,
    /// Whether every operation refreshes first.
    pub refresh_always: bool,
    /// What makes it a template.
    pub template: Option<Template>,
    /// Packages that it depends on.
    pub packages: IndexMap<String, PackageSpec>,
    /// Plugins that it overrides.
    pub plugins: PluginOverrides,
    /// The versions of the command line that it works with.
    pub required_version: Option<String>,
    /// The whole manifest, for sections that others read (such as those of YAML programs).
    pub root: Node,
}

impl Project {
    /// Reads a manifest from disk. All problems are reported, not only the first.
    pub fn load(path: &Path) -> Result<Project, Vec<Diagnostic>> {
        let format = Format::of_path(path).map_err(|problem| vec![problem])?;
        let manifest = read_required(path).map_err(|problem| vec![problem])?;
        Project::parse(path, &manifest.text, format)
    }

    /// Reads a manifest from text. `path` says where it would be, and names it in complaints.
    pub fn parse(path: &Path, text: &str, format: Format) -> Result<Project, Vec<Diagnostic>> {
        let root =
            yaml::parse_as(format, &path.display().to_string(), text).map_err(|problem| vec![problem])?;
        let mut check = Checker::new();
        let name = read_name(&root)?;
        check.problems.extend(root.check_keys());
        let project = read_project(&mut check, path, name, root);
        if check.problems.is_empty() { Ok(project) } else { Err(check.problems) }
    }

    /// Gives the tree of the file away, which for a YAML program holds the whole program. The settings
    /// that were read from it stay.
    pub fn take_tree(&mut self) -> Node {
        let empty = Node {
            content: yaml::Content::Sequence(Vec::new()),
            tag: None,
            location: self.root.location.clone(),
            aliased: false,
            flow: false,
        };
        std::mem::replace(&mut self.root, empty)
    }

    /// The directory of the manifest.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    /// Where the settings of a stack are kept.
    pub fn stack_settings_path(&self, stack: &str) -> PathBuf {
        let extension = self.path.extension().unwrap_or_default().to_string_lossy();
        let file = format!("Pulumi.{}.{extension}", stack.replace('/', "-"));
        match &self.stack_config_dir {
            Some(directory) => self.directory().join(directory).join(file),
            None => self.directory().join(file),
        }
    }

    /// Adds a package to the manifest on disk (or replaces it), leaving the rest as it is. The long
    /// form is used if all other packages are in the long form.
    pub fn add_package(&mut self, name: &str, mut spec: PackageSpec) -> Result<(), Diagnostic> {
        let was_long = self.packages.get(name).is_some_and(|old| old.long_form);
        let all_long = !self.packages.is_empty() && self.packages.values().all(|other| other.long_form);
        spec.long_form = was_long || all_long;
        let mut wanted = self.root.to_value();
        if let Value::Object(fields) = &mut wanted {
            let packages = fields.entry("packages".to_owned()).or_insert(Value::Null);
            if !matches!(packages, Value::Object(_)) {
                *packages = Value::Object(Object::new());
            }
            if let Value::Object(packages) = packages {
                packages.insert(name.to_owned(), spec.to_value());
            }
        }
        self.rewrite(&wanted)?;
        self.packages.insert(name.to_owned(), spec);
        Ok(())
    }

    /// Changes the manifest on disk so that it holds `wanted`, touching only what differs.
    pub fn rewrite(&mut self, wanted: &Value) -> Result<(), Diagnostic> {
        let format = Format::of_path(&self.path)?;
        let file = self.path.display().to_string();
        let mut manifest = read_required(&self.path)?;
        manifest.text = yaml::edit::edit(format, &file, &manifest.text, wanted)?;
        self.root = yaml::parse_as(format, &file, &manifest.text)?;
        write_atomically(&self.path, &manifest.bytes(), Access::Keep)
    }
}

fn read_required(path: &Path) -> Result<TextFile, Diagnostic> {
    read_text(path)?.ok_or_else(|| {
        Diagnostic::error("file-access", format!("could not read '{}': no such file", path.display()))
    })
}

fn read_name(root: &Node) -> Result<String, Vec<Diagnostic>> {
    let problem = |message: String, node: &Node| {
        let code = "project-name-missing";
        Err(vec![Diagnostic::error(code, message).with_span(node.span())])
    };
    let Some(entries) = root.entries() else {
        let message = format!("expected project to be an object, was '{}'", root.kind());
        let code = "project-invalid";
        return Err(vec![Diagnostic::error(code, message).with_span(root.span())]);
    };
    let Some(name) = root.get("name") else {
        let found = nearest("name", entries.iter().filter_map(|entry| entry.name()));
        return match found.and_then(|found| root.entry(found)) {
            Some(entry) => problem(
                format!(
                    "project is missing a 'name' attribute; found '{}' instead",
                    entry.name().unwrap_or_default()
                ),
                &entry.key,
            ),
            None => problem("project is missing a 'name' attribute".to_owned(), root),
        };
    };
    match name.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => problem("project is missing a non-empty string 'name' attribute".to_owned(), name),
    }
}

fn read_project(check: &mut Checker, path: &Path, name: String, root: Node) -> Project {
    let mut text = |key: &str| check.string(&format!("/{key}"), root.get(key), Null::Allowed);
    let [main, description, author, website, license, mut stack_config_dir] =
        ["main", "description", "author", "website", "license", "stackConfigDir"].map(&mut text);
    let required_version = match root.get("requiredPulumiVersion").filter(|node| !node.is_null()) {
        Some(node) => check.string("/requiredPulumiVersion", Some(node), Null::Refused),
        None => None,
    };
    let config = read_config(check, &name, &root, &mut stack_config_dir);
    Project {
        path: path.to_owned(),
        runtime: read_runtime(check, root.get("runtime")),
        main: main.filter(|main| !main.is_empty()),
        description,
        author,
        website,
        license,
        config,
        stack_config_dir: stack_config_dir.filter(|directory| !directory.is_empty()),
        backend_url: read_backend(check, &root),
        refresh_always: read_options(check, &root),
        template: read_template(check, root.get("template")),
        packages: package::read_packages(check, root.get("packages")),
        plugins: package::read_plugins(check, root.get("plugins")),
        required_version: required_version.filter(|range| !range.is_empty()),
        name,
        root,
    }
}

fn read_runtime(check: &mut Checker, node: Option<&Node>) -> Runtime {
    let Some(node) = node else { return Runtime::default() };
    if node.as_str().is_some() {
        let name = check.non_empty_string("/runtime", Some(node)).unwrap_or_default();
        return Runtime { name, options: Object::new() };
    }
    if node.entries().is_none() {
        let message = format!("expected string or object, but got {}", node.kind());
        check.at("/runtime", node.span(), message);
        return Runtime::default();
    }
    check.only_keys("/runtime", node, &["name", "options"]);
    Runtime {
        name: check.non_empty_string("/runtime/name", node.get("name")).unwrap_or_default(),
        options: check.object("/runtime/options", node.get("options")),
    }
}

/// Reads `config`, which may also be the old way to say where the stack settings are.
fn read_config(
    check: &mut Checker,
    project: &str,
    root: &Node,
    stack_config_dir: &mut Option<String>,
) -> IndexMap<String, ConfigDeclaration> {
    let Some(node) = root.get("config").filter(|node| !node.is_null()) else { return IndexMap::new() };
    if let Some(directory) = node.as_str() {
        if root.get("stackConfigDir").is_some() {
            let message = "Should not use both config and stackConfigDir to define the stack directory. \
                           Use only stackConfigDir instead.";
            check.say(node.span(), message);
        }
        *stack_config_dir = Some(directory.to_owned());
        return IndexMap::new();
    }
    if node.entries().is_none() {
        let message = format!("expected object or string or null, but got {}", node.kind());
        check.at("/config", node.span(), message);
    }
    declaration::read_declarations(check, project, node)
}

fn read_backend(check: &mut Checker, root: &Node) -> Option<String> {
    let node = check.mapping("/backend", root.get("backend"), Null::Allowed)?;
    check.only_keys("/backend", node, &["url"]);
    check.string("/backend/url", node.get("url"), Null::Refused).filter(|url| !url.is_empty())
}

fn read_options(check: &mut Checker, root: &Node) -> bool {
    let Some(node) = check.mapping("/options", root.get("options"), Null::Allowed) else { return false };
    check.only_keys("/options", node, &["refresh"]);
    match node.get("refresh") {
        Some(refresh) if refresh.as_str() == Some("always") => true,
        Some(refresh) => {
            check.at("/options/refresh", refresh.span(), "value must be \"always\"");
            false
        }
        None => false,
    }
}

fn read_template(check: &mut Checker, node: Option<&Node>) -> Option<Template> {
    let node = check.mapping("/template", node, Null::Allowed)?;
    let keys = ["displayName", "description", "quickstart", "important", "metadata", "config"];
    check.only_keys("/template", node, &keys);
    let mut text = |key: &str| check.string(&format!("/template/{key}"), node.get(key), Null::Allowed);
    let [display_name, description, quickstart] = ["displayName", "description", "quickstart"].map(&mut text);
    let important = check.boolean("/template/important", node.get("important"), Null::Allowed);
    let metadata = check.string_map("/template/metadata", node.get("metadata"), Null::Allowed);
    let mut config = IndexMap::new();
    let asked = check.mapping("/template/config", node.get("config"), Null::Allowed);
    for entry in asked.and_then(Node::entries).unwrap_or_default() {
        let key = entry.name().unwrap_or_default();
        let path = format!("/template/config/{key}");
        let value = &entry.value;
        let description = format!("{path}/description");
        let default = value.get("default").filter(|default| !default.is_null());
        let secret = check.boolean(&format!("{path}/secret"), value.get("secret"), Null::Allowed);
        config.insert(
            key.to_owned(),
            TemplateConfig {
                description: check.string(&description, value.get("description"), Null::Allowed),
                default: default.map(Node::to_value),
                secret: secret.unwrap_or(false),
            },
        );
    }
    let important = important.unwrap_or(false);
    Some(Template { display_name, description, quickstart, important, metadata, config })
}

/// The manifest of a policy pack or of a plugin in source form.
#[derive(Clone, Debug)]
pub struct SourceManifest {
    /// Where it is.
    pub path: PathBuf,
    /// The language and its options.
    pub runtime: Runtime,
    /// The version of the policy pack.
    pub version: Option<String>,
    /// The entry point, relative to the manifest.
    pub main: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Packages that a plugin depends on.
    pub packages: IndexMap<String, PackageSpec>,
    /// The versions of the command line that a plugin works with.
    pub required_version: Option<String>,
    /// The whole manifest.
    pub root: Node,
}

impl SourceManifest {
    /// Reads `PulumiPolicy.yaml` or `PulumiPlugin.yaml`.
    pub fn load(path: &Path) -> Result<SourceManifest, Vec<Diagnostic>> {
        let format = Format::of_path(path).map_err(|problem| vec![problem])?;
        let TextFile { text, .. } = read_required(path).map_err(|problem| vec![problem])?;
        let root =
            yaml::parse_as(format, &path.display().to_string(), &text).map_err(|problem| vec![problem])?;
        let mut check = Checker::new();
        check.problems.extend(root.check_keys());
        let runtime = read_runtime(&mut check, root.get("runtime"));
        if runtime.name.is_empty() && check.problems.is_empty() {
            check.say(root.span(), "project is missing a 'runtime' attribute");
        }
        let mut text = |key: &str| check.string(&format!("/{key}"), root.get(key), Null::Allowed);
        let [version, main, description, required_version] =
            ["version", "main", "description", "requiredPulumiVersion"]
                .map(|key| text(key).filter(|text| !text.is_empty()));
        let packages = package::read_packages(&mut check, root.get("packages"));
        if !check.problems.is_empty() {
            return Err(check.problems);
        }
        let path = path.to_owned();
        Ok(SourceManifest { path, runtime, version, main, description, packages, required_version, root })
    }
}
