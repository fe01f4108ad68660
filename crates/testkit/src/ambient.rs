//! Chance that is none, and a place for events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use purlin_model::event::EngineEvent;
use purlin_ports::{Entropy, EventSink};

/// Entropy that counts: each buffer is filled with the next number.
#[derive(Debug, Default)]
pub struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, digit) in buffer.iter_mut().rev().zip(number.iter().rev().chain(std::iter::repeat(&0))) {
            *byte = *digit;
        }
    }
}

/// Keeps events in the order in which they come.
#[derive(Debug, Default)]
pub struct CollectedEvents(Mutex<Vec<EngineEvent>>);

impl CollectedEvents {
    /// The events so far.
    pub fn all(&self) -> Vec<EngineEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The texts of all diagnostics so far.
    pub fn diagnostics(&self) -> Vec<String> {
        let all = self.all().into_iter();
        all.filter_map(|event| match event {
            EngineEvent::Diagnostic { message, .. } => Some(message),
            _ => None,
        })
        .collect()
    }
}

impl EventSink for CollectedEvents {
    fn emit(&self, event: EngineEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}
