//! Steps and diagnostics as events show them.

use std::sync::Arc;

use purlin_diag::{Diagnostic, Severity};
use purlin_model::event::{EngineEvent, StateView, StepOp, StepView};
use purlin_model::{PropertyMap, ResourceState, Urn};
use purlin_plan::Step;
use purlin_ports::EventSink;

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

/// Shows a diagnostic.
pub fn say(events: &dyn EventSink, diagnostic: &Diagnostic) {
    let mut message = diagnostic.message.clone();
    if let Some(span) = &diagnostic.span {
        message = format!("{span}: {message}");
    }
    if let Some(hint) = &diagnostic.hint {
        message = format!("{message}\n{hint}");
    }
    let prefix = match diagnostic.severity {
        Severity::Error => "error: ",
        Severity::Warning => "warning: ",
        _ => "",
    };
    events.emit(EngineEvent::Diagnostic {
        urn: diagnostic.urn.as_deref().and_then(Urn::parse),
        prefix: prefix.to_owned(),
        message,
        severity: diagnostic.severity,
        stream_id: 0,
        ephemeral: false,
    });
}
