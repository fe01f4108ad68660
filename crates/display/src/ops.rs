//! The words and signs of steps.

use purlin_model::event::{StepOp, StepView};

use crate::style::Tone;

/// The sign of a step: always two columns.
pub(crate) fn sign(op: StepOp) -> &'static str {
    match op {
        StepOp::Same => "  ",
        StepOp::Create => "+ ",
        StepOp::Delete => "- ",
        StepOp::Update | StepOp::Refresh | StepOp::RemovePendingReplace => "~ ",
        StepOp::Replace => "+-",
        StepOp::CreateReplacement => "++",
        StepOp::DeleteReplaced => "--",
        StepOp::Read => "> ",
        StepOp::ReadReplacement => ">>",
        StepOp::Discard => "< ",
        StepOp::DiscardReplaced => "<<",
        StepOp::Import => "= ",
        StepOp::ImportReplacement => "=>",
    }
}

/// The tone of a step.
pub(crate) fn tone(op: StepOp) -> Tone {
    match op {
        StepOp::Same | StepOp::RemovePendingReplace => Tone::Plain,
        StepOp::Create | StepOp::Import => Tone::Create,
        StepOp::Delete | StepOp::Discard | StepOp::DiscardReplaced => Tone::Delete,
        StepOp::Update | StepOp::Refresh => Tone::Update,
        StepOp::Replace | StepOp::ReadReplacement | StepOp::ImportReplacement => Tone::Replace,
        StepOp::CreateReplacement => Tone::CreateReplacement,
        StepOp::DeleteReplaced => Tone::DeleteReplaced,
        StepOp::Read => Tone::Read,
    }
}

/// What is going on.
pub(crate) fn doing(op: StepOp) -> &'static str {
    match op {
        StepOp::Same => "",
        StepOp::Create => "creating",
        StepOp::Update => "updating",
        StepOp::Delete => "deleting",
        StepOp::Replace => "replacing",
        StepOp::CreateReplacement => "creating replacement",
        StepOp::DeleteReplaced => "deleting original",
        StepOp::Read => "reading",
        StepOp::ReadReplacement => "reading for replacement",
        StepOp::Refresh => "refreshing",
        StepOp::Discard => "discarding",
        StepOp::DiscardReplaced => "discarding original",
        StepOp::RemovePendingReplace => "removing from state",
        StepOp::Import => "importing",
        StepOp::ImportReplacement => "importing replacement",
    }
}

/// What was done.
pub(crate) fn done(op: StepOp) -> &'static str {
    match op {
        StepOp::Same => "",
        StepOp::Create => "created",
        StepOp::Update => "updated",
        StepOp::Delete => "deleted",
        StepOp::Replace => "replaced",
        StepOp::CreateReplacement => "created replacement",
        StepOp::DeleteReplaced => "deleted original",
        StepOp::Read => "read",
        StepOp::ReadReplacement => "read for replacement",
        StepOp::Refresh => "refreshed",
        StepOp::Discard => "discarded",
        StepOp::DiscardReplaced => "discarded original",
        StepOp::RemovePendingReplace => "removed from state",
        StepOp::Import => "imported",
        StepOp::ImportReplacement => "imported replacement",
    }
}

/// What would be done.
pub(crate) fn plan(op: StepOp) -> &'static str {
    match op {
        StepOp::Same => "",
        StepOp::CreateReplacement => "create replacement",
        StepOp::DeleteReplaced => "delete original",
        StepOp::ReadReplacement => "read for replacement",
        StepOp::DiscardReplaced => "discard original",
        StepOp::RemovePendingReplace => "remove from state",
        StepOp::ImportReplacement => "import replacement",
        other => other.as_str(),
    }
}

/// Whether a step is a part of a replacement, beside the logical step that stands for it whole.
pub(crate) fn is_part_of_replacement(op: StepOp) -> bool {
    matches!(op, StepOp::CreateReplacement | StepOp::DeleteReplaced | StepOp::DiscardReplaced)
}

/// Whether a step only reads.
pub(crate) fn is_read(op: StepOp) -> bool {
    matches!(op, StepOp::Read | StepOp::ReadReplacement | StepOp::Discard)
}

/// Whether a step leaves the real thing alone though it goes away from the state.
pub(crate) fn retains(step: &StepView) -> bool {
    step.old.as_ref().is_some_and(|old| old.state.retain_on_delete)
        && matches!(
            step.op,
            StepOp::Delete | StepOp::Replace | StepOp::CreateReplacement | StepOp::DeleteReplaced
        )
}

/// Whether a step changes the protection of a resource that is otherwise left alone.
pub(crate) fn protection_changes(step: &StepView) -> bool {
    match (&step.old, &step.new) {
        (Some(old), Some(new)) => old.state.protect != new.state.protect,
        _ => false,
    }
}

/// Whether a step is about a provider that the engine made by itself. Nobody wants to see those.
pub(crate) fn is_default_provider(step: &StepView) -> bool {
    purlin_model::urn::is_provider_type(step.urn.ty()) && step.urn.name().starts_with("default")
}
