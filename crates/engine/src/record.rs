//! What leaves the driver: journal entries, and the counts of the summary.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_journal::{Change, Entry, Fold, check_integrity};
use purlin_model::event::StepOp;
use purlin_model::{Extension, ResourceState, Snapshot};
use purlin_plan::{After, Step, StepOutcome, ViewStep};
use purlin_ports::{Durable, UpdateSession};

use crate::message::Begun;

/// The fold of an operation, and where its entries go.
pub(crate) struct Recorder {
    fold: Fold,
    session: Option<Arc<dyn UpdateSession>>,
    /// The promise of the newest entry: when it holds, all before it are durable.
    newest: Option<Box<dyn Durable>>,
    /// Whether the program runs and gives the states their order.
    program_runs: bool,
    /// Why the fold is no longer what the journal says.
    defect: Option<Diagnostic>,
    /// An end that a planted bug holds back.
    #[cfg(feature = "planted")]
    late: Option<Entry>,
    pub(crate) counts: BTreeMap<StepOp, u64>,
}

impl Recorder {
    pub(crate) fn new(
        base: &Arc<Snapshot>,
        session: Option<Arc<dyn UpdateSession>>,
        program_runs: bool,
    ) -> Recorder {
        Recorder {
            fold: Fold::new(Arc::clone(base)),
            session,
            newest: None,
            program_runs,
            defect: None,
            #[cfg(feature = "planted")]
            late: None,
            counts: BTreeMap::new(),
        }
    }

    /// Records the end of a step. An error is a defect of the engine: what was answered stays in
    /// the journal and the run must stop.
    pub(crate) fn end_step(
        &mut self,
        step: &Step,
        begun: Option<&Begun>,
        outcome: &StepOutcome,
        old: Option<&Arc<ResourceState>>,
        views: &[ViewStep],
    ) -> Result<(), Diagnostic> {
        if let Some(begun) = begun {
            let entry =
                Entry::Begin { op: begun.op, kind: begun.kind, resource: Arc::clone(&begun.resource) };
            self.fold(&entry)?;
        }
        let mut changes = match outcome {
            StepOutcome::Done(state) => self.changes_of(step, state.as_ref(), old),
            StepOutcome::Partial(state) => self.changes_of(step, Some(state), old),
            StepOutcome::Failed => Vec::new(),
            StepOutcome::Unknown => return Ok(()),
        };
        if !views.is_empty() {
            let of_views = views.iter().flat_map(|view| {
                let mark = view.mark.map(|slot| Change::MarkDelete { slot });
                let rest = view.after.iter().flat_map(|after| self::changes(after, view.new.as_ref(), None));
                mark.into_iter().chain(rest)
            });
            // Views stand behind their owner, and go before it.
            let goes = changes.iter().any(|change| matches!(change, Change::Remove { .. }));
            let place = if goes { 0 } else { changes.len() };
            changes.splice(place..place, of_views.collect::<Vec<_>>());
        }
        if changes.is_empty() && begun.is_none() {
            return Ok(());
        }
        self.append(Entry::End { op: begun.map(|b| b.op), changes })
    }

    /// What a step's end means for the list of states.
    fn changes_of(
        &self,
        step: &Step,
        state: Option<&Arc<ResourceState>>,
        old: Option<&Arc<ResourceState>>,
    ) -> Vec<Change> {
        let after = step.after(state.map(|s| &**s), old.map(|s| &**s));
        let mut first: Vec<Change> = Vec::new();
        if let Some(index) = step.settles {
            match state {
                // What the program registers later may refer to what it makes anew: it has no place yet.
                Some(state) if self.program_runs => {
                    let mut needs = self.fold.unplaced_needs(state);
                    needs.sort_unstable();
                    first.extend(needs.into_iter().map(|slot| Change::Keep { slot }));
                }
                // Nothing of this list is registered: all keep their order, before what is new.
                _ => first.extend(self.fold.unplaced().map(|slot| Change::Keep { slot })),
            }
            first.push(Change::ClearPending { index });
        }
        if let (After::Stay(_), Some(state)) = (&after, state) {
            first.extend(self.fold.unplaced_needs(state).into_iter().map(|slot| Change::Keep { slot }));
        }
        first.extend(changes(&after, state, old));
        first
    }

    /// Records changes that no step made.
    pub(crate) fn change(&mut self, changes: Vec<Change>) -> Result<(), Diagnostic> {
        self.append(Entry::End { op: None, changes })
    }

    /// Records an extension that the program uses, before anything refers to it.
    pub(crate) fn extend(&mut self, extension: &Arc<Extension>) -> Result<(), Diagnostic> {
        if self.fold.has_extension(&extension.reference) {
            return Ok(());
        }
        self.change(vec![Change::Extend { extension: Arc::clone(extension) }])
    }

    fn append(&mut self, entry: Entry) -> Result<(), Diagnostic> {
        let folded = self.fold(&entry);
        #[cfg(feature = "planted")]
        if purlin_plan::planted::is(purlin_plan::planted::Bug::LateEnd) && self.late.is_none() {
            self.late = Some(entry);
            return folded;
        }
        if let Some(session) = &self.session {
            self.newest = Some(session.append(entry));
        }
        #[cfg(feature = "planted")]
        self.append_late();
        folded
    }

    /// Appends the end that a planted bug held back.
    #[cfg(feature = "planted")]
    fn append_late(&mut self) {
        if let (Some(session), Some(late)) = (&self.session, self.late.take()) {
            self.newest = Some(session.append(late));
        }
    }

    fn fold(&mut self, entry: &Entry) -> Result<(), Diagnostic> {
        self.fold.apply(entry).map_err(|e| {
            let problem =
                Diagnostic::error("fold-defect", format!("a change of state could not be recorded: {e}"))
                    .with_hint(
                        "this is a defect; the journal is kept, and `cancel` recovers the stack from it",
                    );
            self.defect.get_or_insert_with(|| problem.clone());
            problem
        })
    }

    /// Why a step may not be taken: the list of states that it leads to would break a rule.
    pub(crate) fn refusal(&mut self, step: &Step) -> Option<Diagnostic> {
        if matches!(step.after, After::Amend(_)) || (step.draft.is_none() && step.op == StepOp::Refresh) {
            return None;
        }
        // What stays as it is may refer to what a refresh found gone; the fold has pruned that.
        let stays = matches!(step.after, After::Stay(_)) && step.op == StepOp::Same;
        let old = step.draft.as_ref().filter(|_| stays);
        let changes = self.changes_of(step, step.draft.as_ref(), old);
        self.refused(step, &changes, "is not begun")
    }

    /// Why what an import found may not be taken over. It was admitted beside what it replaces; if
    /// it is that very resource, it takes its place, before what stands between the two.
    pub(crate) fn import_refusal(
        &mut self,
        step: &Step,
        found: &Arc<ResourceState>,
        old: &Arc<ResourceState>,
    ) -> Option<Diagnostic> {
        if step.op != StepOp::ImportReplacement || step.after(Some(found), Some(old)) == step.after {
            return None;
        }
        let changes = self.changes_of(step, Some(found), Some(old));
        self.refused(step, &changes, "is not recorded")
    }

    fn refused(&mut self, step: &Step, changes: &[Change], what: &str) -> Option<Diagnostic> {
        let problems = self.fold.admit(changes);
        let first = problems.first()?;
        if !check_integrity(self.fold.base()).is_empty() {
            return None;
        }
        let message = format!("the {} of {} {what}: {first}", step.op.as_str(), step.urn);
        let hint = "the state that it would leave could not be used; see that what a resource refers to is \
                    registered before it";
        Some(Diagnostic::error("step-refused", message).with_urn(step.urn.as_str()).with_hint(hint))
    }

    /// Why what was recorded must not replace the checkpoint.
    pub(crate) fn unusable(&self) -> Option<Diagnostic> {
        if self.defect.is_some() {
            return self.defect.clone();
        }
        let first = self.fold.problems().into_iter().next()?;
        if !check_integrity(self.fold.base()).is_empty() {
            return None;
        }
        let message = format!("the state that came out breaks a rule and was not written: {first}");
        let hint = "this is a defect; the journal is kept: recover the stack from it with `cancel`";
        Some(Diagnostic::error("state-integrity", message).with_urn(first.urn.as_str()).with_hint(hint))
    }

    /// Waits until everything that was recorded is stored.
    pub(crate) async fn settle(&mut self) -> Result<(), Diagnostic> {
        #[cfg(feature = "planted")]
        self.append_late();
        match self.newest.take() {
            Some(promise) => promise.wait().await.map_err(|e| e.diagnostic()),
            None => Ok(()),
        }
    }

    /// The state now. Of a run that went well, operations of earlier runs that are not creates are
    /// settled by it and go away.
    pub(crate) fn snapshot(&self, ok: bool) -> Snapshot {
        if ok { self.fold.finish() } else { self.fold.snapshot() }
    }

    /// Counts steps for the summary that nobody is shown.
    pub(crate) fn count_many(&mut self, op: StepOp, count: usize) {
        if count > 0 {
            *self.counts.entry(op).or_default() += count as u64;
        }
    }

    /// Counts a step for the summary.
    pub(crate) fn count(&mut self, op: StepOp) {
        *self.counts.entry(op).or_default() += 1;
    }
}

fn changes(
    after: &After,
    state: Option<&Arc<ResourceState>>,
    old: Option<&Arc<ResourceState>>,
) -> Vec<Change> {
    match (after, state) {
        #[cfg(feature = "planted")]
        (After::Keep(_), _) if purlin_plan::planted::is(purlin_plan::planted::Bug::UnorderedSames) => {
            Vec::new()
        }
        (After::Keep(slot), _) => vec![Change::Keep { slot: *slot }],
        (After::Place { slot, replaces }, Some(state)) => {
            vec![Change::Place { slot: *slot, state: Arc::clone(state), replaces: *replaces }]
        }
        (After::PlaceAndMark { slot, old }, Some(state)) => vec![
            Change::MarkDelete { slot: *old },
            Change::Place { slot: *slot, state: Arc::clone(state), replaces: None },
        ],
        (After::Amend(_), Some(state)) if old.is_some_and(|old| Arc::ptr_eq(old, state)) => Vec::new(),
        (After::Amend(slot), Some(state)) => {
            vec![Change::Amend { slot: *slot, state: Arc::clone(state) }]
        }
        (After::Amend(slot), None) | (After::Remove(slot), _) => vec![Change::Remove { slot: *slot }],
        (After::Stay(slot), Some(state)) => {
            let mut both = changes(&After::Amend(*slot), Some(state), old);
            both.push(Change::Keep { slot: *slot });
            both
        }
        (After::Stay(slot), None) => vec![Change::Remove { slot: *slot }],
        (After::MarkPendingReplacement(slot), _) => vec![Change::MarkPendingReplacement { slot: *slot }],
        (After::Place { .. } | After::PlaceAndMark { .. }, None) => Vec::new(),
    }
}
