//! `state`: edits of what is recorded, without touching the cloud.

use std::collections::BTreeSet;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_journal::{Change, Entry, Fold};
use purlin_model::{ResourceState, Slot, Snapshot, Urn};
use purlin_ports::{UpdateInfo, UpdateOutcome};

use crate::args::{StateArgs, StateCommand, StateDeleteArgs, StateUnprotectArgs};
use crate::context::{Context, Target};
use crate::exit::CommandError;

/// Edits the state of a stack.
pub(crate) async fn state(context: &Context, args: StateArgs) -> Result<(), CommandError> {
    let target = context.stack(args.stack.as_deref())?;
    match args.command {
        StateCommand::Delete(args) => delete(context, &target, args).await,
        StateCommand::Unprotect(args) => unprotect(context, &target, args).await,
    }
}

async fn delete(context: &Context, target: &Target, args: StateDeleteArgs) -> Result<(), CommandError> {
    let snapshot = target.store.load(&target.id).await?.snapshot;
    let chosen = choose(&snapshot, &args.urns, args.all)?;
    let question =
        format!("This will forget {} resources of the stack without deleting them. Go on?", chosen.len());
    context.confirm(&question, args.yes, "--yes")?;
    let count = edit(target, |snapshot| {
        let mut doomed = slots(snapshot, &args.urns, args.all)?;
        if args.target_dependents {
            add_dependents(snapshot, &mut doomed);
        }
        refuse_protected(snapshot, &doomed, args.force)?;
        refuse_depended_on(snapshot, &doomed)?;
        Ok(doomed.into_iter().rev().map(|slot| Change::Remove { slot }).collect())
    })
    .await?;
    context.out.line(if count == 1 {
        "Resource deleted".to_owned()
    } else {
        format!("{count} resources deleted")
    });
    Ok(())
}

async fn unprotect(context: &Context, target: &Target, args: StateUnprotectArgs) -> Result<(), CommandError> {
    let snapshot = target.store.load(&target.id).await?.snapshot;
    choose(&snapshot, &args.urns, args.all)?;
    let what = if args.all { "all resources".to_owned() } else { format!("{} resources", args.urns.len()) };
    context.confirm(&format!("This will lift the protection of {what}. Go on?"), args.yes, "--yes")?;
    let count = edit(target, |snapshot| {
        let chosen = slots(snapshot, &args.urns, args.all)?;
        Ok(chosen
            .into_iter()
            .filter_map(|slot| {
                let old = &snapshot.resources[slot.0 as usize];
                let state = ResourceState { protect: false, ..ResourceState::clone(old) };
                old.protect.then(|| Change::Amend { slot, state: Arc::new(state) })
            })
            .collect())
    })
    .await?;
    context.out.line(match (args.all, count) {
        (true, _) => "All resources unprotected".to_owned(),
        (false, 0 | 1) => "Resource unprotected".to_owned(),
        (false, count) => format!("{count} resources unprotected"),
    });
    Ok(())
}

/// Carries out an edit under the stack's lock; says how many changes it made.
async fn edit(
    target: &Target,
    plan: impl FnOnce(&Snapshot) -> Result<Vec<Change>, CommandError>,
) -> Result<usize, CommandError> {
    let session = target.store.begin(&target.id, UpdateInfo::default()).await?;
    let snapshot = Arc::clone(&session.base().snapshot);
    let changes = match plan(&snapshot) {
        Ok(changes) => changes,
        Err(problem) => {
            session.abandon().await?;
            return Err(problem);
        }
    };
    let count = changes.len();
    let mut fold = Fold::new(snapshot);
    let entry = Entry::End { op: None, changes };
    if let Err(problem) = fold.apply(&entry) {
        session.abandon().await?;
        return Err(Diagnostic::error("state-edit", format!("the edit can't be made: {problem}")).into());
    }
    session.append(entry).wait().await?;
    let outcome = UpdateOutcome { succeeded: true, ..UpdateOutcome::default() };
    session.finish(&fold.snapshot(), outcome).await?;
    Ok(count)
}

fn choose<'s>(
    snapshot: &'s Snapshot,
    urns: &[String],
    all: bool,
) -> Result<Vec<&'s Arc<ResourceState>>, CommandError> {
    let slots = slots(snapshot, urns, all)?;
    Ok(slots.into_iter().map(|slot| &snapshot.resources[slot.0 as usize]).collect())
}

/// The states that URNs name; a URN that several states bear names them all.
fn slots(snapshot: &Snapshot, urns: &[String], all: bool) -> Result<BTreeSet<Slot>, CommandError> {
    if all != urns.is_empty() {
        let message =
            if all { "--all goes without URNs" } else { "name the resources by their URNs, or give --all" };
        return Err(CommandError::usage("state-urns", message));
    }
    let mut found = BTreeSet::new();
    let numbered = || (0..).map(Slot).zip(&snapshot.resources);
    if all {
        return Ok(numbered().map(|(slot, _)| slot).collect());
    }
    for text in urns {
        let before = found.len();
        found.extend(numbered().filter(|(_, state)| state.urn.as_str() == text).map(|(slot, _)| slot));
        if found.len() == before {
            let message = format!("no such resource \"{text}\" exists in the current state");
            let hint = "`stack --show-urns` lists the URNs";
            return Err(Diagnostic::error("state-urn-unknown", message).with_hint(hint).into());
        }
    }
    Ok(found)
}

fn refers(state: &ResourceState, urns: &BTreeSet<&Urn>) -> bool {
    state.references().any(|urn| urns.contains(urn))
}

fn add_dependents(snapshot: &Snapshot, doomed: &mut BTreeSet<Slot>) {
    let mut urns: BTreeSet<&Urn> =
        doomed.iter().map(|slot| &snapshot.resources[slot.0 as usize].urn).collect();
    for (slot, state) in (0..).map(Slot).zip(&snapshot.resources) {
        if refers(state, &urns) {
            urns.insert(&state.urn);
            doomed.insert(slot);
        }
    }
}

fn refuse_protected(snapshot: &Snapshot, doomed: &BTreeSet<Slot>, force: bool) -> Result<(), CommandError> {
    let protected =
        doomed.iter().map(|slot| &snapshot.resources[slot.0 as usize]).find(|state| state.protect);
    match protected {
        Some(state) if !force => {
            let message = format!("resource \"{}\" is protected and can't be forgotten", state.urn);
            let hint = "lift the protection with `state unprotect`, or give --force";
            Err(Diagnostic::error("state-protected", message).with_hint(hint).into())
        }
        _ => Ok(()),
    }
}

fn refuse_depended_on(snapshot: &Snapshot, doomed: &BTreeSet<Slot>) -> Result<(), CommandError> {
    let remaining: BTreeSet<&Urn> = (0..)
        .map(Slot)
        .zip(&snapshot.resources)
        .filter(|(slot, _)| !doomed.contains(slot))
        .map(|(_, state)| &state.urn)
        .collect();
    let gone: BTreeSet<&Urn> = doomed
        .iter()
        .map(|slot| &snapshot.resources[slot.0 as usize].urn)
        .filter(|urn| !remaining.contains(urn))
        .collect();
    let dependents: Vec<String> = (0..)
        .map(Slot)
        .zip(&snapshot.resources)
        .filter(|(slot, state)| !doomed.contains(slot) && refers(state, &gone))
        .map(|(_, state)| format!("\n  * {}", state.urn))
        .collect();
    if dependents.is_empty() {
        return Ok(());
    }
    let message = format!("other resources depend on what would be forgotten:{}", dependents.concat());
    let hint = "forget them first, or give --target-dependents";
    Err(Diagnostic::error("state-depended-on", message).with_hint(hint).into())
}
