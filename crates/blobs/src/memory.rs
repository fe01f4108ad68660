//! Bytes in memory, and requests that go wrong as they are told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use purlin_ports::{Blob, BlobError, BlobInfo, BlobTag, Blobs, Put};

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A `get`.
    Get,
    /// A `put`, and whether it has a condition.
    Put {
        /// Whether it has one.
        conditional: bool,
    },
    /// A `delete`, or one of several keys, of which the first is named.
    Delete,
    /// A `list`.
    List,
}

/// A request, before it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number, counted from 1.
    pub number: u64,
    /// What it is.
    pub kind: RequestKind,
    /// Its key or prefix.
    pub key: String,
}

/// How a request is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// As it should be.
    #[default]
    Well,
    /// With this error, and nothing is done.
    Fail(BlobError),
    /// It is done, but the answer is lost.
    LoseReply,
    /// It is not done, and there is no answer.
    LoseRequest,
    /// There is no answer, and it is done only after that many other requests.
    DoLater(u64),
}

type Script = Box<dyn FnMut(&Request) -> Answer + Send>;

#[derive(Default)]
struct Held {
    blobs: BTreeMap<String, (Vec<u8>, u64, SystemTime)>,
    versions: u64,
    requests: u64,
    bytes_put: u64,
    log: Vec<Request>,
    script: Option<Script>,
    later: Vec<(u64, String, Vec<u8>, Put)>,
}

/// Bytes in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryBlobs {
    held: Arc<Mutex<Held>>,
    without_conditions: bool,
}

impl std::fmt::Debug for MemoryBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryBlobs").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

impl Held {
    fn put(&mut self, key: &str, bytes: Vec<u8>, condition: &Put) -> Result<BlobTag, BlobError> {
        let found = self.blobs.get(key).map(|(_, version, _)| tag(*version));
        match condition {
            Put::Always => {}
            Put::IfAbsent if found.is_some() => return Err(BlobError::AlreadyExists),
            Put::IfMatch(expected) if found.as_ref() != Some(expected) => {
                return Err(BlobError::PreconditionFailed);
            }
            Put::IfAbsent | Put::IfMatch(_) => {}
        }
        self.versions += 1;
        self.bytes_put += bytes.len() as u64;
        // Every version has a time of its own, in order.
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(self.versions);
        self.blobs.insert(key.to_owned(), (bytes, self.versions, modified));
        Ok(tag(self.versions))
    }

    fn arrive(&mut self) {
        let now = self.requests;
        let due: Vec<_> = self.later.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, key, bytes, condition) in due {
            // Nobody listens any more.
            let _ = self.put(&key, bytes, &condition);
        }
    }
}

fn tag(version: u64) -> BlobTag {
    BlobTag(format!("v{version}"))
}

fn lost() -> BlobError {
    BlobError::Unknown("the connection was lost".to_owned())
}

impl MemoryBlobs {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A service that overlooks conditions, as some do: it puts whatever comes.
    pub fn without_conditions() -> Self {
        MemoryBlobs { without_conditions: true, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the answer of every request from now on.
    pub fn answer(&self, script: impl FnMut(&Request) -> Answer + Send + 'static) {
        self.lock().script = Some(Box::new(script));
    }

    /// Answers every request well from now on.
    pub fn answer_well(&self) {
        self.lock().script = None;
    }

    /// The requests so far.
    pub fn log(&self) -> Vec<Request> {
        self.lock().log.clone()
    }

    /// Forgets the requests so far, and how many bytes were put.
    pub fn clear_log(&self) {
        let mut held = self.lock();
        held.log.clear();
        held.bytes_put = 0;
    }

    /// How many bytes were put.
    pub fn bytes_put(&self) -> u64 {
        self.lock().bytes_put
    }

    /// All keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.lock().blobs.keys().cloned().collect()
    }

    /// What is kept under a key.
    pub fn read(&self, key: &str) -> Option<Vec<u8>> {
        self.lock().blobs.get(key).map(|(bytes, ..)| bytes.clone())
    }

    /// Puts bytes under a key, as another program would.
    pub fn write(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        // There is no condition that could fail.
        let _ = self.lock().put(key, bytes.into(), &Put::Always);
    }

    /// Removes a key, as another program would.
    pub fn erase(&self, key: &str) {
        self.lock().blobs.remove(key);
    }

    /// A copy that shares nothing, as it was found after a crash.
    pub fn snapshot(&self) -> MemoryBlobs {
        let held = self.lock();
        let copy = Held { blobs: held.blobs.clone(), versions: held.versions, ..Held::default() };
        MemoryBlobs { held: Arc::new(Mutex::new(copy)), without_conditions: self.without_conditions }
    }

    /// Does a request as the script says. `act` does it; `later` is what remains of a put that
    /// arrives late.
    fn request<T>(
        &self,
        kind: RequestKind,
        key: &str,
        later: Option<(Vec<u8>, Put)>,
        act: impl FnOnce(&mut Held) -> Result<T, BlobError>,
    ) -> Result<T, BlobError> {
        let mut held = self.lock();
        held.requests += 1;
        held.arrive();
        let request = Request { number: held.requests, kind, key: key.to_owned() };
        held.log.push(request.clone());
        // The script may look at what is kept.
        let script = held.script.take();
        drop(held);
        let (answer, script) = match script {
            Some(mut script) => (script(&request), Some(script)),
            None => (Answer::Well, None),
        };
        let mut held = self.lock();
        if held.script.is_none() {
            held.script = script;
        }
        match answer {
            Answer::Well => act(&mut held),
            Answer::Fail(error) => Err(error),
            Answer::LoseReply => act(&mut held).and(Err(lost())),
            Answer::LoseRequest => Err(lost()),
            Answer::DoLater(after) => {
                if let Some((bytes, condition)) = later {
                    let at = held.requests + after;
                    held.later.push((at, key.to_owned(), bytes, condition));
                }
                Err(lost())
            }
        }
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn get(&self, key: &str) -> Result<Blob, BlobError> {
        self.request(RequestKind::Get, key, None, |held| {
            let (bytes, version, _) = held.blobs.get(key).ok_or(BlobError::NotFound)?;
            Ok(Blob { bytes: bytes.clone(), tag: tag(*version) })
        })
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, condition: &Put) -> Result<BlobTag, BlobError> {
        let kind = RequestKind::Put { conditional: *condition != Put::Always };
        let condition = if self.without_conditions { &Put::Always } else { condition };
        let later = Some((bytes.clone(), condition.clone()));
        self.request(kind, key, later, |held| held.put(key, bytes, condition))
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        self.request(RequestKind::Delete, key, None, |held| {
            held.blobs.remove(key);
            Ok(())
        })
    }

    fn deletes_at_once(&self) -> usize {
        1000
    }

    async fn delete_all(&self, keys: &[String]) -> Result<(), BlobError> {
        let first = keys.first().map(String::as_str).unwrap_or_default();
        self.request(RequestKind::Delete, first, None, |held| {
            held.blobs.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        self.request(RequestKind::List, prefix, None, |held| {
            let found = held.blobs.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
            let info = |(key, (bytes, version, modified)): (&String, &(Vec<u8>, u64, SystemTime))| BlobInfo {
                key: key.clone(),
                size: bytes.len() as u64,
                modified: *modified,
                tag: Some(tag(*version)),
            };
            Ok(found.map(info).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    /// Nothing here ever waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn keeps_the_promises_of_the_port() {
        now(crate::conformance::check_blobs(&MemoryBlobs::new(), "a/b")).unwrap();
    }

    #[test]
    fn a_service_without_conditions_is_noticed() {
        let broken = now(crate::conformance::check_blobs(&MemoryBlobs::without_conditions(), "a"));
        assert!(broken.unwrap_err().contains("absent"));
    }

    #[test]
    fn requests_go_wrong_as_they_are_told_to() {
        let blobs = MemoryBlobs::new();
        let answers = [Answer::LoseRequest, Answer::LoseReply, Answer::DoLater(1)];
        blobs.answer(move |request| {
            let at = usize::try_from(request.number - 1).unwrap();
            answers.get(at).cloned().unwrap_or_default()
        });
        for (key, there) in [("a", false), ("b", true), ("c", false)] {
            assert_eq!(now(blobs.put(key, vec![1], &Put::IfAbsent)), Err(lost()));
            assert_eq!(blobs.read(key).is_some(), there, "{key}");
        }
        assert_eq!(now(blobs.list("")).unwrap().len(), 2, "it has arrived by now");
        assert_eq!(now(blobs.put("c", vec![2], &Put::IfAbsent)), Err(BlobError::AlreadyExists));
    }
}
