//! A live tree of resources for terminals.

use std::time::Duration;

use purlin_model::event::EngineEvent;

use crate::line::heading;
use crate::options::Options;
use crate::row::{Cells, Phase};
use crate::run::{Activity, Heard, ROOT, Run};
use crate::sections;
use crate::style::{Styled, Tone};
use crate::text;

/// The signs of something going on, one after another.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const PLAIN_SPINNER: [&str; 4] = ["|", "/", "-", "\\"];

/// How long each sign stands.
const SPIN: Duration = Duration::from_millis(100);

/// The columns before the first column of the table.
const SIGN_WIDTH: usize = 5;

/// The columns between the columns of the table.
const GAP: usize = 2;

/// Types are not cut to less than this, nor names to less than the next.
const LEAST_TYPE: usize = 24;
const LEAST_NAME: usize = 8;

/// The least width of a bar.
const LEAST_BAR: usize = 10;

/// The most lines that downloads and installations may take.
const MOST_ACTIVITIES: usize = 5;

/// Keeps a tree of resources by their parents and draws it as it is at a given time.
pub struct TreeRenderer {
    run: Run,
    config: String,
}

/// A row at its place in the tree.
struct Placed {
    row: usize,
    /// The lines that lead to it.
    branch: String,
}

impl TreeRenderer {
    /// A renderer that has seen nothing yet.
    pub fn new(options: Options) -> Self {
        TreeRenderer { run: Run::new(options), config: String::new() }
    }

    /// The heading, with a line end. It stands above the frames.
    pub fn start(&self) -> String {
        heading(&self.run.options)
    }

    /// Takes an event that happened `now` after the operation began.
    pub fn event(&mut self, event: &EngineEvent, now: Duration) {
        if let (Heard::Prelude, EngineEvent::Prelude { config }) = (self.run.hear(event, now), event) {
            self.config = sections::configuration(&self.run.options, config);
        }
    }

    /// The picture at a time, as lines of less than `width` columns, less than `height` of them.
    pub fn frame(&self, now: Duration, width: u16, height: u16) -> Vec<String> {
        let width = usize::from(width).saturating_sub(1);
        let height = usize::from(height).saturating_sub(1);
        if height == 0 || width == 0 {
            return Vec::new();
        }
        let phase = self.run.phase(now, true);
        let mut below = self.activities(width);
        if self.run.sames > 0 && !self.run.options.show_sames {
            below.push(Styled::new(Tone::Faint, format!("     {} unchanged", self.run.sames)));
        }
        // The tree itself goes first where there is little room.
        below.truncate(height.saturating_sub(4));
        let mut placed = self.placed();
        let room = height - below.len();
        let left_out = self.collapse(&mut placed, phase, room.saturating_sub(1));
        let mut lines = self.table(&placed, phase, Some(now), width);
        lines.truncate(room);
        if left_out > 0 {
            let note = Styled::new(Tone::Faint, format!("     … {left_out} more"));
            if lines.len() == room {
                lines.pop();
            }
            lines.push(note.render(self.run.options.colors, width));
        }
        lines.extend(below.into_iter().map(|line| line.render(self.run.options.colors, width)));
        lines
    }

    /// The whole tree and the sections that end the operation. `width` is that of the terminal, zero
    /// for no limit. Ends with a line end.
    pub fn finish(&mut self, now: Duration, width: u16) -> String {
        self.run.over = true;
        let width = match usize::from(width) {
            0 => usize::MAX,
            width => width - 1,
        };
        let mut out = String::new();
        for line in self.table(&self.placed(), self.run.phase(now, true), None, width) {
            out.push_str(&line);
            out.push('\n');
        }
        if !self.config.is_empty() {
            out.push('\n');
            out.push_str(&self.config);
        }
        out.push_str(&sections::closing(&self.run));
        out
    }

    /// The rows that are shown, each after its parent and its elder siblings with all of theirs.
    fn placed(&self) -> Vec<Placed> {
        let children = self.run.children();
        let shown = self.shown(&children);
        let mut placed = Vec::new();
        let mut left = vec![(ROOT, String::new(), String::new())];
        while let Some((row, branch, below)) = left.pop() {
            let visible: Vec<usize> = children[row].iter().copied().filter(|child| shown[*child]).collect();
            for (index, child) in visible.iter().enumerate().rev() {
                let last = index + 1 == visible.len();
                let (fork, trunk) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                left.push((*child, format!("{below}{fork}"), format!("{below}{trunk}")));
            }
            placed.push(Placed { row, branch });
        }
        placed
    }

    /// Which rows are shown: those worth it, and what is above them.
    fn shown(&self, children: &[Vec<usize>]) -> Vec<bool> {
        let rows = &self.run.rows;
        let mut shown: Vec<bool> = rows.iter().map(|row| row.shown).collect();
        // Parents come into the order after their children, so children are settled first.
        let mut order = vec![ROOT];
        let mut next = 0;
        while let Some(row) = order.get(next).copied() {
            order.extend(&children[row]);
            next += 1;
        }
        for row in order.into_iter().rev() {
            shown[row] |= children[row].iter().any(|child| shown[*child]);
        }
        shown
    }

    /// Takes rows out until the rest fits, finished ones first. Returns how many are gone.
    fn collapse(&self, placed: &mut Vec<Placed>, phase: Phase, room: usize) -> usize {
        let before = placed.len();
        if before <= room {
            return 0;
        }
        // One line is for the note on what is left out.
        let room = room.saturating_sub(1).max(1);
        let mut excess = before - room;
        let rows = &self.run.rows;
        let busy = |row: usize| {
            let row = &rows[row];
            row.root || row.failed || row.counts.errors > 0 || !row.is_done(phase, &self.run.options)
        };
        // What has something busy below it keeps its place.
        let children = self.run.children();
        let mut keeps: Vec<bool> = (0..rows.len()).map(busy).collect();
        for placed in placed.iter().rev() {
            keeps[placed.row] |= children[placed.row].iter().any(|child| keeps[*child]);
        }
        placed.retain(|placed| {
            let goes = excess > 0 && !keeps[placed.row];
            excess -= usize::from(goes);
            !goes
        });
        // The latest are of the most interest.
        if placed.len() > room {
            let from = placed.len() - room + 1;
            placed.drain(1..from.max(1));
        }
        before - placed.len()
    }

    /// The heading of the columns and the rows. `live` is the time by which what is going on turns.
    fn table(&self, placed: &[Placed], phase: Phase, live: Option<Duration>, width: usize) -> Vec<String> {
        let options = &self.run.options;
        let mut rows: Vec<Cells> = vec![self.columns()];
        for placed in placed {
            let row = &self.run.rows[placed.row];
            let mut cells = row.cells(options, phase);
            let mut ty = Styled::new(Tone::Plain, placed.branch.as_str());
            ty.append(cells.ty);
            cells.ty = ty;
            let running = row.is_running(phase, options) || (row.root && !phase.over);
            if let Some(now) = live.filter(|_| running && !options.suppress_progress) {
                cells.status.push(Tone::Plain, format!(" {}", spinner(options, now)));
            }
            rows.push(cells);
        }
        if rows[1..].iter().all(|cells| cells.info.is_empty()) {
            rows[0].info = Styled::default();
        }
        let widest = |cell: fn(&Cells) -> &Styled| rows.iter().map(|c| cell(c).width()).max().unwrap_or(0);
        let widths = fitting([widest(|c| &c.ty), widest(|c| &c.name), widest(|c| &c.status)], width);
        rows.into_iter()
            .map(|cells| {
                let mut line = Styled::new(Tone::Plain, " ");
                line.append(cells.sign);
                line.pad_to(SIGN_WIDTH);
                for (mut cell, width) in [cells.ty, cells.name, cells.status].into_iter().zip(widths) {
                    if width > 0 {
                        cell.fit(width);
                        cell.pad_to(width + GAP);
                        line.append(cell);
                    }
                }
                line.append(cells.info);
                line.render(options.colors, width)
            })
            .collect()
    }

    fn columns(&self) -> Cells {
        let column = |title: &str| Styled::new(Tone::Column, title);
        let urns = self.run.options.urns;
        Cells {
            sign: Styled::default(),
            ty: column(if urns { "URN" } else { "Type" }),
            name: column(if urns { "" } else { "Name" }),
            status: column(if self.run.options.preview { "Plan" } else { "Status" }),
            info: column("Info"),
        }
    }

    /// Downloads and installations that go on.
    fn activities(&self, width: usize) -> Vec<Styled> {
        if self.run.options.suppress_progress {
            return Vec::new();
        }
        let all = &self.run.activities;
        let mut lines: Vec<Styled> =
            all.values().take(MOST_ACTIVITIES).map(|a| activity(&self.run.options, a, width)).collect();
        if all.len() > MOST_ACTIVITIES {
            let more = all.len() - MOST_ACTIVITIES;
            lines.push(Styled::new(Tone::Faint, format!("     … {more} more")));
        }
        lines
    }
}

/// The widths of type, name and status, made less where the line has no room for them, so that the
/// status stays in view.
fn fitting([mut ty, mut name, status]: [usize; 3], width: usize) -> [usize; 3] {
    let fixed = SIGN_WIDTH + 2 * GAP;
    let excess = (fixed + ty + name + status).saturating_sub(width);
    let less = excess.min(ty.saturating_sub(LEAST_TYPE));
    ty -= less;
    name -= (excess - less).min(name.saturating_sub(LEAST_NAME));
    [ty, name, status]
}

fn spinner(options: &Options, now: Duration) -> &'static str {
    let signs: &[&'static str] = if options.emoji { &SPINNER } else { &PLAIN_SPINNER };
    let turn = now.as_millis() / SPIN.as_millis();
    usize::try_from(turn % signs.len() as u128).ok().and_then(|at| signs.get(at)).copied().unwrap_or(" ")
}

/// A line for a download, with a bar if there is room.
fn activity(options: &Options, activity: &Activity, width: usize) -> Styled {
    let mut line = Styled::new(Tone::Plain, format!("     {}", text::first_line(&activity.message)));
    if activity.total == 0 {
        return line;
    }
    let sizes = format!(" {}/{}", bytes_text(activity.received), bytes_text(activity.total));
    let room = width.saturating_sub(line.width() + sizes.len() + 3).min(40);
    if room >= LEAST_BAR {
        let part = u128::from(activity.received.min(activity.total)) * room as u128;
        let full = usize::try_from(part / u128::from(activity.total)).unwrap_or(room);
        let sign = if options.emoji { "█" } else { "#" };
        line.push(Tone::Plain, format!(" [{}{}]", sign.repeat(full), " ".repeat(room - full)));
    }
    line.push(Tone::Plain, sizes);
    line
}

/// A number of bytes in the unit that suits it.
fn bytes_text(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", bytes as f64 / size as f64),
        None => format!("{bytes} B"),
    }
}
