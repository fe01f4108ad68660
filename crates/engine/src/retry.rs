//! Calls that change the cloud, made again as long as error hooks want it.

use std::sync::Arc;

use purlin_model::ResourceState;
use purlin_ports::{CreateArgs, DeleteArgs, Operated, Provider, ProviderError, UpdateArgs};

use crate::calls::Calls;
use crate::hooks::Retries;
use crate::message::Opened;
use crate::perform::{Job, in_place};

/// What came of a call; `None` if it was not made, since the run is being stopped.
type Answer<T> = Option<Result<T, ProviderError>>;

/// Creates a resource. One that was only half set up exists: to try again means to update it, for a
/// second create would leave the first one behind.
pub(crate) async fn create(
    calls: &Calls,
    job: &Job,
    provider: &dyn Provider,
    state: &ResourceState,
) -> Answer<Operated> {
    let mut retries = Retries::default();
    let mut half: Option<Operated> = None;
    loop {
        let context = job.context(calls, state);
        let inputs = Arc::clone(&job.inputs);
        let mut answer = match &half {
            None => in_place(calls, job, provider.create(CreateArgs { context, inputs })).await,
            Some(half) => {
                let args = UpdateArgs {
                    context,
                    id: half.id.clone(),
                    old_inputs: Arc::clone(&inputs),
                    old_outputs: Arc::new(half.outputs.clone()),
                    new_inputs: inputs,
                    ignore_changes: Vec::new(),
                };
                in_place(calls, job, provider.update(args)).await
            }
        };
        if let (Some(Ok(operated)), Some(half)) = (&mut answer, &half)
            && operated.id.is_empty()
        {
            operated.id.clone_from(&half.id);
        }
        let again = retries.another(calls, job, &answer).await;
        match answer {
            Some(Ok(operated)) if !operated.init_errors.is_empty() && !operated.id.is_empty() && again => {
                half = Some(operated);
            }
            Some(Err(_)) | None if !again && half.is_some() => return half.map(Ok),
            answer if !again => return answer,
            _ => {}
        }
    }
}

/// Updates a resource.
pub(crate) async fn update(
    calls: &Calls,
    job: &Job,
    provider: &dyn Provider,
    state: &ResourceState,
    old: &Opened,
) -> Answer<Operated> {
    let mut retries = Retries::default();
    loop {
        let args = UpdateArgs {
            context: job.context(calls, state),
            id: old.state.id.clone(),
            old_inputs: Arc::clone(&old.inputs),
            old_outputs: Arc::clone(&old.outputs),
            new_inputs: Arc::clone(&job.inputs),
            ignore_changes: state.ignore_changes.clone(),
        };
        let answer = in_place(calls, job, provider.update(args)).await;
        if !retries.another(calls, job, &answer).await {
            return answer;
        }
    }
}

/// Deletes a resource.
pub(crate) async fn delete(calls: &Calls, job: &Job, provider: &dyn Provider, old: &Opened) -> Answer<()> {
    let state = &old.state;
    let mut retries = Retries::default();
    loop {
        let args = DeleteArgs {
            context: job.context(calls, state),
            id: state.id.clone(),
            inputs: Arc::clone(&old.inputs),
            outputs: Arc::clone(&old.outputs),
        };
        let answer = in_place(calls, job, provider.delete(args)).await;
        if !retries.another(calls, job, &answer).await {
            return answer;
        }
    }
}
