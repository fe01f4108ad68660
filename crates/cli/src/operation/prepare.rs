//! What an operation needs, found and settled: stack, configuration, secrets, program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Diagnostic;
use purlin_display::Redaction;
use purlin_languages::HostSettings;
use purlin_model::autonaming::Autonaming;
use purlin_model::state::SecretsProvider;
use purlin_model::update_plan::UpdatePlan;
use purlin_model::{PackageDescriptor, PropertyMap, PropertyValue};
use purlin_plan::Mode;
use purlin_ports::{DeploymentInfo, LanguageHost, ProgramInfo, UpdateSession};
use purlin_project::config::{ConfigInput, ConfigTarget, NamingContext, ResolvedConfig, Validation, resolve};
use purlin_project::yaml::Node;
use purlin_project::{Project, StackSettings, Value};

use crate::config_values::ConfigSecrets;
use crate::context::{Context, Target};
use crate::exit::CommandError;
use crate::operation::flags::Flags;
use crate::version::COMPATIBLE_VERSION;

/// What an operation needs.
pub(crate) struct Prepared<'c> {
    pub(crate) context: &'c Context,
    pub(crate) target: Target,
    pub(crate) flags: Flags,
    pub(crate) mode: Mode,
    pub(crate) settings: StackSettings,
    pub(crate) config: Vec<ResolvedConfig>,
    /// Hides the secrets of the configuration, if it has any.
    pub(crate) redaction: Option<Redaction>,
    pub(crate) program: ProgramInfo,
    pub(crate) host_settings: Arc<HostSettings>,
    /// What keeps the secrets of the stack's state, if it has any state.
    pub(crate) secrets_provider: Option<SecretsProvider>,
    /// The update plan that is followed, where it isn't read from a file.
    pub(crate) plan: Option<Arc<UpdatePlan>>,
    /// What was read of the project file, for the first run of a program that is in it.
    pub(crate) tree: Mutex<Option<Node>>,
    /// The stack, from its preview to the operation that was previewed.
    pub(crate) held: Mutex<Option<Arc<dyn UpdateSession>>>,
}

impl<'c> Prepared<'c> {
    pub(crate) async fn new(
        context: &'c Context,
        flags: Flags,
        mode: Mode,
    ) -> Result<Prepared<'c>, CommandError> {
        let mut target = context.stack(flags.common.stack.as_deref())?;
        // What an operation needs of the project file has been read; YAML programs are large.
        let tree = target.project.as_mut().map(Project::take_tree);
        let tree = tree.filter(|_| mode == Mode::Update || flags.run_program);
        let project = target.project()?;
        if let Some(range) = &project.required_version {
            purlin_project::check_required_version(range, COMPATIBLE_VERSION)?;
        }
        let file = flags.common.config_file.as_ref().map(|f| context.ambient.cwd.join(f));
        let settings = target.settings(file.as_deref());
        if let Ok(settings) = &settings {
            unlock_early(context, &flags, settings);
        }
        // A stack that isn't there is to be known before anything else is tried.
        let secrets_provider = target.store.load(&target.id).await?.snapshot.secrets_provider.clone();
        let mut settings = settings?;
        set_from_command_line(project, &mut settings, &flags)?;
        for warning in settings.warnings() {
            context.out.error_line(crate::report::render(warning, context.out.colors()));
        }
        let values = purlin_project::config::apply_project(project, settings.config())?;
        let secrets = ConfigSecrets::open(context, &target, &settings, &values).await?;
        let validation =
            if flags.common.skip_config_validation || !(mode == Mode::Update || flags.run_program) {
                Validation::Off
            } else {
                Validation::On
            };
        let config = resolve(project, &target.id.name, settings.config(), &secrets.decrypter(), validation)?;
        let program = program_info(project);
        let host_settings = Arc::new(host_settings(context, flags.common.debug));
        Ok(Prepared {
            context,
            target,
            flags,
            mode,
            settings,
            config,
            redaction: Redaction::new(secrets.texts()),
            program,
            host_settings,
            secrets_provider,
            plan: None,
            tree: Mutex::new(tree),
            held: Mutex::default(),
        })
    }

    /// Whether the stack has been held since its preview.
    pub(crate) fn is_held(&self) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The hold on the stack that the preview has left, which is whoever's that asks.
    pub(crate) fn take_held(&self) -> Option<Arc<dyn UpdateSession>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Lets go of the stack if nothing came of its preview.
    pub(crate) async fn let_go(&self) -> Result<(), CommandError> {
        match self.take_held() {
            Some(session) => Ok(session.abandon().await?),
            None => Ok(()),
        }
    }

    pub(crate) fn project(&self) -> Result<&Project, CommandError> {
        self.target.project()
    }

    /// Begins to make sure that the stack's secrets can be used, for what a provider answers may have
    /// to be encrypted. Previews need it only if they come upon a secret.
    pub(crate) async fn unlock(&self) -> Result<Unlocking, CommandError> {
        let asks = crate::passphrases::asks_for_passphrase(self.context);
        if self.flags.preview_only && !asks {
            return Ok(Unlocking(None));
        }
        let manager = match &self.secrets_provider {
            Some(provider) => Some(crate::config_values::manager_of_provider(self.context, provider)?),
            None => crate::config_values::manager_of_settings(self.context, &self.settings)?,
        };
        let Some(manager) = manager else { return Ok(Unlocking(None)) };
        if asks {
            // Not while a display is drawn.
            manager.unlock().await?;
            return Ok(Unlocking(None));
        }
        Ok(Unlocking(Some(tokio::spawn(async move { manager.unlock().await }))))
    }

    /// Whether the operation runs the program.
    pub(crate) fn runs_program(&self) -> bool {
        self.mode == Mode::Update || self.flags.run_program
    }

    /// Whether the state is refreshed before the program runs.
    pub(crate) fn refresh_first(&self) -> bool {
        let always = self.target.project.as_ref().is_some_and(|p| p.refresh_always);
        self.mode != Mode::Refresh && self.flags.refresh_first.unwrap_or(always)
    }

    /// Configuration by `namespace:key`, secrets decrypted.
    pub(crate) fn config_texts(&self) -> BTreeMap<String, String> {
        self.config.iter().map(|c| (c.key.to_string(), c.text.clone())).collect()
    }

    /// What displays show of the configuration.
    pub(crate) fn shown_config(&self) -> BTreeMap<String, String> {
        let text = |c: &ResolvedConfig| if c.secret { "[secret]".to_owned() } else { c.text.clone() };
        self.config.iter().map(|c| (c.key.to_string(), text(c))).collect()
    }

    pub(crate) fn info(&self, preview: bool) -> DeploymentInfo {
        DeploymentInfo {
            organization: self.target.id.organization.clone(),
            project: self.target.id.project.clone(),
            stack: self.target.id.name.clone(),
            config: self.config_texts(),
            config_secret_keys: self.config.iter().filter(|c| c.secret).map(|c| c.key.to_string()).collect(),
            dry_run: preview,
            parallel: self.flags.parallel_for_program(),
        }
    }

    /// The configuration of each package's default provider. Dynamic providers get all of it.
    pub(crate) fn package_config(&self) -> BTreeMap<String, PropertyMap> {
        let mut packages: BTreeMap<String, PropertyMap> = BTreeMap::new();
        for value in &self.config {
            let text = PropertyValue::String(value.text.clone());
            let text = if value.secret { text.into_secret() } else { text };
            for dynamic in ["pulumi-nodejs", "pulumi-python"] {
                packages.entry(dynamic.to_owned()).or_default().insert(value.key.to_string(), text.clone());
            }
            packages
                .entry(value.key.namespace().to_owned())
                .or_default()
                .insert(value.key.name().to_owned(), text);
        }
        packages.remove("pulumi");
        packages
    }

    /// The packages that may not have a default provider.
    pub(crate) fn disabled_default_providers(&self) -> Result<Vec<String>, CommandError> {
        let key = "pulumi:disable-default-providers";
        let Some(value) = self.config.iter().find(|c| c.key.to_string() == key) else {
            return Ok(Vec::new());
        };
        serde_json::from_str(&value.text).map_err(|_| {
            Diagnostic::error("disable-default-providers", format!("{key} is not a list of package names"))
                .with_hint(format!("set it with --path '{key}[0]' <package>"))
                .into()
        })
    }

    /// How resources are to be named, if the configuration says it.
    pub(crate) fn autonaming(&self) -> Result<Option<Arc<Autonaming>>, CommandError> {
        let id = &self.target.id;
        let context = NamingContext {
            organization: &id.organization,
            project: &id.project,
            stack: &id.name,
            config: &self.config,
        };
        Ok(purlin_project::config::autonaming(context)?.map(Arc::new))
    }

    /// Installs what the program depends on, if need be, and says which packages it uses.
    pub(crate) async fn required_packages(
        &self,
        host: &dyn LanguageHost,
        events: &Arc<dyn purlin_ports::EventSink>,
    ) -> Result<BTreeMap<String, PackageDescriptor>, CommandError> {
        host.install_dependencies(&self.program, events, false).await?;
        let mut newest: BTreeMap<String, PackageDescriptor> = BTreeMap::new();
        for package in host.required_packages(&self.program).await? {
            let name = package.package().to_owned();
            match newest.get(&name) {
                Some(known) if !is_newer(package.package_version(), known.package_version()) => {}
                _ => drop(newest.insert(name, package)),
            }
        }
        Ok(newest)
    }

    /// Whether nothing is left of the stack's resources.
    pub(crate) async fn is_empty(&self) -> Result<bool, CommandError> {
        Ok(self.target.store.load(&self.target.id).await?.snapshot.resources.is_empty())
    }

    /// Removes the stack and its configuration.
    pub(crate) async fn remove_stack(&self, context: &Context) -> Result<(), CommandError> {
        self.target.remove(context, false, false).await
    }
}

/// Begins to derive the key that the settings' secrets have, which takes longer than most of what
/// else a command does. Whoever needs it waits for it, and learns then what is wrong.
fn unlock_early(context: &Context, flags: &Flags, settings: &StackSettings) {
    if flags.preview_only || crate::passphrases::asks_for_passphrase(context) {
        return;
    }
    if let Ok(Some(manager)) = crate::config_values::manager_of_settings(context, settings) {
        tokio::spawn(async move { manager.unlock().await });
    }
}

/// The making sure that secrets can be used.
pub(crate) struct Unlocking(Option<tokio::task::JoinHandle<Result<(), Diagnostic>>>);

impl Unlocking {
    /// Waits for it.
    pub(crate) async fn done(self) -> Result<(), CommandError> {
        let Some(task) = self.0 else { return Ok(()) };
        let interrupted =
            |_| Err(Diagnostic::error("passphrase-interrupted", "the passphrase could not be checked"));
        Ok(task.await.unwrap_or_else(interrupted)?)
    }
}

fn is_newer(a: &str, b: &str) -> bool {
    match (a.parse::<semver::Version>(), b.parse::<semver::Version>()) {
        (Ok(a), Ok(b)) => a > b,
        (Ok(_), Err(_)) => true,
        _ => false,
    }
}

/// Sets what `--config key=value` gives, and keeps it.
fn set_from_command_line(
    project: &Project,
    settings: &mut StackSettings,
    flags: &Flags,
) -> Result<(), CommandError> {
    if flags.common.config.is_empty() {
        return Ok(());
    }
    let mut values = settings.config().clone();
    for pair in &flags.common.config {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(CommandError::usage(
                "config-pair",
                format!("--config '{pair}' is not of the form key=value"),
            ));
        };
        values.set(
            &ConfigTarget::parse(&project.name, key, flags.common.config_path)?,
            ConfigInput::text(value),
        )?;
    }
    settings.set_config(&values)?;
    Ok(settings.save()?)
}

/// What language hosts are told about the machine and the user's wishes.
pub(crate) fn host_settings(context: &Context, debug_messages: bool) -> HostSettings {
    let cache = context.ambient.pulumi_home().join("purlin-cache");
    HostSettings {
        debug_messages,
        command_name: context.ambient.invoked_as.clone(),
        ..HostSettings::new(context.ambient.env().clone(), cache)
    }
}

/// Where a project's program is.
pub(crate) fn program_info(project: &Project) -> ProgramInfo {
    let root_directory = project.directory().to_path_buf();
    let (program_directory, entry_point) = match &project.main {
        None => (root_directory.clone(), ".".to_owned()),
        Some(main) => {
            let path = root_directory.join(main);
            match (path.is_file(), path.parent(), path.file_name()) {
                (true, Some(parent), Some(name)) => {
                    (PathBuf::from(parent), name.to_string_lossy().into_owned())
                }
                _ => (path, ".".to_owned()),
            }
        }
    };
    let options = project.runtime.options.iter().map(|(k, v)| (k.clone(), property(v))).collect();
    ProgramInfo { root_directory, program_directory, entry_point, options }
}

#[expect(clippy::cast_precision_loss, reason = "options of runtimes are small numbers")]
pub(crate) fn property(value: &Value) -> PropertyValue {
    match value {
        Value::Null => PropertyValue::Null,
        Value::Bool(b) => PropertyValue::Bool(*b),
        Value::Int(n) => PropertyValue::Number(*n as f64),
        Value::Uint(n) => PropertyValue::Number(*n as f64),
        Value::Float(n) => PropertyValue::Number(*n),
        Value::String(text) => PropertyValue::String(text.clone()),
        Value::Array(items) => PropertyValue::Array(items.iter().map(property).collect()),
        Value::Object(map) => {
            PropertyValue::Object(map.iter().map(|(k, v)| (k.clone(), property(v))).collect())
        }
    }
}
