//! Steps as events show them.

use std::sync::Arc;

use purlin_model::event::{StateView, StepOp, StepView};
use purlin_model::{PropertyMap, ResourceState};
use purlin_plan::Step;

use crate::message::Opened;

fn shown(opened: &Opened) -> StateView {
    StateView {
        state: Arc::clone(&opened.state),
        inputs: Arc::clone(&opened.inputs),
        outputs: Arc::clone(&opened.outputs),
    }
}

/// A step's view. `new` is what is known of the state after.
pub(crate) fn step_view(
    step: &Step,
    op: StepOp,
    old: Option<&Opened>,
    new: Option<&Opened>,
) -> Box<StepView> {
    let logical = !matches!(op, StepOp::CreateReplacement | StepOp::DeleteReplaced | StepOp::DiscardReplaced);
    Box::new(StepView {
        op,
        urn: step.urn.clone(),
        old: old.map(shown),
        new: new.map(shown),
        replace_keys: step.reasons.replace_keys.clone(),
        diff_keys: step.reasons.diff_keys.clone(),
        detailed_diff: step.reasons.detailed.clone(),
        logical,
        cause: step.reasons.cause.clone(),
        provider: step.provider.as_ref().map(ToString::to_string).unwrap_or_default(),
    })
}

/// The state after a step, before the provider has answered.
pub(crate) fn planned(draft: &Arc<ResourceState>, inputs: &Arc<PropertyMap>) -> Opened {
    Opened { state: Arc::clone(draft), inputs: Arc::clone(inputs), outputs: Arc::default() }
}
