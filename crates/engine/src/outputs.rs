//! Outputs of components and of the root stack.

use std::sync::Arc;

use purlin_journal::Change;
use purlin_model::event::{EngineEvent, StateView, StepOp, StepView};
use purlin_model::urn::STACK_TYPE;
use purlin_model::value::flatten_outputs;
use purlin_model::{Bag, PropertyMap, ResourceState, Urn};
use purlin_plan::Input;
use purlin_ports::MonitorError;

use crate::driver::Driver;
use crate::message::{Answer, Message};
use crate::perform::seal;

impl Driver {
    /// Outputs arrive. Those of the root stack wait for the end.
    pub(crate) fn outputs(&mut self, urn: Urn, outputs: PropertyMap, answer: Answer<()>) {
        let outputs = flatten_outputs(outputs);
        if self.planner.is_stopping() {
            let _ = answer.send(Err(MonitorError::Stopping));
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
        let (calls, inbox) = (Arc::clone(&self.calls), self.inbox.clone());
        tokio::spawn(async move {
            let old = calls.ports.bags.open(&state.outputs).await.unwrap_or_default();
            if merge {
                for (key, value) in old.iter() {
                    outputs.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            let sealed = if *old == outputs {
                Ok(None)
            } else {
                let outputs = Arc::new(outputs);
                seal(&calls, &outputs, Some(&state.outputs)).await.map(|bag| Some((bag, outputs)))
            };
            let message = match sealed {
                Ok(sealed) => Message::OutputsSealed { urn, sealed, answer },
                Err(problem) => {
                    let _ = inbox.send(Message::Failed(problem));
                    Message::OutputsSealed { urn, sealed: None, answer }
                }
            };
            let _ = inbox.send(message);
        });
    }

    pub(crate) fn outputs_sealed(
        &mut self,
        urn: &Urn,
        sealed: Option<(Bag, Arc<PropertyMap>)>,
        answer: Option<Answer<()>>,
    ) {
        if let Some((bag, outputs)) = sealed {
            self.amend_outputs(urn, bag, outputs);
        }
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

    fn amend_outputs(&mut self, urn: &Urn, bag: Bag, outputs: Arc<PropertyMap>) {
        let Some((slot, state)) = self.planner.registered(urn) else { return };
        let old = Arc::clone(state);
        let mut state = ResourceState::clone(&old);
        state.outputs = bag;
        let state = Arc::new(state);
        if let Err(problem) = self.recorder.change(vec![Change::Amend { slot, state: Arc::clone(&state) }]) {
            self.say(&problem);
            self.failed = true;
        }
        let op = self.component_ops.get(urn).copied().unwrap_or(StepOp::Same);
        let view = StepView {
            op,
            urn: urn.clone(),
            old: None,
            new: Some(StateView { state: Arc::clone(&state), inputs: Arc::default(), outputs }),
            replace_keys: Vec::new(),
            diff_keys: Vec::new(),
            detailed_diff: None,
            logical: true,
            provider: String::new(),
        };
        let planning = self.calls.info.dry_run;
        self.calls.ports.events.emit(EngineEvent::ResourceOutputs { step: Box::new(view), planning });
        self.feed(Input::Amended { urn: urn.clone(), state });
    }
}
