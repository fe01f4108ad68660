//! The one place where secrets are hidden: every value is looked at through a [`Lens`] before any
//! of it becomes text.

use purlin_model::value::PropertyValue;

/// The mask that stands for a secret.
pub(crate) const SECRET: &str = "[secret]";

/// The mask that stands for what is not known yet.
pub(crate) const UNKNOWN: &str = "[unknown]";

/// An unknown to refer to.
pub(crate) static UNKNOWN_VALUE: PropertyValue = PropertyValue::Unknown;

/// Looks at values, hiding secrets unless told otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lens {
    pub(crate) show_secrets: bool,
}

/// A value as the lens shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen<'a> {
    /// A secret of which nothing is to be shown.
    Secret,
    /// A value that is not known yet.
    Unknown,
    /// A value without a wrapper. What it holds must be looked at in its turn.
    Value(&'a PropertyValue),
}

impl Lens {
    /// What can be seen of a value.
    pub(crate) fn look(self, value: &PropertyValue) -> Seen<'_> {
        match value {
            PropertyValue::Secret(inner) if self.show_secrets => self.look(inner),
            PropertyValue::Secret(_) => Seen::Secret,
            PropertyValue::Output(output) if output.secret && !self.show_secrets => Seen::Secret,
            PropertyValue::Output(output) => match &output.value {
                Some(value) => self.look(value),
                None => Seen::Unknown,
            },
            PropertyValue::Unknown => Seen::Unknown,
            value => Seen::Value(value),
        }
    }

    /// Whether nothing of a value is to be shown.
    pub(crate) fn hides(self, value: &PropertyValue) -> bool {
        matches!(self.look(value), Seen::Secret)
    }

    /// Whether something in a value is not to be shown.
    pub(crate) fn hides_within(self, value: &PropertyValue) -> bool {
        !self.show_secrets && value.contains_secrets()
    }
}

/// Whether a value says so little that an unchanged one is not worth a line.
pub(crate) fn is_blank(value: &PropertyValue) -> bool {
    match value {
        PropertyValue::Null => true,
        PropertyValue::String(text) => text.is_empty(),
        PropertyValue::Array(items) => items.is_empty(),
        PropertyValue::Object(map) => map.is_empty(),
        _ => false,
    }
}
