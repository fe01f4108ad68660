//! A bucket as what a store stands on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use purlin_ports::{BlobInfo, Entropy, Put, StateError};

use super::draft::MemoryDraft;
use super::journal::ObjectJournal;
use super::keys;
use super::probe;
use super::requests::{PutResult, Requests};
use super::sealing;
use crate::diy::at_once::both;
use crate::diy::folder::{Epoch, Folder, Sealed, WriterMark, to_json};
use crate::diy::medium::{Copying, Draft, Dropping, Guard, Journal, Medium, Stamp, Survey, Unfinished};

/// A bucket.
pub(crate) struct Bucket {
    requests: Requests,
    entropy: Arc<dyn Entropy>,
    /// Whether conditional writes work, once that is known.
    probed: OnceLock<()>,
    /// The epochs of this process.
    own: Mutex<HashMap<(String, u64), Epoch>>,
}

/// Nothing: conditions do what a fence would.
struct NoFence;

impl Guard for NoFence {}

impl Bucket {
    pub(crate) fn new(requests: Requests, entropy: Arc<dyn Entropy>) -> Bucket {
        Bucket { requests, entropy, probed: OnceLock::new(), own: Mutex::default() }
    }

    /// Does something with a copy of what requests need, and waits for it.
    fn wait<T, F>(&self, work: impl FnOnce(Requests) -> F) -> Result<T, StateError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StateError>> + Send + 'static,
    {
        self.requests.wait(work(self.requests.clone()))
    }

    fn list(&self, prefix: String) -> Result<Vec<BlobInfo>, StateError> {
        self.wait(|requests| async move { requests.list(&prefix).await })
    }

    /// The keys of journals by journal, with their epochs, oldest first.
    fn journals(&self, folder: &Folder) -> Result<Vec<sealing::Listed>, StateError> {
        let found = self.list(keys::journals(folder.key()))?;
        let mut journals: BTreeMap<(u64, String), Vec<u64>> = BTreeMap::new();
        for info in &found {
            if let Some((journal, epoch, number)) = keys::parts(folder.key(), &info.key) {
                journals.entry((epoch, journal.to_owned())).or_default().push(number);
            }
        }
        let listed = |((epoch, journal), numbers)| sealing::Listed { epoch, journal, numbers };
        Ok(journals.into_iter().map(listed).collect())
    }

    fn own_epoch(&self, folder: &Folder, epoch: u64) -> Option<Epoch> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.get(&(folder.key().to_owned(), epoch)).cloned()
    }

    fn remember(&self, folder: &Folder, number: u64, epoch: &Epoch) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.insert((folder.key().to_owned(), number), epoch.clone());
    }
}

impl Medium for Bucket {
    fn is_far(&self) -> bool {
        true
    }

    fn place(&self, key: &str) -> String {
        self.requests.place(key)
    }

    fn ready(&self) -> Result<(), StateError> {
        if self.probed.get().is_none() {
            let nonce = self.entropy.uuid();
            self.wait(|requests| async move { probe::check(&requests, &nonce).await })?;
            // Somebody may have come to the same conclusion meanwhile.
            let _ = self.probed.set(());
        }
        Ok(())
    }

    fn check_root(&self) -> Result<(), StateError> {
        // The first request tells.
        Ok(())
    }

    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Stamp)>, StateError> {
        let key = key.to_owned();
        let blob = self.wait(|requests| async move { requests.get(&key).await })?;
        Ok(blob.map(|blob| (blob.bytes, Stamp(blob.tag.0))))
    }

    fn read_all(&self, keys: Vec<String>) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        let found = self.wait(|requests| async move { requests.get_all(keys).await })?;
        Ok(found.into_iter().map(|blob| blob.map(|blob| blob.bytes)).collect())
    }

    fn stamp(&self, key: &str) -> Result<Option<Stamp>, StateError> {
        Ok(self.read(key)?.map(|(_, stamp)| stamp))
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, StateError> {
        let prefix = format!("{folder}/");
        let found = self.list(prefix.clone())?;
        let names = found.iter().filter_map(|info| info.key.strip_prefix(&prefix));
        Ok(names.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StateError> {
        let prefix = format!("{folder}/");
        let found = self.list(prefix.clone())?;
        let mut folders: Vec<String> = found
            .iter()
            .filter_map(|info| info.key.strip_prefix(&prefix)?.split_once('/'))
            .map(|(f, _)| f.to_owned())
            .collect();
        folders.sort();
        folders.dedup();
        Ok(folders)
    }

    fn newest(&self, folder: &str, names: &[String]) -> Result<Option<(usize, Option<Stamp>)>, StateError> {
        // Names of one stack begin with the shortest of them.
        let Some(shortest) = names.iter().min_by_key(|name| name.len()) else { return Ok(None) };
        let found = self.list(format!("{folder}/{shortest}"))?;
        let info = |name: &String| {
            let key = format!("{folder}/{name}");
            found.iter().find(|info| info.key == key)
        };
        let there = names.iter().enumerate().filter_map(|(at, name)| Some((info(name)?, at)));
        let newest = there.max_by_key(|(info, at)| (info.modified, *at));
        Ok(newest.map(|(info, at)| (at, info.tag.clone().map(|tag| Stamp(tag.0)))))
    }

    fn write(&self, key: &str, bytes: &[u8], _sync: bool) -> Result<(), StateError> {
        let (key, bytes) = (key.to_owned(), bytes.to_vec());
        self.wait(|requests| async move { requests.put(&key, bytes).await.map(drop) })
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool, StateError> {
        let (key, bytes) = (key.to_owned(), bytes.to_vec());
        let put = self.wait(|requests| async move { requests.put_if(&key, bytes, &Put::IfAbsent).await });
        Ok(put? == PutResult::Done)
    }

    fn copy(&self, from: &str, to: &str, _how: Copying) -> Result<(), StateError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.wait(|requests| async move { requests.copy(&from, &to).await.map(drop) })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StateError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.wait(|requests| async move { requests.rename(&from, &to).await })
    }

    fn remove(&self, key: &str) -> Result<(), StateError> {
        let key = key.to_owned();
        self.wait(|requests| async move { requests.delete(&key).await })
    }

    fn remove_all(&self, keys: Vec<String>) -> Result<(), StateError> {
        self.wait(|requests| async move { requests.delete_all(keys).await })
    }

    fn remove_folder(&self, folder: &str) -> Result<(), StateError> {
        let found = self.list(format!("{folder}/"))?;
        self.remove_all(found.into_iter().map(|info| info.key).collect())
    }

    fn rename_folder(&self, from: &str, to: &str) -> Result<(), StateError> {
        let prefix = format!("{from}/");
        for info in self.list(prefix.clone())? {
            let name = info.key.strip_prefix(&prefix).unwrap_or(&info.key);
            self.rename(&info.key, &format!("{to}/{name}"))?;
        }
        Ok(())
    }

    fn draft(&self, folder: &str) -> Result<Box<dyn Draft>, StateError> {
        let place = format!("a checkpoint for {}", self.place(folder));
        Ok(Box::new(MemoryDraft { requests: self.requests.clone(), place, bytes: Vec::new() }))
    }

    fn judges(&self) -> bool {
        true
    }

    fn fence(&self, _folder: &Folder) -> Result<Box<dyn Guard>, StateError> {
        self.ready()?;
        Ok(Box::new(NoFence))
    }

    fn is_current(&self, folder: &Folder, epoch: u64) -> bool {
        match folder.epoch(epoch) {
            Ok(Some(found)) => self.own_epoch(folder, epoch).is_none_or(|own| own.nonce == found.nonce),
            Ok(None) => false,
            // The seal decides, whatever is known here.
            Err(_) => true,
        }
    }

    fn end_epochs(
        &self,
        folder: &Folder,
        old: &[u64],
        _sealed: Option<Sealed>,
        by: &WriterMark,
    ) -> Result<Option<Sealed>, StateError> {
        if old.is_empty() {
            return Ok(None);
        }
        let journals = self.journals(folder)?;
        for number in old {
            if let Some(epoch) = folder.epoch(*number)? {
                let journal = keys::journal(folder.key(), *number, &epoch.incarnation);
                let found = journals.iter().find(|listed| listed.journal == journal);
                let listed = match found {
                    Some(listed) => listed.clone(),
                    None => sealing::Listed { epoch: *number, journal, numbers: Vec::new() },
                };
                let (by, nonce) = (by.name.clone(), self.entropy.uuid());
                self.wait(|requests| async move {
                    if epoch.ended {
                        requests.delete_all(listed.keys()).await
                    } else {
                        sealing::seal(&requests, &listed, &by, nonce, false).await.map(drop)
                    }
                })?;
            }
            self.remove(&folder.epoch_file(*number))?;
        }
        Ok(None)
    }

    fn restate(&self, folder: &Folder, number: u64, epoch: &Epoch) -> Result<(), StateError> {
        self.remember(folder, number, epoch);
        folder.write_json(&folder.epoch_file(number), epoch)
    }

    fn journal(&self, folder: &Folder, number: u64, epoch: &Epoch) -> Arc<dyn Journal> {
        self.remember(folder, number, epoch);
        let journal = keys::journal(folder.key(), number, &epoch.incarnation);
        Arc::new(ObjectJournal::new(self.requests.clone(), Arc::clone(&self.entropy), journal, number))
    }

    fn survey(&self, folder: &Folder) -> Result<Survey, StateError> {
        let prefix = format!("{}/", folder.key());
        let found = self.list(prefix.clone())?;
        let has_journals = found.iter().any(|info| keys::parts(folder.key(), &info.key).is_some());
        let names = found.iter().filter_map(|info| info.key.strip_prefix(&prefix));
        let names = names.filter(|name| !name.contains('/')).map(str::to_owned).collect();
        Ok(Survey { names, has_journals })
    }

    fn has_journals(&self, folder: &Folder) -> Result<bool, StateError> {
        Ok(!self.journals(folder)?.is_empty())
    }

    fn unfinished(&self, folder: &Folder, sha256: &dyn Fn() -> String) -> Result<Unfinished, StateError> {
        let mut found = Unfinished::default();
        let mut sha = None;
        for listed in self.journals(folder)? {
            // What its writer is clearing away is in the checkpoint.
            if folder.epoch(listed.epoch)?.is_some_and(|epoch| epoch.ended) {
                continue;
            }
            let sha = sha.get_or_insert_with(sha256).clone();
            let read = self.wait(|requests| async move { sealing::read(&requests, &listed, &sha).await })?;
            if read.in_checkpoint {
                // So is everything that earlier writers did.
                found = Unfinished::default();
            }
            found.announced |= read.announced;
            found.segments.extend(read.segments);
        }
        Ok(found)
    }

    fn drop_journals(&self, folder: &Folder, up_to: u64, how: Dropping) -> Result<Vec<String>, StateError> {
        if !how.ended && !how.earlier {
            return Ok(Vec::new());
        }
        let own = self.own_epoch(folder, up_to).filter(|_| how.ended);
        let end = || {
            let Some(epoch) = own else { return Ok(()) };
            // From here on its objects count for nothing, whichever of them are left.
            let key = folder.epoch_file(up_to);
            self.write(&key, &to_json(&key, &Epoch { ended: true, ..epoch })?, false)
        };
        let (ended, journals) = both(self, end, || self.journals(folder));
        ended?;
        let mut left = Vec::new();
        for listed in journals? {
            if listed.epoch == up_to && how.ended {
                left.extend(listed.keys());
            } else if listed.epoch < up_to {
                let nonce = self.entropy.uuid();
                self.wait(|requests| async move { sealing::forget(&requests, &listed, nonce).await })?;
            }
        }
        Ok(left)
    }

    fn set_journals_aside(&self, folder: &Folder) -> Result<Vec<String>, StateError> {
        let mut aside = Vec::new();
        for listed in self.journals(folder)? {
            let name = listed.journal.rsplit('/').next().unwrap_or_default();
            let new = format!("{}/aside.{name}", folder.key());
            aside.push(self.place(&new));
            let nonce = self.entropy.uuid();
            self.wait(|requests| async move {
                for number in &listed.numbers {
                    let (from, to) = (keys::object(&listed.journal, *number), keys::object(&new, *number));
                    requests.copy(&from, &to).await?;
                }
                sealing::forget(&requests, &listed, nonce).await
            })?;
        }
        Ok(aside)
    }
}
