//! `state fsck`: looks for damage.

use purlin_diag::{Diagnostic, Severity};
use purlin_journal::check_integrity;
use purlin_ports::{StackId, StateStore};
use serde_json::{Value, json};

use crate::args::StateFsckArgs;
use crate::context::Context;
use crate::exit::{CommandError, Failure};
use crate::report;

/// Looks at one stack, or at all.
pub(crate) async fn fsck(
    context: &Context,
    named: Option<&str>,
    args: &StateFsckArgs,
) -> Result<(), CommandError> {
    if args.all {
        let project = context.find_project()?;
        let store = context.store(project.as_ref())?;
        let ids: Vec<StackId> = store.list(None).await?.into_iter().map(|stack| stack.id).collect();
        return examine(context, store.as_ref(), &ids, args.json).await;
    }
    let target = context.stack(named)?;
    if args.bisect {
        return bisect(context, target.store.as_ref(), &target.id, args.json).await;
    }
    examine(context, target.store.as_ref(), std::slice::from_ref(&target.id), args.json).await
}

async fn examine(
    context: &Context,
    store: &dyn StateStore,
    ids: &[StackId],
    as_json: bool,
) -> Result<(), CommandError> {
    let mut damaged = 0;
    let mut rows = Vec::new();
    for id in ids {
        let found = store.examine(id).await?;
        let errors = found.iter().filter(|problem| problem.severity == Severity::Error).count();
        damaged += usize::from(errors > 0);
        if as_json {
            rows.push(json!({
                "stack": id.to_string(),
                "intact": errors == 0,
                "findings": found.iter().map(finding).collect::<Vec<_>>(),
            }));
            continue;
        }
        match (errors, found.len()) {
            (0, 0) => context.out.line(format!("{id}: intact")),
            (0, odd) => context.out.line(format!("{id}: intact, with {odd} notes")),
            (errors, _) => context.out.line(format!("{id}: {errors} problems")),
        }
        for problem in &found {
            context.out.line(report::render(problem, context.out.colors()));
        }
    }
    if as_json {
        context.out.line(serde_json::to_string_pretty(&rows).unwrap_or_default());
    }
    if damaged > 0 { Err(CommandError::told(Failure::General)) } else { Ok(()) }
}

fn finding(problem: &Diagnostic) -> Value {
    let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
    let mut row = serde_json::Map::new();
    row.insert("code".into(), problem.code.into());
    row.insert("severity".into(), severity.into());
    row.insert("message".into(), problem.message.clone().into());
    row.extend(problem.urn.as_ref().map(|urn| ("urn".to_owned(), urn.to_string().into())));
    row.extend(problem.hint.as_ref().map(|hint| ("hint".to_owned(), hint.to_string().into())));
    row.into()
}

/// What is wrong with a version, in a line; `None` for an intact one.
async fn damage(store: &dyn StateStore, id: &StackId, version: u64) -> Option<String> {
    match store.load_version(id, version).await {
        Ok(loaded) => check_integrity(&loaded.snapshot).first().map(ToString::to_string),
        Err(error) => Some(error.diagnostic().message),
    }
}

/// Looks for the version that brought the damage: the first damaged one after the last intact one.
/// Every version is looked at, since damage may come and go.
async fn bisect(
    context: &Context,
    store: &dyn StateStore,
    id: &StackId,
    as_json: bool,
) -> Result<(), CommandError> {
    let history = store.history(id).await?;
    let mut good = None;
    let mut bad: Option<(&purlin_ports::HistoryEntry, String)> = None;
    for entry in history.iter().rev().filter(|entry| entry.has_state) {
        match damage(store, id, entry.version).await {
            None => (good, bad) = (Some(entry.version), None),
            Some(_) if bad.is_some() => {}
            Some(problem) => bad = Some((entry, problem)),
        }
    }
    let now = match store.load(id).await {
        Ok(loaded) => check_integrity(&loaded.snapshot).first().map(ToString::to_string),
        Err(purlin_ports::StateError::Unusable(problem)) => Some(problem.message),
        Err(error) => return Err(error.into()),
    };
    if as_json {
        let bad = bad.as_ref().map(|(entry, problem)| {
            json!({ "version": entry.version, "kind": entry.info.kind, "message": entry.info.message, "problem": problem })
        });
        let row = json!({ "stack": id.to_string(), "lastGood": good, "firstBad": bad, "current": now });
        context.out.line(serde_json::to_string_pretty(&row).unwrap_or_default());
    } else {
        tell(context, good, bad.as_ref(), now.as_deref());
    }
    if bad.is_some() || now.is_some() { Err(CommandError::told(Failure::General)) } else { Ok(()) }
}

fn tell(
    context: &Context,
    good: Option<u64>,
    bad: Option<&(&purlin_ports::HistoryEntry, String)>,
    now: Option<&str>,
) {
    let out = &context.out;
    match (bad, now) {
        (Some((entry, problem)), _) => {
            let (version, kind, message) = (entry.version, &entry.info.kind, &entry.info.message);
            out.line(format!("The damage came with version {version}: {kind} \"{message}\"\n  {problem}"));
        }
        (None, Some(problem)) => {
            out.line(format!(
                "The state is damaged, and no version is: it was changed by something else\n  {problem}"
            ));
        }
        (None, None) => out.line("Neither the state nor any version is damaged"),
    }
    match good {
        Some(version) if bad.is_some() || now.is_some() => {
            out.line(format!(
                "The last intact version is {version}; `state restore {version}` makes it the state"
            ));
        }
        None if bad.is_some() => out.line("There is no intact version"),
        _ => {}
    }
}
