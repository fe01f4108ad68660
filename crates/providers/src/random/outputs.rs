//! The outputs of a resource, in the shape that the official plugin writes and reads.

use purlin_model::{PropertyMap, PropertyValue};

use super::spec::{Kind, Spec};

/// The private output in which the official plugin notes how its raw state differs from the
/// outputs.
const RAW_STATE_DELTA: &str = "__pulumi_raw_state_delta";

/// Outputs of a resource that exists: the planned inputs, what was made, and the private ones.
pub(super) fn finished(spec: &Spec, id: &str, mut planned: PropertyMap, made: PropertyMap) -> PropertyMap {
    planned.extend(made);
    for computed in spec.computed.iter().filter(|c| c.secret) {
        if let Some(value) = planned.get_mut(computed.name) {
            *value = std::mem::replace(value, PropertyValue::Null).into_secret();
        }
    }
    if spec.id_output {
        planned.insert("id".to_owned(), id.into());
    }
    if let Some(meta) = spec.meta {
        planned.insert("__meta".to_owned(), meta.into());
    }
    let delta = raw_state_delta(spec, &planned);
    planned.insert(RAW_STATE_DELTA.to_owned(), delta);
    planned
}

/// Outputs of a resource that will be created: what is made isn't known.
pub(super) fn predicted(spec: &Spec, mut planned: PropertyMap) -> PropertyMap {
    for computed in spec.computed {
        let unknown = PropertyValue::Unknown;
        let value = if computed.secret { unknown.into_secret() } else { unknown };
        planned.insert(computed.name.to_owned(), value);
    }
    if spec.id_output {
        planned.insert("id".to_owned(), PropertyValue::Unknown);
    }
    planned
}

/// What was made, out of the outputs of a state.
pub(super) fn made_before(spec: &Spec, outputs: &PropertyMap) -> PropertyMap {
    let names = spec.computed.iter().map(|c| c.name);
    names.filter_map(|name| outputs.get(name).map(|v| (name.to_owned(), v.clone()))).collect()
}

/// How the raw state of the official plugin comes out of the outputs: where it has an explicit
/// nothing, a map, a list, or another name.
fn raw_state_delta(spec: &Spec, outputs: &PropertyMap) -> PropertyValue {
    let mut properties = PropertyMap::new();
    for input in spec.inputs {
        let note = match (outputs.contains_key(input.name), input.kind) {
            (false, _) => object("replace", object("raw", PropertyValue::Null)).into_secret(),
            (true, Kind::TextMap) => object("map", PropertyMap::new().into()),
            (true, Kind::TextList) => object("arr", PropertyMap::new().into()),
            (true, _) => continue,
        };
        properties.insert(input.name.to_owned(), note);
    }
    for computed in spec.computed.iter().filter(|c| c.list) {
        properties.insert(computed.name.to_owned(), object("arr", PropertyMap::new().into()));
    }
    let mut delta = PropertyMap::from([("ps".to_owned(), properties.into())]);
    if !spec.renamed.is_empty() {
        let renamed: PropertyMap = spec.renamed.iter().map(|(a, b)| ((*a).to_owned(), (*b).into())).collect();
        delta.insert("renamed".to_owned(), renamed.into());
    }
    object("obj", delta.into())
}

fn object(key: &str, value: PropertyValue) -> PropertyValue {
    PropertyMap::from([(key.to_owned(), value)]).into()
}
