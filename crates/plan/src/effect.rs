//! What the planner wants done.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::diff::DetailedDiff;
use purlin_model::event::StepOp;
use purlin_model::{Cause, ProviderRef, ResourceState, Slot, Urn};

use crate::input::Ticket;
use crate::step::StepId;
use crate::table::ResId;

/// What a step's success does to the list of states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// The state is unchanged and takes the next place.
    Keep(Slot),
    /// A new state takes the next place; the one that it replaces goes away.
    Place {
        /// The number of the new state.
        slot: Slot,
        /// The state that goes away.
        replaces: Option<Slot>,
    },
    /// A new state takes the next place; the old one waits for deletion.
    PlaceAndMark {
        /// The number of the new state.
        slot: Slot,
        /// The state that waits.
        old: Slot,
    },
    /// The state changes where it stands, or is gone if the step says so.
    Amend(Slot),
    /// The same, and the state takes the next place, after what it refers to.
    Stay(Slot),
    /// The state is gone.
    Remove(Slot),
    /// The state is deleted and waits for its replacement.
    MarkPendingReplacement(Slot),
}

/// Why a step is taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepReasons {
    /// The properties that force a replacement.
    pub replace_keys: Vec<String>,
    /// The properties that differ.
    pub diff_keys: Vec<String>,
    /// What differs path by path.
    pub detailed: Option<DetailedDiff>,
    /// What led to it.
    pub cause: Option<Arc<Cause>>,
    /// Of a refresh: whether what it found differs from what the state wants.
    pub differs: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its number.
    pub id: StepId,
    /// What it does.
    pub op: StepOp,
    /// The resource that it serves; `None` for steps without a registration.
    pub res: Option<ResId>,
    /// The resource's name.
    pub urn: Urn,
    /// The state before.
    pub old: Option<Slot>,
    /// The state after, without what only the provider knows: bags, times, for creates the id.
    pub draft: Option<Arc<ResourceState>>,
    /// The provider that carries it out; `None` for components.
    pub provider: Option<ProviderRef>,
    /// The extension that the provider has to know before; empty for none.
    pub extension_ref: String,
    /// Whether the provider is called at all.
    pub calls_provider: bool,
    /// Whether the inputs are those of the old state, to the last byte.
    pub inputs_equal: bool,
    /// Why.
    pub reasons: StepReasons,
    /// What its success does to the list of states.
    pub after: After,
    /// The pending operation of the base that its success settles, by its place there.
    pub settles: Option<u32>,
}

impl Step {
    /// What the step's success does to the list of states, given the state that came out and the
    /// old one. An import that finds the very resource that the old state is about takes its place:
    /// nothing waits for deletion. A refresh that finds nothing removes the state.
    pub fn after(&self, new: Option<&ResourceState>, old: Option<&ResourceState>) -> After {
        match (&self.after, new, old) {
            (After::PlaceAndMark { slot, old: replaced }, Some(new), Some(old))
                if self.op == StepOp::ImportReplacement && is_same_resource(new, old) =>
            {
                After::Place { slot: *slot, replaces: Some(*replaced) }
            }
            (After::Place { replaces: Some(old), .. }, None, _) if self.op == StepOp::Refresh => {
                After::Remove(*old)
            }
            _ => self.after.clone(),
        }
    }
}

/// Whether two states are about one resource at its provider.
fn is_same_resource(new: &ResourceState, old: &ResourceState) -> bool {
    new.id == old.id && new.ty == old.ty && new.provider == old.provider
}

/// The reply to a ticket.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The registration ended well.
    Registered {
        /// The URN given to it.
        urn: Urn,
        /// The resource.
        res: ResId,
    },
    /// There is no such resource and this run makes none: nothing of it is known.
    Unmade {
        /// The URN given to it.
        urn: Urn,
    },
    /// The step failed and the run goes on.
    Failed {
        /// The URN given to it.
        urn: Urn,
    },
    /// Something that it needs failed and the run goes on.
    Skipped {
        /// The URN given to it.
        urn: Urn,
    },
    /// The provider asked for.
    Provider {
        /// It.
        provider: ProviderRef,
        /// The providers that children of a component inherit.
        providers: BTreeMap<String, ProviderRef>,
    },
    /// The operation is being stopped.
    Stopping,
    /// The request makes no sense.
    Invalid(String),
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Validate a resource's inputs.
    Check {
        /// The resource.
        res: ResId,
        /// The state whose inputs are passed as the old ones.
        olds: Option<Slot>,
        /// Whether the goal's raw inputs are checked again for a replacement, without applying
        /// `ignoreChanges`.
        for_replacement: bool,
    },
    /// Compare a resource with its old state.
    Diff {
        /// The resource.
        res: ResId,
        /// The old state.
        old: Slot,
        /// The provider of the old state, where it is another one.
        old_provider: Option<ProviderRef>,
    },
    /// Find out whether an old state would be replaced if these properties became unknown.
    DiffDependent {
        /// The state.
        slot: Slot,
        /// The properties.
        properties: Vec<String>,
    },
    /// A logical step to be shown; nothing is done.
    Show(Box<Step>),
    /// Carry out a step.
    Run(Box<Step>),
    /// States that the operation is not about take the next places, in this order, as they are. It is
    /// done before anything else.
    Carry {
        /// The states.
        slots: Vec<Slot>,
    },
    /// Answer a ticket.
    Reply {
        /// The ticket.
        ticket: Ticket,
        /// The answer.
        reply: Reply,
    },
    /// A resource was born inside the planner (a default provider); its goal.
    Adopt {
        /// The resource.
        res: ResId,
    },
    /// The program may start.
    StartProgram,
    /// Say something.
    Say(Diagnostic),
    /// Nothing further will be begun: the program should be told to end.
    Stopping,
    /// The operation has ended.
    Finish {
        /// Whether everything went well.
        ok: bool,
    },
}
