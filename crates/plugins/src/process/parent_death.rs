//! Ends a plugin when this process ends, however it ends.
//!
//! Linux can send a process a signal when the thread that started it ends. It has to be asked for
//! in the child, between fork and exec, which the standard library offers as an unsafe function
//! only. Nothing else in this crate is unsafe.

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "code between fork and exec can't be run in any safe way")]
pub(super) fn arm(command: &mut tokio::process::Command) {
    let parent = rustix::process::getpid();
    let in_child = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // The parent may have ended before the signal was asked for.
        if rustix::process::getppid() != Some(parent) {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    };
    // SAFETY: the closure makes two system calls. It neither allocates nor takes locks nor touches
    // memory that the parent shares, so it may run in a forked child of a threaded process.
    unsafe {
        command.pre_exec(in_child);
    }
}

/// Other systems have no such signal: there, recovery ends left-over plugins by their ids.
#[cfg(not(target_os = "linux"))]
pub(super) fn arm(_command: &mut tokio::process::Command) {}
