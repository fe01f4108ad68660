//! A number that only rises, and that many may wait for. They go on in the order in which they came,
//! which tokio's `watch` draws by chance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Default)]
struct Shared {
    value: Mutex<(usize, bool)>,
    risen: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, (usize, bool)> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has it lets the number rise; when it is dropped, nobody waits any longer.
#[derive(Default)]
pub struct Riser(Arc<Shared>);

/// The number.
#[derive(Clone)]
pub struct Level(Arc<Shared>);

impl Riser {
    /// The number as others see it.
    pub fn level(&self) -> Level {
        Level(Arc::clone(&self.0))
    }

    /// Lets it rise, unless it is higher already.
    pub fn raise(&self, to: usize) {
        let mut value = self.0.lock();
        value.0 = value.0.max(to);
        drop(value);
        self.0.risen.notify_waiters();
    }

    /// The number now.
    pub fn value(&self) -> usize {
        self.0.lock().0
    }
}

impl Drop for Riser {
    fn drop(&mut self) {
        self.0.lock().1 = true;
        self.0.risen.notify_waiters();
    }
}

impl Level {
    /// The number now.
    pub fn value(&self) -> usize {
        self.0.lock().0
    }

    /// Waits until the number is as high; `false` if it never will be.
    pub async fn reaches(&self, wanted: usize) -> bool {
        loop {
            let risen = self.0.risen.notified();
            tokio::pin!(risen);
            risen.as_mut().enable();
            let (value, over) = *self.0.lock();
            if value >= wanted || over {
                return value >= wanted;
            }
            risen.await;
        }
    }
}
