//! Resource states from their JSON text.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::goal::CustomTimeouts;
use purlin_model::state::ResourceHooks;
use purlin_model::{Bag, ResourceState, SealedValue, Urn};
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use crate::reader::{Member, Members, ObjectParser, Reader, Text, Texts, or_default};

/// Reads one state.
pub(crate) fn resource<'r, 's>(
    reader: &'r Reader<'s>,
) -> impl DeserializeSeed<'s, Value = ResourceState> + use<'r, 's> {
    Members(StateParser {
        reader,
        urn: None,
        ty: None,
        // Replaced as soon as the URN is known; any valid name serves.
        state: ResourceState::new(Urn::new("", "", None, "", ""), false),
    })
}

struct StateParser<'r, 's> {
    reader: &'r Reader<'s>,
    urn: Option<Urn>,
    ty: Option<Arc<str>>,
    state: ResourceState,
}

impl<'s> ObjectParser<'s> for StateParser<'_, 's> {
    type Value = ResourceState;
    const WHAT: &'static str = "the state of a resource";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        if self.options(key, member)? {
            return Ok(());
        }
        let reader = self.reader;
        let state = &mut self.state;
        match &**key {
            "urn" => self.urn = optional_urn(reader, member)?,
            "custom" => state.custom = or_default(member)?,
            "delete" => state.delete = or_default(member)?,
            "id" => state.id = member.value::<Text>()?.to_string(),
            "type" => {
                let text = member.value::<Text>()?;
                self.ty = (!text.is_empty()).then(|| reader.shared(&text));
            }
            "inputs" => state.inputs = bag(reader, member.value()?)?,
            "outputs" => state.outputs = bag(reader, member.value()?)?,
            "parent" => state.parent = optional_urn(reader, member)?,
            "protect" => state.protect = or_default(member)?,
            "taint" => state.taint = or_default(member)?,
            "external" => state.external = or_default(member)?,
            "dependencies" => state.dependencies = urns(reader, &member.value()?)?,
            "initErrors" => state.init_errors = member.value::<Texts>()?.owned(),
            "provider" => {
                let text = member.value::<Text>()?;
                state.provider = if text.is_empty() { None } else { Some(reader.provider(&text)?) };
            }
            "propertyDependencies" => {
                let lists = or_default::<BTreeMap<String, Texts>, M>(member)?;
                state.property_dependencies = lists
                    .into_iter()
                    .map(|(property, list)| Ok((property, urns(reader, &list)?)))
                    .collect::<Result<_, _>>()?;
            }
            "pendingReplacement" => state.pending_replacement = or_default(member)?,
            "created" => state.created = optional_shared(reader, member)?,
            "modified" => state.modified = optional_shared(reader, member)?,
            "sourcePosition" => state.source_position = optional_shared(reader, member)?,
            "stackTrace" => state.stack_trace = reader.trace(member.value()?)?,
            _ => {
                let value: &'s RawValue = member.value()?;
                state.unknown_keys.push((key.to_string(), value.get().to_owned()));
            }
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(mut self) -> Result<ResourceState, E> {
        let Some(urn) = self.urn else {
            return Err(self
                .reader
                .fail(Diagnostic::error("state-no-urn", "a resource of the state has no URN")));
        };
        let Some(ty) = self.ty else {
            return Err(self.reader.fail(
                Diagnostic::error("state-no-type", format!("the resource '{urn}' of the state has no type"))
                    .with_urn(urn.as_str()),
            ));
        };
        if !self.state.custom && !self.state.id.is_empty() {
            return Err(self.reader.fail(
                Diagnostic::error(
                    "state-component-with-id",
                    format!("the resource '{urn}' of the state is a component but has an id"),
                )
                .with_urn(urn.as_str()),
            ));
        }
        self.state.urn = urn;
        self.state.ty = ty;
        Ok(self.state)
    }
}

impl<'s> StateParser<'_, 's> {
    /// Reads a member that holds an option; `false` if the key is none of them.
    fn options<M: Member<'s>>(&mut self, key: &str, member: &mut M) -> Result<bool, M::Error> {
        let reader = self.reader;
        let state = &mut self.state;
        match key {
            "additionalSecretOutputs" => state.additional_secret_outputs = member.value::<Texts>()?.owned(),
            "aliases" => state.aliases = urns(reader, &member.value()?)?,
            "customTimeouts" => state.custom_timeouts = member.seeded(Members(Timeouts::default()))?,
            "importID" => state.import_id = member.value::<Text>()?.to_string(),
            "retainOnDelete" => state.retain_on_delete = or_default(member)?,
            "deletedWith" => state.deleted_with = optional_urn(reader, member)?,
            "replaceWith" => state.replace_with = urns(reader, &member.value()?)?,
            "ignoreChanges" => state.ignore_changes = member.value::<Texts>()?.owned(),
            "hideDiff" => state.hide_diffs = member.value::<Texts>()?.owned(),
            "replaceOnChanges" => state.replace_on_changes = member.value::<Texts>()?.owned(),
            "replacementTrigger" => {
                let value: &'s RawValue = member.value()?;
                state.replacement_trigger =
                    (value.get() != "null").then(|| SealedValue::Raw(reader.raw(value)));
            }
            "refreshBeforeUpdate" => state.refresh_before_update = or_default(member)?,
            "viewOf" => state.view_of = optional_urn(reader, member)?,
            "resourceHooks" => {
                let hooks = or_default::<BTreeMap<String, Texts>, M>(member)?;
                let by_kind = hooks.into_iter().map(|(kind, names)| (kind, names.owned())).collect();
                state.resource_hooks = ResourceHooks { by_kind };
            }
            "extensionRef" => state.extension_ref = member.value::<Text>()?.to_string(),
            "snippetID" => state.snippet_id = member.value::<Text>()?.to_string(),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn bag<'s, E: serde::de::Error>(reader: &Reader<'s>, value: &'s RawValue) -> Result<Bag, E> {
    match value.get() {
        "null" | "{}" => Ok(Bag::empty()),
        text if text.starts_with('{') => Ok(Bag::Raw(reader.raw(value))),
        _ => Err(E::custom("the properties of a resource are not an object")),
    }
}

fn optional_urn<'s, M: Member<'s>>(reader: &Reader<'s>, member: &mut M) -> Result<Option<Urn>, M::Error> {
    let text = member.value::<Text>()?;
    if text.is_empty() { Ok(None) } else { reader.urn(&text).map(Some) }
}

fn optional_shared<'s, M: Member<'s>>(
    reader: &Reader<'s>,
    member: &mut M,
) -> Result<Option<Arc<str>>, M::Error> {
    let text = member.value::<Text>()?;
    Ok((!text.is_empty()).then(|| reader.shared(&text)))
}

fn urns<'s, E: serde::de::Error>(reader: &Reader<'s>, texts: &Texts<'s>) -> Result<Vec<Urn>, E> {
    texts.0.iter().map(|text| reader.urn(text)).collect()
}

#[derive(Default)]
struct Timeouts(CustomTimeouts);

impl<'de> ObjectParser<'de> for Timeouts {
    type Value = CustomTimeouts;
    const WHAT: &'static str = "timeouts";

    fn member<M: Member<'de>>(&mut self, key: &Text<'de>, member: &mut M) -> Result<(), M::Error> {
        let slot = match &**key {
            "create" => &mut self.0.create,
            "update" => &mut self.0.update,
            "delete" => &mut self.0.delete,
            "read" => &mut self.0.read,
            _ => return member.value::<serde::de::IgnoredAny>().map(drop),
        };
        *slot = or_default(member)?;
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<CustomTimeouts, E> {
        Ok(self.0)
    }
}
