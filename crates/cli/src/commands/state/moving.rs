//! `state move`: resources from one stack to another.
//!
//! The destination is written first: should the run be cut off between the two, the resources are in
//! both states and the same command ends the move.

use std::collections::HashMap;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_edit::{Broken, MoveRequest, Moved, move_resources};
use purlin_journal::refuse_if_invalid;
use purlin_model::{Bag, ResourceState, Snapshot, Urn};
use purlin_ports::{Clock as _, SecretsManager, UpdateOutcome, UpdateSession};
use serde_json::Value;

use super::session::edit_info;
use crate::ambient::SystemClock;
use crate::args::StateMoveArgs;
use crate::config_values;
use crate::context::{Context, Target};
use crate::exit::CommandError;
use crate::passphrases;
use crate::report;

/// Moves resources.
pub(crate) async fn move_between(
    context: &Context,
    named: Option<&str>,
    args: StateMoveArgs,
) -> Result<(), CommandError> {
    if args.source.is_none() && args.dest.is_none() && named.is_none() {
        return Err(CommandError::usage("move-stacks", "give --source, --dest or both"));
    }
    let source = context.stack(args.source.as_deref().or(named))?;
    let dest = context.stack(args.dest.as_deref())?;
    if source.id == dest.id {
        return Err(CommandError::usage("move-stacks", "source and destination are the same stack"));
    }
    let before = Both {
        source: Arc::clone(&source.store.load(&source.id).await?.snapshot),
        dest: Arc::clone(&dest.store.load(&dest.id).await?.snapshot),
    };
    passphrases::of_stack(context, &source.id, &before.source)?;
    passphrases::of_stack(context, &dest.id, &before.dest)?;
    let plan = Plan::make(context, &dest, &args, before).await?;
    show(context, &source, &dest, &plan.moved);
    context.confirm("Do you want to perform this move?", args.yes, "--yes")?;
    let manager = destination_manager(context, &dest, &plan.before).await?;
    // Whoever has to be asked for a passphrase is asked before the stacks are held.
    plan.encrypted(context, &manager).await?;
    write(context, (&source, &dest), &args, &plan, &manager).await?;
    context.out.line(format!("Successfully moved resources from {} to {}", source.id, dest.id));
    Ok(())
}

/// The two states.
struct Both {
    source: Arc<Snapshot>,
    dest: Arc<Snapshot>,
}

/// What a move makes of two states.
struct Plan {
    before: Both,
    moved: Moved,
}

impl Plan {
    async fn make(
        context: &Context,
        dest: &Target,
        args: &StateMoveArgs,
        before: Both,
    ) -> Result<Plan, CommandError> {
        refuse_if_invalid(&before.source)?;
        refuse_if_invalid(&before.dest)?;
        let providers = ProviderInputs::read(context, &before).await?;
        let same_provider = |a: &ResourceState, b: &ResourceState| {
            providers.source.get(&a.urn).is_some_and(|inputs| providers.dest.get(&b.urn) == Some(inputs))
        };
        let moved = move_resources(&MoveRequest {
            source: &before.source,
            dest: &before.dest,
            to: (&dest.id.project, &dest.id.name),
            urns: &args.urns,
            include_parents: args.include_parents,
            same_provider: &same_provider,
        })?;
        Ok(Plan { before, moved })
    }

    /// Whether it is what the user has seen of another one.
    fn looks_like(&self, other: &Plan) -> bool {
        let seen = |moved: &Moved| {
            let Moved { urns, missing, broken_source, broken_dest, resumed, .. } = moved.clone();
            (urns, missing, broken_source, broken_dest, resumed)
        };
        seen(&self.moved) == seen(&other.moved)
    }

    /// The states to be, with secrets that the destination can read.
    async fn encrypted(
        &self,
        context: &Context,
        manager: &Arc<dyn SecretsManager>,
    ) -> Result<Moved, CommandError> {
        let mut moved = self.moved.clone();
        if self.before.source.secrets_provider.is_some() {
            let old = config_values::manager_of_state(context, &self.before.source, None).await?;
            let arriving: Vec<_> =
                moved.arrived.iter().map(|index| Arc::clone(&moved.dest.resources[*index])).collect();
            let anew = config_values::recrypt_states(arriving, old.as_ref(), manager.as_ref()).await?;
            for (index, state) in moved.arrived.iter().zip(anew) {
                moved.dest.resources[*index] = state;
            }
        }
        if moved.dest.secrets_provider.is_none() {
            moved.dest.secrets_provider = Some(manager.provider());
        }
        refuse_if_invalid(&moved.source)?;
        refuse_if_invalid(&moved.dest)?;
        Ok(moved)
    }
}

/// Writes both states: under both locks, the destination first.
async fn write(
    context: &Context,
    (source, dest): (&Target, &Target),
    args: &StateMoveArgs,
    plan: &Plan,
    manager: &Arc<dyn SecretsManager>,
) -> Result<(), CommandError> {
    let urns: Vec<&str> = plan.moved.urns.iter().map(Urn::as_str).collect();
    let message = format!("state move from {} to {}: {}", source.id, dest.id, urns.join(" "));
    let into = dest.store.begin(&dest.id, edit_info(context, "state-edit", message.clone()).await).await?;
    let from = match source.store.begin(&source.id, edit_info(context, "state-edit", message).await).await {
        Ok(from) => from,
        Err(error) => {
            into.abandon().await?;
            return Err(error.into());
        }
    };
    let held = Both { source: Arc::clone(&from.base().snapshot), dest: Arc::clone(&into.base().snapshot) };
    let moved = match plan_held(context, (source, dest), args, plan, (held, manager)).await {
        Ok(moved) => moved,
        Err(problem) => {
            into.abandon().await?;
            from.abandon().await?;
            return Err(problem);
        }
    };
    if moved.resumed {
        into.abandon().await?;
    } else if let Err(problem) = finish(into.as_ref(), moved.dest).await {
        from.abandon().await?;
        return Err(problem);
    }
    finish(from.as_ref(), moved.source).await.map_err(|mut problem| {
        for diagnostic in &mut problem.diagnostics {
            diagnostic.message = format!(
                "the resources are in {} and still in {}, too: {}",
                dest.id, source.id, diagnostic.message
            );
            diagnostic.hint = Some("run the same command again: it removes them from the source".to_owned());
        }
        problem
    })
}

/// Plans the move anew on what is held. That may be newer than what was read before: taking a stack
/// recovers what a writer left that was cut off, and what such a writer had sent may have arrived since.
async fn plan_held(
    context: &Context,
    (source, dest): (&Target, &Target),
    args: &StateMoveArgs,
    shown: &Plan,
    (held, manager): (Both, &Arc<dyn SecretsManager>),
) -> Result<Moved, CommandError> {
    let plan = Plan::make(context, dest, args, held).await?;
    if !plan.looks_like(shown) {
        if !context.agrees(args.yes) {
            let problem = Diagnostic::error("state-changed", "somebody changed one of the stacks meanwhile")
                .with_hint("nothing was moved; run the command again");
            return Err(problem.into());
        }
        show(context, source, dest, &plan.moved);
    }
    if plan.before.dest.secrets_provider == shown.before.dest.secrets_provider {
        return plan.encrypted(context, manager).await;
    }
    let manager = destination_manager(context, dest, &plan.before).await?;
    plan.encrypted(context, &manager).await
}

async fn finish(session: &dyn UpdateSession, snapshot: Snapshot) -> Result<(), CommandError> {
    let snapshot = Snapshot { time: SystemClock.now(), ..snapshot };
    let outcome = UpdateOutcome { succeeded: true, ..UpdateOutcome::default() };
    Ok(session.finish(&snapshot, outcome).await?)
}

/// What encrypts the secrets of the destination.
async fn destination_manager(
    context: &Context,
    dest: &Target,
    before: &Both,
) -> Result<Arc<dyn SecretsManager>, CommandError> {
    if before.dest.secrets_provider.is_some() {
        return config_values::manager_of_state(context, &before.dest, None).await;
    }
    match &dest.project {
        Some(project) if project.name == dest.id.project => {
            config_values::manager_for_new(context, &mut dest.settings(None)?).await
        }
        _ => {
            let message = format!("stack {} has no secrets manager yet", dest.id);
            let hint = "run the command in the destination's project, or run `up` there first";
            Err(Diagnostic::error("no-secrets-manager", message).with_hint(hint).into())
        }
    }
}

fn show(context: &Context, source: &Target, dest: &Target, moved: &Moved) {
    let out = &context.out;
    for urn in &moved.missing {
        let warning =
            Diagnostic::warning("move-missing", format!("resource {urn} not found in source stack"));
        out.error_line(report::render(&warning, out.colors()));
    }
    out.line(format!("Planning to move the following resources from {} to {}:\n", source.id, dest.id));
    moved.urns.iter().for_each(|urn| out.line(format!("  - {urn}")));
    out.line("");
    if moved.resumed {
        out.line(
            "The destination has them already, from a move that was cut off: they are only removed here.\n",
        );
    }
    let tell = |heading: String, broken: &[Broken]| {
        if !broken.is_empty() {
            out.line(format!("{heading}\n"));
            broken.iter().for_each(|broken| out.line(format!("  - {broken}")));
            out.line("");
        }
    };
    tell(
        format!(
            "The following resources remaining in {} have dependencies on resources moved to {}:",
            source.id, dest.id
        ),
        &moved.broken_source,
    );
    tell(
        format!(
            "The following resources being moved to {} have dependencies on resources in {}:",
            dest.id, source.id
        ),
        &moved.broken_dest,
    );
    if !moved.broken_source.is_empty() || !moved.broken_dest.is_empty() {
        out.line("These dependencies are dropped: the programs have to get the values by other ways, such as stack outputs.\n");
    }
}

/// The inputs of the providers of both stacks, in clear, to see whether two of them are the same.
struct ProviderInputs {
    source: HashMap<Urn, Value>,
    dest: HashMap<Urn, Value>,
}

impl ProviderInputs {
    async fn read(context: &Context, both: &Both) -> Result<ProviderInputs, CommandError> {
        Ok(ProviderInputs {
            source: inputs(context, &both.source).await?,
            dest: inputs(context, &both.dest).await?,
        })
    }
}

async fn inputs(context: &Context, snapshot: &Snapshot) -> Result<HashMap<Urn, Value>, CommandError> {
    let mut found = HashMap::new();
    for state in snapshot.resources.iter().filter(|state| state.is_provider()) {
        let Bag::Raw(raw) = &state.inputs else { continue };
        let text = if raw.as_str().contains(purlin_formats::signature::SECRET) {
            let manager = config_values::manager_of_state(context, snapshot, None);
            config_values::reveal_by(manager, raw.as_str()).await?
        } else {
            raw.as_str().to_owned()
        };
        found.extend(serde_json::from_str(&text).ok().map(|value| (state.urn.clone(), value)));
    }
    Ok(found)
}
