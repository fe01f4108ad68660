//! Property values: what programs give to resources and what providers give back.

use std::collections::BTreeMap;

pub use crate::map::PropertyMap;
use crate::urn::Urn;

/// One value, of any kind that the protocol knows.
#[derive(Clone, Debug)]
pub enum PropertyValue {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number. The protocol knows 64-bit floats only.
    Number(f64),
    /// A text.
    String(String),
    /// A text that is not valid UTF-8.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<PropertyValue>),
    /// An object.
    Object(PropertyMap),
    /// A blob.
    Asset(Asset),
    /// A tree of blobs.
    Archive(Archive),
    /// A value that must not be shown or stored in clear.
    Secret(Box<PropertyValue>),
    /// A value that is not known before the operation is carried out.
    Unknown,
    /// A value with what is known about its origin; appears in arguments of remote components and
    /// of calls, never in state.
    Output(Box<OutputValue>),
    /// A reference to another resource.
    Reference(ResourceReference),
}

/// A value, or the promise of one, with its secretness and what it depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputValue {
    /// The value; `None` where it is unknown.
    pub value: Option<PropertyValue>,
    /// Whether the value is secret.
    pub secret: bool,
    /// The resources that it was made from, sorted.
    pub dependencies: Vec<Urn>,
}

/// The id inside a resource reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceId {
    /// The id is not known yet.
    Unknown,
    /// The id.
    Known(String),
}

/// A reference to a resource as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceReference {
    /// The resource.
    pub urn: Urn,
    /// Its id; `None` for components.
    pub id: Option<ReferenceId>,
    /// The version of the package that made it; empty where it isn't known.
    pub package_version: String,
}

/// A blob: its content's SHA-256 in hex and where the content is. Equality is by hash alone
/// wherever both hashes are known; see [`Asset::same_content`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Hex SHA-256 of the content; empty while nobody has computed it.
    pub hash: String,
    /// Where the content is.
    pub source: AssetSource,
}

/// Where the content of an asset is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssetSource {
    /// Only the hash is known.
    Elided,
    /// The content itself.
    Text(String),
    /// A file.
    Path(String),
    /// A place to fetch it from.
    Uri(String),
}

/// A tree of blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Hex SHA-256 of the content; empty while nobody has computed it.
    pub hash: String,
    /// Where the content is.
    pub source: ArchiveSource,
}

/// Where the content of an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveSource {
    /// Only the hash is known.
    Elided,
    /// Members by name.
    Assets(BTreeMap<String, AssetOrArchive>),
    /// A file or folder.
    Path(String),
    /// A place to fetch it from.
    Uri(String),
}

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssetOrArchive {
    /// A blob.
    Asset(Asset),
    /// A tree of blobs.
    Archive(Archive),
}

impl Asset {
    /// Whether two assets hold the same bytes, as far as can be told.
    pub fn same_content(&self, other: &Asset) -> bool {
        if self.hash.is_empty() || other.hash.is_empty() {
            return self.source == other.source;
        }
        self.hash == other.hash
    }
}

impl Archive {
    /// Whether two archives hold the same bytes, as far as can be told.
    pub fn same_content(&self, other: &Archive) -> bool {
        if self.hash.is_empty() || other.hash.is_empty() {
            return self.source == other.source;
        }
        self.hash == other.hash
    }
}

/// Values are equal if they are of the same kind and content. A number that is not one equals itself, so
/// that a value that holds one can be unchanged.
impl PartialEq for PropertyValue {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (PropertyValue::Null, PropertyValue::Null) | (PropertyValue::Unknown, PropertyValue::Unknown) => {
                true
            }
            (PropertyValue::Bool(a), PropertyValue::Bool(b)) => a == b,
            (PropertyValue::Number(a), PropertyValue::Number(b)) => a == b || (a.is_nan() && b.is_nan()),
            (PropertyValue::String(a), PropertyValue::String(b)) => a == b,
            (PropertyValue::Bytes(a), PropertyValue::Bytes(b)) => a == b,
            (PropertyValue::Array(a), PropertyValue::Array(b)) => a == b,
            (PropertyValue::Object(a), PropertyValue::Object(b)) => a == b,
            (PropertyValue::Asset(a), PropertyValue::Asset(b)) => a == b,
            (PropertyValue::Archive(a), PropertyValue::Archive(b)) => a == b,
            (PropertyValue::Secret(a), PropertyValue::Secret(b)) => a == b,
            (PropertyValue::Reference(a), PropertyValue::Reference(b)) => a == b,
            (PropertyValue::Output(a), PropertyValue::Output(b)) => a == b,
            _ => false,
        }
    }
}

impl PropertyValue {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        PropertyValue::String(text.into())
    }

    /// The value as a secret, unless it is one already.
    #[must_use]
    pub fn into_secret(self) -> Self {
        match self {
            PropertyValue::Secret(_) => self,
            other => PropertyValue::Secret(Box::new(other)),
        }
    }

    /// The value below any secret or known output wrapper.
    pub fn plain(&self) -> &PropertyValue {
        match self {
            PropertyValue::Secret(inner) => inner.plain(),
            PropertyValue::Output(output) => match &output.value {
                Some(value) => value.plain(),
                None => &PropertyValue::Unknown,
            },
            other => other,
        }
    }

    /// The text, if the value is one (secret or not).
    pub fn as_str(&self) -> Option<&str> {
        match self.plain() {
            PropertyValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if the value is one (secret or not).
    pub fn as_object(&self) -> Option<&PropertyMap> {
        match self.plain() {
            PropertyValue::Object(map) => Some(map),
            _ => None,
        }
    }

    /// Whether the value is, or holds at any depth, something that `test` accepts. Wrappers are
    /// tested too.
    pub fn any(&self, test: &mut dyn FnMut(&PropertyValue) -> bool) -> bool {
        if test(self) {
            return true;
        }
        match self {
            PropertyValue::Array(items) => items.iter().any(|v| v.any(test)),
            PropertyValue::Object(map) => map.values().any(|v| v.any(test)),
            PropertyValue::Secret(inner) => inner.any(test),
            PropertyValue::Output(output) => output.value.as_ref().is_some_and(|v| v.any(test)),
            _ => false,
        }
    }

    /// Whether something in the value is unknown.
    pub fn contains_unknowns(&self) -> bool {
        self.any(&mut |v| match v {
            PropertyValue::Unknown => true,
            PropertyValue::Output(output) => output.value.is_none(),
            PropertyValue::Reference(r) => r.id == Some(ReferenceId::Unknown),
            _ => false,
        })
    }

    /// Whether something in the value is secret.
    pub fn contains_secrets(&self) -> bool {
        self.any(&mut |v| match v {
            PropertyValue::Secret(_) => true,
            PropertyValue::Output(output) => output.secret,
            _ => false,
        })
    }

    /// Turns output values at any depth into what they stand for: a secret, an unknown or a plain
    /// value. State and ordinary resources never hold output values.
    #[must_use]
    pub fn flatten_outputs(self) -> PropertyValue {
        match self {
            PropertyValue::Output(output) => {
                let value = match output.value {
                    Some(value) => value.flatten_outputs(),
                    None => PropertyValue::Unknown,
                };
                if output.secret { value.into_secret() } else { value }
            }
            PropertyValue::Array(items) => {
                PropertyValue::Array(items.into_iter().map(PropertyValue::flatten_outputs).collect())
            }
            PropertyValue::Object(map) => PropertyValue::Object(flatten_outputs(map)),
            PropertyValue::Secret(inner) => PropertyValue::Secret(Box::new(inner.flatten_outputs())),
            other => other,
        }
    }

    /// The value without any secret wrapper at any depth.
    #[must_use]
    pub fn without_secrets(&self) -> PropertyValue {
        match self {
            PropertyValue::Secret(inner) => inner.without_secrets(),
            PropertyValue::Array(items) => {
                PropertyValue::Array(items.iter().map(PropertyValue::without_secrets).collect())
            }
            PropertyValue::Object(map) => {
                PropertyValue::Object(map.iter().map(|(k, v)| (k.clone(), v.without_secrets())).collect())
            }
            PropertyValue::Output(output) => PropertyValue::Output(Box::new(OutputValue {
                value: output.value.as_ref().map(PropertyValue::without_secrets),
                secret: false,
                dependencies: output.dependencies.clone(),
            })),
            other => other.clone(),
        }
    }
}

/// [`PropertyValue::flatten_outputs`] for each property.
#[must_use]
pub fn flatten_outputs(map: PropertyMap) -> PropertyMap {
    map.into_iter().map(|(k, v)| (k, v.flatten_outputs())).collect()
}

/// Copies secretness from one bag to another that was made from it: object by object, and for
/// everything else as a whole. A list of which one element was secret is secret as a whole, since
/// lists may be reordered.
pub fn mark_secrets_like(map: &mut PropertyMap, like: &PropertyMap) {
    for (key, model) in like {
        let Some(value) = map.get_mut(key) else { continue };
        match (&mut *value, model) {
            (PropertyValue::Object(value), PropertyValue::Object(model)) => mark_secrets_like(value, model),
            (PropertyValue::Secret(_), _) => {}
            (_, model) if model.contains_secrets() => {
                let plain = std::mem::replace(value, PropertyValue::Null);
                *value = plain.into_secret();
            }
            _ => {}
        }
    }
}

/// Whether a property is the engine's or a provider's own affair and is not shown.
pub fn is_internal_key(key: &str) -> bool {
    key.starts_with("__")
}

impl From<&str> for PropertyValue {
    fn from(text: &str) -> Self {
        PropertyValue::String(text.to_owned())
    }
}

impl From<String> for PropertyValue {
    fn from(text: String) -> Self {
        PropertyValue::String(text)
    }
}

impl From<bool> for PropertyValue {
    fn from(value: bool) -> Self {
        PropertyValue::Bool(value)
    }
}

impl From<f64> for PropertyValue {
    fn from(value: f64) -> Self {
        PropertyValue::Number(value)
    }
}

impl From<PropertyMap> for PropertyValue {
    fn from(value: PropertyMap) -> Self {
        PropertyValue::Object(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_values_flatten_to_what_they_stand_for() {
        let output = |value: Option<PropertyValue>, secret| {
            PropertyValue::Output(Box::new(OutputValue { value, secret, dependencies: vec![] }))
        };
        assert_eq!(output(None, false).flatten_outputs(), PropertyValue::Unknown);
        assert_eq!(output(Some("a".into()), false).flatten_outputs(), "a".into());
        let nested = PropertyValue::Array(vec![output(Some(output(None, true)), true)]);
        assert_eq!(
            nested.flatten_outputs(),
            PropertyValue::Array(vec![PropertyValue::Secret(Box::new(PropertyValue::Unknown))])
        );
    }

    #[test]
    fn unknowns_and_secrets_are_found_at_any_depth() {
        let deep = PropertyValue::Object(PropertyMap::from([(
            "a".into(),
            PropertyValue::Array(vec![PropertyValue::Secret(Box::new(PropertyValue::Unknown))]),
        )]));
        assert!(deep.contains_unknowns() && deep.contains_secrets());
        assert!(!PropertyValue::from("x").contains_unknowns());
    }
}
