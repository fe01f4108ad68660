//! Edits of the state between operations, as the `state` commands make them.

use std::collections::BTreeSet;
use std::sync::Arc;

use purlin_model::{ProviderRef, ResourceState, Snapshot, Urn};

use super::states::urn_of;
use super::text;

/// Makes an edit. One that is refused and has `@try` changes nothing.
pub fn edit(line: &str, snapshot: &mut Snapshot) -> Result<(), String> {
    let mut words = text::words(line);
    let tries = words.last().is_some_and(|word| word == "@try");
    if tries {
        words.pop();
    }
    let mut edited = snapshot.clone();
    match make(line, &words, &mut edited) {
        Ok(()) => *snapshot = edited,
        Err(problem) if !tries => return Err(problem),
        Err(_) => {}
    }
    Ok(())
}

fn make(line: &str, words: &[String], snapshot: &mut Snapshot) -> Result<(), String> {
    let [verb, names @ ..] = words else { return Ok(()) };
    match (verb.as_str(), names) {
        ("clear-pending", _) => snapshot.pending_operations.clear(),
        ("delete", _) => return delete(names, snapshot),
        ("rename", [old, new]) => return rename(&urn_of(old, snapshot)?, new, snapshot),
        ("rename", _) => return Err(format!("'{line}' is not 'rename old new'")),
        (flag, _) => {
            for name in names {
                let urn = urn_of(name, snapshot)?;
                mark(flag, &urn, snapshot)?;
            }
        }
    }
    Ok(())
}

fn mark(flag: &str, urn: &Urn, snapshot: &mut Snapshot) -> Result<(), String> {
    for state in snapshot.resources.iter_mut().filter(|state| state.urn == *urn && !state.delete) {
        let state = Arc::make_mut(state);
        match flag {
            "protect" => state.protect = true,
            "unprotect" => state.protect = false,
            "taint" => state.taint = true,
            "untaint" => state.taint = false,
            other => return Err(format!("no edit is called '{other}'")),
        }
    }
    Ok(())
}

/// Takes states out, unless they are protected or others refer to them.
fn delete(names: &[String], snapshot: &mut Snapshot) -> Result<(), String> {
    let doomed: BTreeSet<Urn> = names.iter().map(|name| urn_of(name, snapshot)).collect::<Result<_, _>>()?;
    if let Some(state) = snapshot.resources.iter().find(|state| state.protect && doomed.contains(&state.urn))
    {
        return Err(format!("'{}' is protected", state.urn));
    }
    let refers = |state: &ResourceState| state.references().any(|urn| doomed.contains(urn));
    let mut staying = snapshot.resources.iter().filter(|state| !doomed.contains(&state.urn));
    if let Some(state) = staying.find(|state| refers(state)) {
        return Err(format!("'{}' refers to what is to be deleted", state.urn));
    }
    snapshot.resources.retain(|state| !doomed.contains(&state.urn));
    Ok(())
}

/// Gives a resource another name, in everything that refers to it, too.
fn rename(old: &Urn, name: &str, snapshot: &mut Snapshot) -> Result<(), String> {
    let text = old.as_str();
    let new = format!("{}{name}", &text[..text.len() - old.name().len()]);
    let new = Urn::parse(&new).ok_or_else(|| format!("'{new}' is no URN"))?;
    if snapshot.resources.iter().any(|state| state.urn == new) {
        return Err(format!("there is a '{new}' already"));
    }
    snapshot.resources.iter_mut().for_each(|state| renamed(Arc::make_mut(state), old, &new));
    for pending in &mut snapshot.pending_operations {
        renamed(Arc::make_mut(&mut pending.resource), old, &new);
    }
    Ok(())
}

fn renamed(state: &mut ResourceState, old: &Urn, new: &Urn) {
    let each = |urn: &mut Urn| {
        if urn == old {
            *urn = new.clone();
        }
    };
    each(&mut state.urn);
    state.dependencies.iter_mut().for_each(each);
    state.replace_with.iter_mut().for_each(each);
    state.property_dependencies.values_mut().flatten().for_each(each);
    state.deleted_with.iter_mut().for_each(each);
    state.parent.iter_mut().for_each(each);
    state.view_of.iter_mut().for_each(each);
    if let Some(provider) = state.provider.clone().filter(|provider| provider.urn() == old) {
        state.provider = Some(ProviderRef::new(new.clone(), provider.id().to_owned()));
    }
}
