//! States as lines: how cases lay them in, and how results show them.

use std::fmt::Write;

use purlin_model::urn::STACK_TYPE;
use purlin_model::{
    OperationKind, PendingOperation, PropertyMap, PropertyValue, ProviderRef, ResourceState, SealedValue,
    Snapshot, Urn,
};

use super::codec::Codec;
use super::{PROJECT, STACK, text};

/// How a resource is called: by name, with its types where the name alone is not enough.
pub fn label(urn: &Urn) -> String {
    if urn.ty() == STACK_TYPE { "stack".to_owned() } else { urn.name().to_owned() }
}

/// How a resource is called among others.
fn label_among(urn: &Urn, all: &Snapshot) -> String {
    let other = |state: &ResourceState| state.urn.name() == urn.name() && state.urn != *urn;
    if all.resources.iter().any(|state| other(state)) {
        return format!("{}::{}", urn.qualified_type(), urn.name());
    }
    label(urn)
}

fn labels(urns: &[Urn], all: &Snapshot) -> String {
    urns.iter().map(|urn| label_among(urn, all)).collect::<Vec<_>>().join(",")
}

/// The lines of a snapshot.
pub fn show(snapshot: &Snapshot, codec: &Codec) -> Vec<String> {
    let mut lines: Vec<String> =
        snapshot.resources.iter().map(|state| show_state(state, snapshot, codec)).collect();
    for pending in &snapshot.pending_operations {
        let line = show_state(&pending.resource, snapshot, codec);
        lines.push(format!("pending {} {line}", pending.kind.as_str()));
    }
    lines
}

/// The line of a state.
fn show_state(state: &ResourceState, all: &Snapshot, codec: &Codec) -> String {
    let (verb, usual) = if state.urn.ty() == STACK_TYPE {
        ("stack", STACK_TYPE)
    } else if state.is_provider() {
        ("provider", "pulumi:providers:t")
    } else if state.custom {
        ("custom", "t:m:R")
    } else {
        ("component", "t:m:C")
    };
    let mut line = verb.to_owned();
    if verb != "stack" {
        let _ = write!(line, " {}", state.urn.name());
    }
    if !state.id.is_empty() && !state.is_provider() {
        let _ = write!(line, " id={}", state.id);
    }
    let (inputs, outputs) = (codec.map(&state.inputs), codec.map(&state.outputs));
    if !inputs.is_empty() {
        let _ = write!(line, " in={}", text::map_line(&inputs));
    }
    if outputs != inputs {
        let _ = write!(line, " out={}", text::map_line(&outputs));
    }
    if &*state.ty != usual {
        let _ = write!(line, " @type={}", state.ty);
    }
    let root = all.resources.iter().find(|other| other.urn.ty() == STACK_TYPE).map(|other| &other.urn);
    match &state.parent {
        Some(parent) if Some(parent) != root => {
            let _ = write!(line, " @parent={}", label_among(parent, all));
        }
        None if root.is_some() && verb != "stack" && !state.is_provider() => line.push_str(" @parent=none"),
        _ => {}
    }
    let usual =
        Urn::new(state.urn.stack(), state.urn.project(), state.parent.as_ref(), &state.ty, state.urn.name());
    if usual != state.urn {
        let _ = write!(line, " @urn={}", state.urn);
    }
    flags(state, all, &mut line);
    if let Some(trigger) = &state.replacement_trigger {
        let mut shown = String::new();
        text::show(&codec.value(trigger), &mut shown);
        let _ = write!(line, " @trigger={shown}");
    }
    line
}

fn flags(state: &ResourceState, all: &Snapshot, line: &mut String) {
    let flags = [
        ("delete", state.delete),
        ("pendingReplacement", state.pending_replacement),
        ("protect", state.protect),
        ("taint", state.taint),
        ("external", state.external),
        ("retain", state.retain_on_delete),
        ("refreshBeforeUpdate", state.refresh_before_update),
    ];
    for (name, _) in flags.into_iter().filter(|(_, set)| *set) {
        let _ = write!(line, " @{name}");
    }
    if !state.extension_ref.is_empty() {
        let known = all.extensions.contains_key(&state.extension_ref);
        let _ = write!(line, " @extends={}{}", state.extension_ref, if known { "" } else { "/gone" });
    }
    if let Some(provider) = &state.provider {
        let _ = write!(line, " @provider={}", label_among(provider.urn(), all));
        let live =
            all.resources.iter().filter_map(|state| state.as_provider()).any(|known| known == *provider);
        line.push_str(if live { "" } else { "/gone" });
    }
    let one = |urn: &Urn| label_among(urn, all);
    let with: Vec<Urn> = state.property_dependencies.values().flatten().cloned().collect();
    let plain: Vec<Urn> = state.dependencies.iter().filter(|urn| !with.contains(urn)).cloned().collect();
    let lists = [
        ("deps", labels(&plain, all)),
        ("replaceWith", labels(&state.replace_with, all)),
        ("deletedWith", state.deleted_with.iter().map(one).collect()),
        ("ignore", state.ignore_changes.join(",")),
        ("hide", state.hide_diffs.join(",")),
        ("replaceOn", state.replace_on_changes.join(",")),
        ("secretOutputs", state.additional_secret_outputs.join(",")),
        ("import", state.import_id.clone()),
        ("viewOf", state.view_of.iter().map(one).collect()),
    ];
    for (name, value) in lists.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = write!(line, " @{name}={value}");
    }
    for (property, urns) in &state.property_dependencies {
        let _ = write!(line, " @from={property}:{}", labels(urns, all));
    }
    for alias in &state.aliases {
        let _ = write!(line, " @alias={alias}");
    }
    for error in &state.init_errors {
        let _ = write!(line, " @error=\"{error}\"");
    }
    for (kind, names) in &state.resource_hooks.by_kind {
        for name in names {
            let _ = write!(line, " @hook={kind}:{name}");
        }
    }
}

/// Lays a line into a snapshot. Returns the state's managed thing: id, inputs and outputs.
pub fn read(
    line: &str,
    snapshot: &mut Snapshot,
    codec: &Codec,
) -> Result<Option<(ResourceState, PropertyMap, PropertyMap)>, String> {
    let words = text::words(line);
    if words.first().is_some_and(|word| word == "pending") {
        let kind = words.get(1).and_then(|word| OperationKind::parse(word));
        let kind = kind.ok_or_else(|| format!("'{line}' says no kind of operation"))?;
        let (mut state, inputs, outputs) = read_state(&words[2..], snapshot, codec)?;
        let made = words.iter().any(|word| word == "@made").then(|| (state.clone(), inputs, outputs));
        if made.is_some() {
            // Nobody was told the id.
            state.id.clear();
        }
        snapshot.pending_operations.push(PendingOperation { kind, resource: state.into() });
        return Ok(made);
    }
    let (state, inputs, outputs) = read_state(&words, snapshot, codec)?;
    let ghost = words.iter().any(|word| word == "@ghost");
    snapshot.resources.push(state.clone().into());
    let managed = state.custom && !state.is_provider() && !state.pending_replacement && !ghost;
    Ok(managed.then_some((state, inputs, outputs)))
}

fn find<'a>(name: &str, snapshot: &'a Snapshot) -> Result<&'a ResourceState, String> {
    let is = |state: &ResourceState| {
        state.urn.as_str() == name
            || label(&state.urn) == name
            || format!("{}::{}", state.urn.qualified_type(), state.urn.name()) == name
    };
    let all = || snapshot.resources.iter().filter(|state| is(state));
    let found = all().find(|state| !state.delete).or_else(|| all().next_back());
    found.map(|state| &**state).ok_or_else(|| format!("no state is called '{name}'"))
}

/// The URN that a name stands for in a state.
pub fn urn_of(name: &str, snapshot: &Snapshot) -> Result<Urn, String> {
    match find(name, snapshot) {
        Ok(state) => Ok(state.urn.clone()),
        Err(problem) => Urn::parse(name).ok_or(problem),
    }
}

type Read = (ResourceState, PropertyMap, PropertyMap);

fn read_state(words: &[String], snapshot: &mut Snapshot, codec: &Codec) -> Result<Read, String> {
    let verb = words.first().map(String::as_str).unwrap_or_default();
    let root = Urn::root_stack(STACK, PROJECT);
    let (name, rest) = match (verb, words.get(1)) {
        ("stack", _) => (root.name().to_owned(), &words[1..]),
        (_, Some(name)) => (name.clone(), &words[2..]),
        _ => return Err(format!("'{verb}' has no name")),
    };
    let option =
        |key: &str| rest.iter().find_map(|word| word.strip_prefix('@')?.strip_prefix(key)?.strip_prefix('='));
    let ty = match (option("type"), verb) {
        (Some(ty), _) => ty,
        (_, "stack") => STACK_TYPE,
        (_, "component") => "t:m:C",
        (_, "provider") => "pulumi:providers:t",
        (_, "custom") => "t:m:R",
        _ => return Err(format!("no line of a state begins with '{verb}'")),
    };
    let has_root = snapshot.resources.iter().any(|state| state.urn == root);
    let parent = match option("parent") {
        Some("none") => None,
        Some(parent) => Some(urn_of(parent, snapshot)?),
        None => Some(root)
            .filter(|_| has_root && verb != "stack" && !(verb == "provider" && name.starts_with("default"))),
    };
    let urn = match option("urn") {
        Some(urn) => Urn::parse(urn).ok_or_else(|| format!("'{urn}' is no URN"))?,
        None => Urn::new(STACK, PROJECT, parent.as_ref(), ty, &name),
    };
    let mut state = ResourceState::new(urn, matches!(verb, "custom" | "provider"));
    state.ty = ty.into();
    state.parent = parent;
    if state.custom {
        state.id = if state.is_provider() { format!("{name}-id") } else { format!("{name}-1") };
    }
    let (mut inputs, mut outputs) = (PropertyMap::new(), None);
    for word in rest {
        if let Some(option) = word.strip_prefix('@') {
            set(option, &mut state, snapshot, codec)?;
        } else if let Some((key, value)) = word.split_once('=') {
            match key {
                "id" => value.clone_into(&mut state.id),
                "in" => inputs = text::object(value)?,
                "out" => outputs = Some(text::object(value)?),
                other => return Err(format!("a state has no '{other}'")),
            }
        }
    }
    if let Some(extension) = option("extends").map(super::program::extension) {
        extension.reference.clone_into(&mut state.extension_ref);
        snapshot.extensions.insert(extension.reference.clone(), extension);
    }
    if state.custom && state.provider.is_none() && !state.is_provider() {
        let default =
            snapshot.resources.iter().find(|other| other.is_provider() && other.urn.name() == "default");
        state.provider = default.and_then(|other| other.as_provider());
    }
    let outputs = outputs.unwrap_or_else(|| inputs.clone());
    (state.inputs, state.outputs) = (codec.bag(&inputs), codec.bag(&outputs));
    let custom_resource = state.custom && !state.is_provider();
    if custom_resource {
        let time: std::sync::Arc<str> = "2026-01-01T00:00:00Z".into();
        (state.created, state.modified) = (Some(std::sync::Arc::clone(&time)), Some(time));
    }
    Ok((state, inputs, outputs))
}

fn set(option: &str, state: &mut ResourceState, snapshot: &Snapshot, codec: &Codec) -> Result<(), String> {
    let (key, value) = option.split_once('=').unwrap_or((option, ""));
    let words = || value.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let urns = |text: &str| text.split(',').map(|name| urn_of(name, snapshot)).collect::<Result<Vec<_>, _>>();
    match key {
        "type" | "parent" | "urn" | "ghost" | "made" | "extends" => {}
        "delete" => state.delete = true,
        "pendingReplacement" => state.pending_replacement = true,
        "protect" => state.protect = true,
        "taint" => state.taint = true,
        "external" => state.external = true,
        "retain" => state.retain_on_delete = true,
        "refreshBeforeUpdate" => state.refresh_before_update = true,
        "deps" => state.dependencies.extend(urns(value)?),
        "replaceWith" => state.replace_with = urns(value)?,
        "deletedWith" => state.deleted_with = urns(value)?.into_iter().next(),
        "viewOf" => state.view_of = urns(value)?.into_iter().next(),
        "ignore" => state.ignore_changes = words(),
        "hide" => state.hide_diffs = words(),
        "replaceOn" => state.replace_on_changes = words(),
        "secretOutputs" => state.additional_secret_outputs = words(),
        "import" => value.clone_into(&mut state.import_id),
        "error" => state.init_errors.push(text::constant(value)?.as_str().unwrap_or_default().to_owned()),
        "provider" => state.provider = Some(provider(value, snapshot)?),
        "alias" => state.aliases.push(Urn::parse(value).ok_or_else(|| format!("'{value}' is no URN"))?),
        "from" => {
            let (property, names) =
                value.split_once(':').ok_or_else(|| format!("'{value}' is not 'property:names'"))?;
            let urns = urns(names)?;
            state.dependencies.extend(
                urns.iter().filter(|urn| !state.dependencies.contains(urn)).cloned().collect::<Vec<_>>(),
            );
            state.property_dependencies.insert(property.to_owned(), urns);
        }
        "hook" => {
            let (kind, name) = value.split_once(':').unwrap_or((value, value));
            state.resource_hooks.by_kind.entry(kind.to_owned()).or_default().push(name.to_owned());
        }
        "trigger" => {
            let value = text::constant(value)?;
            let sealed = codec.put(&value);
            state.replacement_trigger = (value != PropertyValue::Null).then_some(SealedValue::Raw(sealed));
        }
        other => return Err(format!("a state has no '@{other}'")),
    }
    state.dependencies.sort();
    state.dependencies.dedup();
    Ok(())
}

fn provider(name: &str, snapshot: &Snapshot) -> Result<ProviderRef, String> {
    let (name, id) = name.split_once('/').map_or((name, None), |(name, id)| (name, Some(id)));
    let state = find(name, snapshot)?;
    match (id, state.as_provider()) {
        (Some(id), Some(_)) => Ok(ProviderRef::new(state.urn.clone(), id)),
        (None, Some(provider)) => Ok(provider),
        _ => Err(format!("'{name}' is no provider")),
    }
}
