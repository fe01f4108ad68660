//! What reached the test provider: its log of calls, read as values.

use std::path::Path;

use serde_json::Value;

/// One call that a provider answered, or began.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The method, as in the protocol: `Create`, `Diff`, ….
    pub(crate) method: String,
    /// The resource, if the call is about one.
    pub(crate) urn: String,
    /// Whether it was only a preview of the call.
    pub(crate) preview: bool,
}

impl Call {
    /// Whether the call was meant to change the cloud.
    pub(crate) fn changes_the_cloud(&self) -> bool {
        !self.preview && ["create", "update", "delete"].iter().any(|m| self.method.eq_ignore_ascii_case(m))
    }

    /// The name in the URN.
    pub(crate) fn name(&self) -> &str {
        self.urn.rsplit("::").next().unwrap_or_default()
    }
}

/// The calls that were begun, in the order of the log.
pub(crate) fn read(log: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty());
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text_of = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    lines
        .filter(|line| line["phase"] == "start" && line["method"] != "start")
        .map(|line| Call {
            method: text_of(&line, "method"),
            urn: text_of(&line, "urn"),
            preview: line["preview"] == true,
        })
        .collect()
}
