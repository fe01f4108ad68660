//! A checkpoint on its way into a bucket. It is gathered in memory, since it is put in one request.

use std::io::{self, Write};

use purlin_ports::{BlobTag, Put};

use super::requests::{PutResult, Requests};
use crate::diy::medium::{Draft, Onto, PlaceError};

pub(crate) struct MemoryDraft {
    pub(crate) requests: Requests,
    pub(crate) place: String,
    pub(crate) bytes: Vec<u8>,
}

impl Write for MemoryDraft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Draft for MemoryDraft {
    fn seal(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn name(&self) -> String {
        self.place.clone()
    }

    fn place(self: Box<Self>, key: &str, onto: &Onto) -> Result<(), PlaceError> {
        let MemoryDraft { requests, bytes, .. } = *self;
        let condition = match onto {
            Onto::Nothing => Put::IfAbsent,
            Onto::Version(stamp) => Put::IfMatch(BlobTag(stamp.0.clone())),
        };
        let (key, waiting) = (key.to_owned(), requests.clone());
        match waiting.wait(async move { requests.put_if(&key, bytes, &condition).await }) {
            Ok(PutResult::Done) => Ok(()),
            Ok(PutResult::Other) => Err(PlaceError::Changed),
            Err(error) => Err(PlaceError::Failed(error)),
        }
    }
}
