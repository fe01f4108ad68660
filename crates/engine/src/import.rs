//! Imports: existing resources are read by id and become states.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::{PropertyMap, ResourceState};
use purlin_ports::{ProviderError, ReadArgs, ReadResult};

use crate::calls::{Calls, provider_problem};
use crate::perform::{Job, Outcome, call_read, complete, draft_state, half_done, seal};
use crate::secrecy::as_secret_as;

/// Reads a resource that the state does not have and makes a state of it. Nothing is begun: reading
/// changes nothing that a later run would have to find out about.
pub(crate) async fn import(calls: &Calls, job: &Job) -> Outcome {
    let Some(draft) = job.step.draft.clone() else {
        let problem = Diagnostic::error("step-defect", format!("{} has no draft", job.step.urn));
        return Outcome::failed(None, problem);
    };
    if let Some((request, seed)) = &job.listed {
        return crate::import_list::import(calls, job, &draft, request, seed).await;
    }
    let id = if draft.id.is_empty() { &draft.import_id } else { &draft.id };
    let args = ReadArgs {
        context: job.context(calls, &draft),
        id: id.clone(),
        inputs: Arc::default(),
        outputs: Arc::default(),
    };
    let Some(answer) = call_read(calls, job, args).await else { return Outcome::not_called(None) };
    let answer = match answer {
        Ok(answer) => answer,
        Err(e) => {
            return Outcome::failed(None, provider_problem("import-failed", &draft.urn, "importing", &e));
        }
    };
    match imported(calls, job, &draft, id, answer).await {
        Ok(outcome) => outcome,
        Err(problem) => Outcome::failed(None, problem),
    }
}

async fn imported(
    calls: &Calls,
    job: &Job,
    draft: &Arc<ResourceState>,
    id: &str,
    answer: ReadResult,
) -> Result<Outcome, Diagnostic> {
    let refused = |reason: String| {
        provider_problem("import-failed", &draft.urn, "importing", &ProviderError::Rejected(reason))
    };
    let Some(outputs) = answer.outputs else {
        return Err(refused(format!("resource '{id}' does not exist")));
    };
    // What the program gives, or the interrupted create was given.
    let wanted = match job.step.settles {
        Some(_) => calls.ports.bags.open(&draft.inputs).await?,
        None => Arc::clone(&job.inputs),
    };
    let inputs: Arc<PropertyMap> = match (answer.inputs, job.step.settles) {
        (Some(inputs), _) => Arc::new(as_secret_as(inputs, &wanted)),
        (None, Some(_)) => wanted,
        (None, None) => {
            let package = purlin_model::urn::package_of_type(draft.urn.ty());
            return Err(refused(format!(
                "provider does not support importing resources; please try updating the '{package}' plugin"
            )));
        }
    };
    let mut state = draft_state(calls, job).await?;
    state.id = if answer.id.is_empty() { id.to_owned() } else { answer.id };
    state.refresh_before_update = answer.refresh_before_update;
    let now: Arc<str> = calls.ports.clock.now().into();
    state.created = Some(Arc::clone(&now));
    state.modified = Some(now);
    state.inputs = seal(calls, &inputs, None).await?;
    let mut problems = Vec::new();
    if !answer.init_errors.is_empty() {
        let mut warning = half_done(&state, &answer.init_errors);
        warning.severity = purlin_diag::Severity::Warning;
        problems.push(warning);
    }
    state.init_errors = answer.init_errors;
    let new = complete(calls, job, state, inputs, outputs).await?;
    Ok(Outcome::done(None, new).saying(problems))
}
