//! The result of an operation as lines.

use std::fmt::Write;

use purlin_diag::Severity;
use purlin_journal::{Change, Entry};
use purlin_model::Snapshot;
use purlin_model::event::{EngineEvent, StepOp, StepView};
use purlin_model::update_plan::{PlannedDiff, UpdatePlan};

use super::codec::Codec;
use super::operation::Ran;
use super::{PROJECT, STACK, states, text};

/// The lines of a result.
pub fn lines(ran: &Ran, show: &[&str], codec: &Codec) -> Vec<String> {
    let shows = |word: &str| show.contains(&word);
    let mut lines = vec![head(ran)];
    lines.extend(ran.violations.iter().map(|violation| format!("VIOLATION: {violation}")));
    for event in &ran.events {
        lines.extend(event_line(event, &shows));
    }
    let mut section = |name: &str, body: Vec<String>| {
        if shows(name) {
            lines.push(format!("{name}:"));
            lines.extend(body.into_iter().map(|line| format!("  {line}")));
        }
    };
    section("calls", ran.calls.clone());
    section("replies", ran.replies.clone());
    section("entries", ran.entries.iter().map(entry_line).collect());
    section("outputs", outputs(&ran.state, codec));
    section("state", states::show(&ran.state, codec));
    let text = lines.into_iter().map(|line| format!("> {line}\n")).collect::<String>();
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// An update plan as lines: the steps of each resource, then how inputs and outputs change.
pub fn plan_lines(plan: &UpdatePlan) -> Vec<String> {
    let mut lines = vec!["> plan:".to_owned()];
    for (urn, resource) in &plan.resources {
        let steps: Vec<&str> = resource.steps.iter().map(|op| op.as_str()).collect();
        let mut line = format!(">   {}: {}", states::label(urn), steps.join(", "));
        match &resource.goal {
            None => line.push_str(" (no goal)"),
            Some(goal) => {
                push_diff(&mut line, "", &goal.inputs);
                push_diff(&mut line, "outputs ", &goal.outputs);
                if let Some(first) = goal.delete_before_replace {
                    let _ = write!(line, " dbr={first}");
                }
            }
        }
        lines.push(line);
    }
    lines
}

fn push_diff(line: &mut String, what: &str, diff: &PlannedDiff) {
    if !diff.adds.is_empty() {
        let _ = write!(line, " {what}+{}", text::map_line(&diff.adds));
    }
    if !diff.updates.is_empty() {
        let _ = write!(line, " {what}~{}", text::map_line(&diff.updates));
    }
    if !diff.deletes.is_empty() {
        let _ = write!(line, " {what}-[{}]", diff.deletes.join(", "));
    }
}

fn head(ran: &Ran) -> String {
    let Some(report) = &ran.report else { return "died".to_owned() };
    let mut head = report.result.as_str().to_owned();
    for (number, (op, count)) in report.changes.iter().filter(|(_, count)| **count > 0).enumerate() {
        let _ = write!(head, "{} {count} {}", if number == 0 { ":" } else { "," }, op.as_str());
    }
    head
}

fn event_line(event: &EngineEvent, shows: &dyn Fn(&str) -> bool) -> Option<String> {
    match event {
        EngineEvent::ResourcePre { step, .. } if shows("previews") => {
            is_shown(step, shows).then(|| format!("begin {}", step_line(step, shows)))
        }
        EngineEvent::ResourceOutputs { step, .. } => is_shown(step, shows).then(|| step_line(step, shows)),
        EngineEvent::ResourceFailed { step, outcome_unknown, .. } => {
            let how = if *outcome_unknown { "outcome unknown" } else { "failed" };
            Some(format!("{} {how}", step_line(step, shows)))
        }
        EngineEvent::Diagnostic { message, severity, .. } => {
            let word = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                _ => "info",
            };
            let message = if shows("hints") {
                message.replace('\n', "\n>   ")
            } else {
                message.lines().next()?.to_owned()
            };
            Some(format!("{word}: {}", short(&message)))
        }
        EngineEvent::Stdout { message } => Some(format!("stdout: {}", message.trim_end())),
        _ => None,
    }
}

/// URNs of this stack without what they all have.
fn short(text: &str) -> String {
    text.replace(&format!("urn:pulumi:{STACK}::{PROJECT}::"), "")
}

fn is_shown(step: &StepView, shows: &dyn Fn(&str) -> bool) -> bool {
    if shows("all") {
        return true;
    }
    let default =
        purlin_model::urn::is_provider_type(step.urn.ty()) && step.urn.name().starts_with("default");
    let root = step.urn.ty() == purlin_model::urn::STACK_TYPE;
    !default && !root && (step.op != StepOp::Same || shows("same"))
}

fn step_line(step: &StepView, shows: &dyn Fn(&str) -> bool) -> String {
    let mut line = format!("{} {}", step.op.as_str(), states::label(&step.urn));
    let keys = if step.replace_keys.is_empty() { &step.diff_keys } else { &step.replace_keys };
    if !keys.is_empty() {
        let _ = write!(line, " [{}]", keys.join(", "));
    }
    if shows("diff") {
        let paths = step.detailed_diff.iter().flatten();
        let paths: Vec<String> =
            paths.map(|(path, found)| format!("{path}: {}", found.kind.as_str())).collect();
        let _ = write!(line, " diff=[{}] {{{}}}", step.diff_keys.join(", "), paths.join(", "));
    }
    line
}

fn outputs(state: &Snapshot, codec: &Codec) -> Vec<String> {
    let root = state.resources.iter().find(|state| state.urn.ty() == purlin_model::urn::STACK_TYPE);
    root.map(|root| text::map_line(&codec.map(&root.outputs))).into_iter().collect()
}

fn entry_line(entry: &Entry) -> String {
    match entry {
        Entry::Begin { op, kind, resource } => format!("#{} {} {}", op.0, kind.as_str(), resource.urn.name()),
        Entry::End { op, changes } => {
            let changes: Vec<String> = changes.iter().map(change).collect();
            let op = op.map_or(String::new(), |op| format!("#{} ", op.0));
            format!("{op}end {}", changes.join(", "))
        }
    }
}

fn change(change: &Change) -> String {
    match change {
        Change::Place { state, replaces, .. } => {
            format!("place {}{}", state.urn.name(), if replaces.is_some() { " over" } else { "" })
        }
        Change::Keep { slot } => format!("keep {}", slot.0),
        Change::Amend { state, .. } => format!("amend {}", state.urn.name()),
        Change::MarkDelete { slot } => format!("mark {}", slot.0),
        Change::MarkPendingReplacement { slot } => format!("mark-pending {}", slot.0),
        Change::Remove { slot } => format!("remove {}", slot.0),
        Change::ClearPending { index } => format!("clear {index}"),
        Change::Extend { extension } => format!("extend {}", extension.reference),
    }
}
