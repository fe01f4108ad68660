//! The configuration of names: `pulumi:autonaming`.

use std::collections::BTreeMap;

use purlin_diag::Diagnostic;
use purlin_model::autonaming::{Autonaming, Naming, PackageNaming};

use super::path::{self, ConfigPath, Segment};
use super::resolve::ResolvedConfig;
use crate::suggest::nearest;
use crate::value::{Object, Value};

/// The key.
const KEY: &str = "pulumi:autonaming";

/// What patterns may name.
#[derive(Clone, Copy, Debug)]
pub struct NamingContext<'a> {
    /// The stack's organization.
    pub organization: &'a str,
    /// The project.
    pub project: &'a str,
    /// The stack.
    pub stack: &'a str,
    /// The configuration.
    pub config: &'a [ResolvedConfig],
}

/// How resources are to be named, if the configuration says it.
pub fn autonaming(context: NamingContext<'_>) -> Result<Option<Autonaming>, Diagnostic> {
    let Some(given) = context.config.iter().find(|c| c.key.to_string() == KEY) else { return Ok(None) };
    let parsed = serde_json::from_str(&given.text).map(|json| Value::from_json(&json));
    let value = parsed.map_err(|_| problem(KEY, "it is no object"))?;
    Reader { context }.section(&value).map(Some)
}

fn problem(place: &str, what: &str) -> Diagnostic {
    Diagnostic::error("autonaming-config", format!("invalid autonaming config structure: {place}: {what}")).with_hint(
        "give `mode` (default, verbatim or disabled) or `pattern` and `enforce`, and under `providers` the same by \
         package and, in its `resources`, by type token",
    )
}

struct Reader<'a> {
    context: NamingContext<'a>,
}

const OWN: [&str; 3] = ["mode", "pattern", "enforce"];

impl Reader<'_> {
    fn section(&self, value: &Value) -> Result<Autonaming, Diagnostic> {
        let object = object(KEY, value, &["mode", "pattern", "enforce", "providers"])?;
        let default = self.naming(KEY, object)?.unwrap_or_default();
        let mut packages = BTreeMap::new();
        for (package, value) in members(&format!("{KEY}.providers"), object.get("providers"))? {
            let place = format!("{KEY}.providers.{package}");
            packages.insert(package.clone(), self.package(&place, value, &default)?);
        }
        Ok(Autonaming { default, packages })
    }

    fn package(&self, place: &str, value: &Value, default: &Naming) -> Result<PackageNaming, Diagnostic> {
        let object = object(place, value, &["mode", "pattern", "enforce", "resources"])?;
        let own = self.naming(place, object)?;
        let mut resources = BTreeMap::new();
        for (token, value) in members(&format!("{place}.resources"), object.get("resources"))? {
            let place = format!("{place}.resources.\"{token}\"");
            let naming = self.naming(&place, self::object(&place, value, &OWN)?)?;
            let naming = naming.ok_or_else(|| problem(&place, "mode or pattern must be specified"))?;
            resources.insert(token.clone(), naming);
        }
        // An entry for a package is about its resources, even if it says no more than what holds for all.
        let default = own.unwrap_or_else(|| default.clone());
        Ok(PackageNaming { default, specific: true, resources })
    }

    /// The way that an object gives; `None` if it gives none.
    fn naming(&self, place: &str, object: &Object) -> Result<Option<Naming>, Diagnostic> {
        let given = |key: &str| object.get(key).filter(|value| !value.is_null());
        let (mode, pattern, enforce) = (given("mode"), given("pattern"), given("enforce"));
        if mode.is_some() && (pattern.is_some() || enforce.is_some()) {
            return Err(problem(place, "cannot specify both mode and pattern/enforce"));
        }
        let enforce = match enforce.map(Value::as_bool) {
            None => None,
            Some(Some(enforce)) => Some(enforce),
            Some(None) => return Err(problem(place, "enforce is true or false")),
        };
        if let Some(pattern) = pattern {
            let text = pattern.as_str().ok_or_else(|| problem(place, "the pattern is no text"))?;
            let pattern = self.resolve(place, text)?;
            return Ok(Some(Naming::Pattern { pattern, enforce: enforce.unwrap_or(false) }));
        }
        if enforce.is_some() {
            return Err(problem(place, "pattern must be specified when enforce is given"));
        }
        match mode.map(|mode| mode.as_str().unwrap_or_default()) {
            None => Ok(None),
            Some("default") => Ok(Some(Naming::Default)),
            Some("verbatim") => Ok(Some(Naming::Verbatim)),
            Some("disabled") => Ok(Some(Naming::Disabled)),
            Some(other) => Err(problem(place, &format!("invalid naming mode: {other}"))),
        }
    }

    /// A pattern with what is known of the stack filled in.
    fn resolve(&self, place: &str, pattern: &str) -> Result<String, Diagnostic> {
        let context = self.context;
        let mut rest = pattern
            .replace("${organization}", context.organization)
            .replace("${project}", context.project)
            .replace("${stack}", context.stack);
        let mut text = String::new();
        while let Some((start, key, end)) = config_expression(&rest) {
            let value = self.config_value(key).ok_or_else(|| {
                problem(place, &format!("no value found for key \"{key}\" of project {}", context.project))
            })?;
            text.push_str(&rest[..start]);
            text.push_str(&value);
            rest.drain(..end);
        }
        text.push_str(&rest);
        Ok(text)
    }

    /// A value of the project's configuration, by key or by path into it.
    fn config_value(&self, key: &str) -> Option<String> {
        let of = |name: &str| {
            let mut all = self.context.config.iter();
            all.find(|c| c.key.namespace() == self.context.project && c.key.name() == name)
        };
        if let Some(found) = of(key) {
            return Some(found.text.clone());
        }
        let path = ConfigPath::parse(key).ok()?;
        let (Segment::Name(first), inner) = path.split_first()? else { return None };
        let whole = Value::from_json(&serde_json::from_str(&of(first)?.text).ok()?);
        let value = path::get(&whole, &inner.0)?;
        Some(value.as_str().map_or_else(|| value.to_canonical_json(), str::to_owned))
    }
}

/// The first `${config.key}`: where it starts, the key, where it ends.
fn config_expression(pattern: &str) -> Option<(usize, &str, usize)> {
    const OPENING: &str = "${config.";
    let mut from = 0;
    while let Some(at) = pattern[from..].find(OPENING) {
        let (start, inner) = (from + at, from + at + OPENING.len());
        let length = pattern[inner..].find('}')?;
        if length > 0 {
            return Some((start, &pattern[inner..inner + length], inner + length + 1));
        }
        from = inner;
    }
    None
}

/// An object with none but known keys.
fn object<'v>(place: &str, value: &'v Value, known: &[&str]) -> Result<&'v Object, Diagnostic> {
    let object = value.as_object().ok_or_else(|| problem(place, "it is no object"))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(object),
        Some(unknown) => {
            let guess = nearest(unknown, known.iter().copied());
            let guess = guess.map(|guess| format!("; did you mean \"{guess}\"?")).unwrap_or_default();
            Err(problem(place, &format!("unknown field \"{unknown}\"{guess}")))
        }
    }
}

fn members<'v>(
    place: &str,
    value: Option<&'v Value>,
) -> Result<impl Iterator<Item = (&'v String, &'v Value)>, Diagnostic> {
    let object = match value {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_object().ok_or_else(|| problem(place, "it is no object"))?),
    };
    Ok(object.into_iter().flatten())
}
