//! One resource as lines and trees show it.

use std::time::Duration;

use purlin_diag::Severity;
use purlin_model::event::{StepOp, StepView};
use purlin_model::urn::Urn;

use crate::ops;
use crate::options::Options;
use crate::step;
use crate::style::{Styled, Tone};
use crate::text;

/// A message about a resource.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) severity: Severity,
    pub(crate) prefix: String,
    pub(crate) text: String,
    pub(crate) stream: i32,
}

/// How many messages there were, by what they are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) errors: u64,
    warnings: u64,
    messages: u64,
    debug: u64,
}

/// One resource and what has become of it so far.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) urn: Urn,
    pub(crate) parent: Option<Urn>,
    pub(crate) root: bool,
    pub(crate) op: StepOp,
    pub(crate) custom: bool,
    /// Whether it is worth showing for its own sake.
    pub(crate) shown: bool,
    pub(crate) failed: bool,
    outcome_unknown: bool,
    retain: bool,
    start: Option<Duration>,
    end: Option<Duration>,
    /// How many times a step of it was said to be done since it began.
    pub(crate) results: u32,
    diff: String,
    pub(crate) counts: Counts,
    last: Option<(Tone, String)>,
    last_error: Option<String>,
    pub(crate) messages: Vec<Message>,
}

/// What the whole operation means for how rows look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) now: Duration,
    /// Whether nothing more will come.
    pub(crate) over: bool,
    /// Whether something has failed.
    pub(crate) failed: bool,
    /// Whether replacements are shown as one thing where that is possible.
    pub(crate) collapse: bool,
    /// Whether errors stay in view though other messages follow.
    pub(crate) errors_stay: bool,
}

/// The columns of a row.
pub(crate) struct Cells {
    pub(crate) sign: Styled,
    pub(crate) ty: Styled,
    pub(crate) name: Styled,
    pub(crate) status: Styled,
    pub(crate) info: Styled,
}

impl Row {
    pub(crate) fn new(urn: Urn, root: bool) -> Self {
        Row {
            urn,
            parent: None,
            root,
            op: StepOp::Same,
            custom: false,
            shown: root,
            failed: false,
            outcome_unknown: false,
            retain: false,
            start: None,
            end: None,
            results: 0,
            diff: String::new(),
            counts: Counts::default(),
            last: None,
            last_error: None,
            messages: Vec::new(),
        }
    }

    fn take(&mut self, step: &StepView) {
        self.op = step.op;
        self.custom = step::is_custom(step);
        if let Some(parent) = step::parent(step) {
            self.parent = Some(parent.clone());
        }
        self.retain = ops::retains(step);
        let diff = step::short_diff(step);
        // The parts of a replacement know less of it than the step that stands for it whole.
        if !diff.is_empty() || !ops::is_part_of_replacement(step.op) {
            self.diff = diff;
        }
    }

    /// A step of it begins.
    pub(crate) fn begin(&mut self, step: &StepView, now: Duration) {
        self.take(step);
        self.start = Some(now);
        self.end = None;
        self.results = 0;
    }

    /// A step of it is done.
    pub(crate) fn finish(&mut self, step: &StepView, now: Duration) {
        self.results += 1;
        self.end = Some(now);
        if self.results > 1 {
            // Only the outputs of a component have come.
            return;
        }
        self.take(step);
    }

    /// A step of it has failed.
    pub(crate) fn fail(&mut self, step: &StepView, now: Duration, outcome_unknown: bool) {
        self.take(step);
        self.end = Some(now);
        self.failed = true;
        self.outcome_unknown = outcome_unknown;
    }

    /// Something was said about it. Passing messages are shown and not kept.
    pub(crate) fn say(&mut self, message: Message, ephemeral: bool) {
        let line = text::first_line(&format!("{}{}", message.prefix, message.text));
        if message.severity == Severity::Error {
            self.last_error = Some(line.clone());
        }
        self.last = Some((severity_tone(message.severity), line));
        if ephemeral {
            return;
        }
        match message.severity {
            Severity::Error => self.counts.errors += 1,
            Severity::Warning => self.counts.warnings += 1,
            Severity::Info | Severity::InfoError => self.counts.messages += 1,
            Severity::Debug => self.counts.debug += 1,
        }
        self.messages.push(message);
    }

    /// Whether nothing more is going on with it.
    pub(crate) fn is_done(&self, phase: Phase, options: &Options) -> bool {
        if self.failed || phase.over {
            return true;
        }
        !self.root && self.results >= self.results_wanted(options)
    }

    /// Whether it has begun and isn't done.
    pub(crate) fn is_running(&self, phase: Phase, options: &Options) -> bool {
        self.start.is_some() && !self.is_done(phase, options)
    }

    /// A component that is made is done when its outputs have come.
    fn results_wanted(&self, options: &Options) -> u32 {
        let waits = !self.custom
            && !options.preview
            && matches!(self.op, StepOp::Create | StepOp::Update | StepOp::CreateReplacement);
        if waits { 2 } else { 1 }
    }

    /// The step as it is shown: a replacement is shown as one where its parts are of no interest.
    fn shown_op(&self, phase: Phase, options: &Options) -> StepOp {
        let whole = options.preview || phase.over;
        if phase.collapse && whole && !phase.failed && ops::is_part_of_replacement(self.op) {
            return StepOp::Replace;
        }
        self.op
    }

    pub(crate) fn cells(&self, options: &Options, phase: Phase) -> Cells {
        let op = self.shown_op(phase, options);
        let tone = ops::tone(op);
        let (ty, name) = if options.urns {
            (text::shown_name(self.urn.as_str()), "".into())
        } else {
            (text::shown_type(self.urn.ty()), text::shown_name(self.urn.name()))
        };
        Cells {
            sign: Styled::new(tone, ops::sign(op)),
            ty: Styled::new(Tone::Plain, ty),
            name: Styled::new(Tone::Plain, name),
            status: self.status(options, phase, op),
            info: self.info(phase),
        }
    }

    fn status(&self, options: &Options, phase: Phase, op: StepOp) -> Styled {
        let done = self.is_done(phase, options);
        let failed = self.failed || (self.root && done && self.counts.errors > 0);
        let retain = if self.retain { "[retain]" } else { "" };
        if self.root && !done && op == StepOp::Same {
            return Styled::new(Tone::Plain, "running");
        }
        if options.preview {
            let word = if op == StepOp::Refresh && !done { ops::doing(op) } else { ops::plan(op) };
            return match failed {
                true => Styled::new(Tone::Error, format!("**{word} failed**").replace("** ", "**")),
                false => Styled::new(ops::tone(op), format!("{word}{retain}")),
            };
        }
        if failed {
            let what = if self.outcome_unknown { "outcome unknown" } else { "failed" };
            let took = if op == StepOp::Same { String::new() } else { self.took() };
            let text = format!("**{} {what}{took}**", ops::doing(op));
            return Styled::new(Tone::Error, text.replace("** ", "**"));
        }
        if !done {
            let since = self.start.map(|start| phase.now.saturating_sub(start));
            let time = since.filter(|_| op != StepOp::Same).map(running_time).unwrap_or_default();
            return Styled::new(ops::tone(op), format!("{}{retain}{time}", ops::doing(op)));
        }
        if self.custom && self.start.is_some() && self.end.is_none() && op != StepOp::Same {
            return Styled::new(Tone::Warning, format!("{} (interrupted)", ops::doing(op)));
        }
        let took = if op == StepOp::Same { String::new() } else { self.took() };
        Styled::new(ops::tone(op), format!("{}{retain}{took}", ops::done(op)))
    }

    fn took(&self) -> String {
        match (self.start, self.end) {
            (Some(start), Some(end)) => finished_time(end.saturating_sub(start)),
            _ => String::new(),
        }
    }

    fn info(&self, phase: Phase) -> Styled {
        let mut info = Styled::default();
        let mut add = |tone: Tone, text: String| {
            if !info.is_empty() {
                info.push(Tone::Plain, "; ");
            }
            info.push(tone, text);
        };
        if !self.diff.is_empty() {
            add(Tone::Plain, format!("[{}]", self.diff));
        }
        if !phase.over {
            match (&self.last_error, &self.last) {
                (Some(error), _) if phase.errors_stay => add(Tone::Error, error.clone()),
                (_, Some((tone, line))) if !line.is_empty() => add(*tone, line.clone()),
                _ => {}
            }
            return info;
        }
        let counts = self.counts;
        for (count, noun, tone) in [
            (counts.errors, "error", Tone::Error),
            (counts.warnings, "warning", Tone::Warning),
            (counts.messages, "message", Tone::Info),
            (counts.debug, "debug message", Tone::Debug),
        ] {
            if count > 0 {
                add(tone, text::counted(count, noun));
            }
        }
        info
    }
}

pub(crate) fn severity_tone(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Error,
        Severity::Warning => Tone::Warning,
        Severity::Debug => Tone::Debug,
        Severity::Info | Severity::InfoError => Tone::Plain,
    }
}

/// How long something has been going on: ` (1.2s)`.
fn running_time(time: Duration) -> String {
    match time.as_secs() {
        0 if time.as_millis() < 100 => " (0s)".to_owned(),
        0..60 => format!(" ({:.1}s)", (time.as_secs_f64() * 10.0).floor() / 10.0),
        _ => format!(" ({})", whole_seconds(time.as_secs())),
    }
}

/// How long something took: ` (0.35s)`.
fn finished_time(time: Duration) -> String {
    match time.as_secs() {
        0 => format!(" ({:.2}s)", time.as_secs_f64()),
        1..60 => format!(" ({:.1}s)", time.as_secs_f64()),
        seconds => format!(" ({})", whole_seconds(seconds)),
    }
}

/// `3s`, `1m3s`, `1h0m3s`.
pub(crate) fn whole_seconds(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}
