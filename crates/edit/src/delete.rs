//! Forgetting resources.

use std::collections::BTreeSet;

use purlin_diag::Diagnostic;
use purlin_model::{ResourceState, Snapshot, Urn};

/// What may be forgotten besides what is named.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeleteOptions {
    /// Protected resources, too.
    pub force: bool,
    /// What depends on them, too.
    pub dependents: bool,
}

/// What was forgotten.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The state without it.
    pub snapshot: Snapshot,
    /// The names of what was forgotten, in the order of the list.
    pub urns: Vec<Urn>,
    /// Those of them that were protected.
    pub protected: Vec<Urn>,
}

/// A snapshot without some states, given by their indexes. Refused: what something else refers to, and
/// what is protected.
pub fn delete(
    snapshot: &Snapshot,
    indexes: &BTreeSet<usize>,
    options: DeleteOptions,
) -> Result<Deleted, Diagnostic> {
    let states = &snapshot.resources;
    let mut doomed = indexes.clone();
    if options.dependents {
        add_dependents(snapshot, &mut doomed);
    }
    let protected: Vec<Urn> =
        doomed.iter().map(|index| &states[*index]).filter(|s| s.protect).map(|s| s.urn.clone()).collect();
    if let Some(urn) = protected.first().filter(|_| !options.force) {
        let message = format!("{urn} is protected and can't be forgotten");
        let hint = "lift the protection with `state unprotect`, or give --force";
        return Err(Diagnostic::error("state-protected", message).with_urn(urn.as_str()).with_hint(hint));
    }
    refuse_depended_on(snapshot, &doomed)?;
    let kept = (0..states.len()).filter(|index| !doomed.contains(index));
    Ok(Deleted {
        snapshot: Snapshot {
            resources: kept.map(|index| states[index].clone()).collect(),
            ..snapshot.clone()
        },
        urns: doomed.iter().map(|index| states[*index].urn.clone()).collect(),
        protected,
    })
}

fn refers(state: &ResourceState, urns: &BTreeSet<&Urn>) -> bool {
    state.references().any(|urn| urns.contains(urn))
}

/// The URNs that have no state left once some are gone.
fn vanishing<'s>(snapshot: &'s Snapshot, doomed: &BTreeSet<usize>) -> BTreeSet<&'s Urn> {
    let states = &snapshot.resources;
    let left: BTreeSet<&Urn> =
        (0..states.len()).filter(|index| !doomed.contains(index)).map(|index| &states[index].urn).collect();
    doomed.iter().map(|index| &states[*index].urn).filter(|urn| !left.contains(urn)).collect()
}

fn add_dependents(snapshot: &Snapshot, doomed: &mut BTreeSet<usize>) {
    let mut urns = vanishing(snapshot, doomed);
    for (index, state) in snapshot.resources.iter().enumerate() {
        if !doomed.contains(&index) && refers(state, &urns) {
            urns.insert(&state.urn);
            doomed.insert(index);
        }
    }
}

fn refuse_depended_on(snapshot: &Snapshot, doomed: &BTreeSet<usize>) -> Result<(), Diagnostic> {
    let gone = vanishing(snapshot, doomed);
    let dependents: Vec<String> = snapshot
        .resources
        .iter()
        .enumerate()
        .filter(|(index, state)| !doomed.contains(index) && refers(state, &gone))
        .map(|(_, state)| format!("\n  * {}", state.urn))
        .collect();
    if dependents.is_empty() {
        return Ok(());
    }
    let message = format!("other resources depend on what would be forgotten:{}", dependents.concat());
    let hint = "forget them first, or give --target-dependents";
    Err(Diagnostic::error("state-depended-on", message).with_hint(hint))
}
