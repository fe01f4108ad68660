//! What belongs to properties, by their names.

use std::fmt;
use std::ops::Index;

use crate::urn::Urn;
use crate::value::PropertyValue;

type Pair<V> = (String, V);
type ByRef<'a, V> = fn(&'a Pair<V>) -> (&'a String, &'a V);
type ByMut<'a, V> = fn(&'a mut Pair<V>) -> (&'a String, &'a mut V);

/// Iterates over a [`NamedMap`] in the order of names.
pub type Iter<'a, V> = std::iter::Map<std::slice::Iter<'a, Pair<V>>, ByRef<'a, V>>;

/// Iterates over a [`NamedMap`] in the order of names, with values that may be changed.
pub type IterMut<'a, V> = std::iter::Map<std::slice::IterMut<'a, Pair<V>>, ByMut<'a, V>>;

/// An object's properties by name.
pub type PropertyMap = NamedMap<PropertyValue>;

/// The resources that properties come from, by the names of the properties.
pub type PropertyDependencies = NamedMap<Vec<Urn>>;

/// What belongs to an object's properties, by their names. Names are kept sorted, as checkpoints have
/// them.
///
/// Names and values stand one after the other in memory: stacks have many objects with few properties
/// each, and a tree's nodes would cost a kilobyte for one.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedMap<V> {
    pairs: Vec<Pair<V>>,
}

impl<V> Default for NamedMap<V> {
    fn default() -> Self {
        NamedMap::new()
    }
}

impl<V> NamedMap<V> {
    /// A map without properties.
    pub const fn new() -> NamedMap<V> {
        NamedMap { pairs: Vec::new() }
    }

    /// A map without properties, with room for some.
    pub fn with_capacity(properties: usize) -> NamedMap<V> {
        NamedMap { pairs: Vec::with_capacity(properties) }
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
    pub fn get(&self, name: &str) -> Option<&V> {
        self.find(name).ok().map(|at| &self.pairs[at].1)
    }

    /// The value of a property, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.find(name).ok().map(|at| &mut self.pairs[at].1)
    }

    /// Whether there is a property of a name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Sets a property, and gives back what it was.
    pub fn insert(&mut self, name: String, value: V) -> Option<V> {
        match self.find(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.pairs[at].1, value)),
            Err(at) => {
                self.put(at, name, value);
                None
            }
        }
    }

    fn put(&mut self, at: usize, name: String, value: V) {
        // Most objects are small, and there are many of them.
        if self.pairs.len() == self.pairs.capacity() && self.pairs.len() < 4 {
            self.pairs.reserve_exact(1);
        }
        self.pairs.insert(at, (name, value));
    }

    /// Takes a property out.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        self.find(name).ok().map(|at| self.pairs.remove(at).1)
    }

    /// The place of a property, whether it is there or not.
    pub fn entry(&mut self, name: String) -> Entry<'_, V> {
        let at = self.find(&name);
        Entry { map: self, name, at }
    }

    /// The names, sorted.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &String> + ExactSizeIterator {
        self.pairs.iter().map(|(name, _)| name)
    }

    /// The values in the order of their names.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator {
        self.pairs.iter().map(|(_, value)| value)
    }

    /// The values in the order of their names, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> + ExactSizeIterator {
        self.pairs.iter_mut().map(|(_, value)| value)
    }

    /// The names, sorted.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = String> + ExactSizeIterator {
        self.pairs.into_iter().map(|(name, _)| name)
    }

    /// The values in the order of their names.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> + ExactSizeIterator {
        self.pairs.into_iter().map(|(_, value)| value)
    }

    /// Names and values in the order of names.
    pub fn iter(&self) -> Iter<'_, V> {
        self.pairs.iter().map(|(name, value)| (name, value))
    }

    /// Names and values in the order of names; the values may be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_, V> {
        self.pairs.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// Keeps the properties that pass a test.
    pub fn retain(&mut self, mut keeps: impl FnMut(&String, &mut V) -> bool) {
        self.pairs.retain_mut(|(name, value)| keeps(name, value));
    }

    /// Takes all properties out.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// The first property.
    pub fn first_key_value(&self) -> Option<(&String, &V)> {
        self.pairs.first().map(|(name, value)| (name, value))
    }
}

/// The place of a property in a [`NamedMap`].
#[derive(Debug)]
pub struct Entry<'a, V> {
    map: &'a mut NamedMap<V>,
    name: String,
    at: Result<usize, usize>,
}

impl<'a, V> Entry<'a, V> {
    /// The value there; where there is none, it is made first.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        let at = self.at.unwrap_or_else(|at| {
            self.map.put(at, self.name, make());
            at
        });
        &mut self.map.pairs[at].1
    }

    /// The value there; where there is none, this one from now on.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value there; where there is none, the usual one from now on.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value if there is one.
    #[must_use]
    pub fn and_modify(self, change: impl FnOnce(&mut V)) -> Self {
        if let Ok(at) = self.at {
            change(&mut self.map.pairs[at].1);
        }
        self
    }
}

impl<V: fmt::Debug> fmt::Debug for NamedMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<V> FromIterator<Pair<V>> for NamedMap<V> {
    /// Of properties of one name the last one counts.
    fn from_iter<I: IntoIterator<Item = Pair<V>>>(pairs: I) -> NamedMap<V> {
        let mut pairs: Vec<Pair<V>> = pairs.into_iter().collect();
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
        NamedMap { pairs }
    }
}

impl<V, const N: usize> From<[Pair<V>; N]> for NamedMap<V> {
    fn from(pairs: [Pair<V>; N]) -> NamedMap<V> {
        pairs.into_iter().collect()
    }
}

impl<V> Extend<Pair<V>> for NamedMap<V> {
    fn extend<I: IntoIterator<Item = Pair<V>>>(&mut self, pairs: I) {
        for (name, value) in pairs {
            self.insert(name, value);
        }
    }
}

impl<V> IntoIterator for NamedMap<V> {
    type Item = Pair<V>;
    type IntoIter = std::vec::IntoIter<Pair<V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl<'a, V> IntoIterator for &'a NamedMap<V> {
    type Item = (&'a String, &'a V);
    type IntoIter = Iter<'a, V>;

    fn into_iter(self) -> Iter<'a, V> {
        self.iter()
    }
}

impl<'a, V> IntoIterator for &'a mut NamedMap<V> {
    type Item = (&'a String, &'a mut V);
    type IntoIter = IterMut<'a, V>;

    fn into_iter(self) -> IterMut<'a, V> {
        self.iter_mut()
    }
}

impl<V> Index<&str> for NamedMap<V> {
    type Output = V;

    /// # Panics
    ///
    /// Where there is no such property.
    fn index(&self, name: &str) -> &V {
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
