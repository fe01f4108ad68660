//! Steps carried out: begin recorded, provider called, answer sealed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Diagnostic;
use purlin_journal::Entry;
use purlin_model::event::{EngineEvent, StepOp};
use purlin_model::{Bag, OperationKind, PropertyMap, ProviderRef, ResourceState, SealedValue};
use purlin_plan::{After, ImportRequest, Step, StepOutcome};
use purlin_ports::{CallContext, Operated, Provider, ProviderError, ReadArgs, ReadResult};

use tokio::sync::OwnedSemaphorePermit;

use crate::calls::{Calls, provider_problem};
use crate::hooks;
use crate::message::{Bearing, Begun, Message, Opened, StepEnd};
use crate::retry;
use crate::secrecy::mark_secrets;
use crate::view::{planned, step_view};
use crate::views::{self, StepViews};

/// A step with what the driver's tables know about it.
pub(crate) struct Job {
    pub(crate) step: Box<Step>,
    pub(crate) old_state: Option<Arc<ResourceState>>,
    pub(crate) old: Option<Opened>,
    /// The checked inputs, or for a read the known properties.
    pub(crate) inputs: Arc<PropertyMap>,
    /// The id of a new provider.
    pub(crate) provider_id: String,
    /// What is taken over by an import from a list, with a seed for its check.
    pub(crate) listed: Option<(Arc<ImportRequest>, Vec<u8>)>,
    /// Whether it has been shown that the step begins.
    pub(crate) announced: AtomicBool,
    /// The place in which the provider is called. It is given back when the step's end has been
    /// dealt with, so that a failure keeps what waits for a place from being called.
    pub(crate) place: Mutex<Option<OwnedSemaphorePermit>>,
    /// The views that the resource has.
    pub(crate) old_views: Vec<Arc<ResourceState>>,
    pub(crate) views: StepViews,
}

impl Job {
    /// What a call about a state is told, beside its arguments.
    pub(crate) fn context(&self, calls: &Calls, state: &ResourceState) -> CallContext {
        CallContext {
            status: self.views.status.clone(),
            old_views: self.views.told(),
            ..CallContext::new(self.step.urn.clone(), calls.info.dry_run, state.custom_timeouts)
        }
    }

    /// Shows that the step begins, once.
    fn announce(&self, calls: &Calls) {
        if self.announced.swap(true, Ordering::Relaxed) {
            return;
        }
        let new = match self.step.op {
            // As far as anybody knows yet, nothing has changed.
            StepOp::Refresh => self.old.clone(),
            _ if matches!(self.step.after, After::Keep(_) | After::Stay(_)) => self.old.clone(),
            _ => self.step.draft.as_ref().map(|draft| planned(draft, &self.inputs)),
        };
        calls.ports.events.emit(EngineEvent::ResourcePre {
            step: step_view(&self.step, self.step.op, self.old.as_ref(), new.as_ref()),
            planning: calls.info.dry_run,
        });
    }
}

/// What a step came to, before it is told.
pub(crate) struct Outcome {
    begun: Option<Begun>,
    outcome: StepOutcome,
    new: Option<Opened>,
    problems: Vec<Diagnostic>,
    bearing: Bearing,
}

impl Outcome {
    pub(crate) fn of(begun: Option<Begun>, outcome: StepOutcome) -> Outcome {
        Outcome { begun, outcome, new: None, problems: Vec::new(), bearing: Bearing::Step }
    }

    pub(crate) fn failed(begun: Option<Begun>, problem: Diagnostic) -> Outcome {
        Outcome { problems: vec![problem], ..Outcome::of(begun, StepOutcome::Failed) }
    }

    /// Nothing was called, since the run is being stopped.
    pub(crate) fn not_called(begun: Option<Begun>) -> Outcome {
        Outcome { bearing: Bearing::Nothing, ..Outcome::of(begun, StepOutcome::Failed) }
    }

    fn from_error(begun: Option<Begun>, error: &ProviderError, problem: Diagnostic) -> Outcome {
        let outcome = match error {
            ProviderError::OutcomeUnknown(_) if begun.is_some() => StepOutcome::Unknown,
            _ => StepOutcome::Failed,
        };
        #[cfg(feature = "planted")]
        let outcome = match purlin_plan::planted::is(purlin_plan::planted::Bug::LostIsFailed) {
            true => StepOutcome::Failed,
            false => outcome,
        };
        Outcome { problems: vec![problem], ..Outcome::of(begun, outcome) }
    }

    /// The same, with something to be said.
    pub(crate) fn saying(self, problems: Vec<Diagnostic>) -> Outcome {
        Outcome { problems, ..self }
    }

    pub(crate) fn done(begun: Option<Begun>, new: Opened) -> Outcome {
        let outcome = StepOutcome::Done(Some(Arc::clone(&new.state)));
        Outcome { new: Some(new), ..Outcome::of(begun, outcome) }
    }
}

/// Carries out a step.
pub(crate) async fn perform(calls: Arc<Calls>, mut job: Job) -> Message {
    if let (None, Some(state)) = (&job.old, &job.old_state) {
        match calls.open(state).await {
            Ok(opened) => job.old = Some(opened),
            Err(problem) => return told(job, Outcome::failed(None, problem)),
        }
    }
    if let Err(problem) = views::open(&calls, &mut job).await {
        return told(job, Outcome::failed(None, problem));
    }
    if let Some(due) = hooks::before(&job)
        && let Err(outcome) = before(&calls, &job, due).await
    {
        return told(job, *outcome);
    }
    let mut outcome = match job.step.op {
        StepOp::Same if matches!(job.step.after, After::Keep(_) | After::Stay(_)) => stay(&calls, &job),
        StepOp::Same => keep(&calls, &job).await,
        StepOp::Create | StepOp::CreateReplacement => create(&calls, &job).await,
        StepOp::Update => update(&calls, &job).await,
        StepOp::Read | StepOp::ReadReplacement => read(&calls, &job).await,
        StepOp::Refresh => crate::refresh::refresh(&calls, &mut job).await,
        StepOp::Import | StepOp::ImportReplacement => crate::import::import(&calls, &job).await,
        _ => delete(&calls, &job).await,
    };
    if outcome.bearing != Bearing::Nothing {
        job.announce(&calls);
    }
    outcome.problems.extend(views::close(&calls, &mut job).await);
    told(job, outcome)
}

/// Calls the hooks before a step, in the place that the step has then.
async fn before(calls: &Calls, job: &Job, due: hooks::Due) -> Result<(), Box<Outcome>> {
    if !take_place(calls, job).await {
        return Err(Box::new(Outcome::not_called(None)));
    }
    job.announce(calls);
    hooks::run(calls, due).await.map_err(|problem| Box::new(Outcome::failed(None, problem)))
}

fn told(job: Job, outcome: Outcome) -> Message {
    Message::StepEnded(Box::new(StepEnd {
        step: job.step,
        begun: outcome.begun,
        outcome: outcome.outcome,
        old: job.old,
        new: outcome.new,
        problems: outcome.problems,
        bearing: outcome.bearing,
        views: Some(Box::new(job.views)),
        place: job.place.into_inner().unwrap_or_else(PoisonError::into_inner),
    }))
}

fn no_provider(step: &Step) -> ProviderError {
    ProviderError::Unavailable(format!("{} has no provider", step.urn))
}

pub(crate) async fn provider_for(calls: &Calls, step: &Step) -> Result<Arc<dyn Provider>, ProviderError> {
    match &step.provider {
        Some(provider) => calls.pool.get_extended(provider, &step.extension_ref).await,
        None => Err(no_provider(step)),
    }
}

/// Waits for something unless the user wants to wait no longer.
pub(crate) async fn unless_abandoned<T>(calls: &Calls, what: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = calls.abandon.cancelled() => None,
        answer = what => Some(answer),
    }
}

/// Records that a provider is about to be called, and waits until that is stored.
async fn begin(
    calls: &Calls,
    kind: OperationKind,
    resource: Arc<ResourceState>,
) -> Result<Option<Begun>, Outcome> {
    if calls.stopping.is_cancelled() {
        return Err(Outcome::not_called(None));
    }
    let Some(session) = &calls.ports.session else { return Ok(None) };
    let begun = Begun { op: calls.next_op(), kind, resource };
    #[cfg(feature = "planted")]
    if purlin_plan::planted::is(purlin_plan::planted::Bug::SkipBegin) {
        return Ok(Some(begun));
    }
    let entry = Entry::Begin { op: begun.op, kind, resource: Arc::clone(&begun.resource) };
    match unless_abandoned(calls, session.append(entry).wait()).await {
        Some(Ok(())) => Ok(Some(begun)),
        Some(Err(e)) => Err(Outcome { bearing: Bearing::Run, ..Outcome::failed(None, e.diagnostic()) }),
        None => Err(Outcome::not_called(Some(begun))),
    }
}

/// Has the step's provider ready and the step's begin stored; otherwise how the step ended.
async fn ready(
    calls: &Calls,
    job: &Job,
    kind: OperationKind,
    resource: Arc<ResourceState>,
) -> Result<(Arc<dyn Provider>, Option<Begun>), Outcome> {
    let Some(provider) = unless_abandoned(calls, provider_for(calls, &job.step)).await else {
        return Err(Outcome::not_called(None));
    };
    let provider = provider.map_err(|e| Outcome::failed(None, trouble(kind, &job.step, &e)))?;
    let begun = begin(calls, kind, resource).await?;
    Ok((provider, begun))
}

/// What went wrong at a provider, in words.
fn trouble(kind: OperationKind, step: &Step, error: &ProviderError) -> Diagnostic {
    let code = match kind {
        OperationKind::Creating => "create-failed",
        OperationKind::Updating => "update-failed",
        OperationKind::Deleting => "delete-failed",
        OperationKind::Reading | OperationKind::Importing => "read-failed",
    };
    provider_problem(code, &step.urn, kind.as_str(), error)
}

/// Takes a place among those that may run at once, unless the step has one. `false` if the run was
/// stopped before one was free.
async fn take_place(calls: &Calls, job: &Job) -> bool {
    if calls.stopping.is_cancelled() {
        return false;
    }
    if job.place.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
        return true;
    }
    let place = tokio::select! {
        biased;
        () = calls.stopping.cancelled() => return false,
        place = Arc::clone(&calls.places).acquire_owned() => place,
    };
    *job.place.lock().unwrap_or_else(PoisonError::into_inner) = place.ok();
    true
}

/// Calls a provider in a place of its own. `None` if it was not called at all, since the run was
/// stopped before a place was free.
pub(crate) async fn in_place<T>(
    calls: &Calls,
    job: &Job,
    call: impl Future<Output = Result<T, ProviderError>>,
) -> Option<Result<T, ProviderError>> {
    if !take_place(calls, job).await {
        return None;
    }
    job.announce(calls);
    let answer = unless_abandoned(calls, call).await.unwrap_or_else(|| {
        let reason = "it was not waited for, since you asked to stop at once";
        Err(ProviderError::OutcomeUnknown(reason.into()))
    });
    Some(answer)
}

/// Seals a bag for the journal; in previews nothing is sealed.
pub(crate) async fn seal(
    calls: &Calls,
    map: &Arc<PropertyMap>,
    previous: Option<&Bag>,
) -> Result<Bag, Diagnostic> {
    if calls.ports.session.is_none() {
        return Ok(Bag::Decoded(Arc::clone(map)));
    }
    Ok(Bag::Raw(calls.ports.bags.seal(map, previous).await?))
}

/// The draft as a state of its own, with sealed inputs.
pub(crate) async fn draft_state(calls: &Calls, job: &Job) -> Result<ResourceState, Diagnostic> {
    let mut state = match &job.step.draft {
        Some(draft) => ResourceState::clone(draft),
        None => ResourceState::new(job.step.urn.clone(), false),
    };
    state.inputs = match (&job.old_state, job.step.inputs_equal) {
        (Some(old), true) => old.inputs.clone(),
        (old, _) => seal(calls, &job.inputs, old.as_ref().map(|s| &s.inputs)).await?,
    };
    if let (Some(SealedValue::Decoded(value)), true) =
        (&state.replacement_trigger, calls.ports.session.is_some())
    {
        state.replacement_trigger = Some(SealedValue::Raw(calls.ports.bags.seal_value(value).await?));
    }
    Ok(state)
}

/// Completes a state with outputs and gives it to the tables.
pub(crate) async fn complete(
    calls: &Calls,
    job: &Job,
    mut state: ResourceState,
    inputs: Arc<PropertyMap>,
    mut outputs: PropertyMap,
) -> Result<Opened, Diagnostic> {
    mark_secrets(&mut outputs, &state.additional_secret_outputs, &inputs);
    #[cfg(feature = "planted")]
    if purlin_plan::planted::is(purlin_plan::planted::Bug::DropSecretness) {
        outputs.values_mut().for_each(|value| *value = value.without_secrets());
    }
    let outputs = Arc::new(outputs);
    let same = job.old.as_ref().filter(|old| *old.outputs == *outputs);
    state.outputs = match same {
        Some(old) => old.state.outputs.clone(),
        None => seal(calls, &outputs, job.old_state.as_ref().map(|s| &s.outputs)).await?,
    };
    Ok(Opened { state: Arc::new(state), inputs, outputs })
}

/// A state that stays as it is.
fn stay(calls: &Calls, job: &Job) -> Outcome {
    match &job.old {
        Some(old) => {
            if let Some(provider) = old.state.as_provider() {
                calls.pool.adopt(&provider, Arc::clone(&old.inputs));
            }
            Outcome::done(None, old.clone())
        }
        None => Outcome::of(None, StepOutcome::Failed),
    }
}

/// An unchanged resource whose envelope or inputs have to be written all the same.
async fn keep(calls: &Calls, job: &Job) -> Outcome {
    let Some(old) = &job.old else {
        return Outcome::failed(
            None,
            Diagnostic::error("step-defect", format!("{} has no old state", job.step.urn)),
        );
    };
    let state = match draft_state(calls, job).await {
        Ok(state) => state,
        Err(problem) => return Outcome::failed(None, problem),
    };
    if job.step.res.is_some() {
        adopt(calls, &state, &old.state, &old.inputs);
    }
    let inputs = Arc::clone(if job.step.inputs_equal { &old.inputs } else { &job.inputs });
    match complete(calls, job, state, inputs, PropertyMap::clone(&old.outputs)).await {
        Ok(new) => Outcome::done(None, new),
        Err(problem) => Outcome::failed(None, problem),
    }
}

/// Has a provider that is kept or changed serve, under its old name, too.
fn adopt(calls: &Calls, state: &ResourceState, old: &ResourceState, inputs: &Arc<PropertyMap>) {
    let Some(provider) = state.as_provider() else { return };
    calls.pool.adopt(&provider, Arc::clone(inputs));
    if let Some(before) = old.as_provider() {
        calls.pool.rename(&before, &provider);
    }
}

async fn create(calls: &Calls, job: &Job) -> Outcome {
    let mut state = match draft_state(calls, job).await {
        Ok(state) => state,
        Err(problem) => return Outcome::failed(None, problem),
    };
    let now: Arc<str> = calls.ports.clock.now().into();
    state.created = Some(Arc::clone(&now));
    state.modified = Some(now);
    if state.is_provider() || !state.custom {
        return create_inside(calls, job, state).await;
    }
    let resource = Arc::new(without_trace(&state));
    let (provider, begun) = match ready(calls, job, OperationKind::Creating, resource).await {
        Ok(ready) => ready,
        Err(outcome) => return outcome,
    };
    let answer = retry::create(calls, job, &*provider, &state).await;
    settle(calls, job, begun, state, answer).await
}

/// What the engine makes without a provider: components, and provider instances.
async fn create_inside(calls: &Calls, job: &Job, mut state: ResourceState) -> Outcome {
    let mut outputs = PropertyMap::new();
    if state.is_provider() {
        outputs = crate::pool::without_internal(&job.inputs);
        state.id = if calls.info.dry_run { String::new() } else { job.provider_id.clone() };
        if let Some(provider) = state.as_provider() {
            calls.pool.adopt(&provider, Arc::clone(&job.inputs));
        }
    }
    match complete(calls, job, state, Arc::clone(&job.inputs), outputs).await {
        Ok(new) => Outcome::done(None, new),
        Err(problem) => Outcome::failed(None, problem),
    }
}

fn without_trace(state: &ResourceState) -> ResourceState {
    ResourceState { stack_trace: Arc::new([]), ..state.clone() }
}

/// A create or an update was answered, or not even called.
async fn settle(
    calls: &Calls,
    job: &Job,
    begun: Option<Begun>,
    state: ResourceState,
    answer: Option<Result<Operated, ProviderError>>,
) -> Outcome {
    let kind = match job.step.op {
        StepOp::Update => OperationKind::Updating,
        _ => OperationKind::Creating,
    };
    match answer {
        Some(Ok(answer)) => operated(calls, job, begun, state, answer).await,
        Some(Err(e)) => {
            let problem = trouble(kind, &job.step, &e);
            Outcome::from_error(begun, &e, problem)
        }
        None => Outcome::not_called(begun),
    }
}

/// A create or an update went well, or half.
async fn operated(
    calls: &Calls,
    job: &Job,
    begun: Option<Begun>,
    mut state: ResourceState,
    answer: Operated,
) -> Outcome {
    if !answer.id.is_empty() {
        state.id = answer.id;
    }
    state.refresh_before_update = answer.refresh_before_update;
    let partial = !answer.init_errors.is_empty();
    let problems: Vec<Diagnostic> =
        if partial { vec![half_done(&state, &answer.init_errors)] } else { Vec::new() };
    state.init_errors = answer.init_errors;
    let mut inputs = Arc::clone(&job.inputs);
    if let (true, StepOp::Update, Some(old)) = (partial, job.step.op, &job.old) {
        state.inputs = old.state.inputs.clone();
        inputs = Arc::clone(&old.inputs);
    }
    match complete(calls, job, state, inputs, answer.outputs).await {
        Ok(new) if partial => {
            let outcome = StepOutcome::Partial(Arc::clone(&new.state));
            Outcome { new: Some(new), problems, ..Outcome::of(begun, outcome) }
        }
        Ok(new) => Outcome::done(begun, new),
        Err(problem) => Outcome { problems: vec![problem], ..Outcome::of(begun, StepOutcome::Unknown) },
    }
}

pub(crate) fn half_done(state: &ResourceState, reasons: &[String]) -> Diagnostic {
    let mut message = format!("resource {} was only half set up", state.urn);
    for reason in reasons {
        message.push_str("\n  * ");
        message.push_str(reason);
    }
    Diagnostic::error("init-failed", message)
        .with_urn(state.urn.as_str())
        .with_hint("its state is recorded; the next update tries to complete it")
}

async fn update(calls: &Calls, job: &Job) -> Outcome {
    let Some(old) = &job.old else {
        return Outcome::failed(
            None,
            Diagnostic::error("step-defect", format!("{} has no old state", job.step.urn)),
        );
    };
    let mut state = match draft_state(calls, job).await {
        Ok(state) => state,
        Err(problem) => return Outcome::failed(None, problem),
    };
    if state.is_provider() || !state.custom {
        let mut outputs = PropertyMap::clone(&old.outputs);
        if state.is_provider() {
            outputs = crate::pool::without_internal(&job.inputs);
            adopt(calls, &state, &old.state, &job.inputs);
            state.modified = Some(calls.ports.clock.now().into());
        }
        return match complete(calls, job, state, Arc::clone(&job.inputs), outputs).await {
            Ok(new) => Outcome::done(None, new),
            Err(problem) => Outcome::failed(None, problem),
        };
    }
    state.modified = Some(calls.ports.clock.now().into());
    let (provider, begun) = match ready(calls, job, OperationKind::Updating, Arc::clone(&old.state)).await {
        Ok(ready) => ready,
        Err(outcome) => return outcome,
    };
    let answer = retry::update(calls, job, &*provider, &state, old).await;
    settle(calls, job, begun, state, answer).await
}

async fn delete(calls: &Calls, job: &Job) -> Outcome {
    let gone = |begun| Outcome::of(begun, StepOutcome::Done(None));
    let Some(old) = &job.old else { return gone(None) };
    if calls.info.dry_run || !job.step.calls_provider || old.state.is_provider() || old.state.external {
        return gone(None);
    }
    let state = &old.state;
    let (provider, begun) = match ready(calls, job, OperationKind::Deleting, Arc::clone(state)).await {
        Ok(ready) => ready,
        Err(outcome) => return outcome,
    };
    match retry::delete(calls, job, &*provider, old).await {
        Some(Ok(())) => gone(begun),
        Some(Err(e)) => {
            let problem = trouble(OperationKind::Deleting, &job.step, &e);
            Outcome::from_error(begun, &e, problem)
        }
        None => Outcome::not_called(begun),
    }
}

async fn read(calls: &Calls, job: &Job) -> Outcome {
    let state = match draft_state(calls, job).await {
        Ok(state) => state,
        Err(problem) => return Outcome::failed(None, problem),
    };
    let problem = |e: &ProviderError| provider_problem("read-failed", &state.urn, "reading", e);
    if state.id == purlin_model::UNKNOWN_ID {
        return match complete(calls, job, state, Arc::clone(&job.inputs), PropertyMap::new()).await {
            Ok(new) => Outcome::done(None, new),
            Err(problem) => Outcome::failed(None, problem),
        };
    }
    let args = ReadArgs {
        context: job.context(calls, &state),
        id: state.id.clone(),
        inputs: Arc::default(),
        outputs: Arc::clone(&job.inputs),
    };
    let Some(answer) = call_read(calls, job, args).await else { return Outcome::not_called(None) };
    match answer {
        Ok(answer) if !answer.id.is_empty() && answer.outputs.is_some() => {
            let mut state = state;
            state.id = answer.id;
            state.init_errors = answer.init_errors;
            let now: Arc<str> = calls.ports.clock.now().into();
            state.created.get_or_insert_with(|| Arc::clone(&now));
            state.modified.get_or_insert(now);
            let outputs = answer.outputs.unwrap_or_default();
            match complete(calls, job, state, Arc::clone(&job.inputs), outputs).await {
                Ok(new) => Outcome::done(None, new),
                Err(problem) => Outcome::failed(None, problem),
            }
        }
        Ok(_) => {
            let missing = ProviderError::Rejected(format!("resource '{}' does not exist", state.id));
            Outcome::failed(None, problem(&missing))
        }
        Err(e) => Outcome::failed(None, problem(&e)),
    }
}

/// Has the provider read; `None` if it was not called, since the run is being stopped.
pub(crate) async fn call_read(
    calls: &Calls,
    job: &Job,
    args: ReadArgs,
) -> Option<Result<ReadResult, ProviderError>> {
    match unless_abandoned(calls, provider_for(calls, &job.step)).await? {
        Ok(provider) => in_place(calls, job, provider.read(args)).await,
        Err(e) => Some(Err(e)),
    }
}

/// The reference of a provider that a step settles without a task of its own.
pub(crate) fn kept_provider(state: &ResourceState) -> Option<ProviderRef> {
    state.as_provider()
}
