//! Views: the input `views` of a resource, an object, says which views its provider shows in it.

use std::collections::BTreeMap;

use purlin_model::event::StepOp;
use purlin_model::{PropertyMap, PropertyValue};
use purlin_ports::{CallContext, PublishedState, PublishedStep};

use super::text;

/// The type of all views.
pub const VIEW_TYPE: &str = "t:m:V";

/// How providers publish views.
#[derive(Clone, Debug, Default)]
pub struct ViewRules {
    /// Views that go wrong, with the text.
    wrong: BTreeMap<String, String>,
    /// Views that are replaced rather than updated; whether deleted first.
    replaced: BTreeMap<String, bool>,
    /// What reads find: views with new values, or gone.
    drift: BTreeMap<String, PropertyMap>,
    /// Resources whose provider says nothing of views.
    silent: Vec<String>,
}

impl ViewRules {
    /// Takes `wrong <view> ["text"]`, `replaced <view> [first]`, `drift <resource> view=value`,
    /// `silent <resource>`, `heals`.
    pub fn line(&mut self, words: &[String]) -> Result<(), String> {
        match words {
            [verb] if verb == "heals" => *self = ViewRules::default(),
            [verb, name, more @ ..] if verb == "wrong" => {
                let reason = more.first().map(|text| text::constant(text)).transpose()?;
                let reason = reason.as_ref().and_then(PropertyValue::as_str).unwrap_or("the view broke");
                self.wrong.insert(name.clone(), reason.to_owned());
            }
            [verb, name, more @ ..] if verb == "replaced" => {
                self.replaced.insert(name.clone(), more.first().is_some_and(|word| word == "first"));
            }
            [verb, name, more @ ..] if verb == "drift" => {
                let views = self.drift.entry(name.clone()).or_default();
                for word in more {
                    let (key, value) =
                        word.split_once('=').ok_or_else(|| format!("'{word}' is not 'view=value'"))?;
                    views.insert(key.to_owned(), text::constant(value)?);
                }
            }
            [verb, name] if verb == "silent" => self.silent.push(name.clone()),
            _ => return Err(format!("views don't know '{}'", words.join(" "))),
        }
        Ok(())
    }

    fn is_silent(&self, context: &CallContext) -> bool {
        context.status.token.is_empty() || self.silent.iter().any(|name| name == context.urn.name())
    }

    /// What is published when a resource is made or changed.
    pub fn made(&self, context: &CallContext, inputs: &PropertyMap) -> Vec<PublishedStep> {
        if self.is_silent(context) {
            return Vec::new();
        }
        let wanted = wanted(inputs);
        let mut steps = Vec::new();
        for (name, value) in &wanted {
            let new = state(name, value);
            let old = old(context, name);
            match &old {
                Some(old) if old.inputs == new.inputs => {
                    steps.push(self.step(StepOp::Same, Some(old), Some(&new)))
                }
                Some(old) => match self.replaced.get(name) {
                    None => steps.push(self.step(StepOp::Update, Some(old), Some(&new))),
                    Some(first) => steps.extend(self.replacement(old, &new, *first)),
                },
                None => steps.push(self.step(StepOp::Create, None, Some(&new))),
            }
        }
        let gone = context.old_views.iter().filter(|view| !wanted.contains_key(&view.name));
        steps.extend(
            gone.filter_map(|view| old(context, &view.name))
                .map(|old| self.step(StepOp::Delete, Some(&old), None)),
        );
        steps
    }

    fn replacement(&self, old: &PublishedState, new: &PublishedState, first: bool) -> Vec<PublishedStep> {
        let logical = self.step(StepOp::Replace, Some(old), Some(new));
        if first {
            vec![
                self.step(StepOp::DeleteReplaced, Some(old), None),
                logical,
                self.step(StepOp::CreateReplacement, None, Some(new)),
            ]
        } else {
            vec![
                self.step(StepOp::CreateReplacement, Some(old), Some(new)),
                logical,
                self.step(StepOp::DeleteReplaced, Some(old), None),
            ]
        }
    }

    /// What is published when a resource is deleted.
    pub fn deleted(&self, context: &CallContext) -> Vec<PublishedStep> {
        if self.is_silent(context) {
            return Vec::new();
        }
        let all = context.old_views.iter().filter_map(|view| old(context, &view.name));
        all.map(|old| self.step(StepOp::Delete, Some(&old), None)).collect()
    }

    /// What is published when a resource is read: what has drifted, once.
    pub fn read(&mut self, context: &CallContext) -> Vec<PublishedStep> {
        if self.is_silent(context) {
            return Vec::new();
        }
        let drift = self.drift.remove(context.urn.name()).unwrap_or_default();
        let mut steps = Vec::new();
        for (name, value) in drift {
            let old = old(context, &name);
            let new = (value != PropertyValue::Null).then(|| state(&name, &value));
            let op = match (&old, &new) {
                (_, None) => StepOp::Delete,
                (None, _) => StepOp::Create,
                _ => StepOp::Update,
            };
            steps.push(self.step(op, old.as_ref(), new.as_ref()));
        }
        steps
    }

    fn step(&self, op: StepOp, old: Option<&PublishedState>, new: Option<&PublishedState>) -> PublishedStep {
        let name = new.or(old).map(|side| side.name.as_str()).unwrap_or_default();
        PublishedStep {
            op,
            error: self.wrong.get(name).cloned().unwrap_or_default(),
            old: old.cloned(),
            new: new.cloned(),
            replace_keys: Vec::new(),
            diff_keys: Vec::new(),
            detailed: None,
        }
    }
}

fn wanted(inputs: &PropertyMap) -> PropertyMap {
    match inputs.get("views") {
        Some(PropertyValue::Object(views)) => views.clone(),
        _ => PropertyMap::new(),
    }
}

fn state(name: &str, value: &PropertyValue) -> PublishedState {
    let bag = PropertyMap::from([("value".to_owned(), value.clone())]);
    PublishedState { ty: VIEW_TYPE.into(), name: name.to_owned(), inputs: bag.clone(), outputs: bag }
}

fn old(context: &CallContext, name: &str) -> Option<PublishedState> {
    let view = context.old_views.iter().find(|view| view.name == name)?;
    Some(PublishedState {
        ty: view.ty.clone(),
        name: view.name.clone(),
        inputs: PropertyMap::clone(&view.inputs),
        outputs: PropertyMap::clone(&view.outputs),
    })
}

/// The views that a call is told of.
pub fn told(context: &CallContext) -> String {
    let views: Vec<String> = context
        .old_views
        .iter()
        .map(|view| format!("{}: {}", view.name, text::map_line(&view.inputs)))
        .collect();
    if views.is_empty() { String::new() } else { format!(" views [{}]", views.join(", ")) }
}
