//! What has happened so far in an operation, as lines and trees need it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use purlin_diag::Severity;
use purlin_model::event::{EngineEvent, StepOp, StepView};
use purlin_model::policy::{PolicyRepair, PolicyVerdict};
use purlin_model::urn::{STACK_TYPE, Urn};
use purlin_model::{PropertyMap, QuickMap};

use crate::ops;
use crate::options::Options;
use crate::row::{Message, Phase, Row};
use crate::step;
use crate::text;

/// The end of an operation as the engine counts it.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) seconds: u64,
    pub(crate) changes: BTreeMap<StepOp, u64>,
    /// The versions of the policy packs that judged it, by their names.
    pub(crate) policy_packs: BTreeMap<String, String>,
}

/// The stack's outputs before and after.
#[derive(Clone, Debug, Default)]
pub(crate) struct StackOutputs {
    pub(crate) old: Option<Arc<PropertyMap>>,
    pub(crate) new: Option<StepView>,
}

/// A download or installation that goes on.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    pub(crate) message: String,
    pub(crate) received: u64,
    pub(crate) total: u64,
}

/// What an event meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing to show.
    Nothing,
    /// The configuration.
    Prelude,
    /// A step of a row begins.
    Began(usize),
    /// A step of a row is done.
    Done { row: usize, refreshed: bool },
    /// A step of a row has failed.
    Failed(usize),
    /// Something was said about a row.
    Said(usize),
    /// A download or installation began or ended.
    Activity { begins: bool, ends: bool },
    /// A policy is violated.
    Violated,
    /// A policy has put a resource right.
    Repaired,
}

/// What has happened so far.
pub(crate) struct Run {
    pub(crate) options: Options,
    /// The root stack's row stands first.
    pub(crate) rows: Vec<Row>,
    index: QuickMap<Urn, usize>,
    pub(crate) sames: u64,
    pub(crate) failed: bool,
    pub(crate) over: bool,
    pub(crate) summary: Option<Summary>,
    pub(crate) outputs: StackOutputs,
    pub(crate) activities: BTreeMap<String, Activity>,
    pub(crate) violations: Vec<PolicyVerdict>,
    pub(crate) repairs: Vec<PolicyRepair>,
}

/// The row of the root stack.
pub(crate) const ROOT: usize = 0;

impl Run {
    pub(crate) fn new(options: Options) -> Self {
        let urn = Urn::root_stack(&options.stack, &options.project);
        Run {
            rows: vec![Row::new(urn, true)],
            options,
            index: QuickMap::default(),
            sames: 0,
            failed: false,
            over: false,
            summary: None,
            outputs: StackOutputs::default(),
            activities: BTreeMap::new(),
            violations: Vec::new(),
            repairs: Vec::new(),
        }
    }

    pub(crate) fn phase(&self, now: Duration, tree: bool) -> Phase {
        Phase {
            now,
            over: self.over,
            failed: self.failed,
            collapse: !self.options.show_replacement_steps,
            errors_stay: tree,
        }
    }

    /// The row of a resource, if it has one.
    pub(crate) fn find(&self, urn: &Urn) -> Option<usize> {
        if urn.qualified_type() == STACK_TYPE {
            return Some(ROOT);
        }
        self.index.get(urn).copied()
    }

    fn row_of(&mut self, urn: &Urn) -> usize {
        if let Some(row) = self.find(urn) {
            return row;
        }
        self.rows.push(Row::new(urn.clone(), false));
        self.index.insert(urn.clone(), self.rows.len() - 1);
        self.rows.len() - 1
    }

    /// The row that a step is about, and that of its parent, which keeps its place in the tree.
    fn row_of_step(&mut self, step: &StepView) -> usize {
        if let Some(parent) = step::parent(step) {
            self.row_of(parent);
        }
        let row = self.row_of(&step.urn);
        if row == ROOT {
            self.rows[ROOT].urn = step.urn.clone();
        }
        row
    }

    /// Takes an event.
    pub(crate) fn hear(&mut self, event: &EngineEvent, now: Duration) -> Heard {
        match event {
            EngineEvent::Prelude { .. } => Heard::Prelude,
            EngineEvent::Diagnostic { urn, prefix, message, severity, stream_id, ephemeral } => {
                let message = Message {
                    severity: *severity,
                    prefix: prefix_of(prefix, *severity),
                    text: message.clone(),
                    stream: *stream_id,
                };
                self.say(urn.as_ref(), message, *ephemeral)
            }
            EngineEvent::Stdout { message } => {
                let (severity, prefix) = (Severity::Info, String::new());
                let message = Message { severity, prefix, text: message.clone(), stream: 0 };
                self.say(None, message, false)
            }
            EngineEvent::ResourcePre { step, .. } => self.begin(step, now),
            EngineEvent::ResourceOutputs { step, .. } => self.done(step, now),
            EngineEvent::ResourceFailed { step, outcome_unknown, .. } => {
                self.failed = true;
                let row = self.row_of_step(step);
                self.rows[row].shown = true;
                self.rows[row].fail(step, now, *outcome_unknown);
                Heard::Failed(row)
            }
            EngineEvent::Progress { id, message, received, total, done } => {
                let activity = Activity { message: message.clone(), received: *received, total: *total };
                let begins = match done {
                    true => self.activities.remove(id).is_none(),
                    false => self.activities.insert(id.clone(), activity).is_none(),
                };
                Heard::Activity { begins, ends: *done }
            }
            EngineEvent::Summary { duration_seconds, changes, policy_packs, .. } => {
                self.summary = Some(Summary {
                    seconds: *duration_seconds,
                    changes: changes.clone(),
                    policy_packs: policy_packs.clone(),
                });
                Heard::Nothing
            }
            EngineEvent::PolicyViolation(verdict) => {
                self.violations.push(PolicyVerdict::clone(verdict));
                Heard::Violated
            }
            EngineEvent::PolicyRemediation(repair) => {
                self.repairs.push(PolicyRepair::clone(repair));
                Heard::Repaired
            }
            EngineEvent::PolicyLoad | EngineEvent::PolicySummary(_) | EngineEvent::Cancel => Heard::Nothing,
        }
    }

    fn say(&mut self, urn: Option<&Urn>, message: Message, ephemeral: bool) -> Heard {
        let silent = text::clean(&message.text, false).trim().is_empty();
        if silent || (message.severity == Severity::Debug && !self.options.debug) {
            return Heard::Nothing;
        }
        let row = urn.map_or(ROOT, |urn| self.row_of(urn));
        self.rows[row].shown = true;
        self.rows[row].say(message, ephemeral);
        Heard::Said(row)
    }

    fn begin(&mut self, step: &StepView, now: Duration) -> Heard {
        if ops::is_default_provider(step) {
            return Heard::Nothing;
        }
        if ops::is_read(step.op) && !self.options.show_reads {
            if step.op != StepOp::Read {
                return Heard::Nothing;
            }
            let text =
                format!("read {} {}", text::shown_type(step.urn.ty()), text::shown_name(step.urn.name()));
            let message = Message { severity: Severity::Info, prefix: String::new(), text, stream: 0 };
            return self.say(None, message, true);
        }
        let row = self.row_of_step(step);
        self.rows[row].shown |= self.is_worth_showing(step);
        self.rows[row].begin(step, now);
        self.note_stack(row, step);
        Heard::Began(row)
    }

    fn done(&mut self, step: &StepView, now: Duration) -> Heard {
        let read = ops::is_read(step.op) && !self.options.show_reads;
        if read || ops::is_default_provider(step) {
            return Heard::Nothing;
        }
        let row = self.row_of_step(step);
        let known = &mut self.rows[row];
        let refreshed = known.op == StepOp::Refresh && known.results == 0;
        if refreshed {
            known.shown = row == ROOT || !known.messages.is_empty();
        }
        known.finish(step, now);
        if step.op == StepOp::Same && known.results == 1 {
            self.sames += 1;
        }
        // A look at the cloud as part of something else is over once it is done.
        self.rows[row].shown |= step.op != StepOp::Refresh && self.is_worth_showing(step);
        self.note_stack(row, step);
        Heard::Done { row, refreshed }
    }

    fn note_stack(&mut self, row: usize, step: &StepView) {
        if row != ROOT {
            return;
        }
        if let Some(old) = &step.old
            && self.outputs.old.is_none()
        {
            self.outputs.old = Some(Arc::clone(&old.outputs));
        }
        let removed = step.op == StepOp::Delete;
        if removed || step.new.is_some() {
            self.outputs.new = Some(step.clone());
        }
    }

    /// Whether a step shows a resource that would be left out otherwise.
    fn is_worth_showing(&self, step: &StepView) -> bool {
        step.op != StepOp::Same || self.options.show_sames || ops::protection_changes(step)
    }

    /// Rows by their parents. Rows without a known parent stand below the root.
    pub(crate) fn children(&self) -> Vec<Vec<usize>> {
        let mut children = vec![Vec::new(); self.rows.len()];
        for (row, known) in self.rows.iter().enumerate().skip(1) {
            let parent = known.parent.as_ref().and_then(|parent| self.find(parent));
            children[parent.filter(|parent| *parent != row).unwrap_or(ROOT)].push(row);
        }
        children
    }
}

/// The prefix of a message, which not everybody who says something provides.
pub(crate) fn prefix_of(prefix: &str, severity: Severity) -> String {
    if !prefix.is_empty() {
        return prefix.to_owned();
    }
    match severity {
        Severity::Error => "error: ",
        Severity::Warning => "warning: ",
        Severity::Debug => "debug: ",
        Severity::Info | Severity::InfoError => "",
    }
    .to_owned()
}
