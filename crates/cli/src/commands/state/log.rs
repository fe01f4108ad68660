//! `state log`: the versions of the state.

use purlin_diag::Diagnostic;
use purlin_ports::HistoryEntry;

use crate::args::StateLogArgs;
use crate::commands::stack_show::{ago, table};
use crate::context::{Context, Target};
use crate::exit::CommandError;

/// A version as the user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The state as it is.
    Current,
    /// The state that an operation left.
    Number(u64),
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Version::Current => f.write_str("the current state"),
            Version::Number(number) => write!(f, "version {number}"),
        }
    }
}

impl Version {
    /// Reads a number (`7`, `v7`), a count back from the newest (`-1`, `~1`), or `current`.
    pub(crate) fn parse(text: &str, newest: u64) -> Result<Version, CommandError> {
        let unknown = || {
            let message = format!("'{text}' is no version");
            let hint =
                "give a number that `state log` lists, `~1` for the one before the newest, or `current`";
            CommandError::from(Diagnostic::error("version-unknown", message).with_hint(hint))
        };
        if text == "current" {
            return Ok(Version::Current);
        }
        let back = text.strip_prefix('~').or_else(|| text.strip_prefix('-'));
        let number = match back {
            Some(back) => newest.checked_sub(back.parse().map_err(|_| unknown())?).ok_or_else(unknown)?,
            None => text.strip_prefix('v').unwrap_or(text).parse().map_err(|_| unknown())?,
        };
        Ok(Version::Number(number))
    }
}

/// The number of the newest version.
pub(crate) async fn versions_of(target: &Target) -> Result<(u64, Vec<HistoryEntry>), CommandError> {
    target.store.load(&target.id).await?;
    let history = target.store.history(&target.id).await?;
    Ok((history.first().map_or(0, |entry| entry.version), history))
}

/// Lists the versions.
pub(crate) async fn log(context: &Context, target: &Target, args: &StateLogArgs) -> Result<(), CommandError> {
    let (_, history) = versions_of(target).await?;
    let shown: Vec<&HistoryEntry> = history.iter().take(args.limit.unwrap_or(usize::MAX)).collect();
    if args.json {
        let rows: Vec<serde_json::Value> = shown.iter().map(|entry| json_row(entry)).collect();
        context.out.line(serde_json::to_string_pretty(&rows).unwrap_or_default());
        return Ok(());
    }
    if shown.is_empty() {
        context.out.line("Stack has never been updated");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = shown.iter().map(|entry| row(entry)).collect();
    for line in table(&["VERSION", "WHEN", "KIND", "RESULT", "CHANGES", "COMMIT", "MESSAGE"], &rows) {
        context.out.line(line);
    }
    Ok(())
}

fn changes(entry: &HistoryEntry) -> String {
    let sign = |op: &str| match op {
        "create" => Some('+'),
        "delete" => Some('-'),
        "update" => Some('~'),
        "replace" => Some('±'),
        _ => None,
    };
    let counts = entry.outcome.changes.iter().filter(|(_, count)| **count > 0);
    let words: Vec<String> =
        counts.filter_map(|(op, count)| sign(op).map(|sign| format!("{sign}{count}"))).collect();
    words.join(" ")
}

fn row(entry: &HistoryEntry) -> Vec<String> {
    let commit = entry.info.environment.get("git.head").map(|head| head.chars().take(8).collect::<String>());
    let dirty = entry.info.environment.get("git.dirty").is_some_and(|dirty| dirty == "true");
    let mark = if entry.has_state { "" } else { " (no state)" };
    vec![
        format!("{}{mark}", entry.version),
        ago(jiff::Timestamp::from_second(entry.start_time).unwrap_or_default()),
        entry.info.kind.clone(),
        if entry.outcome.succeeded { "succeeded" } else { "failed" }.to_owned(),
        changes(entry),
        format!("{}{}", commit.unwrap_or_default(), if dirty { "+" } else { "" }),
        entry.info.message.lines().next().unwrap_or_default().to_owned(),
    ]
}

fn json_row(entry: &HistoryEntry) -> serde_json::Value {
    let time = |seconds| jiff::Timestamp::from_second(seconds).unwrap_or_default();
    serde_json::json!({
        "version": entry.version,
        "kind": entry.info.kind,
        "result": if entry.outcome.succeeded { "succeeded" } else { "failed" },
        "startTime": format!("{:.3}", time(entry.start_time)),
        "endTime": format!("{:.3}", time(entry.end_time)),
        "message": entry.info.message,
        "environment": entry.info.environment,
        "resourceChanges": entry.outcome.changes,
        "hasState": entry.has_state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_or_counted_back() {
        assert_eq!(Version::parse("3", 7).unwrap(), Version::Number(3));
        assert_eq!(Version::parse("v3", 7).unwrap(), Version::Number(3));
        assert_eq!(Version::parse("~2", 7).unwrap(), Version::Number(5));
        assert_eq!(Version::parse("current", 7).unwrap(), Version::Current);
        for text in ["", "x", "~", "~8", "1.5"] {
            assert!(Version::parse(text, 7).is_err(), "{text}");
        }
    }
}
