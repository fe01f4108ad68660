//! `new`: makes a project from a template.

use std::path::Path;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::event::EngineEvent;
use purlin_ports::EventSink;
use purlin_project::config::{ConfigInput, ConfigTarget};
use purlin_project::names::validate_project_name;
use purlin_project::{Project, StackSettings};

use crate::args::{InstallArgs, NewArgs};
use crate::commands::templates::{TEMPLATES, Template};
use crate::config_values;
use crate::context::Context;
use crate::exit::CommandError;

struct Answers {
    project: String,
    description: String,
    stack: Option<String>,
}

/// Makes a project, and if it is wanted a first stack, with dependencies installed.
pub(crate) async fn new(context: &Context, args: NewArgs) -> Result<(), CommandError> {
    if args.list_templates {
        for template in TEMPLATES {
            context.out.line(format!("{:<12}{}", template.name, template.description));
        }
        return Ok(());
    }
    let template = choose_template(context, args.template.as_deref())?;
    config_values::check_secrets_provider(args.secrets_provider.as_deref())?;
    let directory = match &args.dir {
        Some(dir) => context.ambient.cwd.join(dir),
        None => context.ambient.cwd.clone(),
    };
    refuse_full(&directory, args.force)?;
    let answers = ask(context, &args, &directory, template)?;
    write(template, &directory, &answers, args.force)?;
    context.out.line(format!("Created project '{}'", answers.project));
    if args.generate_only {
        return Ok(());
    }
    let project = Project::load(&directory.join("Pulumi.yaml"))?;
    if let Some(stack) = &answers.stack {
        make_stack(context, &project, stack, &args).await?;
    }
    install_dependencies(context, &project, false).await?;
    context.out.line(format!(
        "Your new project is ready to go! To perform an initial deployment, run `{} up`",
        context.ambient.invoked_as
    ));
    Ok(())
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
    let full = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    if full && !force {
        let message = format!("{} is not empty", directory.display());
        let hint = "make an empty directory, name another one with --dir, or give --force";
        return Err(Diagnostic::error("directory-full", message).with_hint(hint).into());
    }
    Ok(())
}

fn ask(
    context: &Context,
    args: &NewArgs,
    directory: &Path,
    template: &Template,
) -> Result<Answers, CommandError> {
    let asks = !args.yes && context.interactive();
    let fallback: String = directory
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .collect();
    let fallback = if fallback.is_empty() { "project".to_owned() } else { fallback };
    let project = match &args.name {
        Some(name) => name.clone(),
        None if asks => context.ask_text("Project name", &fallback, "--name")?,
        None => fallback,
    };
    validate_project_name(&project)?;
    let description = match &args.description {
        Some(text) => text.clone(),
        None if asks => context.ask_text("Project description", template.description, "--description")?,
        None => template.description.to_owned(),
    };
    let stack = match &args.stack {
        Some(stack) => Some(stack.clone()),
        None if args.generate_only => None,
        None if asks => Some(context.ask_text("Stack name", "dev", "--stack")?),
        None => Some("dev".to_owned()),
    };
    Ok(Answers { project, description, stack })
}

fn write(template: &Template, directory: &Path, answers: &Answers, force: bool) -> Result<(), CommandError> {
    let failed =
        |path: &Path, e: std::io::Error| Diagnostic::error("file-write", format!("{}: {e}", path.display()));
    std::fs::create_dir_all(directory).map_err(|e| failed(directory, e))?;
    for (name, text) in template.files {
        let path = directory.join(name);
        if path.exists() && !force {
            return Err(Diagnostic::error("file-exists", format!("{} exists already", path.display())).into());
        }
        let description = serde_json::to_string(&answers.description).unwrap_or_default();
        let text = text.replace("${PROJECT}", &answers.project).replace("${DESCRIPTION}", &description);
        std::fs::write(&path, text).map_err(|e| failed(&path, e))?;
    }
    Ok(())
}

async fn make_stack(
    context: &Context,
    project: &Project,
    stack: &str,
    args: &NewArgs,
) -> Result<(), CommandError> {
    let store = context.store(Some(project))?;
    let id = context.stack_id(Some(project), stack)?;
    let provider = args.secrets_provider.as_deref();
    let settings = config_values::prepare_new_stack(context, project, &id, provider).await?;
    store.create(&id).await?;
    if let Some(settings) = settings {
        settings.save()?;
    }
    context.select(project, store.url(), Some(&id.name))?;
    context.out.line(format!("Created stack '{}'", id.name));
    if args.config.is_empty() {
        return Ok(());
    }
    let mut settings = StackSettings::load(&project.stack_settings_path(&id.name), &project.name)?;
    let mut values = settings.config().clone();
    for pair in &args.config {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(CommandError::usage(
                "config-pair",
                format!("--config '{pair}' is not of the form key=value"),
            ));
        };
        values.set(&ConfigTarget::parse(&project.name, key, args.config_path)?, ConfigInput::text(value))?;
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
