//! Creates of earlier runs whose outcome nobody knew: a refresh takes what they made into the state.

use std::collections::BTreeSet;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::{OperationKind, ResourceState, Slot, Snapshot, Urn};

use crate::decide::StepSeed;
use crate::effect::{After, Step, StepReasons};
use crate::rule::Rule;
use crate::settings::Mode;
use crate::table::{Fate, Planner};
use crate::twins::{manages, same_place};

impl Planner {
    /// Notes the pending creates of the base, and those of them that the user knows the outcome of.
    pub(crate) fn note_pending(&mut self, base: &Snapshot) {
        let creates = base.pending_operations.iter().filter(|p| p.kind == OperationKind::Creating);
        self.may_exist = creates.map(|pending| pending.resource.urn.clone()).collect();
        if self.settings.import_pending.is_empty() {
            return;
        }
        self.pending_creates = (0u32..)
            .zip(&base.pending_operations)
            .filter(|(_, pending)| pending.kind == OperationKind::Creating)
            .filter(|(_, pending)| self.settings.import_pending.contains_key(&pending.resource.urn))
            .map(|(index, pending)| (index, Arc::clone(&pending.resource)))
            .collect();
    }

    /// Whether a refresh is about to take in what a pending create of this name made.
    pub(crate) fn is_pending_create(&self, urn: &Urn) -> bool {
        self.pending_creates.iter().any(|(_, state)| state.urn == *urn)
    }

    /// Refuses ids of pending creates that are known: what such a create made is something else, or was taken
    /// over since. Whether one was refused.
    pub(crate) fn refuse_known_pending(&mut self) -> bool {
        let mut made: Vec<ResourceState> = Vec::new();
        let mut problems: Vec<Diagnostic> = Vec::new();
        for (_, resource) in &self.pending_creates {
            let state = self.made_by(resource);
            if made.iter().any(|other| other.urn == state.urn) {
                continue;
            }
            let another = made.iter().find(|other| same_place(other, &state));
            match self.slots.iter().map(|entry| &*entry.state).find(|known| has_already(known, &state)) {
                Some(known) => problems.push(already_known(&state, known)),
                None => problems.extend(another.map(|other| already_named(&state, other))),
            }
            made.push(state);
        }
        let refused = !problems.is_empty();
        for problem in problems {
            self.fire(Rule::PendingKnown);
            self.say(problem);
        }
        self.failed |= refused;
        refused
    }

    /// What the user says that a pending create made.
    fn made_by(&self, resource: &ResourceState) -> ResourceState {
        let id = self.settings.import_pending.get(&resource.urn).cloned().unwrap_or_default();
        ResourceState { id, delete: false, pending_replacement: false, ..resource.clone() }
    }

    /// Reads what pending creates made and puts it into the list. The state that it was to replace
    /// waits for deletion.
    pub(crate) fn plan_pending(&mut self) {
        let unused = self.settings.import_pending.keys().filter(|urn| !self.is_pending_create(urn));
        let unused: Vec<Diagnostic> = unused.map(not_pending).collect();
        for warning in unused {
            self.fire(Rule::PendingUnknown);
            self.say(warning);
        }
        let mut seen: Vec<Urn> = Vec::new();
        for (index, resource) in self.pending_creates.clone() {
            if seen.contains(&resource.urn) {
                continue;
            }
            seen.push(resource.urn.clone());
            self.plan_pending_import(index, &resource);
        }
    }

    /// What was taken in without a registration is the old state of one that may come.
    pub(crate) fn adopt_import(&mut self, step: &Step, slot: Slot) {
        if step.op == StepOp::Import && step.res.is_none() {
            self.live.insert(step.urn.clone(), slot);
            self.entry_mut(slot).new = false;
        }
    }

    /// What stands before a step's state in the list once it has ended: where the program gives the order,
    /// what the state needs; otherwise all of the base. It takes its place as the journal has it, so that
    /// it is deleted later than what needs it.
    pub(crate) fn place_before(&mut self, step: &Step, state: Option<&ResourceState>) {
        let program_runs = self.settings.mode == Mode::Update || self.settings.run_program;
        let slots: BTreeSet<Slot> = match (step.settles, state) {
            (None, None) => return,
            (Some(_), Some(state)) if program_runs => self.needs_without_place(state),
            (Some(_), _) => self.all_slots().into_iter().filter(|slot| self.has_no_place(*slot)).collect(),
            (None, Some(state)) => self.needs_without_place(state),
        };
        for slot in slots {
            self.take_place(slot);
            self.scope.ahead.insert(slot);
        }
    }

    fn has_no_place(&self, slot: Slot) -> bool {
        let entry = self.entry(slot);
        !entry.new && entry.place == u32::MAX && entry.fate != Fate::Gone
    }

    /// The states of the base without a place that a state needs, directly or not. What a state refers
    /// to stands before it, so the order of slots is a right one.
    fn needs_without_place(&mut self, state: &ResourceState) -> BTreeSet<Slot> {
        let mut found = BTreeSet::new();
        let mut work: Vec<(Urn, Slot)> =
            state.references().map(|urn| (urn.clone(), Slot(u32::MAX))).collect();
        while let Some((urn, before)) = work.pop() {
            let live = self.live.get(&urn).copied();
            for slot in self.waiting_for_deletion(&urn).into_iter().chain(live) {
                if slot < before && self.has_no_place(slot) && found.insert(slot) {
                    work.extend(self.entry(slot).state.references().map(|urn| (urn.clone(), slot)));
                }
            }
        }
        found
    }

    fn plan_pending_import(&mut self, index: u32, resource: &ResourceState) {
        let live = self.live.get(&resource.urn).copied();
        let draft = Arc::new(self.made_by(resource));
        let slot = self.push_slot(Arc::clone(&draft), true);
        let after = match live {
            Some(old) if self.entry(old).fate == Fate::Stands => After::PlaceAndMark { slot, old },
            replaces => After::Place { slot, replaces },
        };
        self.fire(Rule::PendingTakenIn);
        let mut step = self.make_step(StepSeed {
            op: StepOp::Import,
            res: None,
            old: live,
            draft: Some(draft),
            reasons: StepReasons::default(),
            after,
            inputs_equal: true,
            wait_for: None,
        });
        step.settles = Some(index);
        self.add_step(step);
    }
}

/// Whether a state has what a pending create is said to have made, be it under another name.
fn has_already(known: &ResourceState, made: &ResourceState) -> bool {
    let of_its_name = known.urn == made.urn && known.id == made.id && !known.pending_replacement;
    of_its_name || (manages(known) && same_place(known, made))
}

fn already_known(made: &ResourceState, known: &ResourceState) -> Diagnostic {
    let (urn, id) = (&made.urn, &made.id);
    let who = if known.urn == *urn { "the state".to_owned() } else { format!("\"{}\"", known.urn) };
    let message = format!("the pending create of \"{urn}\" did not make '{id}': {who} has that already");
    let hint = "name what it made by the id that the cloud has for it; if it made nothing, or the state has it \
                since, forget the create with `--clear-pending-creates`";
    Diagnostic::error("pending-create-known", message).with_urn(urn.as_str()).with_hint(hint)
}

fn already_named(made: &ResourceState, other: &ResourceState) -> Diagnostic {
    let (urn, id, other) = (&made.urn, &made.id, &other.urn);
    let message = format!("the pending creates of \"{other}\" and of \"{urn}\" did not both make '{id}'");
    let hint = "name what each made by the id that the cloud has for it";
    Diagnostic::error("pending-create-known", message).with_urn(urn.as_str()).with_hint(hint)
}

fn not_pending(urn: &Urn) -> Diagnostic {
    let message = format!("\"{urn}\" did not correspond to a pending create");
    Diagnostic::warning("no-pending-create", message).with_urn(urn.as_str())
}
