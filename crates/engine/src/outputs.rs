//! Outputs of components and of the root stack.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_journal::Change;
use purlin_model::event::{EngineEvent, StateView, StepOp, StepView};
use purlin_model::urn::STACK_TYPE;
use purlin_model::value::flatten_outputs;
use purlin_model::{Bag, PropertyMap, PropertyValue, ResourceState, Urn};
use purlin_plan::Input;
use purlin_ports::MonitorError;

use crate::driver::Driver;
use crate::hooks;
use crate::message::{Answer, Message, Opened, SealedOutputs};
use crate::perform::seal;

/// Outputs that come from what an operation was not about and that doesn't exist are unknown: what
/// was known before stays, and nothing unknown is written.
fn settle_unknowns(outputs: &mut PropertyMap, old: &PropertyMap) {
    let unknown = |value: &PropertyValue| value.contains_unknowns();
    let keys: Vec<String> =
        outputs.iter().filter(|(_, value)| unknown(value)).map(|(key, _)| key.clone()).collect();
    for key in keys {
        match old.get(&key) {
            Some(value) => outputs.insert(key, value.clone()),
            None => outputs.remove(&key),
        };
    }
}

impl Driver {
    /// Outputs arrive. Those of the root stack wait for the end.
    pub(crate) fn outputs(&mut self, urn: Urn, outputs: PropertyMap, answer: Answer<()>) {
        let outputs = flatten_outputs(outputs);
        if self.planner.is_stopping() {
            let _ = answer.send(Err(MonitorError::Stopping));
            return;
        }
        if self.planner.is_unmade(&urn) {
            let _ = answer.send(Ok(()));
            return;
        }
        if self.planner.registered(&urn).is_none() {
            let message = format!("cannot complete a resource '{urn}' whose registration isn't pending");
            let _ = answer.send(Err(MonitorError::Invalid(message)));
            return;
        }
        if urn.qualified_type() == STACK_TYPE {
            self.stack_outputs = Some((urn, outputs));
            let _ = answer.send(Ok(()));
            return;
        }
        self.seal_outputs(urn, outputs, Some(answer), false);
    }

    /// The outputs of the root stack at the end: of a failed run, new ones are merged over the old.
    pub(crate) fn settle_stack_outputs(&mut self, ok: bool) {
        match self.stack_outputs.take() {
            Some((urn, outputs)) if self.planner.registered(&urn).is_some() => {
                self.seal_outputs(urn, outputs, None, !ok || self.failed);
            }
            _ => {
                self.outputs_settled = true;
                self.release_signals();
            }
        }
    }

    fn seal_outputs(&mut self, urn: Urn, mut outputs: PropertyMap, answer: Option<Answer<()>>, merge: bool) {
        let Some((_, state)) = self.planner.registered(&urn) else { return };
        let state = Arc::clone(state);
        self.sealing += 1;
        // Of a run that failed nobody knows what is missing.
        let plan = self.output_plan(&urn).filter(|_| !merge);
        let (calls, inbox) = (Arc::clone(&self.calls), self.inbox.clone());
        tokio::spawn(async move {
            let old = calls.ports.bags.open(&state.outputs).await.unwrap_or_default();
            if merge {
                for (key, value) in old.iter() {
                    outputs.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            if !calls.info.dry_run {
                settle_unknowns(&mut outputs, &old);
            }
            let outputs = Arc::new(outputs);
            let planned = match plan {
                Some(plan) => plan.check(&calls, &outputs).await,
                None => Ok(None),
            };
            let sealed = if old == outputs {
                Ok(None)
            } else {
                seal(&calls, &outputs, Some(&state.outputs)).await.map(Some)
            };
            let bag = sealed.unwrap_or_else(|problem| {
                let _ = inbox.send(Message::Failed(problem));
                None
            });
            let sealed = SealedOutputs { urn, bag, old, outputs, planned, answer };
            let _ = inbox.send(Message::OutputsSealed(Box::new(sealed)));
        });
    }

    pub(crate) fn outputs_sealed(&mut self, sealed: SealedOutputs) {
        let SealedOutputs { urn, bag, old, outputs, planned, answer } = sealed;
        match planned {
            Ok(None) => {}
            Ok(Some(diff)) => self.plan_book.note_registered(&urn, diff, &outputs),
            Err(problem) => {
                self.say(&problem);
                self.failed = true;
                self.feed(Input::Stop);
                let Some(answer) = answer else { return self.outputs_done(None) };
                self.sealing -= 1;
                let _ = answer.send(Err(MonitorError::Stopping));
                return;
            }
        }
        self.amend_outputs(&urn, bag, old, Arc::clone(&outputs));
        match self.component_hooks.remove(&urn) {
            Some(due) => self.after_component(&urn, due, outputs, answer),
            None => self.outputs_done(answer),
        }
    }

    /// Calls the hooks after a component that has its outputs.
    fn after_component(
        &mut self,
        urn: &Urn,
        due: hooks::Due,
        outputs: Arc<PropertyMap>,
        answer: Option<Answer<()>>,
    ) {
        let Some((_, state)) = self.planner.registered(urn) else { return self.outputs_done(answer) };
        let new = Opened { state: Arc::clone(state), inputs: Arc::default(), outputs };
        let (calls, inbox) = (Arc::clone(&self.calls), self.inbox.clone());
        tokio::spawn(async move {
            let problem = hooks::run(&calls, due.with_outputs(&new)).await.err();
            let _ = inbox.send(Message::ComponentHooked { problem, answer });
        });
    }

    pub(crate) fn component_hooked(&mut self, problem: Option<Diagnostic>, answer: Option<Answer<()>>) {
        if let Some(problem) = problem {
            self.say(&problem);
            self.failed = true;
            self.feed(Input::RunFailed);
        }
        self.outputs_done(answer);
    }

    fn outputs_done(&mut self, answer: Option<Answer<()>>) {
        self.sealing -= 1;
        match answer {
            Some(answer) => {
                let _ = answer.send(Ok(()));
            }
            None => {
                self.outputs_settled = true;
                self.release_signals();
            }
        }
    }

    /// Records outputs that differ (`bag`), and shows them in any case.
    fn amend_outputs(
        &mut self,
        urn: &Urn,
        bag: Option<Bag>,
        old: Arc<PropertyMap>,
        outputs: Arc<PropertyMap>,
    ) {
        let Some((slot, before)) = self.planner.registered(urn) else { return };
        let before = Arc::clone(before);
        let after = match bag {
            None => Arc::clone(&before),
            Some(bag) => Arc::new(ResourceState { outputs: bag, ..ResourceState::clone(&before) }),
        };
        if !Arc::ptr_eq(&before, &after) {
            let change = Change::Amend { slot, state: Arc::clone(&after) };
            if let Err(problem) = self.recorder.change(vec![change]) {
                self.say(&problem);
                self.failed = true;
            }
            self.feed(Input::Amended { urn: urn.clone(), state: Arc::clone(&after) });
        }
        let shown = |state, outputs| StateView { state, inputs: Arc::default(), outputs };
        let op = self.component_ops.get(urn).copied().unwrap_or(StepOp::Same);
        let view = StepView {
            op,
            urn: urn.clone(),
            old: (op != StepOp::Create).then(|| shown(before, old)),
            new: Some(shown(after, outputs)),
            replace_keys: Vec::new(),
            diff_keys: Vec::new(),
            detailed_diff: None,
            cause: None,
            logical: true,
            provider: String::new(),
        };
        let planning = self.calls.info.dry_run;
        self.calls.ports.events.emit(EngineEvent::ResourceOutputs { step: Box::new(view), planning });
    }
}
