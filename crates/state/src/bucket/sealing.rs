//! Journals that others wrote: ending them, reading them, forgetting them.

use purlin_diag::Diagnostic;
use purlin_ports::{Put, StateError};

use super::batch::{Batch, Kind};
use super::keys;
use super::requests::{PutResult, Requests};
use crate::diy::medium::Segment;
use crate::diy::segment;

/// A journal in a list.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) epoch: u64,
    /// What the keys begin with.
    pub(crate) journal: String,
    /// The numbers of its objects, sorted.
    pub(crate) numbers: Vec<u64>,
}

impl Listed {
    pub(crate) fn keys(&self) -> Vec<String> {
        self.numbers.iter().map(|number| keys::object(&self.journal, *number)).collect()
    }

    /// The first number from `start` on that no object has.
    fn first_free(&self, start: u64) -> u64 {
        let later = self.numbers.iter().copied().filter(|number| *number >= start);
        (start..).zip(later).take_while(|(at, number)| at == number).count() as u64 + start
    }
}

/// Puts a seal where a writer's next object would go. Gives the number of the seal that is there.
pub(crate) async fn seal(
    requests: &Requests,
    listed: &Listed,
    by: &str,
    nonce: String,
    folded: bool,
) -> Result<u64, StateError> {
    // A seal that was there before may have lost what came before it, and so may what announces a
    // checkpoint: everything before that was there.
    let mut start = 1;
    for number in listed.numbers.iter().rev() {
        match object(requests, &listed.journal, *number).await?.map(|batch| batch.kind) {
            Some(Kind::Seal { .. }) => return Ok(*number),
            Some(Kind::Finish(_)) => {
                start = *number;
                break;
            }
            _ => {}
        }
    }
    let mut number = listed.first_free(start);
    // A seal in a gap would hide what is missing.
    for later in listed.numbers.iter().filter(|later| **later > number) {
        if object(requests, &listed.journal, *later).await?.is_some_and(|batch| batch.durable >= number) {
            return Err(gap(&requests.place(&listed.journal), number));
        }
    }
    loop {
        let kind = Kind::Seal { by: by.to_owned(), folded };
        let batch = Batch {
            epoch: listed.epoch,
            number,
            nonce: nonce.clone(),
            durable: 0,
            part: 0,
            kind,
            text: Vec::new(),
        };
        let key = keys::object(&listed.journal, number);
        if requests.put_if(&key, batch.encode()?, &Put::IfAbsent).await? == PutResult::Done {
            return Ok(number);
        }
        match object(requests, &listed.journal, number).await? {
            // Its writer was quicker.
            Some(batch) if !matches!(batch.kind, Kind::Seal { .. }) => number += 1,
            Some(_) => return Ok(number),
            // It was there and went away: somebody else is clearing up.
            None => {}
        }
    }
}

async fn object(requests: &Requests, journal: &str, number: u64) -> Result<Option<Batch>, StateError> {
    let key = keys::object(journal, number);
    match requests.get(&key).await? {
        Some(blob) => Batch::decode(&requests.place(&key), &blob.bytes).map(Some),
        None => Ok(None),
    }
}

/// Forgets a journal that is in the checkpoint, but for its seal.
pub(crate) async fn forget(requests: &Requests, listed: &Listed, nonce: String) -> Result<(), StateError> {
    let mark = "an operation that recovered it";
    let at = seal(requests, listed, mark, nonce, true).await?;
    if let Some(batch) = object(requests, &listed.journal, at).await?
        && let Kind::Seal { by, folded: false } = &batch.kind
    {
        let kind = Kind::Seal { by: by.clone(), folded: true };
        // Nobody else writes there but to say the same.
        requests.put(&keys::object(&listed.journal, at), Batch { kind, ..batch }.encode()?).await?;
    }
    let others = listed.numbers.iter().filter(|number| **number != at);
    requests.delete_all(others.map(|number| keys::object(&listed.journal, *number)).collect()).await
}

/// What a journal holds.
#[derive(Default)]
pub(crate) struct Read {
    /// The parts that the checkpoint lacks.
    pub(crate) segments: Vec<Segment>,
    /// Whether the checkpoint has some of it, and so everything before that.
    pub(crate) in_checkpoint: bool,
    /// Whether its writer was about to put another checkpoint in place, which may come yet.
    pub(crate) announced: bool,
}

/// Reads a journal. `sha256` is the hash of the checkpoint.
pub(crate) async fn read(requests: &Requests, listed: &Listed, sha256: &str) -> Result<Read, StateError> {
    let mut found = requests.get_all(listed.keys()).await?.into_iter();
    let mut batches = Vec::new();
    for number in &listed.numbers {
        let key = keys::object(&listed.journal, *number);
        // What went away meanwhile counts as never seen; whoever removes things changes what the
        // caller looks at again.
        let Some(blob) = found.next().flatten() else { continue };
        let batch = Batch::decode(&requests.place(&key), &blob.bytes)?;
        if (batch.epoch, batch.number) != (listed.epoch, *number) {
            let why = format!("it says that it is number {} of epoch {}", batch.number, batch.epoch);
            return Err(segment::damaged(&requests.place(&key), None, &why));
        }
        batches.push(batch);
    }
    fold_batches(&requests.place(&listed.journal), &batches, sha256)
}

/// Takes out of a journal what counts and what the checkpoint lacks.
fn fold_batches(place: &str, batches: &[Batch], sha256: &str) -> Result<Read, StateError> {
    if batches.iter().any(|batch| matches!(batch.kind, Kind::Seal { folded: true, .. })) {
        return Ok(Read::default());
    }
    let (start, batches) = since_checkpoint(batches, sha256);
    let counting: Vec<&Batch> =
        (start..).zip(batches).take_while(|(at, b)| *at == b.number).map(|(_, b)| b).collect();
    let mut read = Read::default();
    let mut parts: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut finished = 0;
    let mut sealed = false;
    for batch in &counting {
        match &batch.kind {
            // What comes late, from before a checkpoint, is in that checkpoint.
            Kind::Entries if batch.part <= finished => {}
            Kind::Entries => match parts.last_mut() {
                Some((part, text)) if *part == batch.part => text.extend_from_slice(&batch.text),
                _ => parts.push((batch.part, batch.text.clone())),
            },
            Kind::Finish(result) => {
                finished = batch.part;
                read.announced = result != sha256;
                if result == sha256 {
                    parts.clear();
                    read.in_checkpoint = true;
                }
            }
            Kind::Seal { .. } => {
                sealed = true;
                break;
            }
        }
    }
    let missing = counting.len() as u64 + start;
    let promised = batches.iter().any(|batch| batch.number > missing && batch.durable >= missing);
    if !sealed && promised {
        return Err(gap(place, missing));
    }
    for (_, text) in parts {
        read.segments.extend(segment::parse(place, text)?);
    }
    Ok(read)
}

/// Where a journal begins to count, and what it has from there on. When its writer went on from a
/// checkpoint, what it wrote before may be gone.
fn since_checkpoint<'b>(batches: &'b [Batch], sha256: &str) -> (u64, &'b [Batch]) {
    let in_place = |(at, batch): &(usize, &Batch)| match &batch.kind {
        Kind::Finish(result) => {
            result == sha256 || batches[*at..].iter().any(|later| later.part > batch.part)
        }
        _ => false,
    };
    match batches.iter().enumerate().rev().find(in_place) {
        Some((at, batch)) => (batch.number, &batches[at..]),
        None => (1, batches),
    }
}

fn gap(place: &str, missing: u64) -> StateError {
    let message = format!(
        "the journal {place} is damaged: its object {missing:08} is missing, and later ones say that it was there"
    );
    StateError::Unusable(Diagnostic::error("journal-gap", message).with_hint(
        "bring the object back, such as from an older version of it that the bucket keeps; to go on without the \
         journal, move its objects to names that don't begin with 'journal.'",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use purlin_formats::{JournalHeader, LineMark, encode_entry, encode_header, mark_line};
    use purlin_journal::{Change, Entry, Slot};

    fn entries(number: u64, part: u64, slots: &[u32], base: Option<&str>) -> Batch {
        let mut text = String::new();
        // Here the first object has one entry beside the header, as others have one.
        let mut seq = if base.is_some() { 0 } else { number };
        let mut push = |line| {
            text += &(mark_line(line, LineMark { seq, durable: seq }) + "\n");
            seq += 1;
        };
        if let Some(base) = base {
            let header = JournalHeader { base: base.into(), epoch: 3, ..JournalHeader::default() };
            push(encode_header(&header));
        }
        for slot in slots {
            let entry = Entry::End { op: None, changes: vec![Change::Keep { slot: Slot(*slot) }] };
            push(encode_entry(&entry).unwrap());
        }
        let (durable, kind) = (number - 1, Kind::Entries);
        Batch { epoch: 3, number, nonce: String::new(), durable, part, kind, text: text.into_bytes() }
    }

    fn special(number: u64, part: u64, kind: Kind) -> Batch {
        Batch { kind, text: Vec::new(), ..entries(number, part, &[], None) }
    }

    fn slots(batches: &[Batch], sha: &str) -> Result<Vec<(String, Vec<u32>)>, &'static str> {
        let read = fold_batches("j", batches, sha).map_err(|error| error.diagnostic().code)?;
        let of = |entry: &Entry| match entry {
            Entry::End { changes, .. } => match changes[0] {
                Change::Keep { slot } => slot.0,
                _ => panic!("{entry:?}"),
            },
            Entry::Begin { .. } => panic!("{entry:?}"),
        };
        Ok(read
            .segments
            .iter()
            .map(|s| (s.header.base.clone(), s.entries.iter().map(of).collect()))
            .collect())
    }

    fn part(base: &str, slots: &[u32]) -> (String, Vec<u32>) {
        (base.to_owned(), slots.to_vec())
    }

    #[test]
    fn objects_count_as_long_as_none_is_missing() {
        let all = [entries(1, 1, &[1], Some("a")), entries(2, 1, &[2], None), entries(3, 1, &[3], None)];
        assert_eq!(slots(&all, "a"), Ok(vec![part("a", &[1, 2, 3])]));
        let mut late = entries(3, 1, &[3], None);
        late.durable = 1;
        assert_eq!(slots(&[all[0].clone(), late], "a"), Ok(vec![part("a", &[1])]), "it was never promised");
        assert_eq!(slots(&[all[0].clone(), all[2].clone()], "a"), Err("journal-gap"));
        assert_eq!(slots(&all[1..], "a"), Err("journal-gap"));
        assert_eq!(slots(&[], "a"), Ok(vec![]));
    }

    #[test]
    fn nothing_after_a_seal_counts() {
        let seal = |folded| special(2, 0, Kind::Seal { by: "x".into(), folded });
        let (first, third) = (entries(1, 1, &[1], Some("a")), entries(3, 1, &[3], None));
        let open = [first.clone(), seal(false), third.clone()];
        assert_eq!(slots(&open, "a"), Ok(vec![part("a", &[1])]));
        assert_eq!(slots(&[first, seal(true), third.clone()], "a"), Ok(vec![]));
        assert_eq!(slots(&[seal(true), third], "a"), Ok(vec![]), "what was folded may be gone");
    }

    #[test]
    fn what_a_finish_put_in_the_checkpoint_is_not_folded_again() {
        let finish = special(2, 1, Kind::Finish("b".into()));
        let late = entries(3, 1, &[9], None);
        let next = entries(4, 2, &[4], Some("b"));
        let all = [entries(1, 1, &[1], Some("a")), finish, late, next];
        assert_eq!(slots(&all[..2], "a"), Ok(vec![part("a", &[1])]), "the checkpoint was not put in place");
        assert_eq!(slots(&all[..2], "b"), Ok(vec![]));
        let announced = |sha| fold_batches("j", &all[..2], sha).unwrap().announced;
        assert_eq!((announced("a"), announced("b")), (true, false));
        assert_eq!(slots(&all, "b"), Ok(vec![part("b", &[4])]));
    }
}
