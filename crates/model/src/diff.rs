//! The one property diff: what differs between two values, and the diffs that providers report.

use std::collections::BTreeMap;

use crate::path::PropertyPath;
use crate::value::{AssetOrArchive, PropertyMap, PropertyValue};

/// What a provider says of one property path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiffKind {
    /// Added.
    Add,
    /// Added, which replaces the resource.
    AddReplace,
    /// Removed.
    Delete,
    /// Removed, which replaces the resource.
    DeleteReplace,
    /// Changed.
    Update,
    /// Changed, which replaces the resource.
    UpdateReplace,
}

impl DiffKind {
    /// The word that events use.
    pub fn as_str(self) -> &'static str {
        match self {
            DiffKind::Add => "add",
            DiffKind::AddReplace => "add-replace",
            DiffKind::Delete => "delete",
            DiffKind::DeleteReplace => "delete-replace",
            DiffKind::Update => "update",
            DiffKind::UpdateReplace => "update-replace",
        }
    }

    /// Whether it replaces the resource.
    pub fn is_replace(self) -> bool {
        matches!(self, DiffKind::AddReplace | DiffKind::DeleteReplace | DiffKind::UpdateReplace)
    }

    /// The same change, replacing the resource.
    #[must_use]
    pub fn as_replace(self) -> DiffKind {
        match self {
            DiffKind::Add | DiffKind::AddReplace => DiffKind::AddReplace,
            DiffKind::Delete | DiffKind::DeleteReplace => DiffKind::DeleteReplace,
            DiffKind::Update | DiffKind::UpdateReplace => DiffKind::UpdateReplace,
        }
    }

    /// The change the other way round: what was added is deleted.
    #[must_use]
    pub fn inverted(self) -> DiffKind {
        match self {
            DiffKind::Add => DiffKind::Delete,
            DiffKind::AddReplace => DiffKind::DeleteReplace,
            DiffKind::Delete => DiffKind::Add,
            DiffKind::DeleteReplace => DiffKind::AddReplace,
            other => other,
        }
    }
}

/// What differs at one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathDiff {
    /// How it differs.
    pub kind: DiffKind,
    /// Whether old and new inputs differ, rather than old outputs and new inputs.
    pub input_diff: bool,
}

/// What differs, path by path, in the provider's spelling of paths.
pub type DetailedDiff = BTreeMap<String, PathDiff>;

/// What differs between two bags of properties.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropertyDiff {
    /// Properties that only the new bag has.
    pub adds: PropertyMap,
    /// Properties that only the old bag has.
    pub deletes: PropertyMap,
    /// Properties of both that are equal.
    pub sames: PropertyMap,
    /// Properties of both that differ.
    pub updates: BTreeMap<String, ValueDiff>,
}

/// How two values differ.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueDiff {
    /// The old value.
    pub old: PropertyValue,
    /// The new value.
    pub new: PropertyValue,
    /// Where both are objects, what differs in them.
    pub object: Option<Box<PropertyDiff>>,
    /// Where both are lists, the elements that differ by index (`None` on a side that lacks it).
    pub array: Option<Vec<(usize, ElementDiff)>>,
}

/// How one element of a list differs.
#[derive(Clone, Debug, PartialEq)]
pub enum ElementDiff {
    /// Only the new list has it.
    Add(PropertyValue),
    /// Only the old list has it.
    Delete(PropertyValue),
    /// Both have it and it differs.
    Update(ValueDiff),
}

impl PropertyDiff {
    /// Whether anything differs.
    pub fn any(&self) -> bool {
        !(self.adds.is_empty() && self.deletes.is_empty() && self.updates.is_empty())
    }

    /// The names of properties that differ, sorted.
    pub fn changed_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> =
            self.adds.keys().chain(self.deletes.keys()).chain(self.updates.keys()).cloned().collect();
        keys.sort();
        keys
    }

    /// The paths that differ, as deep as the values allow, each with its kind.
    pub fn paths(&self) -> BTreeMap<PropertyPath, DiffKind> {
        let mut paths = BTreeMap::new();
        self.collect_paths(&PropertyPath::default(), &mut paths);
        paths
    }

    fn collect_paths(&self, at: &PropertyPath, paths: &mut BTreeMap<PropertyPath, DiffKind>) {
        paths.extend(self.adds.keys().map(|k| (at.key(k), DiffKind::Add)));
        paths.extend(self.deletes.keys().map(|k| (at.key(k), DiffKind::Delete)));
        for (key, diff) in &self.updates {
            diff.collect_paths(&at.key(key), paths);
        }
    }
}

impl ValueDiff {
    fn collect_paths(&self, at: &PropertyPath, paths: &mut BTreeMap<PropertyPath, DiffKind>) {
        if let Some(object) = &self.object {
            object.collect_paths(at, paths);
        } else if let Some(elements) = &self.array {
            for (index, element) in elements {
                let at = at.index(*index);
                match element {
                    ElementDiff::Add(_) => drop(paths.insert(at, DiffKind::Add)),
                    ElementDiff::Delete(_) => drop(paths.insert(at, DiffKind::Delete)),
                    ElementDiff::Update(diff) => diff.collect_paths(&at, paths),
                }
            }
        } else {
            paths.insert(at.clone(), DiffKind::Update);
        }
    }
}

/// What differs between two bags. Secrets are looked through: a value that only became secret is
/// unchanged. Internal properties (`__…`) count like any other; displays leave them out.
pub fn diff_maps(old: &PropertyMap, new: &PropertyMap) -> PropertyDiff {
    let mut diff = PropertyDiff::default();
    for (key, new_value) in new {
        match old.get(key) {
            None => drop(diff.adds.insert(key.clone(), new_value.clone())),
            Some(old_value) => match diff_values(old_value, new_value) {
                None => drop(diff.sames.insert(key.clone(), new_value.clone())),
                Some(value_diff) => drop(diff.updates.insert(key.clone(), value_diff)),
            },
        }
    }
    for (key, old_value) in old {
        if !new.contains_key(key) {
            diff.deletes.insert(key.clone(), old_value.clone());
        }
    }
    diff
}

/// What differs between two values; `None` if nothing does.
pub fn diff_values(old: &PropertyValue, new: &PropertyValue) -> Option<ValueDiff> {
    if same_value(old, new) {
        return None;
    }
    let (object, array) = match (old.plain(), new.plain()) {
        (PropertyValue::Object(a), PropertyValue::Object(b)) => (Some(Box::new(diff_maps(a, b))), None),
        (PropertyValue::Array(a), PropertyValue::Array(b)) => (None, Some(diff_arrays(a, b))),
        _ => (None, None),
    };
    Some(ValueDiff { old: old.clone(), new: new.clone(), object, array })
}

fn diff_arrays(old: &[PropertyValue], new: &[PropertyValue]) -> Vec<(usize, ElementDiff)> {
    (0..old.len().max(new.len()))
        .filter_map(|index| {
            let element = match (old.get(index), new.get(index)) {
                (Some(a), Some(b)) => ElementDiff::Update(diff_values(a, b)?),
                (Some(a), None) => ElementDiff::Delete(a.clone()),
                (None, Some(b)) => ElementDiff::Add(b.clone()),
                (None, None) => return None,
            };
            Some((index, element))
        })
        .collect()
}

/// Whether two bags are equal as the engine compares: see [`same_value`].
pub fn same_maps(old: &PropertyMap, new: &PropertyMap) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|((a, x), (b, y))| a == b && same_value(x, y))
}

/// Whether two values are equal as the engine compares: secrets are looked through, assets and
/// archives count by hash.
pub fn same_value(old: &PropertyValue, new: &PropertyValue) -> bool {
    match (old.plain(), new.plain()) {
        (PropertyValue::Array(a), PropertyValue::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same_value(x, y))
        }
        (PropertyValue::Object(a), PropertyValue::Object(b)) => same_maps(a, b),
        (PropertyValue::Asset(a), PropertyValue::Asset(b)) => a.same_content(b),
        (PropertyValue::Archive(a), PropertyValue::Archive(b)) => a.same_content(b),
        (a, b) => a == b,
    }
}

/// Whether a member of an archive holds the same bytes as another.
pub fn same_member(a: &AssetOrArchive, b: &AssetOrArchive) -> bool {
    match (a, b) {
        (AssetOrArchive::Asset(a), AssetOrArchive::Asset(b)) => a.same_content(b),
        (AssetOrArchive::Archive(a), AssetOrArchive::Archive(b)) => a.same_content(b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, PropertyValue)]) -> PropertyMap {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
    }

    #[test]
    fn a_diff_names_the_deepest_paths() {
        let old = map(&[
            ("gone", 1.0.into()),
            ("list", PropertyValue::Array(vec![1.0.into(), 2.0.into()])),
            ("o", map(&[("same", true.into()), ("x", 1.0.into())]).into()),
        ]);
        let new = map(&[
            ("came", 1.0.into()),
            ("list", PropertyValue::Array(vec![1.0.into(), 3.0.into(), 4.0.into()])),
            ("o", map(&[("same", true.into()), ("x", 2.0.into())]).into()),
        ]);
        let diff = diff_maps(&old, &new);
        assert_eq!(diff.changed_keys(), ["came", "gone", "list", "o"]);
        let paths: Vec<_> = diff.paths().into_iter().map(|(p, k)| format!("{p} {}", k.as_str())).collect();
        assert_eq!(paths, ["came add", "gone delete", "list[1] update", "list[2] add", "o.x update"]);
    }

    #[test]
    fn not_a_number_stays_what_it_is() {
        let nan = map(&[("a", f64::NAN.into())]);
        assert!(!diff_maps(&nan, &nan.clone()).any());
        assert!(diff_maps(&nan, &map(&[("a", 1.0.into())])).any());
    }

    #[test]
    fn becoming_secret_is_no_change() {
        let old = map(&[("a", "x".into())]);
        let new = map(&[("a", PropertyValue::from("x").into_secret())]);
        assert!(!diff_maps(&old, &new).any());
    }
}
