//! The planner's effects, performed.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use purlin_diag::Diagnostic;
use purlin_journal::Change;
use purlin_model::event::{EngineEvent, StepOp};
use purlin_model::{Extension, PropertyMap, Slot, Urn};
use purlin_plan::{After, Effect, Input, Reply, ResId, Rule, Step, StepOutcome, Ticket};
use purlin_ports::{Inherited, MonitorError, ReadReply, RegisterReply, RegisterResult};

use crate::compare;
use crate::comparisons::Comparison;
use crate::driver::{Driver, is_default_provider};
use crate::message::{Bearing, ChosenProvider, StepEnd, Waiting};
use crate::perform::{self, Job};
use crate::view::{planned, step_view};
use crate::views::StepViews;

impl Driver {
    /// What a resource below another inherits.
    pub(crate) fn inherited(&self, parent: &Urn, package: Option<&str>) -> Inherited {
        let Some((goal, provider)) = self.planner.handed_on(parent, package) else {
            return Inherited::default();
        };
        Inherited {
            protect: goal.protect,
            retain_on_delete: goal.retain_on_delete,
            deleted_with: goal.deleted_with.clone(),
            provider: provider.cloned(),
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Check { res, olds, for_replacement } => {
                let old = olds.or_else(|| self.planner.old(res));
                let old = old.map(|slot| Arc::clone(self.planner.state(slot)));
                self.compare(Comparison::Check { res, old, with_olds: olds.is_some(), for_replacement });
            }
            Effect::Diff { res, old, old_provider } => {
                let old = Arc::clone(self.planner.state(old));
                self.compare(Comparison::Diff { res, old, old_provider });
            }
            Effect::DiffDependent { slot, properties } => {
                let state = Arc::clone(self.planner.state(slot));
                let (calls, inbox) = (Arc::clone(&self.calls), self.inbox.clone());
                tokio::spawn(async move {
                    let _ = inbox.send(compare::diff_dependent(calls, slot, state, properties).await);
                });
            }
            Effect::Show(step) => self.show(&step),
            Effect::Run(step) => self.run_step(step),
            Effect::Carry { slots } => self.carry(&slots),
            Effect::Reply { ticket, reply } => self.reply(ticket, reply),
            Effect::Adopt { res } => drop(self.works.entry(res).or_default()),
            Effect::StartProgram => self.start_program(),
            Effect::Say(diagnostic) => self.say(&diagnostic),
            Effect::Stopping => {
                self.calls.stopping.cancel();
                self.end_program_soon();
            }
            Effect::Finish { ok } => {
                let left = self.planner.left_alone().filter(|state| !is_default_provider(&state.urn)).count();
                self.recorder.count_many(StepOp::Same, left);
                if !self.judge_stack(ok) {
                    self.finished = Some(ok);
                    self.settle_stack_outputs(ok);
                }
            }
        }
    }

    /// An extension is used: whoever refers to it finds it in the journal before.
    pub(crate) fn note_extension(&mut self, extension: &Arc<Extension>) {
        self.calls.pool.note(extension);
        self.calls.count(Rule::Extended);
        if let Err(problem) = self.recorder.extend(extension) {
            self.say(&problem);
            self.failed = true;
            self.inputs.push_back(Input::RunFailed);
        }
    }

    /// States take their places as they are, without a step to be shown.
    fn carry(&mut self, slots: &[Slot]) {
        let changes = slots.iter().map(|slot| Change::Keep { slot: *slot }).collect();
        if let Err(problem) = self.recorder.change(changes) {
            self.say(&problem);
            self.failed = true;
            self.inputs.push_back(Input::RunFailed);
        }
    }

    /// The checked inputs, or those that the program gave where nothing checks them.
    pub(crate) fn inputs_of(&self, res: ResId) -> Arc<PropertyMap> {
        match self.works.get(&res) {
            Some(work) if work.checked => Arc::clone(&work.inputs),
            _ => Arc::clone(&self.planner.goal(res).inputs),
        }
    }

    fn job(&mut self, step: Box<Step>) -> Job {
        let old_state = step.old.map(|slot| Arc::clone(self.planner.state(slot)));
        let (inputs, old) = match step.res {
            Some(res) => {
                let inputs = self.inputs_of(res);
                (inputs, self.works.get_mut(&res).and_then(|work| work.old.take()))
            }
            None => (Arc::default(), None),
        };
        let creates = matches!(step.op, StepOp::Create | StepOp::CreateReplacement);
        let old_views = match &old_state {
            Some(state) if !creates => self.planner.views_of(state),
            _ => Vec::new(),
        };
        let is_provider = purlin_model::urn::is_provider_type(step.urn.ty());
        let provider_id =
            if creates && is_provider { self.calls.ports.entropy.uuid() } else { String::new() };
        let listed = step.res.and_then(|res| self.planner.import_request(res)).map(|request| {
            let mut seed = vec![0; 32];
            self.calls.ports.entropy.fill(&mut seed);
            (Arc::clone(request), seed)
        });
        Job {
            step,
            listed,
            old_state,
            old,
            inputs,
            provider_id,
            announced: AtomicBool::new(false),
            place: Mutex::default(),
            old_views,
            views: StepViews::default(),
        }
    }

    fn run_step(&mut self, step: Box<Step>) {
        if let Some(problem) = self.recorder.refusal(&step) {
            return self.refuse(step, problem);
        }
        let job = self.job(step);
        if let (After::Keep(_), Some(old)) = (&job.step.after, &job.old) {
            return self.keep(job.step, old.clone());
        }
        let (calls, inbox) = (Arc::clone(&self.calls), self.inbox.clone());
        tokio::spawn(async move {
            let step = calls.steps.acquire().await;
            let ended = Box::pin(perform::perform(Arc::clone(&calls), job)).await;
            drop(step);
            let _ = inbox.send(ended);
        });
    }

    /// A step that would leave a state that nobody can use is not taken.
    fn refuse(&mut self, step: Box<Step>, problem: Diagnostic) {
        self.step_ended(StepEnd {
            step,
            begun: None,
            outcome: StepOutcome::Failed,
            new: None,
            old: None,
            problems: vec![problem],
            bearing: Bearing::Step,
            views: None,
            place: None,
        });
    }

    /// An unchanged resource takes its place at once.
    fn keep(&mut self, step: Box<Step>, old: crate::message::Opened) {
        if let Some(provider) = perform::kept_provider(&old.state) {
            self.calls.pool.adopt(&provider, Arc::clone(&old.inputs));
        }
        self.calls.ports.events.emit(EngineEvent::ResourcePre {
            step: step_view(&step, step.op, Some(&old), Some(&old)),
            planning: self.calls.info.dry_run,
        });
        let outcome = StepOutcome::Done(Some(Arc::clone(&old.state)));
        self.step_ended(StepEnd {
            step,
            begun: None,
            outcome,
            new: Some(old.clone()),
            old: Some(old),
            problems: Vec::new(),
            bearing: Bearing::Step,
            views: None,
            place: None,
        });
    }

    /// A logical step, such as the replacement that a create and a delete make.
    fn show(&mut self, step: &Step) {
        let (old, inputs) = match step.res {
            Some(res) => (self.works.get(&res).and_then(|w| w.old.clone()), self.inputs_of(res)),
            None => (None, Arc::default()),
        };
        let new = step.draft.as_ref().map(|draft| planned(draft, &inputs));
        let planning = self.calls.info.dry_run;
        let view = step_view(step, step.op, old.as_ref(), new.as_ref());
        // What is only foreseen counts; else a replacement counts when it is there.
        if planning {
            self.recorder.count(step.op);
        }
        self.calls.ports.events.emit(EngineEvent::ResourcePre { step: view.clone(), planning });
        self.calls.ports.events.emit(EngineEvent::ResourceOutputs { step: view, planning });
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply) {
        let Some(waiting) = self.waiting.remove(&ticket) else { return };
        match waiting {
            Waiting::Register(answer) => {
                let reply = self.registered(reply);
                let _ = answer.send(reply);
            }
            Waiting::Read(answer) => {
                let reply = self.registered(reply).and_then(|r| match r.result {
                    RegisterResult::Success => Ok(ReadReply { urn: r.urn, outputs: r.outputs }),
                    _ => Err(MonitorError::Failed(format!("reading {} failed", r.urn))),
                });
                let _ = answer.send(reply);
            }
            Waiting::Provider(answer) => {
                let _ = answer.send(match reply {
                    Reply::Provider { provider, providers } => Ok(ChosenProvider { provider, providers }),
                    Reply::Invalid(message) => Err(MonitorError::Invalid(message)),
                    _ => Err(MonitorError::Stopping),
                });
            }
        }
    }

    fn registered(&mut self, reply: Reply) -> Result<RegisterReply, MonitorError> {
        let empty = |urn, result| RegisterReply {
            urn,
            id: String::new(),
            outputs: Arc::default(),
            result,
            property_dependencies: purlin_model::PropertyDependencies::new(),
            unknown: false,
        };
        match reply {
            Reply::Registered { urn, res } => {
                let outputs = self.results.remove(&res).unwrap_or_default();
                self.works.remove(&res);
                let id = self.planner.registered(&urn).map(|(_, s)| s.id.clone()).unwrap_or_default();
                Ok(RegisterReply { id, outputs, ..empty(urn, RegisterResult::Success) })
            }
            Reply::Unmade { urn } => {
                Ok(RegisterReply { unknown: true, ..empty(urn, RegisterResult::Success) })
            }
            Reply::Failed { urn } => Ok(empty(urn, RegisterResult::Fail)),
            Reply::Skipped { urn } => Ok(empty(urn, RegisterResult::Skip)),
            Reply::Invalid(message) => Err(MonitorError::Invalid(message)),
            Reply::Stopping | Reply::Provider { .. } => Err(MonitorError::Stopping),
        }
    }
}
