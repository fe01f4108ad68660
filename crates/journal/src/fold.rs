//! The fold: a base snapshot with the entries of a journal applied to it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use purlin_model::{
    Extension, OperationKind, PendingOperation, ProviderRef, QuickMap, ResourceState, Slot, Snapshot, Urn,
    hash::map_for,
};

use crate::entry::{Change, Entry, OpId};
use crate::error::FoldError;
use crate::index::ReverseIndex;
use crate::integrity::{self, IntegrityProblem};
use crate::references::{self, Fate};

/// One state of the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// The state; `None` once it is gone.
    pub(crate) state: Option<Arc<ResourceState>>,
    /// Its place in the run's order, if it has one.
    pub(crate) place: Option<u32>,
}

/// What became of a name that states may still refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It has another name now.
    Renamed(Urn),
    /// It was removed.
    Removed {
        /// The parent that it had.
        parent: Option<Urn>,
    },
}

/// Where a state stands: smaller comes first. The run's order comes before the rest of the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Position {
    /// A place in the run's order.
    Run(u32),
    /// A place in the base, and one behind it: views that a refresh finds stand behind their owner.
    Base(u32, u32),
}

/// A base snapshot with entries applied to it.
///
/// Applying an entry costs time in proportion to the references that it touches, whatever the size
/// of the list. After every entry of a legal journal the list satisfies the rules of integrity if
/// the base did.
#[derive(Clone, Debug)]
pub struct Fold {
    pub(crate) base: Arc<Snapshot>,
    pub(crate) base_cells: Vec<Cell>,
    pub(crate) new_cells: QuickMap<Slot, Cell>,
    pub(crate) order: Vec<Slot>,
    /// New views of states that stand where the base has them.
    pub(crate) behind: QuickMap<Slot, Vec<Slot>>,
    pub(crate) living: usize,
    pub(crate) next_slot: u32,
    pub(crate) by_urn: QuickMap<Urn, Vec<Slot>>,
    pub(crate) referrers: ReverseIndex,
    pub(crate) gone: QuickMap<Urn, Gone>,
    pub(crate) begun: BTreeMap<OpId, PendingOperation>,
    /// The pending operations of the base that no entry has cleared, by their places there.
    pub(crate) pending: BTreeMap<u32, PendingOperation>,
    /// How many pending operations the base had.
    pub(crate) pending_count: u32,
    /// The extensions of the base and of this run, by their references.
    pub(crate) extensions: BTreeMap<String, Arc<Extension>>,
}

impl Fold {
    /// A fold without entries.
    pub fn new(base: Arc<Snapshot>) -> Fold {
        let mut by_urn: QuickMap<Urn, Vec<Slot>> = map_for(base.resources.len());
        let mut base_cells = Vec::with_capacity(base.resources.len());
        for (slot, state) in (0u32..).zip(&base.resources) {
            by_urn.entry(state.urn.clone()).or_default().push(Slot(slot));
            base_cells.push(Cell { state: Some(Arc::clone(state)), place: None });
        }
        Fold {
            living: base_cells.len(),
            next_slot: u32::try_from(base_cells.len()).unwrap_or(u32::MAX),
            base_cells,
            new_cells: QuickMap::default(),
            order: Vec::new(),
            behind: QuickMap::default(),
            by_urn,
            referrers: ReverseIndex::default(),
            gone: QuickMap::default(),
            begun: BTreeMap::new(),
            pending: (0..).zip(base.pending_operations.iter().cloned()).collect(),
            pending_count: u32::try_from(base.pending_operations.len()).unwrap_or(u32::MAX),
            extensions: base.extensions.clone(),
            base,
        }
    }

    /// The snapshot that it started from.
    pub fn base(&self) -> &Arc<Snapshot> {
        &self.base
    }

    /// A state of the list; `None` if there never was one of this number or it is gone.
    pub fn state(&self, slot: Slot) -> Option<&Arc<ResourceState>> {
        self.cell(slot)?.state.as_ref()
    }

    /// How many states the list has.
    pub fn slot_count(&self) -> usize {
        self.living
    }

    /// The first number above all that were ever used.
    pub fn next_slot(&self) -> Slot {
        Slot(self.next_slot)
    }

    /// The state of a URN that does not wait for deletion.
    pub fn live(&self, urn: &Urn) -> Option<Slot> {
        self.with_urn(urn).find(|(_, state)| !state.delete).map(|(slot, _)| slot)
    }

    /// The states of a URN that wait for deletion, in the order of their numbers.
    pub fn deleted(&self, urn: &Urn) -> impl Iterator<Item = Slot> {
        self.with_urn(urn).filter(|(_, state)| state.delete).map(|(slot, _)| slot)
    }

    /// Whether a state has its place in the run's order.
    pub fn is_placed(&self, slot: Slot) -> bool {
        self.cell(slot).is_some_and(|cell| cell.place.is_some())
    }

    /// The states of the base that have no place in the run's order yet and that a state needs to
    /// stand before it, each after what it refers to itself.
    pub fn unplaced_needs(&self, state: &ResourceState) -> Vec<Slot> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let needs = |state: &ResourceState| -> Vec<Slot> {
            let slots = state.references().flat_map(|urn| self.with_urn(urn)).map(|(slot, _)| slot);
            slots.filter(|slot| !self.is_placed(*slot)).collect()
        };
        let mut stack: Vec<(Slot, bool)> = needs(state).into_iter().map(|slot| (slot, false)).collect();
        while let Some((slot, done)) = stack.pop() {
            if done {
                found.push(slot);
            } else if let (true, Some(state)) = (seen.insert(slot), self.state(slot)) {
                stack.push((slot, true));
                stack.extend(needs(state).into_iter().filter(|need| *need < slot).map(|need| (need, false)));
            }
        }
        found
    }

    /// The states that have no place in the run's order yet, in the order of the base.
    pub fn unplaced(&self) -> impl Iterator<Item = Slot> {
        let base = (0u32..).map(Slot).take(self.base_cells.len());
        let rest = base.flat_map(|slot| {
            let behind = self.behind.get(&slot).map(Vec::as_slice).unwrap_or_default();
            std::iter::once(slot).chain(behind.iter().copied())
        });
        rest.filter(|slot| self.cell(*slot).is_some_and(|c| c.place.is_none() && c.state.is_some()))
    }

    /// The list: the run's order, then what is left of the base in its order.
    pub fn states(&self) -> impl Iterator<Item = (Slot, &Arc<ResourceState>)> {
        let run = self.order.iter().copied();
        run.chain(self.unplaced()).filter_map(|slot| Some((slot, self.state(slot)?)))
    }

    /// The operations that have begun and not ended, in the order of their numbers.
    pub fn begun(&self) -> impl Iterator<Item = (OpId, &PendingOperation)> {
        self.begun.iter().map(|(op, pending)| (*op, pending))
    }

    /// The snapshot at the end of a run that went well. Operations that have begun and not ended are
    /// pending; of those of the base only creates stay, since a later success of the same resource
    /// settles all others.
    pub fn finish(&self) -> Snapshot {
        self.snapshot_with(|pending| pending.kind == OperationKind::Creating)
    }

    /// The snapshot as it is now, for a run that failed or was cut off: every operation whose
    /// outcome isn't known stays pending.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_with(|_| true)
    }

    fn snapshot_with(&self, keep: impl Fn(&PendingOperation) -> bool) -> Snapshot {
        let mut resources = Vec::with_capacity(self.living);
        resources.extend(self.states().map(|(_, state)| Arc::clone(state)));
        let begun = self.begun.values();
        let kept = self.pending.values().filter(|pending| keep(pending));
        let pending_operations: Vec<PendingOperation> = begun.chain(kept).cloned().collect();
        let extensions = self.used_extensions(&resources, &pending_operations);
        Snapshot {
            extensions,
            time: self.base.time.clone(),
            version: self.base.version.clone(),
            resources,
            pending_operations,
            secrets_provider: self.base.secrets_provider.clone(),
            features: self.base.features.clone(),
            carried: self.base.carried.clone(),
        }
    }

    /// Whether an extension is known by this reference.
    pub fn has_extension(&self, reference: &str) -> bool {
        self.extensions.contains_key(reference)
    }

    /// The extensions that states refer to.
    fn used_extensions(
        &self,
        resources: &[Arc<ResourceState>],
        pending: &[PendingOperation],
    ) -> BTreeMap<String, Arc<Extension>> {
        if self.extensions.is_empty() {
            return BTreeMap::new();
        }
        let states = resources.iter().chain(pending.iter().map(|operation| &operation.resource));
        let used: HashSet<&str> = states.map(|state| state.extension_ref.as_str()).collect();
        let known = self.extensions.iter().filter(|(reference, _)| used.contains(reference.as_str()));
        known.map(|(reference, extension)| (reference.clone(), Arc::clone(extension))).collect()
    }

    /// Applies an entry. On error nothing has changed.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        match entry {
            Entry::Begin { op, kind, resource } => {
                if self.begun.contains_key(op) {
                    return Err(FoldError::AlreadyBegun(*op));
                }
                self.begun.insert(*op, PendingOperation { kind: *kind, resource: Arc::clone(resource) });
            }
            Entry::End { op, changes } => {
                if let Some(op) = op.filter(|op| !self.begun.contains_key(op)) {
                    return Err(FoldError::NotBegun(op));
                }
                self.validate(changes)?;
                if let Some(op) = op {
                    self.begun.remove(op);
                }
                for change in changes {
                    self.change(change);
                }
                self.rename_replaced(changes);
            }
        }
        Ok(())
    }

    /// The rules of integrity on the whole list.
    pub fn problems(&self) -> Vec<IntegrityProblem> {
        integrity::check_states(self.states().map(|(_, state)| &**state))
    }

    /// What would be wrong with the list if these changes were made now; at a cost in proportion
    /// to their references. Assumes that nothing is wrong with the list as it is.
    pub fn admit(&mut self, changes: &[Change]) -> Vec<IntegrityProblem> {
        integrity::check_changes(self, changes)
    }

    fn cell(&self, slot: Slot) -> Option<&Cell> {
        match self.base_cells.get(slot.0 as usize) {
            Some(cell) => Some(cell),
            None => self.new_cells.get(&slot),
        }
    }

    fn cell_mut(&mut self, slot: Slot) -> Option<&mut Cell> {
        match self.base_cells.get_mut(slot.0 as usize) {
            Some(cell) => Some(cell),
            None => self.new_cells.get_mut(&slot),
        }
    }

    /// All states of a URN.
    pub(crate) fn with_urn(&self, urn: &Urn) -> impl Iterator<Item = (Slot, &Arc<ResourceState>)> {
        let slots = self.by_urn.get(urn).map(Vec::as_slice).unwrap_or_default();
        slots.iter().filter_map(|slot| Some((*slot, self.state(*slot)?)))
    }

    /// The place that the next registration takes.
    pub(crate) fn next_position(&self) -> Position {
        Position::Run(u32::try_from(self.order.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn position(&self, slot: Slot) -> Position {
        match self.cell(slot).and_then(|cell| cell.place) {
            Some(place) => Position::Run(place),
            None if (slot.0 as usize) < self.base_cells.len() => Position::Base(slot.0, 0),
            None => self.position_behind(slot),
        }
    }

    fn position_behind(&self, slot: Slot) -> Position {
        let found = self.behind.iter().find_map(|(owner, slots)| {
            let place = slots.iter().position(|other| *other == slot)?;
            Some((owner.0, u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1)))
        });
        let (owner, place) = found.unwrap_or((u32::MAX, 0));
        Position::Base(owner, place)
    }

    /// The state that a new view stands behind: its owner, if that has no place in the run's order.
    fn owner_in_base(&self, state: &ResourceState, replaces: Option<Slot>) -> Option<Slot> {
        let urn = state.view_of.as_ref()?;
        let owner = if state.delete { self.deleted(urn).last() } else { self.live(urn) }?;
        let unplaced = (owner.0 as usize) < self.base_cells.len() && !self.is_placed(owner);
        (unplaced && replaces.is_none()).then_some(owner)
    }

    /// The states that refer to a URN.
    pub(crate) fn referrers_of(&mut self, urn: &Urn) -> Vec<Slot> {
        let base = (0u32..).zip(&self.base_cells).map(|(slot, cell)| (Slot(slot), cell));
        let new = self.new_cells.iter().map(|(slot, cell)| (*slot, cell));
        let states = base.chain(new).filter_map(|(slot, cell)| Some((slot, &**cell.state.as_ref()?)));
        self.referrers.referrers(urn, states)
    }

    fn validate(&self, changes: &[Change]) -> Result<(), FoldError> {
        let mut placed = HashSet::new();
        let mut removed = HashSet::new();
        for change in changes {
            let named = match change {
                Change::Place { slot, replaces, .. } => {
                    if self.cell(*slot).is_some() || !placed.insert(*slot) {
                        return Err(FoldError::SlotTaken(*slot));
                    }
                    replaces.as_ref()
                }
                Change::Keep { slot }
                | Change::Amend { slot, .. }
                | Change::MarkDelete { slot }
                | Change::MarkPendingReplacement { slot }
                | Change::Remove { slot } => Some(slot),
                Change::ClearPending { index } => {
                    if *index >= self.pending_count {
                        return Err(FoldError::NoSuchPending(*index));
                    }
                    None
                }
                Change::Extend { .. } => None,
            };
            let Some(slot) = named else { continue };
            if removed.contains(slot) || !(placed.contains(slot) || self.state(*slot).is_some()) {
                return Err(FoldError::NoSuchSlot(*slot));
            }
            if matches!(change, Change::Place { .. } | Change::Remove { .. }) {
                removed.insert(*slot);
            }
        }
        Ok(())
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Place { slot, state, replaces } => self.place(*slot, state, *replaces),
            Change::Keep { slot } => self.keep(*slot),
            Change::Amend { slot, state } => self.amend(*slot, Arc::clone(state)),
            Change::MarkDelete { slot } => self.mark(*slot, |state| &mut state.delete),
            Change::MarkPendingReplacement { slot } => {
                self.mark(*slot, |state| &mut state.pending_replacement)
            }
            Change::Remove { slot } => self.remove(*slot),
            Change::ClearPending { index } => drop(self.pending.remove(index)),
            Change::Extend { extension } => {
                self.extensions.insert(extension.reference.clone(), Arc::clone(extension));
            }
        }
    }

    /// Gives a new state the next place, or that of the state that goes away if it has one: what
    /// stands behind that may refer to it.
    fn place(&mut self, slot: Slot, state: &Arc<ResourceState>, replaces: Option<Slot>) {
        if let Some(owner) = self.owner_in_base(state, replaces) {
            return self.place_behind(owner, slot, state);
        }
        let position = self.position_for(replaces);
        let old = replaces.and_then(|old| self.take(old));
        let mut state = Arc::clone(state);
        self.settle(&mut state, position);
        self.by_urn.entry(state.urn.clone()).or_default().push(slot);
        self.referrers.note(slot, None, &state);
        let renamed = old.filter(|old| old.urn != state.urn).map(|old| (old.urn.clone(), state.urn.clone()));
        let next = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        let place = match position {
            Position::Run(place) => place,
            Position::Base(..) => next,
        };
        self.new_cells.insert(slot, Cell { state: Some(state), place: Some(place) });
        match self.order.get_mut(place as usize) {
            Some(taken) => *taken = slot,
            None => self.order.push(slot),
        }
        self.living += 1;
        self.next_slot = self.next_slot.max(slot.0.saturating_add(1));
        if let Some((from, to)) = renamed {
            self.rename(from, to);
        }
    }

    /// Puts a new view behind its owner, which stands where the base has it.
    fn place_behind(&mut self, owner: Slot, slot: Slot, state: &Arc<ResourceState>) {
        self.behind.entry(owner).or_default().push(slot);
        let mut state = Arc::clone(state);
        self.settle(&mut state, self.position_behind(slot));
        self.by_urn.entry(state.urn.clone()).or_default().push(slot);
        self.referrers.note(slot, None, &state);
        self.new_cells.insert(slot, Cell { state: Some(state), place: None });
        self.living += 1;
        self.next_slot = self.next_slot.max(slot.0.saturating_add(1));
    }

    /// The position of a new state in the place of another.
    pub(crate) fn position_for(&self, replaces: Option<Slot>) -> Position {
        match replaces.filter(|old| self.is_placed(*old)) {
            Some(old) => self.position(old),
            None => self.next_position(),
        }
    }

    /// Gives a state the next place in the run's order, unless it has one.
    fn keep(&mut self, slot: Slot) {
        if self.is_placed(slot) {
            return;
        }
        if !self.gone.is_empty()
            && let Some(mut state) = self.state(slot).cloned()
            && self.settle(&mut state, self.next_position())
        {
            self.put(slot, state);
        }
        let place = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        if let Some(cell) = self.cell_mut(slot) {
            cell.place = Some(place);
            self.order.push(slot);
        }
    }

    fn amend(&mut self, slot: Slot, mut state: Arc<ResourceState>) {
        if let Some(urn) = self.name_since(slot, &state.urn) {
            Arc::make_mut(&mut state).urn = urn;
        }
        self.settle(&mut state, self.position(slot));
        let Some(before) = self.cell_mut(slot).and_then(|cell| cell.state.replace(Arc::clone(&state))) else {
            return;
        };
        self.referrers.note(slot, Some(&before), &state);
        if before.urn != state.urn {
            self.unlist(&before.urn, slot);
            self.by_urn.entry(state.urn.clone()).or_default().push(slot);
            self.rename(before.urn.clone(), state.urn.clone());
        }
    }

    fn mark(&mut self, slot: Slot, flag: impl Fn(&mut ResourceState) -> &mut bool) {
        if let Some(state) = self.cell_mut(slot).and_then(|cell| cell.state.as_mut()) {
            *flag(Arc::make_mut(state)) = true;
        }
    }

    fn remove(&mut self, slot: Slot) {
        let Some(state) = self.take(slot) else { return };
        let urn = &state.urn;
        self.gone.entry(urn.clone()).or_insert_with(|| Gone::Removed { parent: state.parent.clone() });
        for slot in self.referrers_of(urn) {
            if let Some(mut referrer) = self.state(slot).cloned()
                && self.settle(&mut referrer, self.position(slot))
            {
                self.put(slot, referrer);
            }
        }
    }

    /// Takes a state out of the list.
    fn take(&mut self, slot: Slot) -> Option<Arc<ResourceState>> {
        let state = self.cell_mut(slot)?.state.take()?;
        self.living -= 1;
        self.unlist(&state.urn, slot);
        Some(state)
    }

    fn unlist(&mut self, urn: &Urn, slot: Slot) {
        if let Some(slots) = self.by_urn.get_mut(urn) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.by_urn.remove(urn);
            }
        }
    }

    fn put(&mut self, slot: Slot, state: Arc<ResourceState>) {
        let Some(before) = self.cell_mut(slot).and_then(|cell| cell.state.replace(Arc::clone(&state))) else {
            return;
        };
        self.referrers.note(slot, Some(&before), &state);
        if before.urn != state.urn {
            self.unlist(&before.urn, slot);
            self.by_urn.entry(state.urn.clone()).or_default().push(slot);
        }
    }

    /// A replacement that leaves the old state waiting for deletion may rename, too. What becomes of its
    /// views comes with it.
    fn rename_replaced(&mut self, changes: &[Change]) {
        let is_view = |slot: &Slot| self.state(*slot).is_some_and(|state| state.view_of.is_some());
        let mut placed = changes.iter().filter_map(|change| match change {
            Change::Place { slot, replaces: None, .. } => Some(*slot).filter(|slot| !is_view(slot)),
            _ => None,
        });
        let mut marked = changes.iter().filter_map(|change| match change {
            Change::MarkDelete { slot } => Some(*slot).filter(|slot| !is_view(slot)),
            _ => None,
        });
        let (Some(new), None, Some(old), None) = (placed.next(), placed.next(), marked.next(), marked.next())
        else {
            return;
        };
        if let (Some(new), Some(old)) = (self.state(new), self.state(old))
            && new.urn != old.urn
        {
            self.rename(old.urn.clone(), new.urn.clone());
        }
    }

    /// Makes everything that refers to one URN refer to another. Children whose names derive from
    /// the old one, and that the run has not registered yet, are renamed along.
    fn rename(&mut self, from: Urn, to: Urn) {
        let mut renamed = HashSet::new();
        let mut work = vec![(from, to)];
        while let Some((from, to)) = work.pop() {
            self.gone.insert(from.clone(), Gone::Renamed(to.clone()));
            self.gone.remove(&to);
            for slot in self.referrers_of(&from) {
                let Some(mut state) = self.state(slot).cloned() else { continue };
                let was_child = state.parent.as_ref() == Some(&from);
                if !self.settle(&mut state, self.position(slot)) {
                    continue;
                }
                if was_child
                    && !self.is_placed(slot)
                    && let Some(urn) = self.derived(&state, &from, &to)
                    && renamed.insert(slot)
                {
                    let before = std::mem::replace(&mut Arc::make_mut(&mut state).urn, urn.clone());
                    work.push((before, urn));
                }
                self.put(slot, state);
            }
        }
    }

    /// The name that a child takes when its parent takes another, if it takes one.
    fn derived(&self, state: &ResourceState, from: &Urn, to: &Urn) -> Option<Urn> {
        let urn = &state.urn;
        let of = |parent| Urn::new(urn.stack(), urn.project(), Some(parent), urn.ty(), urn.name());
        let new = of(to);
        let free = state.delete || self.live(&new).is_none();
        (state.parent.as_ref() == Some(to) && of(from) == *urn && new != *urn && free).then_some(new)
    }

    /// Rewrites or prunes the references of a state to what was renamed or removed in this run.
    /// Says whether there were any.
    fn settle(&self, state: &mut Arc<ResourceState>, position: Position) -> bool {
        if self.gone.is_empty() {
            return false;
        }
        let waits = state.delete;
        let fate = |urn: &Urn| self.fate(urn, position, waits);
        references::rewrite(state, &fate, &|provider| self.renamed_instance(provider, position))
    }

    /// The new name of a provider instance. While the instance stands under the old name, as one
    /// that was replaced does until it is deleted, it has none.
    fn renamed_instance(&self, provider: &ProviderRef, position: Position) -> Option<Urn> {
        let stands = |urn: &Urn| {
            let mut found = self.with_urn(urn).filter(|(slot, _)| self.position(*slot) < position);
            found.any(|(_, state)| state.as_provider().is_some_and(|p| p.id() == provider.id()))
        };
        let mut urn = provider.urn();
        for _ in 0..=self.gone.len() {
            if stands(urn) {
                return (urn != provider.urn()).then(|| urn.clone());
            }
            let Some(Gone::Renamed(to)) = self.gone.get(urn) else { break };
            urn = to;
        }
        None
    }

    /// What becomes of a reference from a position in the list. `waits` says whether the state that
    /// has it waits for deletion.
    fn fate(&self, urn: &Urn, position: Position, waits: bool) -> Fate {
        match self.gone.get(urn) {
            None => Fate::Stays,
            Some(Gone::Renamed(_)) => match self.heir(Some(urn), position, waits) {
                Some(to) if to == *urn => Fate::Stays,
                Some(to) => Fate::Becomes(to),
                None => Fate::Goes { heir: None },
            },
            Some(Gone::Removed { parent }) => {
                match self.with_urn(urn).any(|(slot, _)| self.position(slot) < position) {
                    true => Fate::Stays,
                    false => Fate::Goes { heir: self.heir(parent.as_ref(), position, waits) },
                }
            }
        }
    }

    /// The name of a state, if it was renamed along with its parent after somebody read it under
    /// another.
    fn name_since(&self, slot: Slot, read: &Urn) -> Option<Urn> {
        let now = &self.state(slot)?.urn;
        let mut next = read;
        for _ in 0..=self.gone.len() {
            if next == now {
                return (now != read).then(|| now.clone());
            }
            let Some(Gone::Renamed(to)) = self.gone.get(next) else { break };
            next = to;
        }
        None
    }

    /// The first name that stands before a position, following renames and, from removed ones,
    /// parents. What waits for deletion counts only for what waits itself.
    fn heir(&self, start: Option<&Urn>, position: Position, waits: bool) -> Option<Urn> {
        let mut next = start;
        for _ in 0..=self.gone.len() {
            let urn = next?;
            let mut found = self.with_urn(urn).filter(|(slot, _)| self.position(*slot) < position);
            if found.any(|(_, state)| waits || !state.delete) {
                return Some(urn.clone());
            }
            next = match self.gone.get(urn)? {
                Gone::Renamed(to) => Some(to),
                Gone::Removed { parent } => parent.as_ref(),
            };
        }
        None
    }
}
