//! Marking secrets again that were sent in clear, and giving contents back to assets that were sent
//! without.

use std::collections::BTreeMap;

pub(super) use purlin_model::value::mark_secrets_like as mark_secrets;
use purlin_model::{Archive, ArchiveSource, Asset, AssetSource, PropertyMap, PropertyValue};

/// Marks everything as secret.
pub(super) fn mark_all(outputs: &mut PropertyMap) {
    for value in outputs.values_mut() {
        *value = std::mem::replace(value, PropertyValue::Null).into_secret();
    }
}

/// Whether anything in a bag is secret.
pub(super) fn has_secrets(map: &PropertyMap) -> bool {
    map.values().any(PropertyValue::contains_secrets)
}

/// Whether anything in a bag is unknown.
pub(super) fn has_unknowns(map: &PropertyMap) -> bool {
    map.values().any(PropertyValue::contains_unknowns)
}

/// The contents of assets and archives by their hashes.
#[derive(Default)]
pub(super) struct Contents<'a> {
    assets: BTreeMap<&'a str, &'a AssetSource>,
    archives: BTreeMap<&'a str, &'a ArchiveSource>,
}

impl<'a> Contents<'a> {
    /// What a bag holds.
    pub(super) fn of(map: &'a PropertyMap) -> Contents<'a> {
        let mut contents = Contents::default();
        map.values().for_each(|value| contents.add(value));
        contents
    }

    fn add(&mut self, value: &'a PropertyValue) {
        match value {
            PropertyValue::Asset(Asset { hash, source }) if *source != AssetSource::Elided => {
                self.assets.insert(hash, source);
            }
            PropertyValue::Archive(Archive { hash, source }) if *source != ArchiveSource::Elided => {
                self.archives.insert(hash, source);
            }
            PropertyValue::Array(items) => items.iter().for_each(|v| self.add(v)),
            PropertyValue::Object(map) => map.values().for_each(|v| self.add(v)),
            PropertyValue::Secret(inner) => self.add(inner),
            _ => {}
        }
    }

    /// Gives assets and archives that came back without content the content with the same hash.
    pub(super) fn restore(&self, map: &mut PropertyMap) {
        if !self.assets.is_empty() || !self.archives.is_empty() {
            map.values_mut().for_each(|value| self.restore_value(value));
        }
    }

    fn restore_value(&self, value: &mut PropertyValue) {
        match value {
            PropertyValue::Asset(Asset { hash, source: source @ AssetSource::Elided }) => {
                if let Some(known) = self.assets.get(&**hash) {
                    source.clone_from(known);
                }
            }
            PropertyValue::Archive(Archive { hash, source: source @ ArchiveSource::Elided }) => {
                if let Some(known) = self.archives.get(&**hash) {
                    source.clone_from(known);
                }
            }
            PropertyValue::Array(items) => items.iter_mut().for_each(|v| self.restore_value(v)),
            PropertyValue::Object(map) => map.values_mut().for_each(|v| self.restore_value(v)),
            PropertyValue::Secret(inner) => self.restore_value(inner),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, PropertyValue)]) -> PropertyMap {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    fn secret(text: &str) -> PropertyValue {
        PropertyValue::from(text).into_secret()
    }

    #[test]
    fn secretness_follows_objects_and_covers_lists() {
        let inputs = map(&[
            ("plain", "a".into()),
            ("hidden", secret("b")),
            ("object", map(&[("deep", secret("c")), ("other", "d".into())]).into()),
            ("list", PropertyValue::Array(vec!["e".into(), secret("f")])),
            ("gone", secret("g")),
        ]);
        let mut outputs = map(&[
            ("plain", "a".into()),
            ("hidden", "b".into()),
            ("object", map(&[("deep", "c".into()), ("other", "d".into())]).into()),
            ("list", PropertyValue::Array(vec!["f".into(), "e".into()])),
            ("new", "n".into()),
        ]);
        mark_secrets(&mut outputs, &inputs);
        let expected = map(&[
            ("plain", "a".into()),
            ("hidden", secret("b")),
            ("object", map(&[("deep", secret("c")), ("other", "d".into())]).into()),
            ("list", PropertyValue::Array(vec!["f".into(), "e".into()]).into_secret()),
            ("new", "n".into()),
        ]);
        assert_eq!(outputs, expected);
        // An object that was secret as a whole comes back secret as a whole.
        let inputs = map(&[("o", PropertyValue::from(map(&[("k", "v".into())])).into_secret())]);
        let mut outputs = map(&[("o", map(&[("k", "v".into())]).into())]);
        mark_secrets(&mut outputs, &inputs);
        assert!(matches!(outputs["o"], PropertyValue::Secret(_)));
    }

    #[test]
    fn contents_come_back_by_hash() {
        let asset = |hash: &str, source| PropertyValue::Asset(Asset { hash: hash.into(), source });
        let inputs = map(&[
            ("a", asset("1", AssetSource::Path("x".into())).into_secret()),
            ("b", asset("2", AssetSource::Text("y".into()))),
        ]);
        let mut outputs = map(&[
            (
                "list",
                PropertyValue::Array(vec![asset("1", AssetSource::Elided), asset("3", AssetSource::Elided)]),
            ),
            ("b", asset("2", AssetSource::Path("own".into()))),
        ]);
        Contents::of(&inputs).restore(&mut outputs);
        let expected = map(&[
            (
                "list",
                PropertyValue::Array(vec![
                    asset("1", AssetSource::Path("x".into())),
                    asset("3", AssetSource::Elided),
                ]),
            ),
            ("b", asset("2", AssetSource::Path("own".into()))),
        ]);
        assert_eq!(outputs, expected);
    }
}
