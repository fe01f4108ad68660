//! The sections that end a rendering: configuration, diagnostics, outputs, counts, duration.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use purlin_model::event::StepOp;

use crate::ops;
use crate::options::Options;
use crate::policies;
use crate::row::{Message, Row, severity_tone, whole_seconds};
use crate::run::{ROOT, Run, StackOutputs, Summary};
use crate::step;
use crate::style::{Tone, put};
use crate::text;

/// The steps in the order in which they are counted up.
const COUNTED: [StepOp; 9] = [
    StepOp::Create,
    StepOp::Update,
    StepOp::Delete,
    StepOp::Replace,
    StepOp::Refresh,
    StepOp::DiscardReplaced,
    StepOp::RemovePendingReplace,
    StepOp::Import,
    StepOp::ImportReplacement,
];

/// The halves of replacements, counted only where they are shown.
const HALVES: [StepOp; 2] = [StepOp::CreateReplacement, StepOp::DeleteReplaced];

pub(crate) fn headline(out: &mut String, options: &Options, title: &str) {
    put(out, options.colors, Tone::Headline, title);
    out.push('\n');
}

/// The configuration, if it is to be shown.
pub(crate) fn configuration(options: &Options, config: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    if options.show_config {
        headline(&mut out, options, "Configuration:");
        for (key, value) in config {
            let _ = writeln!(out, "    {}: {}", text::shown_name(key), text::shown_name(value));
        }
    }
    out
}

/// All sections at the end, an empty line before each.
pub(crate) fn closing(run: &Run) -> String {
    let errored = run.rows.iter().filter(|row| row.counts.errors > 0 || row.failed).count() as u64;
    let mut sections =
        vec![policies::section(run), diagnostics(run), stack_outputs(&run.options, &run.outputs)];
    // Counts would only distract from what has to be mended.
    let violated = run.violations.iter().any(|verdict| verdict.mandatory);
    if let Some(summary) = run.summary.as_ref().filter(|_| !violated) {
        sections.push(resources(&run.options, summary, errored));
        sections.push(duration(&run.options, summary));
    }
    let mut out = String::new();
    for section in sections.into_iter().filter(|section| !section.is_empty()) {
        out.push('\n');
        out.push_str(&section);
    }
    out
}

/// Everything that was said, resource by resource. What is said of the stack comes last.
fn diagnostics(run: &Run) -> String {
    let options = &run.options;
    let mut out = String::new();
    for row in run.rows[ROOT + 1..].iter().chain(run.rows.first()) {
        let messages = merged(row);
        if messages.is_empty() {
            continue;
        }
        if out.is_empty() {
            headline(&mut out, options, "Diagnostics:");
        } else {
            out.push('\n');
        }
        let title = format!("  {}:", text::resource_title(&row.urn, options.urns));
        put(&mut out, options.colors, Tone::Resource, &title);
        out.push('\n');
        for message in messages {
            diagnostic(&mut out, options, &message, 1);
        }
    }
    out
}

/// The messages of a row. Those of one stream are one text.
fn merged(row: &Row) -> Vec<Message> {
    let mut merged: Vec<Message> = Vec::new();
    for message in &row.messages {
        match merged.iter_mut().find(|m| m.stream != 0 && m.stream == message.stream) {
            Some(first) => first.text.push_str(&message.text),
            None => merged.push(message.clone()),
        }
    }
    merged
}

/// One message with its prefix, indented.
pub(crate) fn diagnostic(out: &mut String, options: &Options, message: &Message, level: usize) {
    for (index, line) in text::lines(&message.text, options.colors).into_iter().enumerate() {
        let indent = if line.is_empty() && index > 0 { String::new() } else { "    ".repeat(level) };
        out.push_str(&indent);
        if index == 0 {
            put(out, options.colors, severity_tone(message.severity), &message.prefix);
        }
        out.push_str(&line);
        out.push('\n');
    }
}

/// The stack's outputs and how they change.
pub(crate) fn stack_outputs(options: &Options, outputs: &StackOutputs) -> String {
    let Some(step) = outputs.new.as_ref().filter(|_| !options.suppress_outputs) else {
        return String::new();
    };
    let all = !options.preview || options.show_sames;
    let text = step::outputs(options, step, outputs.old.as_deref(), 1, all, true);
    let mut out = String::new();
    if !text.is_empty() {
        headline(&mut out, options, "Outputs:");
        out.push_str(&text);
    }
    out
}

/// How many resources were, or would be, changed in which way.
pub(crate) fn resources(options: &Options, summary: &Summary, errored: u64) -> String {
    let mut out = String::new();
    headline(&mut out, options, "Resources:");
    let empty = out.len();
    let count = |op: &StepOp| summary.changes.get(op).copied().unwrap_or(0);
    let halves = HALVES.into_iter().filter(|_| options.show_replacement_steps);
    let kinds: Vec<StepOp> = COUNTED.into_iter().chain(halves).filter(|op| count(op) > 0).collect();
    for op in &kinds {
        let what = match options.preview {
            true => format!("to {}", ops::plan(*op)),
            false => ops::done(*op).to_owned(),
        };
        out.push_str("    ");
        put(&mut out, options.colors, ops::tone(*op), &format!("{}{} {what}", ops::sign(*op), count(op)));
        out.push('\n');
    }
    let mut totals = Vec::new();
    if kinds.len() > 1 {
        let mut total = String::new();
        let changes = text::counted(kinds.iter().map(count).sum(), "change");
        put(&mut total, options.colors, Tone::Strong, &changes);
        totals.push(total);
    }
    if count(&StepOp::Same) > 0 {
        totals.push(format!("{} unchanged", count(&StepOp::Same)));
    }
    if !totals.is_empty() {
        let _ = writeln!(out, "    {}", totals.join(". "));
    }
    if errored > 0 {
        out.push_str("    ");
        put(&mut out, options.colors, Tone::Delete, &format!("{errored} errored"));
        out.push('\n');
    }
    if out.len() == empty {
        out.push_str("    none\n");
    }
    out
}

/// How long it took. A preview doesn't say.
pub(crate) fn duration(options: &Options, summary: &Summary) -> String {
    let mut out = String::new();
    if !options.preview {
        put(&mut out, options.colors, Tone::Headline, "Duration:");
        let _ = writeln!(out, " {}", whole_seconds(summary.seconds));
    }
    out
}
