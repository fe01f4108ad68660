//! What the planner is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_model::diff::DetailedDiff;
use purlin_model::{Cause, Goal, PackageDescriptor, ProviderRef, ResourceState, Slot, Urn};

use crate::step::StepId;
use crate::table::ResId;

/// The number of a question that awaits a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// A registration as it arrives: the goal's `provider` is the explicit one, options are not
/// inherited yet.
#[derive(Clone, Debug)]
pub struct Registration {
    /// What the resource is to be.
    pub goal: Goal,
    /// Explicit providers for children, by package.
    pub providers: BTreeMap<String, ProviderRef>,
    /// The package that it belongs to.
    pub package: PackageDescriptor,
    /// The id to read, where the resource is only read.
    pub read_id: Option<String>,
}

/// A question for the provider that serves a function, a method or a remote component.
#[derive(Clone, Debug)]
pub struct ProviderQuery {
    /// An explicit provider.
    pub explicit: Option<ProviderRef>,
    /// The resource whose providers are inherited.
    pub parent: Option<Urn>,
    /// Explicit providers by package.
    pub providers: BTreeMap<String, ProviderRef>,
    /// The package.
    pub package: PackageDescriptor,
    /// Whether it is about a function: what serves a parent that is no component doesn't serve it.
    pub function: bool,
}

/// What a diff found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiffFacts {
    /// Whether something differs. It says nothing where there is a replacement.
    pub changed: bool,
    /// Whether it takes a replacement, and which properties force it.
    pub replace: Option<Vec<String>>,
    /// Whether a replacement must delete first, as the provider sees it.
    pub delete_before_replace: bool,
    /// The properties that differ.
    pub diff_keys: Vec<String>,
    /// What differs path by path.
    pub detailed: Option<DetailedDiff>,
    /// Whether the checked inputs equal the old ones exactly, secretness included.
    pub inputs_equal: bool,
    /// What led to it, where the properties that differ don't say it.
    pub cause: Option<Arc<Cause>>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum StepOutcome {
    /// Well; the state that came out, `None` if the resource is gone. It is recorded.
    Done(Option<Arc<ResourceState>>),
    /// Half: the state is recorded with what went wrong, and the step counts as failed.
    Partial(Arc<ResourceState>),
    /// Not at all; nothing is recorded.
    Failed,
    /// Nobody knows; the operation stays pending.
    Unknown,
}

/// One thing that the planner is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The operation begins.
    Start,
    /// A program registers or reads a resource.
    Register {
        /// Where the reply goes.
        ticket: Ticket,
        /// The registration.
        request: Box<Registration>,
    },
    /// Somebody needs a provider.
    NeedProvider {
        /// Where the reply goes.
        ticket: Ticket,
        /// Which.
        query: Box<ProviderQuery>,
    },
    /// The answer to [`crate::Effect::Check`]: whether the inputs were accepted.
    Checked {
        /// The resource.
        res: ResId,
        /// Whether the inputs were accepted; if not, it has been said why.
        accepted: bool,
    },
    /// The answer to [`crate::Effect::Diff`]; `None` if it failed, which has been said.
    Diffed {
        /// The resource.
        res: ResId,
        /// What was found.
        facts: Option<DiffFacts>,
    },
    /// The answer to [`crate::Effect::DiffDependent`].
    DependentDiffed {
        /// The state.
        slot: Slot,
        /// The properties for whose sake it would be replaced; empty if it would not.
        replace_keys: Vec<String>,
    },
    /// A step has ended.
    Stepped {
        /// The step.
        step: StepId,
        /// How.
        outcome: StepOutcome,
    },
    /// The state of a resource was amended with outputs.
    Amended {
        /// The resource.
        urn: Urn,
        /// What it is now.
        state: Arc<ResourceState>,
    },
    /// The program has ended, or said that it has registered everything.
    ProgramEnded {
        /// Whether it ended well.
        ok: bool,
    },
    /// Something outside of any step failed: the run goes no further, or counts as failed.
    RunFailed,
    /// The user wants it to stop.
    Stop,
}
