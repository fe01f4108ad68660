//! Small builders of events.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use purlin_diag::Severity;
use purlin_model::diff::{DetailedDiff, DiffKind, PathDiff};
use purlin_model::event::{EngineEvent, OperationResult, StateView, StepOp, StepView};
use purlin_model::policy::{PolicyName, PolicyRepair, PolicySeverity, PolicyVerdict};
use purlin_model::urn::{ProviderRef, STACK_TYPE, Urn};
use purlin_model::{PropertyMap, PropertyValue, ResourceState};

pub(crate) const PET: &str = "random:index/randomPet:RandomPet";
pub(crate) const STRING: &str = "random:index/randomString:RandomString";
pub(crate) const COMPONENT: &str = "shop:web:Site";

pub(crate) fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

pub(crate) fn bag<V: Into<PropertyValue> + Clone>(pairs: &[(&str, V)]) -> PropertyMap {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone().into())).collect()
}

pub(crate) fn list(items: &[PropertyValue]) -> PropertyValue {
    PropertyValue::Array(items.to_vec())
}

pub(crate) fn secret(value: impl Into<PropertyValue>) -> PropertyValue {
    value.into().into_secret()
}

pub(crate) fn urn(ty: &str, name: &str) -> Urn {
    match ty {
        STACK_TYPE => Urn::root_stack("dev", "shop"),
        ty => Urn::new("dev", "shop", None, ty, name),
    }
}

/// A resource from which events are made.
#[derive(Clone)]
pub(crate) struct Res {
    pub(crate) step: StepView,
}

fn view(state: &ResourceState, inputs: PropertyMap, outputs: PropertyMap) -> StateView {
    StateView { state: Arc::new(state.clone()), inputs: Arc::new(inputs), outputs: Arc::new(outputs) }
}

impl Res {
    pub(crate) fn new(op: StepOp, ty: &str, name: &str) -> Res {
        let step = StepView {
            op,
            urn: urn(ty, name),
            old: None,
            new: None,
            replace_keys: vec![],
            diff_keys: vec![],
            detailed_diff: None,
            cause: None,
            logical: !matches!(op, StepOp::CreateReplacement | StepOp::DeleteReplaced),
            provider: String::new(),
        };
        let res = Res { step };
        match op {
            StepOp::Create => res.new_side(PropertyMap::new(), PropertyMap::new()),
            StepOp::Delete | StepOp::DeleteReplaced => res.old_side(PropertyMap::new(), PropertyMap::new()),
            _ => res
                .old_side(PropertyMap::new(), PropertyMap::new())
                .new_side(PropertyMap::new(), PropertyMap::new()),
        }
    }

    pub(crate) fn stack(op: StepOp) -> Res {
        Res::new(op, STACK_TYPE, "shop-dev")
    }

    fn state(&self, id: &str) -> ResourceState {
        let custom = ![STACK_TYPE, COMPONENT].contains(&self.step.urn.ty());
        let mut state = ResourceState::new(self.step.urn.clone(), custom);
        if custom {
            state.id = id.to_owned();
            let provider = urn("pulumi:providers:random", "default");
            state.provider = Some(ProviderRef::new(provider, "p1"));
        }
        if self.step.urn.ty() != STACK_TYPE {
            state.parent = Some(urn(STACK_TYPE, ""));
        }
        state
    }

    pub(crate) fn old_side(mut self, inputs: PropertyMap, outputs: PropertyMap) -> Res {
        self.step.old = Some(view(&self.state("id-1"), inputs, outputs));
        self
    }

    pub(crate) fn new_side(mut self, inputs: PropertyMap, outputs: PropertyMap) -> Res {
        self.step.new = Some(view(&self.state(""), inputs, outputs));
        self
    }

    /// Changes the states on both sides.
    pub(crate) fn with(mut self, change: impl Fn(&mut ResourceState)) -> Res {
        for view in self.step.old.iter_mut().chain(&mut self.step.new) {
            change(Arc::make_mut(&mut view.state));
        }
        self
    }

    pub(crate) fn below(self, parent: &Urn) -> Res {
        self.with(|state| state.parent = Some(parent.clone()))
    }

    pub(crate) fn with_new(mut self, change: impl Fn(&mut ResourceState)) -> Res {
        if let Some(view) = &mut self.step.new {
            change(Arc::make_mut(&mut view.state));
        }
        self
    }

    pub(crate) fn detailed(mut self, paths: &[(&str, DiffKind, bool)]) -> Res {
        let diff: DetailedDiff = paths
            .iter()
            .map(|(path, kind, input_diff)| {
                ((*path).to_owned(), PathDiff { kind: *kind, input_diff: *input_diff })
            })
            .collect();
        self.step.detailed_diff = Some(diff);
        self
    }

    pub(crate) fn pre(&self) -> EngineEvent {
        EngineEvent::ResourcePre { step: Box::new(self.step.clone()), planning: false }
    }

    pub(crate) fn done(&self) -> EngineEvent {
        EngineEvent::ResourceOutputs { step: Box::new(self.step.clone()), planning: false }
    }

    pub(crate) fn failed(&self) -> EngineEvent {
        EngineEvent::ResourceFailed { step: Box::new(self.step.clone()), outcome_unknown: false, steps: 0 }
    }

    /// The outputs of a component, as they come after its step.
    pub(crate) fn amended(&self, outputs: PropertyMap) -> EngineEvent {
        let mut res = self.clone().new_side(PropertyMap::new(), outputs);
        res.step.old = None;
        res.done()
    }
}

pub(crate) fn say(urn: Option<&Urn>, severity: Severity, message: &str) -> EngineEvent {
    EngineEvent::Diagnostic {
        urn: urn.cloned(),
        prefix: String::new(),
        message: message.to_owned(),
        severity,
        stream_id: 0,
        ephemeral: false,
    }
}

pub(crate) fn summary(preview: bool, changes: &[(StepOp, u64)]) -> EngineEvent {
    EngineEvent::Summary {
        preview,
        maybe_corrupt: false,
        duration_seconds: 3,
        changes: changes.iter().copied().collect::<BTreeMap<_, _>>(),
        policy_packs: BTreeMap::new(),
        result: OperationResult::Succeeded,
    }
}

fn policy(name: &str) -> PolicyName {
    PolicyName { pack: "rules".into(), version: "1.0.0".into(), policy: name.to_owned() }
}

/// A violation by the resource `pet`.
pub(crate) fn violated(name: &str, mandatory: bool, message: &str) -> EngineEvent {
    EngineEvent::PolicyViolation(Box::new(PolicyVerdict {
        urn: urn(PET, "pet"),
        policy: policy(name),
        message: message.to_owned(),
        mandatory,
        severity: mandatory.then_some(PolicySeverity::High),
    }))
}

/// A repair of the resource `pet`.
pub(crate) fn repaired(name: &str, before: PropertyMap, after: PropertyMap) -> EngineEvent {
    EngineEvent::PolicyRemediation(Box::new(PolicyRepair {
        urn: urn(PET, "pet"),
        policy: policy(name),
        before: Arc::new(before),
        after: Arc::new(after),
    }))
}

/// The summary of a run that packs judged.
pub(crate) fn judged(packs: &[(&str, &str)]) -> EngineEvent {
    let EngineEvent::Summary { preview, maybe_corrupt, duration_seconds, changes, result, .. } =
        summary(false, &[(StepOp::Create, 1)])
    else {
        unreachable!("a summary")
    };
    let policy_packs =
        packs.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
    EngineEvent::Summary { preview, maybe_corrupt, duration_seconds, changes, policy_packs, result }
}
