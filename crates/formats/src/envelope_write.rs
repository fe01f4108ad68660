//! Resource states to their JSON text.

use purlin_diag::Diagnostic;
use purlin_model::{Bag, PropertyMap, ResourceState, SealedValue, Urn};

use crate::decode::ValueDecoder;
use crate::encode::{Shown, encode_open, encode_open_value, encode_shown, encode_shown_value};
use crate::text::{Escape, ObjectWriter, push_on_one_line, push_texts};

/// Where the properties of a written state come from.
#[derive(Clone, Copy)]
pub(crate) enum Bags<'b> {
    /// As the state has them. Decoded ones must hold no secret.
    Stored,
    /// To be shown in a digest.
    Shown {
        /// The inputs.
        inputs: &'b PropertyMap,
        /// The outputs.
        outputs: &'b PropertyMap,
    },
}

/// How a state is written.
#[derive(Clone, Copy)]
pub(crate) struct Style<'b> {
    pub(crate) bags: Bags<'b>,
    pub(crate) stack_trace: bool,
    pub(crate) escape: Escape,
}

/// As checkpoints have it.
pub(crate) const STORED: Style<'static> =
    Style { bags: Bags::Stored, stack_trace: true, escape: Escape::Plain };

/// Appends a state. Fails only if a bag that was not sealed holds a secret.
pub(crate) fn push_resource(
    out: &mut String,
    state: &ResourceState,
    style: Style<'_>,
) -> Result<(), Diagnostic> {
    let mut object = ObjectWriter::begin(out, style.escape);
    object.text("urn", state.urn.as_str());
    object.boolean("custom", state.custom);
    object.flag("delete", state.delete);
    object.text_if("id", &state.id);
    object.text("type", &state.ty);
    push_bags(&mut object, state, style)?;
    urn_if(&mut object, "parent", state.parent.as_ref());
    object.flag("protect", state.protect);
    object.flag("taint", state.taint);
    object.flag("external", state.external);
    object.texts_if("dependencies", state.dependencies.iter().map(Urn::as_str));
    object.texts_if("initErrors", state.init_errors.iter().map(String::as_str));
    if let Some(provider) = &state.provider {
        object.text("provider", &provider.to_string());
    }
    if !state.property_dependencies.is_empty() {
        let mut inner = ObjectWriter::begin(object.key("propertyDependencies"), style.escape);
        for (property, urns) in &state.property_dependencies {
            push_texts(inner.any_key(property), urns.iter().map(Urn::as_str), style.escape);
        }
        inner.end();
    }
    object.flag("pendingReplacement", state.pending_replacement);
    push_options(&mut object, state, style)?;
    for (key, json) in &state.unknown_keys {
        push_on_one_line(object.any_key(key), json);
    }
    object.end();
    Ok(())
}

fn push_bags(
    object: &mut ObjectWriter<'_>,
    state: &ResourceState,
    style: Style<'_>,
) -> Result<(), Diagnostic> {
    match style.bags {
        Bags::Stored => {
            for (key, bag) in [("inputs", &state.inputs), ("outputs", &state.outputs)] {
                match bag {
                    Bag::Raw(raw) if matches!(raw.as_str(), "{}" | "null") => {}
                    Bag::Raw(raw) => push_on_one_line(object.key(key), raw.as_str()),
                    Bag::Decoded(map) if map.is_empty() => {}
                    Bag::Decoded(map) => {
                        let text = encode_open(map)?.ok_or_else(|| unsealed(state))?;
                        object.raw(key, &text);
                    }
                }
            }
        }
        Bags::Shown { inputs, outputs } => {
            for (key, map) in [("inputs", inputs), ("outputs", outputs)] {
                if !map.is_empty() {
                    object.raw(key, &encode_shown(map, Shown::Digest, style.escape));
                }
            }
        }
    }
    Ok(())
}

fn push_options(
    object: &mut ObjectWriter<'_>,
    state: &ResourceState,
    style: Style<'_>,
) -> Result<(), Diagnostic> {
    object.texts_if("additionalSecretOutputs", strings(&state.additional_secret_outputs));
    object.texts_if("aliases", state.aliases.iter().map(Urn::as_str));
    if !state.custom_timeouts.is_empty() {
        let mut inner = ObjectWriter::begin(object.key("customTimeouts"), style.escape);
        inner.number_if("create", state.custom_timeouts.create);
        inner.number_if("update", state.custom_timeouts.update);
        inner.number_if("delete", state.custom_timeouts.delete);
        inner.number_if("read", state.custom_timeouts.read);
        inner.end();
    }
    object.text_if("importID", &state.import_id);
    object.flag("retainOnDelete", state.retain_on_delete);
    urn_if(object, "deletedWith", state.deleted_with.as_ref());
    object.texts_if("replaceWith", state.replace_with.iter().map(Urn::as_str));
    object.text_if("created", state.created.as_deref().unwrap_or_default());
    object.text_if("modified", state.modified.as_deref().unwrap_or_default());
    object.text_if("sourcePosition", state.source_position.as_deref().unwrap_or_default());
    if style.stack_trace && !state.stack_trace.is_empty() {
        let out = object.key("stackTrace");
        for (index, position) in state.stack_trace.iter().enumerate() {
            out.push(if index == 0 { '[' } else { ',' });
            let mut frame = ObjectWriter::begin(out, style.escape);
            frame.text_if("sourcePosition", position);
            frame.end();
        }
        out.push(']');
    }
    object.texts_if("ignoreChanges", strings(&state.ignore_changes));
    object.texts_if("hideDiff", strings(&state.hide_diffs));
    object.texts_if("replaceOnChanges", strings(&state.replace_on_changes));
    if let Some(trigger) = &state.replacement_trigger {
        push_trigger(object, trigger, state, style)?;
    }
    object.flag("refreshBeforeUpdate", state.refresh_before_update);
    urn_if(object, "viewOf", state.view_of.as_ref());
    if !state.resource_hooks.by_kind.is_empty() {
        let mut inner = ObjectWriter::begin(object.key("resourceHooks"), style.escape);
        for (kind, names) in &state.resource_hooks.by_kind {
            push_texts(inner.any_key(kind), names.iter().map(String::as_str), style.escape);
        }
        inner.end();
    }
    object.text_if("extensionRef", &state.extension_ref);
    object.text_if("snippetID", &state.snippet_id);
    Ok(())
}

fn push_trigger(
    object: &mut ObjectWriter<'_>,
    trigger: &SealedValue,
    state: &ResourceState,
    style: Style<'_>,
) -> Result<(), Diagnostic> {
    match (trigger, style.bags) {
        (SealedValue::Raw(raw), Bags::Stored) => {
            push_on_one_line(object.key("replacementTrigger"), raw.as_str());
        }
        (SealedValue::Decoded(value), Bags::Stored) => {
            let text = encode_open_value(value)?.ok_or_else(|| unsealed(state))?;
            if text != "null" {
                object.raw("replacementTrigger", &text);
            }
        }
        (SealedValue::Raw(raw), Bags::Shown { .. }) => {
            let decoder = ValueDecoder::new(raw.as_str())?;
            let text = encode_shown_value(decoder.without_plaintexts(), Shown::Digest, style.escape);
            object.raw("replacementTrigger", &text);
        }
        (SealedValue::Decoded(value), Bags::Shown { .. }) => {
            object.raw("replacementTrigger", &encode_shown_value(value, Shown::Digest, style.escape));
        }
    }
    Ok(())
}

fn strings(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(String::as_str)
}

fn urn_if(object: &mut ObjectWriter<'_>, key: &str, urn: Option<&Urn>) {
    if let Some(urn) = urn {
        object.text(key, urn.as_str());
    }
}

fn unsealed(state: &ResourceState) -> Diagnostic {
    Diagnostic::error(
        "state-unsealed",
        format!("the state of '{}' holds a secret that was not encrypted, so it is not written", state.urn),
    )
    .with_urn(state.urn.as_str())
    .with_hint("this is a defect of the program: please report it")
}
