//! Rewriting names wherever they stand in a state.

use purlin_model::{Bag, ProviderRef, RawText, ResourceState, SealedValue, Urn};

/// How names change.
pub struct Renaming<'a> {
    /// The new name of a name; the same one if it stays.
    pub urn: &'a dyn Fn(&Urn) -> Urn,
    /// Whether the text of a bag may hold a name that changes. Bags that don't are left as they are.
    pub touches: &'a dyn Fn(&str) -> bool,
    /// Whether the names under which a state was known before change as well.
    pub aliases: bool,
}

/// A state with names rewritten: its own, all references, and references to resources in its bags.
/// Secrets are closed, so what is in them stays.
pub fn map_urns(state: &ResourceState, renaming: &Renaming<'_>) -> ResourceState {
    let map = renaming.urn;
    let list = |urns: &[Urn]| urns.iter().map(map).collect::<Vec<_>>();
    let one = |urn: &Option<Urn>| urn.as_ref().map(map);
    let by_property = state.property_dependencies.iter();
    ResourceState {
        urn: map(&state.urn),
        parent: one(&state.parent),
        dependencies: list(&state.dependencies),
        property_dependencies: by_property.map(|(key, urns)| (key.clone(), list(urns))).collect(),
        deleted_with: one(&state.deleted_with),
        replace_with: list(&state.replace_with),
        aliases: if renaming.aliases { list(&state.aliases) } else { state.aliases.clone() },
        view_of: one(&state.view_of),
        provider: state.provider.as_ref().map(|p| ProviderRef::new(map(p.urn()), p.id())),
        inputs: bag(&state.inputs, renaming),
        outputs: bag(&state.outputs, renaming),
        replacement_trigger: state.replacement_trigger.as_ref().map(|value| match value {
            SealedValue::Raw(text) => SealedValue::Raw(raw(text, renaming)),
            SealedValue::Decoded(_) => value.clone(),
        }),
        ..state.clone()
    }
}

fn bag(bag: &Bag, renaming: &Renaming<'_>) -> Bag {
    match bag {
        Bag::Raw(text) => Bag::Raw(raw(text, renaming)),
        Bag::Decoded(_) => bag.clone(),
    }
}

/// Rewrites the names in references to resources in the text of a bag.
fn raw(text: &RawText, renaming: &Renaming<'_>) -> RawText {
    if !(renaming.touches)(text.as_str()) {
        return text.clone();
    }
    let Ok(mut json) = serde_json::from_str(text.as_str()) else { return text.clone() };
    value(&mut json, renaming);
    RawText::from(json.to_string())
}

fn value(json: &mut serde_json::Value, renaming: &Renaming<'_>) {
    match json {
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| value(item, renaming)),
        serde_json::Value::Object(members) => {
            let signature = members.get(purlin_formats::signature::KEY).and_then(|sig| sig.as_str());
            let is_reference = signature == Some(purlin_formats::signature::REFERENCE);
            match members.get_mut("urn").filter(|_| is_reference) {
                Some(serde_json::Value::String(text)) => {
                    if let Some(urn) = Urn::parse(text) {
                        (renaming.urn)(&urn).as_str().clone_into(text);
                    }
                }
                _ => members.values_mut().for_each(|member| value(member, renaming)),
            }
        }
        _ => {}
    }
}
