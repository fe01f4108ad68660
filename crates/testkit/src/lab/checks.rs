//! What must be true after every operation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use purlin_journal::{Change, Entry, check_integrity};
use purlin_model::event::{EngineEvent, StepOp};
use purlin_model::{OperationKind, ProviderRef, ResourceState, Snapshot, Urn};

use super::cloud::{Act, Cloud, Thing};
use super::operation::Ran;

/// What is remembered from one operation to the next.
#[derive(Default)]
pub struct Memory {
    /// Things that nobody manages any more, by intent.
    released: BTreeSet<String>,
    /// Things that were taken away or laid in as ghosts by the case, or whose fate nobody knows.
    vague: BTreeSet<String>,
    /// Resources whose pending creates were forgotten by intent.
    forgotten: BTreeSet<Urn>,
}

impl Memory {
    /// The case let go of what an edit took out, whatever a pending operation says of it.
    pub fn edited(&mut self, before: &Snapshot, after: &Snapshot) {
        let left: BTreeSet<&str> = after.resources.iter().map(|state| state.id.as_str()).collect();
        let gone = before.resources.iter().map(|state| &state.id).filter(|id| !left.contains(id.as_str()));
        self.released.extend(gone.filter(|id| !id.is_empty()).cloned());
    }

    /// The case said of pending creates that they made what others did, and some were believed.
    pub fn named_wrong(&mut self, urns: Vec<Urn>, before: &Snapshot, after: &Snapshot) {
        let creates = |state: &Snapshot, urn: &Urn| {
            let pending = state.pending_operations.iter();
            pending.filter(|p| p.kind == OperationKind::Creating && p.resource.urn == *urn).count()
        };
        let believed = urns.into_iter().filter(|urn| creates(after, urn) < creates(before, urn));
        self.forgotten.extend(believed);
    }

    /// The case itself touched the cloud or the state.
    pub fn touched(&mut self, state: &Snapshot, cloud: &Cloud) {
        let things = cloud.things();
        let ids: BTreeSet<&str> = state.resources.iter().map(|state| state.id.as_str()).collect();
        let pending: Vec<&Urn> = state.pending_operations.iter().map(|p| &p.resource.urn).collect();
        for (id, thing) in &things {
            if !ids.contains(id.as_str()) && !thing.urn.as_ref().is_some_and(|urn| pending.contains(&urn)) {
                self.released.insert(id.clone());
            }
        }
        self.vague.extend(ids.iter().filter(|id| !things.contains_key(**id)).map(|id| (*id).to_owned()));
    }
}

/// All that must be true and isn't.
pub fn check(before: &Snapshot, ran: &Ran, cloud: &Cloud, cleared: bool, memory: &mut Memory) -> Vec<String> {
    let mut found = ran.violations.clone();
    if check_integrity(before).is_empty() {
        if let Some(problem) = check_integrity(&ran.state).first() {
            found.push(format!("the state is broken: {problem}"));
        }
        let foreseen = ran.report.as_ref().map(|report| check_integrity(&report.snapshot));
        if let Some(problem) = foreseen.iter().flatten().next() {
            found.push(format!("the state of the report is broken: {problem}"));
        }
    }
    note_forgotten(before, cleared, memory);
    note_unknown(ran, memory);
    lost(before, ran, cloud, memory, &mut found);
    let shared = shared(before, &ran.entries);
    memory.vague.extend(shared.iter().map(|id| (*id).to_owned()));
    ghosts(&ran.state, cloud, memory, &mut found);
    doubles(&ran.acts, &shared, &mut found);
    overtakes(before, ran, &mut found);
    found
}

fn note_forgotten(before: &Snapshot, cleared: bool, memory: &mut Memory) {
    if cleared {
        let creates = before.pending_operations.iter().filter(|p| p.kind == OperationKind::Creating);
        memory.forgotten.extend(creates.map(|p| p.resource.urn.clone()));
    }
}

/// What was deleted and nobody was told so.
fn note_unknown(ran: &Ran, memory: &mut Memory) {
    let untold = ran.acts.iter().filter(|act| act.kind == OperationKind::Deleting && !act.told);
    memory.vague.extend(untold.map(|act| act.id.clone()));
    let pending = ran.state.pending_operations.iter().filter(|p| p.kind == OperationKind::Deleting);
    memory.vague.extend(pending.map(|p| p.resource.id.clone()));
}

/// Every state that the operation knew.
fn known<'a>(before: &'a Snapshot, entries: &'a [Entry]) -> impl Iterator<Item = &'a ResourceState> {
    let changed = entries.iter().flat_map(|entry| match entry {
        Entry::End { changes, .. } => changes.as_slice(),
        Entry::Begin { .. } => &[],
    });
    let changed = changed.filter_map(|change| match change {
        Change::Place { state, .. } | Change::Amend { state, .. } => Some(state),
        _ => None,
    });
    before.resources.iter().chain(changed).map(|state| &**state)
}

/// What exists is in the state, or pending, or was let go by intent.
fn lost(before: &Snapshot, ran: &Ran, cloud: &Cloud, memory: &mut Memory, found: &mut Vec<String>) {
    let things = cloud.things();
    let ids: BTreeSet<&str> = ran.state.resources.iter().map(|state| state.id.as_str()).collect();
    let mut intent: BTreeMap<&str, bool> = BTreeMap::new();
    let mut with: BTreeMap<&str, &Urn> = BTreeMap::new();
    // What went before it could be taken along has taken along what was in it all the same.
    let mut vanished: Vec<(&Urn, &Urn)> = Vec::new();
    for state in known(before, &ran.entries) {
        *intent.entry(&state.id).or_default() |= state.retain_on_delete || state.external;
        if let Some(urn) = &state.deleted_with {
            with.insert(&state.id, urn);
            let gone = !state.id.is_empty() && !things.contains_key(&state.id);
            if gone && !state.pending_replacement {
                vanished.push((urn, &state.urn));
            }
        }
    }
    // What is deleted with something that is retained is retained with it.
    let mut kept: BTreeSet<&Urn> =
        known(before, &ran.entries).filter(|state| state.retain_on_delete).map(|state| &state.urn).collect();
    loop {
        let more: Vec<&Urn> = known(before, &ran.entries)
            .filter(|state| state.deleted_with.as_ref().is_some_and(|urn| kept.contains(urn)))
            .map(|state| &state.urn)
            .filter(|urn| !kept.contains(*urn))
            .collect();
        if more.is_empty() {
            break;
        }
        kept.extend(more);
    }
    for (id, urn) in &with {
        *intent.entry(id).or_default() |= kept.contains(*urn);
    }
    let gone = taken_along(&ran.acts, &things, &with, &vanished, &memory.released);
    // What a cascade deleted with another is gone, although its state waits for a replacement.
    for state in ran.state.resources.iter().filter(|state| state.pending_replacement) {
        if with.get(state.id.as_str()).is_some_and(|urn| gone.contains(*urn)) {
            cloud.remove(&state.id);
            // An old copy of it that waits for deletion as well is asked for in vain.
            let waits = |other: &&Arc<ResourceState>| other.delete && other.id == state.id;
            memory.vague.extend(ran.state.resources.iter().find(waits).map(|other| other.id.clone()));
        }
    }
    // What was kept with something that is retained stays kept, although its state still waits for a
    // replacement that may never come.
    let waiting = ran.state.resources.iter().filter(|state| state.pending_replacement);
    let kept_with = waiting.filter(|state| {
        // What was retained may have another name since, and then so does what the state says.
        let now = state.deleted_with.as_ref();
        now.into_iter().chain(with.get(state.id.as_str()).copied()).any(|urn| kept.contains(urn))
    });
    memory.released.extend(kept_with.map(|state| state.id.clone()));
    for (id, thing) in &things {
        let Some(urn) = &thing.urn else { continue };
        if ids.contains(id.as_str()) || memory.released.contains(id) {
            continue;
        }
        // What is let go by intent may have a pending operation of another of its name.
        if intent.get(id.as_str()).copied().unwrap_or_default() {
            memory.released.insert(id.clone());
            continue;
        }
        // What went with another is gone, whatever a pending operation says.
        if with.get(id.as_str()).is_some_and(|urn| gone.contains(*urn)) {
            cloud.remove(id);
            continue;
        }
        if ran.state.pending_operations.iter().any(|pending| pending.resource.urn == *urn) {
            continue;
        }
        if !memory.forgotten.contains(urn) {
            found.push(format!("'{id}' of {} exists and is neither in the state nor pending", urn.name()));
        }
        memory.released.insert(id.clone());
    }
}

/// What was deleted, and what the cloud took along with that: the names of the resources.
/// What was let go earlier has only its name in common with what is managed now.
fn taken_along(
    acts: &[Act],
    things: &BTreeMap<String, Thing>,
    with: &BTreeMap<&str, &Urn>,
    vanished: &[(&Urn, &Urn)],
    released: &BTreeSet<String>,
) -> BTreeSet<Urn> {
    let deletes = acts.iter().filter(|act| act.kind == OperationKind::Deleting && act.effect);
    let mut gone: BTreeSet<Urn> = deletes.map(|act| act.urn.clone()).collect();
    let managed =
        |(id, thing): (&String, &Thing), urn: &Urn| thing.urn.as_ref() == Some(urn) && !released.contains(id);
    let exists = |urn: &Urn| things.iter().any(|thing| managed(thing, urn));
    gone.extend(with.values().filter(|urn| !exists(urn)).map(|urn| (*urn).clone()));
    loop {
        let taken = things
            .iter()
            .filter(|(id, _)| with.get(id.as_str()).is_some_and(|urn| gone.contains(*urn)))
            .filter_map(|(_, thing)| thing.urn.as_ref());
        let vanished = vanished.iter().filter(|(with, _)| gone.contains(*with)).map(|(_, urn)| *urn);
        let more: Vec<Urn> = taken.chain(vanished).filter(|urn| !gone.contains(*urn)).cloned().collect();
        if more.is_empty() {
            return gone;
        }
        gone.extend(more);
    }
}

/// The ids that two names of a state have: edits, lists of imports, imports and pending creates by way of
/// another provider can make such a state. Where one of the two was taken over by its program, or is taken in
/// by this run, a run knows what it has, unless the providers or the types are others: these may well have
/// things of one id each.
fn shared<'a>(before: &'a Snapshot, entries: &'a [Entry]) -> BTreeSet<&'a str> {
    let managed = |state: &ResourceState| state.custom && !state.external && !state.id.is_empty();
    let imported = |state: &ResourceState| state.import_id == state.id;
    let mut known: BTreeMap<&str, (&ResourceState, bool)> = BTreeMap::new();
    let mut shared = BTreeSet::new();
    let base = before.resources.iter().map(|state| (&**state, imported(state)));
    let placed = beside(entries).map(|state| (state, true));
    for (state, seen) in base.chain(placed).filter(|(state, _)| managed(state)) {
        if let Some((other, other_seen)) = known.insert(&state.id, (state, seen))
            && other.urn != state.urn
            && !((seen || other_seen) && other.ty == state.ty && one_provider(state, other))
        {
            shared.insert(state.id.as_str());
        }
    }
    shared
}

/// What an operation put beside what there was.
fn beside(entries: &[Entry]) -> impl Iterator<Item = &ResourceState> {
    let changes = entries.iter().flat_map(|entry| match entry {
        Entry::End { changes, .. } => changes.as_slice(),
        Entry::Begin { .. } => &[],
    });
    changes.filter_map(|change| match change {
        Change::Place { state, replaces: None, .. } => Some(&**state),
        _ => None,
    })
}

/// Whether two states have one provider, or providers of one package that nobody registered.
fn one_provider(one: &ResourceState, other: &ResourceState) -> bool {
    let is_default = |provider: &ProviderRef| {
        let name = provider.urn().name();
        name == "default" || name.starts_with("default_")
    };
    one.provider.as_ref().zip(other.provider.as_ref()).is_some_and(|(one, other)| {
        one == other || (is_default(one) && is_default(other) && one.package() == other.package())
    })
}

/// What is in the state exists, unless something took it away.
fn ghosts(after: &Snapshot, cloud: &Cloud, memory: &mut Memory, found: &mut Vec<String>) {
    let things = cloud.things();
    for state in
        after.resources.iter().filter(|state| state.custom && !state.is_provider() && !state.external)
    {
        let excused = state.pending_replacement || memory.vague.contains(&state.id);
        if !things.contains_key(&state.id) && !excused {
            found.push(format!("the state has '{}' of {}, which was deleted", state.id, state.urn.name()));
            memory.vague.insert(state.id.clone());
        }
    }
}

/// Nothing is made twice, deleted twice, or changed by two calls at once.
fn doubles(acts: &[Act], shared: &BTreeSet<&str>, found: &mut Vec<String>) {
    for (number, act) in acts.iter().enumerate() {
        for other in &acts[..number] {
            let same = act.kind == OperationKind::Creating && other.kind == act.kind && act.urn == other.urn;
            if same && act.effect && other.effect {
                found.push(format!("{} was made twice: '{}' and '{}'", act.urn.name(), other.id, act.id));
            }
            let both = act.kind == OperationKind::Deleting && other.kind == act.kind && act.id == other.id;
            if both && other.told && !shared.contains(act.id.as_str()) {
                found.push(format!("'{}' was deleted twice", act.id));
            }
            // Nobody knows of two names that they are one thing.
            let two_names = act.urn != other.urn && shared.contains(act.id.as_str());
            let at_once = act.started < other.ended && other.started < act.ended;
            if act.id == other.id && at_once && !two_names {
                found.push(format!("two calls changed '{}' at once", act.id));
            }
        }
    }
}

/// Nothing is deleted while something still depends on it.
fn overtakes(before: &Snapshot, ran: &Ran, found: &mut Vec<String>) {
    let acts = &ran.acts;
    // What is deleted before its replacement may go before what depends on it and stays.
    let replaced: BTreeSet<&str> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            EngineEvent::ResourcePre { step, .. } if step.op == StepOp::DeleteReplaced => {
                step.old.as_ref().map(|old| old.state.id.as_str())
            }
            _ => None,
        })
        .collect();
    let states: BTreeMap<&str, &ResourceState> = before
        .resources
        .iter()
        .filter(|state| !state.id.is_empty())
        .map(|state| (state.id.as_str(), &**state))
        .collect();
    // Nothing is done for what was only read, so what is done is for another state of its id.
    let managed = before.resources.iter().filter(|state| !state.external && !state.id.is_empty());
    let managed: BTreeMap<&str, &ResourceState> =
        managed.map(|state| (state.id.as_str(), &**state)).collect();
    // What an operation wrote may have let go of it.
    let of_id = |id| known(before, &ran.entries).filter(move |state| state.id == id);
    let still = |id, urn| of_id(id).last().is_none_or(|state| refers(state, urn));
    let latest = |id| of_id(id).filter(|state| !state.external).last();
    let of_urn = |urn: &Urn| before.resources.iter().filter(|state| state.urn == *urn).count();
    let silent = silent(before, ran);
    for delete in acts.iter().filter(|act| act.kind == OperationKind::Deleting && act.effect) {
        let Some(gone) = states.get(delete.id.as_str()).filter(|gone| !gone.delete && of_urn(&gone.urn) == 1)
        else {
            continue;
        };
        let first = |act: &&Act| act.kind == OperationKind::Creating && act.urn == gone.urn && act.effect;
        let last = acts.iter().find(first).is_some_and(|create| create.ended <= delete.started);
        if replaced.contains(delete.id.as_str()) && !last {
            continue;
        }
        let changes = |act: &&Act| act.kind != OperationKind::Creating && act.id != delete.id;
        for act in acts.iter().filter(changes) {
            let depends = managed.get(act.id.as_str()).is_some_and(|state| {
                let updates = act.kind == OperationKind::Updating;
                let refers = refers(state, &gone.urn) && (updates || still(act.id.as_str(), &gone.urn));
                refers
                    || !updates
                        && latest(act.id.as_str()).is_some_and(|state| by_way_of(&silent, state, &gone.urn))
            });
            if depends && delete.started < act.ended && !says_the_opposite(before, gone, &act.id) {
                found.push(format!("'{}' was deleted before '{}', which depends on it", delete.id, act.id));
            }
        }
    }
}

/// What was deleted without a call, the only state of its name, as it was last: what needs it needs what it
/// needs.
fn silent<'a>(before: &'a Snapshot, ran: &'a Ran) -> BTreeMap<&'a Urn, &'a ResourceState> {
    let called: BTreeSet<&str> = ran.acts.iter().map(|act| act.id.as_str()).collect();
    let mut gone = BTreeSet::new();
    for event in &ran.events {
        if let EngineEvent::ResourcePre { step, .. } = event
            && matches!(step.op, StepOp::Delete | StepOp::Discard)
        {
            gone.insert(&step.urn);
        }
    }
    let mut names: BTreeMap<&Urn, usize> = BTreeMap::new();
    before.resources.iter().for_each(|state| *names.entry(&state.urn).or_default() += 1);
    let goes = |state: &ResourceState| gone.contains(&state.urn) && !called.contains(state.id.as_str());
    let states = known(before, &ran.entries);
    let alone = states.filter(|state| goes(state) && !state.delete && names.get(&state.urn) == Some(&1));
    alone.map(|state| (&state.urn, state)).collect()
}

/// Whether a state refers to a name by way of others, among them its provider, or needs what goes along with
/// what has that name.
fn by_way_of(others: &BTreeMap<&Urn, &ResourceState>, state: &ResourceState, urn: &Urn) -> bool {
    let mut seen: BTreeSet<&Urn> = BTreeSet::new();
    let mut work = vec![state];
    while let Some(state) = work.pop() {
        let served = |name: &Urn| state.provider.as_ref().is_some_and(|provider| provider.urn() == name);
        for (name, other) in others {
            if (refers(state, name) || served(name)) && seen.insert(name) {
                if refers(other, urn) || other.deleted_with.as_ref() == Some(urn) {
                    return true;
                }
                work.push(other);
            }
        }
    }
    false
}

/// Whether a state needs a thing of which two states tell: what an old copy of the thing says to have
/// needed may need the thing now, and then the newer word counts.
fn says_the_opposite(before: &Snapshot, state: &ResourceState, id: &str) -> bool {
    let of_thing = || before.resources.iter().filter(|state| state.id == id);
    if !of_thing().any(|state| state.delete) {
        return false;
    }
    let live = |urn: &Urn| before.resources.iter().find(|state| state.urn == *urn && !state.delete);
    let mut seen: BTreeSet<&Urn> = state.references().collect();
    let mut work: Vec<&Urn> = seen.iter().copied().collect();
    while let Some(urn) = work.pop() {
        let further = live(urn).into_iter().flat_map(|state| state.references());
        work.extend(further.filter(|urn| seen.insert(urn)));
    }
    of_thing().any(|state| !state.delete && seen.contains(&state.urn))
}

fn refers(state: &ResourceState, urn: &Urn) -> bool {
    state.dependencies.contains(urn)
        || state.property_dependencies.values().flatten().any(|other| other == urn)
        || state.parent.as_ref() == Some(urn)
}
