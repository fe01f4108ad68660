//! What happens in a store that is a folder, seen from outside.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::inotify;

/// How often it is looked whether a journal was begun.
const PERIOD: Duration = Duration::from_micros(300);

/// What was seen while something ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How often the stack's file was replaced.
    pub(crate) checkpoints: u64,
    /// How long the journal was at its end, in bytes.
    pub(crate) journal: u64,
}

/// Watches the folder of a state while something is done.
pub(crate) fn watched<T>(state: &Path, work: impl FnOnce() -> Result<T>) -> Result<(T, Seen)> {
    let stacks = state.join(".pulumi/stacks/many");
    let own = state.join(".pulumi/purlin/many/dev");
    let events = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    let what = inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::CLOSE_WRITE;
    inotify::add_watch(&events, &stacks, what).with_context(|| stacks.display().to_string())?;
    let ended = AtomicBool::new(false);
    let (done, journal) = thread::scope(|scope| {
        let finder = scope.spawn(|| first_journal(&own, &ended));
        let done = work();
        ended.store(true, Ordering::Relaxed);
        (done, finder.join().ok().flatten())
    });
    let mut seen = Seen::default();
    if let Some(mut journal) = journal {
        // Its name is gone by now, its content isn't.
        let mut content = Vec::new();
        journal.read_to_end(&mut content)?;
        // Behind its lines there is room for more, all zeros.
        seen.journal = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    }
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(&events, &mut buffer);
    while let Ok(event) = reader.next() {
        if event.file_name().is_some_and(|name| name.to_bytes() == b"dev.json") {
            seen.checkpoints += 1;
        }
    }
    Ok((done?, seen))
}

fn first_journal(own: &Path, ended: &AtomicBool) -> Option<File> {
    while !ended.load(Ordering::Relaxed) {
        for entry in std::fs::read_dir(own).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("journal.")
                && let Ok(file) = File::open(entry.path())
            {
                return Some(file);
            }
        }
        thread::sleep(PERIOD);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_files_and_journals_that_are_gone_are_seen() {
        let state = std::env::temp_dir().join(format!("xtask-watch-{}", std::process::id()));
        let (stacks, own) = (state.join(".pulumi/stacks/many"), state.join(".pulumi/purlin/many/dev"));
        std::fs::create_dir_all(&stacks).unwrap();
        let ((), seen) = watched(&state, || {
            std::fs::create_dir_all(&own)?;
            let journal = own.join("journal.1.jsonl");
            std::fs::write(&journal, "one\n")?;
            thread::sleep(Duration::from_millis(100));
            std::fs::write(&journal, "one\ntwo\n\0\0\0")?;
            std::fs::remove_file(&journal)?;
            for _ in 0..2 {
                std::fs::write(stacks.join(".new"), "{}")?;
                std::fs::rename(stacks.join(".new"), stacks.join("dev.json"))?;
            }
            Ok(())
        })
        .unwrap();
        std::fs::remove_dir_all(&state).unwrap();
        assert_eq!(seen, Seen { checkpoints: 2, journal: 8 });
    }
}
