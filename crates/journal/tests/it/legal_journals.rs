//! Runs of a small stand-in for the planner, from random choices: after every entry the list has to
//! satisfy the rules of integrity, whatever was chosen.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use purlin_journal::{Change, Entry, Fold, OpId, Slot, check_integrity};
use purlin_model::{OperationKind, ResourceState, Snapshot, Urn};

/// Random choices, then zeros.
struct Choices(std::vec::IntoIter<u16>);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.0.next().unwrap_or_default()) % bound.max(1)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
}

fn any_base(choices: &mut Choices) -> Snapshot {
    let root = ResourceState::new(Urn::root_stack("dev", "shop"), false);
    let mut states = vec![root];
    for n in 0..choices.below(12) {
        let kind = choices.below(5);
        let live: Vec<ResourceState> = states.iter().filter(|s| !s.delete).cloned().collect();
        let parents: Vec<&ResourceState> = live.iter().filter(|s| !s.custom).collect();
        let parent = parents[choices.below(parents.len())].urn.clone();
        let ty = ["a:b:C", "a:b:Component", "pulumi:providers:a"][kind.saturating_sub(2).min(2)];
        let mut state =
            ResourceState::new(Urn::new("dev", "shop", Some(&parent), ty, &format!("r{n}")), kind != 3);
        state.parent = Some(parent);
        if state.custom {
            state.id = format!("id{n}");
        }
        let providers: Vec<_> = live.iter().filter_map(ResourceState::as_provider).collect();
        if kind < 3 && !providers.is_empty() {
            state.provider = Some(providers[choices.below(providers.len())].clone());
        }
        refer(&mut state, &live.iter().map(|s| s.urn.clone()).collect::<Vec<_>>(), choices);
        let twin = choices.one_in(6) && state.custom;
        if twin {
            let mut old = state.clone();
            old.delete = true;
            old.id.push_str("-old");
            if choices.one_in(2) {
                states.push(old);
                states.push(state);
            } else {
                states.push(state);
                states.push(old);
            }
        } else {
            states.push(state);
        }
    }
    Snapshot { resources: states.into_iter().map(Arc::new).collect(), ..Snapshot::default() }
}

/// Gives a state references to some of what there is.
fn refer(state: &mut ResourceState, targets: &[Urn], choices: &mut Choices) {
    for _ in 0..choices.below(3) {
        let target = targets[choices.below(targets.len())].clone();
        match choices.below(4) {
            0 => state.dependencies.push(target),
            1 => state.property_dependencies.entry("p".to_owned()).or_default().push(target),
            2 => state.deleted_with = Some(target),
            _ => state.replace_with.push(target),
        }
    }
}

/// A run under way.
struct Run {
    fold: Fold,
    entries: Vec<Entry>,
    next_op: u32,
    next_slot: u32,
}

impl Run {
    fn append(&mut self, entry: Entry) {
        if let Entry::End { changes, .. } = &entry {
            assert_eq!(self.fold.admit(changes), [], "{entry:?}");
        }
        self.fold.apply(&entry).unwrap();
        assert_eq!(self.fold.problems(), [], "after {entry:?}");
        self.entries.push(entry);
    }

    fn settle(&mut self, changes: Vec<Change>) {
        self.append(Entry::End { op: None, changes });
    }

    /// A provider call that ends as chosen: well, without effect, or never.
    fn call(
        &mut self,
        choices: &mut Choices,
        kind: OperationKind,
        on: Arc<ResourceState>,
        changes: Vec<Change>,
    ) -> bool {
        let op = OpId(self.next_op);
        self.next_op += 1;
        self.append(Entry::Begin { op, kind, resource: on });
        match choices.below(20) {
            18 => self.append(Entry::End { op: Some(op), changes: Vec::new() }),
            19 => {}
            _ => {
                self.append(Entry::End { op: Some(op), changes });
                return true;
            }
        }
        false
    }

    fn slot(&mut self) -> Slot {
        self.next_slot += 1;
        Slot(self.next_slot - 1)
    }

    fn living(&self) -> Vec<Slot> {
        self.fold.states().map(|(slot, _)| slot).collect()
    }
}

/// A refresh: some resources have changed, some are gone.
fn refresh(run: &mut Run, choices: &mut Choices) {
    for slot in run.living() {
        let Some(state) = run.fold.state(slot).cloned() else { continue };
        if !state.custom || state.is_provider() {
            continue;
        }
        match choices.below(4) {
            2 => run.settle(vec![Change::Remove { slot }]),
            3 => {
                let mut found = (*state).clone();
                found.modified = Some("2025-01-01T00:00:00Z".into());
                run.settle(vec![Change::Amend { slot, state: Arc::new(found) }]);
            }
            _ => {}
        }
    }
}

/// A program registers most of what there was, some of it changed, and some new things. Says
/// whether nothing failed.
fn register(run: &mut Run, choices: &mut Choices) -> bool {
    let mut arrived: HashMap<Urn, Urn> = HashMap::new();
    let mut providers: HashSet<_> = HashSet::new();
    let claims: Vec<(Slot, Arc<ResourceState>)> =
        run.fold.states().filter(|(_, s)| !s.delete).map(|(slot, s)| (slot, Arc::clone(s))).collect();
    for (slot, original) in claims {
        let action = choices.below(10);
        let gone = |urn: &Urn| !arrived.contains_key(urn);
        let orphan = original.provider.as_ref().is_some_and(|p| gone(p.urn()))
            || original.parent.as_ref().is_some_and(gone);
        if orphan || action == 9 && original.parent.is_some() {
            continue;
        }
        let now = Arc::clone(run.fold.state(slot).unwrap());
        let mut new = (*now).clone();
        let map = |urn: &Urn| arrived.get(urn).cloned();
        new.parent = original.parent.as_ref().and_then(map);
        new.dependencies = original.dependencies.iter().filter_map(map).collect();
        new.replace_with = original.replace_with.iter().filter_map(map).collect();
        new.deleted_with = original.deleted_with.as_ref().and_then(map);
        new.property_dependencies.values_mut().for_each(|list| list.clear());
        new.provider = original.provider.as_ref().and_then(|p| {
            let urn = map(p.urn())?;
            let slot = run.fold.live(&urn)?;
            run.fold.state(slot)?.as_provider()
        });
        new.pending_replacement = false;
        if original.provider.is_some() && new.provider.as_ref().is_none_or(|p| !providers.contains(p)) {
            continue;
        }
        let name = if action == 5 || action == 7 {
            format!("{}x", new.urn.name())
        } else {
            new.urn.name().to_owned()
        };
        if new.urn.ty() != purlin_model::urn::STACK_TYPE {
            new.urn = Urn::new("dev", "shop", new.parent.as_ref(), new.urn.ty(), &name);
        }
        let mut kept: ResourceState = new.clone();
        kept.property_dependencies.clone_from(&now.property_dependencies);
        if action < 4
            && kept == *now
            && now.property_dependencies.values().flatten().all(|u| arrived.values().any(|a| a == u))
        {
            run.settle(vec![Change::Keep { slot }]);
        } else if action == 6 && new.custom && !new.is_provider() {
            let deleted = vec![Change::MarkPendingReplacement { slot }];
            if !run.call(choices, OperationKind::Deleting, Arc::clone(&now), deleted) {
                return false;
            }
            new.id.push('r');
            let placed = place(run, &new, Some(slot));
            if !run.call(choices, OperationKind::Creating, Arc::new(new.clone()), placed) {
                return false;
            }
        } else if action >= 7 && new.custom {
            new.id.push('n');
            let mut changes = place(run, &new, None);
            changes.push(Change::MarkDelete { slot });
            if !run.call(choices, OperationKind::Creating, Arc::new(new.clone()), changes) {
                return false;
            }
        } else {
            let placed = place(run, &new, Some(slot));
            if !run.call(choices, OperationKind::Updating, Arc::clone(&now), placed) {
                return false;
            }
        }
        providers.extend(new.as_provider());
        arrived.insert(original.urn.clone(), new.urn.clone());
        if choices.one_in(5) {
            let targets: Vec<Urn> = arrived.values().cloned().collect();
            let fresh = Urn::new("dev", "shop", None, "a:b:C", &format!("fresh{}", run.next_slot));
            let mut state = ResourceState::new(fresh.clone(), true);
            let mut targets = targets;
            targets.sort();
            refer(&mut state, &targets, choices);
            let placed = place(run, &state, None);
            if !run.call(choices, OperationKind::Creating, Arc::new(state), placed) {
                return false;
            }
            arrived.insert(fresh.clone(), fresh);
        }
    }
    true
}

fn place(run: &mut Run, state: &ResourceState, replaces: Option<Slot>) -> Vec<Change> {
    vec![Change::Place { slot: run.slot(), state: Arc::new(state.clone()), replaces }]
}

/// Everything that waits for deletion or was not registered goes, last first.
fn delete(run: &mut Run, choices: &mut Choices) {
    for slot in run.living().into_iter().rev() {
        let state = Arc::clone(run.fold.state(slot).unwrap());
        let goes = state.delete || !run.fold.is_placed(slot);
        if goes && !run.call(choices, OperationKind::Deleting, state, vec![Change::Remove { slot }]) {
            return;
        }
    }
}

/// A fixed set of cases; with `PROPTEST_CASES=<n>` in the environment as many as that says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok()).unwrap_or(500);
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(2025), failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_prefix_of_a_legal_journal_folds_to_a_valid_list(choices in prop::collection::vec(any::<u16>(), 0..300)) {
        let mut choices = Choices(choices.into_iter());
        let base = Arc::new(any_base(&mut choices));
        prop_assert_eq!(check_integrity(&base), []);
        let next_slot = u32::try_from(base.resources.len()).unwrap();
        let mut run = Run { fold: Fold::new(Arc::clone(&base)), entries: Vec::new(), next_op: 0, next_slot };
        if choices.one_in(2) {
            refresh(&mut run, &mut choices);
        }
        if register(&mut run, &mut choices) {
            delete(&mut run, &mut choices);
        }
        let result = run.fold.snapshot();
        prop_assert_eq!(check_integrity(&result), []);
        prop_assert_eq!(result.resources.len(), run.fold.slot_count());
        prop_assert_eq!(run.fold.begun().count(), result.pending_operations.len());

        let mut again = Fold::new(Arc::clone(&base));
        for entry in &run.entries {
            again.apply(entry).unwrap();
        }
        prop_assert_eq!(again.snapshot(), result.clone(), "folding again gives the same");

        let mut resumed = Fold::new(Arc::clone(&base));
        for entry in &run.entries {
            resumed = Fold::resume(Arc::new(resumed.snapshot()), &resumed.continuation()).unwrap();
            resumed.apply(entry).unwrap();
        }
        prop_assert_eq!(resumed.snapshot(), result, "going on from a checkpoint at each entry does as well");
        prop_assert_eq!(resumed.finish(), run.fold.finish());
        prop_assert_eq!(resumed.continuation(), run.fold.continuation());
        for (slot, state) in run.fold.states() {
            let found = if state.delete { run.fold.deleted(&state.urn).any(|s| s == slot) } else { run.fold.live(&state.urn) == Some(slot) };
            prop_assert!(found, "{} is found by its name", state.urn);
        }
    }
}
