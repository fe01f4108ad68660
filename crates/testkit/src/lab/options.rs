//! The options of a line of a program, `@option` or `@option=value`.

use purlin_model::{Alias, AliasParent, Goal, ProviderRef, Urn};
use purlin_ports::MonitorError;

use super::program::Made;
use super::text::{self, Expr};

/// Options in the order in which they were given. What may be given several times adds up.
#[derive(Clone, Debug, Default)]
pub struct Options(Vec<(String, String, Option<Expr>)>);

/// Every option there is.
const ALL: [&str; 40] = [
    "alias",
    "as",
    "dbr",
    "deletedWith",
    "deps",
    "early",
    "hide",
    "hook",
    "id",
    "ignore",
    "import",
    "package",
    "parent",
    "protect",
    "provider",
    "providers",
    "remote",
    "replaceOn",
    "replaceWith",
    "retain",
    "secretOutputs",
    "self",
    "timeout",
    "trigger",
    "try",
    "type",
    "url",
    "version",
    "position",
    "trace",
    "noparent",
    "extends",
    "extra",
    "base",
    "dry",
    "quiet",
    "wrong",
    "retries",
    "outputs",
    "properties",
];

/// Those whose value names resources.
const NAMING: [&str; 9] =
    ["deletedWith", "deps", "parent", "provider", "providers", "replaceWith", "self", "id", "trigger"];

impl Options {
    /// Reads `option` and `option=value`.
    pub fn read(words: &[String]) -> Result<Options, String> {
        let mut options = Vec::new();
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            if !ALL.contains(&key) {
                return Err(format!("there is no option '@{key}'"));
            }
            let parsed = matches!(key, "id" | "trigger").then(|| text::expr(value)).transpose()?;
            options.push((key.to_owned(), value.to_owned(), parsed));
        }
        Ok(Options(options))
    }

    /// Whether an option is given.
    pub fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(k, _, _)| k == key)
    }

    /// The latest value of an option.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _, _)| k == key).map(|(_, value, _)| value.as_str())
    }

    /// The latest value of an option that is a value.
    pub fn value(&self, key: &str) -> Option<&Expr> {
        self.0.iter().rev().find(|(k, _, _)| k == key).and_then(|(_, _, value)| value.as_ref())
    }

    /// All values of an option, cut at commas.
    pub fn list(&self, key: &str) -> Vec<String> {
        let all = self.0.iter().filter(|(k, _, _)| k == key);
        all.flat_map(|(_, value, _)| value.split(',').filter(|v| !v.is_empty()).map(str::to_owned)).collect()
    }

    /// All values of an option, whole.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _, _)| k == key).map(|(_, value, _)| value.as_str())
    }

    /// The names of resources that the options mention.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (key, value, parsed) in &self.0 {
            if let Some(value) = parsed {
                value.names(&mut names);
            } else if NAMING.contains(&key.as_str()) {
                names.extend(value.split(',').map(str::to_owned));
            } else if key == "alias" {
                names.extend(
                    value.split('+').filter_map(|part| part.strip_prefix("parent:")).map(str::to_owned),
                );
            }
        }
        names
    }

    /// Whether an option is on: given without value or with `true`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.text(key).map(|value| value != "false")
    }
}

type UrnOf<'a> = &'a dyn Fn(&str) -> Result<Urn, MonitorError>;

/// Puts options into a goal.
pub fn apply(
    options: &Options,
    goal: &mut Goal,
    urn_of: UrnOf<'_>,
    made: &dyn Fn(&str) -> Option<Made>,
) -> Result<(), MonitorError> {
    let urns = |key: &str| options.list(key).iter().map(|name| urn_of(name)).collect::<Result<Vec<Urn>, _>>();
    if let Some(parent) = options.text("parent") {
        goal.parent = if parent == "none" { None } else { Some(urn_of(parent)?) };
    }
    goal.dependencies.extend(urns("deps")?);
    goal.replace_with = urns("replaceWith")?;
    goal.deleted_with = urns("deletedWith")?.into_iter().next();
    goal.provider = options
        .text("provider")
        .and_then(|name| ProviderRef::parse(name).or_else(|| made(name).map(|made| made.provider())));
    goal.protect = options.flag("protect");
    goal.retain_on_delete = options.flag("retain");
    goal.delete_before_replace = options.flag("dbr");
    goal.ignore_changes = options.list("ignore");
    goal.replace_on_changes = options.list("replaceOn");
    goal.additional_secret_outputs = options.list("secretOutputs");
    goal.hide_diffs = options.list("hide");
    goal.import_id = options.text("import").unwrap_or_default().to_owned();
    if let Some(trigger) = options.value("trigger") {
        goal.replacement_trigger =
            trigger.value(&|name, property| super::program::property(made(name), property));
    }
    for alias in options.all("alias") {
        goal.aliases.push(alias_of(alias, urn_of)?);
    }
    for hook in options.all("hook") {
        let (kind, name) = hook.split_once(':').unwrap_or((hook, hook));
        goal.resource_hooks.by_kind.entry(kind.to_owned()).or_default().push(name.to_owned());
    }
    if let Some(seconds) = options.text("timeout").and_then(|text| text.parse().ok()) {
        let all = &mut goal.custom_timeouts;
        (all.create, all.update, all.delete) = (seconds, seconds, seconds);
    }
    goal.source_position = options.text("position").map(Into::into);
    goal.stack_trace = options.list("trace").into_iter().map(Into::into).collect();
    Ok(())
}

/// `urn:…`, or parts joined by `+`: `name:old`, `type:a:b:C`, `stack:s`, `project:p`, `parent:x`,
/// `noparent`.
fn alias_of(text: &str, urn_of: UrnOf<'_>) -> Result<Alias, MonitorError> {
    if let Some(urn) = Urn::parse(text) {
        return Ok(Alias::Urn(urn));
    }
    let (mut name, mut ty, mut stack, mut project, mut parent) = (None, None, None, None, AliasParent::Same);
    for part in text.split('+') {
        match part.split_once(':').unwrap_or((part, "")) {
            ("name", value) => name = Some(value.to_owned()),
            ("type", value) => ty = Some(value.to_owned()),
            ("stack", value) => stack = Some(value.to_owned()),
            ("project", value) => project = Some(value.to_owned()),
            ("parent", _) => parent = AliasParent::Urn(urn_of(&part["parent:".len()..])?),
            ("noparent", _) => parent = AliasParent::None,
            (other, _) => return Err(MonitorError::Invalid(format!("an alias has no part '{other}'"))),
        }
    }
    Ok(Alias::Spec { name, ty, stack, project, parent })
}
