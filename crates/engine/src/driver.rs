//! The task that owns the planner, the fold and the tables.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::autonaming::Autonaming;
use purlin_model::event::{EngineEvent, OperationResult, StepOp};
use purlin_model::{OperationKind, PropertyMap, QuickMap, ResourceState, Snapshot, Urn};
use purlin_plan::{Existence, Input, Planner, RefreshScope, Registration, ResId, Rule, StepOutcome, Ticket};
use purlin_ports::{MonitorError, PolicyPack, ResourceMonitor, RunOutcome, UpdateOutcome};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::calls::Calls;
use crate::comparisons::Comparisons;
use crate::handle::Handle;
use crate::hooks;
use crate::message::{Answer, Bearing, Message, Opened, StepEnd, Waiting};
use crate::plan_book::PlanBook;
use crate::policy::Packs;
use crate::pool::Pool;
use crate::record::Recorder;
use crate::settings::{EnginePorts, EngineSettings, Program, Report};

/// How long a program may take to end after it was told that the run is being stopped.
const PROGRAM_GRACE: std::time::Duration = std::time::Duration::from_secs(10);

/// What is known of a registration beyond what the planner knows.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) old: Option<Opened>,
    pub(crate) inputs: Arc<PropertyMap>,
    /// Whether `inputs` are set.
    pub(crate) checked: bool,
    pub(crate) seed: Vec<u8>,
    /// Whether it goes on from an old state, rather than being made anew.
    pub(crate) goes_on: bool,
}

/// One operation on a stack, ready to run.
pub struct Engine {
    driver: Driver,
    handle: Arc<Handle>,
}

/// See [`Engine`].
pub(crate) struct Driver {
    pub(crate) planner: Planner,
    pub(crate) calls: Arc<Calls>,
    pub(crate) inbox: mpsc::UnboundedSender<Message>,
    messages: mpsc::UnboundedReceiver<Message>,
    pub(crate) recorder: Recorder,
    pub(crate) plan_book: PlanBook,
    pub(crate) packs: Packs,
    /// Calls that wait until what they depend on is no longer on its way.
    pub(crate) asked_for: Vec<(Vec<Urn>, Answer<bool>)>,
    pub(crate) autonaming: Option<Arc<Autonaming>>,
    pub(crate) works: QuickMap<ResId, Work>,
    pub(crate) comparisons: Comparisons,
    pub(crate) waiting: QuickMap<Ticket, Waiting>,
    next_ticket: u32,
    /// What registrations that ended well answer: outputs, and whether they are unknown.
    pub(crate) results: QuickMap<ResId, Arc<PropertyMap>>,
    /// What was done to components, whose outputs are still to come.
    pub(crate) component_ops: HashMap<Urn, StepOp>,
    /// Hooks of components that are called when their outputs have come.
    pub(crate) component_hooks: HashMap<Urn, hooks::Due>,
    /// The outputs of the root stack, kept until the end.
    pub(crate) stack_outputs: Option<(Urn, PropertyMap)>,
    pub(crate) inputs: VecDeque<Input>,
    pub(crate) program: Option<Program>,
    pub(crate) program_token: CancellationToken,
    program_running: bool,
    signals: Vec<Answer<()>>,
    /// Whether everything went well, once the planner has said that it is over.
    pub(crate) finished: Option<bool>,
    pub(crate) outputs_settled: bool,
    /// How many outputs are being sealed.
    pub(crate) sealing: usize,
    pub(crate) stopped_by_user: bool,
    pub(crate) failed: bool,
    pub(crate) refreshing_command: bool,
}

impl Engine {
    /// Makes an operation that starts from a snapshot. Nothing happens before [`Engine::run`].
    pub fn new(settings: EngineSettings, ports: EnginePorts, base: Arc<Snapshot>) -> Engine {
        let (inbox, messages) = mpsc::unbounded_channel();
        let pool = Pool::new(Arc::clone(&ports.providers), Arc::clone(&ports.bags), &base);
        let program_runs = settings.plan.mode == purlin_plan::Mode::Update || settings.plan.run_program;
        let recorder = Recorder::new(&base, ports.session.clone(), program_runs);
        ports.events.emit(EngineEvent::Prelude { config: settings.shown_config.clone() });
        let calls = Arc::new(Calls::new(
            ports,
            settings.info.clone(),
            settings.monitor_address.clone(),
            settings.parallel,
            pool,
            settings.legacy_refresh_diff,
        ));
        let handle = Arc::new(Handle { inbox: inbox.clone(), calls: Arc::clone(&calls) });
        let refreshing_command = settings.plan.mode == purlin_plan::Mode::Refresh;
        let planner = Planner::new(settings.plan.clone(), &base);
        let mut driver = Driver {
            planner,
            calls,
            inbox,
            messages,
            recorder,
            plan_book: PlanBook::new(&settings.plan),
            packs: Arc::new([]),
            asked_for: Vec::new(),
            autonaming: settings.plan.autonaming.clone(),
            works: QuickMap::default(),
            comparisons: Comparisons::default(),
            waiting: QuickMap::default(),
            next_ticket: 0,
            results: QuickMap::default(),
            component_ops: HashMap::new(),
            component_hooks: HashMap::new(),
            stack_outputs: None,
            inputs: VecDeque::new(),
            program: None,
            program_token: CancellationToken::new(),
            program_running: false,
            signals: Vec::new(),
            finished: None,
            outputs_settled: false,
            sealing: 0,
            stopped_by_user: false,
            failed: false,
            refreshing_command,
        };
        driver.look_at_pending(&base, &settings);
        settings.plan.imports.iter().filter_map(|listed| listed.extension.as_ref()).for_each(|extension| {
            driver.note_extension(extension);
        });
        if refreshing_command && !settings.plan.run_program {
            let mut scope = RefreshScope::new(&settings.plan.targets);
            let unread = base.resources.iter().filter(|state| scope.takes(state) && is_never_read(state));
            unread.for_each(|_| driver.recorder.count(StepOp::Same));
        }
        Engine { driver, handle }
    }

    /// Has policy packs look at what is wanted and at what comes out.
    #[must_use]
    pub fn with_policies(mut self, packs: Vec<Arc<dyn PolicyPack>>) -> Engine {
        if !packs.is_empty() {
            self.driver.planner.check_all();
            self.driver.packs = packs.into();
        }
        self
    }

    /// The engine as programs see it.
    pub fn monitor(&self) -> Arc<dyn ResourceMonitor> {
        Arc::clone(&self.handle) as Arc<dyn ResourceMonitor>
    }

    /// Runs the operation to its end. `stop` ends it after what is in flight; `abandon` does not
    /// wait for that either: what is in flight stays pending.
    pub async fn run(
        self,
        program: Option<Program>,
        stop: CancellationToken,
        abandon: CancellationToken,
    ) -> Report {
        let Engine { mut driver, handle } = self;
        driver.program = program.map(|mut program| {
            program.request.monitor = Arc::clone(&handle) as Arc<dyn ResourceMonitor>;
            program
        });
        if driver.planner.runs_update() {
            let calls = Arc::clone(&driver.calls);
            tokio::spawn(async move { calls.pool.prepare().await });
        }
        let packs = Arc::clone(&driver.packs);
        let stopped = stop.clone();
        let judges = tokio::spawn(async move {
            stopped.cancelled().await;
            futures::future::join_all(packs.iter().map(|pack| pack.cancel())).await;
        });
        let watcher = tokio::spawn(watch(driver.inbox.clone(), Arc::clone(&driver.calls), stop, abandon));
        let report = driver.run().await;
        watcher.abort();
        judges.abort();
        report
    }
}

async fn watch(
    inbox: mpsc::UnboundedSender<Message>,
    calls: Arc<Calls>,
    stop: CancellationToken,
    abandon: CancellationToken,
) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = abandon.cancelled() => {}
    }
    let _ = inbox.send(Message::Stop);
    let abandoned = async {
        abandon.cancelled().await;
        calls.abandon.cancel();
    };
    tokio::join!(calls.pool.cancel_all(), abandoned);
}

impl Driver {
    async fn run(mut self) -> Report {
        self.feed(Input::Start);
        while !self.is_over() {
            let Some(message) = self.messages.recv().await else { break };
            self.on(message);
        }
        self.close().await
    }

    fn is_over(&self) -> bool {
        self.finished.is_some() && self.outputs_settled && self.sealing == 0 && !self.program_running
    }

    /// Writes the state and says how it went.
    async fn close(mut self) -> Report {
        let unusable = self.recorder.unusable();
        let writes = unusable.is_none();
        let mut problem = self.recorder.settle().await.err().or(unusable);
        let ok = self.finished == Some(true) && !self.failed && problem.is_none();
        let result = match (ok, self.stopped_by_user) {
            (true, _) => OperationResult::Succeeded,
            (false, true) => OperationResult::Canceled,
            (false, false) => OperationResult::Failed,
        };
        let changes = std::mem::take(&mut self.recorder.counts);
        let mut snapshot = self.recorder.snapshot(ok);
        snapshot.time = self.calls.ports.clock.now();
        if let Some(session) = self.calls.ports.session.as_ref().filter(|_| writes) {
            let outcome = UpdateOutcome {
                succeeded: ok,
                changes: changes.iter().map(|(op, n)| (op.as_str().to_owned(), *n)).collect(),
            };
            // Even if the journal failed: the snapshot in memory holds all that was answered.
            let finished = session.finish(&snapshot, outcome).await.err().map(|e| e.diagnostic());
            // What couldn't be saved in the end says what became of it.
            problem = finished.or(problem);
        }
        let result = if problem.is_some() { OperationResult::Failed } else { result };
        if let Some(problem) = &problem {
            self.say(problem);
        }
        let update_plan = self.recorded_plan().filter(|_| ok);
        let mut rules = self.planner.rules().clone();
        rules.add(&self.calls.rules());
        Report { result, changes, snapshot: Arc::new(snapshot), state_problem: problem, rules, update_plan }
    }

    fn on(&mut self, message: Message) {
        match message {
            Message::Register { request, read_id, answer } => {
                if let Some(extension) = &request.goal.extension {
                    self.note_extension(extension);
                }
                let ticket = self.ticket(answer);
                let registration = Registration {
                    goal: request.goal,
                    providers: request.providers,
                    package: request.package,
                    read_id,
                };
                self.feed(Input::Register { ticket, request: Box::new(registration) });
            }
            Message::NeedProvider { query, answer } => {
                let ticket = self.ticket(Waiting::Provider(answer));
                self.feed(Input::NeedProvider { ticket, query });
            }
            Message::Outputs { urn, outputs, answer } => self.outputs(urn, outputs, answer),
            Message::OutputsSealed(sealed) => self.outputs_sealed(*sealed),
            Message::Find { urn, of_run, answer } => {
                let found = if of_run { self.planner.registered(&urn) } else { self.planner.current(&urn) };
                let state = found.map(|(_, state)| Arc::clone(state));
                let _ = answer.send(state);
            }
            Message::Inherit { parent, package, answer } => {
                let _ = answer.send(self.inherited(&parent, package.as_deref()));
            }
            Message::Exist { urns, answer } => {
                let before = self.asked_for.len();
                self.asked_for.push((urns, answer));
                self.answer_existence();
                if self.asked_for.len() > before {
                    self.calls.count(Rule::CallWaits);
                }
            }
            Message::ProgramSignal { answer } => {
                self.signals.push(answer);
                self.calls.count(Rule::Signalled);
                self.feed(Input::ProgramEnded { ok: true });
                self.release_signals();
            }
            Message::ProgramExited(outcome) => self.program_exited(outcome),
            Message::Judged { res, inputs, verdict } => self.judged(res, inputs, verdict),
            Message::StackJudged(verdict) => self.stack_judged(verdict),
            Message::Checked { res, old, inputs, problems } => {
                self.compared();
                self.checked(res, old, inputs, &problems);
                self.compare_next();
            }
            Message::Diffed { res, old, facts } => {
                self.compared();
                if let (Some(old), Some(work)) = (old, self.works.get_mut(&res)) {
                    work.old = Some(old);
                }
                let facts = facts.map_err(|problem| self.say(&problem)).ok();
                self.feed(Input::Diffed { res, facts });
                self.compare_next();
            }
            Message::DependentDiffed { slot, replace_keys } => match replace_keys {
                Ok(replace_keys) => self.feed(Input::DependentDiffed { slot, replace_keys }),
                // Nobody knows what the root's delete would take along: nothing is deleted.
                Err(problem) => {
                    self.say(&problem);
                    self.feed(Input::Stop);
                }
            },
            Message::StepEnded(end) => self.step_ended(*end),
            Message::StepHooked { end, problem } => {
                if let Some(problem) = problem {
                    self.hook_failed(&problem);
                }
                self.conclude(*end);
            }
            Message::ComponentHooked { problem, answer } => self.component_hooked(problem, answer),
            Message::Failed(problem) => {
                self.say(&problem);
                self.failed = true;
                self.feed(Input::RunFailed);
            }
            Message::Stop => {
                self.stopped_by_user = true;
                self.program_token.cancel();
                self.feed(Input::Stop);
            }
        }
    }

    fn ticket(&mut self, waiting: Waiting) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.waiting.insert(ticket, waiting);
        ticket
    }

    /// Tells the planner something and performs what it wants, and what follows at once from that.
    pub(crate) fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            for effect in self.planner.handle(input) {
                self.effect(effect);
            }
        }
        if !self.asked_for.is_empty() {
            self.answer_existence();
        }
    }

    /// Answers those who ask whether resources exist, unless one of these is still on its way.
    fn answer_existence(&mut self) {
        for (urns, answer) in std::mem::take(&mut self.asked_for) {
            let existence = self.planner.existence(&urns);
            let reply = match (self.planner.is_stopping(), existence) {
                (true, _) => Err(MonitorError::Stopping),
                (false, Existence::All) => Ok(true),
                (false, Existence::NotAll) => Ok(false),
                (false, Existence::OnTheWay) => {
                    self.asked_for.push((urns, answer));
                    continue;
                }
            };
            let _ = answer.send(reply);
        }
    }

    fn checked(
        &mut self,
        res: ResId,
        old: Option<Opened>,
        inputs: Option<Arc<PropertyMap>>,
        problems: &[Diagnostic],
    ) {
        for problem in problems {
            self.say(problem);
        }
        let accepted = inputs.is_some();
        let work = self.works.entry(res).or_default();
        if old.is_some() {
            work.old = old;
        }
        if let Some(inputs) = inputs {
            work.inputs = Arc::clone(&inputs);
            let first = !std::mem::replace(&mut work.checked, true);
            if first && let Err(problem) = self.plan_checked(res, &inputs) {
                self.say(&problem);
                return self.feed(Input::Stop);
            }
            if self.judge(res, &inputs, first) {
                return;
            }
        }
        self.feed(Input::Checked { res, accepted });
    }

    /// A step has ended: record it, show it, tell the planner.
    pub(crate) fn step_ended(&mut self, mut end: StepEnd) {
        self.refuse_import(&mut end);
        self.settle_views(&mut end);
        let old_state = end.old.as_ref().map(|old| &old.state);
        let views = end.views.as_ref().map(|views| views.steps()).unwrap_or_default();
        let recorded = self.recorder.end_step(&end.step, end.begun.as_ref(), &end.outcome, old_state, views);
        if let Err(problem) = recorded {
            self.say(&problem);
            self.failed = true;
            self.inputs.push_back(Input::RunFailed);
        }
        for problem in &end.problems {
            self.say(problem);
        }
        match hooks::after(&end).filter(|_| !is_component_made(&end)) {
            Some(due) => self.after_step(end, due),
            None => self.conclude(end),
        }
    }

    /// What an import found is not taken over where the list could not be used with it: nothing was
    /// changed, so it has failed.
    fn refuse_import(&mut self, end: &mut StepEnd) {
        let (StepOutcome::Done(Some(found)), Some(old)) = (&end.outcome, &end.old) else { return };
        if let Some(problem) = self.recorder.import_refusal(&end.step, found, &old.state) {
            end.outcome = StepOutcome::Failed;
            end.new = None;
            end.problems.push(problem);
        }
    }

    /// Calls the hooks after a step. Its end is recorded, so that nothing is lost meanwhile.
    fn after_step(&self, end: StepEnd, due: hooks::Due) {
        let (calls, inbox) = (Arc::clone(&self.calls), self.inbox.clone());
        tokio::spawn(async move {
            let problem = hooks::run(&calls, due).await.err();
            let _ = inbox.send(Message::StepHooked { end: Box::new(end), problem });
        });
    }

    /// A hook failed after its operation had been recorded: the run fails, what was done stands.
    pub(crate) fn hook_failed(&mut self, problem: &Diagnostic) {
        self.say(problem);
        self.failed = true;
        self.inputs.push_back(Input::RunFailed);
    }

    /// Shows a step that has ended, and tells the planner.
    fn conclude(&mut self, end: StepEnd) {
        match end.bearing {
            Bearing::Nothing => {}
            Bearing::Step if hooks::deletes(end.step.op) => {
                self.show_views(&end);
                self.show_end(&end);
            }
            Bearing::Step => {
                self.show_end(&end);
                self.show_views(&end);
            }
            Bearing::Run => {
                self.show_end(&end);
                self.failed = true;
                self.inputs.push_back(Input::Stop);
            }
        }
        if is_component_made(&end)
            && let Some(due) = hooks::after(&end)
        {
            self.component_hooks.insert(end.step.urn.clone(), due);
        }
        if let Some(res) = end.step.res {
            match (&end.outcome, end.step.op) {
                // The registration goes on with what was found as its old state.
                (StepOutcome::Done(_), StepOp::Refresh | StepOp::Import | StepOp::ImportReplacement) => {
                    self.works.entry(res).or_default().old.clone_from(&end.new);
                }
                _ => drop(self.works.remove(&res)),
            }
            if let Some(new) = &end.new {
                let outputs = if new.state.custom {
                    Arc::clone(&new.outputs)
                } else {
                    self.component_ops.insert(end.step.urn.clone(), end.step.op);
                    Arc::default()
                };
                self.plan_book.note_outputs(&end.step.urn, &outputs);
                self.results.insert(res, outputs);
            }
        }
        self.feed(Input::Stepped { step: end.step.id, outcome: end.outcome });
        drop(end.place);
    }

    fn show_end(&mut self, end: &StepEnd) {
        let planning = self.calls.info.dry_run;
        let op = self.shown_op(end);
        let view = crate::view::step_view(&end.step, op, end.old.as_ref(), end.new.as_ref());
        let event = match end.outcome {
            StepOutcome::Done(_) => {
                if self.counts(end, op) {
                    self.recorder.count(op);
                } else if !planning && matches!(op, StepOp::CreateReplacement | StepOp::ImportReplacement) {
                    self.recorder.count(StepOp::Replace);
                }
                // A component's outputs come when it registers them.
                let custom = end.new.as_ref().or(end.old.as_ref()).is_some_and(|o| o.state.custom);
                if !custom && !planning && op != StepOp::Delete {
                    return;
                }
                EngineEvent::ResourceOutputs { step: view, planning }
            }
            StepOutcome::Partial(_) | StepOutcome::Failed => {
                EngineEvent::ResourceFailed { step: view, outcome_unknown: false, steps: 0 }
            }
            StepOutcome::Unknown => {
                EngineEvent::ResourceFailed { step: view, outcome_unknown: true, steps: 0 }
            }
        };
        self.calls.ports.events.emit(event);
    }

    /// A refresh is shown as what it found.
    fn shown_op(&self, end: &StepEnd) -> StepOp {
        if end.step.op != StepOp::Refresh || !self.refreshing_command {
            return end.step.op;
        }
        match &end.outcome {
            StepOutcome::Done(None) => StepOp::Delete,
            StepOutcome::Done(_) if end.step.reasons.differs => StepOp::Update,
            StepOutcome::Done(_) => StepOp::Same,
            _ => StepOp::Refresh,
        }
    }

    /// Whether a step counts in the summary: default providers and reads don't, nor do the halves
    /// of a replacement.
    fn counts(&self, end: &StepEnd, op: StepOp) -> bool {
        let halves = matches!(
            op,
            StepOp::CreateReplacement
                | StepOp::ImportReplacement
                | StepOp::DeleteReplaced
                | StepOp::Read
                | StepOp::ReadReplacement
                | StepOp::Discard
                | StepOp::DiscardReplaced
                | StepOp::RemovePendingReplace
        );
        let early_refresh = op == StepOp::Refresh && !self.refreshing_command;
        !(halves || early_refresh || is_default_provider(&end.step.urn))
    }

    fn program_exited(&mut self, outcome: Result<RunOutcome, Diagnostic>) {
        self.program_running = false;
        let quiet = self.planner.is_stopping();
        let ok = match outcome {
            Ok(RunOutcome::Succeeded) => true,
            Ok(RunOutcome::Bailed) => false,
            Ok(RunOutcome::Failed(problem)) | Err(problem) => {
                if !quiet {
                    self.say(&problem);
                }
                false
            }
        };
        if !ok {
            self.failed = true;
        }
        self.feed(Input::ProgramEnded { ok });
    }

    pub(crate) fn start_program(&mut self) {
        let Some(program) = self.program.take() else {
            let problem = Diagnostic::error("no-program", "there is no program to run");
            self.say(&problem);
            self.inputs.push_back(Input::ProgramEnded { ok: false });
            return;
        };
        self.program_running = true;
        let (inbox, token) = (self.inbox.clone(), self.program_token.clone());
        tokio::spawn(async move {
            let outcome = program.host.run(program.request, token).await;
            let _ = inbox.send(Message::ProgramExited(outcome));
        });
    }

    /// Nothing further will be begun: the program gets some time to notice.
    pub(crate) fn end_program_soon(&mut self) {
        if !self.program_running {
            return;
        }
        let token = self.program_token.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PROGRAM_GRACE).await;
            token.cancel();
        });
    }

    pub(crate) fn release_signals(&mut self) {
        if self.finished.is_some() && self.outputs_settled {
            for answer in self.signals.drain(..) {
                let _ = answer.send(Ok(()));
            }
        }
    }

    pub(crate) fn say(&self, diagnostic: &Diagnostic) {
        crate::view::say(&*self.calls.ports.events, diagnostic);
    }

    /// Operations of earlier runs whose outcome nobody knows: warns, or forgets creates if asked.
    fn look_at_pending(&mut self, base: &Snapshot, settings: &EngineSettings) {
        if base.pending_operations.is_empty() {
            return;
        }
        if settings.clear_pending_creates || !settings.cleared_creates.is_empty() {
            let cleared =
                |urn: &Urn| settings.clear_pending_creates || settings.cleared_creates.contains(urn);
            // What is taken in is settled when it has been read.
            let taken_in = |urn: &Urn| settings.plan.import_pending.contains_key(urn);
            let changes = (0..)
                .zip(&base.pending_operations)
                .filter(|(_, pending)| pending.kind == OperationKind::Creating)
                .filter(|(_, pending)| cleared(&pending.resource.urn) && !taken_in(&pending.resource.urn))
                .inspect(|_| self.calls.count(Rule::PendingForgotten))
                .map(|(index, _)| purlin_journal::Change::ClearPending { index })
                .collect();
            if let Err(problem) = self.recorder.change(changes) {
                self.say(&problem);
                self.failed = true;
            }
            return;
        }
        if !settings.info.dry_run
            && settings.plan.mode == purlin_plan::Mode::Update
            && !settings.plan.refresh_first
        {
            self.say(&pending_warning(base));
        }
    }
}

fn pending_warning(base: &Snapshot) -> Diagnostic {
    let mut message = format!(
        "Attempting to deploy or update resources with {} pending operations from previous deployment.",
        base.pending_operations.len()
    );
    for pending in &base.pending_operations {
        message.push_str(&format!(
            "\n  * {}, interrupted while {}",
            pending.resource.urn,
            pending.kind.as_str()
        ));
    }
    message.push_str(
        "\nThese resources are in an unknown state because the engine was interrupted while waiting for",
    );
    message.push_str(" changes to these resources to complete.");
    Diagnostic::warning("pending-operations", message).with_hint(
        "To find out what became of them, run `refresh`. To take in what pending creates made, run \
         `refresh --import-pending-creates <urn> <id>`; to forget them, `refresh --clear-pending-creates`.",
    )
}

/// Whether a component was made or changed: it is only done with when its outputs have come.
fn is_component_made(end: &StepEnd) -> bool {
    end.new.as_ref().is_some_and(|new| !new.state.custom)
}

/// Whether a refresh counts a state as unchanged without a look: components and providers.
fn is_never_read(state: &ResourceState) -> bool {
    let managed = state.custom && !state.is_provider();
    !managed && !is_default_provider(&state.urn) && !state.pending_replacement && state.view_of.is_none()
}

pub(crate) fn is_default_provider(urn: &Urn) -> bool {
    purlin_model::urn::is_provider_type(urn.ty())
        && (urn.name() == "default" || urn.name().starts_with("default_"))
}
