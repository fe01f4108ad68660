//! Hooks: functions of the program that are called before and after operations, and on failures.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_plan::{Rule, Step, StepOutcome};
use purlin_ports::{
    ErrorHook, ErrorHookCall, Hook, HookCall, HookKind, HookSide, MonitorError, Operated, ProviderError,
    ResourceHook,
};

use crate::calls::Calls;
use crate::message::{Opened, StepEnd};
use crate::perform::{Job, unless_abandoned};
use crate::view::say;

/// How often an operation is tried at most, the first time included.
const MOST_ATTEMPTS: usize = 100;

/// The hooks that the program has registered, by name.
#[derive(Default)]
pub(crate) struct Hooks {
    by_name: RwLock<HashMap<String, HookKind>>,
}

impl Hooks {
    pub(crate) fn register(&self, hook: Hook) -> Result<(), MonitorError> {
        if hook.name.is_empty() {
            return Err(MonitorError::Invalid("a hook needs a name".into()));
        }
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if by_name.contains_key(&hook.name) {
            let message = format!("a hook with the name \"{}\" is registered already", hook.name);
            return Err(MonitorError::Invalid(message));
        }
        by_name.insert(hook.name, hook.kind);
        Ok(())
    }

    fn get(&self, name: &str) -> Option<HookKind> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// When a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// The kind of hooks that a step calls, in the words of checkpoints; `None` if it calls none.
fn kind(op: StepOp, when: When) -> Option<&'static str> {
    Some(match (op, when) {
        (StepOp::Create | StepOp::CreateReplacement, When::Before) => "BeforeCreate",
        (StepOp::Create | StepOp::CreateReplacement, When::After) => "AfterCreate",
        (StepOp::Update, When::Before) => "BeforeUpdate",
        (StepOp::Update, When::After) => "AfterUpdate",
        (op, When::Before) if deletes(op) => "BeforeDelete",
        (op, When::After) if deletes(op) => "AfterDelete",
        _ => return None,
    })
}

/// Whether a step deletes, or lets go of what was only read.
pub(crate) fn deletes(op: StepOp) -> bool {
    matches!(op, StepOp::Delete | StepOp::DeleteReplaced | StepOp::Discard | StepOp::DiscardReplaced)
}

/// The hooks of a kind that a step's resource names: those of what it becomes, or of what is deleted.
fn names<'a>(step: &'a Step, old: Option<&'a Opened>, kind: &str) -> &'a [String] {
    let state = match (deletes(step.op), old) {
        (true, Some(old)) => Some(&old.state),
        (true, None) => None,
        (false, _) => step.draft.as_ref(),
    };
    state.map(|state| state.resource_hooks.of(kind)).unwrap_or_default()
}

/// The old side of a step; creates have none, whatever they replace.
fn old_side(step: &Step, old: Option<&Opened>) -> Option<HookSide> {
    let shown = step.op == StepOp::Update || deletes(step.op);
    old.filter(|_| shown).map(|old| HookSide {
        state: Arc::clone(&old.state),
        inputs: Arc::clone(&old.inputs),
        outputs: Some(Arc::clone(&old.outputs)),
    })
}

/// What hooks are told before a step, and when it has failed.
fn call_before(job: &Job) -> HookCall {
    let old = old_side(&job.step, job.old.as_ref());
    let new = job.step.draft.as_ref().filter(|_| !deletes(job.step.op)).map(|draft| HookSide {
        state: Arc::clone(draft),
        inputs: Arc::clone(&job.inputs),
        outputs: None,
    });
    let id = old.as_ref().map(|side| side.state.id.clone()).unwrap_or_default();
    HookCall { urn: job.step.urn.clone(), id, old, new }
}

/// Hooks to be called, and with what.
pub(crate) struct Due {
    when: When,
    names: Vec<String>,
    call: HookCall,
}

impl Due {
    /// Tells what is known now that a component has registered its outputs.
    pub(crate) fn with_outputs(mut self, new: &Opened) -> Due {
        self.call.new = Some(HookSide {
            state: Arc::clone(&new.state),
            inputs: self.call.new.map(|side| side.inputs).unwrap_or_default(),
            outputs: Some(Arc::clone(&new.outputs)),
        });
        self
    }
}

/// The hooks before a step, if there are any.
pub(crate) fn before(job: &Job) -> Option<Due> {
    let names = names(&job.step, job.old.as_ref(), kind(job.step.op, When::Before)?);
    (!names.is_empty()).then(|| Due { when: When::Before, names: names.to_vec(), call: call_before(job) })
}

/// The hooks after a step that ended well, if there are any.
pub(crate) fn after(end: &StepEnd) -> Option<Due> {
    if !matches!(end.outcome, StepOutcome::Done(_)) {
        return None;
    }
    let names = names(&end.step, end.old.as_ref(), kind(end.step.op, When::After)?);
    if names.is_empty() {
        return None;
    }
    let old = old_side(&end.step, end.old.as_ref());
    let new = end.new.as_ref().map(|new| HookSide {
        state: Arc::clone(&new.state),
        inputs: Arc::clone(&new.inputs),
        outputs: Some(Arc::clone(&new.outputs)),
    });
    let side = new.as_ref().or(old.as_ref());
    let id = side.map(|side| side.state.id.clone()).unwrap_or_default();
    let call = HookCall { urn: end.step.urn.clone(), id, old, new };
    Some(Due { when: When::After, names: names.to_vec(), call })
}

/// Calls hooks one after the other, as far as the first that fails.
pub(crate) async fn run(calls: &Calls, due: Due) -> Result<(), Diagnostic> {
    let Due { when, names, call } = due;
    let (word, code) = match when {
        When::Before => ("before", "before-hook-failed"),
        When::After => ("after", "after-hook-failed"),
    };
    let problem = |message| Diagnostic::error(code, message).with_urn(call.urn.as_str());
    calls.count(if when == When::Before { Rule::HookedBefore } else { Rule::HookedAfter });
    for name in names {
        let Some(HookKind::Resource { function, on_dry_run, ignore_errors }) = calls.hooks.get(&name) else {
            calls.count(Rule::HookMissing);
            return Err(problem(format!("hook \"{name}\" was not registered"))
                .with_hint("register the hook in the program before the resource that names it"));
        };
        if calls.info.dry_run && !on_dry_run {
            continue;
        }
        let ended = unless_abandoned(calls, run_one(&*function, call.clone())).await;
        let Err(reason) = ended.unwrap_or_else(|| Err("it was not waited for".into())) else { continue };
        let message = format!("{word} hook \"{name}\" failed: {reason}");
        calls.count(if ignore_errors { Rule::HookForgiven } else { Rule::HookFailed });
        if !ignore_errors {
            return Err(problem(message));
        }
        let warning = Diagnostic::warning("hook-failed", message).with_urn(call.urn.as_str());
        say(&*calls.ports.events, &warning);
    }
    Ok(())
}

async fn run_one(function: &dyn ResourceHook, call: HookCall) -> Result<(), String> {
    function.run(call).await
}

/// What came of an attempt at an operation.
pub(crate) trait Attempt {
    /// Why it failed, if error hooks are to hear of it.
    fn failure(&self) -> Option<String>;
}

/// Of a call of which nobody knows whether it took effect nobody can say that it failed: to try it
/// again could do it twice.
fn failure_of(error: &ProviderError) -> Option<String> {
    match error {
        ProviderError::OutcomeUnknown(_) => None,
        error => Some(error.to_string()),
    }
}

impl Attempt for Option<Result<(), ProviderError>> {
    fn failure(&self) -> Option<String> {
        failure_of(self.as_ref()?.as_ref().err()?)
    }
}

impl Attempt for Option<Result<Operated, ProviderError>> {
    fn failure(&self) -> Option<String> {
        match self.as_ref()? {
            Ok(operated) if operated.init_errors.is_empty() => None,
            Ok(operated) => Some(operated.init_errors.join("; ")),
            Err(error) => failure_of(error),
        }
    }
}

/// The attempts at one operation.
#[derive(Default)]
pub(crate) struct Retries {
    failures: Vec<String>,
}

impl Retries {
    /// Asks the error hooks of a resource whether an operation is to be tried again.
    pub(crate) async fn another(&mut self, calls: &Calls, job: &Job, answer: &impl Attempt) -> bool {
        let names = names(&job.step, job.old.as_ref(), "OnError");
        if names.is_empty() {
            return false;
        }
        let Some(failure) = answer.failure() else { return false };
        calls.count(Rule::ErrorHooked);
        self.failures.insert(0, failure);
        let urn = job.step.urn.as_str();
        let warn = |message| {
            let warning = Diagnostic::warning("error-hook", message).with_urn(urn);
            say(&*calls.ports.events, &warning);
        };
        if self.failures.len() >= MOST_ATTEMPTS {
            warn(format!("maximum number of error hook retries ({MOST_ATTEMPTS}) reached"));
            return false;
        }
        let operation = match job.step.op {
            StepOp::Update => "update",
            op if deletes(op) => "delete",
            _ => "create",
        };
        let mut again = false;
        for name in names {
            match self.ask(calls, job, name, operation).await {
                Ok(answer) => again |= answer,
                Err(reason) => {
                    let problem = Diagnostic::error("error-hook-failed", reason).with_urn(urn);
                    say(&*calls.ports.events, &problem);
                    return false;
                }
            }
        }
        if !again || calls.stopping.is_cancelled() {
            return false;
        }
        calls.count(Rule::TriedAgain);
        let attempts = self.failures.len();
        warn(format!("retrying {operation} due to on-error hook request ({attempts}/{MOST_ATTEMPTS})"));
        true
    }

    async fn ask(
        &self,
        calls: &Calls,
        job: &Job,
        name: &str,
        operation: &'static str,
    ) -> Result<bool, String> {
        let Some(HookKind::Error(function)) = calls.hooks.get(name) else {
            return Err(format!("error hook \"{name}\" was not registered"));
        };
        let call = ErrorHookCall { resource: call_before(job), operation, errors: self.failures.clone() };
        match unless_abandoned(calls, ask_one(&*function, call)).await {
            Some(answer) => answer.map_err(|reason| format!("error hook \"{name}\" failed: {reason}")),
            None => Ok(false),
        }
    }
}

async fn ask_one(function: &dyn ErrorHook, call: ErrorHookCall) -> Result<bool, String> {
    function.run(call).await
}
