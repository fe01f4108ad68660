//! Secret texts hidden wherever they turn up.
//!
//! A value that is marked is hidden by whoever shows it. But a program may have taken the mark off: a
//! command line that was put together, or what a tool printed, can hold a secret of the configuration.

use std::sync::Arc;

use purlin_model::event::{EngineEvent, StateView, StepView};
use purlin_model::{PropertyMap, PropertyValue};

/// What stands for a secret.
const MASK: &str = "[secret]";

/// The least number of bytes of a text that is looked for: shorter ones are everywhere.
const LEAST: usize = 3;

/// Texts that nobody is to see.
#[derive(Clone)]
pub struct Redaction {
    /// The longest come first, so that none is taken for a part of another.
    secrets: Arc<[String]>,
}

impl Redaction {
    /// Hides these texts, also as they stand inside JSON. Texts of less than three bytes, and `true`
    /// and `false`, are left alone. `None` if there is nothing to be hidden.
    pub fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<Redaction> {
        let mut secrets: Vec<String> = Vec::new();
        for text in texts {
            let told = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
            if text.len() < LEAST || told {
                continue;
            }
            secrets.push(text.to_owned());
            let quoted = serde_json::Value::from(text).to_string();
            secrets.push(quoted[1..quoted.len() - 1].to_owned());
        }
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        (!secrets.is_empty()).then(|| Redaction { secrets: secrets.into() })
    }

    /// A text without secrets.
    pub fn text(&self, text: &mut String) {
        let mut shown = String::new();
        let mut rest = text.as_str();
        // Of those that begin at one place the first found is the longest.
        while let Some((at, secret)) = self
            .secrets
            .iter()
            .filter_map(|secret| Some((rest.find(secret.as_str())?, secret)))
            .min_by_key(|f| f.0)
        {
            shown.push_str(&rest[..at]);
            shown.push_str(MASK);
            rest = &rest[at + secret.len()..];
        }
        if rest.len() < text.len() {
            shown.push_str(rest);
            *text = shown;
        }
    }

    /// An event without secrets: in what is said, and in every text among the properties.
    pub fn event(&self, event: &mut EngineEvent) {
        match event {
            EngineEvent::Diagnostic { prefix, message, .. } => {
                self.text(prefix);
                self.text(message);
            }
            EngineEvent::Stdout { message } | EngineEvent::Progress { message, .. } => self.text(message),
            EngineEvent::ResourcePre { step, .. }
            | EngineEvent::ResourceOutputs { step, .. }
            | EngineEvent::ResourceFailed { step, .. } => self.step(step),
            EngineEvent::PolicyViolation(verdict) => self.text(&mut verdict.message),
            EngineEvent::PolicyRemediation(repair) => {
                self.bag(&mut repair.before);
                self.bag(&mut repair.after);
            }
            EngineEvent::Prelude { .. }
            | EngineEvent::PolicyLoad
            | EngineEvent::PolicySummary(_)
            | EngineEvent::Summary { .. }
            | EngineEvent::Cancel => {}
        }
    }

    fn step(&self, step: &mut StepView) {
        for view in [&mut step.old, &mut step.new].into_iter().flatten() {
            self.view(view);
        }
    }

    fn view(&self, view: &mut StateView) {
        self.bag(&mut view.inputs);
        self.bag(&mut view.outputs);
        if view.state.init_errors.iter().any(|text| self.says(text)) {
            Arc::make_mut(&mut view.state).init_errors.iter_mut().for_each(|text| self.text(text));
        }
    }

    fn bag(&self, bag: &mut Arc<PropertyMap>) {
        // Most bags hold none, and are shared.
        if bag.values().any(|value| self.is_in(value)) {
            Arc::make_mut(bag).values_mut().for_each(|value| self.value(value));
        }
    }

    /// Whether a secret stands in a text.
    fn says(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// Whether a secret stands in a value in clear.
    fn is_in(&self, value: &PropertyValue) -> bool {
        match value {
            PropertyValue::String(text) => self.says(text),
            PropertyValue::Array(items) => items.iter().any(|item| self.is_in(item)),
            PropertyValue::Object(map) => map.values().any(|item| self.is_in(item)),
            PropertyValue::Output(output) if !output.secret => {
                output.value.as_ref().is_some_and(|value| self.is_in(value))
            }
            _ => false,
        }
    }

    fn value(&self, value: &mut PropertyValue) {
        match value {
            PropertyValue::String(text) => self.text(text),
            PropertyValue::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            PropertyValue::Object(map) => map.values_mut().for_each(|item| self.value(item)),
            PropertyValue::Output(output) if !output.secret => {
                output.value.iter_mut().for_each(|value| self.value(value));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use purlin_diag::Severity;
    use purlin_model::{ResourceState, Urn};

    use super::*;

    fn said(message: &str) -> EngineEvent {
        EngineEvent::Diagnostic {
            urn: None,
            prefix: String::new(),
            message: message.to_owned(),
            severity: Severity::Error,
            stream_id: 0,
            ephemeral: false,
        }
    }

    fn hidden(secrets: &[&str], message: &str) -> String {
        let mut event = said(message);
        Redaction::new(secrets.iter().copied()).unwrap().event(&mut event);
        let EngineEvent::Diagnostic { message, .. } = event else { unreachable!() };
        message
    }

    #[test]
    fn what_is_said_is_said_without_secrets() {
        assert_eq!(hidden(&["hunter2"], "login hunter2; hunter2!"), "login [secret]; [secret]!");
        assert_eq!(hidden(&["abc", "abcdef"], "abcdef abc"), "[secret] [secret]");
        assert_eq!(hidden(&["secret", "word"], "secret word"), "[secret] [secret]");
        assert_eq!(hidden(&["a\"b\nc"], r#"{"x": "a\"b\nc"}"#), r#"{"x": "[secret]"}"#);
        assert_eq!(hidden(&["a\"b\nc"], "a\"b\nc"), "[secret]");
    }

    #[test]
    fn short_texts_and_truth_values_are_no_secrets() {
        assert!(Redaction::new(["", "ab", "true", "False"]).is_none());
        assert_eq!(hidden(&["ab", "abc"], "ab abc"), "ab [secret]");
    }

    #[test]
    fn texts_among_properties_are_hidden_and_what_holds_none_stays_shared() {
        let text = |text: &str| PropertyValue::String(text.to_owned());
        let bag = |value: PropertyValue| Arc::new(PropertyMap::from_iter([("x".to_owned(), value)]));
        let state = Arc::new(ResourceState::new(Urn::new("s", "p", None, "a:b:C", "r"), true));
        let inputs = bag(PropertyValue::Array(vec![text("pw=hunter2"), PropertyValue::Null]));
        let outputs = bag(text("nothing"));
        let view = StateView { state, inputs: Arc::clone(&inputs), outputs: Arc::clone(&outputs) };
        let redaction = Redaction::new(["hunter2"]).unwrap();
        let mut changed = view;
        redaction.view(&mut changed);
        assert_eq!(
            changed.inputs.get("x"),
            Some(&PropertyValue::Array(vec![text("pw=[secret]"), PropertyValue::Null]))
        );
        assert!(Arc::ptr_eq(&changed.outputs, &outputs));
        assert_eq!(
            inputs.get("x"),
            Some(&PropertyValue::Array(vec![text("pw=hunter2"), PropertyValue::Null]))
        );

        // What is marked is for those who show it: they may have been asked to.
        let marked = bag(text("hunter2").into_secret());
        let mut same = Arc::clone(&marked);
        redaction.bag(&mut same);
        assert!(Arc::ptr_eq(&same, &marked));
    }
}
