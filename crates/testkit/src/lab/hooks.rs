//! Hooks of programs: they are noted among the calls, wait where calls wait, and fail if they are to.

use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;
use purlin_ports::{ErrorHook, ErrorHookCall, Hook, HookCall, HookKind, HookSide, ResourceHook};

use super::cloud::Cloud;
use super::options::Options;
use super::text;

/// The hook of a line `hook <name>`.
pub fn hook(name: &str, options: &Options, cloud: &Cloud) -> Hook {
    let function = Noted::new(name, options, cloud);
    let kind = HookKind::Resource {
        function: std::sync::Arc::new(function),
        on_dry_run: options.has("dry"),
        ignore_errors: options.has("quiet"),
    };
    Hook { name: name.to_owned(), kind }
}

/// The hook of a line `errorhook <name>`.
pub fn error_hook(name: &str, options: &Options, cloud: &Cloud) -> Hook {
    let function = Noted::new(name, options, cloud);
    Hook { name: name.to_owned(), kind: HookKind::Error(std::sync::Arc::new(function)) }
}

struct Noted {
    name: String,
    cloud: Cloud,
    /// What it fails with.
    wrong: Option<String>,
    /// How often it still wants another attempt.
    retries: Mutex<usize>,
}

impl Noted {
    fn new(name: &str, options: &Options, cloud: &Cloud) -> Noted {
        let wrong = options.text("wrong").map(|text| if text.is_empty() { "oh no" } else { text });
        let retries = options.text("retries").and_then(|text| text.parse().ok()).unwrap_or_default();
        Noted {
            name: name.to_owned(),
            cloud: cloud.clone(),
            wrong: wrong.map(str::to_owned),
            retries: Mutex::new(retries),
        }
    }

    async fn call(&self, told: String) -> Result<(), String> {
        self.cloud.note(format!("hook {} {told}", self.name));
        self.cloud.gate.pass(format!("hook {}", self.name)).await;
        self.wrong.clone().map_or(Ok(()), Err)
    }
}

fn side(name: &str, side: Option<&HookSide>) -> String {
    let Some(side) = side else { return String::new() };
    let options = if side.state.protect { " protected" } else { "" };
    let outputs = side.outputs.as_ref().map(|map| format!(" -> {}", text::map_line(map))).unwrap_or_default();
    format!(" {name} {}{outputs}{options}", text::map_line(&side.inputs))
}

fn told(call: &HookCall) -> String {
    let id = if call.id.is_empty() { String::new() } else { format!(" id={}", call.id) };
    format!("{}{id}{}{}", call.urn.name(), side("old", call.old.as_ref()), side("new", call.new.as_ref()))
}

#[async_trait]
impl ResourceHook for Noted {
    async fn run(&self, call: HookCall) -> Result<(), String> {
        self.call(told(&call)).await
    }
}

#[async_trait]
impl ErrorHook for Noted {
    async fn run(&self, call: ErrorHookCall) -> Result<bool, String> {
        let newest = call.errors.first().map(String::as_str).unwrap_or_default();
        let line = format!("{} {} #{} {newest}", call.operation, told(&call.resource), call.errors.len());
        self.call(line).await?;
        let mut left = self.retries.lock().unwrap_or_else(PoisonError::into_inner);
        let again = *left > 0;
        *left = left.saturating_sub(1);
        Ok(again)
    }
}
