//! What plugins print, as events.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Severity;
use purlin_model::event::EngineEvent;
use purlin_ports::EventSink;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};
use tokio::task::JoinHandle;

use super::OutputLevel;

/// How many of the last lines are kept for the case that the plugin ends unexpectedly.
const KEPT_LINES: usize = 200;

/// Which stream lines come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lines {
    Stdout,
    Stderr,
}

/// Turns lines into events and remembers the last ones.
pub(super) struct Forwarder {
    pub(super) label: String,
    level: OutputLevel,
    events: Arc<dyn EventSink>,
    recent: Mutex<VecDeque<String>>,
}

impl Forwarder {
    pub(super) fn new(label: String, level: OutputLevel, events: Arc<dyn EventSink>) -> Self {
        Forwarder { label, level, events, recent: Mutex::default() }
    }

    /// Forwards lines until the stream ends.
    pub(super) fn forward(
        self: Arc<Self>,
        mut stream: impl AsyncBufRead + Unpin + Send + 'static,
        lines: Lines,
    ) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line);
                self.line(text.trim_end_matches(['\r', '\n']), lines);
                line.clear();
            }
        })
    }

    fn line(&self, text: &str, lines: Lines) {
        let severity = match (self.level, lines) {
            (OutputLevel::Debug, _) => Severity::Debug,
            (OutputLevel::Info, Lines::Stdout) => Severity::Info,
            (OutputLevel::Info, Lines::Stderr) => Severity::InfoError,
        };
        if !text.is_empty() {
            self.say(severity, text.to_owned());
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == KEPT_LINES {
            recent.pop_front();
        }
        recent.push_back(text.to_owned());
    }

    /// The last lines.
    pub(super) fn recent(&self) -> String {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().map(String::as_str).collect::<Vec<_>>().join("\n").trim().to_owned()
    }

    /// Says that the plugin has ended unexpectedly, and what it printed if nobody has seen it yet.
    pub(super) fn unexpected_end(&self, how: &str) {
        let mut message = format!("{} ended unexpectedly ({how})", self.label);
        let recent = self.recent();
        if self.level == OutputLevel::Debug && !recent.is_empty() {
            message.push_str("; its last output:\n");
            message.push_str(&recent);
        }
        self.say(Severity::Error, message);
    }

    fn say(&self, severity: Severity, message: String) {
        self.events.emit(diagnostic_event(severity, message, None));
    }
}

/// An event that says something.
pub(crate) fn diagnostic_event(
    severity: Severity,
    message: String,
    urn: Option<purlin_model::Urn>,
) -> EngineEvent {
    let prefix = match severity {
        Severity::Debug => "debug: ",
        Severity::Warning => "warning: ",
        Severity::Error => "error: ",
        Severity::Info | Severity::InfoError => "",
    };
    EngineEvent::Diagnostic { urn, prefix: prefix.into(), message, severity, stream_id: 0, ephemeral: false }
}
