//! What must be true of a run because of its mode, and because of each of its options.

use std::collections::BTreeSet;

use purlin_model::event::{EngineEvent, StepOp};
use purlin_model::{OperationKind, PropertyValue, ResourceState, Snapshot};
use purlin_testkit::lab::cloud::Act;

use super::grid::{Choice, Mode};
use super::run::{self, Outcome, id, of};
use super::stacks::Stack;

/// A run with what it was asked to do.
pub(crate) struct Claims<'a> {
    pub(crate) mode: Mode,
    pub(crate) choices: &'a [Choice],
    pub(crate) stack: &'a Stack,
    pub(crate) outcome: &'a Outcome,
}

/// All resources of the stacks.
const NAMES: [&str; 8] = ["base", "mid", "leaf", "lone", "guard", "old", "fresh", "maybe"];

impl Claims<'_> {
    fn has(&self, choice: Choice) -> bool {
        self.choices.contains(&choice)
    }

    fn has_any(&self, choices: &[Choice]) -> bool {
        choices.iter().any(|choice| self.has(*choice))
    }

    fn dry(&self) -> bool {
        self.mode == Mode::Preview || self.has(Choice::PreviewOnly)
    }

    /// Whether it may leave something behind that the same without an option doesn't.
    pub(crate) fn leaves_traces(&self) -> bool {
        let unheard = [Choice::SkipPreview, Choice::SkipPending, Choice::ExpectNoChanges];
        !self.dry() && !self.has_any(&unheard)
    }

    /// Whether something from outside makes the run end early.
    fn disturbed(&self) -> bool {
        self.has_any(&[Choice::CancelOnce, Choice::CancelTwice, Choice::Failing])
    }

    fn limited(&self) -> bool {
        use Choice::{Exclude, ExcludeProtected, Target, TargetReplace};
        self.has_any(&[Target, TargetReplace, Exclude, ExcludeProtected])
    }

    /// What the run may touch.
    fn scope(&self) -> BTreeSet<&'static str> {
        let mut named = BTreeSet::new();
        if self.has(Choice::Target) {
            named.insert("base");
            if self.has(Choice::TargetDependents) {
                named.extend(["mid", "leaf"]);
            }
        }
        if self.has(Choice::TargetReplace) {
            named.insert("lone");
        }
        if !named.is_empty() {
            return named;
        }
        let mut all: BTreeSet<&str> = NAMES.into_iter().collect();
        if self.has(Choice::Exclude) {
            all.remove("base");
            if self.has(Choice::ExcludeDependents) {
                all.retain(|name| !["mid", "leaf"].contains(name));
            }
        }
        if self.has(Choice::ExcludeProtected) && !self.has(Choice::StateUnprotect) {
            all.remove("guard");
        }
        all
    }

    /// What is wrong.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |holds: bool, text: &str| {
            if !holds {
                wrong.push(text.to_owned());
            }
        };
        self.of_the_mode(&mut must);
        self.of_the_scope(&mut must);
        self.of_replacements(&mut must);
        self.of_protection(&mut must);
        self.of_plans(&mut must);
        self.of_pending(&mut must);
        self.of_changes(&mut must);
        self.of_failures(&mut must);
        self.of_ends(&mut must);
        self.of_reads(&mut must);
        wrong
    }

    fn of_the_mode(&self, must: &mut dyn FnMut(bool, &str)) {
        let outcome = self.outcome;
        let Some(ran) = &outcome.ran else { return };
        if self.dry() {
            must(outcome.before == ran.state, "a preview leaves the state as it is");
            must(ran.acts.is_empty() && ran.entries.is_empty(), "a preview acts not and writes nothing");
        }
        if self.mode == Mode::Refresh {
            must(ran.acts.is_empty(), "a refresh changes nothing in the cloud");
            must(
                outcome.things.keys().eq(outcome.things_before.keys()),
                "a refresh makes and deletes nothing",
            );
        }
        if self.dry() || !outcome.succeeded() || self.limited() {
            return;
        }
        let size =
            |name, size| of(&ran.state, name).iter().all(|state| self.number(state, "size") == Some(size));
        match self.mode {
            Mode::Up => {
                must(of(&ran.state, "base").len() == 1, "an update leaves one of each name");
                must(of(&ran.state, "old").is_empty(), "an update deletes what is not registered");
                let planned = self.has(Choice::Plan);
                must(planned || size("lone", 2.0), "an update writes what the program says");
                must(size("fresh", 1.0) && size("mid", 2.0), "an update makes what is new");
            }
            Mode::Destroy => must(ran.state.resources.is_empty(), "a destroy leaves nothing"),
            Mode::Refresh if self.stack.drifted => {
                must(size("lone", 7.0), "a refresh takes in what the cloud has");
                must(of(&ran.state, "old").is_empty(), "a refresh forgets what is gone");
            }
            _ => {}
        }
    }

    fn of_the_scope(&self, must: &mut dyn FnMut(bool, &str)) {
        if !self.limited() {
            return;
        }
        let scope = self.scope();
        for name in self.outcome.touched() {
            // Pending creates are told about beside what the refresh is about.
            let told = name == "maybe" && self.has(Choice::ImportPending);
            // What depends on something that is deleted first goes with it and comes again.
            let cascade = self.stack.first && self.mode == Mode::Up && scope.contains("base");
            let along = cascade && ["mid", "leaf"].contains(&name.as_str());
            let meant = told || along || scope.contains(name.as_str());
            must(meant, &format!("'{name}' is not meant and was touched"));
        }
        if self.has(Choice::Exclude) && scope.contains("mid") && self.mode == Mode::Destroy {
            let done = self.outcome.succeeded() && !self.dry();
            must(!done || of(self.outcome.after(), "mid").is_empty(), "what isn't excluded is deleted");
        }
    }

    fn of_replacements(&self, must: &mut dyn FnMut(bool, &str)) {
        use Choice::{Replace, StateTaint, TargetReplace};
        if !self.has_any(&[Replace, TargetReplace, StateTaint]) || self.mode == Mode::Destroy {
            return;
        }
        let tainted = of(self.outcome.after(), "lone").iter().any(|state| state.taint);
        let meant = self.scope().contains("lone");
        let changed = id(self.outcome.after(), "lone") != id(&self.outcome.before, "lone");
        let done = self.mode == Mode::Up && self.outcome.succeeded();
        if done {
            must(changed == meant, "what is to be replaced and meant is, and else not");
            must(tainted == (self.has(StateTaint) && !meant), "a replacement takes the taint away");
        }
        if self.mode != Mode::Up {
            must(!changed, "only an update replaces");
        }
        if self.mode == Mode::Preview && self.outcome.succeeded() {
            let shown = self.counted(StepOp::Replace, "lone");
            must(shown == meant, "a preview shows the replacement that was asked for");
        }
    }

    fn counted(&self, op: StepOp, name: &str) -> bool {
        let events = self.outcome.ran.iter().flat_map(|ran| &ran.events);
        let mut steps = events.filter_map(|event| match event {
            EngineEvent::ResourcePre { step, .. } => Some(step),
            _ => None,
        });
        steps.any(|step| step.op == op && step.urn.name() == name)
    }

    fn of_protection(&self, must: &mut dyn FnMut(bool, &str)) {
        let guarded = of(&self.outcome.before, "guard").iter().any(|state| state.protect);
        let gone = self.outcome.ran.is_some() && of(self.outcome.after(), "guard").is_empty();
        let exists =
            self.outcome.things.values().any(|t| t.urn.as_ref().is_some_and(|u| u.name() == "guard"));
        must(gone || exists, "what is in the state exists");
        if guarded && !self.has(Choice::IgnoreProtect) {
            must(!gone && exists, "what is protected stays");
        }
        let deletes = self.mode == Mode::Destroy || (self.mode == Mode::Up && self.stack.unguarded);
        if !deletes || self.disturbed() || self.outcome.ran.is_none() {
            return;
        }
        let meant = self.scope().contains("guard");
        let free = !guarded || self.has(Choice::IgnoreProtect);
        if meant && !free {
            must(!self.outcome.succeeded(), "a run that would delete what is protected fails");
        }
        if self.outcome.succeeded() && meant && free && !self.dry() {
            must(gone && !exists, "what isn't protected any more is deleted");
        }
        if self.has(Choice::ExcludeProtected) {
            must(self.outcome.succeeded(), "a destroy that leaves out what is protected goes through");
        }
    }

    fn of_plans(&self, must: &mut dyn FnMut(bool, &str)) {
        let outcome = self.outcome;
        let Some(ran) = &outcome.ran else { return };
        if self.has(Choice::SavePlan) {
            must(outcome.plan.is_some() == outcome.succeeded(), "a preview that succeeds leaves a plan");
        }
        if !self.has_any(&[Choice::Plan, Choice::Strict]) {
            return;
        }
        let Some(plan) = &outcome.plan else { return };
        let allowed = |act: &Act| {
            let steps = plan.resources.get(&act.urn).map_or(&[] as &[StepOp], |found| &found.steps);
            steps.iter().any(|op| match act.kind {
                OperationKind::Creating => matches!(op, StepOp::Create | StepOp::CreateReplacement),
                OperationKind::Updating => *op == StepOp::Update,
                OperationKind::Deleting => matches!(op, StepOp::Delete | StepOp::DeleteReplaced),
                _ => true,
            })
        };
        for act in &ran.acts {
            must(allowed(act), &format!("the plan doesn't allow this of '{}'", act.urn.name()));
        }
        let size = of(outcome.after(), "lone").first().and_then(|state| self.number(state, "size"));
        must(size != Some(3.0), "what the plan doesn't have is not done");
        if self.has(Choice::Plan) && self.scope().contains("lone") {
            must(!outcome.succeeded(), "a run that would leave the plan fails");
        }
        if self.has(Choice::Strict) && !self.disturbed() {
            must(outcome.succeeded(), "what was planned can be done");
        }
    }

    fn of_pending(&self, must: &mut dyn FnMut(bool, &str)) {
        let creates = |snapshot: &Snapshot| {
            let all = snapshot.pending_operations.iter();
            all.filter(|pending| pending.kind == OperationKind::Creating).count()
        };
        if !self.stack.pending || self.mode != Mode::Refresh || self.dry() || self.outcome.ran.is_none() {
            return;
        }
        let after = self.outcome.after();
        let settled = self.outcome.succeeded();
        if self.has(Choice::ImportPending) && settled {
            must(id(after, "maybe") == Some("maybe-1"), "what a pending create made is taken in");
            must(creates(after) == 0, "a create that was taken in is pending no more");
        } else if self.has(Choice::ClearPending) && settled {
            must(creates(after) == 0, "pending creates are cleared");
            must(of(after, "maybe").is_empty(), "what is cleared is not taken in");
        } else if !self.has_any(&[Choice::ImportPending, Choice::ClearPending]) {
            must(creates(after) == creates(&self.outcome.before), "pending creates stay");
        }
    }

    /// What `--expect-no-changes` goes by: a run that counts no change made none.
    fn of_changes(&self, must: &mut dyn FnMut(bool, &str)) {
        let Some(ran) = &self.outcome.ran else { return };
        let Some(report) = ran.report.as_ref().filter(|_| self.has(Choice::ExpectNoChanges)) else { return };
        let quiet =
            report.changes.iter().all(|(op, count)| matches!(op, StepOp::Same | StepOp::Read) || *count == 0);
        must(!quiet || ran.acts.is_empty(), "a run that counts no change makes none");
        if self.mode != Mode::Refresh && self.outcome.succeeded() {
            must(!quiet || self.limited(), "changes are counted");
        }
    }

    fn of_failures(&self, must: &mut dyn FnMut(bool, &str)) {
        let outcome = self.outcome;
        let Some(ran) = &outcome.ran else { return };
        if self.has(Choice::Failing) {
            let failing = |call: &String| {
                let start = ["update lone ", "create lone ", "delete lone ", "read lone "];
                start.iter().any(|start| call.starts_with(start)) || start.iter().any(|s| call == s.trim())
            };
            if ran.calls.iter().any(failing) && !self.dry() {
                must(!outcome.succeeded(), "a failure is told");
                let stays = of(outcome.after(), "lone")
                    .iter()
                    .any(|state| of(&outcome.before, "lone").iter().any(|old| old.id == state.id));
                must(stays, "what could not be changed stays as it is");
            }
        }
        let calm = !self.has_any(&[Choice::CancelOnce, Choice::CancelTwice, Choice::Plan]);
        let free = self.has(Choice::Failing) && self.has(Choice::ContinueOnError) && calm;
        if free && self.mode == Mode::Up && !self.stack.unguarded {
            must(outcome.touched().contains("fresh"), "what doesn't depend on a failure goes on");
        }
        if free && self.mode == Mode::Destroy {
            must(of(outcome.after(), "leaf").is_empty(), "what doesn't depend on a failure is deleted");
        }
    }

    fn of_ends(&self, must: &mut dyn FnMut(bool, &str)) {
        let outcome = self.outcome;
        let Some(ran) = &outcome.ran else { return };
        if self.has(Choice::Parallel) {
            must(ran.most_calls <= 1, "one at a time");
        }
        let pending = |snapshot: &Snapshot| snapshot.pending_operations.len();
        let excess = pending(outcome.after()) > pending(&outcome.before);
        if !self.has(Choice::CancelTwice) {
            must(!excess, "what is in flight is finished");
        }
        for left in &outcome.after().pending_operations {
            let urn = &left.resource.urn;
            let old = outcome.before.pending_operations.iter().any(|pending| pending.resource.urn == *urn);
            let told = ran.events.iter().any(|event| {
                matches!(event, EngineEvent::ResourceFailed { step, outcome_unknown: true, .. } if step.urn == *urn)
            });
            must(old || told, "what is left pending is told");
        }
    }

    /// Refreshes read what they are about, and the program runs where it has to.
    fn of_reads(&self, must: &mut dyn FnMut(bool, &str)) {
        let Some(ran) = &self.outcome.ran else { return };
        let runs = self.has(Choice::RunProgram) || matches!(self.mode, Mode::Preview | Mode::Up);
        must(runs || ran.replies.is_empty(), "the program runs only where it is asked for");
        if self.disturbed() || self.has_any(&[Choice::CancelOnce, Choice::CancelTwice]) {
            return;
        }
        must(!runs || !ran.replies.is_empty(), "the program is run");
        if self.mode != Mode::Refresh && !self.has(Choice::RefreshFirst) {
            let read = ran.calls.iter().any(|call| call.starts_with("read "));
            return must(!read, "nothing is read that nobody asked for");
        }
        // With the program reads come one by one with the registrations, after what was deleted first.
        let scope = self.scope();
        let one_by_one = self.has(Choice::RunProgram) && self.mode != Mode::Refresh;
        for name in ["base", "mid", "lone"] {
            if name == "mid" && one_by_one && self.stack.first {
                continue;
            }
            let read = ran.calls.iter().any(|call| call.starts_with(&format!("read {name} ")));
            must(read == scope.contains(name), &format!("'{name}' is read if it is meant"));
        }
        if self.stack.drifted && self.mode != Mode::Refresh && !one_by_one {
            let deleted = ran.acts.iter().any(|act| act.urn.name() == "old");
            must(!deleted || !scope.contains("old"), "what is gone is not deleted");
        }
    }

    /// A run that was cancelled does a part of what it does otherwise, and says so.
    pub(crate) fn of_the_cancel(&self) -> Result<Option<&'static str>, String> {
        let cancels = |choice: &Choice| matches!(choice, Choice::CancelOnce | Choice::CancelTwice);
        let Some(ran) = self.outcome.ran.as_ref().filter(|_| self.choices.iter().any(cancels)) else {
            return Ok(None);
        };
        let rest: Vec<Choice> = self.choices.iter().copied().filter(|choice| !cancels(choice)).collect();
        let twin = run::run(self.mode, &rest, self.stack)?;
        let Some(whole) = &twin.ran else { return Ok(Some("it ran at all")) };
        let more = |act: &Act| !whole.acts.iter().any(|own| own.kind == act.kind && own.urn == act.urn);
        if ran.acts.iter().any(more) {
            return Ok(Some("who cancels gets nothing more"));
        }
        let short = ran.acts.len() < whole.acts.len();
        Ok((short && self.outcome.succeeded()).then_some("who cancels is told so"))
    }

    /// The same run without an option that has nothing to bite on comes to the same.
    pub(crate) fn idle(&self) -> Option<Choice> {
        let [one, other] = self.choices else { return None };
        let pair = [(*one, *other), (*other, *one)];
        let found = pair.into_iter().find(|(own, with)| match own {
            Choice::TargetDependents => !matches!(with, Choice::Target),
            Choice::ExcludeDependents => !matches!(with, Choice::Exclude),
            Choice::ExpectNoChanges | Choice::SkipPreview | Choice::SkipPending | Choice::SavePlan => true,
            Choice::ContinueOnError => *with != Choice::Failing && self.outcome.succeeded(),
            Choice::IgnoreProtect => self.mode != Mode::Destroy && !self.stack.unguarded,
            _ => false,
        });
        found.map(|(own, _)| own)
    }

    /// Whether the idle option made a difference.
    pub(crate) fn differs(&self, idle: Choice) -> Result<bool, String> {
        let rest: Vec<Choice> = self.choices.iter().copied().filter(|choice| *choice != idle).collect();
        let twin = run::run(self.mode, &rest, self.stack)?;
        Ok(twin.after() != self.outcome.after() || twin.lines != self.outcome.lines)
    }

    fn number(&self, state: &ResourceState, key: &str) -> Option<f64> {
        match self.outcome.lab.codec.map(&state.inputs).get(key)? {
            PropertyValue::Number(number) => Some(*number),
            _ => None,
        }
    }
}
