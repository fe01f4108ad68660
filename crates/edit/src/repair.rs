//! Making a state valid again that breaks rules of integrity.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use purlin_journal::{IntegrityProblem, check_integrity};
use purlin_model::urn::STACK_TYPE;
use purlin_model::{ProviderRef, ResourceState, Snapshot, Urn};

/// What a repair would do.
#[derive(Clone, Debug)]
pub struct Repair {
    /// What was wrong.
    pub problems: Vec<IntegrityProblem>,
    /// The state after the repair.
    pub snapshot: Snapshot,
    /// What was done, a line each.
    pub fixes: Vec<String>,
    /// What is still wrong: only people can know what is right. If there is anything, the state is not
    /// to be replaced.
    pub left: Vec<IntegrityProblem>,
}

/// Puts a state in order, and takes out of it what refers to nothing. Nothing that may exist in the
/// cloud is taken out.
pub fn repair(snapshot: &Snapshot) -> Repair {
    let problems = check_integrity(snapshot);
    let mut fixes = Vec::new();
    let mut fixed = snapshot.clone();
    if !problems.is_empty() {
        drop_doubles(&mut fixed, &mut fixes);
        prune(&mut fixed, &mut fixes);
        sort(&mut fixed, &mut fixes);
    }
    let left = check_integrity(&fixed);
    Repair { problems, snapshot: fixed, fixes, left }
}

/// Of several states that are the same resource, one stays.
fn drop_doubles(snapshot: &mut Snapshot, fixes: &mut Vec<String>) {
    let mut seen: HashMap<Urn, Arc<ResourceState>> = HashMap::new();
    snapshot.resources.retain(|state| {
        if state.delete {
            return true;
        }
        match seen.get(&state.urn) {
            Some(first) if first.id == state.id && first.ty == state.ty => {
                fixes.push(format!("drops a second entry of {} with the same id", state.urn));
                false
            }
            Some(_) => true,
            None => {
                seen.insert(state.urn.clone(), Arc::clone(state));
                true
            }
        }
    });
}

/// Takes out references to what isn't there.
fn prune(snapshot: &mut Snapshot, fixes: &mut Vec<String>) {
    let known: HashSet<Urn> = snapshot.resources.iter().map(|state| state.urn.clone()).collect();
    let instances: Vec<ProviderRef> =
        snapshot.resources.iter().filter_map(|state| state.as_provider()).collect();
    let root = snapshot.resources.iter().find(|s| s.urn.qualified_type() == STACK_TYPE);
    let root = root.map(|state| state.urn.clone());
    for state in &mut snapshot.resources {
        let mut new = ResourceState::clone(state);
        let urn = state.urn.clone();
        let mut gone = |what: &str, list: &mut Vec<Urn>| {
            list.retain(|urn_of| {
                let keep = known.contains(urn_of);
                if !keep {
                    fixes.push(format!("{urn}: forgets its {what} {urn_of}, which is missing"));
                }
                keep
            });
        };
        gone("dependency", &mut new.dependencies);
        gone("replaceWith resource", &mut new.replace_with);
        new.property_dependencies.retain(|key, list| {
            let had = list.len();
            gone(&format!("dependency by property '{key}',"), list);
            !list.is_empty() || had == 0
        });
        let mut one: Vec<Urn> = new.deleted_with.into_iter().collect();
        gone("deletedWith resource", &mut one);
        new.deleted_with = one.pop();
        if let Some(parent) = new.parent.clone().filter(|parent| !known.contains(parent)) {
            new.parent = root.clone().filter(|root| *root != state.urn);
            let place = new.parent.as_ref().map_or("no parent".to_owned(), ToString::to_string);
            fixes.push(format!("{}: its parent {parent} is missing; gets {place}", state.urn));
        }
        if let Some(provider) = new.provider.clone().filter(|p| !instances.contains(p)) {
            let mut same = instances.iter().filter(|other| other.urn() == provider.urn());
            if let (Some(only), None) = (same.next(), same.next()) {
                fixes.push(format!("{}: its provider {provider} is missing; gets {only}", state.urn));
                new.provider = Some(only.clone());
            }
        }
        if new != **state {
            *state = Arc::new(new);
        }
    }
}

/// Puts everything behind what it refers to, and otherwise leaves the order as it is. A circle stays.
fn sort(snapshot: &mut Snapshot, fixes: &mut Vec<String>) {
    let states = &snapshot.resources;
    let mut by_urn: HashMap<&Urn, Vec<usize>> = HashMap::new();
    for (index, state) in states.iter().enumerate() {
        by_urn.entry(&state.urn).or_default().push(index);
    }
    // What waits for its deletion may stand anywhere: references mean the live one, if there is one.
    let target = |from: usize, urn: &Urn| -> Option<usize> {
        let found = by_urn.get(urn)?;
        let live = found.iter().copied().find(|index| !states[*index].delete);
        live.or_else(|| found.first().copied()).filter(|index| *index != from)
    };
    let provider = |state: &ResourceState| -> Option<usize> {
        let wanted = state.provider.as_ref()?;
        let found = by_urn.get(wanted.urn())?;
        found.iter().copied().find(|index| states[*index].as_provider().as_ref() == Some(wanted))
    };
    let mut order = Vec::with_capacity(states.len());
    let mut marks = vec![Mark::New; states.len()];
    for start in 0..states.len() {
        // What is to be done, the last first: look into a state, or give it its place.
        let mut todo = vec![(start, false)];
        while let Some((index, looked_into)) = todo.pop() {
            if looked_into {
                if marks[index] != Mark::Placed {
                    marks[index] = Mark::Placed;
                    order.push(index);
                }
                continue;
            }
            if marks[index] != Mark::New {
                continue;
            }
            marks[index] = Mark::Open;
            todo.push((index, true));
            let state = &states[index];
            let referenced = state.references().filter_map(|urn| target(index, urn)).chain(provider(state));
            let mut before: Vec<usize> = referenced.filter(|other| marks[*other] == Mark::New).collect();
            before.sort_unstable();
            before.dedup();
            todo.extend(before.into_iter().rev().map(|other| (other, false)));
        }
    }
    if order.is_sorted() {
        return;
    }
    let mut moved: Vec<usize> = Vec::new();
    let mut highest = None;
    for index in &order {
        if highest.is_some_and(|highest| *index < highest) {
            moved.push(*index);
        }
        highest = highest.max(Some(*index));
    }
    for index in moved {
        fixes.push(format!("{}: takes a place behind what it refers to", states[index].urn));
    }
    snapshot.resources = order.into_iter().map(|index| Arc::clone(&snapshot.resources[index])).collect();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Placed,
}
