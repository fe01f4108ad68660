//! Resources of an import list: read, completed with what the list says, and checked.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::{PropertyMap, PropertyValue, ResourceState};
use purlin_plan::ImportRequest;
use purlin_ports::{CheckArgs, ProviderError, ReadArgs};

use crate::calls::{Calls, provider_problem};
use crate::perform::{Job, Outcome, call_read, complete, draft_state, half_done, provider_for, seal};

/// What was found of a resource.
#[derive(Default)]
struct Found {
    id: String,
    inputs: PropertyMap,
    outputs: PropertyMap,
    init_errors: Vec<String>,
    refresh_before_update: bool,
}

/// Why there is nothing to be made a state of.
enum Missing {
    /// The run is being stopped.
    NotCalled,
    /// What is wrong.
    Problem(Diagnostic),
}

impl From<Diagnostic> for Missing {
    fn from(problem: Diagnostic) -> Missing {
        Missing::Problem(problem)
    }
}

/// Takes over one resource of a list, or makes a component of it.
pub(crate) async fn import(
    calls: &Calls,
    job: &Job,
    draft: &Arc<ResourceState>,
    request: &ImportRequest,
    seed: &[u8],
) -> Outcome {
    match try_import(calls, job, draft, request, seed).await {
        Ok(outcome) => outcome,
        Err(Missing::NotCalled) => Outcome::not_called(None),
        Err(Missing::Problem(problem)) => Outcome::failed(None, problem),
    }
}

async fn try_import(
    calls: &Calls,
    job: &Job,
    draft: &Arc<ResourceState>,
    request: &ImportRequest,
    seed: &[u8],
) -> Result<Outcome, Missing> {
    let found = find(calls, job, draft, request).await?;
    let mut problems = Vec::new();
    let mut inputs = found.inputs;
    if draft.custom {
        let read = inputs.clone();
        if !request.properties.is_empty() {
            inputs.retain(|key, _| request.properties.contains(key));
        }
        problems = check(calls, job, draft, (read, &inputs), request, seed).await?;
    }
    let mut state = draft_state(calls, job).await?;
    // An import that the program does not ask for is not remembered.
    state.import_id = String::new();
    state.id = found.id;
    state.refresh_before_update = found.refresh_before_update;
    let now: Arc<str> = calls.ports.clock.now().into();
    state.created = Some(Arc::clone(&now));
    state.modified = Some(now);
    let inputs = Arc::new(inputs);
    state.inputs = seal(calls, &inputs, None).await?;
    if !found.init_errors.is_empty() {
        let mut warning = half_done(&state, &found.init_errors);
        warning.severity = purlin_diag::Severity::Warning;
        problems.push(warning);
    }
    state.init_errors = found.init_errors;
    let new = complete(calls, job, state, inputs, found.outputs).await?;
    Ok(Outcome::done(None, new).saying(problems))
}

async fn find(
    calls: &Calls,
    job: &Job,
    draft: &Arc<ResourceState>,
    request: &ImportRequest,
) -> Result<Found, Missing> {
    let supplied = request.inputs.clone().unwrap_or_default();
    let id = if draft.custom { request.id.clone() } else { String::new() };
    let outputs = request.outputs.clone().unwrap_or_default();
    if !draft.custom || !outputs.is_empty() {
        return Ok(Found { id, inputs: supplied, outputs, ..Found::default() });
    }
    let args = ReadArgs {
        context: job.context(calls, draft),
        id: id.clone(),
        inputs: Arc::default(),
        outputs: Arc::default(),
    };
    let trouble = |e: &ProviderError| provider_problem("import-failed", &draft.urn, "importing", e);
    let answer = call_read(calls, job, args).await.ok_or(Missing::NotCalled)?;
    let answer = answer.map_err(|e| trouble(&e))?;
    let refused = |reason: String| trouble(&ProviderError::Rejected(reason));
    let outputs = answer.outputs.ok_or_else(|| refused(format!("resource '{id}' does not exist")))?;
    let inputs = answer.inputs.ok_or_else(|| {
        let package = purlin_model::urn::package_of_type(draft.urn.ty());
        refused(format!(
            "provider does not support importing resources; please try updating the '{package}' plugin"
        ))
    })?;
    Ok(Found {
        id: if answer.id.is_empty() { id } else { answer.id },
        inputs: merged(inputs, supplied),
        outputs,
        init_errors: answer.init_errors,
        refresh_before_update: answer.refresh_before_update,
    })
}

/// What was read, with what the list says where nothing was read. What the list has as a secret is
/// one.
fn merged(read: PropertyMap, supplied: PropertyMap) -> PropertyMap {
    let mut all = read;
    for (key, value) in supplied {
        match all.get_mut(&key) {
            None | Some(PropertyValue::Null) => drop(all.insert(key, value)),
            Some(known) if value.contains_secrets() => {
                *known = std::mem::replace(known, PropertyValue::Null).into_secret();
            }
            Some(_) => {}
        }
    }
    all
}

/// Has the provider check what it told itself. Refusals are warnings: the import goes on.
async fn check(
    calls: &Calls,
    job: &Job,
    draft: &Arc<ResourceState>,
    (read, inputs): (PropertyMap, &PropertyMap),
    request: &ImportRequest,
    seed: &[u8],
) -> Result<Vec<Diagnostic>, Diagnostic> {
    let args = CheckArgs {
        urn: draft.urn.clone(),
        olds: Arc::new(read),
        news: Arc::new(inputs.clone()),
        random_seed: seed.to_vec(),
        autonaming: None,
    };
    let named = |e: ProviderError| provider_problem("check-failed", &draft.urn, "validating", &e);
    let result = match provider_for(calls, &job.step).await.map_err(named)?.check(args).await {
        Err(ProviderError::Unimplemented(_)) => return Ok(Vec::new()),
        other => other.map_err(named)?,
    };
    if result.failures.is_empty() {
        return Ok(Vec::new());
    }
    let what = match request.properties.is_empty() {
        true => {
            let package = purlin_model::urn::package_of_type(draft.urn.ty());
            format!("this is almost certainly a bug in the `{package}` provider")
        }
        false => "try another set of properties the next time".to_owned(),
    };
    let message = format!("one or more imported inputs failed to validate; {what}");
    let first = Diagnostic::warning("import-inputs", message).with_urn(draft.urn.as_str());
    let each = result.failures.iter().map(|failure| {
        let mut problem = crate::compare::refused(&draft.urn, failure);
        problem.severity = purlin_diag::Severity::Warning;
        problem
    });
    Ok(std::iter::once(first).chain(each).collect())
}
