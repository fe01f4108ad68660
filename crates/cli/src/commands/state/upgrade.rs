//! `state upgrade`: from the old layout, without projects.

use purlin_diag::Diagnostic;

use super::migrate::shown_url;
use crate::args::StateUpgradeArgs;
use crate::context::Context;
use crate::exit::{CommandError, Failure};
use crate::report;

/// Moves stacks into the folders of their projects.
pub(crate) async fn upgrade(context: &Context, args: &StateUpgradeArgs) -> Result<(), CommandError> {
    let project = context.find_project()?;
    let url = context.backend_url(project.as_ref())?;
    let store = context.store_to_upgrade(&url)?;
    let legacy = store.legacy_stacks().await?;
    if legacy.is_empty() {
        context.out.line("Nothing to do");
        return Ok(());
    }
    context.out.line(format!("Stacks of the old layout in {}:", shown_url(&url)));
    for stack in &legacy {
        match &stack.project {
            Some(project) => context.out.line(format!("  {} becomes {project}/{}", stack.name, stack.name)),
            None => context.out.line(format!("  {} (has no resources to tell its project)", stack.name)),
        }
    }
    context.confirm(
        "This will upgrade the backend to the layout with projects, which old versions of other programs can't \
         read. Are you sure you want to proceed?",
        args.yes,
        "--yes",
    )?;
    let mut chosen = Vec::new();
    for mut stack in legacy {
        if stack.project.is_none() && context.interactive() {
            let question = format!("Project of stack {} (empty to leave it):", stack.name);
            let answer = context.ask_text(&question, "", "the project")?;
            stack.project = Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty());
        }
        chosen.push(stack);
    }
    let report = store.upgrade(chosen).await?;
    for (name, problem) in &report.skipped {
        let mut warning = problem.clone();
        warning.message = format!("skipping stack '{name}': {}", warning.message);
        context.out.error_line(report::render(&warning, context.out.colors()));
    }
    context.out.line(format!("Upgraded {} stack(s) to project mode", report.moved.len()));
    if report.skipped.is_empty() {
        return Ok(());
    }
    let message = format!("{} stacks are still in the old layout", report.skipped.len());
    Err(CommandError::new(Failure::General, Diagnostic::error("upgrade-incomplete", message)))
}
