//! Engine events as the JSON objects of event streams and logs.

use std::borrow::Cow;

use purlin_model::diff::DetailedDiff;
use purlin_model::event::{EngineEvent, StateView, StepView};
use purlin_model::policy::{PolicyPhase, PolicyRepair, PolicySeverity, PolicyTally, PolicyVerdict};

use crate::encode::{Shown, encode_shown};
use crate::text::{Escape, ObjectWriter};

/// Texts carry no colour.
const COLOR: &str = "never";

/// The object of an event, on one line. Secrets in it are secret objects without their content.
/// `timestamp` is in seconds of the Unix epoch.
pub fn event_json(sequence: u64, timestamp: i64, event: &EngineEvent) -> String {
    let mut out = String::with_capacity(512);
    let mut object = ObjectWriter::begin(&mut out, Escape::Plain);
    object.integer("sequence", sequence);
    object.integer("timestamp", timestamp);
    body(&mut object, event);
    object.end();
    out
}

fn body(object: &mut ObjectWriter<'_>, event: &EngineEvent) {
    match event {
        EngineEvent::Cancel => object.raw("cancelEvent", "{}"),
        EngineEvent::Stdout { message } => {
            let mut inner = ObjectWriter::begin(object.key("stdoutEvent"), Escape::Plain);
            inner.text("message", message);
            inner.text("color", COLOR);
            inner.end();
        }
        EngineEvent::Diagnostic { urn, prefix, message, severity, stream_id, ephemeral } => {
            let mut inner = ObjectWriter::begin(object.key("diagnosticEvent"), Escape::Plain);
            inner.text_if("urn", urn.as_ref().map_or("", |urn| urn.as_str()));
            inner.text_if("prefix", prefix);
            inner.text("message", &without_ansi_codes(message));
            inner.text("color", COLOR);
            inner.text("severity", severity.as_str());
            if *stream_id != 0 {
                inner.integer("streamID", stream_id);
            }
            inner.flag("ephemeral", *ephemeral);
            inner.end();
        }
        EngineEvent::Prelude { config } => {
            let mut inner = ObjectWriter::begin(object.key("preludeEvent"), Escape::Plain);
            let mut values = ObjectWriter::begin(inner.key("config"), Escape::Plain);
            for (key, value) in config {
                crate::text::push_string(values.any_key(key), value, Escape::Plain);
            }
            values.end();
            inner.end();
        }
        EngineEvent::Summary { preview, maybe_corrupt, duration_seconds, changes, policy_packs, result } => {
            let mut inner = ObjectWriter::begin(object.key("summaryEvent"), Escape::Plain);
            inner.boolean("maybeCorrupt", *maybe_corrupt);
            inner.integer("durationSeconds", duration_seconds);
            push_changes(inner.key("resourceChanges"), changes, Escape::Plain);
            let mut packs = ObjectWriter::begin(inner.key("PolicyPacks"), Escape::Plain);
            for (pack, version) in policy_packs {
                crate::text::push_string(packs.any_key(pack), version, Escape::Plain);
            }
            packs.end();
            inner.boolean("isPreview", *preview);
            inner.text("result", result.as_str());
            inner.end();
        }
        EngineEvent::PolicyLoad => object.raw("policyLoadEvent", "{}"),
        EngineEvent::PolicyViolation(verdict) => push_violation(object.key("policyEvent"), verdict),
        EngineEvent::PolicyRemediation(repair) => push_repair(object.key("policyRemediationEvent"), repair),
        EngineEvent::PolicySummary(tally) => push_tally(object, tally),
        EngineEvent::ResourcePre { step, planning } => {
            let mut inner = ObjectWriter::begin(object.key("resourcePreEvent"), Escape::Plain);
            push_step(inner.key("metadata"), step);
            inner.flag("planning", *planning);
            inner.end();
        }
        EngineEvent::ResourceOutputs { step, planning } => {
            let mut inner = ObjectWriter::begin(object.key("resOutputsEvent"), Escape::Plain);
            push_step(inner.key("metadata"), step);
            inner.flag("planning", *planning);
            inner.end();
        }
        EngineEvent::ResourceFailed { step, outcome_unknown, steps } => {
            let mut inner = ObjectWriter::begin(object.key("resOpFailedEvent"), Escape::Plain);
            push_step(inner.key("metadata"), step);
            inner.integer("status", if *outcome_unknown { 2 } else { 0 });
            inner.integer("steps", steps);
            inner.end();
        }
        EngineEvent::Progress { id, message, received, total, done } => {
            let mut inner = ObjectWriter::begin(object.key("progressEvent"), Escape::Plain);
            // Only downloads count bytes.
            let counted = *received > 0 || *total > 0;
            inner.text("type", if counted { "plugin-download" } else { "plugin-install" });
            inner.text("id", id);
            inner.text("message", message);
            inner.integer("received", received);
            inner.integer("total", total);
            inner.boolean("done", *done);
            inner.end();
        }
    }
}

/// The pack of an event; versions and their tags are the same here.
fn push_pack(object: &mut ObjectWriter<'_>, pack: &str, version: &str) {
    object.text("policyPackName", pack);
    object.text("policyPackVersion", version);
    object.text("policyPackVersionTag", version);
}

fn push_violation(out: &mut String, verdict: &PolicyVerdict) {
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    object.text("resourceUrn", verdict.urn.as_str());
    object.text("message", &format!("{}\n", without_ansi_codes(&verdict.message)));
    object.text("color", COLOR);
    object.text("policyName", &verdict.policy.policy);
    push_pack(&mut object, &verdict.policy.pack, &verdict.policy.version);
    object.text("enforcementLevel", if verdict.mandatory { "mandatory" } else { "advisory" });
    object.text_if("severity", verdict.severity.map_or("", PolicySeverity::as_str));
    object.end();
}

fn push_repair(out: &mut String, repair: &PolicyRepair) {
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    object.text("resourceUrn", repair.urn.as_str());
    object.text("color", COLOR);
    object.text("policyName", &repair.policy.policy);
    push_pack(&mut object, &repair.policy.pack, &repair.policy.version);
    for (key, bag) in [("before", &repair.before), ("after", &repair.after)] {
        if !bag.is_empty() {
            object.raw(key, &encode_shown(bag, Shown::Event, Escape::Plain));
        }
    }
    object.end();
}

fn push_tally(object: &mut ObjectWriter<'_>, tally: &PolicyTally) {
    let key = match tally.phase {
        PolicyPhase::Remediate => "policyRemediateSummaryEvent",
        PolicyPhase::Analyze => "policyAnalyzeSummaryEvent",
        PolicyPhase::AnalyzeStack => "policyAnalyzeStackSummaryEvent",
    };
    let mut inner = ObjectWriter::begin(object.key(key), Escape::Plain);
    if let Some(urn) = &tally.urn {
        inner.text("resourceUrn", urn.as_str());
    }
    push_pack(&mut inner, &tally.pack, &tally.version);
    inner.texts_if("passed", tally.passed.iter().map(String::as_str));
    inner.texts_if("failed", tally.failed.iter().map(String::as_str));
    inner.end();
}

/// Appends counts by the words of steps, which are sorted as texts.
pub(crate) fn push_changes(
    out: &mut String,
    changes: &std::collections::BTreeMap<purlin_model::event::StepOp, u64>,
    escape: Escape,
) {
    let mut sorted: Vec<(&str, u64)> = changes.iter().map(|(op, count)| (op.as_str(), *count)).collect();
    sorted.sort_unstable();
    let mut object = ObjectWriter::begin(out, escape);
    for (op, count) in sorted {
        object.integer(op, count);
    }
    object.end();
}

fn push_step(out: &mut String, step: &StepView) {
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    object.text("op", step.op.as_str());
    object.text("urn", step.urn.as_str());
    let state = step.new.as_ref().or(step.old.as_ref());
    object.text("type", state.map_or(step.urn.ty(), |view| &view.state.ty));
    push_state(object.key("old"), step.old.as_ref());
    push_state(object.key("new"), step.new.as_ref());
    object.texts_if("keys", step.replace_keys.iter().map(String::as_str));
    object.texts_if("diffs", step.diff_keys.iter().map(String::as_str));
    push_detailed_diff(object.key("detailedDiff"), step.detailed_diff.as_ref(), "diffKind", Escape::Plain);
    object.flag("logical", step.logical);
    object.text("provider", &step.provider);
    object.end();
}

/// Appends what differs path by path, or null.
pub(crate) fn push_detailed_diff(
    out: &mut String,
    diff: Option<&DetailedDiff>,
    kind_key: &str,
    escape: Escape,
) {
    let Some(diff) = diff else {
        out.push_str("null");
        return;
    };
    let mut object = ObjectWriter::begin(out, escape);
    for (path, change) in diff {
        let mut inner = ObjectWriter::begin(object.any_key(path), escape);
        inner.text(kind_key, change.kind.as_str());
        inner.boolean("inputDiff", change.input_diff);
        inner.end();
    }
    object.end();
}

fn push_state(out: &mut String, view: Option<&StateView>) {
    let Some(view) = view else {
        out.push_str("null");
        return;
    };
    let state = &view.state;
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    object.text("type", &state.ty);
    object.text("urn", state.urn.as_str());
    object.flag("custom", state.custom);
    object.flag("delete", state.delete);
    object.text("id", &state.id);
    object.text("parent", state.parent.as_ref().map_or("", |urn| urn.as_str()));
    object.flag("protect", state.protect);
    object.flag("taint", state.taint);
    object.flag("external", state.external);
    object.flag("retainOnDelete", state.retain_on_delete);
    object.raw("inputs", &encode_shown(&view.inputs, Shown::Event, Escape::Plain));
    object.raw("outputs", &encode_shown(&view.outputs, Shown::Event, Escape::Plain));
    let provider = state.provider.as_ref().map(ToString::to_string);
    object.text("provider", provider.as_deref().unwrap_or_default());
    object.texts_if("initErrors", state.init_errors.iter().map(String::as_str));
    object.texts_if("hideDiffs", state.hide_diffs.iter().map(String::as_str));
    object.end();
}

/// A text without the codes by which terminals change colour or clear lines.
pub(crate) fn without_ansi_codes(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("\u{1b}[") {
        let after = &rest[start + 2..];
        let length = after.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
        if matches!(after.as_bytes().get(length), Some(b'm' | b'K')) {
            out.push_str(&rest[..start]);
            rest = &after[length + 1..];
        } else {
            out.push_str(&rest[..start + 2]);
            rest = after;
        }
    }
    if rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}
