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
