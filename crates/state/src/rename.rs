//! Giving a stack another name: URNs are rewritten wherever they stand.

use purlin_model::Snapshot;
use purlin_ports::StackId;

/// A snapshot as that of another stack. URNs of other stacks stay as they are. In bags those of
/// references to resources are rewritten; secrets are closed, so what is in them stays.
pub(crate) fn renamed(snapshot: &Snapshot, from: &StackId, to: &StackId) -> Snapshot {
    purlin_edit::rename_stack(snapshot, (&from.project, &from.name), (&to.project, &to.name))
}
