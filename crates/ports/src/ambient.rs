//! What the engine may not find out by itself: time, chance, and where events go.

use purlin_model::event::EngineEvent;

/// The time of day. Used for what is shown and recorded, never to decide.
pub trait Clock: Send + Sync {
    /// Now, RFC 3339 in UTC, as checkpoints have it.
    fn now(&self) -> String;

    /// Now, in seconds of the Unix epoch.
    fn unix_seconds(&self) -> i64;

    /// Now, in nanoseconds of the Unix epoch, as names of files have it. As precise as the clock is.
    fn unix_nanos(&self) -> i128 {
        i128::from(self.unix_seconds()) * 1_000_000_000
    }
}

/// Where randomness comes from.
pub trait Entropy: Send + Sync {
    /// Fills a buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A random UUID, version 4, in its usual text form.
    fn uuid(&self) -> String {
        let mut bytes = [0u8; 16];
        self.fill(&mut bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

/// Where an operation's events go. Must not block.
pub trait EventSink: Send + Sync {
    /// Takes an event. Events of one operation come in order.
    fn emit(&self, event: EngineEvent);
}
