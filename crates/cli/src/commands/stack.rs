//! `stack`: makes, lists, selects and removes stacks.

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StackSummary, StateError, StateStore};

use crate::args::{self, StackArgs, StackCommand, StackInitArgs, StackLsArgs, StackRmArgs, StackSelectArgs};
use crate::commands::stack_show::{ago, show, table};
use crate::commands::{stack_files, stack_graph, stack_history, stack_rename, stack_secrets, stack_tag};
use crate::config_values;
use crate::context::{Context, ORGANIZATION, Target};
use crate::exit::{CommandError, Failure};

/// Runs a command about stacks.
pub(crate) async fn stack(context: &Context, args: StackArgs) -> Result<(), CommandError> {
    let named = args::named(args.stack.as_ref()).map(str::to_owned);
    match args.command.clone() {
        None => show(context, &args).await,
        Some(StackCommand::Init(init)) => self::init(context, named.as_deref(), init).await,
        Some(StackCommand::Ls(ls)) => list(context, ls).await,
        Some(StackCommand::Select(select)) => self::select(context, named.as_deref(), select).await,
        Some(StackCommand::Unselect) => unselect(context),
        Some(StackCommand::Rm(rm)) => remove(context, named.as_deref(), rm).await,
        Some(StackCommand::Output(output)) => stack_files::output(context, named.as_deref(), output).await,
        Some(StackCommand::Export(export)) => stack_files::export(context, named.as_deref(), export).await,
        Some(StackCommand::Import(import)) => stack_files::import(context, named.as_deref(), import).await,
        Some(StackCommand::History(history)) => {
            stack_history::history(context, named.as_deref(), history).await
        }
        Some(StackCommand::Rename(rename)) => stack_rename::rename(context, named.as_deref(), &rename).await,
        Some(StackCommand::Tag(tag)) => stack_tag::tag(context, named.as_deref(), tag).await,
        Some(StackCommand::ChangeSecretsProvider(change)) => {
            stack_secrets::change(context, named.as_deref(), &change).await
        }
        Some(StackCommand::Graph(graph)) => stack_graph::graph(context, named.as_deref(), &graph).await,
    }
}

async fn init(context: &Context, named: Option<&str>, args: StackInitArgs) -> Result<(), CommandError> {
    let project = context.project()?;
    let store = context.store(Some(&project))?;
    let name = match args.name.as_deref().or(named) {
        Some(name) => name.to_owned(),
        None => context.ask_text("What is the new stack to be called?", "dev", "a name")?,
    };
    let id = context.stack_id(Some(&project), &name)?;
    let provider = args.secrets_provider.as_deref();
    let settings = config_values::prepare_new_stack(context, &project, &id, provider).await?;
    store.create(&id).await?;
    settings.save()?;
    if let Some(source) = &args.copy_config_from {
        config_values::copy_config(context, source, &id.name).await?;
    }
    if !args.no_select {
        context.select(&project, store.url(), Some(&id.name))?;
    }
    context.out.error_line(format!("Created stack '{}'", id.name));
    Ok(())
}

async fn list(context: &Context, args: StackLsArgs) -> Result<(), CommandError> {
    let project = context.find_project()?;
    if args.project.is_none() && project.is_none() && !args.all {
        return Err(Diagnostic::error(
            "no-project",
            "no project file was found here or in any directory above",
        )
        .with_hint("use --all to list the stacks of all projects")
        .into());
    }
    let store = context.store(project.as_ref())?;
    let own = project.as_ref().filter(|_| !args.all).map(|p| p.name.clone());
    let only = args.project.clone().or(own);
    let mut stacks = store.list(only.as_deref()).await?;
    if args.organization.as_ref().is_some_and(|organization| organization != ORGANIZATION) {
        // The backend has one organization.
        stacks.clear();
    }
    if let Some(filter) = &args.tag {
        stacks = with_tag(store.as_ref(), stacks, filter).await?;
    }
    let selected = match &project {
        Some(project) => context.selected(project, store.url())?,
        None => None,
    };
    // A selection may be a full name; one that is none selects nothing.
    let current = selected.and_then(|name| context.stack_id(project.as_ref(), &name).ok());
    let is_current = |stack: &StackSummary| current.as_ref() == Some(&stack.id);
    let name = |id: &StackId| {
        let plain = project.as_ref().is_some_and(|p| p.name == id.project)
            && !context.global.fully_qualify_stack_names;
        if plain { id.name.clone() } else { id.to_string() }
    };
    if args.json {
        let rows: Vec<serde_json::Value> =
            stacks.iter().map(|s| json_row(s, &name(&s.id), is_current(s))).collect();
        context.out.line(serde_json::to_string_pretty(&rows).unwrap_or_default());
        return Ok(());
    }
    let rows: Vec<Vec<String>> = stacks
        .iter()
        .map(|stack| {
            let mark = if is_current(stack) { "*" } else { "" };
            let updated =
                stack.last_update.as_deref().and_then(|t| t.parse().ok()).map_or("n/a".to_owned(), ago);
            let count = stack.resource_count.map_or("n/a".to_owned(), |n| n.to_string());
            vec![format!("{}{mark}", name(&stack.id)), updated, count]
        })
        .collect();
    for line in table(&["NAME", "LAST UPDATE", "RESOURCE COUNT"], &rows) {
        context.out.line(line);
    }
    Ok(())
}

/// The stacks that have a tag, given as `name` or `name=value`.
async fn with_tag(
    store: &dyn StateStore,
    stacks: Vec<StackSummary>,
    filter: &str,
) -> Result<Vec<StackSummary>, CommandError> {
    let (name, value) = match filter.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (filter, None),
    };
    let mut found = Vec::new();
    for stack in stacks {
        // A stack that went away meanwhile, or whose tags can't be read, has none.
        let tags = store.tags(&stack.id).await.unwrap_or_default();
        if tags.get(name).is_some_and(|tag| value.is_none_or(|value| value == tag)) {
            found.push(stack);
        }
    }
    Ok(found)
}

fn json_row(stack: &StackSummary, name: &str, current: bool) -> serde_json::Value {
    let mut row = serde_json::Map::new();
    row.insert("name".into(), name.into());
    row.insert("current".into(), current.into());
    let time = stack.last_update.as_deref().and_then(|t| t.parse::<jiff::Timestamp>().ok());
    if let Some(time) = time {
        row.insert("lastUpdate".into(), format!("{time:.3}").into());
    }
    if let Some(count) = stack.resource_count {
        row.insert("resourceCount".into(), count.into());
    }
    row.into()
}

async fn select(context: &Context, named: Option<&str>, args: StackSelectArgs) -> Result<(), CommandError> {
    let given = args.name.as_deref().or(named);
    if given.is_none() && !context.interactive() {
        let problem = Diagnostic::error("no-stack", "no stack selected; specify a stack name with --stack")
            .with_hint("`stack ls` lists the stacks that there are");
        return Err(CommandError::new(Failure::NoStack, problem));
    }
    let project = context.project()?;
    let store = context.store(Some(&project))?;
    let stacks = store.list(Some(&project.name)).await?;
    let name = match given {
        Some(name) => name.to_owned(),
        None => {
            let names: Vec<String> = stacks.iter().map(|s| s.id.name.clone()).collect();
            if names.is_empty() {
                let problem = Diagnostic::error("no-stacks", "there are no stacks")
                    .with_hint("make one with `stack init`");
                return Err(problem.into());
            }
            context.choose("Please choose a stack:", names, "a name")?
        }
    };
    let id = context.stack_id(Some(&project), &name)?;
    if !stacks.iter().any(|stack| stack.id == id) {
        if !args.create {
            return Err(purlin_ports::StateError::NotFound(id).into());
        }
        let provider = args.secrets_provider.as_deref();
        let settings = config_values::prepare_new_stack(context, &project, &id, provider).await?;
        store.create(&id).await?;
        settings.save()?;
        context.out.error_line(format!("Created stack '{}'", id.name));
    }
    context.select(&project, store.url(), Some(&id.name))
}

fn unselect(context: &Context) -> Result<(), CommandError> {
    let project = context.project()?;
    let store = context.store(Some(&project))?;
    if context.selected(&project, store.url())?.is_none() {
        return Ok(());
    }
    context.select(&project, store.url(), None)?;
    context.out.error_line("Stack was unselected");
    Ok(())
}

async fn remove(context: &Context, named: Option<&str>, args: StackRmArgs) -> Result<(), CommandError> {
    let target = context.stack(args.name.as_deref().or(named))?;
    refuse_unreadable(&target).await?;
    let warning = format!("This will permanently remove the '{}' stack!", target.id.name);
    context.confirm_word(&warning, &target.id.name, args.yes)?;
    target.remove(context, args.force, args.preserve_config).await?;
    if args.remove_backups {
        target.store.remove_backups(&target.id).await?;
    }
    context.out.line(format!("Stack '{}' has been removed!", target.id.name));
    Ok(())
}

/// A state that can't be read may name resources that nobody would find again. A journal that doesn't
/// fit is another matter: force is the way to be rid of it.
async fn refuse_unreadable(target: &Target) -> Result<(), CommandError> {
    match target.store.load(&target.id).await {
        Err(StateError::Unusable(mut problem)) if !problem.code.starts_with("journal-") => {
            let way_out = "or replace it by `stack import --force`, and remove the stack then";
            let hint = problem.hint.take().map_or_else(String::new, |hint| format!("{hint}; "));
            Err(problem.with_hint(format!("{hint}{way_out}")).into())
        }
        // What else there is to say, the removal says.
        _ => Ok(()),
    }
}
