//! Giving a stack another name: URNs are rewritten wherever they stand.

use std::sync::Arc;

use purlin_model::urn::STACK_TYPE;
use purlin_model::{Bag, PendingOperation, ProviderRef, RawText, ResourceState, SealedValue, Snapshot, Urn};
use purlin_ports::StackId;

/// A snapshot as that of another stack. URNs of other stacks stay as they are. In bags those of
/// references to resources are rewritten; secrets are closed, so what is in them stays.
pub(crate) fn renamed(snapshot: &Snapshot, from: &StackId, to: &StackId) -> Snapshot {
    let renamer = Renamer { from, to, prefix: prefix(from), new_prefix: prefix(to) };
    let pending = |operation: &PendingOperation| PendingOperation {
        kind: operation.kind,
        resource: Arc::new(renamer.state(&operation.resource)),
    };
    Snapshot {
        resources: snapshot.resources.iter().map(|state| Arc::new(renamer.state(state))).collect(),
        pending_operations: snapshot.pending_operations.iter().map(pending).collect(),
        ..snapshot.clone()
    }
}

fn prefix(id: &StackId) -> String {
    format!("urn:pulumi:{}::{}::", id.name, id.project)
}

struct Renamer<'a> {
    from: &'a StackId,
    to: &'a StackId,
    prefix: String,
    new_prefix: String,
}

impl Renamer<'_> {
    fn urn(&self, urn: &Urn) -> Urn {
        if urn.stack() != self.from.name || urn.project() != self.from.project {
            return urn.clone();
        }
        if urn.qualified_type() == STACK_TYPE {
            return Urn::root_stack(&self.to.name, &self.to.project);
        }
        urn.with_stack(&self.to.name, &self.to.project)
    }

    fn state(&self, state: &ResourceState) -> ResourceState {
        let list = |urns: &[Urn]| urns.iter().map(|urn| self.urn(urn)).collect::<Vec<_>>();
        let one = |urn: &Option<Urn>| urn.as_ref().map(|urn| self.urn(urn));
        let by_property = state.property_dependencies.iter();
        ResourceState {
            urn: self.urn(&state.urn),
            parent: one(&state.parent),
            dependencies: list(&state.dependencies),
            property_dependencies: by_property.map(|(key, urns)| (key.clone(), list(urns))).collect(),
            deleted_with: one(&state.deleted_with),
            replace_with: list(&state.replace_with),
            aliases: list(&state.aliases),
            view_of: one(&state.view_of),
            provider: state.provider.as_ref().map(|p| ProviderRef::new(self.urn(p.urn()), p.id())),
            inputs: self.bag(&state.inputs),
            outputs: self.bag(&state.outputs),
            replacement_trigger: state.replacement_trigger.as_ref().map(|value| match value {
                SealedValue::Raw(raw) => SealedValue::Raw(self.raw(raw)),
                SealedValue::Decoded(_) => value.clone(),
            }),
            ..state.clone()
        }
    }

    fn bag(&self, bag: &Bag) -> Bag {
        match bag {
            Bag::Raw(raw) => Bag::Raw(self.raw(raw)),
            Bag::Decoded(_) => bag.clone(),
        }
    }

    /// Rewrites the URNs of resource references in the text of a bag.
    fn raw(&self, raw: &RawText) -> RawText {
        let text = raw.as_str();
        if !text.contains(&self.prefix) {
            return raw.clone();
        }
        let Ok(mut value) = serde_json::from_str(text) else { return raw.clone() };
        self.value(&mut value);
        RawText::from(value.to_string())
    }

    fn value(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            serde_json::Value::Object(members) => {
                let signature = members.get(purlin_formats::signature::KEY).and_then(|sig| sig.as_str());
                let is_reference = signature == Some(purlin_formats::signature::REFERENCE);
                if let Some(serde_json::Value::String(text)) = members.get_mut("urn").filter(|_| is_reference)
                {
                    if let Some(rest) = text.strip_prefix(&self.prefix) {
                        *text = format!("{}{rest}", self.new_prefix);
                    }
                } else {
                    members.values_mut().for_each(|member| self.value(member));
                }
            }
            _ => {}
        }
    }
}
