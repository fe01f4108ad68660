//! What differs between a resource's state and new inputs, and what must be replaced for it.
//!
//! The comparison is between the outputs of the state and what the outputs will be, so that an
//! input given in the value that counts anyway is no change.

use purlin_model::diff::same_value;
use purlin_model::{PropertyMap, PropertyValue};
use purlin_ports::{DiffArgs, DiffChanges, DiffResult};

use super::planned::{as_text, planned};
use super::spec::{Change, Fallback, Input, Spec};

/// What differs. `Err` names an input that has no right value.
pub(super) fn diff(spec: &Spec, args: &DiffArgs) -> Result<DiffResult, String> {
    let mut diffs = Vec::new();
    let mut replaces = Vec::new();
    for input in spec.inputs {
        if args.ignore_changes.iter().any(|path| path == input.name) {
            continue;
        }
        let new = planned(input, &args.new_inputs)
            .map_err(|reason| format!("property \"{}\" {reason}", input.name))?;
        let old = recorded(input, &args.old_outputs);
        match compare(input.change, old.as_deref(), new.as_ref().map(PropertyValue::plain)) {
            Outcome::Same => {}
            Outcome::Update => diffs.push(input.name.to_owned()),
            Outcome::Replace => {
                diffs.push(input.name.to_owned());
                replaces.push(input.name.to_owned());
            }
        }
    }
    let changes = if diffs.is_empty() { DiffChanges::None } else { DiffChanges::Some };
    Ok(DiffResult { changes, diffs, replaces, detailed: None, delete_before_replace: false })
}

/// The value that the state has for an input. States of older releases lack properties that came
/// later; there counts what an absent input means.
pub(super) fn recorded<'a>(input: &Input, outputs: &'a PropertyMap) -> Option<Recorded<'a>> {
    if let Some(value) = outputs.get(input.name).map(PropertyValue::plain)
        && *value != PropertyValue::Null
    {
        return Some(Recorded::Kept(value));
    }
    let filled = match input.fallback {
        Fallback::Absent => return None,
        Fallback::Required if input.name == "length" && outputs.contains_key("result") => {
            PropertyValue::Number(as_text(outputs, "result").len() as f64)
        }
        Fallback::Required => return None,
        Fallback::Integer(number) => PropertyValue::Number(number as f64),
        Fallback::Flag(flag) => flag.into(),
        Fallback::Text(text) => text.into(),
        Fallback::Numeric => {
            let other = if input.name == "number" { "numeric" } else { "number" };
            match outputs.get(other).map(PropertyValue::plain) {
                Some(value @ PropertyValue::Bool(_)) => value.clone(),
                _ => true.into(),
            }
        }
    };
    Some(Recorded::Filled(filled))
}

/// A value out of the state, or in its place.
pub(super) enum Recorded<'a> {
    /// The state has it.
    Kept(&'a PropertyValue),
    /// The state lacks it and this counts.
    Filled(PropertyValue),
}

impl std::ops::Deref for Recorded<'_> {
    type Target = PropertyValue;

    fn deref(&self) -> &PropertyValue {
        match self {
            Recorded::Kept(value) => value,
            Recorded::Filled(value) => value,
        }
    }
}

enum Outcome {
    Same,
    Update,
    Replace,
}

fn compare(change: Change, old: Option<&PropertyValue>, new: Option<&PropertyValue>) -> Outcome {
    let empty = PropertyValue::String(String::new());
    let same = match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) => same_value(old, new),
        (Some(one), None) | (None, Some(one)) => change == Change::ReplaceUnlessEmpty && *one == empty,
    };
    if same {
        return Outcome::Same;
    }
    let update = match change {
        Change::Replace | Change::ReplaceUnlessEmpty => false,
        Change::OverrideSpecial => {
            new == Some(&PropertyValue::Unknown) || (new.is_none() && old == Some(&empty))
        }
        Change::Keepers => only_empty_keepers(old, new),
    };
    if update { Outcome::Update } else { Outcome::Replace }
}

/// Whether keepers differ only in keys without a value, or in there being none at all.
fn only_empty_keepers(old: Option<&PropertyValue>, new: Option<&PropertyValue>) -> bool {
    let entries = |value: Option<&'_ PropertyValue>| match value {
        None => Some(PropertyMap::new()),
        Some(PropertyValue::Object(map)) => Some(map.clone()),
        Some(_) => None,
    };
    let (Some(old), Some(new)) = (entries(old), entries(new)) else {
        return false;
    };
    old.keys().all(|key| new.contains_key(key))
        && new.iter().all(|(key, value)| match old.get(key) {
            Some(old_value) => same_value(old_value, value),
            None => *value.plain() == PropertyValue::Null,
        })
}
