//! Drives the steps of a program: those that are ready start in the order of the file, and whatever
//! waits for the engine waits side by side.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use purlin_diag::Diagnostic;
use purlin_model::{Goal, PackageDescriptor, PropertyMap, PropertyValue, ResourceReference, Urn};
use purlin_ports::{
    InvokeRequest, MonitorError, RegisterRequest, RegisterResult, ResourceMonitor, RunOutcome,
};
use purlin_schema::SchemaSource;
use semver::Version;
use tokio_util::sync::CancellationToken;

use super::assets::hash_assets;
use super::step::{Prepared, Preparer};
use super::{config, report, report_all};
use crate::check::bind::{Bindings, bind};
use crate::check::check_types;
use crate::check::graph::{self, Graph, NameTable, Named, PULUMI, StepKind};
use crate::eval::{Names, Scope, Stop};
use crate::packages::PackageLocks;
use crate::program::YamlProgram;
use crate::value::{Tracked, Value, kind_of};
use crate::version::in_range;

/// What a program runs in.
pub(crate) struct Deployment {
    pub(crate) monitor: Arc<dyn ResourceMonitor>,
    pub(crate) schemas: Arc<dyn SchemaSource>,
    pub(crate) locks: PackageLocks,
    pub(crate) project: String,
    pub(crate) stack: String,
    pub(crate) organization: String,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) config_secret_keys: Vec<String>,
    pub(crate) dry_run: bool,
    /// How many calls to the engine may be under way: more would only take memory.
    pub(crate) calls_at_once: usize,
    /// How assets at addresses of the network are fetched, if they can be.
    pub(crate) fetch: Option<purlin_assets::SharedFetch>,
    /// The folder that the program runs in.
    pub(crate) folder: PathBuf,
    /// The folder of the project file.
    pub(crate) root_folder: PathBuf,
    /// The program's file as source positions name it, relative to the project's folder.
    pub(crate) position_file: String,
    /// The version that the program's required range is compared with.
    pub(crate) engine_version: Version,
}

/// How a step that waited for the engine ended.
pub(super) enum Ended {
    /// With a value.
    Value(Tracked),
    /// With the state of a resource that is referred to; the step can be tried again.
    Referred(Urn, PropertyMap),
    /// Badly, and the engine has said why.
    Failed,
    /// Badly.
    Problem(Box<Diagnostic>),
    /// Everything is being stopped.
    Stopping,
}

/// The values of the steps so far, and what names stand for.
pub(super) struct Store<'a> {
    program: &'a YamlProgram,
    graph: &'a Graph,
    names: &'a NameTable<'a>,
    values: Vec<Option<Tracked>>,
    config: BTreeMap<String, Tracked>,
    pulumi: Tracked,
    prefix: String,
}

impl Store<'_> {
    fn at(&self, kind: StepKind) -> Option<&Tracked> {
        self.values[self.graph.step_of(kind)?].as_ref()
    }

    /// The value of a step.
    pub(super) fn value_of(&self, step: usize) -> Option<&Tracked> {
        self.values[step].as_ref()
    }
}

impl Names for Store<'_> {
    fn named(&self, name: &str) -> Option<&Tracked> {
        match self.names.find(name)? {
            Named::Resource(number) => self.at(StepKind::Resource(number)),
            Named::Variable(number) => self.at(StepKind::Variable(number)),
            Named::Pulumi => Some(&self.pulumi),
            Named::Config => {
                self.config.get(name).or_else(|| self.config.get(name.strip_prefix(&self.prefix)?))
            }
        }
    }

    fn invoked(&self, number: usize) -> Option<&Tracked> {
        self.at(StepKind::Invoke(number))
    }

    fn stack(&self, number: usize) -> Option<&Tracked> {
        self.at(StepKind::Stack(number))
    }
}

/// Checks a program and runs it.
pub(crate) async fn run(
    program: &YamlProgram,
    deployment: &Deployment,
    cancel: CancellationToken,
) -> Result<RunOutcome, Diagnostic> {
    let work = async {
        let given = config::given(&deployment.config, &deployment.config_secret_keys, &deployment.project);
        let given_names: BTreeSet<String> = given.keys().cloned().collect();
        let names = NameTable::new(program, &given_names, &deployment.project);
        let Some((graph, bindings)) = check(program, deployment, &names).await else {
            return RunOutcome::Bailed;
        };
        let store = Store {
            program,
            graph: &graph,
            names: &names,
            values: vec![None; graph.steps.len()],
            config: given,
            pulumi: pulumi_value(deployment),
            prefix: format!("{}:", deployment.project),
        };
        execute(store, &bindings, deployment).await
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Ok(RunOutcome::Bailed),
        outcome = work => Ok(outcome),
    }
}

/// Everything that can be found out before the first resource is registered.
async fn check(
    program: &YamlProgram,
    deployment: &Deployment,
    names: &NameTable<'_>,
) -> Option<(Graph, Bindings)> {
    let monitor = deployment.monitor.as_ref();
    if report_all(monitor, &graph::check_names(program)) {
        return None;
    }
    let graph = match graph::build(program, names) {
        Ok(graph) => graph,
        Err(problems) => {
            report_all(monitor, &problems);
            return None;
        }
    };
    if report_all(monitor, &version_conflicts(program, &graph)) {
        return None;
    }
    let (bindings, mut problems) = bind(program, &deployment.locks, deployment.schemas.as_ref()).await;
    problems.extend(check_types(program, &bindings, names));
    problems.sort_by_key(|p| p.span.as_ref().map_or((0, 0), |span| (span.line, span.column)));
    problems.dedup();
    if report_all(monitor, &problems) {
        return None;
    }
    Some((graph, bindings))
}

/// A default provider serves with its own version; resources may not ask for another.
fn version_conflicts(program: &YamlProgram, graph: &Graph) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (step, provider) in &graph.default_providers {
        let StepKind::Resource(provider) = graph.steps[*provider].kind else { continue };
        let provider = &program.resources[provider];
        let (version, url) = match graph.steps[*step].kind {
            StepKind::Resource(number) => {
                let options = &program.resources[number].options;
                (&options.version, &options.plugin_download_url)
            }
            StepKind::Invoke(number) => {
                let options = &program.invokes[number].options;
                (&options.version, &options.plugin_download_url)
            }
            _ => continue,
        };
        let pairs = [
            ("version", version, &provider.options.version),
            ("pluginDownloadURL", url, &provider.options.plugin_download_url),
        ];
        for (option, own, theirs) in pairs {
            let Some(own) = own else { continue };
            if theirs.as_ref().map(|text| &text.value) != Some(&own.value) {
                let message =
                    format!("{option} differs from that of the default provider \"{}\"", provider.key.value);
                problems.push(
                    Diagnostic::error("yaml-default-provider", message)
                        .with_span(own.span())
                        .with_hint("take the option out, or name another provider"),
                );
            }
        }
    }
    problems.sort_by_key(|p| p.span.as_ref().map_or((0, 0), |span| (span.line, span.column)));
    problems
}

fn pulumi_value(deployment: &Deployment) -> Tracked {
    let path = |path: &PathBuf| path.display().to_string();
    let fields = [
        ("cwd", path(&deployment.folder)),
        ("organization", deployment.organization.clone()),
        ("project", deployment.project.clone()),
        ("rootDirectory", path(&deployment.root_folder)),
        ("stack", deployment.stack.clone()),
    ];
    let fields = fields.into_iter().map(|(key, text)| (key.to_owned(), Tracked::text(text)));
    Tracked::plain(Value::Object(fields.collect()))
}

/// Checks the version that the program asks for and settles its configuration.
fn settle(store: &mut Store<'_>, deployment: &Deployment) -> Vec<Diagnostic> {
    let mut config = std::mem::take(&mut store.config);
    let references = HashMap::new();
    let early = Early { pulumi: &store.pulumi };
    let scope = Scope::new(&early, &references, &deployment.folder, deployment.dry_run);
    let mut problems = config::declared(store.program, &mut config, &scope, &deployment.project);
    store.config = config;
    if let Some(expr) = &store.program.required_version {
        let scope = Scope::new(&*store, &references, &deployment.folder, deployment.dry_run);
        let problem =
            |message: String| Diagnostic::error("yaml-required-version", message).with_span(expr.at.span());
        match scope.eval(expr).map(|value| value.value) {
            Ok(Value::Text(range)) => match in_range(&deployment.engine_version, &range) {
                Ok(true) => {}
                Ok(false) => {
                    let version = &deployment.engine_version;
                    let message =
                        format!("the program needs a version in the range {range}, this is {version}");
                    problems.push(problem(message).with_hint("install a version in this range"));
                }
                Err(part) => {
                    let message = format!("\"{part}\" is not a range of versions");
                    problems.push(problem(message).with_hint("ranges look like >=3.0.0 <4.0.0"));
                }
            },
            Ok(other) => {
                problems.push(problem(format!("requiredVersion must be a string, not {}", kind_of(&other))));
            }
            Err(Stop::Problem(found)) => problems.push(*found),
            Err(Stop::Reference(_)) => {}
        }
    }
    problems
}

/// The only name that defaults of configuration values can use.
struct Early<'a> {
    pulumi: &'a Tracked,
}

impl Names for Early<'_> {
    fn named(&self, name: &str) -> Option<&Tracked> {
        (name == PULUMI).then_some(self.pulumi)
    }

    fn invoked(&self, _: usize) -> Option<&Tracked> {
        None
    }

    fn stack(&self, _: usize) -> Option<&Tracked> {
        None
    }
}

async fn execute(mut store: Store<'_>, bindings: &Bindings, deployment: &Deployment) -> RunOutcome {
    let monitor = deployment.monitor.as_ref();
    if report_all(monitor, &settle(&mut store, deployment)) {
        return RunOutcome::Bailed;
    }
    let root = match register_stack(deployment).await {
        Ok(root) => root,
        Err(MonitorError::Stopping | MonitorError::Failed(_)) => return RunOutcome::Bailed,
        Err(error @ MonitorError::Invalid(_)) => {
            report(
                monitor,
                &Diagnostic::error("yaml-stack", format!("the stack can't be registered: {error}")),
            );
            return RunOutcome::Bailed;
        }
    };
    let mut machine = Machine::new(store, bindings, deployment, &root);
    if !machine.run().await {
        return RunOutcome::Bailed;
    }
    let outputs =
        match hash_assets(machine.outputs, deployment.folder.clone(), deployment.fetch.clone()).await {
            Ok(outputs) => outputs,
            Err(problem) => {
                report(monitor, &problem);
                return RunOutcome::Bailed;
            }
        };
    let finished = async {
        monitor.register_outputs(root.clone(), outputs).await?;
        monitor.program_finished().await
    };
    match finished.await {
        Ok(()) => RunOutcome::Succeeded,
        Err(MonitorError::Stopping | MonitorError::Failed(_)) => RunOutcome::Bailed,
        Err(error @ MonitorError::Invalid(_)) => {
            report(
                monitor,
                &Diagnostic::error("yaml-stack", format!("the program can't be finished: {error}")),
            );
            RunOutcome::Bailed
        }
    }
}

async fn register_stack(deployment: &Deployment) -> Result<Urn, MonitorError> {
    let name = format!("{}-{}", deployment.project, deployment.stack);
    let goal = Goal::new(purlin_model::urn::STACK_TYPE, name, false, PropertyMap::new());
    let request = RegisterRequest {
        goal,
        remote: false,
        package: PackageDescriptor::new("pulumi", ""),
        providers: BTreeMap::new(),
        stack_trace_handle: String::new(),
    };
    let reply = deployment.monitor.register(request).await?;
    match reply.result {
        RegisterResult::Success => Ok(reply.urn),
        _ => Err(MonitorError::Failed("the stack could not be registered".to_owned())),
    }
}

struct Machine<'a> {
    store: Store<'a>,
    bindings: &'a Bindings,
    deployment: &'a Deployment,
    root: &'a Urn,
    references: HashMap<Urn, PropertyMap>,
    waiting: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    /// How many of a step's dependents have not ended.
    readers: Vec<usize>,
    ready: BinaryHeap<Reverse<usize>>,
    failed: Vec<bool>,
    outputs: PropertyMap,
}

type Pending = FuturesUnordered<BoxFuture<'static, (usize, Ended)>>;

impl<'a> Machine<'a> {
    fn new(store: Store<'a>, bindings: &'a Bindings, deployment: &'a Deployment, root: &'a Urn) -> Self {
        let steps = &store.graph.steps;
        let mut dependents = vec![Vec::new(); steps.len()];
        for (at, step) in steps.iter().enumerate() {
            step.needs.iter().for_each(|need: &usize| dependents[*need].push(at));
        }
        let waiting: Vec<usize> = steps.iter().map(|step| step.needs.len()).collect();
        let ready = (0..steps.len()).filter(|at| waiting[*at] == 0).map(Reverse).collect();
        let readers = dependents.iter().map(Vec::len).collect();
        Machine {
            failed: vec![false; steps.len()],
            store,
            bindings,
            deployment,
            root,
            references: HashMap::new(),
            waiting,
            dependents,
            readers,
            ready,
            outputs: PropertyMap::new(),
        }
    }

    /// Runs all steps that can be run; whether all of them could, and ended well.
    async fn run(&mut self) -> bool {
        let mut pending = Pending::new();
        let mut well = true;
        loop {
            while pending.len() < self.deployment.calls_at_once
                && let Some(Reverse(step)) = self.ready.pop()
            {
                well &= self.start(step, &pending);
            }
            let Some((step, ended)) = pending.next().await else { return well };
            match ended {
                Ended::Value(value) => self.complete(step, value),
                Ended::Referred(urn, state) => {
                    self.references.insert(urn, state);
                    self.ready.push(Reverse(step));
                }
                Ended::Stopping => return false,
                Ended::Failed => {
                    well = false;
                    self.fail(step);
                }
                Ended::Problem(problem) => {
                    well = false;
                    report(self.deployment.monitor.as_ref(), &problem);
                    self.fail(step);
                }
            }
        }
    }

    /// Starts a step whose needs are there; whether nothing is wrong with it.
    fn start(&mut self, step: usize, pending: &Pending) -> bool {
        let scope =
            Scope::new(&self.store, &self.references, &self.deployment.folder, self.deployment.dry_run);
        let preparer = Preparer {
            program: self.store.program,
            graph: self.store.graph,
            bindings: self.bindings,
            deployment: self.deployment,
            root: self.root,
            store: &self.store,
            scope,
        };
        match preparer.prepare(step) {
            Ok(Prepared::Value(value)) => self.complete(step, value),
            Ok(Prepared::Output(name, value)) => {
                if let Some(value) = value {
                    self.outputs.insert(name, value);
                }
                self.complete(step, Tracked::plain(Value::Null));
            }
            Ok(Prepared::Call(call)) => {
                pending.push(Box::pin(async move { (step, call.await) }));
            }
            Err(Stop::Reference(reference)) => {
                let call = state_of(Arc::clone(&self.deployment.monitor), reference);
                pending.push(Box::pin(async move { (step, call.await) }));
            }
            Err(Stop::Problem(problem)) => {
                report(self.deployment.monitor.as_ref(), &problem);
                self.fail(step);
                return false;
            }
        }
        true
    }

    /// A step ended well. Its value is kept only while there are steps that may read it: the outputs of
    /// all resources would be a second copy of the state.
    fn complete(&mut self, step: usize, value: Tracked) {
        for need in &self.store.graph.steps[step].needs {
            self.readers[*need] -= 1;
            if self.readers[*need] == 0 {
                self.store.values[*need] = None;
            }
        }
        if self.readers[step] > 0 {
            self.store.values[step] = Some(value);
        }
        for dependent in &self.dependents[step] {
            self.waiting[*dependent] -= 1;
            if self.waiting[*dependent] == 0 && !self.failed[*dependent] {
                self.ready.push(Reverse(*dependent));
            }
        }
    }

    /// Gives up a step and all that waits for it.
    fn fail(&mut self, step: usize) {
        let mut open = vec![step];
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut self.failed[at], true) {
                open.extend(&self.dependents[at]);
            }
        }
    }
}

/// Asks the engine for the state of a resource that another one refers to.
async fn state_of(monitor: Arc<dyn ResourceMonitor>, reference: ResourceReference) -> Ended {
    let urn = reference.urn;
    let request = InvokeRequest {
        token: "pulumi:pulumi:getResource".to_owned(),
        args: PropertyMap::from([("urn".to_owned(), PropertyValue::text(urn.as_str()))]),
        provider: None,
        package: PackageDescriptor::new("pulumi", ""),
        extension: None,
        parent: None,
        depends_on: Vec::new(),
    };
    match monitor.invoke(request).await {
        Err(MonitorError::Stopping) => Ended::Stopping,
        Err(error) => {
            let message = format!("the state of {urn} can't be had: {error}");
            Ended::Problem(Box::new(
                Diagnostic::error("yaml-reference-state", message).with_urn(urn.as_str()),
            ))
        }
        Ok(mut reply) => {
            let state = reply.result.remove("state").map(|state| state.flatten_outputs());
            Ended::Referred(
                urn,
                match state {
                    Some(PropertyValue::Object(state)) => state,
                    _ => PropertyMap::new(),
                },
            )
        }
    }
}
