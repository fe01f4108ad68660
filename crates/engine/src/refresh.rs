//! Refreshes: what the cloud has, and how that differs from what the state wants.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::{Cause, PropertyMap, ResourceState};
use purlin_plan::StepOutcome;
use purlin_ports::{DiffArgs, ProviderError, ReadArgs, ReadResult};

use crate::calls::{Calls, provider_problem};
use crate::compare;
use crate::message::Opened;
use crate::perform::{Job, Outcome, call_read, complete, half_done, provider_for, seal};
use crate::secrecy::{as_secret_as, mark_secrets};

/// What a read found.
struct Found {
    id: String,
    inputs: Arc<PropertyMap>,
    outputs: PropertyMap,
    init_errors: Vec<String>,
    refresh_before_update: bool,
}

/// Reads a resource of the state anew.
pub(crate) async fn refresh(calls: &Calls, job: &mut Job) -> Outcome {
    let Some(old) = job.old.clone() else {
        let problem = Diagnostic::error("step-defect", format!("{} has no old state", job.step.urn));
        return Outcome::failed(None, problem);
    };
    let args = ReadArgs {
        context: job.context(calls, &old.state),
        id: old.state.id.clone(),
        inputs: Arc::clone(&old.inputs),
        outputs: Arc::clone(&old.outputs),
    };
    let Some(answer) = call_read(calls, job, args).await else { return Outcome::not_called(None) };
    let urn = job.step.urn.clone();
    let trouble = |e: &ProviderError| provider_problem("refresh-failed", &urn, "refreshing", e);
    let answer = match answer {
        Ok(answer) => answer,
        Err(ProviderError::Unimplemented(_)) => return Outcome::done(None, old),
        Err(e) => return Outcome::failed(None, trouble(&e)),
    };
    let Some(found) = found(answer, &old) else {
        job.step.reasons.cause = Some(Arc::new(Cause::Drift));
        return Outcome::of(None, StepOutcome::Done(None));
    };
    if let Err(e) = explain(calls, job, &old, &found).await {
        return Outcome::failed(None, trouble(&e));
    }
    let mut problems = Vec::new();
    if !found.init_errors.is_empty() {
        let mut warning = half_done(&old.state, &found.init_errors);
        warning.severity = purlin_diag::Severity::Warning;
        problems.push(warning);
    }
    let outcome = match (found.is_same(&old), &job.step.draft) {
        (true, None) => Ok(old),
        (true, Some(draft)) => Ok(renewed(draft, &old)),
        (false, _) => {
            job.step.reasons.cause = Some(Arc::new(Cause::Drift));
            amended(calls, job, &old, found).await
        }
    };
    match outcome {
        Ok(new) => Outcome::done(None, new).saying(problems),
        Err(problem) => Outcome::failed(None, problem),
    }
}

/// What was read; `None` if the resource is gone.
fn found(answer: ReadResult, old: &Opened) -> Option<Found> {
    let mut outputs = answer.outputs.filter(|_| !answer.id.is_empty())?;
    let inputs = match answer.inputs {
        Some(inputs) => Arc::new(as_secret_as(inputs, &old.inputs)),
        None => Arc::clone(&old.inputs),
    };
    mark_secrets(&mut outputs, &old.state.additional_secret_outputs, &inputs);
    Some(Found {
        id: answer.id,
        inputs,
        outputs,
        init_errors: answer.init_errors,
        refresh_before_update: answer.refresh_before_update,
    })
}

impl Found {
    fn is_same(&self, old: &Opened) -> bool {
        !self.differs(old)
            && self.id == old.state.id
            && self.init_errors == old.state.init_errors
            && self.refresh_before_update == old.state.refresh_before_update
    }

    fn differs(&self, old: &Opened) -> bool {
        *self.inputs != *old.inputs || self.outputs != *old.outputs
    }
}

/// Finds out what is to be shown: how the resource differs from what the state wants. Of resources
/// that nobody manages here only the outputs are compared.
async fn explain(calls: &Calls, job: &mut Job, old: &Opened, found: &Found) -> Result<(), ProviderError> {
    if old.state.external || calls.legacy_refresh_diff {
        let (keys, paths) = compare::drift(&old.outputs, &found.outputs);
        job.step.reasons.differs = !keys.is_empty();
        job.step.reasons.diff_keys = keys;
        job.step.reasons.detailed = (!paths.is_empty()).then_some(paths);
        return Ok(());
    }
    let provider = provider_for(calls, &job.step).await?;
    let args = DiffArgs {
        urn: job.step.urn.clone(),
        id: found.id.clone(),
        old_inputs: Arc::clone(&found.inputs),
        old_outputs: Arc::new(found.outputs.clone()),
        new_inputs: Arc::clone(&old.inputs),
        ignore_changes: old.state.ignore_changes.clone(),
        preview: calls.info.dry_run,
    };
    let facts = compare::drift_from_goal(&*provider, args).await?;
    job.step.reasons.differs = facts.changed;
    job.step.reasons.diff_keys = facts.diff_keys;
    job.step.reasons.detailed = facts.detailed;
    Ok(())
}

/// The state as the program says, with nothing new in it.
fn renewed(draft: &Arc<ResourceState>, old: &Opened) -> Opened {
    let mut state = ResourceState::clone(draft);
    state.inputs = old.state.inputs.clone();
    state.outputs = old.state.outputs.clone();
    state.init_errors.clone_from(&old.state.init_errors);
    state.refresh_before_update = old.state.refresh_before_update;
    Opened { state: Arc::new(state), ..old.clone() }
}

/// The state with what was found in it.
async fn amended(calls: &Calls, job: &Job, old: &Opened, found: Found) -> Result<Opened, Diagnostic> {
    let mut state = match &job.step.draft {
        Some(draft) => ResourceState::clone(draft),
        None => ResourceState::clone(&old.state),
    };
    if found.differs(old) {
        state.modified = Some(calls.ports.clock.now().into());
    }
    state.id = found.id;
    state.init_errors = found.init_errors;
    state.refresh_before_update = found.refresh_before_update;
    state.inputs = match *found.inputs == *old.inputs {
        true => old.state.inputs.clone(),
        false => seal(calls, &found.inputs, Some(&old.state.inputs)).await?,
    };
    complete(calls, job, state, found.inputs, found.outputs).await
}
