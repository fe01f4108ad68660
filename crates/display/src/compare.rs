//! What differs between two bags of properties, as diffs are shown: from the values themselves, or
//! from what the provider said of them.

use std::collections::{BTreeMap, BTreeSet};

use purlin_model::PropertyMap;
use purlin_model::diff::{DetailedDiff, DiffKind, same_value};
use purlin_model::path::{PathElement, PropertyPath};
use purlin_model::value::{PropertyValue, is_internal_key};

use crate::lens::{Lens, Seen, UNKNOWN_VALUE};

/// Properties by name, each with what became of it.
pub(crate) type Entries<'a> = BTreeMap<String, Entry<'a>>;

/// One property or element, and what became of it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) change: Change<'a>,
    /// Whether the change makes a replacement necessary.
    pub(crate) replaces: bool,
    /// Whether nothing of the values may be shown, whatever they look like: one side is secret.
    pub(crate) masked: bool,
}

/// What became of a value.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    Same(&'a PropertyValue),
    Add(&'a PropertyValue),
    Delete(&'a PropertyValue),
    Update(&'a PropertyValue, &'a PropertyValue),
    Object(Entries<'a>),
    List(BTreeMap<usize, Entry<'a>>),
}

impl<'a> Entry<'a> {
    fn new(change: Change<'a>) -> Self {
        Entry { change, replaces: false, masked: false }
    }

    /// Whether anything differs.
    pub(crate) fn differs(&self) -> bool {
        match &self.change {
            Change::Same(_) => false,
            Change::Object(entries) => entries.values().any(Entry::differs),
            Change::List(entries) => entries.values().any(Entry::differs),
            Change::Add(_) | Change::Delete(_) | Change::Update(..) => true,
        }
    }
}

/// Compares values for display.
pub(crate) struct Comparer<'h> {
    lens: Lens,
    hide: &'h [PropertyPath],
    /// Top-level properties of which nothing may be shown.
    masked: BTreeSet<String>,
    path: Vec<PathElement>,
    /// The patterns by which differences were left out.
    pub(crate) hidden: BTreeSet<String>,
}

impl<'h> Comparer<'h> {
    pub(crate) fn new(lens: Lens, hide: &'h [PropertyPath]) -> Self {
        Comparer { lens, hide, masked: BTreeSet::new(), path: Vec::new(), hidden: BTreeSet::new() }
    }

    /// Hides each property that is secret in a bag, in whatever other bag it stands.
    pub(crate) fn mask(&mut self, bag: &PropertyMap) {
        if !self.lens.show_secrets {
            self.masked.extend(bag.iter().filter(|(_, v)| self.lens.hides(v)).map(|(k, _)| k.clone()));
        }
    }

    /// Hides properties by name.
    pub(crate) fn mask_keys(&mut self, keys: &[String]) {
        if !self.lens.show_secrets {
            self.masked.extend(keys.iter().cloned());
        }
    }

    /// Whether a top-level property is hidden as a whole.
    pub(crate) fn is_masked(&self, key: &str) -> bool {
        self.masked.contains(key)
    }

    /// What differs between two bags. Internal properties are left out.
    pub(crate) fn maps<'a>(&mut self, old: &'a PropertyMap, new: &'a PropertyMap) -> Entries<'a> {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut entries = Entries::new();
        for key in keys.into_iter().filter(|key| !is_internal_key(key)) {
            let masked = self.path.is_empty() && self.masked.contains(key);
            self.path.push(PathElement::Key(key.clone()));
            if let Some(mut entry) = self.entry(old.get(key), new.get(key)) {
                if masked {
                    entry = masked_entry(old.get(key), new.get(key)).unwrap_or(entry);
                }
                entries.insert(key.clone(), entry);
            }
            self.path.pop();
        }
        entries
    }

    fn entry<'a>(
        &mut self,
        old: Option<&'a PropertyValue>,
        new: Option<&'a PropertyValue>,
    ) -> Option<Entry<'a>> {
        if !self.hide.is_empty() && self.leave_out(&self.path.clone(), !same(old, new)) {
            return None;
        }
        match (old, new) {
            (None, None) => None,
            (None, Some(new)) => Some(Entry::new(Change::Add(new))),
            (Some(old), None) => Some(Entry::new(Change::Delete(old))),
            (Some(old), Some(new)) => Some(self.values(old, new)),
        }
    }

    /// What differs between two values.
    pub(crate) fn values<'a>(&mut self, old: &'a PropertyValue, new: &'a PropertyValue) -> Entry<'a> {
        let (a, b) = match (self.lens.look(old), self.lens.look(new)) {
            (Seen::Value(a), Seen::Value(b)) => (a, b),
            (Seen::Unknown, Seen::Unknown) => return Entry::new(Change::Same(new)),
            (Seen::Secret, _) | (_, Seen::Secret) => {
                return masked_entry(Some(old), Some(new)).unwrap_or(Entry::new(Change::Same(new)));
            }
            _ => return Entry::new(Change::Update(old, new)),
        };
        // Equal values may still hide different parts of themselves.
        let plain = self.hide.is_empty() && !self.lens.hides_within(old);
        if plain && same_value(a, b) {
            return Entry::new(Change::Same(new));
        }
        match (a, b) {
            (PropertyValue::Object(a), PropertyValue::Object(b)) => {
                Entry::new(Change::Object(self.maps(a, b)))
            }
            (PropertyValue::Array(a), PropertyValue::Array(b)) => {
                let mut entries = BTreeMap::new();
                for index in 0..a.len().max(b.len()) {
                    self.path.push(PathElement::Index(index));
                    if let Some(entry) = self.entry(a.get(index), b.get(index)) {
                        entries.insert(index, entry);
                    }
                    self.path.pop();
                }
                Entry::new(Change::List(entries))
            }
            _ if same_value(a, b) => Entry::new(Change::Same(new)),
            _ => Entry::new(Change::Update(old, new)),
        }
    }

    /// Whether a path is to be left out; remembers the pattern if something differs there.
    fn leave_out(&mut self, path: &[PathElement], differs: bool) -> bool {
        let path = PropertyPath(path.to_vec());
        let Some(pattern) = self.hide.iter().find(|pattern| pattern.covers(&path)) else { return false };
        if differs {
            self.hidden.insert(pattern.to_string());
        }
        true
    }

    /// What differs by the provider's word. `old` and `new` choose the bags by whether a path is
    /// about inputs.
    pub(crate) fn detailed<'a>(
        &mut self,
        diff: &DetailedDiff,
        old: impl Fn(bool) -> &'a PropertyMap,
        new: impl Fn(bool) -> &'a PropertyMap,
    ) -> Entries<'a> {
        let mut entries = Entries::new();
        for (text, said) in diff {
            let mut path = match PropertyPath::parse(text) {
                Ok(path) => path.0,
                Err(_) => vec![PathElement::Key(text.clone())],
            };
            let key = match path.first() {
                Some(PathElement::Key(key)) => key.clone(),
                _ => {
                    path = vec![PathElement::Key(text.clone())];
                    text.clone()
                }
            };
            if is_internal_key(&key) || self.leave_out(&path, true) {
                continue;
            }
            let (old, new) = (old(said.input_diff).get(&key), new(said.input_diff).get(&key));
            let placed = if self.masked.contains(&key) {
                leaf(said.kind, old, new).map(|mut entry| {
                    entry.masked = true;
                    entry.replaces = said.kind.is_replace();
                    entry
                })
            } else {
                self.place(entries.remove(&key), &path[1..], old, new, said.kind)
            };
            if let Some(entry) = placed {
                entries.insert(key, entry);
            }
        }
        entries
    }

    /// Puts the word of the provider on the rest of a path into what is known of the value there.
    fn place<'a>(
        &mut self,
        known: Option<Entry<'a>>,
        rest: &[PathElement],
        old: Option<&'a PropertyValue>,
        new: Option<&'a PropertyValue>,
        kind: DiffKind,
    ) -> Option<Entry<'a>> {
        let at_end = |comparer: &mut Self| {
            let mut entry = match (kind, old, new) {
                (DiffKind::Update | DiffKind::UpdateReplace, Some(old), Some(new)) => {
                    let entry = comparer.values(old, new);
                    if entry.differs() { entry } else { masked_update(comparer.lens, old, new) }
                }
                _ => leaf(kind, old, new)?,
            };
            entry.masked |= [old, new].into_iter().flatten().any(|v| comparer.lens.hides(v));
            entry.replaces = kind.is_replace();
            Some(entry)
        };
        let Some((next, rest)) = rest.split_first() else { return at_end(self) };
        if known.as_ref().is_some_and(|e| !matches!(e.change, Change::Object(_) | Change::List(_))) {
            return known;
        }
        let look = |v: Option<&'a PropertyValue>| v.map(|v| self.lens.look(v));
        let (a, b) = match (look(old), look(new)) {
            (Some(Seen::Value(a)), Some(Seen::Value(b))) => (a, b),
            // Where one side is missing or opaque, the difference is the whole value's.
            _ => return known.or_else(|| at_end(self)),
        };
        match (next, a, b) {
            (PathElement::Key(key), PropertyValue::Object(a), PropertyValue::Object(b)) => {
                let mut entries = match known {
                    Some(Entry { change: Change::Object(entries), .. }) => entries,
                    _ => Entries::new(),
                };
                if let Some(entry) = self.place(entries.remove(key), rest, a.get(key), b.get(key), kind) {
                    entries.insert(key.clone(), entry);
                }
                Some(Entry::new(Change::Object(entries)))
            }
            (PathElement::Index(at), PropertyValue::Array(a), PropertyValue::Array(b)) => {
                let mut entries = match known {
                    Some(Entry { change: Change::List(entries), .. }) => entries,
                    _ => BTreeMap::new(),
                };
                if let Some(entry) = self.place(entries.remove(at), rest, a.get(*at), b.get(*at), kind) {
                    entries.insert(*at, entry);
                }
                Some(Entry::new(Change::List(entries)))
            }
            _ => known.or_else(|| at_end(self)),
        }
    }
}

fn same(old: Option<&PropertyValue>, new: Option<&PropertyValue>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => same_value(old, new),
        (old, new) => old.is_none() && new.is_none(),
    }
}

/// What becomes of a value of which nothing may be shown.
fn masked_entry<'a>(old: Option<&'a PropertyValue>, new: Option<&'a PropertyValue>) -> Option<Entry<'a>> {
    let change = match (old, new) {
        (Some(old), Some(new)) if same_value(old, new) => Change::Same(new),
        (Some(old), Some(new)) => Change::Update(old, new),
        (Some(old), None) => Change::Delete(old),
        (None, Some(new)) => Change::Add(new),
        (None, None) => return None,
    };
    Some(Entry { change, replaces: false, masked: true })
}

/// The provider says that two values differ though they look the same.
fn masked_update<'a>(lens: Lens, old: &'a PropertyValue, new: &'a PropertyValue) -> Entry<'a> {
    let masked = lens.hides_within(old) != lens.hides_within(new) || lens.hides(old) || lens.hides(new);
    Entry { change: Change::Update(old, new), replaces: false, masked }
}

/// The provider's word on a value as a whole.
fn leaf<'a>(
    kind: DiffKind,
    old: Option<&'a PropertyValue>,
    new: Option<&'a PropertyValue>,
) -> Option<Entry<'a>> {
    Some(Entry::new(match kind {
        DiffKind::Add | DiffKind::AddReplace => Change::Add(new.unwrap_or(&UNKNOWN_VALUE)),
        DiffKind::Delete | DiffKind::DeleteReplace => Change::Delete(old.unwrap_or(&UNKNOWN_VALUE)),
        DiffKind::Update | DiffKind::UpdateReplace => match (old, new) {
            (None, Some(new)) => Change::Add(new),
            (old, new) => Change::Update(old.unwrap_or(&UNKNOWN_VALUE), new.unwrap_or(&UNKNOWN_VALUE)),
        },
    }))
}
