//! What the driver's task is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::policy::Verdict;
use purlin_diag::Diagnostic;
use purlin_journal::OpId;
use purlin_model::update_plan::PlannedDiff;
use purlin_model::{Bag, OperationKind, PropertyMap, ProviderRef, ResourceState, Slot, Urn};
use purlin_plan::{DiffFacts, ProviderQuery, ResId, Step, StepOutcome};
use purlin_ports::{Inherited, MonitorError, ReadReply, RegisterReply, RegisterRequest, RunOutcome};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::views::StepViews;

/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, MonitorError>>;

/// An old state with its bags open.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) state: Arc<ResourceState>,
    pub(crate) inputs: Arc<PropertyMap>,
    pub(crate) outputs: Arc<PropertyMap>,
}

/// A provider with what the children of a component inherit.
#[derive(Clone, Debug)]
pub(crate) struct ChosenProvider {
    pub(crate) provider: ProviderRef,
    pub(crate) providers: BTreeMap<String, ProviderRef>,
}

/// Somebody who waits for a ticket.
pub(crate) enum Waiting {
    Register(Answer<RegisterReply>),
    Read(Answer<ReadReply>),
    Provider(Answer<ChosenProvider>),
}

/// A step's begin as it was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) op: OpId,
    pub(crate) kind: OperationKind,
    pub(crate) resource: Arc<ResourceState>,
}

/// How a step ended, with what the tables need.
pub(crate) struct StepEnd {
    pub(crate) step: Box<Step>,
    pub(crate) begun: Option<Begun>,
    pub(crate) outcome: StepOutcome,
    pub(crate) old: Option<Opened>,
    /// The bags of the state that came out, open.
    pub(crate) new: Option<Opened>,
    pub(crate) problems: Vec<Diagnostic>,
    pub(crate) bearing: Bearing,
    /// The views of the resource, where there may be any.
    pub(crate) views: Option<Box<StepViews>>,
    /// The place in which the provider was called, to be given back when the end is dealt with.
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

/// What a step's end bears on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearing {
    /// Nobody needs to see it: nothing was called, since the run is being stopped.
    Nothing,
    /// The step.
    Step,
    /// The whole run: nothing can be stored any more.
    Run,
}

/// Outputs to be recorded and shown.
pub(crate) struct SealedOutputs {
    pub(crate) urn: Urn,
    /// The outputs sealed, if they differ from the old ones.
    pub(crate) bag: Option<Bag>,
    pub(crate) old: Arc<PropertyMap>,
    pub(crate) outputs: Arc<PropertyMap>,
    /// How they differ from those of the base, if a plan is recorded; or how they violate the plan
    /// that is followed.
    pub(crate) planned: Result<Option<PlannedDiff>, Diagnostic>,
    pub(crate) answer: Option<Answer<()>>,
}

/// One thing that the driver's task is told.
pub(crate) enum Message {
    Register {
        request: Box<RegisterRequest>,
        read_id: Option<String>,
        answer: Waiting,
    },
    NeedProvider {
        query: Box<ProviderQuery>,
        answer: Answer<ChosenProvider>,
    },
    Outputs {
        urn: Urn,
        outputs: PropertyMap,
        answer: Answer<()>,
    },
    OutputsSealed(Box<SealedOutputs>),
    /// The state of a resource; with `of_run` only if this run has registered it.
    Find {
        urn: Urn,
        of_run: bool,
        answer: oneshot::Sender<Option<Arc<ResourceState>>>,
    },
    Inherit {
        parent: Urn,
        package: Option<String>,
        answer: oneshot::Sender<Inherited>,
    },
    /// Whether resources exist, once none of them is on its way any more.
    Exist {
        urns: Vec<Urn>,
        answer: Answer<bool>,
    },
    ProgramSignal {
        answer: Answer<()>,
    },
    ProgramExited(Result<RunOutcome, Diagnostic>),
    Checked {
        res: ResId,
        old: Option<Opened>,
        inputs: Option<Arc<PropertyMap>>,
        problems: Vec<Diagnostic>,
    },
    Judged {
        res: ResId,
        /// The inputs, put right.
        inputs: Arc<PropertyMap>,
        verdict: Result<Verdict, Diagnostic>,
    },
    StackJudged(Result<Verdict, Diagnostic>),
    Diffed {
        res: ResId,
        old: Option<Opened>,
        facts: Result<DiffFacts, Diagnostic>,
    },
    DependentDiffed {
        slot: Slot,
        replace_keys: Result<Vec<String>, Diagnostic>,
    },
    StepEnded(Box<StepEnd>),
    /// The hooks after a step have been called; what went wrong with them.
    StepHooked {
        end: Box<StepEnd>,
        problem: Option<Diagnostic>,
    },
    /// The hooks after a component have been called.
    ComponentHooked {
        problem: Option<Diagnostic>,
        answer: Option<Answer<()>>,
    },
    Failed(Diagnostic),
    Stop,
}
