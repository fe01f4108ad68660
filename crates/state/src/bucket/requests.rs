//! Requests to a service: made by a thread of their own, tried again where that is safe, and looked
//! into where it is not known whether they were done.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use purlin_diag::Diagnostic;
use purlin_ports::{Blob, BlobError, BlobInfo, BlobTag, Blobs, Put, StateError};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

use super::errors::failed;
use crate::diy::Retries;

/// The requests of a store. Clones share the thread, which ends with the last of them.
#[derive(Clone)]
pub(crate) struct Requests {
    shared: Arc<Shared>,
}

struct Shared {
    /// The URL without its options.
    url: String,
    /// The whole URL.
    identity: String,
    blobs: Arc<dyn Blobs>,
    retries: Retries,
    /// Whether the service decides conditions.
    conditional: bool,
    /// Whether it was given up to reach the service. Then nothing waits for it until it answers again.
    down: AtomicBool,
    io: Handle,
    end: Arc<Notify>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.end.notify_one();
    }
}

/// How a put on a condition ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PutResult {
    /// The bytes are there.
    Done,
    /// Something else is there, or nothing where something was expected.
    Other,
}

impl Requests {
    pub(crate) fn start(
        url: &str,
        blobs: Arc<dyn Blobs>,
        retries: Retries,
        conditional: bool,
    ) -> Result<Requests, StateError> {
        let thread_failed = |error: std::io::Error| {
            let message = format!("failed to start the thread of the backend: {error}");
            StateError::Store(Diagnostic::error("store-thread", message))
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(thread_failed)?;
        let io = runtime.handle().clone();
        let end = Arc::new(Notify::new());
        let ends = Arc::clone(&end);
        let thread = std::thread::Builder::new().name("bucket".to_owned());
        thread.spawn(move || runtime.block_on(ends.notified())).map_err(thread_failed)?;
        let identity = url.to_owned();
        let down = AtomicBool::new(false);
        let url = url.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
        Ok(Requests {
            shared: Arc::new(Shared { url, identity, blobs, retries, conditional, down, io, end }),
        })
    }

    /// The whole URL.
    pub(crate) fn identity(&self) -> &str {
        &self.shared.identity
    }

    /// Whether conditions are only looked at, not decided by the service.
    pub(crate) fn is_unconditional(&self) -> bool {
        !self.shared.conditional
    }

    /// What people call a key.
    pub(crate) fn place(&self, key: &str) -> String {
        if key.is_empty() { self.shared.url.clone() } else { format!("{}/{key}", self.shared.url) }
    }

    /// Has something done, without waiting for it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.shared.io.spawn(work);
    }

    /// Has something done and waits for it. Not for tasks of the thread of requests.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StateError>> + Send + 'static,
    ) -> Result<T, StateError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.shared.io.spawn(async move {
            // Who waits is there.
            let _ = sender.send(work.await);
        });
        receiver.recv().unwrap_or_else(|_| Err(thread_gone()))
    }

    /// Tries a request that may be made any number of times until there is an answer.
    async fn again<T, F: Future<Output = Result<T, BlobError>>>(
        &self,
        what: &str,
        key: &str,
        mut request: impl FnMut() -> F,
    ) -> Result<T, BlobError> {
        let mut pause = self.pause();
        loop {
            match request().await {
                Err(BlobError::Unknown(_)) if pause.wait().await => {}
                Err(BlobError::Unknown(text)) => {
                    self.shared.down.store(true, Ordering::Relaxed);
                    return Err(BlobError::Unknown(format!(
                        "{text} (gave up to {what} {key} after {} s)",
                        self.shared.retries.patience.as_secs()
                    )));
                }
                other => {
                    self.shared.down.store(false, Ordering::Relaxed);
                    return other;
                }
            }
        }
    }

    fn pause(&self) -> Pause {
        let mut retries = self.shared.retries;
        if self.shared.down.load(Ordering::Relaxed) {
            retries.patience = Duration::ZERO;
        }
        Pause::new(retries)
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Blob>, StateError> {
        match self.again("read", key, || self.shared.blobs.get(key)).await {
            Ok(blob) => Ok(Some(blob)),
            Err(BlobError::NotFound) => Ok(None),
            Err(error) => Err(failed("read", &self.place(key), &error)),
        }
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StateError> {
        let listed = self.again("list", prefix, || self.shared.blobs.list(prefix)).await;
        listed.map_err(|error| failed("list", &self.place(prefix), &error))
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), StateError> {
        match self.again("remove", key, || self.shared.blobs.delete(key)).await {
            Ok(()) | Err(BlobError::NotFound) => Ok(()),
            Err(error) => Err(failed("remove", &self.place(key), &error)),
        }
    }

    /// Puts bytes whatever is there. Only for what nobody else writes.
    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<BlobTag, StateError> {
        let put = || self.shared.blobs.put(key, bytes.clone(), &Put::Always);
        self.again("write", key, put).await.map_err(|error| failed("write", &self.place(key), &error))
    }

    /// Puts bytes on a condition, in one try.
    pub(crate) async fn put_once(
        &self,
        key: &str,
        bytes: Vec<u8>,
        condition: &Put,
    ) -> Result<BlobTag, BlobError> {
        let blobs = &self.shared.blobs;
        if self.shared.conditional {
            return blobs.put(key, bytes, condition).await;
        }
        let found = match blobs.get(key).await {
            Ok(blob) => Some(blob.tag),
            Err(BlobError::NotFound) => None,
            Err(error) => return Err(error),
        };
        match condition {
            Put::IfAbsent if found.is_some() => return Err(BlobError::AlreadyExists),
            Put::IfMatch(tag) if found.as_ref() != Some(tag) => return Err(BlobError::PreconditionFailed),
            _ => {}
        }
        blobs.put(key, bytes, &Put::Always).await
    }

    /// Copies what is under a key. `false` if nothing is.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<bool, StateError> {
        match self.again("copy", from, || self.shared.blobs.copy(from, to)).await {
            Ok(()) => Ok(true),
            Err(BlobError::NotFound) => Ok(false),
            Err(error) => Err(failed("copy", &self.place(from), &error)),
        }
    }

    /// Moves what is under a key, if something is.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), StateError> {
        if self.copy(from, to).await? { self.delete(from).await } else { Ok(()) }
    }

    /// Reads many keys, in order.
    pub(crate) async fn get_all(&self, keys: Vec<String>) -> Result<Vec<Option<Blob>>, StateError> {
        let requests = self.clone();
        self.all(keys, move |key| {
            let requests = requests.clone();
            async move { requests.get(&key).await }
        })
        .await
    }

    /// Removes many keys, in as few requests as the service allows.
    pub(crate) async fn delete_all(&self, keys: Vec<String>) -> Result<(), StateError> {
        let together = self.shared.blobs.deletes_at_once().max(1);
        let parts: Vec<Vec<String>> = keys.chunks(together).map(<[String]>::to_vec).collect();
        let requests = self.clone();
        let removed = self.all(parts, move |keys| {
            let requests = requests.clone();
            async move {
                match keys.as_slice() {
                    [key] => requests.delete(key).await,
                    keys => requests.delete_together(keys).await,
                }
            }
        });
        removed.await.map(drop)
    }

    /// Removes several keys in one request, which may be made any number of times.
    async fn delete_together(&self, keys: &[String]) -> Result<(), StateError> {
        let first = keys.first().map(String::as_str).unwrap_or_default();
        match self.again("remove", first, || self.shared.blobs.delete_all(keys)).await {
            Ok(()) | Err(BlobError::NotFound) => Ok(()),
            Err(error) => Err(failed("remove", &self.place(first), &error)),
        }
    }

    /// Does something with each of many, several at once. Gives the answers in order.
    async fn all<K, T: Send + 'static, F: Future<Output = Result<T, StateError>> + Send + 'static>(
        &self,
        keys: Vec<K>,
        mut act: impl FnMut(K) -> F,
    ) -> Result<Vec<T>, StateError> {
        let mut answers = Vec::with_capacity(keys.len());
        let mut running = VecDeque::new();
        let mut keys = keys.into_iter();
        loop {
            while running.len() < AT_ONCE
                && let Some(key) = keys.next()
            {
                running.push_back(tokio::spawn(act(key)));
            }
            let Some(first) = running.pop_front() else { return Ok(answers) };
            answers.push(first.await.unwrap_or_else(|_| Err(thread_gone()))?);
        }
    }

    /// Puts bytes on a condition. If it isn't known whether that was done, what is there decides: it
    /// was if these bytes are there, so they must be like no others that anybody puts there.
    pub(crate) async fn put_if(
        &self,
        key: &str,
        bytes: Vec<u8>,
        condition: &Put,
    ) -> Result<PutResult, StateError> {
        let fails = |error: &BlobError| failed("write", &self.place(key), error);
        let mut pause = self.pause();
        // Whether a request may have been done without our knowing.
        let mut unsure = false;
        loop {
            match self.put_once(key, bytes.clone(), condition).await {
                Ok(_) => return Ok(PutResult::Done),
                Err(BlobError::AlreadyExists | BlobError::PreconditionFailed) => {
                    let ours = unsure && self.get(key).await?.is_some_and(|blob| blob.bytes == bytes);
                    return Ok(if ours { PutResult::Done } else { PutResult::Other });
                }
                Err(error @ BlobError::Unknown(_)) => {
                    unsure = true;
                    if self.get(key).await?.is_some_and(|blob| blob.bytes == bytes) {
                        return Ok(PutResult::Done);
                    }
                    // It may be done yet. Then the next try meets it, and looks again.
                    if !pause.wait().await {
                        return Err(fails(&error));
                    }
                }
                Err(error) => return Err(fails(&error)),
            }
        }
    }
}

/// How many requests of one kind may be under way at once.
const AT_ONCE: usize = 16;

fn thread_gone() -> StateError {
    StateError::Store(Diagnostic::error("store-thread", "the backend's thread has failed"))
}

/// How long to wait before the next try.
struct Pause {
    retries: Retries,
    waited: Duration,
    next: Duration,
}

impl Pause {
    fn new(retries: Retries) -> Pause {
        Pause { retries, waited: Duration::ZERO, next: retries.first }
    }

    /// Waits. `false` if it was enough.
    async fn wait(&mut self) -> bool {
        if self.waited >= self.retries.patience {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.waited += self.next;
        self.next = (self.next * 2).min(self.retries.longest);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use purlin_blobs::{Answer, MemoryBlobs, RequestKind};

    fn requests(blobs: &MemoryBlobs) -> Requests {
        let retries = Retries {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(2),
            patience: Duration::from_millis(4),
        };
        Requests::start("s3://bucket/below/?region=x", Arc::new(blobs.clone()), retries, true).unwrap()
    }

    fn put_if(requests: &Requests, text: &str, condition: Put) -> Result<PutResult, StateError> {
        let (requests, text) = (requests.clone(), text.to_owned());
        let waiting = requests.clone();
        waiting.wait(async move { requests.put_if("key", text.into_bytes(), &condition).await })
    }

    #[test]
    fn a_put_whose_answer_was_lost_is_looked_for() {
        for lost in [Answer::LoseReply, Answer::LoseRequest, Answer::DoLater(1), Answer::DoLater(2)] {
            let blobs = MemoryBlobs::new();
            let requests = requests(&blobs);
            let mut answers = vec![lost.clone()].into_iter();
            blobs.answer(move |request| match request.kind {
                RequestKind::Put { .. } => answers.next().unwrap_or_default(),
                _ => Answer::Well,
            });
            assert_eq!(put_if(&requests, "ours", Put::IfAbsent), Ok(PutResult::Done), "{lost:?}");
            assert_eq!(blobs.read("key").unwrap(), b"ours");
            assert_eq!(put_if(&requests, "other", Put::IfAbsent), Ok(PutResult::Other));
        }
    }

    #[test]
    fn what_somebody_else_put_meanwhile_is_not_taken_for_ours() {
        let blobs = MemoryBlobs::new();
        let requests = requests(&blobs);
        let theirs = blobs.clone();
        let mut first = true;
        blobs.answer(move |_| {
            if !std::mem::take(&mut first) {
                return Answer::Well;
            }
            theirs.write("key", "theirs");
            Answer::LoseRequest
        });
        assert_eq!(put_if(&requests, "ours", Put::IfAbsent), Ok(PutResult::Other));
        assert_eq!(blobs.read("key").unwrap(), b"theirs");
    }

    #[test]
    fn gives_up_and_says_what_is_wrong() {
        let blobs = MemoryBlobs::new();
        let requests = requests(&blobs);
        blobs.answer(|_| Answer::LoseRequest);
        let error = put_if(&requests, "ours", Put::IfAbsent).unwrap_err().diagnostic();
        assert_eq!(error.code, "store-unreachable");
        assert!(error.message.contains("s3://bucket/below/key"), "{}", error.message);
        let requests_made = blobs.log().len();
        blobs.answer(|_| Answer::Fail(BlobError::Denied("the token has expired".into())));
        let error = put_if(&requests, "ours", Put::IfAbsent).unwrap_err().diagnostic();
        assert_eq!(error.code, "store-denied");
        assert_eq!(blobs.log().len(), requests_made + 1, "a refusal isn't tried again");
    }
}
