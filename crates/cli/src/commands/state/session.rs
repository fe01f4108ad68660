//! An edit of the state: under the stack's lock, checked, and recorded in the history.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_edit::{Found, Selection, find};
use purlin_journal::check_integrity;
use purlin_model::Snapshot;
use purlin_ports::{Clock as _, UpdateInfo, UpdateOutcome};

use crate::ambient::SystemClock;
use crate::context::{Context, Target};
use crate::exit::CommandError;
use crate::vcs;

/// What the history says of an edit.
pub(crate) async fn edit_info(context: &Context, kind: &str, message: impl Into<String>) -> UpdateInfo {
    let mut environment = vcs::look(context).found().await.environment;
    environment.insert("exec.kind".to_owned(), "cli".to_owned());
    UpdateInfo { kind: kind.to_owned(), message: message.into(), environment, ..UpdateInfo::default() }
}

/// Carries out an edit under the stack's lock. What changes nothing is not recorded; what is refused
/// changes nothing.
pub(crate) async fn edit<T>(
    context: &Context,
    target: &Target,
    message: String,
    plan: impl FnOnce(&Snapshot) -> Result<(Snapshot, T), CommandError>,
) -> Result<T, CommandError> {
    let info = edit_info(context, "state-edit", message).await;
    let session = target.store.begin(&target.id, info).await?;
    let before = Arc::clone(&session.base().snapshot);
    let (after, result) = match plan(&before).and_then(|(after, result)| {
        if !context.global.disable_integrity_checking {
            refuse_broken(&before, &after)?;
        }
        Ok((after, result))
    }) {
        Ok(planned) => planned,
        Err(problem) => {
            session.abandon().await?;
            return Err(problem);
        }
    };
    if after == *before {
        session.abandon().await?;
        return Ok(result);
    }
    let after = Snapshot { time: SystemClock.now(), ..after };
    let outcome = UpdateOutcome { succeeded: true, ..UpdateOutcome::default() };
    session.finish(&after, outcome).await?;
    Ok(result)
}

/// Refuses an edit that would break rules that were kept before.
fn refuse_broken(before: &Snapshot, after: &Snapshot) -> Result<(), CommandError> {
    let Some(problem) = check_integrity(after).into_iter().next() else { return Ok(()) };
    let known = check_integrity(before);
    let hint = if known.is_empty() {
        "nothing was changed; this is a defect, please report it"
    } else {
        "the state was invalid before; nothing was changed. `state fsck` says what is wrong, `state repair` mends \
         what can be mended"
    };
    let mut diagnostic = problem.diagnostic().with_hint(hint);
    diagnostic.message = format!("the state would be invalid: {}", diagnostic.message);
    Err(diagnostic.into())
}

/// The URNs that a command is about: those named, or the one that the user chooses.
pub(crate) async fn urns_or_choice(
    context: &Context,
    target: &Target,
    urns: Vec<String>,
    question: &str,
) -> Result<Vec<String>, CommandError> {
    if !urns.is_empty() {
        return Ok(urns);
    }
    if !context.interactive() {
        let message = "name the resources by their URNs: there is nobody to ask";
        let problem = Diagnostic::error("state-urns", message)
            .with_hint("`stack --show-urns` lists the URNs; put them in single quotes");
        return Err(problem.into());
    }
    let snapshot = target.store.load(&target.id).await?.snapshot;
    let choices: Vec<String> = snapshot.resources.iter().map(|state| state.urn.to_string()).collect();
    Ok(vec![context.choose(question, choices, "a URN")?])
}

/// The one state that a URN means. Where there are several the user is asked, if there is a user.
pub(crate) fn one_state(context: &Context, snapshot: &Snapshot, urn: &str) -> Result<usize, CommandError> {
    let several = match find(snapshot, urn, Selection::All)? {
        Found::One(index) => return Ok(index),
        Found::Several(several) => several,
    };
    let describe = |index: &usize| {
        let state = &snapshot.resources[*index];
        let mut text = format!("\"{}\"", state.id);
        if state.protect {
            text.push_str(" (Protected)");
        }
        if state.delete {
            text.push_str(" (Pending Deletion)");
        }
        text
    };
    let choices: Vec<String> = several.iter().map(describe).collect();
    if !context.interactive() {
        let message = format!("{urn} means several states, with the ids\n  {}", choices.join("\n  "));
        let hint = "run the command in a terminal to choose one, or run `up` or `refresh`, which deletes what waits \
                    for it";
        return Err(Diagnostic::error("state-urn-ambiguous", message).with_urn(urn).with_hint(hint).into());
    }
    let question = "Multiple resources with the given URN exist, please select the one to edit:";
    let answer = context.choose(question, choices.clone(), "a URN")?;
    let chosen = choices.iter().position(|choice| *choice == answer).unwrap_or_default();
    Ok(several[chosen])
}
