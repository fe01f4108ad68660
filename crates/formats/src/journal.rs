//! Journals: a header and entries, one line of JSON each.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_journal::{Change, Entry, OpId};
use purlin_model::{Extension, OperationKind, ResourceState, Slot};
use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::value::RawValue;

use crate::continued::Continued;
use crate::envelope_read::resource;
use crate::envelope_write::{STORED, Style, push_resource};
use crate::extension::{ExtensionParser, push_extension};
use crate::history::{ConfigText, push_config, read_config};
use crate::reader::{ListSeed, Member, Members, ObjectParser, Reader, Text, or_default};
use crate::text::{Escape, ObjectWriter};

/// The newest version of the format. In the first one lines had no numbers and no checksums; see
/// [`crate::mark_line`]. In the third one a journal may go on in the middle of an operation; one that
/// begins with its operation is written in the second.
pub const JOURNAL_FORMAT: u32 = 3;

/// The version that a journal is written in.
fn format_of(header: &JournalHeader) -> u32 {
    if header.continues.is_some() { JOURNAL_FORMAT } else { 2 }
}

/// The first line of a journal: what it is a journal of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalHeader {
    /// Hex SHA-256 of the bytes of the checkpoint that it goes on.
    pub base: String,
    /// The random name of this life of the stack.
    pub incarnation: String,
    /// The number of the writer among all writers.
    pub epoch: u64,
    /// Who writes.
    pub writer: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// What is recorded about the operation.
    pub info: OperationInfo,
    /// What it goes on from, if the checkpoint was written on the way.
    pub continues: Option<Continued>,
}

/// What is recorded about an operation when it begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationInfo {
    /// `update`, `refresh`, `destroy`, `import`, `resource-import` or `state-edit`.
    pub kind: String,
    /// The user's message.
    pub message: String,
    /// What is known about where it ran.
    pub environment: BTreeMap<String, String>,
    /// The configuration, secrets encrypted.
    pub config: BTreeMap<String, ConfigText>,
}

/// The line of a header, without its mark and its line break.
pub fn encode_header(header: &JournalHeader) -> String {
    let mut out = String::new();
    let mut line = ObjectWriter::begin(&mut out, Escape::Plain);
    let mut object = ObjectWriter::begin(line.key("header"), Escape::Plain);
    object.integer("format", format_of(header));
    object.text("base", &header.base);
    object.text("incarnation", &header.incarnation);
    object.integer("epoch", header.epoch);
    object.text("writer", &header.writer);
    object.text("started", &header.started);
    let mut info = ObjectWriter::begin(object.key("info"), Escape::Plain);
    info.text("kind", &header.info.kind);
    info.text("message", &header.info.message);
    let mut environment = ObjectWriter::begin(info.key("environment"), Escape::Plain);
    for (key, value) in &header.info.environment {
        crate::text::push_string(environment.any_key(key), value, Escape::Plain);
    }
    environment.end();
    push_config(info.key("config"), &header.info.config);
    info.end();
    if let Some(continued) = &header.continues {
        object.raw("continues", &continued.encode());
    }
    object.end();
    line.end();
    out
}

/// Reads the line of a header, marked or not. A journal of a newer format is refused.
pub fn decode_header(line: &str) -> Result<JournalHeader, Diagnostic> {
    let mut parser = serde_json::Deserializer::from_str(line);
    let parsed = Members(HeaderLine(None)).deserialize(&mut parser).and_then(|h| parser.end().map(|()| h));
    let header = match parsed {
        Ok(header) => header,
        Err(error) => {
            if let Some(format) = journal_format(line) {
                check_format(format)?;
            }
            return Err(broken(line, &error));
        }
    };
    match header {
        Some((format, header)) => check_format(format).map(|()| header),
        None => Err(Diagnostic::error("journal-no-header", "the journal does not begin with a header")),
    }
}

/// The version of a journal's format, if its header says it, whatever else is in that.
pub fn journal_format(header: &str) -> Option<u32> {
    #[derive(serde::Deserialize)]
    struct Line {
        header: Format,
    }
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    serde_json::from_str::<Line>(header).ok().map(|line| line.header.format)
}

fn check_format(format: u32) -> Result<(), Diagnostic> {
    if (1..=JOURNAL_FORMAT).contains(&format) {
        return Ok(());
    }
    Err(Diagnostic::error(
        "journal-format",
        format!("the journal has format {format}; this program understands formats up to {JOURNAL_FORMAT}"),
    )
    .with_hint(NEWER))
}

/// The way out for who reads what a newer program wrote.
const NEWER: &str = "use the newer program that wrote it, or update this one";

fn broken(line: &str, error: &serde_json::Error) -> Diagnostic {
    let mut diagnostic = crate::reader::explain(line, error);
    diagnostic.code = match diagnostic.code {
        "state-truncated" => "journal-truncated",
        _ => "journal-malformed",
    };
    diagnostic.message = format!("an entry of the journal can't be read: {}", diagnostic.message);
    diagnostic.hint = None;
    diagnostic
}

struct HeaderLine(Option<(u32, JournalHeader)>);

impl<'s> ObjectParser<'s> for HeaderLine {
    type Value = Option<(u32, JournalHeader)>;
    const WHAT: &'static str = "a line of a journal";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        match &**key {
            "header" => self.0 = Some(member.seeded(Members(HeaderParser::default()))?),
            _ => drop(member.value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(self.0)
    }
}

#[derive(Default)]
struct HeaderParser {
    format: u32,
    header: JournalHeader,
}

impl<'s> ObjectParser<'s> for HeaderParser {
    type Value = (u32, JournalHeader);
    const WHAT: &'static str = "the header of a journal";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        let header = &mut self.header;
        match &**key {
            "format" => self.format = member.value()?,
            "base" => header.base = member.value()?,
            "incarnation" => header.incarnation = member.value()?,
            "epoch" => header.epoch = member.value()?,
            "writer" => header.writer = member.value()?,
            "started" => header.started = member.value()?,
            "info" => header.info = member.seeded(Members(InfoParser::default()))?,
            "continues" => header.continues = Some(Continued::decode(member.value::<&'s RawValue>()?.get())?),
            _ => drop(member.value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok((self.format, self.header))
    }
}

#[derive(Default)]
struct InfoParser(OperationInfo);

impl<'s> ObjectParser<'s> for InfoParser {
    type Value = OperationInfo;
    const WHAT: &'static str = "the description of an operation";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        match &**key {
            "kind" => self.0.kind = member.value()?,
            "message" => self.0.message = member.value()?,
            "environment" => self.0.environment = member.value()?,
            "config" => self.0.config = read_config(member)?,
            _ => drop(member.value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<OperationInfo, E> {
        Ok(self.0)
    }
}

/// Room for the line of most entries, so that few of them grow from nothing step by step.
const LINE: usize = 2048;

/// The line of an entry, without its mark and its line break. Bags in it must be sealed. What begins is written
/// without its stack trace.
pub fn encode_entry(entry: &Entry) -> Result<String, Diagnostic> {
    let mut out = String::with_capacity(LINE);
    let mut line = ObjectWriter::begin(&mut out, Escape::Plain);
    match entry {
        Entry::Begin { op, kind, resource } => {
            let mut object = ObjectWriter::begin(line.key("begin"), Escape::Plain);
            object.integer("op", op.0);
            object.text("kind", kind.as_str());
            push_resource(object.key("resource"), resource, Style { stack_trace: false, ..STORED })?;
            object.end();
        }
        Entry::End { op, changes } => {
            let mut object = ObjectWriter::begin(line.key("end"), Escape::Plain);
            if let Some(op) = op {
                object.integer("op", op.0);
            }
            let list = object.key("changes");
            list.push('[');
            for (index, change) in changes.iter().enumerate() {
                if index > 0 {
                    list.push(',');
                }
                push_change(list, change)?;
            }
            list.push(']');
            object.end();
        }
    }
    line.end();
    Ok(out)
}

fn push_change(out: &mut String, change: &Change) -> Result<(), Diagnostic> {
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    match change {
        Change::Place { slot, state, replaces } => {
            object.integer("place", slot.0);
            if let Some(replaced) = replaces {
                object.integer("replaces", replaced.0);
            }
            push_resource(object.key("state"), state, STORED)?;
        }
        Change::Keep { slot } => object.integer("keep", slot.0),
        Change::Amend { slot, state } => {
            object.integer("amend", slot.0);
            push_resource(object.key("state"), state, STORED)?;
        }
        Change::MarkDelete { slot } => object.integer("markDelete", slot.0),
        Change::MarkPendingReplacement { slot } => object.integer("markPendingReplacement", slot.0),
        Change::Remove { slot } => object.integer("remove", slot.0),
        Change::ClearPending { index } => object.integer("clearPending", index),
        Change::Extend { extension } => {
            object.text("extend", &extension.reference);
            push_extension(object.key("extension"), extension);
        }
    }
    object.end();
    Ok(())
}

/// Reads the line of an entry. Its bags are slices of a copy of the line.
pub fn decode_entry(line: &str) -> Result<Entry, Diagnostic> {
    let source: Arc<str> = line.into();
    JournalReader::new(&source).entry(&source)
}

/// Reads many entries of one text: their bags are slices of it, and what repeats is kept once.
pub struct JournalReader<'s> {
    source: &'s Arc<str>,
    reader: Reader<'s>,
}

impl<'s> JournalReader<'s> {
    /// A reader of a text that holds a line for each entry.
    pub fn new(source: &'s Arc<str>) -> Self {
        JournalReader { source, reader: Reader::new(source) }
    }

    /// The lines of the text that are not empty.
    pub fn lines(&self) -> impl Iterator<Item = &'s str> + use<'s> {
        let source: &'s str = self.source;
        source.lines().filter(|line| !line.is_empty())
    }

    /// Reads one of [`JournalReader::lines`].
    pub fn entry(&self, line: &'s str) -> Result<Entry, Diagnostic> {
        let mut parser = serde_json::Deserializer::from_str(line);
        let parsed = Members(EntryParser { reader: &self.reader, entry: None }).deserialize(&mut parser);
        let parsed = parsed.and_then(|entry| parser.end().map(|()| entry));
        parsed.map_err(|error| {
            let own = self.reader.explain(line, &error);
            if own.code.starts_with("state-") && own.hint.is_some() { broken(line, &error) } else { own }
        })
    }
}

struct EntryParser<'r, 's> {
    reader: &'r Reader<'s>,
    entry: Option<Entry>,
}

impl<'s> ObjectParser<'s> for EntryParser<'_, 's> {
    type Value = Entry;
    const WHAT: &'static str = "an entry of a journal";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        let reader = self.reader;
        self.entry = Some(match &**key {
            // The line's mark, which was looked at before.
            "seq" | "durable" | "crc" => return member.value::<IgnoredAny>().map(drop),
            "begin" => member.seeded(Members(BeginParser { reader, op: None, kind: None, state: None }))?,
            "end" => member.seeded(Members(EndParser { reader, op: None, changes: Vec::new() }))?,
            other => return Err(unknown_record(reader, other)),
        });
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Entry, E> {
        self.entry.ok_or_else(|| E::custom("the entry is empty"))
    }
}

fn unknown_record<E: serde::de::Error>(reader: &Reader<'_>, name: &str) -> E {
    reader.fail(
        Diagnostic::error(
            "journal-unknown-record",
            format!("the journal holds a record '{name}' that this program does not know"),
        )
        .with_hint(NEWER),
    )
}

struct BeginParser<'r, 's> {
    reader: &'r Reader<'s>,
    op: Option<u32>,
    kind: Option<OperationKind>,
    state: Option<ResourceState>,
}

impl<'s> ObjectParser<'s> for BeginParser<'_, 's> {
    type Value = Entry;
    const WHAT: &'static str = "the begin of an operation";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        match &**key {
            "op" => self.op = Some(member.value()?),
            "kind" => self.kind = OperationKind::parse(&member.value::<Text>()?),
            "resource" => self.state = Some(member.seeded(resource(self.reader))?),
            other => return Err(unknown_record(self.reader, other)),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Entry, E> {
        match (self.op, self.kind, self.state) {
            (Some(op), Some(kind), Some(state)) => {
                Ok(Entry::Begin { op: OpId(op), kind, resource: Arc::new(state) })
            }
            _ => Err(E::custom("the begin of an operation lacks its number, kind or resource")),
        }
    }
}

struct EndParser<'r, 's> {
    reader: &'r Reader<'s>,
    op: Option<OpId>,
    changes: Vec<Change>,
}

impl<'s> ObjectParser<'s> for EndParser<'_, 's> {
    type Value = Entry;
    const WHAT: &'static str = "the end of an operation";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        let reader = self.reader;
        match &**key {
            "op" => self.op = or_default::<Option<u32>, M>(member)?.map(OpId),
            "changes" => {
                self.changes =
                    member.seeded(ListSeed(|| Members(ChangeParser { reader, parts: Parts::default() })))?;
            }
            other => return Err(unknown_record(reader, other)),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Entry, E> {
        Ok(Entry::End { op: self.op, changes: self.changes })
    }
}

struct ChangeParser<'r, 's> {
    reader: &'r Reader<'s>,
    parts: Parts,
}

#[derive(Default)]
struct Parts {
    kind: Option<(ChangeKind, u32)>,
    replaces: Option<u32>,
    state: Option<Arc<ResourceState>>,
    reference: Option<String>,
    extension: Option<Extension>,
}

#[derive(Clone, Copy)]
enum ChangeKind {
    Place,
    Keep,
    Amend,
    MarkDelete,
    MarkPendingReplacement,
    Remove,
    ClearPending,
}

impl<'s> ObjectParser<'s> for ChangeParser<'_, 's> {
    type Value = Change;
    const WHAT: &'static str = "a change";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        let kind = match &**key {
            "replaces" => {
                self.parts.replaces = Some(member.value()?);
                return Ok(());
            }
            "state" => {
                self.parts.state = Some(Arc::new(member.seeded(resource(self.reader))?));
                return Ok(());
            }
            "extend" => {
                self.parts.reference = Some(member.value::<Text>()?.to_string());
                return Ok(());
            }
            "extension" => {
                self.parts.extension = Some(member.seeded(Members(ExtensionParser::default()))?);
                return Ok(());
            }
            "place" => ChangeKind::Place,
            "keep" => ChangeKind::Keep,
            "amend" => ChangeKind::Amend,
            "markDelete" => ChangeKind::MarkDelete,
            "markPendingReplacement" => ChangeKind::MarkPendingReplacement,
            "remove" => ChangeKind::Remove,
            "clearPending" => ChangeKind::ClearPending,
            other => return Err(unknown_record(self.reader, other)),
        };
        self.parts.kind = Some((kind, member.value()?));
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Change, E> {
        let Parts { kind, replaces, state, reference, extension } = self.parts;
        if let (Some(reference), Some(extension)) = (reference, extension) {
            return Ok(Change::Extend { extension: Arc::new(Extension { reference, ..extension }) });
        }
        let (kind, number) = kind.ok_or_else(|| E::custom("a change doesn't say what changes"))?;
        let slot = Slot(number);
        let state = || state.ok_or_else(|| E::custom("a change lacks its state"));
        Ok(match kind {
            ChangeKind::Place => Change::Place { slot, state: state()?, replaces: replaces.map(Slot) },
            ChangeKind::Amend => Change::Amend { slot, state: state()? },
            ChangeKind::Keep => Change::Keep { slot },
            ChangeKind::MarkDelete => Change::MarkDelete { slot },
            ChangeKind::MarkPendingReplacement => Change::MarkPendingReplacement { slot },
            ChangeKind::Remove => Change::Remove { slot },
            ChangeKind::ClearPending => Change::ClearPending { index: number },
        })
    }
}
