//! Running a program: its steps start as soon as what they need is there.

mod assets;
mod config;
mod duration;
mod machine;
mod options;
mod step;

use purlin_diag::{Diagnostic, Severity};
use purlin_ports::{LogMessage, ResourceMonitor};

use crate::value::{Tracked, Value};

pub(crate) use config::ConfigType;
pub(crate) use machine::{Deployment, run};

/// Tells the user what is wrong (or worth knowing).
pub(crate) fn report(monitor: &dyn ResourceMonitor, problem: &Diagnostic) {
    monitor.log(LogMessage {
        severity: problem.severity,
        message: problem.to_string(),
        urn: problem.urn.as_deref().and_then(purlin_model::Urn::parse),
        stream_id: 0,
        ephemeral: false,
    });
}

/// Tells the user all of it; whether there was an error among it.
pub(crate) fn report_all(monitor: &dyn ResourceMonitor, problems: &[Diagnostic]) -> bool {
    problems.iter().for_each(|problem| report(monitor, problem));
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// A JSON value as one of the program's.
pub(crate) fn json_value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(value) => Value::Number(value.as_f64().unwrap_or_default()),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => {
            Value::List(items.into_iter().map(|item| Tracked::plain(json_value(item))).collect())
        }
        serde_json::Value::Object(fields) => Value::Object(
            fields.into_iter().map(|(key, value)| (key, Tracked::plain(json_value(value)))).collect(),
        ),
    }
}
