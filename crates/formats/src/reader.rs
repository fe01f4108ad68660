//! What all parsers of one text share: the text, names seen before, and the first problem.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::hash::QuickMap;
use purlin_model::{ProviderRef, RawText, Urn};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What all parsers of one text share.
pub(crate) struct Reader<'s> {
    source: &'s Arc<str>,
    seen: RefCell<Seen<'s>>,
    problem: RefCell<Option<Diagnostic>>,
}

/// Names that were met before: they repeat a lot and are kept once.
#[derive(Default)]
struct Seen<'s> {
    urns: QuickMap<&'s str, Urn>,
    providers: QuickMap<&'s str, ProviderRef>,
    texts: QuickMap<&'s str, Arc<str>>,
    traces: QuickMap<&'s str, Arc<[Arc<str>]>>,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(source: &'s Arc<str>) -> Self {
        Reader { source, seen: RefCell::default(), problem: RefCell::default() }
    }

    /// Fails with a diagnostic of our own; see [`Reader::explain`].
    pub(crate) fn fail<E: serde::de::Error>(&self, problem: Diagnostic) -> E {
        let error = E::custom(&problem.message);
        self.problem.borrow_mut().get_or_insert(problem);
        error
    }

    /// The diagnostic of a failed parse of (a part of) the text.
    pub(crate) fn explain(&self, text: &str, error: &serde_json::Error) -> Diagnostic {
        let own = self.problem.borrow_mut().take();
        own.unwrap_or_else(|| explain(text, error))
    }

    /// The slice of the text that a value stands in.
    pub(crate) fn raw(&self, value: &'s RawValue) -> RawText {
        let text = value.get();
        let start = (text.as_ptr() as usize).wrapping_sub(self.source.as_ptr() as usize);
        RawText::slice(self.source, start, start.wrapping_add(text.len()))
            .filter(|slice| std::ptr::eq(slice.as_str(), text))
            .unwrap_or_else(|| RawText::from(text.to_owned()))
    }

    pub(crate) fn urn<E: serde::de::Error>(&self, text: &Text<'s>) -> Result<Urn, E> {
        if let Cow::Borrowed(key) = text.0
            && let Some(urn) = self.seen.borrow().urns.get(key)
        {
            return Ok(urn.clone());
        }
        let urn = Urn::parse(text).ok_or_else(|| {
            self.fail(Diagnostic::error("state-invalid-urn", format!("'{}' is not a valid URN", &**text)))
        })?;
        if let Cow::Borrowed(key) = text.0 {
            self.seen.borrow_mut().urns.insert(key, urn.clone());
        }
        Ok(urn)
    }

    pub(crate) fn provider<E: serde::de::Error>(&self, text: &Text<'s>) -> Result<ProviderRef, E> {
        if let Cow::Borrowed(key) = text.0
            && let Some(provider) = self.seen.borrow().providers.get(key)
        {
            return Ok(provider.clone());
        }
        let provider = ProviderRef::parse(text).ok_or_else(|| {
            self.fail(Diagnostic::error(
                "state-invalid-provider",
                format!("'{}' is not a valid provider reference", &**text),
            ))
        })?;
        if let Cow::Borrowed(key) = text.0 {
            self.seen.borrow_mut().providers.insert(key, provider.clone());
        }
        Ok(provider)
    }

    /// A text that is likely to repeat.
    pub(crate) fn shared(&self, text: &Text<'s>) -> Arc<str> {
        match text.0 {
            Cow::Borrowed(key) => {
                Arc::clone(self.seen.borrow_mut().texts.entry(key).or_insert_with(|| key.into()))
            }
            Cow::Owned(ref text) => text.as_str().into(),
        }
    }

    /// The positions of a stack trace, which is likely to repeat as a whole.
    pub(crate) fn trace<E: serde::de::Error>(&self, raw: &'s RawValue) -> Result<Arc<[Arc<str>]>, E> {
        if let Some(trace) = self.seen.borrow().traces.get(raw.get()) {
            return Ok(Arc::clone(trace));
        }
        let frames: Option<Vec<Frame<'s>>> = serde_json::from_str(raw.get()).map_err(E::custom)?;
        let trace: Arc<[Arc<str>]> =
            frames.unwrap_or_default().iter().map(|frame| self.shared(&frame.0)).collect();
        self.seen.borrow_mut().traces.insert(raw.get(), Arc::clone(&trace));
        Ok(trace)
    }
}

/// The diagnostic of a text that isn't what it should be.
pub(crate) fn explain(text: &str, error: &serde_json::Error) -> Diagnostic {
    let offset = byte_offset(text, error.line(), error.column());
    let place = format!("byte {offset} of {} (line {}, column {})", text.len(), error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
    match error.classify() {
        serde_json::error::Category::Eof => {
            Diagnostic::error("state-truncated", format!("the text ends too early, at {place}: {reason}"))
                .with_hint(RESTORE)
        }
        serde_json::error::Category::Data => {
            Diagnostic::error("state-invalid", format!("unexpected content at {place}: {reason}"))
                .with_hint(RESTORE)
        }
        _ => Diagnostic::error("state-malformed", format!("invalid JSON at {place}: {reason}"))
            .with_hint(RESTORE),
    }
}

const RESTORE: &str = "restore an earlier version of the stack: its file has a copy that ends in .bak, and each \
     update leaves one under .pulumi/backups and .pulumi/history";

fn byte_offset(text: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match memchr::memchr(b'\n', &text.as_bytes()[start..]) {
            Some(at) => start += at + 1,
            None => break,
        }
    }
    (start + column).min(text.len())
}

/// A text, borrowed where it has no escapes; null is the empty text.
#[derive(Clone, Default)]
pub(crate) struct Text<'s>(pub(crate) Cow<'s, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

struct Frame<'s>(Text<'s>);

impl<'de> Deserialize<'de> for Frame<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FrameVisitor;
        impl<'de> Visitor<'de> for FrameVisitor {
            type Value = Frame<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a stack frame")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Frame<'de>, A::Error> {
                let mut frame = Frame(Text::default());
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match &*key {
                        "sourcePosition" => frame.0 = map.next_value()?,
                        _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
                    }
                }
                Ok(frame)
            }
        }
        deserializer.deserialize_map(FrameVisitor)
    }
}

/// Reads an object with a parser, member by member. Null is an object without members.
pub(crate) struct Members<P>(pub(crate) P);

/// One member of an object whose value is still to be read.
pub(crate) trait Member<'de> {
    type Error: serde::de::Error;
    fn value<T: Deserialize<'de>>(&mut self) -> Result<T, Self::Error>;
    fn seeded<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Self::Error>;
}

impl<'de, A: MapAccess<'de>> Member<'de> for A {
    type Error = A::Error;

    fn value<T: Deserialize<'de>>(&mut self) -> Result<T, A::Error> {
        self.next_value()
    }

    fn seeded<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.next_value_seed(seed)
    }
}

/// A parser of an object, told of each member in order.
pub(crate) trait ObjectParser<'de>: Sized {
    type Value;
    const WHAT: &'static str;
    fn member<M: Member<'de>>(&mut self, key: &Text<'de>, member: &mut M) -> Result<(), M::Error>;
    fn finish<E: serde::de::Error>(self) -> Result<Self::Value, E>;
}

impl<'de, P: ObjectParser<'de>> DeserializeSeed<'de> for Members<P> {
    type Value = P::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<P::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, P: ObjectParser<'de>> Visitor<'de> for Members<P> {
    type Value = P::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(P::WHAT)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<P::Value, E> {
        self.0.finish()
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<P::Value, A::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            self.0.member(&key, &mut map)?;
        }
        self.0.finish()
    }
}

/// Reads what may be null.
pub(crate) struct Maybe<S>(pub(crate) S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Maybe<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Maybe<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// Reads what is shared from then on. A list of large things is better made of these: it moves its
/// elements whenever it grows.
pub(crate) struct Shared<S>(pub(crate) S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Shared<S> {
    type Value = Arc<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Arc::new)
    }
}

/// Reads a list whose elements need a seed. Null is an empty list.
pub(crate) struct ListSeed<F>(pub(crate) F);

impl<'de, S, F> DeserializeSeed<'de> for ListSeed<F>
where
    S: DeserializeSeed<'de>,
    F: FnMut() -> S,
{
    type Value = Vec<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S, F> Visitor<'de> for ListSeed<F>
where
    S: DeserializeSeed<'de>,
    F: FnMut() -> S,
{
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed((self.0)())? {
            items.push(item);
        }
        Ok(items)
    }
}

/// A list of texts; null is an empty list.
#[derive(Default)]
pub(crate) struct Texts<'s>(pub(crate) Vec<Text<'s>>);

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ListSeed(std::marker::PhantomData::<Text<'de>>::default).deserialize(deserializer).map(Texts)
    }
}

impl Texts<'_> {
    pub(crate) fn owned(&self) -> Vec<String> {
        self.0.iter().map(|text| text.to_string()).collect()
    }
}

/// A value that may be null.
pub(crate) fn or_default<'de, T: Deserialize<'de> + Default, M: Member<'de>>(
    member: &mut M,
) -> Result<T, M::Error> {
    Ok(member.value::<Option<T>>()?.unwrap_or_default())
}

/// The members of a JSON object, in order; none if it isn't one.
pub(crate) fn members(json: &str) -> Vec<(Text<'_>, &RawValue)> {
    let mut parser = serde_json::Deserializer::from_str(json);
    Members(MemberList(Vec::new())).deserialize(&mut parser).unwrap_or_default()
}

struct MemberList<'s>(Vec<(Text<'s>, &'s RawValue)>);

impl<'s> ObjectParser<'s> for MemberList<'s> {
    type Value = Vec<(Text<'s>, &'s RawValue)>;
    const WHAT: &'static str = "an object";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        self.0.push((key.clone(), member.value()?));
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(self.0)
    }
}
