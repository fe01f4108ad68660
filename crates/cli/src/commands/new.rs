//! `new`: makes a project from a template.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::event::EngineEvent;
use purlin_ports::{EventSink, StackId, StateStore};
use purlin_project::config::{ConfigInput, ConfigMap, ConfigTarget};
use purlin_project::names::{StackReference, validate_project_name};
use purlin_project::yaml::Format;
use purlin_project::{Project, StackSettings};

use crate::args::{InstallArgs, NewArgs};
use crate::commands::config::split_pair;
use crate::commands::templates::{TEMPLATES, Template};
use crate::config_values;
use crate::context::{Context, ORGANIZATION};
use crate::exit::CommandError;

/// What is to be made, with everything checked that can be before the first file is written.
struct Plan {
    directory: PathBuf,
    project: Project,
    files: Vec<(PathBuf, String)>,
    stack: Option<StackPlan>,
}

struct StackPlan {
    store: Arc<dyn StateStore>,
    id: StackId,
    /// The settings of a stack that is to be made; a stack that is there is used.
    fresh: Option<StackSettings>,
    config: Vec<(ConfigTarget, ConfigInput)>,
}

/// Makes a project, and if it is wanted a first stack, with dependencies installed.
pub(crate) async fn new(context: &Context, mut args: NewArgs) -> Result<(), CommandError> {
    if args.list_templates {
        for template in TEMPLATES {
            context.out.line(format!("{:<12}{}", template.name, template.description));
        }
        return Ok(());
    }
    // An empty name counts as none, and without a stack it doesn't count at all.
    args.stack = args.stack.filter(|name| !name.is_empty() && !args.generate_only);
    let plan = plan(context, &args).await?;
    write(&plan)?;
    context.out.line(format!("Created project '{}'", plan.project.name));
    if args.generate_only {
        return Ok(());
    }
    if let Some(stack) = &plan.stack {
        make_stack(context, &plan.project, stack).await?;
    }
    install_dependencies(context, &plan.project, false).await?;
    context.out.line(format!(
        "Your new project is ready to go! To perform an initial deployment, run `{} up`",
        context.ambient.invoked_as
    ));
    Ok(())
}

async fn plan(context: &Context, args: &NewArgs) -> Result<Plan, CommandError> {
    let template = choose_template(context, args.template.as_deref())?;
    config_values::check_secrets_provider(args.secrets_provider.as_deref())?;
    let directory = match &args.dir {
        Some(dir) => context.ambient.cwd.join(dir),
        None => context.ambient.cwd.clone(),
    };
    refuse_full(&directory, args.force)?;
    let store = match args.generate_only {
        true => None,
        false => Some(context.store(None)?),
    };
    let given = args.stack.as_deref().map(StackReference::parse).transpose()?;
    let asks = !args.yes && context.interactive();
    let name = project_name(context, args, &directory, given.as_ref())?;
    let owned = given.as_ref().is_some_and(|reference| reference.project.is_some());
    let stacks = match &store {
        Some(store) => store.list(Some(&name)).await?.into_iter().map(|stack| stack.id).collect(),
        None => Vec::new(),
    };
    if !owned && !stacks.is_empty() {
        let url = store.as_ref().map(|store| store.url()).unwrap_or_default();
        let message = format!("a project '{name}' exists already in {url}");
        let hint = format!(
            "give another name by --name, or a stack of that project by --stack {ORGANIZATION}/{name}/<stack>"
        );
        return Err(Diagnostic::error("project-exists", message).with_hint(hint).into());
    }
    let description = match &args.description {
        Some(text) => text.clone(),
        None if asks => context.ask_text("Project description", template.description, "--description")?,
        None => template.description.to_owned(),
    };
    let files = render(template, &directory, &name, &description, args.force)?;
    let (path, text) = &files[0];
    let project = Project::parse(path, text, Format::Yaml)?;
    let stack = match store {
        None => None,
        Some(store) => {
            let reference = match given {
                Some(reference) => reference,
                None if asks => StackReference::parse(&context.ask_text("Stack name", "dev", "--stack")?)?,
                None => StackReference::parse("dev")?,
            };
            let organization = reference.organization.as_deref().unwrap_or(ORGANIZATION);
            let id = context.stack_id(None, &format!("{organization}/{name}/{}", reference.stack))?;
            let config = config_of(args, &name)?;
            let fresh = match stacks.contains(&id) {
                true => None,
                false => {
                    let provider = args.secrets_provider.as_deref();
                    Some(config_values::prepare_new_stack(context, &project, &id, provider).await?)
                }
            };
            Some(StackPlan { store, id, fresh, config })
        }
    };
    Ok(Plan { directory, project, files, stack })
}

fn choose_template(context: &Context, named: Option<&str>) -> Result<&'static Template, CommandError> {
    let name = match named {
        Some(name) => name.to_owned(),
        None => {
            let names = TEMPLATES.iter().map(|t| t.name.to_owned()).collect();
            context.choose("Please choose a template:", names, "a template's name")?
        }
    };
    TEMPLATES.iter().find(|t| t.name == name).ok_or_else(|| {
        let names: Vec<&str> = TEMPLATES.iter().map(|t| t.name).collect();
        Diagnostic::error("template-unknown", format!("there is no template '{name}'"))
            .with_hint(format!(
                "the templates are {}; templates at URLs are not supported yet",
                names.join(", ")
            ))
            .into()
    })
}

fn refuse_full(directory: &Path, force: bool) -> Result<(), CommandError> {
    // A repository that was just made is empty enough.
    const REPOSITORIES: [&str; 3] = [".git", ".hg", ".bzr"];
    let counts = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| !REPOSITORIES.iter().any(|name| entry.file_name() == *name))
    };
    let full = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.any(counts));
    if full && !force {
        let message = format!("{} is not empty", directory.display());
        let hint = "make an empty directory, name another one with --dir, or give --force";
        return Err(Diagnostic::error("directory-full", message).with_hint(hint).into());
    }
    Ok(())
}

/// The project's name: as given, as the stack says, or that of the directory.
fn project_name(
    context: &Context,
    args: &NewArgs,
    directory: &Path,
    stack: Option<&StackReference>,
) -> Result<String, CommandError> {
    let fallback: String = directory
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .collect();
    let fallback = if fallback.is_empty() { "project".to_owned() } else { fallback };
    let name = match (&args.name, stack.and_then(|stack| stack.project.as_ref())) {
        (Some(name), Some(other)) if name != other => {
            let message = format!("--name is '{name}', and --stack names a stack of project '{other}'");
            let hint = "leave out --name, or the project in --stack";
            return Err(Diagnostic::error("project-name", message).with_hint(hint).into());
        }
        (Some(name), _) | (None, Some(name)) => name.clone(),
        (None, None) if !args.yes && context.interactive() => {
            context.ask_text("Project name", &fallback, "--name")?
        }
        (None, None) => fallback,
    };
    validate_project_name(&name)?;
    Ok(name)
}

/// The values of `--config`.
fn config_of(args: &NewArgs, project: &str) -> Result<Vec<(ConfigTarget, ConfigInput)>, CommandError> {
    let mut tried = ConfigMap::new();
    let mut values = Vec::new();
    for pair in &args.config {
        let (key, value) = split_pair("--config", pair)?;
        let target = ConfigTarget::parse(project, key, args.config_path)?;
        tried.set(&target, ConfigInput::text(value))?;
        values.push((target, ConfigInput::text(value)));
    }
    Ok(values)
}

/// The files of the project, the project file first.
fn render(
    template: &Template,
    directory: &Path,
    project: &str,
    description: &str,
    force: bool,
) -> Result<Vec<(PathBuf, String)>, CommandError> {
    let description = serde_json::to_string(description).unwrap_or_default();
    let mut files = Vec::new();
    for (name, text) in template.files {
        let path = directory.join(name);
        if path.exists() && !force {
            let message = format!("{} exists already", path.display());
            let hint = "remove it, name another directory with --dir, or give --force";
            return Err(Diagnostic::error("file-exists", message).with_hint(hint).into());
        }
        files.push((path, text.replace("${PROJECT}", project).replace("${DESCRIPTION}", &description)));
    }
    Ok(files)
}

fn write(plan: &Plan) -> Result<(), CommandError> {
    let failed =
        |path: &Path, e: std::io::Error| Diagnostic::error("file-write", format!("{}: {e}", path.display()));
    std::fs::create_dir_all(&plan.directory).map_err(|e| failed(&plan.directory, e))?;
    for (path, text) in &plan.files {
        std::fs::write(path, text).map_err(|e| failed(path, e))?;
    }
    Ok(())
}

async fn make_stack(context: &Context, project: &Project, plan: &StackPlan) -> Result<(), CommandError> {
    let mut settings = match &plan.fresh {
        Some(settings) => {
            plan.store.create(&plan.id).await?;
            settings.save()?;
            context.out.line(format!("Created stack '{}'", plan.id.name));
            settings.clone()
        }
        None => StackSettings::load(&project.stack_settings_path(&plan.id.name), &project.name)?,
    };
    context.select(project, plan.store.url(), Some(&plan.id.name))?;
    if plan.config.is_empty() {
        return Ok(());
    }
    let mut values = settings.config().clone();
    for (target, input) in &plan.config {
        values.set(target, input.clone())?;
    }
    settings.set_config(&values)?;
    Ok(settings.save()?)
}

/// Shows what installers print.
struct Printed(Arc<crate::output::Output>);

impl EventSink for Printed {
    fn emit(&self, event: EngineEvent) {
        match event {
            EngineEvent::Diagnostic { message, ephemeral: false, .. } | EngineEvent::Stdout { message } => {
                self.0.line(message.trim_end());
            }
            _ => {}
        }
    }
}

/// Installs what the project's program depends on.
pub(crate) async fn install(context: &Context, args: InstallArgs) -> Result<(), CommandError> {
    install_dependencies(context, &context.project()?, args.reinstall).await
}

async fn install_dependencies(
    context: &Context,
    project: &Project,
    reinstall: bool,
) -> Result<(), CommandError> {
    if project.runtime.name == "yaml" {
        return Ok(());
    }
    let (host, program) = crate::operation::host_and_program(context, project)?;
    context.out.line("Installing dependencies...");
    let events: Arc<dyn EventSink> = Arc::new(Printed(Arc::clone(&context.out)));
    host.install_dependencies(&program, &events, reinstall).await?;
    context.out.line("Finished installing dependencies");
    Ok(())
}
