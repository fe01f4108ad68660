//! The configuration of packs: what schemas say by default, what the pack says, what the user says.

use std::collections::BTreeMap;

use purlin_diag::Diagnostic;
use purlin_ports::Enforcement;
use serde_json::{Map, Value, json};

/// The name that stands for all policies.
const ALL: &str = "all";
/// The key of a policy's level in its configuration.
const LEVEL: &str = "enforcementLevel";
/// The key under which a file names environments whose values go to the pack.
const ENVIRONMENTS: &str = "environments";

/// The levels by the words of the ecosystem.
const LEVELS: [(&str, Enforcement); 4] = [
    ("advisory", Enforcement::Advisory),
    ("mandatory", Enforcement::Mandatory),
    ("remediate", Enforcement::Remediate),
    ("disabled", Enforcement::Disabled),
];

/// What is configured of one policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PolicyConfig {
    /// How much it matters; `None` leaves that as it is.
    pub(crate) level: Option<Enforcement>,
    /// Its properties.
    pub(crate) properties: Map<String, Value>,
}

/// What the user configures of a pack: policies by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackConfig(pub(crate) BTreeMap<String, PolicyConfig>);

/// What a policy says of its own configuration.
#[derive(Clone, Debug)]
pub(crate) struct PolicyDeclaration {
    pub(crate) name: String,
    pub(crate) level: Enforcement,
    /// The schemas of its properties, if it has any.
    pub(crate) properties: Map<String, Value>,
    pub(crate) required: Vec<String>,
}

fn level_of(word: &str) -> Option<Enforcement> {
    LEVELS.iter().find(|(known, _)| *known == word).map(|(_, level)| *level)
}

impl PackConfig {
    /// Reads a file of configuration: a JSON object of levels, or of objects with properties, by
    /// the names of policies. `file` names it in complaints. An empty text configures nothing.
    pub fn parse(file: &str, text: &str) -> Result<PackConfig, Diagnostic> {
        let refused = |what: String| {
            Diagnostic::error("policy-config", format!("{file}: {what}")).with_hint(
                "give each policy a level (advisory, mandatory, remediate, disabled) or an object with an \
                 \"enforcementLevel\" and its properties",
            )
        };
        if text.trim().is_empty() {
            return Ok(PackConfig::default());
        }
        let config: Map<String, Value> = serde_json::from_str(text).map_err(|e| refused(e.to_string()))?;
        let mut policies = BTreeMap::new();
        for (name, value) in config {
            let level = |word: &Value| {
                word.as_str()
                    .and_then(level_of)
                    .ok_or_else(|| refused(format!("{word} is no enforcement level of '{name}'")))
            };
            let policy = match value {
                _ if name == ENVIRONMENTS => {
                    return Err(refused(
                        "environments for policy packs are not supported by this backend".to_owned(),
                    ));
                }
                Value::String(_) => PolicyConfig { level: Some(level(&value)?), properties: Map::new() },
                Value::Object(mut properties) => {
                    let level = properties.shift_remove(LEVEL).map(|word| level(&word)).transpose()?;
                    PolicyConfig { level, properties }
                }
                other => {
                    return Err(refused(format!("'{name}' is to be a text or an object, not {other}")));
                }
            };
            policies.insert(name, policy);
        }
        Ok(PackConfig(policies))
    }
}

/// Puts together what schemas, the pack and the user say, in this order, and holds it against the
/// schemas. Complaints name policies.
pub(crate) fn settled(
    declared: &[PolicyDeclaration],
    initial: &PackConfig,
    given: &PackConfig,
) -> Result<BTreeMap<String, PolicyConfig>, Vec<String>> {
    let mut settled: BTreeMap<String, PolicyConfig> = BTreeMap::new();
    for policy in declared {
        let defaults = policy.properties.iter().filter_map(|(key, schema)| {
            let default = schema.get("default")?;
            Some((key.clone(), default.clone()))
        });
        let config = PolicyConfig { level: Some(policy.level), properties: defaults.collect() };
        settled.insert(policy.name.clone(), config);
    }
    apply(&mut settled, initial);
    apply(&mut settled, given);
    let mut complaints = Vec::new();
    for policy in declared {
        let properties = settled.get(&policy.name).map(|c| c.properties.clone()).unwrap_or_default();
        complaints.extend(violations(policy, properties));
    }
    if complaints.is_empty() { Ok(settled) } else { Err(complaints) }
}

fn apply(settled: &mut BTreeMap<String, PolicyConfig>, config: &PackConfig) {
    if let Some(level) = config.0.get(ALL).and_then(|all| all.level) {
        settled.values_mut().for_each(|policy| policy.level = Some(level));
    }
    for (name, given) in &config.0 {
        let policy = settled.entry(name.clone()).or_default();
        policy.level = given.level.or(policy.level);
        policy.properties.extend(given.properties.clone());
    }
}

fn violations(policy: &PolicyDeclaration, properties: Map<String, Value>) -> Vec<String> {
    let mut schema = json!({ "type": "object" });
    if !policy.properties.is_empty() {
        schema["properties"] = Value::Object(policy.properties.clone());
    }
    if !policy.required.is_empty() {
        schema["required"] = policy.required.clone().into();
    }
    const PLACE: &str = "file:///policy.json";
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.set_default_draft(boon::Draft::V7);
    let wrong = |error: boon::CompileError| vec![format!("{}: its schema is wrong: {error}", policy.name)];
    if let Err(error) = compiler.add_resource(PLACE, schema) {
        return wrong(error);
    }
    let known = match compiler.compile(PLACE, &mut schemas) {
        Ok(known) => known,
        Err(error) => return wrong(error),
    };
    let instance = Value::Object(properties);
    let mut complaints = Vec::new();
    if let Err(error) = schemas.validate(&instance, known) {
        gather(&policy.name, &error, &mut complaints);
    }
    complaints
}

/// The complaints at the ends of a tree of them: those above only say that there are some below.
fn gather(policy: &str, error: &boon::ValidationError<'_, '_>, complaints: &mut Vec<String>) {
    if error.causes.is_empty() {
        let place = error.instance_location.to_string();
        let place = place.trim_start_matches('/').replace('/', ".");
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        complaints.push(format!("{policy}: {place}{}", error.kind));
    }
    for cause in &error.causes {
        gather(policy, cause, complaints);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Vec<PolicyDeclaration> {
        let properties = json!({
            "max": { "type": "integer", "default": 3 },
            "names": { "type": "array", "items": { "type": "string", "minLength": 2 } },
        });
        let Value::Object(properties) = properties else { panic!("an object") };
        vec![
            PolicyDeclaration {
                name: "sizes".into(),
                level: Enforcement::Advisory,
                properties,
                required: vec!["max".into()],
            },
            PolicyDeclaration {
                name: "tags".into(),
                level: Enforcement::Mandatory,
                properties: Map::new(),
                required: vec![],
            },
        ]
    }

    #[test]
    fn the_user_comes_after_the_pack_and_the_pack_after_the_schema() {
        let initial = PackConfig::parse("p", r#"{"sizes": {"max": 4}, "tags": "disabled"}"#).unwrap();
        let given = PackConfig::parse("f", r#"{"all": "mandatory", "sizes": {"names": ["ab"]}}"#).unwrap();
        let both = settled(&declared(), &initial, &given).unwrap();
        assert_eq!(Value::Object(both["sizes"].properties.clone()), json!({"max": 4, "names": ["ab"]}));
        assert_eq!(both["sizes"].level, Some(Enforcement::Mandatory));
        assert_eq!(both["tags"].level, Some(Enforcement::Mandatory));
        let alone = settled(&declared(), &initial, &PackConfig::parse("f", " ").unwrap()).unwrap();
        assert_eq!(alone["tags"].level, Some(Enforcement::Disabled));
        assert_eq!(alone["sizes"].level, Some(Enforcement::Advisory));
        let plain = settled(&declared(), &PackConfig::default(), &PackConfig::default()).unwrap();
        assert_eq!(Value::Object(plain["sizes"].properties.clone()), json!({"max": 3}));
    }

    #[test]
    fn a_policy_may_set_its_own_level_beside_that_of_all() {
        let given = PackConfig::parse("f", r#"{"all": "disabled", "tags": "advisory"}"#).unwrap();
        let both = settled(&declared(), &PackConfig::default(), &given).unwrap();
        assert_eq!(both["sizes"].level, Some(Enforcement::Disabled));
        assert_eq!(both["tags"].level, Some(Enforcement::Advisory));
    }

    #[test]
    fn what_the_schema_does_not_allow_is_named() {
        let given = PackConfig::parse("f", r#"{"sizes": {"max": "many", "names": ["a"]}}"#).unwrap();
        let complaints = settled(&declared(), &PackConfig::default(), &given).unwrap_err();
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints.iter().any(|c| c.starts_with("sizes: max: ")), "{complaints:?}");
        assert!(complaints.iter().any(|c| c.starts_with("sizes: names.0: ")), "{complaints:?}");
    }

    #[test]
    fn a_file_that_is_no_configuration_is_refused_with_its_name() {
        for text in ["[]", "{", r#"{"a": 1}"#, r#"{"a": "loud"}"#, r#"{"a": {"enforcementLevel": 2}}"#] {
            let refused = PackConfig::parse("levels.json", text).unwrap_err();
            assert!(refused.message.starts_with("levels.json: "), "{text}: {refused}");
        }
        let refused = PackConfig::parse("f", r#"{"environments": ["prod"]}"#).unwrap_err();
        assert!(refused.message.contains("environments"), "{refused}");
    }
}
