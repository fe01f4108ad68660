//! What led to a step: pure bookkeeping, and only for what changes.

use std::sync::Arc;

use purlin_model::event::StepOp;
use purlin_model::{Cause, PropertyCause, QuickSet, Slot, Urn};

use crate::input::DiffFacts;
use crate::settings::Mode;
use crate::table::{Planner, ResId};

/// The name by which `replaceOnChanges` speaks of a creation that was not completed.
const INIT_ERROR: &str = "#initerror";

impl Planner {
    /// Completes the facts of an update with what led to it.
    pub(crate) fn explain_update(&self, res: ResId, facts: &mut DiffFacts) {
        if facts.cause.is_some() {
            return;
        }
        let cause = match facts.changed {
            true => self.properties(res, paths(facts, &facts.diff_keys, |_| true)),
            false => Cause::Incomplete,
        };
        facts.cause = Some(Arc::new(cause));
    }

    /// Completes the facts of a replacement with what led to it.
    pub(crate) fn explain_replacement(&self, res: ResId, facts: &mut DiffFacts) {
        if facts.cause.is_some() {
            return;
        }
        let keys = facts.replace.as_deref().unwrap_or_default();
        let cause = match keys {
            [key] if key == INIT_ERROR => Cause::Incomplete,
            _ => self.properties(res, paths(facts, keys, |kind| kind.is_replace())),
        };
        facts.cause = Some(Arc::new(cause));
    }

    /// Properties, each with the resources that the program made it from.
    fn properties(&self, res: ResId, paths: Vec<String>) -> Cause {
        let made_from = &self.get(res).goal.property_dependencies;
        let properties = paths.into_iter().map(|property| {
            let from = made_from.get(top_key(&property)).cloned().unwrap_or_default();
            PropertyCause { property, from }
        });
        Cause::Properties(properties.collect())
    }

    /// What led to the delete of a state, for each kind of delete.
    pub(crate) fn cause_of_delete(&self, op: StepOp, slot: Slot) -> Cause {
        let entry = self.entry(slot);
        let in_this_run = entry.marked || entry.claimed.is_some();
        match op {
            StepOp::DeleteReplaced | StepOp::DiscardReplaced if entry.marked => Cause::Replaced,
            StepOp::DeleteReplaced | StepOp::DiscardReplaced => Cause::PendingDelete,
            StepOp::RemovePendingReplace if in_this_run => Cause::Replaced,
            StepOp::RemovePendingReplace if !self.cascades.took(slot) => Cause::PendingReplacement,
            _ if self.settings.mode == Mode::Destroy => Cause::Destroy,
            _ => Cause::NotRegistered,
        }
    }
}

/// What led a cascade to a member: those of its properties that were made from what is deleted, and
/// of them those that force its replacement.
pub(crate) fn made_from<'a>(
    properties: impl Iterator<Item = (&'a String, &'a Vec<Urn>)>,
    keys: &[String],
    condemned: &QuickSet<Urn>,
) -> Cause {
    let all: Vec<PropertyCause> = properties
        .map(|(key, urns)| PropertyCause {
            property: key.clone(),
            from: urns.iter().filter(|urn| condemned.contains(*urn)).cloned().collect(),
        })
        .collect();
    let forces = |cause: &PropertyCause| keys.iter().any(|key| top_key(key) == cause.property);
    if all.iter().any(forces) {
        Cause::Properties(all.into_iter().filter(forces).collect())
    } else {
        Cause::Properties(all)
    }
}

/// The paths that a provider named for some keys; the keys where it named none.
fn paths(facts: &DiffFacts, keys: &[String], counts: impl Fn(purlin_model::DiffKind) -> bool) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for key in keys {
        let before = found.len();
        let detailed = facts.detailed.iter().flatten();
        let deeper = detailed.filter(|(path, said)| top_key(path) == top_key(key) && counts(said.kind));
        found.extend(deeper.map(|(path, _)| path.clone()));
        if found.len() == before {
            found.push(key.clone());
        }
    }
    if keys.is_empty() {
        let detailed = facts.detailed.iter().flatten();
        found.extend(detailed.filter(|(_, said)| counts(said.kind)).map(|(path, _)| path.clone()));
    }
    found.sort();
    found.dedup();
    found
}

/// The property that a path begins with.
fn top_key(path: &str) -> &str {
    if let Some(rest) = path.strip_prefix("[\"") {
        return rest.split('"').next().unwrap_or(rest);
    }
    match path.find(['.', '[']) {
        Some(end) if end > 0 => &path[..end],
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use purlin_model::{DiffKind, diff::PathDiff};

    use super::*;

    #[test]
    fn the_paths_of_some_keys_are_those_that_the_provider_named() {
        let said = [
            ("a.x", DiffKind::Update),
            ("a.y", DiffKind::UpdateReplace),
            ("b[0]", DiffKind::AddReplace),
            ("c", DiffKind::Delete),
        ];
        let path = |kind| PathDiff { kind, input_diff: false };
        let detailed = said.into_iter().map(|(at, kind)| (at.to_owned(), path(kind))).collect();
        let facts = DiffFacts { detailed: Some(detailed), ..DiffFacts::default() };
        let found = |keys: &[&str], replaces: bool| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            paths(&facts, &keys, |kind| !replaces || kind.is_replace())
        };
        assert_eq!(found(&["a"], false), ["a.x", "a.y"]);
        assert_eq!(found(&["a"], true), ["a.y"]);
        assert_eq!(found(&["c", "a", "a"], true), ["a.y", "c"]);
        assert_eq!(found(&["d"], false), ["d"]);
        assert_eq!(found(&[], true), ["a.y", "b[0]"]);
        assert_eq!(found(&[], false), ["a.x", "a.y", "b[0]", "c"]);
    }

    #[test]
    fn a_path_begins_with_a_property() {
        for (path, key) in [("a", "a"), ("a.b[0]", "a"), ("a[0].b", "a"), ("[\"a.b\"].c", "a.b"), ("", "")] {
            assert_eq!(top_key(path), key, "{path}");
        }
    }
}
