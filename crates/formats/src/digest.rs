//! The digest of a preview: one JSON document made from all events.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use purlin_diag::Severity;
use purlin_model::event::{EngineEvent, StateView, StepOp, StepView};
use purlin_model::urn::STACK_TYPE;
use purlin_model::{Causes, PropertyMap, Urn};

use crate::envelope_write::{Bags, Style, push_resource};
use crate::event::{push_changes, push_detailed_diff, without_ansi_codes};
use crate::text::{Escape, ObjectWriter, indent, push_string};
use crate::why::why_json;

/// What a digest shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestOptions {
    /// Unchanged resources too.
    pub show_sames: bool,
    /// The parts of replacements too.
    pub show_replacement_steps: bool,
    /// Nothing of the stack's own outputs.
    pub suppress_outputs: bool,
    /// What led to each step.
    pub why: bool,
}

/// The digest of a preview, fed with events one by one.
#[derive(Default)]
pub struct PreviewDigest {
    options: DigestOptions,
    config: BTreeMap<String, String>,
    /// The text of each step with its resource.
    steps: Vec<(Urn, String)>,
    /// The operation that was first announced for a resource.
    announced: HashMap<Urn, StepOp>,
    diagnostics: Vec<String>,
    duration_nanos: u64,
    changes: BTreeMap<StepOp, u64>,
    maybe_corrupt: bool,
    causes: Causes,
}

impl PreviewDigest {
    /// An empty digest.
    pub fn new(options: DigestOptions) -> Self {
        PreviewDigest { options, ..Default::default() }
    }

    /// Takes an event.
    pub fn event(&mut self, event: &EngineEvent) {
        match event {
            EngineEvent::Prelude { config } => self.config.clone_from(config),
            EngineEvent::Diagnostic { urn, prefix, message, severity, ephemeral, .. } => {
                if !ephemeral && *severity != Severity::Debug {
                    self.diagnostic(urn.as_ref(), &format!("{prefix}{message}"), *severity);
                }
            }
            EngineEvent::Stdout { message } => self.diagnostic(None, message, Severity::Info),
            EngineEvent::ResourcePre { step, .. } => {
                if self.options.why {
                    self.causes.note(step);
                }
                if self.shows(step) {
                    self.announced.insert(step.urn.clone(), step.op);
                    self.steps.push((step.urn.clone(), self.step(step)));
                }
            }
            EngineEvent::ResourceOutputs { step, .. } => {
                let refreshed = self.announced.get(&step.urn) == Some(&StepOp::Refresh);
                let found =
                    step.op == StepOp::Delete || (step.op == StepOp::Update && step.detailed_diff.is_some());
                if self.shows(step) && refreshed && found {
                    let text = self.step(step);
                    for (_, old) in self.steps.iter_mut().filter(|(urn, _)| *urn == step.urn) {
                        old.clone_from(&text);
                    }
                }
            }
            EngineEvent::Summary { maybe_corrupt, duration_seconds, changes, .. } => {
                self.duration_nanos = duration_seconds.saturating_mul(1_000_000_000);
                self.changes.clone_from(changes);
                self.maybe_corrupt = *maybe_corrupt;
            }
            EngineEvent::ResourceFailed { .. }
            | EngineEvent::Progress { .. }
            | EngineEvent::PolicyLoad
            | EngineEvent::PolicyViolation(_)
            | EngineEvent::PolicyRemediation(_)
            | EngineEvent::PolicySummary(_)
            | EngineEvent::Cancel => {}
        }
    }

    /// Sets the duration more exactly than the summary tells it.
    pub fn duration(&mut self, nanos: u64) {
        self.duration_nanos = nanos;
    }

    /// The document, four spaces a level, without a line break at its end.
    pub fn finish(&self) -> String {
        let mut out = String::new();
        let mut object = ObjectWriter::begin(&mut out, Escape::Html);
        if !self.config.is_empty() {
            let mut config = ObjectWriter::begin(object.key("config"), Escape::Html);
            for (key, value) in &self.config {
                push_string(config.any_key(key), value, Escape::Html);
            }
            config.end();
        }
        let steps: Vec<Cow<'_, str>> =
            self.steps.iter().map(|(urn, text)| self.explained(urn, text)).collect();
        if !steps.is_empty() {
            object.raw("steps", &format!("[{}]", steps.join(",")));
        }
        if !self.diagnostics.is_empty() {
            object.raw("diagnostics", &format!("[{}]", self.diagnostics.join(",")));
        }
        if self.duration_nanos > 0 {
            object.integer("duration", self.duration_nanos);
        }
        if !self.changes.is_empty() {
            push_changes(object.key("changeSummary"), &self.changes, Escape::Html);
        }
        object.flag("maybeCorrupt", self.maybe_corrupt);
        object.end();
        indent(&out)
    }

    /// A step's text with what led to it, if that is asked for.
    fn explained<'a>(&self, urn: &Urn, text: &'a str) -> Cow<'a, str> {
        let body = text.strip_suffix('}').filter(|_| self.options.why);
        match body {
            Some(body) => Cow::Owned(format!("{body},\"why\":{}}}", why_json(&self.causes, urn))),
            None => Cow::Borrowed(text),
        }
    }

    fn diagnostic(&mut self, urn: Option<&Urn>, message: &str, severity: Severity) {
        let mut out = String::new();
        let mut object = ObjectWriter::begin(&mut out, Escape::Html);
        object.text_if("urn", urn.map_or("", Urn::as_str));
        object.text_if("message", &without_ansi_codes(message));
        object.text("severity", severity.as_str());
        object.end();
        self.diagnostics.push(out);
    }

    fn shows(&self, step: &StepView) -> bool {
        if step.urn.qualified_type() == STACK_TYPE {
            return true;
        }
        if step.op == StepOp::Same {
            let protect = |view: &Option<StateView>| view.as_ref().is_some_and(|view| view.state.protect);
            return self.options.show_sames || protect(&step.old) != protect(&step.new);
        }
        let part_of_replacement = matches!(
            step.op,
            StepOp::Replace
                | StepOp::CreateReplacement
                | StepOp::DeleteReplaced
                | StepOp::ReadReplacement
                | StepOp::DiscardReplaced
                | StepOp::RemovePendingReplace
                | StepOp::ImportReplacement
        );
        self.options.show_replacement_steps || step.logical || !part_of_replacement
    }

    fn step(&self, step: &StepView) -> String {
        let mut out = String::new();
        let mut object = ObjectWriter::begin(&mut out, Escape::Html);
        object.text("op", step.op.as_str());
        object.text("urn", step.urn.as_str());
        object.text_if("provider", &step.provider);
        for (key, view) in [("oldState", &step.old), ("newState", &step.new)] {
            if let Some(text) = view.as_ref().and_then(|view| self.state(view)) {
                object.raw(key, &text);
            }
        }
        object.texts_if("diffReasons", step.diff_keys.iter().map(String::as_str));
        object.texts_if("replaceReasons", step.replace_keys.iter().map(String::as_str));
        push_detailed_diff(object.key("detailedDiff"), step.detailed_diff.as_ref(), "kind", Escape::Html);
        object.end();
        out
    }

    fn state(&self, view: &StateView) -> Option<String> {
        let nothing = PropertyMap::new();
        let hidden = self.options.suppress_outputs && view.state.urn.qualified_type() == STACK_TYPE;
        let (inputs, outputs) = if hidden { (&nothing, &nothing) } else { (&*view.inputs, &*view.outputs) };
        let mut out = String::new();
        let style = Style { bags: Bags::Shown { inputs, outputs }, stack_trace: true, escape: Escape::Html };
        push_resource(&mut out, &view.state, style).ok().map(|()| out)
    }
}
