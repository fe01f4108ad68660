//! The lines of an `import` block.

use purlin_model::urn::PROVIDER_TYPE_PREFIX;
use purlin_model::{PackageDescriptor, PropertyMap, PropertyValue, Snapshot, Urn};
use purlin_plan::ImportRequest;

use super::program::{Item, Verb};
use super::{PROJECT, STACK, text};

fn ty(item: &Item) -> String {
    let usual = match item.verb {
        Verb::Component => "t:m:C".to_owned(),
        Verb::Provider => format!("{PROVIDER_TYPE_PREFIX}{}", item.options.text("package").unwrap_or("t")),
        _ => "t:m:R".to_owned(),
    };
    item.options.text("type").map_or(usual, str::to_owned)
}

/// The URN of a name: of the list, else of the state, else of itself.
fn urn_of(name: &str, items: &[Item], state: &Snapshot) -> Urn {
    if let Some(urn) = Urn::parse(name) {
        return urn;
    }
    if let Some(item) = items.iter().find(|item| item.name == name) {
        let root = Urn::root_stack(STACK, PROJECT);
        let parent = match item.options.text("parent") {
            Some(parent) => Some(urn_of(parent, items, state)),
            None => (item.verb != Verb::Provider).then_some(root),
        };
        return Urn::new(STACK, PROJECT, parent.as_ref(), &ty(item), name);
    }
    let known = state.resources.iter().find(|state| state.urn.name() == name);
    known.map_or_else(|| Urn::new(STACK, PROJECT, None, "t:m:R", name), |state| state.urn.clone())
}

/// What the lines ask for.
pub fn requests(items: &[Item], state: &Snapshot) -> Vec<ImportRequest> {
    items.iter().map(|item| request(item, items, state)).collect()
}

fn request(item: &Item, items: &[Item], state: &Snapshot) -> ImportRequest {
    let options = &item.options;
    let urn = |key: &str| options.text(key).map(|name| urn_of(name, items, state));
    let nothing = |_: &str, _: Option<&str>| PropertyValue::Unknown;
    let inputs: PropertyMap =
        item.inputs.iter().map(|(key, value)| (key.clone(), value.value(&nothing))).collect();
    let ty = ty(item);
    let package = options
        .text("version")
        .map(|version| PackageDescriptor::new(purlin_model::urn::package_of_type(&ty), version));
    ImportRequest {
        name: item.name.clone(),
        id: options.text("import").unwrap_or_default().to_owned(),
        parent: urn("parent"),
        provider: urn("provider"),
        provider_inputs: PropertyMap::new(),
        package,
        extension: item.extension(),
        protect: options.flag("protect").unwrap_or_default(),
        properties: options.list("properties"),
        inputs: (!inputs.is_empty()).then_some(inputs),
        outputs: options.text("outputs").and_then(|map| text::object(map).ok()),
        component: item.verb == Verb::Component,
        remote: options.has("remote"),
        ty,
    }
}
