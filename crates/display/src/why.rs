//! What led to a step, in words: one line for each link of a chain.

use std::fmt::Write as _;

use purlin_model::cause::{Cause, Link, PropertyCause};
use purlin_model::event::StepOp;
use purlin_model::{Causes, Urn};

use crate::ops;
use crate::options::Options;
use crate::style::{Tone, put};
use crate::text;

/// Writes what happens to a resource and what led to it, the resources that it comes from indented
/// below.
pub fn explanation(options: &Options, causes: &Causes, urn: &Urn) -> String {
    let mut out = String::new();
    for link in causes.chain(urn) {
        line(&mut out, options, causes, &link, 0);
    }
    out
}

/// Writes the section that explains every replacement and every delete.
pub fn explanations(options: &Options, causes: &Causes) -> String {
    let mut out = String::new();
    for link in causes.chains_of_losses().iter().filter(|link| !is_default_provider(&link.urn)) {
        if out.is_empty() {
            put(&mut out, options.colors, Tone::Headline, "Why:");
            out.push('\n');
        }
        line(&mut out, options, causes, link, 1);
    }
    out
}

fn is_default_provider(urn: &Urn) -> bool {
    purlin_model::urn::is_provider_type(urn.ty()) && urn.name().starts_with("default")
}

fn line(out: &mut String, options: &Options, causes: &Causes, link: &Link, level: usize) {
    out.push_str(&"  ".repeat(2 * level + link.depth));
    put(out, options.colors, ops::tone(link.op), &shown(options, &link.urn));
    let _ = write!(out, " {}", happens(link));
    match &link.cause {
        Some(_) if link.told => out.push_str(", as said above"),
        Some(cause) => {
            let _ = write!(out, ": {}", because(options, causes, cause));
        }
        None if link.op == StepOp::Same => out.push_str(": its inputs and its options are what they were"),
        None if link.op == StepOp::Create => out.push_str(": the state does not have it yet"),
        None => {}
    }
    out.push('\n');
}

/// A resource by type and name, or by its URN if that is how resources are shown.
fn shown(options: &Options, urn: &Urn) -> String {
    if options.urns {
        return text::shown_name(urn.as_str()).into_owned();
    }
    format!("{} {}", text::shown_type(urn.ty()), text::shown_name(urn.name()))
}

fn happens(link: &Link) -> &'static str {
    let left = matches!(link.cause.as_deref(), Some(Cause::PendingDelete));
    match link.op {
        StepOp::Same => "does not change",
        StepOp::Create => "is created",
        StepOp::Update => "is updated",
        StepOp::Delete => "is deleted",
        StepOp::Replace => "is replaced",
        StepOp::CreateReplacement => "is created anew",
        StepOp::DeleteReplaced | StepOp::DiscardReplaced if left => "has an old state that is deleted",
        StepOp::DeleteReplaced | StepOp::DiscardReplaced => "is deleted",
        StepOp::Read => "is read",
        StepOp::ReadReplacement => "is read from now on, and what was managed is deleted",
        StepOp::Refresh => "is looked at",
        StepOp::Discard => "is read no longer",
        StepOp::RemovePendingReplace => "is forgotten",
        StepOp::Import => "is imported",
        StepOp::ImportReplacement => "is replaced by an import",
    }
}

/// Why, as the end of a sentence.
fn because(options: &Options, causes: &Causes, cause: &Cause) -> String {
    let name = |urn: &Urn| shown(options, urn);
    match cause {
        Cause::Properties(properties) => of_properties(options, causes, properties),
        Cause::Trigger => "its replacement trigger has changed".to_owned(),
        Cause::ReplaceWith(urn) => format!("it is replaced whenever {} is", name(urn)),
        Cause::DeletedWith(urn) => format!("it is gone with {}, which is replaced", name(urn)),
        Cause::Provider(urn) => format!("its provider {} is another one or is replaced", name(urn)),
        Cause::Kind => "it becomes a component, or stops being one".to_owned(),
        Cause::WasRead => "so far it was only read, and now the program manages it".to_owned(),
        Cause::Tainted => "it was marked as damaged".to_owned(),
        Cause::Incomplete => "its creation was not completed".to_owned(),
        Cause::Asked => "it was asked for".to_owned(),
        Cause::Cascade { root, because: inner } => format!(
            "{}; it goes before {} can be deleted and created anew",
            because(options, causes, inner),
            name(root)
        ),
        Cause::PendingReplacement => "an earlier run deleted it and did not create it anew".to_owned(),
        Cause::PendingDelete => "an earlier run replaced it and did not delete what it replaced".to_owned(),
        Cause::Replaced => "its replacement has taken its place".to_owned(),
        Cause::NotRegistered => "the program does not register it any more".to_owned(),
        Cause::Destroy => "everything is deleted".to_owned(),
        Cause::Drift => "the cloud has something else than the state, or nothing".to_owned(),
    }
}

fn of_properties(options: &Options, causes: &Causes, properties: &[PropertyCause]) -> String {
    if properties.is_empty() {
        return "its provider says so, and names no property".to_owned();
    }
    let one = |property: &PropertyCause| {
        let path = format!("`{}`", text::shown_name(&property.property));
        let from = property.from.iter().filter(|urn| causes.changes(urn));
        let from: Vec<String> = from.map(|urn| shown(options, urn)).collect();
        if from.is_empty() {
            return format!("{path} changes");
        }
        format!("{path} changes, which comes from {}", from.join(" and "))
    };
    properties.iter().map(one).collect::<Vec<_>>().join("; ")
}
