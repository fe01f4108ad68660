//! `stack graph`: what depends on what, in the DOT language.

use std::collections::{BTreeMap, HashMap};

use purlin_diag::Diagnostic;
use purlin_model::{Snapshot, Urn};

use crate::args::StackGraphArgs;
use crate::context::Context;
use crate::exit::CommandError;

/// Writes the graph of a stack's resources to a file.
pub(crate) async fn graph(
    context: &Context,
    named: Option<&str>,
    args: &StackGraphArgs,
) -> Result<(), CommandError> {
    let target = context.stack(named)?;
    let loaded = target.store.load(&target.id).await?;
    if !loaded.deployed {
        let message = format!("unable to find snapshot for stack \"{}\"", target.id.name);
        return Err(Diagnostic::error("graph-empty", message).with_hint("run `up` first").into());
    }
    let path = context.ambient.cwd.join(&args.file);
    std::fs::write(&path, dot(&loaded.snapshot, args))
        .map_err(|error| Diagnostic::error("graph-file", format!("{}: {error}", path.display())))?;
    context.out.line(format!("Wrote stack dependency graph to `{}`", args.file.display()));
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The graph. Nodes stand in the order of their names; an edge goes from what is needed to what needs
/// it, and from children to their parents.
fn dot(snapshot: &Snapshot, args: &StackGraphArgs) -> String {
    let urns: BTreeMap<&Urn, ()> = snapshot.resources.iter().map(|state| (&state.urn, ())).collect();
    let ids: HashMap<&Urn, String> =
        urns.keys().enumerate().map(|(number, urn)| (*urn, format!("Resource{number}"))).collect();
    let mut edges: BTreeMap<&Urn, Vec<String>> = BTreeMap::new();
    for state in &snapshot.resources {
        let id = &ids[&state.urn];
        for dependency in state.dependencies.iter().filter(|_| !args.ignore_dependency_edges) {
            // What refers to nothing has no edge.
            let Some((needed, _)) = ids.get_key_value(dependency) else { continue };
            let by = state.property_dependencies.iter().filter(|(_, urns)| urns.contains(dependency));
            let label = by.map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ");
            let label = if label.is_empty() { label } else { format!(", label = {}", quoted(&label)) };
            let color = quoted(&args.dependency_edge_color);
            edges.entry(needed).or_default().push(format!("{id} [color = {color}{label}]"));
        }
        if let Some(parent) = state.parent.as_ref().filter(|_| !args.ignore_parent_edges)
            && let Some(parent) = ids.get(parent)
        {
            let color = quoted(&args.parent_edge_color);
            edges.entry(&state.urn).or_default().push(format!("{parent} [color = {color}]"));
        }
    }
    let mut text = "strict digraph {\n".to_owned();
    if !args.dot_fragment.is_empty() {
        text.push_str(&format!("{}\n", args.dot_fragment));
    }
    for urn in urns.keys() {
        let label = if args.short_node_name { urn.name() } else { urn.as_str() };
        text.push_str(&format!("    {} [label={}];\n", ids[urn], quoted(label)));
        for edge in edges.get(urn).into_iter().flatten() {
            text.push_str(&format!("    {} -> {edge};\n", ids[urn]));
        }
    }
    text.push_str("}\n");
    text
}
