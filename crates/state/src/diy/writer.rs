//! Writing journals: one thread gathers what was appended and makes it durable together.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_formats::JournalHeader;
use purlin_journal::{Change, Entry};
use purlin_ports::{Durable, StateError};
use tokio::sync::oneshot;

use super::medium::Done;
use super::unsent::Keeper;

/// Where batches of entries go.
pub(crate) trait Sink: Send {
    /// Makes entries durable, in order, after all earlier ones, and says so by `done`, at once or
    /// later. May return an error instead.
    fn commit(&mut self, entries: &[Entry], done: Done) -> Result<(), StateError>;

    /// How many batches may be on their way at once.
    fn width(&self) -> usize {
        1
    }

    /// Whether so much was written that it is time for a checkpoint.
    fn is_long(&self) -> bool {
        false
    }

    /// Puts what was written into the checkpoint and goes on from that. Only while nothing is on its
    /// way. After an error nothing can be written.
    fn checkpoint(&mut self) -> Result<(), Broken> {
        Ok(())
    }
}

/// A checkpoint that may be in place or not.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) error: StateError,
    /// What entries go on if it is.
    pub(crate) header: Option<Box<JournalHeader>>,
}

impl From<StateError> for Broken {
    fn from(error: StateError) -> Broken {
        Broken { error, header: None }
    }
}

/// How long entries wait for company that nobody is held up by. It is little beside a call to a
/// cloud, and much beside what making a batch durable takes.
const PATIENCE: Duration = Duration::from_millis(5);

/// How many operations have to be under way for the begin of one more to be no hurry: others keep
/// the providers busy meanwhile.
const BUSY: usize = 16;

type Waiter = (u64, oneshot::Sender<Result<(), StateError>>);

#[derive(Default)]
struct Queue {
    entries: Vec<Entry>,
    appended: u64,
    durable: u64,
    /// Whether somebody wants the queue written.
    wanted: bool,
    /// Whether somebody wants it at once.
    pressing: bool,
    /// Begins among the entries.
    begins: usize,
    /// Operations whose begins are durable and whose ends were not appended yet.
    under_way: usize,
    /// Whether something was ever wanted, so that what is left over matters.
    used: bool,
    closed: bool,
    failed: Option<StateError>,
    waiters: Vec<Waiter>,
    /// The batches on their way, oldest first.
    flight: VecDeque<Batch>,
    /// How many batches have been sent.
    sent: u64,
    /// Keeps what can't be sent.
    keeper: Option<Keeper>,
}

/// Entries on their way.
struct Batch {
    number: u64,
    entries: Arc<Vec<Entry>>,
    begins: usize,
    result: Option<Result<(), StateError>>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait for what has been decided.
    fn settle(&self, queue: &mut Queue) {
        let (durable, failed) = (queue.durable, queue.failed.clone());
        let done = |waiter: &mut Waiter| waiter.0 <= durable || failed.is_some();
        for (number, waiter) in queue.waiters.extract_if(.., done) {
            let result = if number <= durable { Ok(()) } else { failed.clone().map_or(Ok(()), Err) };
            // Who no longer listens need not know.
            let _ = waiter.send(result);
        }
    }

    /// Waits until nothing is on its way. Says whether more may come.
    fn is_idle(&self) -> bool {
        let mut queue = self.lock();
        while !queue.flight.is_empty() {
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.failed.is_none() && !queue.closed
    }

    /// Has the queue written: at once, or when it has company.
    fn want(&self, queue: &mut Queue, pressing: bool) {
        let woken = if pressing { queue.pressing } else { queue.wanted };
        queue.wanted = true;
        queue.pressing |= pressing;
        if !woken {
            self.wake.notify_one();
        }
    }

    /// Notes how a batch ended. Only what has everything before it counts.
    fn landed(&self, number: u64, result: Result<(), StateError>) {
        let mut queue = self.lock();
        if let Some(batch) = queue.flight.iter_mut().find(|batch| batch.number == number) {
            batch.result.get_or_insert(result);
        }
        while let Some(batch) = queue.flight.pop_front_if(|batch| batch.result.is_some()) {
            match batch.result {
                Some(Ok(())) if queue.failed.is_none() => {
                    queue.durable += batch.entries.len() as u64;
                    queue.under_way += batch.begins;
                    if let Some(keeper) = &mut queue.keeper {
                        keeper.forget(&batch.entries);
                    }
                }
                Some(Err(error)) => {
                    queue.flight.push_front(Batch { result: None, ..batch });
                    queue.break_off(error);
                }
                _ => {}
            }
        }
        self.settle(&mut queue);
        self.wake.notify_one();
    }

    fn fail(&self, error: StateError) {
        let mut queue = self.lock();
        queue.break_off(error);
        self.settle(&mut queue);
        self.wake.notify_one();
    }
}

impl Queue {
    /// From here on nothing is sent. What isn't known to be durable is kept elsewhere.
    fn break_off(&mut self, error: StateError) {
        if self.failed.is_some() {
            return;
        }
        self.failed = Some(error);
        if self.durable == 0 {
            // Nothing was begun that anybody was called for.
            self.keeper = None;
        }
        let flight = std::mem::take(&mut self.flight);
        let waiting = std::mem::take(&mut self.entries);
        if let Some(keeper) = &mut self.keeper {
            keeper
                .keep(self.durable + 1, flight.iter().flat_map(|batch| batch.entries.iter()).chain(&waiting));
        }
    }
}

/// The journal of one operation.
pub(crate) struct JournalWriter {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl JournalWriter {
    pub(crate) fn start(sink: impl Sink + 'static, keeper: Keeper) -> JournalWriter {
        Self::with_patience(sink, PATIENCE, Some(keeper))
    }

    fn with_patience(sink: impl Sink + 'static, patience: Duration, keeper: Option<Keeper>) -> JournalWriter {
        let queue = Mutex::new(Queue { keeper, ..Queue::default() });
        let shared = Arc::new(Shared { queue, wake: Condvar::new() });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let thread = thread.spawn(move || write(&for_thread, sink, patience));
        let thread = match thread {
            Ok(thread) => Some(thread),
            Err(error) => {
                let message = format!("failed to start the journal's thread: {error}");
                shared.fail(StateError::Store(Diagnostic::error("store-thread", message)));
                None
            }
        };
        JournalWriter { shared, thread: Mutex::new(thread) }
    }

    /// Appends an entry. What only keeps states in their order travels with the next that matters.
    pub(crate) fn append(&self, entry: Entry) -> Promise {
        let only_keeps = matches!(&entry, Entry::End { op: None, changes }
            if changes.iter().all(|change| matches!(change, Change::Keep { .. })));
        let (begins, ends) = match &entry {
            Entry::Begin { .. } => (true, false),
            Entry::End { op, .. } => (false, op.is_some()),
        };
        let mut queue = self.shared.lock();
        queue.appended += 1;
        let number = queue.appended;
        if queue.closed {
            queue.failed.get_or_insert_with(closed);
        }
        let patient = begins && queue.under_way >= BUSY;
        if let Some(keeper) = &mut queue.keeper {
            keeper.note(&entry);
        }
        if queue.failed.is_some()
            && !queue.closed
            && let Some(keeper) = &mut queue.keeper
        {
            keeper.keep(number, [&entry]);
        }
        if queue.failed.is_none() {
            queue.entries.push(entry);
            queue.begins += usize::from(begins);
            queue.under_way = queue.under_way.saturating_sub(usize::from(ends));
            if !only_keeps {
                queue.used = true;
                self.shared.want(&mut queue, begins && !patient);
            }
        }
        drop(queue);
        Promise { shared: Arc::clone(&self.shared), number, patient }
    }

    /// What makes every append from now on fail, and every promise that isn't kept yet.
    pub(crate) fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Where entries are kept that could not be sent, and why that failed, if it did.
    pub(crate) fn kept(&self) -> (Option<PathBuf>, Option<String>) {
        let queue = self.shared.lock();
        let Some(keeper) = &queue.keeper else { return (None, None) };
        (keeper.file().map(Path::to_owned), keeper.failed().map(str::to_owned))
    }

    /// Forgets what is kept: the state was saved with it.
    pub(crate) fn drop_kept(&self) {
        if let Some(keeper) = &mut self.shared.lock().keeper {
            keeper.drop_file();
        }
    }

    /// Whether entries were appended that matter.
    pub(crate) fn is_used(&self) -> bool {
        self.shared.lock().used
    }

    /// Takes no more entries, writes what is left, and waits for that.
    pub(crate) fn close(&self) {
        {
            let mut queue = self.shared.lock();
            queue.closed = true;
            if !queue.used && queue.waiters.is_empty() {
                queue.entries.clear();
            }
            self.shared.wake.notify_one();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            self.shared
                .fail(StateError::Store(Diagnostic::error("store-thread", "the journal's thread failed")));
        }
    }
}

/// Stops a journal from outside.
pub(crate) struct Stopper(Arc<Shared>);

impl Stopper {
    pub(crate) fn stop(&self, error: StateError) {
        self.0.fail(error);
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.close();
    }
}

fn closed() -> StateError {
    StateError::Unusable(Diagnostic::error(
        "journal-closed",
        "the operation has ended and takes no more entries",
    ))
}

fn write(shared: &Arc<Shared>, mut sink: impl Sink, patience: Duration) {
    let width = sink.width();
    loop {
        if sink.is_long() && shared.is_idle() {
            if let Err(Broken { error, header }) = sink.checkpoint() {
                if let (Some(keeper), Some(header)) = (&mut shared.lock().keeper, header) {
                    keeper.may_go_on(*header);
                }
                shared.fail(error);
            }
            continue;
        }
        let mut queue = shared.lock();
        while !(queue.wanted || queue.closed) || queue.flight.len() >= width {
            queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if !queue.pressing && !queue.closed {
            let calm = |queue: &mut Queue| !queue.pressing && !queue.closed;
            let waited = shared.wake.wait_timeout_while(queue, patience, calm);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let last = queue.closed;
        let entries = Arc::new(std::mem::take(&mut queue.entries));
        let begins = std::mem::take(&mut queue.begins);
        queue.wanted = false;
        queue.pressing = false;
        if !entries.is_empty() {
            queue.sent += 1;
            let number = queue.sent;
            let batch = Batch { number, entries: Arc::clone(&entries), begins, result: None };
            queue.flight.push_back(batch);
            drop(queue);
            let for_done = Arc::clone(shared);
            let done: Done = Box::new(move |result| for_done.landed(number, result));
            if let Err(error) = sink.commit(&entries, done) {
                shared.landed(number, Err(error));
            }
            queue = shared.lock();
        }
        if last {
            while !queue.flight.is_empty() {
                queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            if queue.entries.is_empty() {
                return;
            }
        }
    }
}

/// The promise of an entry in a journal.
pub(crate) struct Promise {
    shared: Arc<Shared>,
    number: u64,
    /// Whether whoever waits for it is in no hurry.
    patient: bool,
}

#[async_trait]
impl Durable for Promise {
    async fn wait(self: Box<Self>) -> Result<(), StateError> {
        let waiter = {
            let mut queue = self.shared.lock();
            if queue.durable >= self.number {
                return Ok(());
            }
            if let Some(error) = &queue.failed {
                return Err(error.clone());
            }
            let (sender, receiver) = oneshot::channel();
            queue.waiters.push((self.number, sender));
            queue.used = true;
            self.shared.want(&mut queue, !self.patient);
            receiver
        };
        waiter.await.unwrap_or_else(|_| Err(closed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use purlin_journal::{OpId, Slot};
    use std::sync::mpsc;

    /// Hands each batch out and does as it is told.
    struct Told {
        batches: mpsc::Sender<Vec<Entry>>,
        orders: mpsc::Receiver<Result<(), StateError>>,
    }

    impl Sink for Told {
        fn commit(&mut self, entries: &[Entry], done: Done) -> Result<(), StateError> {
            self.batches.send(entries.to_vec()).unwrap();
            done(self.orders.recv().unwrap());
            Ok(())
        }
    }

    type Controlled = (JournalWriter, mpsc::Receiver<Vec<Entry>>, mpsc::Sender<Result<(), StateError>>);

    fn told() -> Controlled {
        told_with(PATIENCE)
    }

    fn told_with(patience: Duration) -> Controlled {
        let (batches, received) = mpsc::channel();
        let (order, orders) = mpsc::channel();
        (JournalWriter::with_patience(Told { batches, orders }, patience, None), received, order)
    }

    fn begin(op: u32) -> Entry {
        let urn = purlin_model::Urn::new("s", "p", None, "a:b:C", &format!("r{op}"));
        let resource = Arc::new(purlin_model::ResourceState::new(urn, true));
        Entry::Begin { op: OpId(op), kind: purlin_model::OperationKind::Creating, resource }
    }

    fn end(op: u32) -> Entry {
        Entry::End { op: Some(OpId(op)), changes: Vec::new() }
    }

    fn keep(slot: u32) -> Entry {
        Entry::End { op: None, changes: vec![Change::Keep { slot: Slot(slot) }] }
    }

    fn full() -> StateError {
        StateError::Store(Diagnostic::error("disk-full", "no space"))
    }

    #[tokio::test]
    async fn what_comes_during_a_write_goes_together_into_the_next() {
        let (writer, batches, order) = told();
        let first = writer.append(end(1));
        assert_eq!(batches.recv().unwrap(), [end(1)]);
        let second = writer.append(end(2));
        let kept = writer.append(keep(0));
        let third = writer.append(end(3));
        order.send(Ok(())).unwrap();
        Box::new(first).wait().await.unwrap();
        assert_eq!(batches.recv().unwrap(), [end(2), keep(0), end(3)]);
        order.send(Ok(())).unwrap();
        Box::new(third).wait().await.unwrap();
        Box::new(second).wait().await.unwrap();
        Box::new(kept).wait().await.unwrap();
    }

    #[tokio::test]
    async fn unchanged_states_wait_for_company_unless_somebody_waits_for_them() {
        let (writer, batches, order) = told();
        drop(writer.append(keep(0)));
        let kept = writer.append(keep(1));
        assert!(!writer.is_used());
        let waiting = tokio::spawn(Box::new(kept).wait());
        tokio::task::yield_now().await;
        let batch = tokio::task::spawn_blocking(move || (batches.recv().unwrap(), batches)).await.unwrap();
        assert_eq!(batch.0, [keep(0), keep(1)]);
        order.send(Ok(())).unwrap();
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn ends_wait_for_company_and_begins_do_only_where_enough_is_under_way() {
        let (writer, batches, order) = told_with(Duration::from_secs(3600));
        drop(writer.append(end(0)));
        for op in 1..=u32::try_from(BUSY).unwrap() {
            drop(writer.append(begin(op)));
            let batch = batches.recv().unwrap();
            assert_eq!(batch.last(), Some(&begin(op)), "it is written at once");
            assert_eq!(batch.len(), if op == 1 { 2 } else { 1 });
            order.send(Ok(())).unwrap();
        }
        // The last batch has to be known to be durable before the next begin is judged.
        let last = writer.append(keep(0));
        order.send(Ok(())).unwrap();
        Box::new(last).wait().await.unwrap();
        assert_eq!(batches.recv().unwrap(), [keep(0)], "who waits is not kept waiting");

        drop(writer.append(begin(101)));
        drop(writer.append(begin(102)));
        drop(writer.append(end(1)));
        drop(writer.append(end(2)));
        drop(writer.append(begin(103)));
        assert_eq!(batches.recv().unwrap(), [begin(101), begin(102), end(1), end(2), begin(103)]);
        order.send(Ok(())).unwrap();
        writer.close();
    }

    #[tokio::test]
    async fn unchanged_states_alone_are_never_written() {
        let (writer, batches, _order) = told();
        drop(writer.append(keep(0)));
        writer.close();
        assert_eq!(batches.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }

    #[tokio::test]
    async fn a_failure_fails_everything_from_there_on() {
        let (writer, batches, order) = told();
        let first = writer.append(end(1));
        batches.recv().unwrap();
        let second = writer.append(end(2));
        order.send(Ok(())).unwrap();
        batches.recv().unwrap();
        let third = writer.append(end(3));
        order.send(Err(full())).unwrap();
        assert_eq!(Box::new(second).wait().await, Err(full()));
        assert_eq!(Box::new(third).wait().await, Err(full()));
        assert_eq!(Box::new(writer.append(end(4))).wait().await, Err(full()));
        Box::new(first).wait().await.unwrap();
        writer.close();
        assert_eq!(batches.try_recv(), Err(mpsc::TryRecvError::Disconnected), "nothing more is written");
    }

    /// Hands each batch out, with what to say how it ended.
    struct Abroad(mpsc::Sender<(Vec<Entry>, Done)>);

    impl Sink for Abroad {
        fn commit(&mut self, entries: &[Entry], done: Done) -> Result<(), StateError> {
            self.0.send((entries.to_vec(), done)).unwrap();
            Ok(())
        }

        fn width(&self) -> usize {
            2
        }
    }

    #[tokio::test]
    async fn of_batches_on_their_way_only_those_count_that_have_all_before_them() {
        let (sender, batches) = mpsc::channel();
        let writer = JournalWriter::with_patience(Abroad(sender), Duration::ZERO, None);
        let mut promises = Vec::new();
        let mut landed = Vec::new();
        for op in 1..=2 {
            promises.push(Box::new(writer.append(begin(op))));
            landed.push(batches.recv().unwrap());
        }
        promises.push(Box::new(writer.append(begin(3))));
        let (_, second) = landed.pop().unwrap();
        second(Ok(()));
        assert!(
            batches.recv_timeout(Duration::from_millis(20)).is_err(),
            "no more than two are on their way"
        );
        let (_, first) = landed.pop().unwrap();
        first(Ok(()));
        for promise in promises.drain(..2) {
            promise.wait().await.unwrap();
        }
        let (third, done) = batches.recv().unwrap();
        assert_eq!(third, [begin(3)]);
        promises.push(Box::new(writer.append(begin(4))));
        let (_, fourth) = batches.recv().unwrap();
        fourth(Ok(()));
        done(Err(full()));
        for promise in promises {
            assert_eq!(promise.wait().await, Err(full()));
        }
        writer.close();
    }

    #[tokio::test]
    async fn closing_writes_what_is_left_and_takes_no_more() {
        let (writer, batches, order) = told();
        let first = writer.append(end(1));
        batches.recv().unwrap();
        let second = writer.append(end(2));
        order.send(Ok(())).unwrap();
        order.send(Ok(())).unwrap();
        writer.close();
        assert_eq!(batches.recv().unwrap(), [end(2)]);
        Box::new(first).wait().await.unwrap();
        Box::new(second).wait().await.unwrap();
        assert_eq!(Box::new(writer.append(end(3))).wait().await, Err(closed()));
    }
}
