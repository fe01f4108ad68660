//! Plain lines as things happen, for logs and pipes.

use std::time::Duration;

use purlin_model::event::{EngineEvent, StepOp};

use crate::ops;
use crate::options::Options;
use crate::row::Cells;
use crate::run::{Heard, ROOT, Run};
use crate::sections;
use crate::style::{Styled, Tone, put};
use crate::text;

/// Writes a line for everything that begins, ends or is said, and the sections at the end.
pub struct LineRenderer {
    run: Run,
}

impl LineRenderer {
    /// A renderer that has seen nothing yet.
    pub fn new(options: Options) -> Self {
        LineRenderer { run: Run::new(options) }
    }

    /// The heading, with a line end.
    pub fn start(&self) -> String {
        heading(&self.run.options)
    }

    /// Takes an event that happened `now` after the operation began. Returns the text to write, which
    /// is empty or ends with a line end.
    pub fn event(&mut self, event: &EngineEvent, now: Duration) -> String {
        match self.run.hear(event, now) {
            Heard::Nothing | Heard::Violated | Heard::Repaired => String::new(),
            Heard::Prelude => match event {
                EngineEvent::Prelude { config } => sections::configuration(&self.run.options, config),
                _ => String::new(),
            },
            Heard::Began(row) if self.is_silent(row) => String::new(),
            Heard::Began(row) | Heard::Failed(row) | Heard::Said(row) => self.line(row, now),
            Heard::Done { row, refreshed } => {
                let known = &self.run.rows[row];
                let done = known.is_done(self.run.phase(now, false), &self.run.options);
                let new = refreshed || (!self.run.options.preview && known.op != StepOp::Same);
                if done && new && !self.is_silent(row) { self.line(row, now) } else { String::new() }
            }
            Heard::Activity { begins, ends } => self.activity(event, begins, ends),
        }
    }

    /// The lines and sections that end the operation. Empty or ends with a line end.
    pub fn finish(&mut self, now: Duration) -> String {
        let phase = self.run.phase(now, false);
        let unfinished: Vec<usize> = (ROOT + 1..self.run.rows.len())
            .filter(|row| self.run.rows[*row].is_running(phase, &self.run.options) && !self.is_silent(*row))
            .chain([ROOT])
            .collect();
        self.run.over = true;
        let mut out = String::new();
        for row in unfinished {
            out.push_str(&self.line(row, now));
        }
        out.push_str(&sections::closing(&self.run));
        out
    }

    /// Whether a row's step is better left out: in a preview the parts of a replacement, otherwise
    /// the replacement as a whole.
    fn is_silent(&self, row: usize) -> bool {
        let (op, options) = (self.run.rows[row].op, &self.run.options);
        if options.show_replacement_steps {
            return false;
        }
        if options.preview { ops::is_part_of_replacement(op) } else { op == StepOp::Replace }
    }

    fn line(&self, row: usize, now: Duration) -> String {
        let options = &self.run.options;
        let known = &self.run.rows[row];
        if !known.shown {
            return String::new();
        }
        let Cells { sign, ty, name, status, info } = known.cells(options, self.run.phase(now, false));
        let mut line = Styled::new(Tone::Plain, " ");
        for (index, cell) in [sign, ty, name, status, info].into_iter().enumerate() {
            if index > 0 && !cell.is_empty() {
                line.push(Tone::Plain, " ");
            }
            line.append(cell);
        }
        let mut text = line.render(options.colors, usize::MAX);
        text.push('\n');
        text
    }

    fn activity(&self, event: &EngineEvent, begins: bool, ends: bool) -> String {
        let EngineEvent::Progress { message, .. } = event else { return String::new() };
        if self.run.options.suppress_progress || !(begins || ends) {
            return String::new();
        }
        let message = text::first_line(message);
        if ends { format!("{message}: done\n") } else { format!("{message}: starting\n") }
    }
}

/// The heading of every rendering.
pub(crate) fn heading(options: &Options) -> String {
    let mut out = String::new();
    put(&mut out, options.colors, Tone::Headline, &options.heading());
    out.push('\n');
    out
}
