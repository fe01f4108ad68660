//! Who answers next: everything slow waits here, and when nothing else can happen one of those that
//! wait is let go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use purlin_model::Urn;
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

/// Who waits, or has waited.
#[derive(Clone, Debug)]
pub struct Place {
    /// A call and the name of its resource, or what else is waited for.
    pub label: String,
    /// What it is about, among all that may have one name.
    pub about: String,
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
    /// As in another operation, of which this is the order; what it did not have goes first.
    Like(Arc<[Place]>),
}

#[derive(Default)]
struct Inner {
    waiting: Vec<(Place, oneshot::Sender<()>)>,
    /// What was let go, in order.
    passed: Vec<Place>,
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
        let label = label.into();
        let about = label.clone();
        self.wait(Place { label, about }).await;
    }

    /// The same for a call that is about a resource.
    pub async fn pass_call(&self, call: &str, urn: &Urn) {
        self.wait(Place { label: format!("{call} {}", urn.name()), about: urn.to_string() }).await;
    }

    async fn wait(&self, place: Place) {
        let (go, gone) = oneshot::channel();
        {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.waiting.push((place, go));
            let is_call = |label: &str| !NO_CALLS.contains(&label.split(' ').next().unwrap_or_default());
            let calls = inner.waiting.iter().filter(|(place, _)| is_call(&place.label)).count();
            inner.most_calls = inner.most_calls.max(calls);
        }
        self.arrived.notify_one();
        let _ = gone.await;
    }

    /// How many were let go so far.
    pub fn passed(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).passed.len()
    }

    /// Those that were let go so far, in order.
    pub fn let_go(&self) -> Vec<Place> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).passed.clone()
    }

    /// The most calls that were under way at once.
    pub fn most_calls(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).most_calls
    }

    /// What waits now.
    pub fn waiting(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting.iter().map(|(place, _)| place.label.clone()).collect()
    }

    /// Lets those that wait go, one at a time, whenever nothing else can happen. `at` is told before
    /// each what is going to be let go.
    pub async fn steward(&self, order: &Order, at: impl Fn(usize, &str)) -> Stewarded {
        let mut choices = match order {
            Order::Drawn(seed) => Some(Choices::new(*seed)),
            Order::First | Order::Last | Order::Like(_) => None,
        };
        let mut model: Vec<(&str, &str)> = match order {
            Order::Like(places) => places.iter().map(moment).collect(),
            _ => Vec::new(),
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
            let (number, label, go) = self.draw(&mut choices, &mut model, order);
            at(number, &label);
            // Whoever was told at this moment acts before the answer.
            tokio::task::yield_now().await;
            let _ = go.send(());
        }
    }

    /// Takes the one that goes next out of those that wait.
    fn draw(
        &self,
        choices: &mut Option<Choices>,
        model: &mut Vec<(&str, &str)>,
        order: &Order,
    ) -> (usize, String, oneshot::Sender<()>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inner.waiting.len();
        let index = match (choices, order) {
            (Some(choices), _) => choices.below(count),
            (None, Order::Last) => count.saturating_sub(1),
            (None, Order::Like(_)) => next_of(model, &inner.waiting),
            (None, _) => 0,
        };
        let (place, go) = inner.waiting.remove(index);
        let label = place.label.clone();
        inner.passed.push(place);
        (inner.passed.len(), label, go)
    }

    fn waiting_is_empty(&self) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting.retain(|(_, go)| !go.is_closed());
        inner.waiting.is_empty()
    }
}

/// A moment as another operation may have it, too: a preview foresees what an update makes or changes.
fn moment(place: &Place) -> (&str, &str) {
    let call = place.label.split(' ').next().unwrap_or_default();
    (if matches!(call, "create" | "update") { "foresee" } else { call }, &place.about)
}

/// Which of those that wait went first in another operation, of which `model` is what is left.
fn next_of(model: &mut Vec<(&str, &str)>, waiting: &[(Place, oneshot::Sender<()>)]) -> usize {
    let rank = |place: &Place| model.iter().position(|other| *other == moment(place));
    let ranks = waiting.iter().map(|(place, _)| rank(place));
    let Some((index, rank)) = ranks.enumerate().min_by_key(|(_, rank)| *rank) else { return 0 };
    if let Some(rank) = rank {
        model.remove(rank);
    }
    index
}
