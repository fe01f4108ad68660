//! `stack`: what a stack holds.

use std::collections::BTreeMap;

use purlin_model::urn::STACK_TYPE;
use purlin_model::{PropertyValue, ResourceState, Snapshot, Urn};

use crate::args::StackArgs;
use crate::commands::stack_files::outputs_of;
use crate::context::Context;
use crate::exit::CommandError;
use crate::plain::shown;

/// Shows a stack: when it was changed, its resources as a tree, its outputs.
pub(crate) async fn show(context: &Context, args: &StackArgs) -> Result<(), CommandError> {
    let target = context.stack(args.stack.as_deref())?;
    if args.show_name {
        context.out.line(&target.id.name);
        return Ok(());
    }
    let loaded = target.store.load(&target.id).await?;
    let snapshot = &loaded.snapshot;
    let name =
        if context.global.fully_qualify_stack_names { target.id.to_string() } else { target.id.name.clone() };
    context.out.line(format!("Current stack is {name}:"));
    context.out.line(format!("    Managed by {}", context.ambient.host_name()));
    if loaded.deployed && !snapshot.time.is_empty() {
        context.out.line(format!("    Last updated: {}", age(&snapshot.time)));
        if !snapshot.version.is_empty() {
            context.out.line(format!("    Version used: {}", snapshot.version));
        }
    } else {
        context.out.line("    Last updated: never");
    }
    if loaded.recovered {
        context
            .out
            .line("    An operation on it was interrupted; the next one recovers it (or run `cancel`).");
    }
    context.out.line(format!("Current stack resources ({}):", snapshot.resources.len()));
    if snapshot.resources.is_empty() {
        context.out.line("    No resources currently in this stack");
    } else {
        for line in tree(snapshot, args) {
            context.out.line(line);
        }
    }
    let outputs = outputs_of(context, &target, snapshot, args.show_secrets).await?;
    context.out.line(format!("\nCurrent stack outputs ({}):", outputs.len()));
    if outputs.is_empty() {
        context.out.line("    No output values currently in this stack");
    } else {
        for line in table(&["OUTPUT", "VALUE"], &output_rows(&outputs)) {
            context.out.line(format!("    {line}"));
        }
    }
    let command = &context.ambient.invoked_as;
    context.out.line(format!(
        "\nUse `{command} stack select` to change stack; `{command} stack ls` lists known ones"
    ));
    Ok(())
}

pub(crate) fn output_rows(outputs: &BTreeMap<String, PropertyValue>) -> Vec<Vec<String>> {
    outputs.iter().map(|(name, value)| vec![name.clone(), shown(value)]).collect()
}

/// Rows under headings, with columns as wide as they need to be. A cell of several lines takes several
/// lines, each in its column.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let heading = headings[column].chars().count();
        rows.iter()
            .filter_map(|row| row.get(column))
            .flat_map(|cell| cell.split('\n'))
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
            .max(heading)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let render = |cells: Vec<&str>| {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            if column + 1 == cells.len() {
                line.push_str(cell);
            } else {
                line.push_str(&format!("{cell:<width$}  ", width = widths[column]));
            }
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![render(headings.to_vec())];
    for row in rows {
        let high = row.iter().map(|cell| cell.split('\n').count()).max().unwrap_or(1);
        let nth = |n| row.iter().map(|cell| cell.split('\n').nth(n).unwrap_or_default()).collect();
        lines.extend((0..high).map(|n| render(nth(n))));
    }
    lines
}

fn tree(snapshot: &Snapshot, args: &StackArgs) -> Vec<String> {
    let mut children: BTreeMap<Option<&Urn>, Vec<&ResourceState>> = BTreeMap::new();
    let known: std::collections::BTreeSet<&Urn> = snapshot.resources.iter().map(|s| &s.urn).collect();
    let root = snapshot.resources.iter().map(|s| &s.urn).find(|urn| urn.qualified_type() == STACK_TYPE);
    for state in &snapshot.resources {
        let is_root = Some(&state.urn) == root;
        let parent =
            state.parent.as_ref().filter(|p| known.contains(p)).or(if is_root { None } else { root });
        children.entry(parent).or_default().push(state);
    }
    let mut rows: Vec<(String, String, Vec<String>)> = Vec::new();
    let top = children.get(&None).cloned().unwrap_or_default();
    for state in top {
        walk(state, "", "", &children, args, &mut rows);
    }
    let width = rows.iter().map(|(ty, ..)| ty.chars().count()).max().unwrap_or(4).max(4);
    let mut lines = vec![format!("    {:<width$}  NAME", "TYPE")];
    for (ty, name, details) in rows {
        lines.push(format!("    {ty:<width$}  {name}"));
        lines.extend(details.into_iter().map(|d| format!("    {d}")));
    }
    lines
}

fn walk(
    state: &ResourceState,
    lead: &str,
    below: &str,
    children: &BTreeMap<Option<&Urn>, Vec<&ResourceState>>,
    args: &StackArgs,
    rows: &mut Vec<(String, String, Vec<String>)>,
) {
    let own = children.get(&Some(&state.urn)).cloned().unwrap_or_default();
    let mut details = Vec::new();
    let stem = if own.is_empty() { format!("{below}   ") } else { format!("{below}│  ") };
    if args.show_urns {
        details.push(format!("{stem}URN: {}", state.urn));
    }
    if args.show_ids && !state.id.is_empty() {
        details.push(format!("{stem}ID: {}", state.id));
    }
    let mark = if state.delete { " (pending deletion)" } else { "" };
    rows.push((format!("{lead}{}", state.ty), format!("{}{mark}", state.urn.name()), details));
    let last = own.len().saturating_sub(1);
    for (index, child) in own.iter().enumerate() {
        let (branch, stem) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        walk(child, &format!("{below}{branch}"), &format!("{below}{stem}"), children, args, rows);
    }
}

/// A time as how long ago it was, with the time itself.
fn age(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(then) => format!("{} ({time})", ago(then)),
        Err(_) => time.to_owned(),
    }
}

/// How long ago a time was, in one word with a number.
pub(crate) fn ago(then: jiff::Timestamp) -> String {
    let seconds = jiff::Timestamp::now().as_second() - then.as_second();
    let (count, unit) = match seconds {
        i64::MIN..=0 => return "now".to_owned(),
        1..=59 => (seconds, "second"),
        60..=3_599 => (seconds / 60, "minute"),
        3_600..=86_399 => (seconds / 3_600, "hour"),
        86_400..=604_799 => (seconds / 86_400, "day"),
        604_800..=2_591_999 => (seconds / 604_800, "week"),
        2_592_000..=31_535_999 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = vec![vec!["a".into(), "1".into()], vec!["longer".into(), "2".into()]];
        assert_eq!(table(&["KEY", "VALUE"], &rows), ["KEY     VALUE", "a       1", "longer  2"]);
    }

    #[test]
    fn the_lines_of_a_cell_stay_in_its_column() {
        let rows = vec![vec!["key".into(), "x\n  y".into()], vec!["b".into(), "2".into()]];
        assert_eq!(table(&["KEY", "VALUE"], &rows), ["KEY  VALUE", "key  x", "       y", "b    2"]);
    }
}
