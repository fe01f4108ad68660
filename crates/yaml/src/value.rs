//! Values while a program runs: each knows whether it is secret and what it was made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use purlin_model::{
    Archive, Asset, AssetOrArchive, OutputValue, PropertyDependencies, PropertyMap, PropertyValue,
    ProviderRef, ReferenceId, ResourceReference, UNKNOWN_ID, Urn,
};
use purlin_schema::ResourceSchema;

/// A value with its secretness and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    pub(crate) value: Value,
    pub(crate) secret: bool,
    /// The resources that it was made from, sorted.
    pub(crate) deps: Vec<Urn>,
}

/// A value without what is known about it as a whole.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A text that is not valid UTF-8: it can be passed on, not worked with.
    Bytes(Vec<u8>),
    List(Vec<Tracked>),
    Object(BTreeMap<String, Tracked>),
    Asset(Asset),
    Archive(Archive),
    /// A resource of this program.
    Resource(Arc<Handle>),
    /// A resource that some other resource refers to.
    Reference(ResourceReference),
    Unknown,
}

/// A registered (or read) resource.
#[derive(Debug)]
pub(crate) struct Handle {
    /// The name that it was registered under.
    pub(crate) name: String,
    /// The canonical type token.
    pub(crate) ty: String,
    pub(crate) urn: Urn,
    /// `None` for a component.
    pub(crate) id: Option<ReferenceId>,
    pub(crate) outputs: Arc<PropertyMap>,
    /// Whether outputs that are missing may still come.
    pub(crate) incomplete: bool,
    pub(crate) property_dependencies: PropertyDependencies,
    pub(crate) schema: Option<Arc<ResourceSchema>>,
}

impl Handle {
    /// The resource as the provider of others.
    pub(crate) fn provider_ref(&self) -> Option<ProviderRef> {
        if !purlin_model::urn::is_provider_type(&self.ty) {
            return None;
        }
        let id = match &self.id {
            Some(ReferenceId::Known(id)) => id.as_str(),
            _ => UNKNOWN_ID,
        };
        Some(ProviderRef::new(self.urn.clone(), id))
    }

    /// The reference that others hold. In YAML programs that to a component has an id that is not
    /// known, where other programs leave the id out: states are full of them.
    pub(crate) fn reference(&self) -> ResourceReference {
        let id = self.id.clone().unwrap_or(ReferenceId::Unknown);
        ResourceReference { urn: self.urn.clone(), id: Some(id), package_version: String::new() }
    }
}

/// What is known about a value and all that is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) secret: bool,
    pub(crate) unknown: bool,
    pub(crate) deps: BTreeSet<Urn>,
}

impl Origin {
    pub(crate) fn add(&mut self, value: &Tracked) {
        self.secret |= value.secret;
        self.deps.extend(value.deps.iter().cloned());
        match &value.value {
            Value::Unknown => self.unknown = true,
            Value::List(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.add(field)),
            _ => {}
        }
    }

    /// A result that was made from all that was added.
    pub(crate) fn result(self, value: Value) -> Tracked {
        Tracked { value, secret: self.secret, deps: self.deps.into_iter().collect() }
    }
}

impl Tracked {
    pub(crate) fn plain(value: Value) -> Tracked {
        Tracked { value, secret: false, deps: Vec::new() }
    }

    pub(crate) fn text(text: impl Into<String>) -> Tracked {
        Tracked::plain(Value::Text(text.into()))
    }

    /// A value that came from outside, with what is secret and unknown in it.
    pub(crate) fn from_property(value: &PropertyValue) -> Tracked {
        let value = match value {
            PropertyValue::Null => Value::Null,
            PropertyValue::Bool(value) => Value::Bool(*value),
            PropertyValue::Number(value) => Value::Number(*value),
            PropertyValue::String(text) => Value::Text(text.clone()),
            PropertyValue::Bytes(bytes) => Value::Bytes(bytes.clone()),
            PropertyValue::Array(items) => Value::List(items.iter().map(Tracked::from_property).collect()),
            PropertyValue::Object(fields) => Value::Object(
                fields.iter().map(|(key, value)| (key.clone(), Tracked::from_property(value))).collect(),
            ),
            PropertyValue::Asset(asset) => Value::Asset(asset.clone()),
            PropertyValue::Archive(archive) => Value::Archive(archive.clone()),
            PropertyValue::Unknown => Value::Unknown,
            PropertyValue::Reference(reference) => Value::Reference(reference.clone()),
            PropertyValue::Secret(inner) => {
                return Tracked { secret: true, ..Tracked::from_property(inner) };
            }
            PropertyValue::Output(output) => {
                let inner = output
                    .value
                    .as_ref()
                    .map_or_else(|| Tracked::plain(Value::Unknown), Tracked::from_property);
                let mut origin =
                    Origin { deps: output.dependencies.iter().cloned().collect(), ..Origin::default() };
                origin.deps.extend(inner.deps.iter().cloned());
                origin.secret = inner.secret || output.secret;
                return origin.result(inner.value);
            }
        };
        Tracked::plain(value)
    }

    /// What is known about the value and all that is in it.
    pub(crate) fn origin(&self) -> Origin {
        let mut origin = Origin::default();
        origin.add(self);
        origin
    }

    /// The value without any secretness or origin inside.
    pub(crate) fn stripped(&self) -> Value {
        match &self.value {
            Value::List(items) => {
                Value::List(items.iter().map(|item| Tracked::plain(item.stripped())).collect())
            }
            Value::Object(fields) => Value::Object(
                fields.iter().map(|(key, field)| (key.clone(), Tracked::plain(field.stripped()))).collect(),
            ),
            other => other.clone(),
        }
    }

    /// Whether something in the value is secret, unknown or made from a resource.
    pub(crate) fn has_origin(&self) -> bool {
        self.secret
            || !self.deps.is_empty()
            || match &self.value {
                Value::Unknown => true,
                Value::List(items) => items.iter().any(Tracked::has_origin),
                Value::Object(fields) => fields.values().any(Tracked::has_origin),
                _ => false,
            }
    }

    pub(crate) fn with_deps(mut self, more: &[Urn]) -> Tracked {
        if !more.is_empty() {
            let all: BTreeSet<Urn> = self.deps.drain(..).chain(more.iter().cloned()).collect();
            self.deps = all.into_iter().collect();
        }
        self
    }

    /// How much memory the value stands for: one for each value in it, and one for every 128 bytes
    /// of text.
    pub(crate) fn weight(&self) -> usize {
        match &self.value {
            Value::Text(text) => 1 + text.len() / 128,
            Value::Bytes(bytes) => 1 + bytes.len() / 128,
            Value::List(items) => items.iter().fold(1, |sum, item| sum.saturating_add(item.weight())),
            Value::Object(fields) => fields
                .iter()
                .fold(1, |sum, (key, field)| sum.saturating_add(field.weight() + key.len() / 128)),
            _ => 1,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Tracked::depth).max().unwrap_or(0),
            Value::Object(fields) => 1 + fields.values().map(Tracked::depth).max().unwrap_or(0),
            _ => 1,
        }
    }
}

/// How values leave the program.
pub(crate) struct Sender {
    /// Whether each value says what it was made from.
    pub(crate) keep_origins: bool,
    /// Whether references to resources count as dependencies.
    pub(crate) count_references: bool,
    /// What the values sent so far were made from.
    pub(crate) deps: BTreeSet<Urn>,
}

impl Sender {
    /// Values for ordinary resources and functions.
    pub(crate) fn flat() -> Sender {
        Sender { keep_origins: false, count_references: true, deps: BTreeSet::new() }
    }

    /// Values for components that a plugin constructs.
    pub(crate) fn with_origins() -> Sender {
        Sender { keep_origins: true, count_references: false, deps: BTreeSet::new() }
    }

    pub(crate) fn send(&mut self, value: &Tracked) -> PropertyValue {
        self.deps.extend(value.deps.iter().cloned());
        let sent = match &value.value {
            Value::Null => PropertyValue::Null,
            Value::Bool(value) => PropertyValue::Bool(*value),
            Value::Number(value) => PropertyValue::Number(*value),
            Value::Text(text) => PropertyValue::String(text.clone()),
            Value::Bytes(bytes) => PropertyValue::Bytes(bytes.clone()),
            Value::List(items) => PropertyValue::Array(items.iter().map(|item| self.send(item)).collect()),
            Value::Object(fields) => PropertyValue::Object(self.send_object(fields)),
            Value::Asset(asset) => PropertyValue::Asset(asset.clone()),
            Value::Archive(archive) => PropertyValue::Archive(archive.clone()),
            Value::Resource(handle) => {
                if self.count_references {
                    self.deps.insert(handle.urn.clone());
                }
                PropertyValue::Reference(handle.reference())
            }
            Value::Reference(reference) => PropertyValue::Reference(reference.clone()),
            Value::Unknown => PropertyValue::Unknown,
        };
        if self.keep_origins && (value.secret || !value.deps.is_empty()) {
            return PropertyValue::Output(Box::new(OutputValue {
                value: (sent != PropertyValue::Unknown).then_some(sent),
                secret: value.secret,
                dependencies: value.deps.clone(),
            }));
        }
        if value.secret { sent.into_secret() } else { sent }
    }

    /// The fields of an object. Those without a value are left out, unless it was a resource that had
    /// no value for them.
    pub(crate) fn send_object(&mut self, fields: &BTreeMap<String, Tracked>) -> PropertyMap {
        let mut sent = PropertyMap::new();
        for (key, field) in fields {
            let value = self.send(field);
            if *value.plain() != PropertyValue::Null || !field.deps.is_empty() {
                sent.insert(key.clone(), value);
            }
        }
        sent
    }
}

/// A member of an archive, if the value can be one.
pub(crate) fn as_member(value: &Value) -> Option<AssetOrArchive> {
    match value {
        Value::Asset(asset) => Some(AssetOrArchive::Asset(asset.clone())),
        Value::Archive(archive) => Some(AssetOrArchive::Archive(archive.clone())),
        _ => None,
    }
}

/// The kind of a value with its article, for messages.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::Text(_) => "a string",
        Value::Bytes(_) => "a string that is not valid UTF-8",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
        Value::Asset(_) => "an asset",
        Value::Archive(_) => "an archive",
        Value::Resource(_) | Value::Reference(_) => "a resource",
        Value::Unknown => "an unknown value",
    }
}
