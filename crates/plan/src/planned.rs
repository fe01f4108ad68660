//! Update plans, resource by resource: made from what a program wants, and held against it.
//!
//! Everything but property values must agree exactly. A value that the plan doesn't know agrees
//! with any, the lack of one included.

use std::collections::BTreeSet;

use purlin_model::update_plan::{PlannedDiff, PlannedGoal, ResourcePlan};
use purlin_model::{Goal, PropertyMap, PropertyValue, ProviderRef, ReferenceId, ResourceState, UNKNOWN_ID};

/// What a program wants, with its provider settled and its inputs checked.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'g> {
    /// The goal.
    pub goal: &'g Goal,
    /// The provider; `None` for components.
    pub provider: Option<&'g ProviderRef>,
    /// The inputs of the state that it goes on from; empty where there is none.
    pub old_inputs: &'g PropertyMap,
    /// The checked inputs.
    pub inputs: &'g PropertyMap,
}

impl Wanted<'_> {
    /// What is wanted, as a plan has it.
    pub fn planned(&self) -> PlannedGoal {
        let goal = self.goal;
        PlannedGoal {
            ty: goal.ty.clone(),
            name: goal.name.clone(),
            custom: goal.custom,
            inputs: planned_diff(self.old_inputs, self.inputs),
            outputs: PlannedDiff::default(),
            parent: goal.parent.clone(),
            protect: goal.protect.unwrap_or(false),
            dependencies: goal.dependencies.clone(),
            provider: self.provider.cloned(),
            property_dependencies: goal.property_dependencies.clone(),
            delete_before_replace: goal.delete_before_replace,
            ignore_changes: goal.ignore_changes.clone(),
            additional_secret_outputs: goal.additional_secret_outputs.clone(),
            aliases: goal.aliases.clone(),
            import_id: goal.import_id.clone(),
            custom_timeouts: goal.custom_timeouts,
        }
    }

    /// How what is wanted violates the plan of its resource, if it does.
    pub fn violation(&self, plan: &ResourcePlan) -> Option<String> {
        let Some(planned) = &plan.goal else {
            return Some("resource unexpectedly not deleted".to_owned());
        };
        self.option_violation(planned)
            .or_else(|| diff_violation(self.old_inputs, self.inputs, &planned.inputs))
            .or_else(|| {
                // A property that the plan doesn't know may come to nothing and leave its
                // dependencies out.
                let mut both = planned
                    .property_dependencies
                    .iter()
                    .filter_map(|(key, urns)| Some((key, urns, self.goal.property_dependencies.get(key)?)));
                both.find_map(|(key, planned, actual)| {
                    sets_differ(planned, actual).map(|how| format!("dependencies for {key} changed: {how}"))
                })
            })
    }

    /// How what is wanted violates a plan that says nothing of the resource: such a one may not
    /// change.
    pub fn unplanned_violation(&self, old: &ResourceState) -> Option<String> {
        let kept = PlannedGoal {
            inputs: PlannedDiff::default(),
            parent: old.parent.clone(),
            protect: old.protect,
            dependencies: old.dependencies.clone(),
            provider: old.provider.clone(),
            property_dependencies: old.property_dependencies.clone(),
            ignore_changes: old.ignore_changes.clone(),
            additional_secret_outputs: old.additional_secret_outputs.clone(),
            custom: old.custom,
            custom_timeouts: old.custom_timeouts,
            // What states don't keep can't be seen to change.
            ..self.planned()
        };
        self.violation(&ResourcePlan { goal: Some(kept), ..ResourcePlan::default() })
    }

    fn option_violation(&self, planned: &PlannedGoal) -> Option<String> {
        let goal = self.goal;
        if goal.ty != planned.ty || goal.name != planned.name {
            return Some(format!("type or name changed (expected {} {})", planned.ty, planned.name));
        }
        if goal.custom != planned.custom {
            let expected = if planned.custom { "custom" } else { "component" };
            return Some(format!("resource kind changed (expected {expected})"));
        }
        if !same_provider(planned.provider.as_ref(), self.provider) {
            let expected = planned.provider.as_ref().map(ToString::to_string).unwrap_or_default();
            return Some(format!("provider changed (expected {expected})"));
        }
        if goal.parent != planned.parent {
            let expected = planned.parent.as_ref().map(ToString::to_string).unwrap_or_default();
            return Some(format!("parent changed (expected {expected})"));
        }
        if goal.protect.unwrap_or(false) != planned.protect {
            return Some(format!("protect changed (expected {})", planned.protect));
        }
        if goal.delete_before_replace != planned.delete_before_replace {
            let expected = planned.delete_before_replace.map_or("no value".to_owned(), |dbr| dbr.to_string());
            return Some(format!("deleteBeforeReplace changed (expected {expected})"));
        }
        if goal.import_id != planned.import_id {
            return Some(format!("importID changed (expected {})", planned.import_id));
        }
        self.timeout_violation(planned).or_else(|| self.list_violation(planned))
    }

    #[expect(clippy::float_cmp, reason = "timeouts are copied, not computed")]
    fn timeout_violation(&self, planned: &PlannedGoal) -> Option<String> {
        let (actual, planned) = (&self.goal.custom_timeouts, &planned.custom_timeouts);
        let each = [
            ("create", actual.create, planned.create),
            ("update", actual.update, planned.update),
            ("delete", actual.delete, planned.delete),
            ("read", actual.read, planned.read),
        ];
        let (what, _, expected) = each.into_iter().find(|(_, actual, planned)| actual != planned)?;
        Some(format!("{what} timeout changed (expected {expected})"))
    }

    fn list_violation(&self, planned: &PlannedGoal) -> Option<String> {
        let goal = self.goal;
        sets_differ(&planned.ignore_changes, &goal.ignore_changes)
            .map(|how| format!("ignoreChanges changed: {how}"))
            .or_else(|| {
                sets_differ(&planned.additional_secret_outputs, &goal.additional_secret_outputs)
                    .map(|how| format!("additionalSecretOutputs changed: {how}"))
            })
            .or_else(|| {
                sets_differ(&planned.dependencies, &goal.dependencies)
                    .map(|how| format!("dependencies changed: {how}"))
            })
            .or_else(|| {
                let texts = |aliases: &[purlin_model::Alias]| -> Vec<String> {
                    aliases.iter().map(alias_text).collect()
                };
                sets_differ(&texts(&planned.aliases), &texts(&goal.aliases))
                    .map(|how| format!("aliases changed: {how}"))
            })
    }
}

fn alias_text(alias: &purlin_model::Alias) -> String {
    match alias {
        purlin_model::Alias::Urn(urn) => urn.to_string(),
        purlin_model::Alias::Spec { name, ty, stack, project, parent } => {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            let parent = match parent {
                purlin_model::AliasParent::Same => "the same parent".to_owned(),
                purlin_model::AliasParent::None => "no parent".to_owned(),
                purlin_model::AliasParent::Urn(urn) => urn.to_string(),
            };
            format!("{{{} {} {} {} {parent}}}", part(name), part(ty), part(stack), part(project))
        }
    }
}

/// A provider's id need not agree where the plan didn't know it.
fn same_provider(planned: Option<&ProviderRef>, actual: Option<&ProviderRef>) -> bool {
    match (planned, actual) {
        (Some(planned), Some(actual)) => {
            planned == actual || (planned.urn() == actual.urn() && planned.id() == UNKNOWN_ID)
        }
        (None, None) => true,
        _ => false,
    }
}

/// What two lists, taken as sets, don't have in common.
fn sets_differ<T: Ord + std::fmt::Display>(planned: &[T], actual: &[T]) -> Option<String> {
    let (planned, actual): (BTreeSet<&T>, BTreeSet<&T>) = (planned.iter().collect(), actual.iter().collect());
    let list = |items: Vec<&&T>| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let added: Vec<_> = actual.difference(&planned).collect();
    let deleted: Vec<_> = planned.difference(&actual).collect();
    match (added.is_empty(), deleted.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("added {}", list(added))),
        (true, false) => Some(format!("deleted {}", list(deleted))),
        (false, false) => Some(format!("added {}; deleted {}", list(added), list(deleted))),
    }
}

/// What differs between two bags, as plans have it. A null is no value.
pub fn planned_diff(old: &PropertyMap, new: &PropertyMap) -> PlannedDiff {
    let change = Change::between(old, new, false);
    let own = |map: std::collections::BTreeMap<&String, &PropertyValue>| {
        map.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    PlannedDiff {
        adds: own(change.adds),
        deletes: change.deletes.into_iter().cloned().collect(),
        updates: own(change.updates),
    }
}

struct Change<'v> {
    adds: std::collections::BTreeMap<&'v String, &'v PropertyValue>,
    deletes: BTreeSet<&'v String>,
    updates: std::collections::BTreeMap<&'v String, &'v PropertyValue>,
}

impl<'v> Change<'v> {
    fn between(old: &'v PropertyMap, new: &'v PropertyMap, unknowns_agree: bool) -> Change<'v> {
        let mut change =
            Change { adds: Default::default(), deletes: Default::default(), updates: Default::default() };
        for (key, after) in new {
            match old.get(key) {
                None | Some(PropertyValue::Null) if has_value(after) => {
                    change.adds.insert(key, after);
                }
                Some(before) if !agree(before, after, unknowns_agree) => {
                    if has_value(after) {
                        change.updates.insert(key, after);
                    } else {
                        change.deletes.insert(key);
                    }
                }
                _ => {}
            }
        }
        for (key, before) in old {
            let resolved = unknowns_agree && *before == PropertyValue::Unknown;
            if !new.contains_key(key) && has_value(before) && !resolved {
                change.deletes.insert(key);
            }
        }
        change
    }
}

fn has_value(value: &PropertyValue) -> bool {
    *value != PropertyValue::Null
}

/// How a change of properties violates the one that was planned, if it does.
pub fn diff_violation(old: &PropertyMap, new: &PropertyMap, planned: &PlannedDiff) -> Option<String> {
    let change = Change::between(old, new, true);
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut violated = |key: &str, actual: char, value: Option<&PropertyValue>| {
        found.insert(entry(planned, key, actual, value));
    };
    for (key, actual) in &change.adds {
        if !planned.adds.get(key).is_some_and(|expected| agree(expected, actual, true)) {
            violated(key, '+', Some(actual));
        }
    }
    for key in &change.deletes {
        let unknown_update = planned.updates.get(key) == Some(&PropertyValue::Unknown);
        if !planned.deletes.contains(key) && !unknown_update {
            violated(key, '-', None);
        }
    }
    for (key, actual) in &change.updates {
        // What was to be added may have been added by somebody else since.
        let expected = planned.updates.get(key).or_else(|| planned.adds.get(key));
        if !expected.is_some_and(|expected| agree(expected, actual, true)) {
            violated(key, '~', Some(actual));
        }
    }
    for (key, expected) in planned.adds.iter().chain(&planned.updates) {
        let was_update = planned.updates.contains_key(key);
        if change.updates.contains_key(key) || (!was_update && change.adds.contains_key(key)) {
            continue;
        }
        match (change.adds.get(key), new.get(key)) {
            (Some(actual), _) => violated(key, '+', Some(actual)),
            (None, Some(actual)) if !agree(expected, actual, true) => violated(key, '=', Some(actual)),
            (None, None) if *expected != PropertyValue::Unknown => violated(key, '-', None),
            _ => {}
        }
    }
    for key in planned.deletes.iter().filter(|key| !change.deletes.contains(key)) {
        let op = match (change.adds.contains_key(key), change.updates.contains_key(key)) {
            (true, _) => '+',
            (_, true) => '~',
            _ => '=',
        };
        if let Some(actual) = new.get(key) {
            violated(key, op, Some(actual));
        }
    }
    let entries: Vec<String> = found.into_iter().collect();
    (!entries.is_empty()).then(|| format!("properties changed: {}", entries.join(", ")))
}

/// One property in a violation: what was planned, what is done, the name, the values.
fn entry(planned: &PlannedDiff, key: &str, actual: char, value: Option<&PropertyValue>) -> String {
    let (op, expected) = if let Some(expected) = planned.adds.get(key) {
        ('+', Some(expected))
    } else if let Some(expected) = planned.updates.get(key) {
        ('~', Some(expected))
    } else if planned.deletes.iter().any(|deleted| deleted == key) {
        ('-', None)
    } else {
        ('=', None)
    };
    let values = match (expected, value) {
        (Some(expected), Some(value)) => format!("[{}!={}]", text(expected), text(value)),
        (None, Some(value)) | (Some(value), None) => format!("[{}]", text(value)),
        (None, None) => String::new(),
    };
    format!("{op}{actual}{key}{values}")
}

/// A value as violations show it; what is secret stays so.
fn text(value: &PropertyValue) -> String {
    if matches!(value, PropertyValue::Unknown) {
        "output<string>{}".to_owned()
    } else {
        format!("{{{}}}", bare(value))
    }
}

fn bare(value: &PropertyValue) -> String {
    let texts = |items: Vec<String>| items.join(" ");
    match value {
        PropertyValue::Null => "<nil>".to_owned(),
        PropertyValue::Bool(value) => value.to_string(),
        PropertyValue::Number(value) => value.to_string(),
        PropertyValue::String(value) => value.clone(),
        PropertyValue::Bytes(bytes) => format!("{} bytes", bytes.len()),
        PropertyValue::Array(items) => format!("[{}]", texts(items.iter().map(text).collect())),
        PropertyValue::Object(map) => {
            let members = map.iter().map(|(key, value)| format!("{key}:{}", text(value))).collect();
            format!("map[{}]", texts(members))
        }
        PropertyValue::Asset(asset) => format!("asset {}", asset.hash),
        PropertyValue::Archive(archive) => format!("archive {}", archive.hash),
        PropertyValue::Secret(_) => "[secret]".to_owned(),
        PropertyValue::Output(output) if output.secret => "[secret]".to_owned(),
        PropertyValue::Output(output) => output.value.as_ref().map_or("output<string>{}".to_owned(), bare),
        PropertyValue::Unknown => "output<string>{}".to_owned(),
        PropertyValue::Reference(reference) => reference.urn.to_string(),
    }
}

/// Whether a value is the expected one. Secretness counts; assets and archives count by content.
fn agree(expected: &PropertyValue, actual: &PropertyValue, unknowns_agree: bool) -> bool {
    if unknowns_agree && (*expected == PropertyValue::Unknown || *actual == PropertyValue::Unknown) {
        return true;
    }
    match (expected, actual) {
        (PropertyValue::Array(a), PropertyValue::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| agree(x, y, unknowns_agree))
        }
        (PropertyValue::Object(a), PropertyValue::Object(b)) => {
            let change = Change::between(a, b, unknowns_agree);
            change.adds.is_empty() && change.deletes.is_empty() && change.updates.is_empty()
        }
        (PropertyValue::Secret(a), PropertyValue::Secret(b)) => agree(a, b, unknowns_agree),
        (PropertyValue::Asset(a), PropertyValue::Asset(b)) => a.same_content(b),
        (PropertyValue::Archive(a), PropertyValue::Archive(b)) => a.same_content(b),
        (PropertyValue::Reference(a), PropertyValue::Reference(b)) => {
            let unknown = [&a.id, &b.id].into_iter().any(|id| *id == Some(ReferenceId::Unknown));
            a.urn == b.urn && (a.id == b.id || (unknowns_agree && unknown))
        }
        (a, b) => a == b,
    }
}
