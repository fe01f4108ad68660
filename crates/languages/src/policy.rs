//! How policy packs in a language are started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use purlin_diag::Diagnostic;
use purlin_ports::ProgramInfo;

use crate::settings::HostSettings;
use crate::{node, python};

/// What a pack is told when it starts.
#[derive(Clone, Debug)]
pub struct PolicyStart {
    /// The pack: its folder, and the options of its runtime.
    pub pack: ProgramInfo,
    /// Where the engine service listens, as `host:port`.
    pub engine_address: String,
    /// The stack's organization.
    pub organization: String,
    /// The project.
    pub project: String,
    /// The stack's short name.
    pub stack: String,
    /// Whether it is a preview.
    pub dry_run: bool,
    /// Configuration by `namespace:key`, secrets decrypted.
    pub config: BTreeMap<String, String>,
}

impl PolicyStart {
    /// What packs read from their environment, under names that begin with each of the prefixes.
    pub(crate) fn variables(&self, prefixes: &[&str]) -> Result<Vec<(String, String)>, Diagnostic> {
        let config = serde_json::to_string(&self.config).map_err(|e| {
            Diagnostic::error("config-text", format!("the configuration can't be passed on: {e}"))
        })?;
        let mut variables = vec![("PULUMI_CONFIG".to_owned(), config)];
        for prefix in prefixes {
            for (name, value) in [
                ("ORGANIZATION", self.organization.clone()),
                ("PROJECT", self.project.clone()),
                ("STACK", self.stack.clone()),
                ("DRY_RUN", self.dry_run.to_string()),
            ] {
                variables.push((format!("{prefix}{name}"), value));
            }
        }
        Ok(variables)
    }
}

/// What runs a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCommand {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
}

/// How a policy pack is started; `None` if there is no host for its runtime here.
///
/// # Errors
///
/// If what it needs is not installed.
pub async fn policy_command(
    runtime: &str,
    start: &PolicyStart,
    settings: &HostSettings,
) -> Result<Option<PolicyCommand>, Diagnostic> {
    match runtime {
        "nodejs" => node::policy_command(start, settings).await.map(Some),
        "python" => python::policy_command(start, settings).await.map(Some),
        _ => Ok(None),
    }
}
