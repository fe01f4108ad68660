//! Views: resources that a provider shows inside one of its own. They are recorded with their
//! owner, and go with it.

use std::collections::HashMap;
use std::sync::Arc;

use purlin_model::event::StepOp;
use purlin_model::{ResourceState, Slot, Snapshot, Urn};

use crate::effect::{After, Step};
use crate::input::StepOutcome;
use crate::rule::Rule;
use crate::table::{Fate, Planner};

/// The views that there are, by the names of their owners.
#[derive(Debug, Default)]
pub(crate) struct Views {
    of: HashMap<Urn, Vec<Slot>>,
    /// Those that don't wait for deletion, by their own names. A view's name says the type of its
    /// owner, not the name: two owners may show views of one name.
    held: HashMap<Urn, Slot>,
}

impl Views {
    /// The views of a base, whose slots are its resources in order.
    pub(crate) fn of_base(base: &Snapshot) -> Views {
        let mut views = Views::default();
        for (slot, state) in (0u32..).zip(&base.resources) {
            if let Some(owner) = &state.view_of {
                views.of.entry(owner.clone()).or_default().push(Slot(slot));
                if !state.delete {
                    views.held.insert(state.urn.clone(), Slot(slot));
                }
            }
        }
        views
    }
}

/// What a provider says that it has done to a view, while it worked on the view's owner.
#[derive(Clone, Debug)]
pub struct PublishedView {
    /// What it did.
    pub op: StepOp,
    /// The view's name; a view without a state before and after has nothing else.
    pub urn: Urn,
    /// What the view is now; `None` where it is gone.
    pub state: Option<Arc<ResourceState>>,
    /// Whether it went wrong: then nothing has changed.
    pub failed: bool,
}

impl PublishedView {
    /// The same view in an owner of another name.
    fn under(&self, owner: &Urn) -> PublishedView {
        let urn = Urn::new(owner.stack(), owner.project(), Some(owner), self.urn.ty(), self.urn.name());
        let state = self.state.as_ref().map(|state| {
            Arc::new(ResourceState {
                urn: urn.clone(),
                parent: Some(owner.clone()),
                view_of: Some(owner.clone()),
                ..ResourceState::clone(state)
            })
        });
        PublishedView { op: self.op, urn, state, failed: self.failed }
    }

    /// The same view in an owner that waits for deletion: it waits, too.
    fn waiting(&self) -> PublishedView {
        let mut view = self.clone();
        if let Some(state) = &mut view.state {
            Arc::make_mut(state).delete = true;
        }
        view
    }
}

/// One step of a view.
#[derive(Clone, Debug)]
pub struct ViewStep {
    /// What it does.
    pub op: StepOp,
    /// The view's name.
    pub urn: Urn,
    /// The state before.
    pub old: Option<Arc<ResourceState>>,
    /// The state after.
    pub new: Option<Arc<ResourceState>>,
    /// The state that waits for deletion from now on, as its owner does.
    pub mark: Option<Slot>,
    /// What it does to the list of states; `None` where it changes nothing.
    pub after: Option<After>,
    /// Its place among what was published; `None` where it follows from what became of the owner.
    pub published: Option<usize>,
    /// Whether people see it.
    pub shown: bool,
}

/// What became of the owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// It is there.
    Stays,
    /// It was replaced, and the old one is gone.
    Replaced,
    /// It is gone.
    Gone,
    /// The step did nothing, or nobody knows what.
    Untouched,
}

fn owner(step: &Step, outcome: &StepOutcome) -> Owner {
    match (outcome, &step.after) {
        (StepOutcome::Unknown, _) => Owner::Untouched,
        (StepOutcome::Failed, After::Place { replaces: None, .. } | After::PlaceAndMark { .. }) => {
            Owner::Untouched
        }
        (StepOutcome::Failed | StepOutcome::Partial(_), _) => Owner::Stays,
        (StepOutcome::Done(_), After::MarkPendingReplacement(_)) => Owner::Gone,
        (StepOutcome::Done(_), After::Remove(_)) if replaced(step.op) => Owner::Replaced,
        (StepOutcome::Done(None), _) => Owner::Gone,
        (StepOutcome::Done(Some(_)), _) => Owner::Stays,
    }
}

/// How a step that ended well leaves its resource in the list.
#[derive(Clone, Copy)]
struct Placing {
    /// It takes a place in the run's order, so that its views have to follow it.
    places: bool,
    /// It is made a second time while the first is still there.
    another: bool,
}

fn placing(after: &After, outcome: &StepOutcome) -> Placing {
    let well = matches!(outcome, StepOutcome::Done(Some(_)) | StepOutcome::Partial(_));
    let another = matches!(after, After::PlaceAndMark { .. });
    let places = another || matches!(after, After::Keep(_) | After::Stay(_) | After::Place { .. });
    Placing { places: places && well, another: another && well }
}

fn replaced(op: StepOp) -> bool {
    matches!(op, StepOp::DeleteReplaced | StepOp::DiscardReplaced)
}

fn removes(op: StepOp) -> bool {
    replaced(op) || matches!(op, StepOp::Delete | StepOp::Discard | StepOp::RemovePendingReplace)
}

impl Planner {
    /// The views of a state, as its provider left them.
    pub fn views_of(&self, owner: &ResourceState) -> Vec<Arc<ResourceState>> {
        let slots = self.views.of.get(&owner.urn).map(Vec::as_slice).unwrap_or_default();
        let states = slots.iter().map(|slot| &self.entry(*slot).state);
        states.filter(|view| owner.delete == view.delete).cloned().collect()
    }

    /// Whether a step that has ended bears on views.
    pub fn bears_on_views(&self, step: &Step, published: usize) -> bool {
        published > 0
            || !self.views.of.is_empty()
                && (self.views.of.contains_key(&step.urn)
                    || step.old.is_some_and(|old| self.views.of.contains_key(&self.entry(old).state.urn)))
    }

    /// What becomes of the views of a step's resource, in order. It is told with the step's outcome,
    /// before that is, and is settled with it.
    pub fn settle_views(
        &mut self,
        step: &Step,
        outcome: &StepOutcome,
        published: &[PublishedView],
    ) -> Vec<ViewStep> {
        let owner = owner(step, outcome);
        let before = step.old.map_or_else(|| step.urn.clone(), |old| self.entry(old).state.urn.clone());
        let mut alive = self.views.of.remove(&before).unwrap_or_default();
        // Under the same name there is nothing left.
        alive.extend(self.views.of.remove(&step.urn).unwrap_or_default());
        let state = match outcome {
            StepOutcome::Done(state) => state.as_deref(),
            StepOutcome::Partial(state) => Some(&**state),
            StepOutcome::Failed | StepOutcome::Unknown => None,
        };
        let after = step.after(state, step.old.map(|old| &*self.entry(old).state));
        let placing = placing(&after, outcome);
        let mut steps = Vec::new();
        let mut touched = Vec::new();
        if owner != Owner::Untouched {
            for (index, view) in published.iter().enumerate() {
                // An owner that could not be changed keeps its former name.
                let renamed = before != step.urn && matches!(outcome, StepOutcome::Failed);
                let view = if renamed { &view.under(&before) } else { view };
                let view = if self.waits(step) { &view.waiting() } else { view };
                steps.extend(self.take_over(view, &alive));
                let done = self.publish(step, view, placing, &mut alive, &mut touched);
                self.fire(if view.failed { Rule::ViewFailed } else { Rule::ViewPublished });
                steps.push(ViewStep { published: Some(index), ..done });
            }
        }
        // What went wrong can't outlive its owner.
        let ends = matches!(owner, Owner::Replaced | Owner::Gone);
        let rest: Vec<Slot> = alive.iter().copied().filter(|slot| ends || !touched.contains(slot)).collect();
        for slot in rest {
            let done = self.follow(step, owner, placing, slot, &mut alive);
            // Of what went wrong enough has been shown.
            steps.extend(done.map(|done| ViewStep { shown: done.shown && !touched.contains(&slot), ..done }));
        }
        if !alive.is_empty() {
            let named = owner == Owner::Stays && !matches!(outcome, StepOutcome::Failed);
            let name = if named { step.urn.clone() } else { before.clone() };
            // What waits for deletion is that of the old one, which keeps its name.
            let waits = |slot: &Slot| placing.another && self.entry(*slot).state.delete;
            let (marked, alive): (Vec<Slot>, Vec<Slot>) = alive.into_iter().partition(waits);
            for (name, slots) in [(before, marked), (name, alive)] {
                if !slots.is_empty() {
                    self.views.of.entry(name).or_default().extend(slots);
                }
            }
        }
        steps
    }

    /// Whether the owner that a step is about waits for deletion.
    fn waits(&self, step: &Step) -> bool {
        step.old.is_some_and(|old| self.entry(old).state.delete)
    }

    /// Lets go of another owner's view whose name a new one takes: a list can't have both.
    fn take_over(&mut self, view: &PublishedView, alive: &[Slot]) -> Option<ViewStep> {
        let state = view.state.as_ref().filter(|state| !state.delete)?;
        let inert = view.failed || view.op == StepOp::Replace || removes(view.op);
        let held = self.views.held.get(&state.urn).copied().filter(|slot| !inert && !alive.contains(slot))?;
        let old = Arc::clone(&self.entry(held).state);
        for slots in self.views.of.values_mut() {
            slots.retain(|slot| *slot != held);
        }
        self.views.of.retain(|_, slots| !slots.is_empty());
        self.view_gone(held, &mut Vec::new());
        Some(ViewStep {
            op: StepOp::Delete,
            urn: old.urn.clone(),
            old: Some(old),
            new: None,
            mark: None,
            after: Some(After::Remove(held)),
            published: None,
            shown: false,
        })
    }

    /// One view as the provider says.
    fn publish(
        &mut self,
        step: &Step,
        view: &PublishedView,
        placing: Placing,
        alive: &mut Vec<Slot>,
        touched: &mut Vec<Slot>,
    ) -> ViewStep {
        let live = self.find_view(alive, &view.urn, false);
        let marked = self.find_view(alive, &view.urn, true);
        let old = match (self.waits(step), replaced(view.op)) {
            (true, _) => marked,
            (false, true) => marked.or(live),
            (false, false) => live,
        };
        let mut done = ViewStep {
            op: view.op,
            urn: view.urn.clone(),
            old: old.map(|slot| Arc::clone(&self.entry(slot).state)),
            new: view.state.clone(),
            mark: None,
            after: None,
            published: None,
            shown: true,
        };
        touched.extend(old);
        if view.failed || view.op == StepOp::Replace {
            return done;
        }
        let after = match (&view.state, old) {
            _ if removes(view.op) => old.map(After::Remove),
            (Some(state), Some(old)) if view.op == StepOp::CreateReplacement || placing.another => {
                done.mark = Some(old);
                Some(After::Place { slot: self.push_slot(Arc::clone(state), true), replaces: None })
            }
            (Some(_), Some(old)) if !placing.places => Some(After::Amend(old)),
            (Some(state), replaces) => {
                Some(After::Place { slot: self.push_slot(Arc::clone(state), true), replaces })
            }
            (None, old) => old.filter(|_| placing.places).map(After::Keep),
        };
        if let Some(old) = done.mark {
            self.mark_view(old);
        }
        if removes(view.op) {
            done.new = None;
        }
        if let Some(after) = &after {
            self.apply_view(after, view.state.as_ref(), alive, touched);
        }
        done.after = after;
        done
    }

    /// A view of which the provider said nothing.
    fn follow(
        &mut self,
        step: &Step,
        owner: Owner,
        placing: Placing,
        slot: Slot,
        alive: &mut Vec<Slot>,
    ) -> Option<ViewStep> {
        let state = Arc::clone(&self.entry(slot).state);
        let goes = match owner {
            Owner::Gone => !self.belongs_to_another(step, &state),
            Owner::Replaced => state.delete && !self.belongs_to_another(step, &state),
            Owner::Stays | Owner::Untouched => false,
        };
        let unchanged = step.op == StepOp::Same;
        let (op, after) = if goes {
            let op = if replaced(step.op) { StepOp::DeleteReplaced } else { StepOp::Delete };
            (op, After::Remove(slot))
        } else if placing.another && !state.delete {
            self.mark_view(slot);
            return Some(ViewStep {
                op: StepOp::Same,
                urn: state.urn.clone(),
                old: None,
                new: None,
                mark: Some(slot),
                after: None,
                published: None,
                shown: false,
            });
        } else if placing.places && !state.delete {
            (StepOp::Same, After::Keep(slot))
        } else {
            return None;
        };
        self.apply_view(&after, None, alive, &mut Vec::new());
        self.fire(if goes { Rule::ViewGoes } else { Rule::ViewStays });
        let new = (!goes).then(|| Arc::clone(&state));
        let shown = goes || unchanged;
        Some(ViewStep {
            op,
            urn: state.urn.clone(),
            old: Some(state),
            new,
            mark: None,
            after: Some(after),
            published: None,
            shown,
        })
    }

    /// Whether another state of the owner's name keeps a view: of a name's states that wait for
    /// deletion and the one that doesn't, each keeps views of its own kind.
    fn belongs_to_another(&self, step: &Step, view: &ResourceState) -> bool {
        let Some(old) = step.old else { return false };
        let owner = &self.entry(old).state;
        if owner.delete == view.delete {
            return false;
        }
        let live = self.live.get(&owner.urn).copied().or_else(|| self.resource_by_urn(&owner.urn)?.slot);
        live.is_some_and(|slot| slot != old && self.entry(slot).fate != Fate::Gone)
    }

    fn find_view(&self, alive: &[Slot], urn: &Urn, marked: bool) -> Option<Slot> {
        let is = |slot: &&Slot| {
            let state = &self.entry(**slot).state;
            state.delete == marked && state.urn.ty() == urn.ty() && state.urn.name() == urn.name()
        };
        alive.iter().find(is).copied()
    }

    fn apply_view(
        &mut self,
        after: &After,
        state: Option<&Arc<ResourceState>>,
        alive: &mut Vec<Slot>,
        touched: &mut Vec<Slot>,
    ) {
        match after {
            After::Keep(_)
            | After::Stay(_)
            | After::MarkPendingReplacement(_)
            | After::PlaceAndMark { .. } => {}
            After::Place { slot, replaces } => {
                if let Some(old) = replaces {
                    self.view_gone(*old, alive);
                }
                if let Some(state) = state.filter(|state| !state.delete) {
                    self.views.held.insert(state.urn.clone(), *slot);
                }
                alive.push(*slot);
                touched.push(*slot);
            }
            After::Amend(slot) => {
                if let Some(state) = state {
                    self.entry_mut(*slot).state = Arc::clone(state);
                }
            }
            After::Remove(slot) => self.view_gone(*slot, alive),
        }
    }

    fn mark_view(&mut self, slot: Slot) {
        self.fire(Rule::ViewMarked);
        let mut marked = ResourceState::clone(&self.entry(slot).state);
        marked.delete = true;
        self.forget_name(slot);
        self.entry_mut(slot).state = Arc::new(marked);
    }

    fn view_gone(&mut self, slot: Slot, alive: &mut Vec<Slot>) {
        alive.retain(|other| *other != slot);
        self.forget_name(slot);
        let urn = self.entry(slot).state.urn.clone();
        self.entry_mut(slot).fate = Fate::Gone;
        if self.live.get(&urn) == Some(&slot) {
            self.live.remove(&urn);
        }
    }
    fn forget_name(&mut self, slot: Slot) {
        let urn = &self.slots[slot.0 as usize].state.urn;
        if self.views.held.get(urn) == Some(&slot) {
            self.views.held.remove(urn);
        }
    }
}
