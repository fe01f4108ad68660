//! From goals to envelopes of states.

use purlin_model::{Goal, ProviderRef, ResourceState, SealedValue, Urn};

/// The state that a goal asks for, as far as it can be known without the provider: the bags are
/// empty, and id, times and what else the old state knows are carried over.
pub(crate) fn draft(
    goal: &Goal,
    urn: &Urn,
    provider: Option<&ProviderRef>,
    old: Option<&ResourceState>,
) -> ResourceState {
    let mut state = ResourceState::new(urn.clone(), goal.custom);
    state.ty = goal.ty.as_str().into();
    state.parent.clone_from(&goal.parent);
    state.protect = goal.protect.unwrap_or(false);
    state.dependencies.clone_from(&goal.dependencies);
    state.provider = provider.cloned();
    if let Some(extension) = &goal.extension {
        state.extension_ref.clone_from(&extension.reference);
    }
    state.property_dependencies = goal
        .property_dependencies
        .iter()
        .filter(|(key, _)| goal.inputs.contains_key(key))
        .map(|(key, urns)| (key.clone(), urns.clone()))
        .collect();
    state.additional_secret_outputs.clone_from(&goal.additional_secret_outputs);
    state.custom_timeouts = goal.custom_timeouts;
    state.import_id.clone_from(&goal.import_id);
    state.retain_on_delete = goal.retain_on_delete.unwrap_or(false);
    state.deleted_with.clone_from(&goal.deleted_with);
    state.replace_with.clone_from(&goal.replace_with);
    state.source_position.clone_from(&goal.source_position);
    state.stack_trace = goal.stack_trace.clone();
    state.ignore_changes.clone_from(&goal.ignore_changes);
    state.hide_diffs.clone_from(&goal.hide_diffs);
    state.replace_on_changes.clone_from(&goal.replace_on_changes);
    state.resource_hooks.clone_from(&goal.resource_hooks);
    if goal.replacement_trigger != purlin_model::PropertyValue::Null {
        state.replacement_trigger = Some(SealedValue::Decoded(goal.replacement_trigger.clone()));
    }
    if let Some(old) = old {
        state.id.clone_from(&old.id);
        state.created.clone_from(&old.created);
        state.modified.clone_from(&old.modified);
        state.refresh_before_update = old.refresh_before_update;
        state.unknown_keys.clone_from(&old.unknown_keys);
        if goal.import_id.is_empty() {
            state.import_id.clone_from(&old.import_id);
        }
    }
    state
}

/// Whether two envelopes mean the same, so that an unchanged resource need not be written. Where
/// the resource was registered and what went wrong with it do not count; neither do the bags,
/// which the caller compares. Lists of dependencies are sets.
pub fn same_envelope(old: &ResourceState, new: &ResourceState) -> bool {
    let same_properties = old.property_dependencies.len() == new.property_dependencies.len()
        && old
            .property_dependencies
            .iter()
            .zip(&new.property_dependencies)
            .all(|((a, x), (b, y))| a == b && same_urns(x, y));
    old.urn == new.urn
        && old.ty == new.ty
        && old.custom == new.custom
        && old.id == new.id
        && old.delete == new.delete
        && old.pending_replacement == new.pending_replacement
        && old.parent == new.parent
        && old.protect == new.protect
        && old.taint == new.taint
        && old.external == new.external
        && same_urns(&old.dependencies, &new.dependencies)
        && old.provider == new.provider
        && old.extension_ref == new.extension_ref
        && same_properties
        && old.additional_secret_outputs == new.additional_secret_outputs
        && old.custom_timeouts == new.custom_timeouts
        && old.import_id == new.import_id
        && old.retain_on_delete == new.retain_on_delete
        && old.deleted_with == new.deleted_with
        && old.replace_with == new.replace_with
        && old.ignore_changes == new.ignore_changes
        && old.hide_diffs == new.hide_diffs
        && old.replace_on_changes == new.replace_on_changes
        && old.resource_hooks == new.resource_hooks
        && old.replacement_trigger.is_some() == new.replacement_trigger.is_some()
}

/// Whether the draft that a goal makes over an old state would mean the same as that state, as
/// [`same_envelope`] says it; told without making the draft, since most resources of most runs
/// don't change. What a read state is, it stays.
pub(crate) fn keeps(old: &ResourceState, goal: &Goal, urn: &Urn, provider: Option<&ProviderRef>) -> bool {
    let made_from = || goal.property_dependencies.iter().filter(|(key, _)| goal.inputs.contains_key(key));
    let same_properties = || {
        made_from().count() == old.property_dependencies.len()
            && old
                .property_dependencies
                .iter()
                .zip(made_from())
                .all(|((a, x), (b, y))| a == b && same_urns(x, y))
    };
    old.urn == *urn
        && *old.ty == *goal.ty
        && old.custom == goal.custom
        && !(old.delete || old.pending_replacement || old.taint)
        && old.parent == goal.parent
        && old.protect == goal.protect.unwrap_or(false)
        && same_urns(&old.dependencies, &goal.dependencies)
        && old.provider.as_ref() == provider
        && old.extension_ref == goal.extension.as_ref().map_or("", |extension| &extension.reference)
        && same_properties()
        && old.additional_secret_outputs == goal.additional_secret_outputs
        && old.custom_timeouts == goal.custom_timeouts
        && (goal.import_id.is_empty() || old.import_id == goal.import_id)
        && old.retain_on_delete == goal.retain_on_delete.unwrap_or(false)
        && old.deleted_with == goal.deleted_with
        && old.replace_with == goal.replace_with
        && old.ignore_changes == goal.ignore_changes
        && old.hide_diffs == goal.hide_diffs
        && old.replace_on_changes == goal.replace_on_changes
        && old.resource_hooks == goal.resource_hooks
        && old.replacement_trigger.is_some()
            == (goal.replacement_trigger != purlin_model::PropertyValue::Null)
}

/// Whether two lists have the same names.
fn same_urns(a: &[Urn], b: &[Urn]) -> bool {
    a == b || (a.iter().all(|urn| b.contains(urn)) && b.iter().all(|urn| a.contains(urn)))
}

#[cfg(test)]
mod tests {
    use purlin_model::{PropertyDependencies, PropertyMap, PropertyValue};

    use super::*;

    fn urn(name: &str) -> Urn {
        Urn::new("dev", "shop", None, "t:m:R", name)
    }

    fn provider(id: &str) -> ProviderRef {
        ProviderRef::new(Urn::new("dev", "shop", None, "pulumi:providers:t", "p"), id)
    }

    /// A goal with something in each option, and the state that it was made to.
    fn full() -> (Goal, ResourceState) {
        let inputs: PropertyMap = [("k".to_owned(), PropertyValue::from(1.0))].into_iter().collect();
        let mut goal = Goal::new("t:m:R", "a", true, inputs);
        goal.parent = Some(urn("parent"));
        goal.protect = Some(true);
        goal.dependencies = vec![urn("x"), urn("y")];
        goal.property_dependencies = PropertyDependencies::from([
            ("k".to_owned(), vec![urn("x")]),
            ("left out".to_owned(), vec![urn("y")]),
        ]);
        goal.additional_secret_outputs = vec!["s".into()];
        goal.custom_timeouts.create = 5.0;
        goal.retain_on_delete = Some(true);
        goal.deleted_with = Some(urn("x"));
        goal.replace_with = vec![urn("y")];
        goal.ignore_changes = vec!["i".into()];
        goal.hide_diffs = vec!["h".into()];
        goal.replace_on_changes = vec!["r".into()];
        goal.replacement_trigger = 1.0.into();
        let mut state = draft(&goal, &urn("a"), Some(&provider("1")), None);
        state.id = "id".into();
        (goal, state)
    }

    #[test]
    fn what_a_goal_made_it_keeps() {
        let (goal, state) = full();
        assert!(keeps(&state, &goal, &urn("a"), Some(&provider("1"))));
        let again = draft(&goal, &urn("a"), Some(&provider("1")), Some(&state));
        assert_eq!(again, state);
        assert!(same_envelope(&state, &again));
        let mut turned = state.clone();
        turned.dependencies.reverse();
        turned.import_id = "imported".into();
        assert!(keeps(&turned, &goal, &urn("a"), Some(&provider("1"))));
    }

    #[test]
    fn each_difference_of_a_state_from_what_its_goal_makes_is_seen() {
        type Change = fn(&mut ResourceState);
        let changes: [Change; 24] = [
            |s| s.urn = urn("b"),
            |s| s.ty = "t:m:S".into(),
            |s| s.custom = false,
            |s| s.delete = true,
            |s| s.pending_replacement = true,
            |s| s.taint = true,
            |s| s.parent = None,
            |s| s.protect = false,
            |s| s.dependencies = vec![urn("x")],
            |s| s.dependencies.push(urn("z")),
            |s| s.provider = Some(provider("2")),
            |s| s.extension_ref = "e".into(),
            |s| s.property_dependencies.clear(),
            |s| drop(s.property_dependencies.insert("k".into(), vec![urn("y")])),
            |s| {
                s.property_dependencies = PropertyDependencies::from([("l".to_owned(), vec![urn("x")])]);
            },
            |s| s.additional_secret_outputs.clear(),
            |s| s.custom_timeouts.create = 6.0,
            |s| s.retain_on_delete = false,
            |s| s.deleted_with = None,
            |s| s.replace_with.clear(),
            |s| s.ignore_changes.clear(),
            |s| s.hide_diffs.clear(),
            |s| s.replace_on_changes.clear(),
            |s| s.replacement_trigger = None,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let (mut goal, state) = full();
            let mut old = state.clone();
            change(&mut old);
            assert!(!same_envelope(&old, &state), "{number}");
            assert!(!keeps(&old, &goal, &urn("a"), Some(&provider("1"))), "{number}");
            goal.import_id = "other".into();
            assert!(!keeps(&state, &goal, &urn("a"), Some(&provider("1"))), "{number}");
        }
        let (_, state) = full();
        for change in [(|s| s.external = true) as Change, |s| s.id = "x".into(), |s| s.import_id = "x".into()]
        {
            let mut old = state.clone();
            change(&mut old);
            assert!(!same_envelope(&old, &state));
        }
    }

    #[test]
    fn what_the_old_state_knows_goes_over_into_its_next_one() {
        let (mut goal, mut old) = full();
        old.created = Some("then".into());
        old.modified = Some("later".into());
        old.refresh_before_update = true;
        old.unknown_keys = vec![("k".into(), "v".into())];
        old.import_id = "imported".into();
        let next = draft(&goal, &urn("a"), None, Some(&old));
        assert_eq!((&next.id, &next.created, &next.modified), (&old.id, &old.created, &old.modified));
        assert_eq!((&next.import_id, &next.unknown_keys), (&old.import_id, &old.unknown_keys));
        assert!(next.refresh_before_update);
        goal.import_id = "other".into();
        assert_eq!(draft(&goal, &urn("a"), None, Some(&old)).import_id, "other");
        let new = draft(&goal, &urn("a"), None, None);
        assert_eq!((new.id.as_str(), new.import_id.as_str()), ("", "other"));
        assert!(!new.property_dependencies.contains_key("left out"));
    }
}
