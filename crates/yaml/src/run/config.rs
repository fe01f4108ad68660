//! Configuration values as the program sees them.

use std::collections::{BTreeMap, HashSet};

use purlin_diag::Diagnostic;

use super::json_value;
use crate::eval::{Scope, Stop};
use crate::program::YamlProgram;
use crate::syntax::ConfigDecl;
use crate::value::{Tracked, Value, kind_of};

/// The type of a configuration value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfigType {
    String,
    Number,
    Integer,
    Boolean,
    Object,
    /// A list; `None` where the items' type stands elsewhere.
    List(Option<Box<ConfigType>>),
}

impl ConfigType {
    /// Reads a type's name, without regard to case.
    pub(crate) fn parse(name: &str) -> Option<ConfigType> {
        let name = name.to_lowercase();
        if let Some(inner) = name.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
            // A list of lists of lists … is no type that anybody needs.
            let inner = inner.trim();
            if inner.matches('<').count() > 8 {
                return None;
            }
            return ConfigType::parse(inner).map(|inner| ConfigType::List(Some(Box::new(inner))));
        }
        Some(match name.as_str() {
            "string" => ConfigType::String,
            "bool" | "boolean" => ConfigType::Boolean,
            "number" => ConfigType::Number,
            "int" | "integer" => ConfigType::Integer,
            "object" => ConfigType::Object,
            "array" => ConfigType::List(None),
            _ => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            ConfigType::String => "a string",
            ConfigType::Number => "a number",
            ConfigType::Integer => "a whole number",
            ConfigType::Boolean => "a boolean",
            ConfigType::Object => "an object",
            ConfigType::List(None) => "a list",
            ConfigType::List(Some(items)) => match **items {
                ConfigType::String => "a list of strings",
                ConfigType::Number => "a list of numbers",
                ConfigType::Integer => "a list of whole numbers",
                ConfigType::Boolean => "a list of booleans",
                ConfigType::Object => "a list of objects",
                ConfigType::List(_) => "a list of lists",
            },
        }
    }

    fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            // Whatever looks like a number or a truth value arrives as one.
            (ConfigType::String, Value::Text(_) | Value::Number(_) | Value::Bool(_))
            | (ConfigType::Number, Value::Number(_))
            | (ConfigType::Boolean, Value::Bool(_))
            | (ConfigType::Object, Value::Object(_))
            | (_, Value::Unknown) => true,
            (ConfigType::Integer, Value::Number(number)) => number.fract() == 0.0,
            (ConfigType::List(items), Value::List(values)) => match items {
                Some(items) => values.iter().all(|value| items.accepts(&value.value)),
                None => true,
            },
            _ => false,
        }
    }
}

/// The value that a configuration text stands for: a number or truth value if it looks like one,
/// what it is in JSON, else itself.
pub(crate) fn inferred(text: &str) -> Value {
    let padded = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
    if padded || text.is_empty() {
        return Value::Text(text.to_owned());
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Value::Number(whole as f64);
    }
    match text {
        "t" | "T" | "true" | "TRUE" | "True" => return Value::Bool(true),
        "f" | "F" | "false" | "FALSE" | "False" => return Value::Bool(false),
        _ => {}
    }
    let numeric = text.bytes().any(|b| b.is_ascii_digit());
    if let Some(number) = text.parse::<f64>().ok().filter(|number| numeric && number.is_finite()) {
        return Value::Number(number);
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => json_value(json),
        Err(_) => Value::Text(text.to_owned()),
    }
}

/// The configuration that a run was given, by the names that the program uses: without the prefix
/// of its own project.
pub(crate) fn given(
    config: &BTreeMap<String, String>,
    secret_keys: &[String],
    project: &str,
) -> BTreeMap<String, Tracked> {
    let secret: HashSet<&str> = secret_keys.iter().map(String::as_str).collect();
    let prefix = format!("{project}:");
    config
        .iter()
        .map(|(key, text)| {
            let name = key.strip_prefix(&prefix).unwrap_or(key);
            let value = Tracked { secret: secret.contains(key.as_str()), ..Tracked::plain(inferred(text)) };
            (name.to_owned(), value)
        })
        .collect()
}

/// Adds what the program declares: defaults where nothing is given, secretness, checks of types.
pub(crate) fn declared(
    program: &YamlProgram,
    values: &mut BTreeMap<String, Tracked>,
    scope: &Scope<'_>,
    project: &str,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let given = values.clone();
    for decl in &program.config {
        match one(decl, &given, scope, project) {
            Ok(value) => drop(values.insert(decl.key.value.clone(), value)),
            Err(problem) => problems.push(*problem),
        }
    }
    problems
}

fn one(
    decl: &ConfigDecl,
    given: &BTreeMap<String, Tracked>,
    scope: &Scope<'_>,
    project: &str,
) -> Result<Tracked, Box<Diagnostic>> {
    let error = |message: String, hint: String| {
        let problem = Diagnostic::error("yaml-config", message).with_span(decl.key.span()).with_hint(hint);
        Box::new(problem)
    };
    let shown = &decl.key.value;
    let key = decl.name.as_ref().map_or(shown, |name| &name.value);
    let short = key.strip_prefix(&format!("{project}:")).unwrap_or(key);
    let mut value = match (given.get(short), &decl.default) {
        (Some(value), _) => value.clone(),
        (None, Some(default)) => scope.eval(default).map_err(|stop| match stop {
            Stop::Problem(problem) => problem,
            Stop::Reference(_) => {
                error(format!("the default of \"{shown}\" can't be a resource"), String::new())
            }
        })?,
        (None, None) if decl.ty.is_none() => {
            let hint = "give it a type or a default".to_owned();
            return Err(error(format!("the configuration value \"{shown}\" has no type"), hint));
        }
        (None, None) => {
            let hint = format!("set it with: config set {short} <value>");
            return Err(error(format!("the configuration value \"{shown}\" is not set"), hint));
        }
    };
    if let Some(ty) = decl.ty.as_ref().and_then(|ty| ConfigType::parse(&ty.value)) {
        let items = decl.items.as_ref().and_then(|items| ConfigType::parse(&items.value));
        let ty = match (ty, items) {
            (ConfigType::List(None), Some(items)) => ConfigType::List(Some(Box::new(items))),
            (ty, _) => ty,
        };
        if !ty.accepts(&value.value) {
            let found = match kind_of(&value.value) {
                "a list" => String::new(),
                found => format!(", not {found}"),
            };
            let message = format!("the configuration value \"{shown}\" must be {}{found}", ty.name());
            return Err(error(message, format!("change it with: config set {short} <value>")));
        }
    }
    value.secret |= decl.secret.as_ref().is_some_and(|flag| flag.value);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_what_they_look_like() {
        let table = [
            ("5", "Number(5.0)"),
            ("-7", "Number(-7.0)"),
            ("0", "Number(0.0)"),
            ("0.5", "Number(0.5)"),
            ("007", "Text(\"007\")"),
            ("00", "Text(\"00\")"),
            ("1e3", "Number(1000.0)"),
            ("t", "Bool(true)"),
            ("False", "Bool(false)"),
            ("yes", "Text(\"yes\")"),
            ("", "Text(\"\")"),
            ("nan", "Text(\"nan\")"),
            ("inf", "Text(\"inf\")"),
            ("null", "Null"),
            ("\"5\"", "Text(\"5\")"),
            ("[1", "Text(\"[1\")"),
        ];
        for (text, expected) in table {
            assert_eq!(format!("{:?}", inferred(text)), expected, "{text}");
        }
        let Value::Object(fields) = inferred("{\"a\": [1, \"5\"]}") else { panic!("an object") };
        let Value::List(items) = &fields["a"].value else { panic!("a list") };
        assert!(matches!(items[1].value, Value::Text(_)));
    }

    #[test]
    fn types_are_read_and_applied() {
        for (name, text, fits) in [
            ("integer", "5", true),
            ("Int", "5.5", false),
            ("string", "5", true),
            ("boolean", "5", false),
            ("List<string>", "[\"a\"]", true),
            ("list< number >", "[\"a\"]", false),
            ("array", "[\"a\"]", true),
            ("object", "[]", false),
        ] {
            let ty = ConfigType::parse(name).unwrap();
            assert_eq!(ty.accepts(&inferred(text)), fits, "{name} {text}");
        }
        assert_eq!(ConfigType::parse("text"), None);
    }
}
