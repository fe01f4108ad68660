//! What tasks that call providers share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Diagnostic;
use purlin_journal::OpId;
use purlin_model::{ResourceState, Urn};
use purlin_plan::{Rule, RuleCounts};
use purlin_ports::{DeploymentInfo, ProviderError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::hooks::Hooks;
use crate::message::Opened;
use crate::pool::Pool;
use crate::settings::EnginePorts;
use crate::views::Desk;

/// How many steps may be on their way for each that may call a provider.
const STEPS_A_PLACE: usize = 4;

/// How many steps may be on their way at the least.
const FEWEST_STEPS: usize = 128;

/// What tasks that call providers share.
pub(crate) struct Calls {
    pub(crate) ports: EnginePorts,
    pub(crate) info: DeploymentInfo,
    pub(crate) monitor_address: String,
    /// Whether refreshes compare outputs only.
    pub(crate) legacy_refresh_diff: bool,
    pub(crate) pool: Pool,
    /// A place for each operation that may run at once.
    pub(crate) places: Arc<Semaphore>,
    /// A place for each step that may be on its way, open bags and all: more than may call at once,
    /// so that begins are stored ahead of the calls, and not so many that all bags are open.
    pub(crate) steps: Semaphore,
    /// Cancelled when nothing further is to be begun.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when the user wants to wait no longer for what is in flight.
    pub(crate) abandon: CancellationToken,
    /// Where providers say what they do to views.
    pub(crate) desk: Desk,
    /// The hooks of the program.
    pub(crate) hooks: Hooks,
    next_op: AtomicU32,
    /// How often rules decided something that are performed rather than planned.
    rules: Mutex<RuleCounts>,
}

impl Calls {
    pub(crate) fn new(
        ports: EnginePorts,
        info: DeploymentInfo,
        monitor_address: String,
        parallel: usize,
        pool: Pool,
        legacy_refresh_diff: bool,
    ) -> Calls {
        let places = if parallel == 0 { Semaphore::MAX_PERMITS } else { parallel };
        let steps = places.saturating_mul(STEPS_A_PLACE).max(FEWEST_STEPS);
        let secret = if monitor_address.is_empty() { String::new() } else { ports.entropy.uuid() };
        Calls {
            desk: Desk::new(monitor_address.clone(), secret),
            ports,
            info,
            monitor_address,
            legacy_refresh_diff,
            pool,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            steps: Semaphore::new(steps.min(Semaphore::MAX_PERMITS)),
            stopping: CancellationToken::new(),
            abandon: CancellationToken::new(),
            hooks: Hooks::default(),
            next_op: AtomicU32::new(1),
            rules: Mutex::default(),
        }
    }

    /// A rule has decided something.
    pub(crate) fn count(&self, rule: Rule) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).fire(rule);
    }

    /// How often each rule decided something that is performed rather than planned.
    pub(crate) fn rules(&self) -> RuleCounts {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn next_op(&self) -> OpId {
        OpId(self.next_op.fetch_add(1, Ordering::Relaxed))
    }

    /// Opens both bags of a state.
    pub(crate) async fn open(&self, state: &Arc<ResourceState>) -> Result<Opened, Diagnostic> {
        let named = |d: Diagnostic| if d.urn.is_none() { d.with_urn(state.urn.as_str()) } else { d };
        Ok(Opened {
            inputs: self.ports.bags.open(&state.inputs).await.map_err(named)?,
            outputs: self.ports.bags.open(&state.outputs).await.map_err(named)?,
            state: Arc::clone(state),
        })
    }
}

/// A provider's error as a diagnostic about a resource.
pub(crate) fn provider_problem(
    code: &'static str,
    urn: &Urn,
    doing: &str,
    error: &ProviderError,
) -> Diagnostic {
    let message = format!("{doing} {urn}: {error}");
    let diagnostic = Diagnostic::error(code, message).with_urn(urn.as_str());
    match error {
        ProviderError::OutcomeUnknown(_) => diagnostic.with_hint(
            "nobody knows whether the operation took effect: it is kept as pending in the state; run `refresh` to \
             find out",
        ),
        _ => diagnostic,
    }
}
