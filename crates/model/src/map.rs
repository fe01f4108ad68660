//! Properties by name.

use std::fmt;
use std::ops::Index;

use crate::value::PropertyValue;

type Pair = (String, PropertyValue);
type ByRef<'a> = fn(&'a Pair) -> (&'a String, &'a PropertyValue);
type ByMut<'a> = fn(&'a mut Pair) -> (&'a String, &'a mut PropertyValue);

/// Iterates over a [`PropertyMap`] in the order of names.
pub type Iter<'a> = std::iter::Map<std::slice::Iter<'a, Pair>, ByRef<'a>>;

/// Iterates over a [`PropertyMap`] in the order of names, with values that may be changed.
pub type IterMut<'a> = std::iter::Map<std::slice::IterMut<'a, Pair>, ByMut<'a>>;

/// An object's properties by name. Names are kept sorted, as checkpoints have them.
///
/// The properties stand one after the other in memory: stacks have many objects with few properties
/// each, and a tree's nodes would cost a kilobyte for one.
#[derive(Clone, Default, PartialEq)]
pub struct PropertyMap {
    pairs: Vec<Pair>,
}

impl PropertyMap {
    /// A map without properties.
    pub const fn new() -> PropertyMap {
        PropertyMap { pairs: Vec::new() }
    }

    /// A map without properties, with room for some.
    pub fn with_capacity(properties: usize) -> PropertyMap {
        PropertyMap { pairs: Vec::with_capacity(properties) }
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        // Whoever reads what is sorted appends.
        match self.pairs.last() {
            None => return Err(0),
            Some((last, _)) if last.as_str() < name => return Err(self.pairs.len()),
            Some(_) => {}
        }
        self.pairs.binary_search_by(|(key, _)| key.as_str().cmp(name))
    }

    /// How many properties there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The value of a property.
    pub fn get(&self, name: &str) -> Option<&PropertyValue> {
        self.find(name).ok().map(|at| &self.pairs[at].1)
    }

    /// The value of a property, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut PropertyValue> {
        self.find(name).ok().map(|at| &mut self.pairs[at].1)
    }

    /// Whether there is a property of a name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Sets a property, and gives back what it was.
    pub fn insert(&mut self, name: String, value: PropertyValue) -> Option<PropertyValue> {
        match self.find(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.pairs[at].1, value)),
            Err(at) => {
                self.put(at, name, value);
                None
            }
        }
    }

    fn put(&mut self, at: usize, name: String, value: PropertyValue) {
        // Most objects are small, and there are many of them.
        if self.pairs.len() == self.pairs.capacity() && self.pairs.len() < 4 {
            self.pairs.reserve_exact(1);
        }
        self.pairs.insert(at, (name, value));
    }

    /// Takes a property out.
    pub fn remove(&mut self, name: &str) -> Option<PropertyValue> {
        self.find(name).ok().map(|at| self.pairs.remove(at).1)
    }

    /// The place of a property, whether it is there or not.
    pub fn entry(&mut self, name: String) -> Entry<'_> {
        let at = self.find(&name);
        Entry { map: self, name, at }
    }

    /// The names, sorted.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &String> + ExactSizeIterator {
        self.pairs.iter().map(|(name, _)| name)
    }

    /// The values in the order of their names.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &PropertyValue> + ExactSizeIterator {
        self.pairs.iter().map(|(_, value)| value)
    }

    /// The values in the order of their names, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut PropertyValue> + ExactSizeIterator {
        self.pairs.iter_mut().map(|(_, value)| value)
    }

    /// The names, sorted.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = String> + ExactSizeIterator {
        self.pairs.into_iter().map(|(name, _)| name)
    }

    /// The values in the order of their names.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = PropertyValue> + ExactSizeIterator {
        self.pairs.into_iter().map(|(_, value)| value)
    }

    /// Names and values in the order of names.
    pub fn iter(&self) -> Iter<'_> {
        self.pairs.iter().map(|(name, value)| (name, value))
    }

    /// Names and values in the order of names; the values may be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_> {
        self.pairs.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// Keeps the properties that pass a test.
    pub fn retain(&mut self, mut keeps: impl FnMut(&String, &mut PropertyValue) -> bool) {
        self.pairs.retain_mut(|(name, value)| keeps(name, value));
    }

    /// Takes all properties out.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// The first property.
    pub fn first_key_value(&self) -> Option<(&String, &PropertyValue)> {
        self.pairs.first().map(|(name, value)| (name, value))
    }
}

/// The place of a property in a [`PropertyMap`].
#[derive(Debug)]
pub struct Entry<'a> {
    map: &'a mut PropertyMap,
    name: String,
    at: Result<usize, usize>,
}

impl<'a> Entry<'a> {
    /// The value there; where there is none, it is made first.
    pub fn or_insert_with(self, make: impl FnOnce() -> PropertyValue) -> &'a mut PropertyValue {
        let at = self.at.unwrap_or_else(|at| {
            self.map.put(at, self.name, make());
            at
        });
        &mut self.map.pairs[at].1
    }

    /// The value there; where there is none, this one from now on.
    pub fn or_insert(self, value: PropertyValue) -> &'a mut PropertyValue {
        self.or_insert_with(|| value)
    }

    /// Changes the value if there is one.
    #[must_use]
    pub fn and_modify(self, change: impl FnOnce(&mut PropertyValue)) -> Self {
        if let Ok(at) = self.at {
            change(&mut self.map.pairs[at].1);
        }
        self
    }
}

impl fmt::Debug for PropertyMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl FromIterator<Pair> for PropertyMap {
    /// Of properties of one name the last one counts.
    fn from_iter<I: IntoIterator<Item = Pair>>(pairs: I) -> PropertyMap {
        let mut pairs: Vec<Pair> = pairs.into_iter().collect();
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            pairs.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        PropertyMap { pairs }
    }
}

impl<const N: usize> From<[Pair; N]> for PropertyMap {
    fn from(pairs: [Pair; N]) -> PropertyMap {
        pairs.into_iter().collect()
    }
}

impl Extend<Pair> for PropertyMap {
    fn extend<I: IntoIterator<Item = Pair>>(&mut self, pairs: I) {
        for (name, value) in pairs {
            self.insert(name, value);
        }
    }
}

impl IntoIterator for PropertyMap {
    type Item = Pair;
    type IntoIter = std::vec::IntoIter<Pair>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl<'a> IntoIterator for &'a PropertyMap {
    type Item = (&'a String, &'a PropertyValue);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut PropertyMap {
    type Item = (&'a String, &'a mut PropertyValue);
    type IntoIter = IterMut<'a>;

    fn into_iter(self) -> IterMut<'a> {
        self.iter_mut()
    }
}

impl Index<&str> for PropertyMap {
    type Output = PropertyValue;

    /// # Panics
    ///
    /// Where there is no such property.
    fn index(&self, name: &str) -> &PropertyValue {
        match self.find(name) {
            Ok(at) => &self.pairs[at].1,
            Err(_) => panic!("there is no property {name:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(names: &[(&str, f64)]) -> PropertyMap {
        names.iter().map(|(name, value)| ((*name).to_owned(), PropertyValue::Number(*value))).collect()
    }

    fn names(map: &PropertyMap) -> Vec<&str> {
        map.keys().map(String::as_str).collect()
    }

    #[test]
    fn names_are_sorted_however_they_come() {
        let mut one = map(&[("b", 1.0), ("a", 2.0), ("c", 3.0)]);
        assert_eq!(names(&one), ["a", "b", "c"]);
        one.insert("aa".to_owned(), PropertyValue::Null);
        one.insert("d".to_owned(), PropertyValue::Null);
        assert_eq!(names(&one), ["a", "aa", "b", "c", "d"]);
        assert_eq!(one.remove("b"), Some(PropertyValue::Number(1.0)));
        assert_eq!(one.remove("b"), None);
        assert_eq!(one.get("c"), Some(&PropertyValue::Number(3.0)));
        assert!(!one.contains_key("") && !one.contains_key("zz"));
    }

    #[test]
    fn the_last_of_equal_names_counts() {
        let mut one = map(&[("a", 1.0), ("b", 1.0), ("a", 2.0), ("a", 3.0)]);
        assert_eq!(one, map(&[("a", 3.0), ("b", 1.0)]));
        assert_eq!(one.insert("b".to_owned(), PropertyValue::Null), Some(PropertyValue::Number(1.0)));
        one.extend(map(&[("b", 5.0)]));
        assert_eq!(one["b"], PropertyValue::Number(5.0));
    }

    #[test]
    fn an_entry_is_there_or_is_made() {
        let mut one = map(&[("b", 1.0)]);
        *one.entry("b".to_owned()).or_insert(PropertyValue::Null) = PropertyValue::Bool(true);
        one.entry("a".to_owned()).or_insert_with(|| PropertyValue::Bool(false));
        let negate = |value: &mut PropertyValue| *value = PropertyValue::Null;
        one.entry("a".to_owned()).and_modify(negate).or_insert(PropertyValue::Bool(true));
        assert_eq!(one["b"], PropertyValue::Bool(true));
        assert_eq!(one["a"], PropertyValue::Null);
        assert_eq!(names(&one), ["a", "b"]);
    }
}
