//! A queue to one thread, which is woken as seldom as can be.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A queue to one thread. Who puts something in wakes that thread only if it is idle, or if there is
/// nothing to come after it.
pub(crate) struct Mailbox<T> {
    inside: Mutex<Inside<T>>,
    wake: Condvar,
}

struct Inside<T> {
    waiting: Vec<T>,
    /// Whether the thread sleeps until something comes.
    idle: bool,
    /// Whether nothing more comes.
    last: bool,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Mailbox<T> {
        let inside = Inside { waiting: Vec::new(), idle: false, last: false };
        Mailbox { inside: Mutex::new(inside), wake: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inside<T>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in.
    pub(crate) fn put(&self, item: T) {
        let mut inside = self.lock();
        inside.waiting.push(item);
        if std::mem::take(&mut inside.idle) {
            self.wake.notify_one();
        }
    }

    /// Puts the last thing in, for which nobody waits any longer.
    pub(crate) fn put_last(&self, item: T) {
        let mut inside = self.lock();
        inside.waiting.push(item);
        inside.last = true;
        self.wake.notify_one();
    }

    /// Takes everything out. Waits at most `longest` for the first, and `gather` for more.
    pub(crate) fn take(&self, longest: Duration, gather: Duration) -> Vec<T> {
        let mut inside = self.lock();
        if inside.waiting.is_empty() {
            inside.idle = true;
            let none = |inside: &mut Inside<T>| inside.waiting.is_empty();
            let waited = self.wake.wait_timeout_while(inside, longest, none);
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
            inside.idle = false;
        }
        if !inside.waiting.is_empty() {
            let waited = self.wake.wait_timeout_while(inside, gather, |inside| !inside.last);
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut inside.waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn the_last_thing_is_not_waited_for() {
        let mailbox = Arc::new(Mailbox::new());
        let taken = Arc::clone(&mailbox);
        let thread = std::thread::spawn(move || taken.take(LONG, LONG));
        mailbox.put(1);
        mailbox.put(2);
        mailbox.put_last(3);
        assert_eq!(thread.join().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn what_comes_meanwhile_is_taken_along() {
        let mailbox = Mailbox::new();
        assert!(mailbox.take(Duration::ZERO, LONG).is_empty());
        mailbox.put(1);
        mailbox.put(2);
        assert_eq!(mailbox.take(LONG, Duration::ZERO), [1, 2]);
        assert!(mailbox.take(Duration::ZERO, LONG).is_empty());
    }
}
