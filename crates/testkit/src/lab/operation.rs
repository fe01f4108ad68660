//! One operation: its line, how it is run, what it came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use purlin_engine::{Engine, EnginePorts, EngineSettings, Program, Report};
use purlin_journal::{Entry, Fold};
use purlin_model::autonaming::{Autonaming, Naming};
use purlin_model::event::EngineEvent;
use purlin_model::{PackageDescriptor, PropertyMap, Snapshot};
use purlin_plan::{Mode, Settings, Targets, UrnSet};
use purlin_ports::{Clock, DeploymentInfo, Entropy, EventSink, ProgramInfo, RunRequest, UpdateSession};
use tokio_util::sync::CancellationToken;

use super::cloud::{Act, Cloud, Plugins};
use super::codec::Codec;
use super::gate::{Choices, Gate, Order, Place, Stewarded};
use super::program::{Host, Item};
use super::session::Session;
use super::{PROJECT, STACK, text};
use crate::{CollectedEvents, CountingEntropy};

/// When something happens to an operation: before the answer of a call, or before so many answers.
#[derive(Clone, Debug)]
pub enum Moment {
    /// Before the first answer with this label.
    Label(String),
    /// Before the answer with this number.
    Number(usize),
}

impl Moment {
    fn read(text: &str) -> Result<Moment, String> {
        match text.strip_prefix('#') {
            Some(number) => number.parse().map(Moment::Number).map_err(|_| format!("'{text}' is no number")),
            None => Ok(Moment::Label(text.replacen(':', " ", 1))),
        }
    }

    fn is(&self, number: usize, label: &str) -> bool {
        match self {
            Moment::Label(own) => own == label,
            Moment::Number(own) => *own == number,
        }
    }
}

/// The resources that an operation is about, as a case names them: names, URNs, patterns.
#[derive(Clone, Debug, Default)]
pub struct Named {
    only: Vec<String>,
    except: Vec<String>,
    replace: Vec<String>,
}

impl Named {
    /// The same as the engine is told. A name that the state doesn't have stands for every resource of
    /// that name.
    pub fn settle(&self, state: &Snapshot, targets: &mut Targets) {
        let full = |name: &String| {
            let known = state.resources.iter().map(|state| &state.urn).find(|urn| urn.name() == name);
            match (name.contains('*') || name.starts_with("urn:"), known) {
                (true, _) => name.clone(),
                _ if name.contains("::") => format!("urn:pulumi:{STACK}::{PROJECT}::{name}"),
                (false, Some(urn)) => urn.to_string(),
                (false, None) => format!("**::{name}"),
            }
        };
        let set = |names: &[String], set: &mut UrnSet| {
            if !names.is_empty() {
                *set = UrnSet::new(names.iter().map(full));
            }
        };
        set(&self.only, &mut targets.only);
        set(&self.except, &mut targets.except);
        set(&self.replace, &mut targets.replace);
    }
}

/// An operation as a case asks for it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What the engine is told.
    pub settings: EngineSettings,
    /// In which order answers come.
    pub order: Order,
    /// When the user cancels.
    pub cancel: Option<Moment>,
    /// When the user cancels again.
    pub abandon: Option<Moment>,
    /// When the process dies.
    pub crash: Option<Moment>,
    /// From which entry on nothing can be stored.
    pub store_fails: Option<usize>,
    /// What results show.
    pub show: Vec<String>,
    /// What pending creates have made: names of resources, with ids.
    pub import_pending: Vec<(String, String)>,
    /// Whether it follows the update plan that was recorded last.
    pub follows_plan: bool,
    /// What the operation is about.
    pub named: Named,
    /// What an import takes over.
    pub import_list: Vec<Item>,
    /// Whether it is expected to do without a program.
    pub programless: bool,
}

/// The settings of an operation without options.
fn settings(mode: Mode) -> EngineSettings {
    EngineSettings {
        plan: Settings::new(STACK, PROJECT, mode, false),
        info: DeploymentInfo {
            organization: "organization".into(),
            project: PROJECT.into(),
            stack: STACK.into(),
            parallel: 16,
            ..DeploymentInfo::default()
        },
        parallel: 0,
        monitor_address: String::new(),
        clear_pending_creates: false,
        cleared_creates: BTreeSet::new(),
        legacy_refresh_diff: false,
        shown_config: BTreeMap::new(),
    }
}

impl Operation {
    /// Reads `up`, `preview`, `refresh` or `destroy` with options.
    pub fn read(line: &str) -> Result<Operation, String> {
        let words = text::words(line);
        let Some((word, rest)) = words.split_first() else { return Err("an empty line".into()) };
        let (mode, preview) = match word.as_str() {
            "up" => (Mode::Update, false),
            "preview" => (Mode::Update, true),
            "refresh" => (Mode::Refresh, false),
            "destroy" => (Mode::Destroy, false),
            "import" => (Mode::Import, false),
            other => return Err(format!("no block begins with '{other}'")),
        };
        let mut operation = Operation {
            settings: settings(mode),
            order: Order::First,
            cancel: None,
            abandon: None,
            crash: None,
            store_fails: None,
            show: Vec::new(),
            import_pending: Vec::new(),
            follows_plan: false,
            named: Named::default(),
            import_list: Vec::new(),
            programless: mode != Mode::Update,
        };
        operation.preview(preview);
        for word in rest {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            operation.option(key, value)?;
        }
        operation.named.settle(&Snapshot::default(), &mut operation.settings.plan.targets);
        Ok(operation)
    }

    fn preview(&mut self, preview: bool) {
        self.settings.plan.preview = preview;
        self.settings.info.dry_run = preview;
    }

    /// Whether nothing is really done.
    pub fn is_preview(&self) -> bool {
        self.settings.plan.preview
    }

    /// Takes an option. New options of the engine are added here.
    fn option(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<usize>().map_err(|_| format!("'{key}={value}' is no number"));
        let plan = &mut self.settings.plan;
        match key {
            "preview" => self.preview(true),
            "refresh" => plan.refresh_first = true,
            "run-program" => {
                plan.run_program = true;
                self.programless = false;
            }
            "legacy-refresh-diff" => self.settings.legacy_refresh_diff = true,
            "import-pending" => {
                let (name, id) =
                    value.split_once(':').ok_or_else(|| format!("'{value}' is not 'name:id'"))?;
                self.import_pending.push((name.to_owned(), id.to_owned()));
            }
            "target" => self.named.only.extend(list(value)),
            "exclude" => self.named.except.extend(list(value)),
            "replace" => self.named.replace.extend(list(value)),
            "target-replace" => {
                self.named.only.extend(list(value));
                self.named.replace.extend(list(value));
            }
            "target-dependents" => plan.targets.with_dependents = true,
            "exclude-dependents" => plan.targets.except_dependents = true,
            "continue-on-error" => plan.continue_on_error = true,
            "ignore-protect" => plan.ignore_protect = true,
            "exclude-protected" => plan.exclude_protected = true,
            "clear-pending-creates" => self.settings.clear_pending_creates = true,
            "save-plan" => plan.records_plan = true,
            "plan" => self.follows_plan = true,
            "naming" => {
                let default = naming(value)?;
                plan.autonaming = Some(Arc::new(Autonaming { default, ..Autonaming::default() }));
            }
            "parallel" => self.settings.parallel = number()?,
            "package" => {
                let (name, version) = value.split_once('@').unwrap_or((value, ""));
                plan.default_packages.insert(name.to_owned(), PackageDescriptor::new(name, version));
            }
            "disable" => {
                plan.disabled_default_providers.insert(value.to_owned());
            }
            "config" => {
                let wrong = || format!("'{value}' is not 'package:{{key: value}}'");
                let (package, map) = value.split_once(':').ok_or_else(wrong)?;
                plan.package_config.insert(package.to_owned(), text::object(map)?);
            }
            "order" => {
                self.order = match value {
                    "last" => Order::Last,
                    _ => Order::Drawn(number()? as u64),
                };
            }
            "cancel" => self.cancel = Some(Moment::read(value)?),
            "abandon" => self.abandon = Some(Moment::read(value)?),
            "crash" => self.crash = Some(Moment::read(value)?),
            "store-fails" => self.store_fails = Some(number()?),
            "show" => self.show = value.split(',').map(str::to_owned).collect(),
            other => return Err(format!("no option of an operation is called '{other}'")),
        }
        Ok(())
    }
}

fn naming(text: &str) -> Result<Naming, String> {
    let pattern = |pattern: &str, enforce| Naming::Pattern { pattern: pattern.to_owned(), enforce };
    Ok(match text.split_once(':').unwrap_or((text, "")) {
        ("default", _) => Naming::Default,
        ("verbatim", _) => Naming::Verbatim,
        ("disabled", _) => Naming::Disabled,
        ("propose", text) => pattern(text, false),
        ("enforce", text) => pattern(text, true),
        _ => return Err(format!("'{text}' is no way to name resources")),
    })
}

fn list(names: &str) -> impl Iterator<Item = String> {
    names.split(',').map(str::to_owned)
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> String {
        "2026-01-02T03:04:05Z".into()
    }

    fn unix_seconds(&self) -> i64 {
        1_767_323_045
    }
}

/// What an operation came to.
#[derive(Debug)]
pub struct Ran {
    /// The report; `None` if the process died.
    pub report: Option<Report>,
    /// The state that the next operation starts from.
    pub state: Arc<Snapshot>,
    /// The journal.
    pub entries: Vec<Entry>,
    /// What was seen.
    pub events: Vec<EngineEvent>,
    /// What the program was answered.
    pub replies: Vec<String>,
    /// What was called to change the cloud.
    pub acts: Vec<Act>,
    /// Every call.
    pub calls: Vec<String>,
    /// The answers, in order.
    pub answers: Vec<Place>,
    /// The most calls at once.
    pub most_calls: usize,
    /// What must not happen and did.
    pub violations: Vec<String>,
}

/// The surroundings of an operation.
pub struct Bench<'a> {
    /// The cloud.
    pub cloud: &'a mut Cloud,
    /// The codec.
    pub codec: &'a Arc<Codec>,
    /// Chance.
    pub entropy: &'a Arc<CountingEntropy>,
    /// The state before.
    pub state: &'a Arc<Snapshot>,
    /// The program.
    pub program: Option<&'a super::program::Program>,
}

fn program(host: Host, engine: &Engine, events: Arc<dyn EventSink>) -> Program {
    let request = RunRequest {
        program: ProgramInfo {
            root_directory: ".".into(),
            program_directory: ".".into(),
            entry_point: ".".into(),
            options: PropertyMap::new(),
        },
        project: PROJECT.into(),
        stack: STACK.into(),
        organization: "organization".into(),
        config: BTreeMap::new(),
        config_secret_keys: Vec::new(),
        dry_run: false,
        parallel: 0,
        monitor_address: String::new(),
        engine_address: String::new(),
        monitor: engine.monitor(),
        events,
    };
    Program { host: Arc::new(host), request }
}

/// Whether anything has views, so that providers have to know where to publish them.
fn shows_views(bench: &Bench<'_>) -> bool {
    let items = bench.program.iter().flat_map(|program| &program.items);
    items.flat_map(|item| &item.inputs).any(|(key, _)| key == "views")
        || bench.state.resources.iter().any(|state| state.view_of.is_some())
}

/// Runs an operation to its end, its hanging or its crash.
pub fn run(operation: &Operation, bench: Bench<'_>) -> Result<Ran, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| format!("there is no runtime: {error}"))?;
    let gate = Gate::default();
    let preview = operation.is_preview();
    let session = Arc::new(Session::new(bench.state, gate.clone(), operation.store_fails));
    bench.cloud.begin(gate.clone(), (!preview).then(|| session.watch()));
    let before = bench.cloud.things();
    let events = Arc::new(CollectedEvents::default());
    let replies: Arc<Mutex<Vec<String>>> = Arc::default();
    let cloud = bench.cloud.clone();
    let ended = runtime.block_on(async {
        let ports = EnginePorts {
            providers: Arc::new(Plugins(cloud.clone())),
            bags: Arc::clone(bench.codec) as _,
            events: Arc::clone(&events) as _,
            clock: Arc::new(Still),
            entropy: Arc::clone(bench.entropy) as Arc<dyn Entropy>,
            session: (!preview).then(|| Arc::clone(&session) as Arc<dyn UpdateSession>),
        };
        let mut settings = operation.settings.clone();
        if shows_views(&bench) {
            settings.monitor_address = "lab".into();
        }
        let engine = Engine::new(settings, ports, Arc::clone(bench.state));
        cloud.set_monitor(Some(engine.monitor()));
        let program = bench.program.map(|lines| {
            let host = Host { program: lines.clone(), cloud: cloud.clone(), replies: Arc::clone(&replies) };
            program(host, &engine, Arc::clone(&events) as _)
        });
        let storing = Arc::clone(&session);
        tokio::spawn(async move { storing.store().await });
        steer(operation, engine, program, &gate).await
    });
    drop(runtime);
    cloud.set_monitor(None);
    let mut violations = cloud.violations();
    violations.extend(session.violations());
    let entries = session.entries();
    let (report, state) = match ended {
        Ended::Report(report) => {
            let state = after(&session, &report, bench.state);
            (Some(*report), state)
        }
        Ended::Died(answers) => (None, survived(&session, bench.state, answers)),
        Ended::Hung => {
            violations.push(format!("the operation hangs; entries: {}", entries.len()));
            (None, survived(&session, bench.state, 0))
        }
    };
    if preview {
        if !entries.is_empty() || session.finished().is_some() {
            violations.push("a preview wrote state".into());
        }
        let after = cloud.things();
        if before.keys().ne(after.keys()) {
            violations.push("a preview changed the cloud".into());
        }
    }
    let replies = std::mem::take(&mut *replies.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Ran {
        report,
        state,
        entries,
        events: events.all(),
        replies,
        acts: cloud.acts(),
        calls: cloud.calls(),
        answers: gate.let_go(),
        most_calls: gate.most_calls(),
        violations,
    })
}

enum Ended {
    Report(Box<Report>),
    /// After so many answers.
    Died(usize),
    Hung,
}

async fn steer(operation: &Operation, engine: Engine, program: Option<Program>, gate: &Gate) -> Ended {
    let (stop, abandon, crash) =
        (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let is =
        |moment: &Option<Moment>, number, label: &str| moment.as_ref().is_some_and(|m| m.is(number, label));
    let at = |number: usize, label: &str| {
        if is(&operation.crash, number, label) {
            crash.cancel();
        }
        if is(&operation.cancel, number, label) {
            stop.cancel();
        }
        if is(&operation.abandon, number, label) {
            stop.cancel();
            abandon.cancel();
        }
    };
    let steward = gate.steward(&operation.order, &at);
    tokio::select! {
        biased;
        () = crash.cancelled() => Ended::Died(gate.passed()),
        report = engine.run(program, stop.clone(), abandon.clone()) => Ended::Report(Box::new(report)),
        stewarded = steward => match stewarded {
            Stewarded::Hung => Ended::Hung,
        },
    }
}

/// The state after an operation that ended.
fn after(session: &Session, report: &Report, base: &Arc<Snapshot>) -> Arc<Snapshot> {
    match session.finished() {
        Some(written) => written,
        // What could not be finished is recovered from the journal; previews leave things alone.
        None if report.state_problem.is_some() => survived(session, base, 0),
        None => Arc::clone(base),
    }
}

/// What the next operation finds after a crash: all that is known to be stored, and by chance some
/// of what was on its way.
fn survived(session: &Session, base: &Arc<Snapshot>, seed: usize) -> Arc<Snapshot> {
    let entries = session.entries();
    let stored = session.stored().min(entries.len());
    let more = Choices::new(seed as u64).below(entries.len() - stored + 1);
    let mut fold = Fold::new(Arc::clone(base));
    for entry in &entries[..stored + more] {
        if fold.apply(entry).is_err() {
            break;
        }
    }
    Arc::new(fold.snapshot())
}
