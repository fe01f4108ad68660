//! Other names: of a resource, and of a whole stack.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::urn::STACK_TYPE;
use purlin_model::{PendingOperation, ResourceState, Snapshot, Urn};

use crate::find::{Found, Selection, find};
use crate::urns::{Renaming, map_urns};

/// A snapshot with one resource under another name; what refers to it follows. Refused: what isn't
/// there or is there several times, the stack itself, a name that is taken.
pub fn rename_resource(snapshot: &Snapshot, urn: &str, name: &str) -> Result<Snapshot, Diagnostic> {
    let old = match find(snapshot, urn, Selection::All)? {
        Found::One(index) => snapshot.resources[index].urn.clone(),
        Found::Several(_) => {
            let message = format!("several states have the URN {urn}: one of them waits for its deletion");
            let hint = "run an update or a refresh first, which deletes it";
            return Err(Diagnostic::error("state-urn-ambiguous", message).with_urn(urn).with_hint(hint));
        }
    };
    if old.qualified_type() == STACK_TYPE {
        let message = "the stack's own resource is named after project and stack";
        let hint = "rename the stack with `stack rename`";
        return Err(Diagnostic::error("state-rename-root", message).with_urn(urn).with_hint(hint));
    }
    if name.is_empty() {
        return Err(Diagnostic::error("state-rename-empty", "a resource's name can't be empty").with_urn(urn));
    }
    let new = with_name(&old, name);
    if new != old && snapshot.resources.iter().any(|state| state.urn == new) {
        let message = format!("there is a resource {new} already");
        let hint = "choose another name, or rename that one first";
        return Err(Diagnostic::error("state-rename-taken", message).with_urn(urn).with_hint(hint));
    }
    let map = |urn: &Urn| if *urn == old { new.clone() } else { urn.clone() };
    let touches = |text: &str| text.contains(old.as_str());
    Ok(map_snapshot(snapshot, &Renaming { urn: &map, touches: &touches, aliases: false }))
}

fn with_name(urn: &Urn, name: &str) -> Urn {
    Urn::new(urn.stack(), urn.project(), None, urn.qualified_type(), name)
}

/// A snapshot as that of another stack, given as project and name. Names of other stacks stay.
pub fn rename_stack(snapshot: &Snapshot, from: (&str, &str), to: (&str, &str)) -> Snapshot {
    let prefix = format!("urn:pulumi:{}::{}::", from.1, from.0);
    let map = |urn: &Urn| {
        if (urn.project(), urn.stack()) != from {
            urn.clone()
        } else if urn.qualified_type() == STACK_TYPE {
            Urn::root_stack(to.1, to.0)
        } else {
            urn.with_stack(to.1, to.0)
        }
    };
    let touches = |text: &str| text.contains(&prefix);
    map_snapshot(snapshot, &Renaming { urn: &map, touches: &touches, aliases: true })
}

fn map_snapshot(snapshot: &Snapshot, renaming: &Renaming<'_>) -> Snapshot {
    let state = |state: &Arc<ResourceState>| Arc::new(map_urns(state, renaming));
    let pending = |operation: &PendingOperation| PendingOperation {
        kind: operation.kind,
        resource: state(&operation.resource),
    };
    Snapshot {
        resources: snapshot.resources.iter().map(state).collect(),
        pending_operations: snapshot.pending_operations.iter().map(pending).collect(),
        ..snapshot.clone()
    }
}
