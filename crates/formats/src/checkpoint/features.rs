//! Features that a checkpoint declares so that programs which don't know them refuse it.

use std::collections::BTreeSet;

use memchr::memmem::Finder;
use purlin_model::{Bag, PropertyValue, RawText, ResourceState, SealedValue, Snapshot};

use crate::signature;

/// The feature of texts that are not valid UTF-8. Where such a text is inside a secret, the stored
/// bytes don't show it.
pub(crate) const BYTE_STRING: &str = "byteString";

/// The features that can be read and written.
pub const KNOWN_FEATURES: [&str; 8] = [
    "refreshBeforeUpdate",
    "views",
    "hooks",
    "taint",
    "replaceWith",
    "snippets-prototype",
    "extensionParameterization",
    BYTE_STRING,
];

/// The features that a snapshot must declare, sorted: those that its resources show, and those
/// that its base declared and stored bytes can't show.
pub fn features_of(snapshot: &Snapshot) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for state in &snapshot.resources {
        let shown = [
            (state.refresh_before_update, "refreshBeforeUpdate"),
            (state.view_of.is_some(), "views"),
            (!state.resource_hooks.by_kind.is_empty(), "hooks"),
            (state.taint, "taint"),
            (!state.replace_with.is_empty(), "replaceWith"),
            (!state.extension_ref.is_empty(), "extensionParameterization"),
            (!state.snippet_id.is_empty(), "snippets-prototype"),
        ];
        found.extend(shown.iter().filter(|(shows, _)| *shows).map(|(_, name)| *name));
    }
    let has_snippets =
        |(key, json): &(String, String)| key == "snippets" && !matches!(json.trim(), "null" | "[]");
    if snapshot.carried.iter().any(has_snippets) {
        found.insert("snippets-prototype");
    }
    if !snapshot.features.iter().any(|name| name == BYTE_STRING) {
        let finder = Finder::new(signature::BYTES);
        let operations = snapshot.pending_operations.iter().map(|operation| &operation.resource);
        if snapshot.resources.iter().chain(operations).any(|state| has_bytes(state, &finder)) {
            found.insert(BYTE_STRING);
        }
    }
    let mut found: BTreeSet<String> = found.into_iter().map(str::to_owned).collect();
    let hidden = |name: &&String| *name == BYTE_STRING || !KNOWN_FEATURES.contains(&name.as_str());
    found.extend(snapshot.features.iter().filter(hidden).cloned());
    found
}

fn has_bytes(state: &ResourceState, finder: &Finder<'_>) -> bool {
    let raw = |text: &RawText| finder.find(text.as_str().as_bytes()).is_some();
    let decoded = |value: &PropertyValue| value.any(&mut |v| matches!(v, PropertyValue::Bytes(_)));
    let bag = |bag: &Bag| match bag {
        Bag::Raw(text) => raw(text),
        Bag::Decoded(map) => map.values().any(decoded),
    };
    let trigger = match &state.replacement_trigger {
        Some(SealedValue::Raw(text)) => raw(text),
        Some(SealedValue::Decoded(value)) => decoded(value),
        None => false,
    };
    trigger || bag(&state.inputs) || bag(&state.outputs)
}
