//! What an operation needs, and what it reports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::event::{OperationResult, StepOp};
use purlin_model::update_plan::UpdatePlan;
use purlin_model::{Snapshot, Urn};
use purlin_ports::{
    BagCodec, Clock, DeploymentInfo, Entropy, EventSink, LanguageHost, ProviderHost, RunRequest,
    UpdateSession,
};

/// The settings of one operation.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// What the planner has to know.
    pub plan: purlin_plan::Settings,
    /// What the program may ask about.
    pub info: DeploymentInfo,
    /// How many operations may run at once; zero for no limit.
    pub parallel: usize,
    /// Where the gRPC monitor listens, for plugins that construct components.
    pub monitor_address: String,
    /// Whether creates of earlier operations whose outcome nobody knows are forgotten.
    pub clear_pending_creates: bool,
    /// Those of them that are forgotten even if not all are.
    pub cleared_creates: BTreeSet<Urn>,
    /// Whether refreshes compare outputs only, instead of asking providers what differs.
    pub legacy_refresh_diff: bool,
    /// What displays show of the configuration.
    pub shown_config: BTreeMap<String, String>,
}

/// The adapters that an operation uses.
#[derive(Clone)]
pub struct EnginePorts {
    /// Where providers come from.
    pub providers: Arc<dyn ProviderHost>,
    /// Opens and seals bags.
    pub bags: Arc<dyn BagCodec>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Where entries go; `None` for previews.
    pub session: Option<Arc<dyn UpdateSession>>,
}

/// A program and how to run it.
#[derive(Clone)]
pub struct Program {
    /// Who runs it.
    pub host: Arc<dyn LanguageHost>,
    /// How. The engine puts its own monitor in.
    pub request: RunRequest,
}

/// What came of an operation.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub result: OperationResult,
    /// How many resources each kind of step touched.
    pub changes: BTreeMap<StepOp, u64>,
    /// The state after it; of a preview, the state as it would be.
    pub snapshot: Arc<Snapshot>,
    /// Why the state could not be written, if it could not.
    pub state_problem: Option<Diagnostic>,
    /// How often each rule of the planner decided something.
    pub rules: purlin_plan::RuleCounts,
    /// The update plan, if one was recorded and everything went well.
    pub update_plan: Option<UpdatePlan>,
}
