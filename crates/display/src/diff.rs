//! What each step does to each property, step by step.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use purlin_model::PropertyMap;
use purlin_model::event::{EngineEvent, StepOp, StepView};
use purlin_model::urn::{STACK_TYPE, Urn};

use crate::line::heading;
use crate::ops;
use crate::options::Options;
use crate::policies;
use crate::run::{Heard, Run};
use crate::sections;
use crate::step;
use crate::style::{Tone, put};
use crate::text;

/// What is known of a resource whose step has begun.
struct Begun {
    parent: Option<Urn>,
    op: StepOp,
    shown: bool,
    results: u32,
    old_outputs: Option<Arc<PropertyMap>>,
}

/// Writes what each step does to each property as it begins, the outputs that it brings, what is
/// said meanwhile, and the sections at the end.
pub struct DiffRenderer {
    run: Run,
    begun: HashMap<Urn, Begun>,
    /// The resource that the last messages were about.
    speaker: Option<Urn>,
}

impl DiffRenderer {
    /// A renderer that has seen nothing yet.
    pub fn new(options: Options) -> Self {
        DiffRenderer { run: Run::new(options), begun: HashMap::new(), speaker: None }
    }

    /// The heading, with a line end.
    pub fn start(&self) -> String {
        heading(&self.run.options)
    }

    /// Takes an event that happened `now` after the operation began. Returns the text to write, which
    /// is empty or ends with a line end.
    pub fn event(&mut self, event: &EngineEvent, now: Duration) -> String {
        let heard = self.run.hear(event, now);
        let speaker = self.speaker.take();
        match event {
            EngineEvent::Prelude { config } => sections::configuration(&self.run.options, config),
            EngineEvent::ResourcePre { step, .. } => self.began(step),
            EngineEvent::ResourceOutputs { step, .. } => self.done(step),
            EngineEvent::Diagnostic { ephemeral: false, .. } | EngineEvent::Stdout { .. } => match heard {
                Heard::Said(row) => self.said(row, speaker),
                _ => String::new(),
            },
            EngineEvent::PolicyViolation(verdict) => policies::told(&self.run.options, verdict),
            EngineEvent::PolicyRemediation(repair) => policies::repaired(&self.run.options, repair),
            _ => {
                self.speaker = speaker;
                String::new()
            }
        }
    }

    /// The sections that end the operation. Empty or ends with a line end.
    pub fn finish(&mut self) -> String {
        let options = &self.run.options;
        let mut out = self.stack_outputs();
        let errored = self.run.rows.iter().filter(|row| row.counts.errors > 0 || row.failed).count();
        if let Some(summary) = &self.run.summary {
            out.push_str(&sections::resources(options, summary, errored as u64));
            for section in
                [policies::table(options, &summary.policy_packs), sections::duration(options, summary)]
            {
                if !section.is_empty() {
                    out.push('\n');
                    out.push_str(&section);
                }
            }
        }
        out
    }

    /// The stack's outputs, which nobody knows before the end.
    fn stack_outputs(&self) -> String {
        let outputs = &self.run.outputs;
        let Some(new) = outputs.new.as_ref().filter(|_| !self.run.options.suppress_outputs) else {
            return String::new();
        };
        let all = !self.run.options.preview || self.run.options.show_sames;
        let text = step::outputs(&self.run.options, new, outputs.old.as_deref(), 1, all, true);
        self.with_outputs_heading(text, 1, new.op)
    }

    fn with_outputs_heading(&self, text: String, level: usize, op: StepOp) -> String {
        if text.is_empty() {
            return text;
        }
        let mut out = "    ".repeat(level);
        put(&mut out, self.run.options.colors, ops::tone(op), "--outputs:--");
        out.push('\n');
        out.push_str(&text);
        out
    }

    fn is_root(urn: &Urn) -> bool {
        urn.qualified_type() == STACK_TYPE
    }

    fn is_shown(&self, step: &StepView) -> bool {
        let options = &self.run.options;
        if Self::is_root(&step.urn) {
            return true;
        }
        if ops::is_default_provider(step) || (ops::is_read(step.op) && !options.show_reads) {
            return false;
        }
        if step.op == StepOp::Same {
            return options.show_sames || ops::protection_changes(step);
        }
        let part = !step.logical || ops::is_part_of_replacement(step.op);
        options.show_replacement_steps || !part
    }

    /// How deep a step stands below the ancestors that are shown.
    fn indent(&self, step: &StepView) -> usize {
        let mut indent = 0;
        let mut next = step::parent(step);
        let mut left = self.begun.len();
        while let Some(begun) = next.and_then(|urn| self.begun.get(urn)) {
            indent += usize::from(begun.shown);
            next = begun.parent.as_ref();
            left = left.saturating_sub(1);
            if left == 0 {
                break;
            }
        }
        indent
    }

    fn began(&mut self, step: &StepView) -> String {
        let shown = self.is_shown(step);
        let begun = Begun {
            parent: step::parent(step).cloned(),
            op: step.op,
            shown,
            results: 0,
            old_outputs: step.old.as_ref().map(|old| Arc::clone(&old.outputs)),
        };
        self.begun.insert(step.urn.clone(), begun);
        // What these do is known only when they are done.
        let later = matches!(step.op, StepOp::Refresh | StepOp::Import);
        let mut out = String::new();
        if shown && !later {
            self.full(&mut out, step, false);
        }
        out
    }

    fn full(&self, out: &mut String, step: &StepView, refreshed: bool) {
        let indent = self.indent(step);
        step::heading(out, &self.run.options, step, indent);
        step::properties(out, &self.run.options, step, indent, refreshed);
    }

    fn done(&mut self, step: &StepView) -> String {
        let shown = self.is_shown(step);
        let level = self.indent(step) + 1;
        let mut refreshed = false;
        let mut old_outputs = step.old.as_ref().map(|old| Arc::clone(&old.outputs));
        let mut results = 1;
        if let Some(begun) = self.begun.get_mut(&step.urn) {
            begun.results += 1;
            results = begun.results;
            refreshed = begun.op == StepOp::Refresh;
            old_outputs = old_outputs.or_else(|| begun.old_outputs.clone());
            if results == 1 {
                begun.op = step.op;
                begun.shown = shown;
            }
        }
        if !shown {
            return String::new();
        }
        let options = &self.run.options;
        let mut out = String::new();
        if step.op == StepOp::Import || (refreshed && step.op == StepOp::Update) {
            self.full(&mut out, step, refreshed);
            return out;
        }
        let root = Self::is_root(&step.urn);
        let component = !step::is_custom(step);
        let known = !options.preview || refreshed || ops::is_read(step.op) || component;
        // A component's outputs come by themselves, after its step.
        let outputs = match known && !root && !options.suppress_outputs && (!component || results > 1) {
            true => step::outputs(options, step, old_outputs.as_deref(), level, false, refreshed),
            false => String::new(),
        };
        if refreshed && (step.op != StepOp::Refresh || !outputs.is_empty() || root) {
            step::heading(&mut out, options, step, level - 1);
        }
        if step.op != StepOp::Delete {
            out.push_str(&self.with_outputs_heading(outputs, level, step.op));
        }
        out
    }

    /// What was said of a row last.
    fn said(&mut self, row: usize, speaker: Option<Urn>) -> String {
        let options = &self.run.options;
        let known = &self.run.rows[row];
        let Some(message) = known.messages.last() else { return String::new() };
        let mut out = String::new();
        if row == crate::run::ROOT {
            sections::diagnostic(&mut out, options, message, 0);
            return out;
        }
        if speaker.as_ref() != Some(&known.urn) {
            let title = format!("{}:\n", text::resource_title(&known.urn, options.urns));
            put(&mut out, options.colors, Tone::Resource, &title);
        }
        self.speaker = Some(known.urn.clone());
        sections::diagnostic(&mut out, options, message, 1);
        out
    }
}

/// What a run of events would do, as people look at it before they agree: only changes, no heading,
/// no counts, nothing of what was said.
pub fn details(options: &Options, events: &[EngineEvent]) -> String {
    let mut renderer = DiffRenderer::new(Options { only_changes: true, ..options.clone() });
    let mut out = String::new();
    for event in events {
        if let EngineEvent::ResourcePre { .. }
        | EngineEvent::ResourceOutputs { .. }
        | EngineEvent::ResourceFailed { .. } = event
        {
            out.push_str(&renderer.event(event, Duration::ZERO));
        }
    }
    out.push_str(&renderer.stack_outputs());
    out
}
