//! `preview`, `up`, `refresh`, `destroy`.

mod ahead;
mod builtin;
mod fetch;
mod flags;
mod late;
mod pending;
mod plan_file;
mod policies;
mod prepare;
mod run;
mod schemas;
mod signals;
mod waiting;
mod why;

use purlin_model::event::OperationResult;
use purlin_plan::Mode;

use crate::args::{DestroyArgs, PreviewArgs, RefreshArgs, UpArgs};
use crate::context::Context;
use crate::exit::{CommandError, Failure};
use crate::operation::flags::Flags;
pub(crate) use crate::operation::prepare::Prepared;
use crate::operation::run::{Purpose, Ran};
pub(crate) use crate::operation::why::{Notes, why};

/// Shows what an update would do.
pub(crate) async fn preview(context: &Context, args: PreviewArgs) -> Result<(), CommandError> {
    let mut flags = Flags::of(context, args.common)?;
    flags.update(&args.update)?;
    flags.preview_only = true;
    flags.save_plan = args.save_plan;
    flags.why = args.why.then(Notes::default);
    let prepared = Prepared::new(context, flags, Mode::Update).await?;
    let ran = prepared.run(Purpose::Look).await?;
    if let Some(notes) = prepared.flags.why.as_ref().filter(|_| !prepared.flags.json) {
        let section = notes.section(&prepared);
        if !section.is_empty() {
            context.out.write(&format!(
                "
{section}"
            ));
        }
    }
    conclude(&ran, args.update.expect_no_changes)?;
    prepared.save_plan(ran).await
}

/// Brings the cloud to what the program wants.
pub(crate) async fn up(context: &Context, args: UpArgs) -> Result<(), CommandError> {
    let mut flags = Flags::of(context, args.common)?;
    flags.refuse(args.template.is_some(), "`up` of a template or URL")?;
    flags.update(&args.update)?;
    flags.plan_file = args.plan.map(|file| context.ambient.cwd.join(file));
    flags.strict = args.strict;
    if args.strict && args.approval.skip_preview {
        let message = "--strict goes without --skip-preview: the update follows the plan of its preview";
        return Err(at_odds("strict-flags", message));
    }
    crate::config_values::check_secrets_provider(args.secrets_provider.as_deref())?;
    flags.continue_on_error = args.continue_on_error || context.ambient.is_on("PULUMI_CONTINUE_ON_ERROR");
    need_approval(context, args.approval.yes, args.approval.skip_preview, Failure::Usage)?;
    let mut prepared = Prepared::new(context, flags, Mode::Update).await?;
    let approval =
        Approval { yes: args.approval.yes, skip_preview: args.approval.skip_preview, verb: "update" };
    let ran = previewed(context, &mut prepared, &approval).await?;
    conclude(&ran, args.update.expect_no_changes)
}

/// Brings the state to what the cloud has.
pub(crate) async fn refresh(context: &Context, args: RefreshArgs) -> Result<(), CommandError> {
    let mut flags = Flags::of(context, args.common)?;
    flags.import_pending_creates = pending::read_pairs(&args.import_pending_creates)?;
    if args.clear_pending_creates && args.skip_pending_creates {
        let message = "--clear-pending-creates goes without --skip-pending-creates";
        return Err(at_odds("refresh-flags", message));
    }
    flags.clear_pending_creates = args.clear_pending_creates;
    flags.preview_only = args.preview_only;
    let approval =
        Approval { yes: args.approval.yes, skip_preview: args.approval.skip_preview, verb: "refresh" };
    if !args.preview_only {
        need_approval(context, approval.yes, approval.skip_preview, Failure::General)?;
    }
    let mut prepared = Prepared::new(context, flags, Mode::Refresh).await?;
    if context.interactive() && !args.skip_pending_creates && !args.clear_pending_creates {
        pending::ask(context, &mut prepared).await?;
    }
    let ran = if args.preview_only {
        prepared.run(Purpose::Look).await?
    } else {
        previewed(context, &mut prepared, &approval).await?
    };
    conclude(&ran, args.expect_no_changes)
}

/// Deletes everything.
pub(crate) async fn destroy(context: &Context, args: DestroyArgs) -> Result<(), CommandError> {
    let mut flags = Flags::of(context, args.common)?;
    flags.ignore_protect = args.ignore_protect;
    flags.exclude_protected = args.exclude_protected;
    flags.preview_only = args.preview_only;
    flags.continue_on_error = args.continue_on_error || context.ambient.is_on("PULUMI_CONTINUE_ON_ERROR");
    let approval =
        Approval { yes: args.approval.yes, skip_preview: args.approval.skip_preview, verb: "destroy" };
    if !args.preview_only {
        need_approval(context, approval.yes, approval.skip_preview, Failure::Usage)?;
    }
    let mut prepared = Prepared::new(context, flags, Mode::Destroy).await?;
    let ran = if args.preview_only {
        prepared.run(Purpose::Look).await?
    } else {
        previewed(context, &mut prepared, &approval).await?
    };
    conclude(&ran, false)?;
    if args.preview_only {
        return Ok(());
    }
    let id = &prepared.target.id;
    let flags = &prepared.flags;
    let partly = flags.targets.limits() || flags.exclude_protected;
    if args.remove && partly && !prepared.is_empty().await? {
        let message = format!("the stack '{}' still has resources and is not removed", id.name);
        let hint = "run `destroy --remove` without options that leave resources alone";
        let problem = purlin_diag::Diagnostic::error("stack-has-resources", message).with_hint(hint);
        return Err(CommandError::new(Failure::General, problem));
    }
    if args.remove {
        prepared.remove_stack(context).await?;
        context.out.line(format!(
            "The resources in the stack have been deleted and the stack '{}' is removed.",
            id.name
        ));
    } else if !flags.json && !partly {
        context.out.line(format!(
            "The resources in the stack have been deleted, but the history and configuration associated with the \
             stack are still maintained.\nIf you want to remove the stack completely, run `{} stack rm {}`.",
            context.ambient.invoked_as, id.name
        ));
    }
    Ok(())
}

/// Flags that don't go together; ends like those that the parser refuses.
fn at_odds(code: &'static str, message: &str) -> CommandError {
    CommandError::new(Failure::General, purlin_diag::Diagnostic::error(code, message))
}

/// How an operation is approved of.
struct Approval {
    yes: bool,
    skip_preview: bool,
    verb: &'static str,
}

fn need_approval(
    context: &Context,
    yes: bool,
    skip_preview: bool,
    failure: Failure,
) -> Result<(), CommandError> {
    if yes || skip_preview || context.interactive() || context.ambient.is_on("PULUMI_SKIP_CONFIRMATIONS") {
        return Ok(());
    }
    let message = "--yes or --skip-preview must be passed in to proceed when running in non-interactive mode";
    Err(CommandError::new(failure, purlin_diag::Diagnostic::error("non-interactive", message)))
}

/// Previews, asks, acts. From the preview on the stack is held.
async fn previewed(
    context: &Context,
    prepared: &mut Prepared<'_>,
    approval: &Approval,
) -> Result<Ran, CommandError> {
    let ran = rehearsed(context, prepared, approval).await;
    let let_go = prepared.let_go().await;
    let ran = ran?;
    let_go?;
    Ok(ran)
}

async fn rehearsed(
    context: &Context,
    prepared: &mut Prepared<'_>,
    approval: &Approval,
) -> Result<Ran, CommandError> {
    let machine = prepared.flags.json;
    if !approval.skip_preview && (!machine || prepared.flags.strict) {
        let ran = prepared.run(Purpose::Rehearse).await?;
        if ran.result != OperationResult::Succeeded {
            return Ok(ran);
        }
        let question = format!("Do you want to perform this {}?", approval.verb);
        context.confirm(&question, approval.yes, "--yes")?;
        if let (true, Some(recorded)) = (prepared.flags.strict, ran.plan) {
            prepared.plan = Some(std::sync::Arc::new(recorded.plan));
        }
    }
    prepared.run(Purpose::Act).await
}

fn conclude(ran: &Ran, expect_no_changes: bool) -> Result<(), CommandError> {
    if ran.result != OperationResult::Succeeded {
        return Err(CommandError::told(Failure::General));
    }
    if expect_no_changes && ran.has_changes() {
        let message = "no changes were expected but changes occurred";
        let problem = purlin_diag::Diagnostic::error("unexpected-changes", message);
        return Err(CommandError::new(Failure::UnexpectedChanges, problem));
    }
    Ok(())
}

/// The host of a project's program, and the program.
pub(crate) fn host_and_program(
    context: &Context,
    project: &purlin_project::Project,
) -> Result<(std::sync::Arc<dyn purlin_ports::LanguageHost>, purlin_ports::ProgramInfo), CommandError> {
    let settings = prepare::host_settings(context, false);
    let host = purlin_languages::host_for(&project.runtime.name, std::sync::Arc::new(settings))?;
    Ok((host, prepare::program_info(project)))
}
