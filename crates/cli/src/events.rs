//! Where an operation's events go: to a person, as lines or as a live tree, or to a machine.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use purlin_diag::{Diagnostic, Severity};
use purlin_display::{DiffRenderer, LineRenderer, Operation, Options, Redaction, TreeRenderer};
use purlin_formats::{DigestOptions, PreviewDigest, event_json};
use purlin_model::event::{EngineEvent, OperationResult, StepOp};
use purlin_monitor::{EventSender, EventStream};
use purlin_plan::Mode;
use purlin_ports::{Clock as _, EventSink};

use crate::ambient::SystemClock;
use crate::context::Context;
use crate::exit::CommandError;
use crate::mailbox::Mailbox;
use crate::operation::{Notes, Prepared};
use crate::output::Output;
use crate::picture::Picture;

/// How often a live tree is drawn.
const FRAME: Duration = Duration::from_millis(100);

/// How long a display waits for company after the first of some events, so that a run with
/// thousands of them does not wake it, and whoever reads what it writes, for each one. The end of
/// the run doesn't wait.
const GATHER: Duration = Duration::from_millis(40);

/// What a display has to know.
pub(crate) struct DisplaySettings {
    options: Options,
    json: bool,
    diff: bool,
    live: bool,
    event_log: Option<String>,
    notes: Option<Notes>,
    /// The secrets of the configuration.
    redaction: Option<Redaction>,
}

impl DisplaySettings {
    /// How things are shown.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn of(prepared: &Prepared<'_>, preview: bool) -> DisplaySettings {
        let context = prepared.context;
        let flags = &prepared.flags.common;
        let operation = match prepared.mode {
            Mode::Update => Operation::Update,
            Mode::Refresh => Operation::Refresh,
            Mode::Destroy => Operation::Destroy,
            Mode::Import => Operation::Import,
        };
        let id = &prepared.target.id;
        let mut options = Options::new(operation, preview, &id.name, &id.project);
        if context.global.fully_qualify_stack_names {
            options.shown_stack = id.to_string();
        }
        options.colors = context.out.colors();
        options.emoji = context.global.emoji.unwrap_or(cfg!(target_os = "macos"));
        options.show_sames = flags.show_sames;
        options.show_replacement_steps = flags.show_replacement_steps;
        options.show_reads = flags.show_reads;
        options.show_secrets = flags.show_secrets;
        options.urns = flags.urns;
        options.suppress_outputs = flags.suppress_outputs;
        options.suppress_progress = flags.suppress_progress;
        options.show_config = flags.show_config;
        options.debug = flags.debug;
        options.show_policy_remediations = prepared.flags.show_policy_remediations;
        options.truncate = flags.show_full_output.as_deref() == Some("false");
        let live = context.interactive() && !flags.suppress_progress;
        DisplaySettings {
            options,
            json: prepared.flags.json,
            diff: flags.diff,
            live,
            event_log: flags.event_log.clone(),
            notes: prepared.flags.why.clone(),
            redaction: prepared.redaction.clone(),
        }
    }
}

enum Signal {
    Event(EngineEvent),
    End,
    /// Nothing came of it: there is nothing to sum up.
    Abort,
}

/// The engine's end of a display.
struct Sink(Arc<Mailbox<Signal>>);

impl EventSink for Sink {
    fn emit(&self, event: EngineEvent) {
        self.0.put(Signal::Event(event));
    }
}

/// A display that runs on a thread of its own, so that a slow terminal holds nobody up.
pub(crate) struct Display {
    mailbox: Arc<Mailbox<Signal>>,
    thread: JoinHandle<()>,
    started: Instant,
    preview: bool,
    out: Arc<Output>,
    /// Where events go that somebody listens to.
    stream: Option<EventStream>,
}

impl Display {
    pub(crate) async fn start(context: &Context, settings: DisplaySettings) -> Result<Display, CommandError> {
        let mailbox = Arc::new(Mailbox::new());
        let received = Arc::clone(&mailbox);
        let out = Arc::clone(&context.out);
        let mut stream = None;
        let log = match settings.event_log.as_deref().map(|log| (log, log.strip_prefix("tcp://"))) {
            Some((_, Some(address))) => {
                let opened = stream.insert(EventStream::open(address).await?);
                Some(EventLog::new(Recipient::Stream(opened.sender())))
            }
            Some((path, None)) => Some(EventLog::new(Recipient::File(created(path)?))),
            None => None,
        };
        let started = Instant::now();
        let preview = settings.options.preview;
        let screen = Screen::new(&settings, Arc::clone(&out), started);
        let thread = std::thread::Builder::new()
            .name("display".to_owned())
            .spawn(move || screen.run(&received, log))
            .map_err(|e| Diagnostic::error("display", format!("no thread for the display: {e}")))?;
        Ok(Display { mailbox, thread, started, preview, out, stream })
    }

    /// Where the engine sends events.
    pub(crate) fn sink(&self) -> Arc<dyn EventSink> {
        Arc::new(Sink(Arc::clone(&self.mailbox)))
    }

    /// Says how the operation ended and waits until everything is shown.
    pub(crate) async fn finish(
        self,
        result: OperationResult,
        changes: &BTreeMap<StepOp, u64>,
        policy_packs: BTreeMap<String, String>,
    ) {
        let elapsed = self.started.elapsed();
        let seconds = elapsed.as_secs() + u64::from(elapsed.subsec_nanos() > 0);
        let summary = EngineEvent::Summary {
            preview: self.preview,
            maybe_corrupt: false,
            duration_seconds: seconds,
            changes: changes.clone(),
            policy_packs,
            result,
        };
        for event in [summary, EngineEvent::Cancel] {
            self.mailbox.put(Signal::Event(event));
        }
        self.end().await;
    }

    /// Ends without a summary: the operation did not even begin.
    pub(crate) async fn abort(self) {
        self.mailbox.put(Signal::Event(EngineEvent::Cancel));
        self.end_with(Signal::Abort).await;
    }

    async fn end(self) {
        self.end_with(Signal::End).await;
    }

    async fn end_with(self, signal: Signal) {
        let Display { mailbox, thread, out, stream, .. } = self;
        mailbox.put_last(signal);
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        if let Some(stream) = stream
            && let Err(problem) = stream.close().await
        {
            out.error_line(crate::report::render(&problem, out.colors()));
        }
    }
}

/// Who is told of events.
enum Recipient {
    /// A file with a line for each, which other programs follow.
    File(std::fs::File),
    /// A program that listens.
    Stream(EventSender),
}

/// Tells others of events.
struct EventLog {
    recipient: Recipient,
    sequence: u64,
}

impl EventLog {
    fn new(recipient: Recipient) -> EventLog {
        EventLog { recipient, sequence: 0 }
    }

    fn write(&mut self, event: &EngineEvent) {
        let line = event_json(self.sequence, SystemClock.unix_seconds(), event);
        self.sequence += 1;
        match &mut self.recipient {
            // Whoever follows the log sees its end; there is nobody else to tell.
            Recipient::File(file) => drop(writeln!(file, "{line}")),
            Recipient::Stream(stream) => stream.send(line),
        }
    }
}

fn created(path: &str) -> Result<std::fs::File, Diagnostic> {
    std::fs::File::create(path)
        .map_err(|e| Diagnostic::error("event-log", format!("the event log {path} can't be made: {e}")))
}

enum Style {
    /// Only what went wrong.
    Problems,
    Stream {
        sequence: u64,
    },
    Digest(Box<PreviewDigest>),
    Lines(Box<LineRenderer>),
    Diff(Box<DiffRenderer>),
    Tree {
        renderer: Box<TreeRenderer>,
        picture: Picture,
    },
}

struct Screen {
    out: Arc<Output>,
    started: Instant,
    style: Style,
    notes: Option<Notes>,
    redaction: Option<Redaction>,
    /// What is to be written next.
    text: String,
}

impl Screen {
    fn new(settings: &DisplaySettings, out: Arc<Output>, started: Instant) -> Screen {
        let options = settings.options.clone();
        let notes = settings.notes.clone();
        let style = if notes.as_ref().is_some_and(|notes| notes.alone) {
            Style::Problems
        } else if settings.json && options.preview {
            Style::Digest(Box::new(PreviewDigest::new(DigestOptions {
                show_sames: options.show_sames,
                show_replacement_steps: options.show_replacement_steps,
                why: notes.is_some(),
                ..DigestOptions::default()
            })))
        } else if settings.json {
            Style::Stream { sequence: 0 }
        } else if settings.diff {
            Style::Diff(Box::new(DiffRenderer::new(options)))
        } else if settings.live {
            Style::Tree { renderer: Box::new(TreeRenderer::new(options)), picture: Picture::default() }
        } else {
            Style::Lines(Box::new(LineRenderer::new(options)))
        };
        let redaction = settings.redaction.clone();
        Screen { out, started, style, notes, redaction, text: String::new() }
    }

    fn run(mut self, mailbox: &Mailbox<Signal>, mut log: Option<EventLog>) {
        let heading = match &mut self.style {
            Style::Problems | Style::Stream { .. } | Style::Digest(_) => String::new(),
            Style::Lines(renderer) => renderer.start(),
            Style::Diff(renderer) => renderer.start(),
            Style::Tree { renderer, .. } => renderer.start(),
        };
        self.out.write(&heading);
        let mut framed = Instant::now();
        loop {
            let signals = mailbox.take(FRAME, GATHER);
            let ending = self.signals(signals, &mut log);
            self.flush();
            match ending {
                Some(Signal::Abort) => return self.clear(),
                Some(_) => return self.end(),
                None if framed.elapsed() >= FRAME => {
                    self.frame();
                    framed = Instant::now();
                }
                None => {}
            }
        }
    }

    /// Takes in what came. The signal that ends the display, if it was there.
    fn signals(&mut self, signals: Vec<Signal>, log: &mut Option<EventLog>) -> Option<Signal> {
        for signal in signals {
            let Signal::Event(mut event) = signal else { return Some(signal) };
            if let Some(redaction) = &self.redaction {
                redaction.event(&mut event);
            }
            if let Some(log) = log {
                log.write(&event);
            }
            self.event(&event);
        }
        None
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.out.write(&self.text);
            self.text.clear();
        }
    }

    fn event(&mut self, event: &EngineEvent) {
        let elapsed = self.started.elapsed();
        if let Some(notes) = &self.notes {
            notes.note(event);
        }
        match &mut self.style {
            Style::Problems => self.problem(event),
            Style::Stream { sequence } => {
                // What is not shown has a number, too: the same one as in the event log.
                let number = *sequence;
                *sequence += 1;
                if !is_internal(event) {
                    self.text.push_str(&event_json(number, SystemClock.unix_seconds(), event));
                    self.text.push('\n');
                }
            }
            _ if is_internal(event) => {}
            Style::Digest(digest) => digest.event(event),
            Style::Lines(renderer) => self.text.push_str(&renderer.event(event, elapsed)),
            Style::Diff(renderer) => self.text.push_str(&renderer.event(event, elapsed)),
            Style::Tree { renderer, .. } => renderer.event(event, elapsed),
        }
    }

    /// Says what went wrong, on standard error.
    fn problem(&self, event: &EngineEvent) {
        let EngineEvent::Diagnostic { prefix, message, severity, ephemeral: false, .. } = event else {
            return;
        };
        if matches!(severity, Severity::Error | Severity::Warning) {
            self.out.error_line(format!("{prefix}{message}").trim_end());
        }
    }

    /// Draws the live tree over the last one.
    fn frame(&mut self) {
        let elapsed = self.started.elapsed();
        let Style::Tree { renderer, picture } = &mut self.style else { return };
        let (width, height) = terminal_size();
        let text = picture.draw(&renderer.frame(elapsed, width, height), width);
        self.out.write(&text);
    }

    /// Takes away a live tree.
    fn clear(&mut self) {
        if let Style::Tree { picture, .. } = &mut self.style {
            self.out.write(&picture.replace("", terminal_size().0));
        }
    }

    fn end(&mut self) {
        let elapsed = self.started.elapsed();
        match &mut self.style {
            Style::Problems | Style::Stream { .. } => {}
            Style::Digest(digest) => {
                digest.duration(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
                self.out.line(digest.finish().trim_end());
            }
            Style::Lines(renderer) => self.out.write(&renderer.finish(elapsed)),
            Style::Diff(renderer) => self.out.write(&renderer.finish()),
            Style::Tree { renderer, picture } => {
                let (width, _) = terminal_size();
                let text = picture.replace(&renderer.finish(elapsed, width), width);
                self.out.write(&text);
            }
        }
    }
}

/// Whether an event is for the event log only: what becomes of default providers, and the forgetting of
/// what a replacement has deleted already.
fn is_internal(event: &EngineEvent) -> bool {
    let (EngineEvent::ResourcePre { step, .. } | EngineEvent::ResourceOutputs { step, .. }) = event else {
        return false;
    };
    let default_provider =
        purlin_model::urn::is_provider_type(step.urn.ty()) && step.urn.name().starts_with("default");
    default_provider || step.op == StepOp::RemovePendingReplace
}

/// Columns and rows.
fn terminal_size() -> (u16, u16) {
    crossterm::terminal::size().unwrap_or((80, 24))
}
