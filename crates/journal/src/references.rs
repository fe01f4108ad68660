//! Rewriting and pruning what a state refers to.

use std::sync::Arc;

use purlin_model::{ProviderRef, ResourceState, Urn};

/// What becomes of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays as it is.
    Stays,
    /// It names something else from now on.
    Becomes(Urn),
    /// What it named is gone. `heir` is what a parent is replaced by.
    Goes {
        /// The nearest ancestor of the removed resource that is still there.
        heir: Option<Urn>,
    },
}

/// Applies the fate of each reference to a state. Copies the state only if something changes, and
/// says whether it did. `instance` gives the new name of a provider instance, if it has one:
/// providers are never pruned, since a custom resource without its provider can't be managed, and
/// that has to show. The resource that a view belongs to isn't pruned either: without it the view
/// would pass for a resource of its own.
pub(crate) fn rewrite(
    state: &mut Arc<ResourceState>,
    fate: &dyn Fn(&Urn) -> Fate,
    instance: &dyn Fn(&ProviderRef) -> Option<Urn>,
) -> bool {
    let provider = state.provider.as_ref().and_then(|p| Some(ProviderRef::new(instance(p)?, p.id())));
    if provider.is_none() && plain_references(state).all(|urn| fate(urn) == Fate::Stays) {
        return false;
    }
    let state = Arc::make_mut(state);
    state.provider = provider.or(state.provider.take());
    if let Some(parent) = &state.parent {
        match fate(parent) {
            Fate::Stays => {}
            Fate::Becomes(urn) => state.parent = Some(urn),
            Fate::Goes { heir } => state.parent = heir,
        }
    }
    rewrite_list(&mut state.dependencies, fate);
    rewrite_list(&mut state.replace_with, fate);
    state.property_dependencies.retain(|_, list| {
        let was_empty = list.is_empty();
        rewrite_list(list, fate);
        was_empty || !list.is_empty()
    });
    match state.deleted_with.as_ref().map(fate) {
        Some(Fate::Becomes(urn)) => state.deleted_with = Some(urn),
        Some(Fate::Goes { .. }) => state.deleted_with = None,
        _ => {}
    }
    if let Some(Fate::Becomes(urn)) = state.view_of.as_ref().map(fate) {
        state.view_of = Some(urn);
    }
    true
}

/// What a state refers to by a URN alone.
fn plain_references(state: &ResourceState) -> impl Iterator<Item = &Urn> {
    state.references().skip(usize::from(state.provider.is_some()))
}

fn rewrite_list(list: &mut Vec<Urn>, fate: &dyn Fn(&Urn) -> Fate) {
    if list.iter().all(|urn| fate(urn) == Fate::Stays) {
        return;
    }
    let mut kept: Vec<Urn> = Vec::with_capacity(list.len());
    for urn in list.drain(..) {
        let urn = match fate(&urn) {
            Fate::Stays => urn,
            Fate::Becomes(other) => other,
            Fate::Goes { .. } => continue,
        };
        if !kept.contains(&urn) {
            kept.push(urn);
        }
    }
    *list = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urn(name: &str) -> Urn {
        Urn::new("dev", "shop", None, "a:b:C", name)
    }

    fn state() -> Arc<ResourceState> {
        let mut state = ResourceState::new(urn("self"), true);
        let provider = Urn::new("dev", "shop", None, "pulumi:providers:a", "p");
        state.provider = Some(ProviderRef::new(provider, "id"));
        state.parent = Some(urn("x"));
        state.dependencies = vec![urn("x"), urn("y")];
        state.property_dependencies.insert("p".to_owned(), vec![urn("x")]);
        state.property_dependencies.insert("none".to_owned(), Vec::new());
        state.deleted_with = Some(urn("x"));
        state.replace_with = vec![urn("x")];
        state.view_of = Some(urn("x"));
        Arc::new(state)
    }

    #[test]
    fn an_unconcerned_state_is_not_copied() {
        let mut state = state();
        let before = Arc::clone(&state);
        assert!(!rewrite(&mut state, &|_| Fate::Stays, &|_| None));
        assert!(Arc::ptr_eq(&state, &before));
    }

    #[test]
    fn a_rename_reaches_every_reference_and_merges_doubles() {
        let mut state = state();
        let fate = |u: &Urn| if *u == urn("x") { Fate::Becomes(urn("y")) } else { Fate::Stays };
        assert!(rewrite(&mut state, &fate, &|p| Some(p.urn().clone())));
        assert!(state.references().all(|u| *u != urn("x")));
        assert_eq!(state.dependencies, [urn("y")]);
        assert_eq!(state.parent, Some(urn("y")));
        assert_eq!(state.view_of, Some(urn("y")));
    }

    #[test]
    fn pruning_leaves_empty_lists_that_were_there_and_hands_over_the_parent() {
        let mut state = state();
        let fate =
            |u: &Urn| if *u == urn("x") { Fate::Goes { heir: Some(urn("root")) } } else { Fate::Stays };
        assert!(rewrite(&mut state, &fate, &|p| Some(p.urn().clone())));
        assert_eq!(state.parent, Some(urn("root")));
        assert_eq!(state.dependencies, [urn("y")]);
        assert_eq!(state.property_dependencies.keys().collect::<Vec<_>>(), ["none"]);
        assert_eq!(state.deleted_with, None);
        assert!(state.replace_with.is_empty());
        assert_eq!(state.view_of, Some(urn("x")), "a view stays a view");
    }
}
