//! One run of an operation: services up, engine run, everything down again.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use purlin_diag::Diagnostic;
use purlin_engine::{Engine, EnginePorts, EngineSettings, Program, Report};
use purlin_model::PackageDescriptor;
use purlin_model::event::{OperationResult, StepOp};
use purlin_monitor::{MonitorServer, MonitorSettings};
use purlin_plan::Mode;
use purlin_plugins::process::ProcessEvent;
use purlin_plugins::{PluginHost, PluginKind, PluginSettings, ProjectPlugin, UrlOverride};
use purlin_policy::PluginPack;
use purlin_ports::{
    BagCodec, EventSink, LanguageHost, PolicyPack, ProviderHost, RecordedConfig, RunRequest, UpdateInfo,
    UpdateSession,
};
use purlin_secrets::SealedBags;
use purlin_yaml::YamlHost;

use crate::ambient::{SystemClock, SystemEntropy};
use crate::config_values::manager_of_state;
use crate::context::Context;
use crate::events::{Display, DisplaySettings};
use crate::exit::{CommandError, Failure};
use crate::operation::ahead::Ahead;
use crate::operation::late::LateMonitor;
use crate::operation::plan_file::{self, RecordedPlan};
use crate::operation::policies;
use crate::operation::prepare::{Prepared, Unlocking};
use crate::operation::schemas::PluginSchemas;
use crate::operation::signals::{Listener, Stops};
use crate::operation::waiting;
use crate::vcs;
use crate::version::COMPATIBLE_VERSION;

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) result: OperationResult,
    pub(crate) changes: BTreeMap<StepOp, u64>,
    /// The update plan, if one was recorded.
    pub(crate) plan: Option<RecordedPlan>,
}

impl Ran {
    /// Whether anything was, or would be, done.
    pub(crate) fn has_changes(&self) -> bool {
        self.changes.iter().any(|(op, count)| !matches!(op, StepOp::Same | StepOp::Read) && *count > 0)
    }
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To see what would happen. Nobody is kept from changing the stack.
    Look,
    /// To see what the operation that follows will do. The stack is held until that has ended: what
    /// was agreed to is what is done.
    Rehearse,
    /// To do it.
    Act,
}

impl Purpose {
    /// Whether nothing is changed.
    pub(crate) fn is_preview(self) -> bool {
        self != Purpose::Act
    }
}

/// How long plugins may take to end when nobody wants to wait any more.
const ABANDON_GRACE: Duration = Duration::from_millis(300);

/// What an engine starts from.
struct Begun {
    packs: Vec<Arc<PluginPack>>,
    packages: BTreeMap<String, PackageDescriptor>,
    /// The hold on the stack, unless it is a preview.
    session: Option<Arc<dyn UpdateSession>>,
    base: Arc<purlin_model::Snapshot>,
}

/// The services around an engine.
struct Services {
    late: Arc<LateMonitor>,
    server: MonitorServer,
    address: String,
    plugins: Arc<PluginHost>,
    host: Arc<dyn LanguageHost>,
    session: Arc<OnceLock<Arc<dyn UpdateSession>>>,
    /// The program, once it runs ahead of the engine.
    ahead: OnceLock<Arc<Ahead>>,
}

impl Services {
    /// Ends everything.
    async fn stop(&self) {
        self.late.give_up();
        if let Some(ahead) = self.ahead.get() {
            ahead.end().await;
        }
        self.plugins.stop_all().await;
    }
}

impl Prepared<'_> {
    /// Runs the operation, or previews it.
    pub(crate) async fn run(&self, purpose: Purpose) -> Result<Ran, CommandError> {
        let unlocking = self.unlock().await?;
        let display = Display::start(self.context, DisplaySettings::of(self, purpose.is_preview())).await?;
        let result = self.run_shown(purpose, unlocking, &display).await;
        if let Ok((Report { result: OperationResult::Canceled, .. }, ..)) = &result {
            let message = format!("the {} was canceled", self.mode_word());
            purlin_engine::say(&*display.sink(), &Diagnostic::error("canceled", message));
        }
        match &result {
            Ok((report, _, packs)) => display.finish(report.result, &report.changes, packs.clone()).await,
            Err(_) => display.abort().await,
        }
        let (report, bags, _) = result?;
        let plan = report.update_plan.map(|plan| RecordedPlan { plan, bags });
        Ok(Ran { result: report.result, changes: report.changes, plan })
    }

    async fn run_shown(
        &self,
        purpose: Purpose,
        unlocking: Unlocking,
        display: &Display,
    ) -> Result<(Report, Arc<dyn BagCodec>, BTreeMap<String, String>), CommandError> {
        let preview = purpose.is_preview();
        let events = display.sink();
        let (stops, _listener) = Listener::start(Arc::clone(&self.context.out));
        let services = self.start_services(preview, &events).await?;
        let begun = tokio::select! {
            begun = self.begin(purpose, unlocking, &services, &events) => begun,
            () = stops.stop.cancelled() => Err(interrupted()),
        };
        let mut names = BTreeMap::new();
        let report = match begun {
            Ok(begun) => {
                names = policies::names(&begun.packs);
                let packs = begun.packs.clone();
                let report = self.run_engine(preview, begun, &services, &events, stops).await;
                policies::end(&packs).await;
                report
            }
            Err(problem) => Err(problem),
        };
        services.stop().await;
        services.server.shutdown().await;
        report.map(|(report, bags)| (report, bags, names))
    }

    async fn start_services(
        &self,
        preview: bool,
        events: &Arc<dyn EventSink>,
    ) -> Result<Services, CommandError> {
        let project = self.project()?;
        let late = LateMonitor::new(self.info(preview), Arc::clone(&self.context.pace));
        let schemas = PluginSchemas::new();
        let settings = MonitorSettings {
            root_directory: self.program.root_directory.clone(),
            program_directory: self.program.program_directory.clone(),
            compatible_version: compatible_version(),
            entropy: Arc::new(SystemEntropy),
            schemas: Some(Arc::clone(&schemas) as Arc<dyn purlin_monitor::SchemaSource>),
            fetch: Some(crate::operation::fetch::fetcher()),
        };
        let server =
            MonitorServer::start(Arc::clone(&late) as Arc<dyn purlin_ports::ResourceMonitor>, settings)
                .await?;
        let address = server.address().to_string();
        let session: Arc<OnceLock<Arc<dyn UpdateSession>>> = Arc::default();
        let noted = Arc::clone(&session);
        let observer = Arc::new(move |event: ProcessEvent| {
            if let (ProcessEvent::Started { pid, .. }, Some(session)) = (&event, noted.get()) {
                session.note_process(*pid);
            }
        });
        let plugins = Arc::new(PluginHost::new(
            self.plugin_settings(&address)?,
            Arc::clone(events),
            self.builtin_providers(events),
            Some(observer),
        )?);
        schemas.set_host(Arc::clone(&plugins) as Arc<dyn ProviderHost>);
        let host: Arc<dyn LanguageHost> = match project.runtime.name.as_str() {
            "yaml" => {
                let host = YamlHost::new(schemas, compatible_version());
                let host = host.with_fetch(crate::operation::fetch::fetcher());
                let tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner).take();
                Arc::new(match tree {
                    Some(tree) => host.with_tree(project.path.clone(), tree),
                    None => host,
                })
            }
            other => {
                let host = purlin_languages::host_for(other, Arc::clone(&self.host_settings));
                host.map_err(|mut problem| {
                    problem.message = format!("{}: {}", project.path.display(), problem.message);
                    problem
                })?
            }
        };
        Ok(Services { late, server, address, plugins, host, session, ahead: OnceLock::new() })
    }

    /// Does what comes before the engine: finds out what the program needs, and takes the stack.
    async fn begin(
        &self,
        purpose: Purpose,
        unlocking: Unlocking,
        services: &Services,
        events: &Arc<dyn EventSink>,
    ) -> Result<Begun, CommandError> {
        let preview = purpose.is_preview();
        let takes = purpose != Purpose::Look && !self.is_held();
        let looking = takes.then(|| vcs::look(self.context));
        let packages = match self.runs_program() {
            true => self.required_packages(services.host.as_ref(), events).await?,
            false => BTreeMap::new(),
        };
        if self.mode == Mode::Update && !self.refresh_first() {
            // There is one program a run.
            let _ = services
                .ahead
                .set(Ahead::start(Arc::clone(&services.host), self.run_request(preview, services, events)));
        }
        unlocking.done().await?;
        let packs = self.policy_packs(preview, &services.plugins, &services.address, events).await?;
        let session = match (self.take_held(), looking) {
            (Some(held), _) => held,
            (None, Some(looking)) => {
                let info = self.update_info(looking.found().await);
                let timeout = self.flags.common.lock_timeout.as_deref();
                waiting::begin(self.context, &self.target, info, timeout).await?
            }
            (None, None) => {
                let base = self.target.store.load(&self.target.id).await?.snapshot;
                return Ok(Begun { packs, packages, session: None, base });
            }
        };
        let base = Arc::clone(&session.base().snapshot);
        if preview {
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
            return Ok(Begun { packs, packages, session: None, base });
        }
        // There is one session a run.
        let _ = services.session.set(Arc::clone(&session));
        Ok(Begun { packs, packages, session: Some(session), base })
    }

    async fn run_engine(
        &self,
        preview: bool,
        begun: Begun,
        services: &Services,
        events: &Arc<dyn EventSink>,
        stops: Stops,
    ) -> Result<(Report, Arc<dyn BagCodec>), CommandError> {
        let Begun { packs, packages, session, base } = begun;
        let checks = !self.context.global.disable_integrity_checking;
        let usable = if checks { purlin_journal::refuse_if_invalid(&base) } else { Ok(()) };
        if let Err(problem) = usable {
            if let Some(session) = &session {
                session.abandon().await?;
            }
            return Err(problem.into());
        }
        let ready = self.engine(preview, services, events, packages, session.clone(), base).await;
        let (engine, bags) = match (ready, &session) {
            (Ok(ready), _) => ready,
            (Err(problem), Some(session)) => {
                session.abandon().await?;
                return Err(problem);
            }
            (Err(problem), None) => return Err(problem),
        };
        let engine =
            engine.with_policies(packs.into_iter().map(|pack| pack as Arc<dyn PolicyPack>).collect());
        services.late.set(engine.monitor());
        let host = match services.ahead.get() {
            Some(ahead) => Arc::clone(ahead) as Arc<dyn LanguageHost>,
            None => Arc::clone(&services.host),
        };
        let program = self
            .runs_program()
            .then(|| Program { host, request: self.run_request(preview, services, events) });
        // Whoever doesn't want to wait for calls doesn't want to wait for those who hang in them.
        let (plugins, abandon) = (Arc::clone(&services.plugins), stops.abandon.clone());
        let ending = tokio::spawn(async move {
            abandon.cancelled().await;
            plugins.end_all(ABANDON_GRACE).await;
        });
        // In a task of its own: whatever wakes the first one of a runtime goes through the kernel.
        let running = tokio::spawn(engine.run(program, stops.stop, stops.abandon));
        let report = running.await.unwrap_or_else(|cut| std::panic::resume_unwind(cut.into_panic()));
        ending.abort();
        Ok((report, bags))
    }

    async fn engine(
        &self,
        preview: bool,
        services: &Services,
        events: &Arc<dyn EventSink>,
        packages: BTreeMap<String, PackageDescriptor>,
        session: Option<Arc<dyn UpdateSession>>,
        base: Arc<purlin_model::Snapshot>,
    ) -> Result<(Engine, Arc<dyn BagCodec>), CommandError> {
        let keeps_nothing = preview && self.flags.save_plan.is_none();
        let manager = if keeps_nothing && base.secrets_provider.is_none() {
            crate::config_values::manager_for_preview(self.context, &self.settings)?
        } else {
            manager_of_state(self.context, &base, Some(&mut self.settings.clone())).await?
        };
        let mut snapshot = purlin_model::Snapshot::clone(&base);
        snapshot.secrets_provider = Some(manager.provider());
        snapshot.version = format!("v{COMPATIBLE_VERSION}");
        let mut plan = purlin_plan::Settings::new(
            self.target.id.name.clone(),
            self.target.id.project.clone(),
            self.mode,
            preview,
        );
        plan.refresh_first = self.refresh_first();
        plan.run_program = self.flags.run_program;
        plan.import_pending.clone_from(&self.flags.import_pending_creates);
        plan.continue_on_error = self.flags.continue_on_error;
        plan.ignore_protect = self.flags.ignore_protect;
        plan.exclude_protected = self.flags.exclude_protected;
        plan.targets = self.flags.targets.clone();
        plan.default_packages = packages;
        plan.package_config = self.package_config();
        plan.autonaming = self.autonaming()?;
        plan.disabled_default_providers = self.disabled_default_providers()?.into_iter().collect();
        let bags: Arc<dyn BagCodec> = Arc::new(SealedBags::new(manager));
        plan.update_plan = match &self.flags.plan_file {
            Some(file) => Some(plan_file::read(file, bags.as_ref()).await?),
            None => self.plan.clone(),
        };
        plan.records_plan = preview && (self.flags.save_plan.is_some() || self.flags.strict);
        let settings = EngineSettings {
            plan,
            info: self.info(preview),
            parallel: self.flags.parallel,
            monitor_address: services.address.clone(),
            clear_pending_creates: self.flags.clear_pending_creates,
            cleared_creates: self.flags.cleared_creates.clone(),
            legacy_refresh_diff: self.flags.legacy_refresh_diff,
            shown_config: self.shown_config(),
        };
        let ports = EnginePorts {
            providers: Arc::clone(&services.plugins) as Arc<dyn ProviderHost>,
            bags: Arc::clone(&bags),
            events: Arc::clone(events),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            session,
        };
        Ok((Engine::new(settings, ports, Arc::new(snapshot)), bags))
    }

    /// Writes the update plan of a preview to the file that was asked for, if one was.
    pub(crate) async fn save_plan(&self, ran: Ran) -> Result<(), CommandError> {
        let (Some(file), Some(recorded)) = (&self.flags.save_plan, ran.plan) else { return Ok(()) };
        plan_file::write(
            &self.context.ambient.cwd.join(file),
            recorded,
            plan_file::config_texts(&self.recorded_config()),
        )
        .await?;
        if !self.flags.json {
            plan_file::tell(self.context, file);
        }
        Ok(())
    }

    fn run_request(&self, preview: bool, services: &Services, events: &Arc<dyn EventSink>) -> RunRequest {
        let info = self.info(preview);
        RunRequest {
            program: self.program.clone(),
            project: info.project,
            stack: info.stack,
            organization: info.organization,
            config: info.config,
            config_secret_keys: info.config_secret_keys,
            dry_run: preview,
            parallel: info.parallel,
            monitor_address: services.address.clone(),
            engine_address: services.address.clone(),
            monitor: Arc::clone(&services.late) as Arc<dyn purlin_ports::ResourceMonitor>,
            events: Arc::clone(events),
        }
    }

    /// What histories call the operation.
    fn mode_word(&self) -> &'static str {
        match self.mode {
            Mode::Update => "update",
            Mode::Refresh => "refresh",
            Mode::Destroy => "destroy",
            Mode::Import => "resource-import",
        }
    }

    fn update_info(&self, surroundings: vcs::Surroundings) -> UpdateInfo {
        let kind = self.mode_word();
        let vcs::Surroundings { mut environment, message } = surroundings;
        let kind_of_run = self.flags.common.exec_kind.clone().unwrap_or_else(|| "cli".to_owned());
        environment.insert("exec.kind".to_owned(), kind_of_run);
        if let Some(agent) = &self.flags.common.exec_agent {
            environment.insert("exec.agent".to_owned(), agent.clone());
        }
        UpdateInfo {
            kind: kind.to_owned(),
            message: self.flags.common.message.clone().or(message).unwrap_or_default(),
            environment,
            config: self.recorded_config(),
        }
    }

    /// The stack's configuration as histories and plans keep it.
    fn recorded_config(&self) -> BTreeMap<String, RecordedConfig> {
        self.settings
            .config()
            .iter()
            .map(|(key, value)| {
                let recorded = match (value.as_secure(), value.as_str()) {
                    (Some(ciphertext), _) => RecordedConfig::Secret(ciphertext.to_owned()),
                    (None, Some(text)) => RecordedConfig::Plain(text.to_owned()),
                    (None, None) => RecordedConfig::Structured(value.to_canonical_json()),
                };
                (key.to_string(), recorded)
            })
            .collect()
    }

    fn plugin_settings(&self, address: &str) -> Result<PluginSettings, CommandError> {
        let context: &Context = self.context;
        let ambient = &context.ambient;
        let mut settings = PluginSettings::new(ambient.pulumi_home(), &self.program.program_directory);
        settings.path = ambient.var("PATH").map(|p| std::env::split_paths(p).collect()).unwrap_or_default();
        settings.exe_dir =
            ambient.exe.canonicalize().ok().and_then(|exe| exe.parent().map(std::path::Path::to_path_buf));
        settings.project_plugins = project_plugins(self.project()?);
        settings.ignore_ambient = ambient.is_on("PULUMI_IGNORE_AMBIENT_PLUGINS");
        settings.legacy_search = ambient.is_on("PULUMI_ENABLE_LEGACY_PLUGIN_SEARCH");
        settings.disable_acquisition = ambient.is_on("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION");
        settings.download_overrides =
            UrlOverride::parse_list(ambient.var("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES").unwrap_or_default())?;
        settings.github_token = ambient.non_empty("GITHUB_TOKEN").map(str::to_owned);
        settings.gitlab_token = ambient.non_empty("GITLAB_TOKEN").map(str::to_owned);
        settings.env = ambient.env().iter().map(|(k, v)| (k.into(), v.into())).collect();
        settings.project.clone_from(&self.target.id.project);
        settings.runtime_options = self
            .program
            .options
            .iter()
            .map(|(key, value)| (key.clone(), crate::plain::shown(value)))
            .collect();
        settings.config = self.config_texts();
        settings.engine_address = address.to_owned();
        settings.loader_address = address.to_owned();
        settings.debug_providers =
            PluginSettings::parse_debug_providers(ambient.var("PULUMI_DEBUG_PROVIDERS").unwrap_or_default())?;
        settings.disable_provider_preview = ambient.is_on("PULUMI_DISABLE_PROVIDER_PREVIEW");
        settings.legacy_provider_preview = ambient.is_on("PULUMI_LEGACY_PROVIDER_PREVIEW");
        settings.disable_refresh_before_update = ambient.is_on("PULUMI_DISABLE_REFRESH_BEFORE_UPDATE");
        settings.dev = ambient.is_on("PULUMI_DEV");
        Ok(settings)
    }
}

fn interrupted() -> CommandError {
    let message = "interrupted before anything was begun; nothing has changed";
    CommandError::new(Failure::General, Diagnostic::error("interrupted", message))
}

fn project_plugins(project: &purlin_project::Project) -> Vec<ProjectPlugin> {
    let all = [
        (PluginKind::Resource, &project.plugins.providers),
        (PluginKind::Language, &project.plugins.languages),
        (PluginKind::Analyzer, &project.plugins.analyzers),
    ];
    all.into_iter()
        .flat_map(|(kind, plugins)| plugins.iter().map(move |plugin| (kind, plugin)))
        .map(|(kind, plugin)| ProjectPlugin {
            kind,
            name: plugin.name.clone(),
            version: plugin.version.clone(),
            path: project.directory().join(&plugin.path),
        })
        .collect()
}

fn compatible_version() -> semver::Version {
    COMPATIBLE_VERSION.parse().unwrap_or(semver::Version::new(3, 0, 0))
}
