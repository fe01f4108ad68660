//! What every command starts from: surroundings, output, project, backend, stack.

use std::path::PathBuf;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_ports::{Blobs, StackId, StateStore};
use purlin_project::manifest::{ManifestKind, find_manifest};
use purlin_project::names::StackReference;
use purlin_project::{Credentials, Project, StackSettings, WorkspaceSettings};
use purlin_state::{DiyOptions, DiyStore, Surroundings, SystemProcesses, SystemTimer, directory_of_url};

use crate::ambient::{Ambient, SystemClock, SystemEntropy};
use crate::args::GlobalArgs;
use crate::config_values::Managers;
use crate::exit::{CommandError, Failure};
use crate::output::Output;
use crate::pace::Pace;

/// The organization of backends that have none.
pub(crate) const ORGANIZATION: &str = "organization";

/// The organization that a reference to a stack names or leaves out.
pub(crate) fn organization(named: Option<String>) -> Result<String, Diagnostic> {
    let organization = named.unwrap_or_else(|| ORGANIZATION.to_owned());
    if organization == ORGANIZATION {
        return Ok(organization);
    }
    let message = format!("this backend has no organization '{organization}'");
    let hint = format!(
        "name the stack without one, or with '{ORGANIZATION}'; one of another project is \
         '{ORGANIZATION}/<project>/<stack>'"
    );
    Err(Diagnostic::error("stack-name", message).with_hint(hint))
}

/// What every command starts from.
pub(crate) struct Context {
    pub(crate) ambient: Ambient,
    pub(crate) global: GlobalArgs,
    pub(crate) out: Arc<Output>,
    pub(crate) managers: Managers,
    pub(crate) pace: Arc<Pace>,
}

impl Context {
    /// Whether there is somebody to ask, and a terminal that can be drawn on.
    pub(crate) fn interactive(&self) -> bool {
        let dumb = self.ambient.var("TERM").is_some_and(|term| term.eq_ignore_ascii_case("dumb"));
        !self.global.non_interactive
            && !dumb
            && self.ambient.stdin_terminal
            && self.ambient.stdout_terminal
            && !self.ambient.in_ci()
    }

    /// The project that the working directory belongs to, if it belongs to one.
    pub(crate) fn find_project(&self) -> Result<Option<Project>, CommandError> {
        match find_manifest(&self.ambient.cwd, ManifestKind::Project) {
            Some(path) => Ok(Some(Project::load(&path)?)),
            None => Ok(None),
        }
    }

    /// The project that the working directory belongs to.
    pub(crate) fn project(&self) -> Result<Project, CommandError> {
        let path = purlin_project::find_project(&self.ambient.cwd)?;
        Ok(Project::load(&path)?)
    }

    pub(crate) fn credentials(&self) -> Result<Credentials, CommandError> {
        let directory = match self.ambient.non_empty("PULUMI_CREDENTIALS_PATH") {
            Some(path) => PathBuf::from(path),
            None => self.ambient.pulumi_home(),
        };
        Ok(Credentials::load(&directory)?)
    }

    /// The URL of the backend: from the environment, the project, or the last login.
    pub(crate) fn backend_url(&self, project: Option<&Project>) -> Result<String, CommandError> {
        if let Some(url) = self.ambient.non_empty("PULUMI_BACKEND_URL") {
            return Ok(url.to_owned());
        }
        if let Some(url) = project.and_then(|p| p.backend_url.clone()) {
            return Ok(url);
        }
        if let Some(url) = self.credentials()?.current() {
            return Ok(url.to_owned());
        }
        let message = "no backend is chosen";
        Err(CommandError::new(
            Failure::General,
            Diagnostic::error("no-backend", message).with_hint(
                "run `login --local` to keep state in your home directory, `login file://<directory>` to keep it \
                 elsewhere, or set PULUMI_BACKEND_URL",
            ),
        ))
    }

    /// The backend.
    pub(crate) fn store(&self, project: Option<&Project>) -> Result<Arc<dyn StateStore>, CommandError> {
        self.open_store(&self.backend_url(project)?)
    }

    /// The backend behind a URL.
    pub(crate) fn open_store(&self, url: &str) -> Result<Arc<dyn StateStore>, CommandError> {
        let (options, surroundings) = self.store_surroundings()?;
        if let Some(blobs) = self.blobs(url)? {
            return Ok(Arc::new(DiyStore::open_bucket(url, blobs, options, surroundings)?));
        }
        let directory = directory_of_url(url, self.ambient.home.as_deref(), &self.ambient.cwd)?;
        let store = DiyStore::open(url, directory, options, surroundings)?;
        Ok(Arc::new(store))
    }

    /// The backend behind a URL, whatever its layout is, to be upgraded.
    pub(crate) fn store_to_upgrade(&self, url: &str) -> Result<DiyStore, CommandError> {
        let (options, surroundings) = self.store_surroundings()?;
        if let Some(blobs) = self.blobs(url)? {
            return Ok(DiyStore::open_bucket_of_any_layout(url, blobs, options, surroundings)?);
        }
        let directory = directory_of_url(url, self.ambient.home.as_deref(), &self.ambient.cwd)?;
        Ok(DiyStore::open_any_layout(url, directory, options, surroundings))
    }

    /// What a URL's service keeps; `None` if it is that of a directory.
    fn blobs(&self, url: &str) -> Result<Option<Arc<dyn Blobs>>, CommandError> {
        let scheme = url.split("://").next().unwrap_or_default();
        if !purlin_blobs::SCHEMES.contains(&scheme) {
            return Ok(None);
        }
        let variable = |name: &str| self.ambient.var(name).map(str::to_owned);
        let around = purlin_blobs::Surroundings { variable: &variable, home: self.ambient.home.as_deref() };
        Ok(Some(purlin_blobs::open(url, &around)?))
    }

    /// How stores work here.
    fn store_surroundings(&self) -> Result<(DiyOptions, Surroundings), CommandError> {
        let mut options = DiyOptions::from_variables(|name| self.ambient.var(name).map(str::to_owned))?;
        options.disable_integrity_checks = self.global.disable_integrity_checking;
        let hostname = self.ambient.host_name();
        let surroundings = Surroundings {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            timer: Arc::new(SystemTimer::start()),
            processes: Arc::new(SystemProcesses::new(hostname.clone())),
            pid: std::process::id(),
            hostname,
            username: self.ambient.user_name(),
            unsent: Some(self.ambient.pulumi_home().join("purlin").join("unsent")),
        };
        Ok((options, surroundings))
    }

    /// The selected stack of a project for a backend.
    pub(crate) fn selected(&self, project: &Project, backend: &str) -> Result<Option<String>, CommandError> {
        if let Some(stack) = self.ambient.non_empty("PULUMI_STACK") {
            return Ok(Some(stack.to_owned()));
        }
        let settings = WorkspaceSettings::load(&self.ambient.pulumi_home(), &project.name, &project.path)?;
        Ok(settings.stack_for_backend(backend).map(str::to_owned))
    }

    /// Selects a stack.
    pub(crate) fn select(
        &self,
        project: &Project,
        backend: &str,
        stack: Option<&str>,
    ) -> Result<(), CommandError> {
        let mut settings =
            WorkspaceSettings::load(&self.ambient.pulumi_home(), &project.name, &project.path)?;
        settings.select(backend, stack);
        Ok(settings.save()?)
    }

    /// The full name of a stack as the user names it.
    pub(crate) fn stack_id(&self, project: Option<&Project>, name: &str) -> Result<StackId, CommandError> {
        let reference = StackReference::parse(name)?;
        let organization = organization(reference.organization)?;
        let project = match (reference.project, project) {
            (Some(project), _) => project,
            (None, Some(project)) => project.name.clone(),
            (None, None) => {
                let message = format!("the stack '{}' needs a project", reference.stack);
                let hint =
                    "run the command in a project's directory, or name the stack organization/project/stack";
                return Err(Diagnostic::error("no-project", message).with_hint(hint).into());
            }
        };
        Ok(StackId { organization, project, name: reference.stack })
    }

    /// The stack that a command is about: the one named, else the selected one. Scripts pass an empty
    /// name where they mean none.
    pub(crate) fn stack(&self, named: Option<&str>) -> Result<Target, CommandError> {
        let named = named.filter(|name| !name.is_empty());
        let project = self.find_project()?;
        let store = self.store(project.as_ref())?;
        let name = match (named, &project) {
            (Some(name), _) => name.to_owned(),
            (None, Some(project)) => match self.selected(project, store.url())? {
                Some(name) => name,
                None => return Err(no_stack_selected()),
            },
            (None, None) => {
                purlin_project::find_project(&self.ambient.cwd)?;
                return Err(no_stack_selected());
            }
        };
        let id = self.stack_id(project.as_ref(), &name)?;
        Ok(Target { id, store, project })
    }
}

fn no_stack_selected() -> CommandError {
    CommandError::new(
        Failure::General,
        Diagnostic::error("no-stack", "no stack selected").with_hint(
            "select one with `stack select`, make one with `stack init`, or name one with --stack",
        ),
    )
}

/// A stack, where it lives, and the project around.
pub(crate) struct Target {
    pub(crate) id: StackId,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) project: Option<Project>,
}

impl Target {
    /// The project; commands that need one say so.
    pub(crate) fn project(&self) -> Result<&Project, CommandError> {
        self.project.as_ref().ok_or_else(|| {
            Diagnostic::error("no-project", "no project file was found here or in any directory above")
                .with_hint("run the command in a project's directory, or make a project with `new`")
                .into()
        })
    }

    /// Removes the stack, unselects it, and removes its settings file unless that is to be kept.
    pub(crate) async fn remove(
        &self,
        context: &Context,
        force: bool,
        keep_settings: bool,
    ) -> Result<(), CommandError> {
        self.store.remove(&self.id, force).await?;
        let Some(project) = &self.project else { return Ok(()) };
        let selected = context.selected(project, self.store.url())?;
        if selected.and_then(|name| context.stack_id(Some(project), &name).ok()).as_ref() == Some(&self.id) {
            context.select(project, self.store.url(), None)?;
        }
        let settings = project.stack_settings_path(&self.id.name);
        if !keep_settings && settings.exists() {
            std::fs::remove_file(&settings)
                .map_err(|e| Diagnostic::error("config-file", format!("{}: {e}", settings.display())))?;
        }
        Ok(())
    }

    /// The stack's settings file, or another one.
    pub(crate) fn settings(&self, file: Option<&std::path::Path>) -> Result<StackSettings, CommandError> {
        let project = self.project()?;
        let path = match file {
            Some(file) => file.to_path_buf(),
            None => project.stack_settings_path(&self.id.name),
        };
        Ok(StackSettings::load(&path, &project.name)?)
    }
}
