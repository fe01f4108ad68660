//! What the tests of all providers share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::{CustomTimeouts, PropertyMap, PropertyValue, Urn};
use purlin_ports::{
    CallContext, CheckArgs, Clock, CreateArgs, DeleteArgs, DiffArgs, DiffResult, Entropy, Operated, Provider,
    ReadArgs, UpdateArgs,
};
use serde_json::Value;

use crate::{BuiltinDeps, StackOutputs};

/// Entropy that is other at each call and the same in each test.
#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let n = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes()[0];
        }
    }
}

pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> String {
        "2026-01-01T12:00:00.2505Z".to_owned()
    }

    fn unix_seconds(&self) -> i64 {
        1_767_268_800
    }
}

/// Two stacks, of which one can't be read.
pub(crate) struct Stacks;

#[async_trait]
impl StackOutputs for Stacks {
    async fn outputs(&self, reference: &str) -> Result<PropertyMap, Diagnostic> {
        match reference {
            "org/app/dev" => Ok(map(r#"{"a": 1, "key": {"SECRET": "k"}, "deep": [{"SECRET": 2}]}"#)),
            other => {
                Err(Diagnostic::error("stack-missing", format!("no stack {other}")).with_hint("make it"))
            }
        }
    }

    async fn resource_outputs(&self, reference: &str) -> Result<PropertyMap, Diagnostic> {
        self.outputs(reference).await?;
        Ok(map(r#"{"urn:a": {"type": "t", "outputs": {"x": 1}}}"#))
    }
}

pub(crate) fn deps(directory: &Path) -> BuiltinDeps {
    BuiltinDeps {
        entropy: Arc::new(Counting::default()),
        clock: Arc::new(Noon),
        stack_outputs: Arc::new(Stacks),
        environment: BTreeMap::from([
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("FROM_OUTSIDE".to_owned(), "outside".to_owned()),
        ]),
        directory: directory.to_owned(),
        lines: None,
    }
}

/// A bag out of JSON, in which `{"SECRET": x}` is a secret and `"UNKNOWN"` is not known.
pub(crate) fn map(json: &str) -> PropertyMap {
    let value: Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
    match decode(&value) {
        PropertyValue::Object(map) => map,
        other => panic!("no object: {other:?}"),
    }
}

pub(crate) fn decode(value: &Value) -> PropertyValue {
    match value {
        Value::Null => PropertyValue::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => PropertyValue::Number(number.as_f64().unwrap()),
        Value::String(text) if text == "UNKNOWN" => PropertyValue::Unknown,
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => PropertyValue::Array(items.iter().map(decode).collect()),
        Value::Object(entries) => match entries.get("SECRET") {
            Some(inner) if entries.len() == 1 => decode(inner).into_secret(),
            _ => entries.iter().map(|(k, v)| (k.clone(), decode(v))).collect::<PropertyMap>().into(),
        },
    }
}

/// The other way round, for comparisons that are easy to read.
pub(crate) fn show(value: &PropertyValue) -> Value {
    match value {
        PropertyValue::Null => Value::Null,
        PropertyValue::Bool(flag) => (*flag).into(),
        PropertyValue::Number(number) if number.fract() == 0.0 => (*number as i64).into(),
        PropertyValue::Number(number) => (*number).into(),
        PropertyValue::String(text) => text.as_str().into(),
        PropertyValue::Array(items) => items.iter().map(show).collect(),
        PropertyValue::Object(map) => show_map(map),
        PropertyValue::Secret(inner) => serde_json::json!({"SECRET": show(inner)}),
        PropertyValue::Unknown => "UNKNOWN".into(),
        other => format!("{other:?}").into(),
    }
}

pub(crate) fn show_map(map: &PropertyMap) -> Value {
    map.iter().map(|(k, v)| (k.clone(), show(v))).collect::<serde_json::Map<_, _>>().into()
}

pub(crate) fn urn(token: &str) -> Urn {
    Urn::new("dev", "proj", None, token, "res")
}

fn context(token: &str, preview: bool) -> CallContext {
    CallContext::new(urn(token), preview, CustomTimeouts::default())
}

pub(crate) fn check_args(token: &str, news: PropertyMap) -> CheckArgs {
    CheckArgs {
        urn: urn(token),
        olds: Arc::default(),
        news: Arc::new(news),
        random_seed: vec![0; 32],
        autonaming: None,
    }
}

pub(crate) fn create_args(token: &str, inputs: PropertyMap, preview: bool) -> CreateArgs {
    CreateArgs { context: context(token, preview), inputs: Arc::new(inputs) }
}

pub(crate) fn read_args(token: &str, id: &str, inputs: PropertyMap, outputs: PropertyMap) -> ReadArgs {
    let (inputs, outputs) = (Arc::new(inputs), Arc::new(outputs));
    ReadArgs { context: context(token, false), id: id.to_owned(), inputs, outputs }
}

pub(crate) fn delete_args(token: &str, id: &str, outputs: PropertyMap) -> DeleteArgs {
    let outputs = Arc::new(outputs);
    DeleteArgs { context: context(token, false), id: id.to_owned(), inputs: outputs.clone(), outputs }
}

/// A resource that exists.
#[derive(Clone)]
pub(crate) struct Existing {
    pub(crate) token: &'static str,
    pub(crate) id: String,
    pub(crate) inputs: PropertyMap,
    pub(crate) outputs: PropertyMap,
}

impl Existing {
    pub(crate) async fn create(provider: &dyn Provider, token: &'static str, inputs: &str) -> Existing {
        let inputs = map(inputs);
        let made = provider.create(create_args(token, inputs.clone(), false)).await.unwrap();
        Existing { token, id: made.id, inputs, outputs: made.outputs }
    }

    pub(crate) async fn diff(&self, provider: &dyn Provider, news: &str) -> DiffResult {
        let args = DiffArgs {
            urn: urn(self.token),
            id: self.id.clone(),
            old_inputs: Arc::new(self.inputs.clone()),
            old_outputs: Arc::new(self.outputs.clone()),
            new_inputs: Arc::new(map(news)),
            ignore_changes: vec![],
            preview: true,
        };
        provider.diff(args).await.unwrap()
    }

    pub(crate) async fn update(&self, provider: &dyn Provider, news: &str, preview: bool) -> Operated {
        let args = UpdateArgs {
            context: context(self.token, preview),
            id: self.id.clone(),
            old_inputs: Arc::new(self.inputs.clone()),
            old_outputs: Arc::new(self.outputs.clone()),
            new_inputs: Arc::new(map(news)),
            ignore_changes: vec![],
        };
        provider.update(args).await.unwrap()
    }
}
