//! A run of the binary in a terminal of its own, with somebody who types.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{BINARY, Sealed};

/// Makes a terminal, runs a program in it, and passes on what is typed and shown. Whoever asks where
/// the cursor is gets an answer, as from a real one.
const TERMINAL: &str = r#"
import fcntl, os, pty, select, struct, sys, termios
child, master = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
sources = [master, 0]
while True:
    ready, _, _ = select.select(sources, [], [])
    if master in ready:
        try:
            shown = os.read(master, 65536)
        except OSError:
            break
        if not shown:
            break
        if b"\x1b[6n" in shown:
            os.write(master, b"\x1b[1;1R")
        os.write(1, shown)
    if 0 in ready:
        typed = os.read(0, 1024)
        if typed:
            os.write(master, typed)
        else:
            sources.remove(0)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"#;

/// After this long a terminal counts as stuck. Not a measure of speed.
const STUCK: Duration = Duration::from_secs(180);

/// The key that goes down by one choice.
pub(crate) const DOWN: &str = "\u{1b}[B";
/// The key that agrees.
pub(crate) const ENTER: &str = "\r";

/// A run of the binary in a terminal.
pub(crate) struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    shown: Arc<Mutex<String>>,
    /// How much of what is shown was looked at.
    read: usize,
}

impl Terminal {
    /// Starts the binary.
    pub(crate) fn start<'a>(sealed: &Sealed, arguments: impl IntoIterator<Item = &'a str>) -> Terminal {
        Terminal::of_kind("xterm-256color", sealed, arguments)
    }

    /// Starts the binary in a terminal of a kind, as `TERM` names it.
    pub(crate) fn of_kind<'a>(
        kind: &str,
        sealed: &Sealed,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Terminal {
        let mut command = sealed.command("python3");
        command.args(["-c", TERMINAL, BINARY]).args(arguments).env("TERM", kind);
        let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = streams.spawn().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut screen, all) = (child.stdout.take().unwrap(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                all.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        let keyboard = child.stdin.take().unwrap();
        Terminal { child, keyboard, shown, read: 0 }
    }

    /// Waits until a text is shown that was not seen before.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        let started = Instant::now();
        loop {
            let shown = self.shown.lock().unwrap().clone();
            if let Some(at) = shown.get(self.read..).and_then(|rest| rest.find(text)) {
                self.read += at + text.len();
                return;
            }
            assert!(started.elapsed() < STUCK, "'{text}' was not shown, but:\n{shown}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Types keys.
    pub(crate) fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the end with an exit code.
    #[track_caller]
    pub(crate) fn exits(mut self, code: i32) -> String {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < STUCK, "still running: {}", self.shown.lock().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        };
        let shown = self.shown.lock().unwrap().clone();
        assert_eq!(status.code(), Some(code), "{shown}");
        shown
    }
}
