//! Configuration that a project declares: types, defaults and values.

use indexmap::IndexMap;

use super::check::{Checker, Null};
use crate::value::Value;
use crate::yaml::Node;

/// The type of a declared configuration value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigType {
    /// Any text.
    String,
    /// A whole number, or a text of one.
    Integer,
    /// `true` or `false`, or a text of one.
    Boolean,
    /// Named values of any kind.
    Object,
    /// A list, with the type of its items unless the declaration leaves it out.
    Array(Option<Box<ConfigType>>),
}

impl std::fmt::Display for ConfigType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConfigType::String => f.write_str("string"),
            ConfigType::Integer => f.write_str("integer"),
            ConfigType::Boolean => f.write_str("boolean"),
            ConfigType::Object => f.write_str("object"),
            ConfigType::Array(None) => f.write_str("array"),
            ConfigType::Array(Some(items)) => write!(f, "array<{items}>"),
        }
    }
}

impl ConfigType {
    /// Whether a value is of the type.
    pub fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (ConfigType::String, Value::String(_)) => true,
            (ConfigType::Integer, Value::Int(_) | Value::Uint(_)) => true,
            (ConfigType::Integer, Value::Float(number)) => number.trunc() == *number,
            (ConfigType::Integer, Value::String(text)) => text.parse::<i64>().is_ok(),
            (ConfigType::Boolean, Value::Bool(_)) => true,
            (ConfigType::Boolean, Value::String(text)) => text == "true" || text == "false",
            (ConfigType::Object, Value::Object(_)) => true,
            (ConfigType::Array(Some(kind)), Value::Array(items)) => items.iter().all(|i| kind.accepts(i)),
            _ => false,
        }
    }
}

/// One entry of a project's `config` section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigDeclaration {
    /// The type that stack values must have.
    pub kind: Option<ConfigType>,
    /// What the value is for.
    pub description: Option<String>,
    /// The value for stacks that set none.
    pub default: Option<Value>,
    /// The value of a key of another namespace.
    pub value: Option<Value>,
    /// Whether stacks must keep the value encrypted.
    pub secret: bool,
}

/// Whether a declared key belongs to the project itself rather than to a package.
pub(crate) fn is_project_key(project: &str, key: &str) -> bool {
    match key.split_once(':') {
        None => true,
        Some((namespace, _)) => namespace == project,
    }
}

pub(super) fn read_declarations(
    check: &mut Checker,
    project: &str,
    node: &Node,
) -> IndexMap<String, ConfigDeclaration> {
    let mut declarations = IndexMap::new();
    for entry in node.entries().unwrap_or_default() {
        let key = entry.name().unwrap_or_default();
        let node = &entry.value;
        let own = is_project_key(project, key);
        let scalar = matches!(node.to_value(), Value::Bool(_) | Value::Int(_) | Value::String(_));
        let declaration = if scalar || node.items().is_some() {
            let value = Some(node.to_value());
            match own {
                true => ConfigDeclaration { default: value, ..Default::default() },
                false => ConfigDeclaration { value, ..Default::default() },
            }
        } else if node.entries().is_some() {
            read_declaration(check, &format!("/config/{key}"), node)
        } else {
            let expected = "expected string, integer, boolean, array or object";
            let message = format!("{expected}, but got {}", node.kind());
            check.at(&format!("/config/{key}"), node.span(), message);
            continue;
        };
        validate(check, key, own, &declaration, node);
        declarations.insert(key.to_owned(), declaration);
    }
    declarations
}

fn read_declaration(check: &mut Checker, path: &str, node: &Node) -> ConfigDeclaration {
    check.only_keys(path, node, &["type", "items", "description", "secret", "default", "value"]);
    let present = |name: &str| node.get(name).filter(|node| !node.is_null()).map(Node::to_value);
    ConfigDeclaration {
        kind: node.get("type").and_then(|kind| {
            read_type(check, &format!("{path}/type"), kind, node.get("items"), &format!("{path}/items"))
        }),
        description: check.string(&format!("{path}/description"), node.get("description"), Null::Refused),
        default: present("default"),
        value: present("value"),
        secret: check.boolean(&format!("{path}/secret"), node.get("secret"), Null::Refused).unwrap_or(false),
    }
}

fn read_type(
    check: &mut Checker,
    path: &str,
    node: &Node,
    items: Option<&Node>,
    items_path: &str,
) -> Option<ConfigType> {
    match node.as_str() {
        Some("string") => Some(ConfigType::String),
        Some("integer") => Some(ConfigType::Integer),
        Some("boolean") => Some(ConfigType::Boolean),
        Some("object") => Some(ConfigType::Object),
        Some("array") => {
            let Some(items) = items else { return Some(ConfigType::Array(None)) };
            let items = check.mapping(items_path, Some(items), Null::Refused)?;
            let kind = read_item_type(check, items_path, items)?;
            Some(ConfigType::Array(Some(Box::new(kind))))
        }
        _ => {
            const KINDS: [&str; 5] = ["string", "integer", "boolean", "array", "object"];
            let meant = node.as_str().and_then(|name| crate::suggest::nearest(name, KINDS));
            let advice = meant.map_or(String::new(), |meant| format!("; did you mean '{meant}'?"));
            let expected = "value must be one of \"string\", \"integer\", \"boolean\", \"array\", \"object\"";
            check.at(path, node.span(), format_args!("{expected}{advice}"));
            None
        }
    }
}

fn read_item_type(check: &mut Checker, path: &str, node: &Node) -> Option<ConfigType> {
    check.required_keys(path, node, &["type"]);
    let kind = node.get("type")?;
    let nested = format!("{path}/items");
    let found = read_type(check, &format!("{path}/type"), kind, node.get("items"), &nested)?;
    if found == ConfigType::Array(None) {
        check.required_keys(path, node, &["items"]);
        return None;
    }
    Some(found)
}

/// The rules that hold between the parts of a declaration.
fn validate(check: &mut Checker, key: &str, own: bool, declaration: &ConfigDeclaration, node: &Node) {
    let place = |part: &str| node.entry(part).map_or_else(|| node.span(), |entry| entry.key.span());
    if declaration.default.is_some() && declaration.value.is_some() {
        let message = format!("project config '{key}' cannot have both a 'default' and 'value' attribute");
        return check.say(place("value"), message);
    }
    if own {
        if declaration.kind == Some(ConfigType::Array(None)) && node.get("items").is_none() {
            let message = format!(
                "The configuration key '{key}' declares an array but does not specify the underlying type via \
                 the 'items' attribute"
            );
            return check.say(place("type"), message);
        }
        if let (Some(kind), Some(default)) = (&declaration.kind, &declaration.default)
            && !kind.accepts(default)
        {
            let message = format!(
                "The default value specified for configuration key '{key}' is not of the expected type '{kind}'"
            );
            check.say(node.get("default").map_or_else(|| node.span(), Node::span), message);
        }
        return;
    }
    if declaration.kind.is_some() {
        let message = format!(
            "Configuration key '{key}' is not namespaced by the project and should not define a type"
        );
        check.say(place("type"), message);
    } else if declaration.default.is_some() {
        let message = format!(
            "Configuration key '{key}' is not namespaced by the project and should not define a default value. \
             Did you mean to use the 'value' attribute instead of 'default'?"
        );
        check.say(place("default"), message);
    } else if declaration.value.is_none() {
        let message =
            format!("Configuration key '{key}' is namespaced and must provide an attribute 'value'");
        check.say(node.span(), message);
    }
}
