//! Checkpoints, journal entries, engine events as JSON.
//!
//! Everything here is text in and text out: nothing knows where bytes live. What a reader did not
//! touch is written as it was read: bags stay slices of the text that they were read from.

mod checkpoint;
mod continued;
mod decode;
mod digest;
mod encode;
mod envelope_read;
mod envelope_write;
mod event;
mod extension;
mod history;
mod journal;
mod journal_line;
mod plan_file;
mod reader;
mod reveal;
pub mod signature;
pub mod text;
mod why;

pub use checkpoint::{
    Checkpoint, KNOWN_FEATURES, ParseOptions, WriteError, export_deployment, features_of, magic,
    migrate_provider_outputs, parse_checkpoint, parse_deployment, write_checkpoint, write_deployment,
    write_export,
};
pub use continued::Continued;
pub use decode::{BagDecoder, ValueDecoder};
pub use digest::{DigestOptions, PreviewDigest};
pub use encode::{BagEncoder, MASK, MAX_DEPTH, PendingSecret};
pub use event::event_json;
pub use history::{ConfigText, HistoryRecord, decode_history, encode_history};
pub use journal::{
    JOURNAL_FORMAT, JournalHeader, JournalReader, OperationInfo, decode_entry, decode_header, encode_entry,
    encode_header, journal_format,
};
pub use journal_line::{LineMark, mark_line, read_mark};
pub use plan_file::{PlanHeader, decode_plan, encode_plan};
pub use reveal::{SecretForm, find_secrets, replace_secrets};
pub use why::why_json;
