//! The `ResourceStatus` service: providers publish what they do to views of their resources.

use std::sync::Arc;

use purlin_model::event::StepOp;
use purlin_ports::{PublishedState, PublishedStep};
use purlin_wire::calls::from_provider;
use purlin_wire::pulumirpc::resource_status_server::ResourceStatus;
use purlin_wire::pulumirpc::view_step::Op;
use purlin_wire::pulumirpc::{PublishViewStepsRequest, PublishViewStepsResponse, ViewStep, ViewStepState};
use purlin_wire::{decode_optional, detailed_diff};
use tonic::{Request, Response, Status};

use crate::monitor_service::Services;
use crate::status;

/// The service.
pub(crate) struct StatusService(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl ResourceStatus for StatusService {
    async fn publish_view_steps(
        &self,
        request: Request<PublishViewStepsRequest>,
    ) -> Result<Response<PublishViewStepsResponse>, Status> {
        let request = request.into_inner();
        let steps = request.steps.into_iter().map(step).collect::<Result<_, _>>()?;
        let published = self.0.monitor.publish_views(request.token, steps).await;
        published.map_err(|error| status::of_monitor(&error))?;
        Ok(Response::new(PublishViewStepsResponse {}))
    }
}

fn step(step: ViewStep) -> Result<PublishedStep, Status> {
    let op = op(step.op())?;
    let (old, new) = (step.old.map(state).transpose()?, step.new.map(state).transpose()?);
    if old.is_none() && new.is_none() {
        let message = format!("the step of the view '{}' has no state before and none after", step.name);
        return Err(Status::invalid_argument(message));
    }
    Ok(PublishedStep {
        op,
        error: step.error,
        old,
        new,
        replace_keys: step.keys,
        diff_keys: step.diffs,
        detailed: step.has_detailed_diff.then(|| detailed_diff(step.detailed_diff)),
    })
}

fn state(state: ViewStepState) -> Result<PublishedState, Status> {
    if state.r#type.is_empty() || state.name.is_empty() {
        return Err(Status::invalid_argument("a view needs a type and a name"));
    }
    let decode = |what: &str, properties| {
        decode_optional(properties, &from_provider::VIEW_STEP)
            .map_err(|error| status::of_codec(&format!("{what} of the view '{}'", state.name), &error))
    };
    Ok(PublishedState {
        inputs: decode("inputs", state.inputs.as_ref())?,
        outputs: decode("outputs", state.outputs.as_ref())?,
        ty: state.r#type,
        name: state.name.clone(),
    })
}

fn op(op: Op) -> Result<StepOp, Status> {
    Ok(match op {
        Op::Unspecified => return Err(Status::invalid_argument("the step of a view has no operation")),
        Op::Same => StepOp::Same,
        Op::Create => StepOp::Create,
        Op::Update => StepOp::Update,
        Op::Delete => StepOp::Delete,
        Op::Replace => StepOp::Replace,
        Op::CreateReplacement => StepOp::CreateReplacement,
        Op::DeleteReplaced => StepOp::DeleteReplaced,
        Op::Read => StepOp::Read,
        Op::ReadReplacement => StepOp::ReadReplacement,
        Op::Refresh => StepOp::Refresh,
        Op::ReadDiscard => StepOp::Discard,
        Op::DiscardReplaced => StepOp::DiscardReplaced,
        Op::RemovePendingReplace => StepOp::RemovePendingReplace,
        Op::Import => StepOp::Import,
        Op::ImportReplacement => StepOp::ImportReplacement,
    })
}
