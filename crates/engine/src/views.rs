//! Views: what providers show inside their resources. They say so while they are being called; it is
//! recorded and shown with the end of the step.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Diagnostic;
use purlin_model::event::{EngineEvent, StateView, StepOp, StepView};
use purlin_model::{ResourceState, Urn};
use purlin_plan::{PublishedView, StepOutcome, ViewStep};
use purlin_ports::{MonitorError, PublishedState, PublishedStep, StatusAddress, View};

use crate::calls::Calls;
use crate::driver::Driver;
use crate::message::{Opened, StepEnd};
use crate::perform::{Job, seal};

/// Takes what providers say about views during their calls.
#[derive(Default)]
pub(crate) struct Desk {
    address: String,
    secret: String,
    next: AtomicU32,
    open: Mutex<HashMap<String, Vec<PublishedStep>>>,
}

impl Desk {
    /// A desk at an address; without one nobody is told where to publish.
    pub(crate) fn new(address: String, secret: String) -> Desk {
        Desk { address, secret, ..Desk::default() }
    }

    /// What a call is told; it may publish until that is closed.
    fn open(&self) -> StatusAddress {
        if self.address.is_empty() {
            return StatusAddress::default();
        }
        let token = format!("{}-{}", self.secret, self.next.fetch_add(1, Ordering::Relaxed));
        self.all().insert(token.clone(), Vec::new());
        StatusAddress { address: self.address.clone(), token }
    }

    fn close(&self, status: &StatusAddress) -> Vec<PublishedStep> {
        if status.token.is_empty() {
            return Vec::new();
        }
        self.all().remove(&status.token).unwrap_or_default()
    }

    pub(crate) fn publish(&self, token: &str, steps: Vec<PublishedStep>) -> Result<(), MonitorError> {
        let mut all = self.all();
        let open = all.get_mut(token);
        let open = open.ok_or_else(|| MonitorError::Invalid(format!("no call has the token '{token}'")))?;
        open.extend(steps);
        Ok(())
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<PublishedStep>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The views of a step's resource, on both sides of the step.
#[derive(Default)]
pub(crate) struct StepViews {
    /// What a call is told.
    pub(crate) status: StatusAddress,
    /// The views before, with their bags open.
    old: Vec<Opened>,
    published: Vec<Published>,
    /// What the planner made of it.
    steps: Vec<ViewStep>,
}

/// A published step with what is recorded of it.
struct Published {
    step: PublishedStep,
    urn: Urn,
    new: Option<Opened>,
}

impl StepViews {
    /// The views before a step, as a provider is told.
    pub(crate) fn told(&self) -> Vec<View> {
        let told = self.old.iter().map(|view| View {
            ty: view.state.urn.ty().to_owned(),
            name: view.state.urn.name().to_owned(),
            inputs: Arc::clone(&view.inputs),
            outputs: Arc::clone(&view.outputs),
        });
        told.collect()
    }
}

/// Opens what a step needs to know about views.
pub(crate) async fn open(calls: &Calls, job: &mut Job) -> Result<(), Diagnostic> {
    for state in std::mem::take(&mut job.old_views) {
        job.views.old.push(calls.open(&state).await?);
    }
    if job.step.calls_provider {
        job.views.status = calls.desk.open();
    }
    Ok(())
}

/// Takes what was published during a step, ready to be recorded.
pub(crate) async fn close(calls: &Calls, job: &mut Job) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for step in calls.desk.close(&job.views.status) {
        let Some(side) = step.new.as_ref().or(step.old.as_ref()) else { continue };
        let urn = Urn::new(&calls.info.stack, &calls.info.project, Some(&job.step.urn), &side.ty, &side.name);
        let before = job.views.old.iter().find(|view| is_called(&view.state, side)).map(|view| &view.state);
        let new = match &step.new {
            Some(new) => sealed(calls, &job.step.urn, &urn, new, before).await.map(Some),
            None => Ok(None),
        };
        match new {
            Ok(new) => job.views.published.push(Published { step, urn, new }),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

fn is_called(state: &ResourceState, side: &PublishedState) -> bool {
    !state.delete && state.urn.ty() == side.ty && state.urn.name() == side.name
}

/// A view's state.
async fn sealed(
    calls: &Calls,
    owner: &Urn,
    urn: &Urn,
    side: &PublishedState,
    before: Option<&Arc<ResourceState>>,
) -> Result<Opened, Diagnostic> {
    let (inputs, outputs) = (Arc::new(side.inputs.clone()), Arc::new(side.outputs.clone()));
    let mut state = ResourceState::new(urn.clone(), false);
    state.ty = side.ty.as_str().into();
    state.parent = Some(owner.clone());
    state.view_of = Some(owner.clone());
    state.inputs = seal(calls, &inputs, before.map(|state| &state.inputs)).await?;
    state.outputs = seal(calls, &outputs, before.map(|state| &state.outputs)).await?;
    Ok(Opened { state: Arc::new(state), inputs, outputs })
}

impl Driver {
    /// Has the planner decide what becomes of the views of a step's resource. A view that went wrong
    /// fails the step; what was done stands.
    pub(crate) fn settle_views(&mut self, end: &mut StepEnd) {
        let published = end.views.as_ref().map_or(0, |views| views.published.len());
        if !self.planner.bears_on_views(&end.step, published) {
            return;
        }
        let views = end.views.get_or_insert_default();
        let told: Vec<PublishedView> = views
            .published
            .iter()
            .map(|view| PublishedView {
                op: view.step.op,
                urn: view.urn.clone(),
                state: view.new.as_ref().map(|new| Arc::clone(&new.state)),
                failed: !view.step.error.is_empty(),
            })
            .collect();
        views.steps = self.planner.settle_views(&end.step, &end.outcome, &told);
        let failures = views.published.iter().filter(|view| !view.step.error.is_empty());
        let problems: Vec<Diagnostic> = failures
            .map(|view| Diagnostic::error("view-failed", view.step.error.clone()).with_urn(view.urn.as_str()))
            .collect();
        if !problems.is_empty() {
            if let StepOutcome::Done(Some(state)) = &end.outcome {
                end.outcome = StepOutcome::Partial(Arc::clone(state));
            }
            end.problems.extend(problems);
            self.failed = true;
            self.inputs.push_back(purlin_plan::Input::RunFailed);
        }
    }

    /// Shows the steps of views.
    pub(crate) fn show_views(&mut self, end: &StepEnd) {
        let Some(views) = &end.views else { return };
        let early_refresh = end.step.op == StepOp::Refresh && !self.refreshing_command;
        let planning = self.calls.info.dry_run;
        for step in views.steps.iter().filter(|step| step.shown) {
            let mut view = views.view(step);
            if early_refresh {
                view.op = StepOp::Refresh;
            }
            let failed = step.published.is_some_and(|index| !views.published[index].step.error.is_empty());
            self.calls.ports.events.emit(EngineEvent::ResourcePre { step: view.clone(), planning });
            if failed {
                let event = EngineEvent::ResourceFailed { step: view, outcome_unknown: false, steps: 0 };
                self.calls.ports.events.emit(event);
                continue;
            }
            let half = matches!(step.op, StepOp::CreateReplacement | StepOp::DeleteReplaced);
            if !half && !early_refresh {
                self.recorder.count(step.op);
            }
            self.calls.ports.events.emit(EngineEvent::ResourceOutputs { step: view, planning });
        }
    }
}

impl StepViews {
    /// The changes of the list of states.
    pub(crate) fn steps(&self) -> &[ViewStep] {
        &self.steps
    }

    fn view(&self, step: &ViewStep) -> Box<StepView> {
        let published = step.published.map(|index| &self.published[index]);
        let unopened = |state: &Arc<ResourceState>| StateView {
            state: Arc::clone(state),
            inputs: Arc::default(),
            outputs: Arc::default(),
        };
        let opened = |view: &Opened| StateView {
            state: Arc::clone(&view.state),
            inputs: Arc::clone(&view.inputs),
            outputs: Arc::clone(&view.outputs),
        };
        let old = step.old.as_ref().map(|state| {
            let found = self.old.iter().find(|view| view.state.urn == state.urn);
            found.map_or_else(|| unopened(state), opened)
        });
        let new = match published {
            Some(published) => published.new.as_ref().map(opened),
            None => step.new.as_ref().and(old.clone()),
        };
        let (replace_keys, diff_keys, detailed_diff) = match published {
            Some(view) => {
                (view.step.replace_keys.clone(), view.step.diff_keys.clone(), view.step.detailed.clone())
            }
            None => Default::default(),
        };
        let half = matches!(step.op, StepOp::CreateReplacement | StepOp::DeleteReplaced);
        Box::new(StepView {
            op: step.op,
            urn: step.urn.clone(),
            old,
            new,
            replace_keys,
            diff_keys,
            detailed_diff,
            logical: !half,
            provider: String::new(),
            cause: None,
        })
    }
}
