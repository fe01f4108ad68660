//! Who answers next: everything slow waits here, and when nothing else can happen one of those that
//! wait is let go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

/// A source of choices with a long period, from one seed.
#[derive(Clone, Debug)]
pub struct Choices(u64);

impl Choices {
    /// The choices of a seed.
    pub fn new(seed: u64) -> Choices {
        Choices(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound; zero if there is none below.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() % (bound.max(1) as u64)).unwrap_or_default()
    }

    /// True once in so many times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of some things; `None` if there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}

/// In which order those that wait are let go.
#[derive(Clone, Debug, Default)]
pub enum Order {
    /// As they came.
    #[default]
    First,
    /// The latest first.
    Last,
    /// By chance.
    Drawn(u64),
}

#[derive(Default)]
struct Inner {
    waiting: Vec<(String, oneshot::Sender<()>)>,
    /// What was let go, in order.
    passed: usize,
    /// The most that ever waited for providers at once.
    most_calls: usize,
}

/// See the module.
#[derive(Clone, Default)]
pub struct Gate {
    inner: Arc<Mutex<Inner>>,
    arrived: Arc<Notify>,
}

/// What [`Gate::steward`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stewarded {
    /// Nothing is under way any more and nothing waits: the operation hangs.
    Hung,
}

/// The word before the first space of labels that are not calls of a provider.
const NO_CALLS: [&str; 4] = ["store", "program", "configure", "hook"];

impl Gate {
    /// Waits to be let go.
    pub async fn pass(&self, label: impl Into<String>) {
        let (go, gone) = oneshot::channel();
        {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.waiting.push((label.into(), go));
            let is_call = |label: &str| !NO_CALLS.contains(&label.split(' ').next().unwrap_or_default());
            let calls = inner.waiting.iter().filter(|(label, _)| is_call(label)).count();
            inner.most_calls = inner.most_calls.max(calls);
        }
        self.arrived.notify_one();
        let _ = gone.await;
    }

    /// How many were let go so far.
    pub fn passed(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).passed
    }

    /// The most calls that were under way at once.
    pub fn most_calls(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).most_calls
    }

    /// What waits now.
    pub fn waiting(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting.iter().map(|(label, _)| label.clone()).collect()
    }

    /// Lets those that wait go, one at a time, whenever nothing else can happen. `at` is told before
    /// each what is going to be let go.
    pub async fn steward(&self, order: &Order, at: impl Fn(usize, &str)) -> Stewarded {
        let mut choices = match order {
            Order::Drawn(seed) => Some(Choices::new(*seed)),
            Order::First | Order::Last => None,
        };
        loop {
            // Time stands still while anything can happen: it is all quiet when this is over.
            tokio::time::sleep(Duration::from_millis(1)).await;
            while self.waiting_is_empty() {
                let arrived = self.arrived.notified();
                if tokio::time::timeout(Duration::from_secs(3600), arrived).await.is_err() {
                    return Stewarded::Hung;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let (number, label, go) = self.draw(&mut choices, order);
            at(number, &label);
            // Whoever was told at this moment acts before the answer.
            tokio::task::yield_now().await;
            let _ = go.send(());
        }
    }

    /// Takes the one that goes next out of those that wait.
    fn draw(&self, choices: &mut Option<Choices>, order: &Order) -> (usize, String, oneshot::Sender<()>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inner.waiting.len();
        let index = match (choices, order) {
            (Some(choices), _) => choices.below(count),
            (None, Order::Last) => count.saturating_sub(1),
            (None, _) => 0,
        };
        let (label, go) = inner.waiting.remove(index);
        inner.passed += 1;
        (inner.passed, label, go)
    }

    fn waiting_is_empty(&self) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting.retain(|(_, go)| !go.is_closed());
        inner.waiting.is_empty()
    }
}
