//! What differs between two states of a stack.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_formats::{MASK, export_deployment, signature};
use purlin_model::{ResourceState, Snapshot, Urn};
use serde_json::Value;

/// Keys of resources that say nothing about them: when and from where they were written.
const SILENT: [&str; 4] = ["created", "modified", "sourcePosition", "stackTrace"];

/// What differs, by resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDiff {
    /// Resources that only the new state has.
    pub added: Vec<Urn>,
    /// Resources that only the old state has.
    pub removed: Vec<Urn>,
    /// Resources that both have, and that differ.
    pub changed: Vec<ResourceChange>,
    /// Whether what both have stands in another order.
    pub reordered: bool,
    /// Operations whose outcome nobody knows: how many the old state has, and the new one.
    pub pending: (usize, usize),
    /// Whether another secrets manager, or one with other settings, encrypted the new state.
    pub secrets_provider_changed: bool,
}

impl StateDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && !self.reordered
            && self.pending.0 == self.pending.1
            && !self.secrets_provider_changed
    }
}

/// A resource that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChange {
    /// The resource.
    pub urn: Urn,
    /// What differs in it, sorted by path.
    pub fields: Vec<FieldChange>,
}

/// A place in a resource that differs. Secrets are masked unless they were given in clear and are to
/// be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where it is, from the resource on: `inputs.tags.owner`, `protect`.
    pub path: String,
    /// The old value; `None` if there was none.
    pub old: Option<Value>,
    /// The new value; `None` if there is none.
    pub new: Option<Value>,
}

/// What differs between two states. Secrets count as different if their ciphertexts are. With
/// `show_secrets` those that stand in clear are shown.
pub fn diff(old: &Snapshot, new: &Snapshot, show_secrets: bool) -> Result<StateDiff, Diagnostic> {
    let (before, after) = (keyed(old), keyed(new));
    let only_in = |a: &Keyed<'_>, b: &Keyed<'_>| {
        let missing = a.iter().filter(|(key, _)| !b.contains_key(*key));
        let mut missing: Vec<_> = missing.map(|((urn, ..), (place, _))| (*place, (*urn).clone())).collect();
        missing.sort();
        missing.into_iter().map(|(_, urn)| urn).collect::<Vec<_>>()
    };
    let mut differing = Vec::new();
    let mut places = Vec::new();
    for (key, (place, state)) in &before {
        let Some((new_place, new_state)) = after.get(key) else { continue };
        places.push((*place, *new_place));
        if state != new_state {
            differing.push((*place, Arc::clone(state), Arc::clone(new_state)));
        }
    }
    places.sort_unstable();
    differing.sort_by_key(|(place, ..)| *place);
    let changed = fields(&differing, show_secrets)?;
    Ok(StateDiff {
        added: only_in(&after, &before),
        removed: only_in(&before, &after),
        changed,
        reordered: !places.is_sorted_by_key(|(_, new)| *new),
        pending: (old.pending_operations.len(), new.pending_operations.len()),
        secrets_provider_changed: old.secrets_provider != new.secrets_provider,
    })
}

/// States with their places, by URN, whether they wait for deletion, and the how manieth they are.
type Keyed<'s> = BTreeMap<(&'s Urn, bool, usize), (usize, &'s Arc<ResourceState>)>;

fn keyed(snapshot: &Snapshot) -> Keyed<'_> {
    let mut keyed = Keyed::new();
    for (place, state) in snapshot.resources.iter().enumerate() {
        let mut number = 0;
        while keyed.contains_key(&(&state.urn, state.delete, number)) {
            number += 1;
        }
        keyed.insert((&state.urn, state.delete, number), (place, state));
    }
    keyed
}

type Differing = Vec<(usize, Arc<ResourceState>, Arc<ResourceState>)>;

fn fields(differing: &Differing, show_secrets: bool) -> Result<Vec<ResourceChange>, Diagnostic> {
    let old = as_json(differing.iter().map(|(_, old, _)| Arc::clone(old)).collect())?;
    let new = as_json(differing.iter().map(|(.., new)| Arc::clone(new)).collect())?;
    let mut changes = Vec::new();
    for (((_, state, _), old), new) in differing.iter().zip(old).zip(new) {
        let mut fields = Vec::new();
        compare("", Some(&old), Some(&new), show_secrets, &mut fields);
        if !fields.is_empty() {
            changes.push(ResourceChange { urn: state.urn.clone(), fields });
        }
    }
    Ok(changes)
}

/// Resources as checkpoints have them.
fn as_json(resources: Vec<Arc<ResourceState>>) -> Result<Vec<Value>, Diagnostic> {
    let snapshot = Snapshot { resources, ..Snapshot::default() };
    let text = export_deployment(Some(&snapshot)).map_err(|error| error.diagnostic())?;
    let parsed: Value = serde_json::from_str(&text)
        .map_err(|error| Diagnostic::error("state-diff", format!("the state can't be compared: {error}")))?;
    let resources = parsed.get("deployment").and_then(|deployment| deployment.get("resources"));
    let mut resources = resources.and_then(Value::as_array).cloned().unwrap_or_default();
    for resource in &mut resources {
        if let Value::Object(members) = resource {
            members.retain(|key, _| !SILENT.contains(&key.as_str()));
        }
    }
    Ok(resources)
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, show: bool, fields: &mut Vec<FieldChange>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Some(Value::Object(a)), Some(Value::Object(b))) if !is_special(a) && !is_special(b) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let at = match (path, is_plain(key)) {
                    ("", _) => key.clone(),
                    (_, true) => format!("{path}.{key}"),
                    (_, false) => format!("{path}[\"{}\"]", key.replace('"', "\\\"")),
                };
                compare(&at, a.get(key), b.get(key), show, fields);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                compare(&format!("{path}[{index}]"), a.get(index), b.get(index), show, fields);
            }
        }
        _ => fields.push(FieldChange {
            path: path.to_owned(),
            old: old.map(|value| masked(value, show)),
            new: new.map(|value| masked(value, show)),
        }),
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'))
}

fn is_special(members: &serde_json::Map<String, Value>) -> bool {
    members.contains_key(signature::KEY)
}

/// A value as it may be shown.
fn masked(value: &Value, show: bool) -> Value {
    match value {
        Value::Object(members) => {
            let signed = members.get(signature::KEY).and_then(Value::as_str);
            if signed == Some(signature::SECRET) {
                let clear = members.get("plaintext").and_then(Value::as_str).filter(|_| show);
                let parsed = clear.and_then(|text| serde_json::from_str::<Value>(text).ok());
                return parsed.map_or_else(|| MASK.into(), |value| masked(&value, show));
            }
            members.iter().map(|(key, value)| (key.clone(), masked(value, show))).collect()
        }
        Value::Array(items) => items.iter().map(|value| masked(value, show)).collect(),
        other => other.clone(),
    }
}
