//! What older versions wrote, brought to the present form.

use std::sync::Arc;

use purlin_model::{Bag, PropertyMap, RawText, ResourceState, Snapshot};

use crate::reader::members;
use crate::text::{Escape, ObjectWriter};

/// Brings a snapshot from version 1 or 2 to the present form: what resources had as `defaults` is
/// dropped, and every input is taken to depend on all that its resource depends on.
pub(super) fn from_old_version(snapshot: &mut Snapshot) {
    let states = snapshot.resources.iter_mut();
    for state in states.chain(snapshot.pending_operations.iter_mut().map(|o| &mut o.resource)) {
        let state = Arc::make_mut(state);
        state.unknown_keys.retain(|(key, _)| key != "defaults");
        let keys = input_keys(&state.inputs);
        state.property_dependencies = keys.into_iter().map(|key| (key, state.dependencies.clone())).collect();
    }
}

fn input_keys(bag: &Bag) -> Vec<String> {
    match bag {
        Bag::Decoded(map) => map.keys().cloned().collect(),
        Bag::Raw(raw) => members(raw.as_str()).into_iter().map(|(key, _)| key.to_string()).collect(),
    }
}

/// Gives provider states without outputs their inputs as outputs, without what the engine keeps
/// there for itself. Says whether anything changed, in which case the state must be written.
pub fn migrate_provider_outputs(snapshot: &mut Snapshot) -> bool {
    let mut changed = false;
    for state in &mut snapshot.resources {
        if state.is_provider() && !is_empty(&state.inputs) && is_empty(&state.outputs) {
            let outputs = without_internals(state);
            Arc::make_mut(state).outputs = outputs;
            changed = true;
        }
    }
    changed
}

const INTERNAL: &str = "__internal";

fn is_empty(bag: &Bag) -> bool {
    match bag {
        Bag::Decoded(map) => map.is_empty(),
        Bag::Raw(raw) => members(raw.as_str()).is_empty(),
    }
}

fn without_internals(state: &ResourceState) -> Bag {
    match &state.inputs {
        Bag::Decoded(map) => {
            let kept = map.iter().filter(|(key, _)| *key != INTERNAL);
            Bag::from(kept.map(|(key, value)| (key.clone(), value.clone())).collect::<PropertyMap>())
        }
        Bag::Raw(raw) => {
            let mut out = String::new();
            let mut object = ObjectWriter::begin(&mut out, Escape::Plain);
            for (key, value) in members(raw.as_str()) {
                if &*key != INTERNAL {
                    object.any_key(&key).push_str(value.get());
                }
            }
            object.end();
            Bag::Raw(RawText::from(out))
        }
    }
}
