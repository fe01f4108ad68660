//! Standard output and standard error. A reader that went away ends the program quietly, as it does
//! for any other tool in a pipeline, but never in the middle of an operation.

use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice as StreamChoice};
use purlin_diag::Diagnostic;

use crate::args::ColorChoice;

/// Where a command writes.
pub(crate) struct Output {
    choice: StreamChoice,
    closed: AtomicBool,
    /// Why standard output takes no more, where its reader has not just gone away.
    broken: Mutex<Option<io::Error>>,
    lock: Mutex<()>,
}

impl Output {
    pub(crate) fn new(choice: Option<ColorChoice>, terminal: bool) -> Output {
        let choice = match choice {
            Some(ColorChoice::Always) => StreamChoice::Always,
            Some(ColorChoice::Never) => StreamChoice::Never,
            Some(ColorChoice::Raw) => StreamChoice::AlwaysAnsi,
            Some(ColorChoice::Auto) | None if terminal => StreamChoice::Always,
            Some(ColorChoice::Auto) | None => StreamChoice::Never,
        };
        Output { choice, closed: AtomicBool::new(false), broken: Mutex::default(), lock: Mutex::new(()) }
    }

    /// Whether colours are wanted.
    pub(crate) fn colors(&self) -> bool {
        self.choice != StreamChoice::Never
    }

    /// Whether the reader of standard output has gone away.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// What is to be said, and failed with, if not everything could be written.
    pub(crate) fn problem(&self) -> Option<Diagnostic> {
        let broken = self.broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let error = broken.as_ref()?;
        let hint = "what the command did is done; what it says of it is not complete";
        let message = format!("failed to write to standard output: {error}");
        Some(Diagnostic::error("output", message).with_hint(hint))
    }

    /// Notes that standard output takes no more.
    fn close(&self, error: io::Error) {
        self.closed.store(true, Ordering::Relaxed);
        if error.kind() != io::ErrorKind::BrokenPipe {
            let mut broken = self.broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            broken.get_or_insert(error);
        }
    }

    /// Writes text as it is. Once the reader has gone away, nothing is written any more.
    pub(crate) fn write(&self, text: &str) {
        let _guard = self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.is_closed() {
            return;
        }
        let mut stream = AutoStream::new(io::stdout().lock(), self.choice);
        if let Err(error) = stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
            self.close(error);
        }
    }

    /// Writes data piece by piece, as it is. Once the reader has gone away, nothing is written any more.
    pub(crate) fn data(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let _guard = self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.is_closed() {
            return;
        }
        let mut stream = io::stdout().lock();
        if let Err(error) = write(&mut stream).and_then(|()| stream.flush()) {
            self.close(error);
        }
    }

    /// Writes a line.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        let mut text = text.as_ref().to_owned();
        text.push('\n');
        self.write(&text);
    }

    /// Writes a line to standard error.
    pub(crate) fn error_line(&self, text: impl AsRef<str>) {
        let mut stream = AutoStream::new(io::stderr().lock(), self.choice);
        let _ = writeln!(stream, "{}", text.as_ref());
    }
}
