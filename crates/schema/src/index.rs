//! Where in the text each token's description is, and what has been bound of it so far.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use purlin_diag::Diagnostic;
use serde_json::value::RawValue;

/// The descriptions of one section, by token.
pub(crate) struct Section<T> {
    entries: Vec<Entry<T>>,
    by_token: HashMap<Arc<str>, usize>,
    by_folded: OnceLock<HashMap<String, usize>>,
}

struct Entry<T> {
    token: Arc<str>,
    range: Range<usize>,
    bound: OnceLock<Result<Arc<T>, Diagnostic>>,
}

impl<T> Section<T> {
    pub(crate) fn new(text: &str, members: Vec<(String, &RawValue)>) -> Self {
        let mut by_token = HashMap::with_capacity(members.len());
        let mut entries = Vec::with_capacity(members.len());
        for (token, raw) in members {
            let token: Arc<str> = token.into();
            by_token.insert(Arc::clone(&token), entries.len());
            entries.push(Entry { token, range: range_in(text, raw.get()), bound: OnceLock::new() });
        }
        Section { entries, by_token, by_folded: OnceLock::new() }
    }

    pub(crate) fn tokens(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.token)
    }

    /// The token as the schema has it: the same, or the same in another case.
    pub(crate) fn canonical(&self, token: &str) -> Option<&str> {
        if let Some(at) = self.by_token.get(token) {
            return Some(&self.entries[*at].token);
        }
        let folded = self.by_folded.get_or_init(|| {
            let mut folded = HashMap::with_capacity(self.entries.len());
            for (at, entry) in self.entries.iter().enumerate() {
                folded.entry(entry.token.to_lowercase()).or_insert(at);
            }
            folded
        });
        folded.get(&token.to_lowercase()).map(|at| &*self.entries[*at].token)
    }

    /// What is described under a token, bound by `bind` when it is asked for the first time.
    pub(crate) fn get(
        &self,
        text: &str,
        token: &str,
        bind: impl FnOnce(&str, &str) -> Result<T, Diagnostic>,
    ) -> Option<Result<Arc<T>, Diagnostic>> {
        let entry = &self.entries[*self.by_token.get(token)?];
        let bound = entry.bound.get_or_init(|| {
            let slice = text.get(entry.range.clone()).unwrap_or_default();
            bind(&entry.token, slice).map(Arc::new)
        });
        Some(bound.clone())
    }
}

/// Where a slice of a text is in it.
pub(crate) fn range_in(text: &str, slice: &str) -> Range<usize> {
    let start = (slice.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + slice.len()
}
