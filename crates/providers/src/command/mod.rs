//! The package `command`: commands run on this machine as part of the life of resources.
//!
//! What runs on other machines is left to the official plugin.

mod gather;
mod glob;
mod inputs;
mod run;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use purlin_model::diff::{DetailedDiff, PathDiff, diff_maps};
use purlin_model::{DiffKind, PropertyMap, PropertyValue, Urn};
use purlin_ports::{
    CheckArgs, CheckFailure, CheckResult, ConfigureArgs, ConstructArgs, ConstructResult, CreateArgs,
    DeleteArgs, DiffArgs, DiffChanges, DiffResult, Entropy, InvokeArgs, InvokeResult, Operated, Provider,
    ProviderError, ProviderMethodArgs, ProviderMethodResult, ReadArgs, ReadResult, UpdateArgs,
};
use tokio::sync::watch;

use crate::compare::identical;
use crate::{BuiltinDeps, refusals};
use run::Place;

/// The release of the official plugin whose behaviour this has.
pub(crate) const VERSION: &str = "1.2.1";

const COMMAND: &str = "command:local:Command";
const RUN: &str = "command:local:run";
const REMOTE: &str = "command:remote:";

/// What the official plugin notes in its own configuration, and would miss there.
const LIBRARY_KEY: &str = "__pulumi-go-provider-version";
const LIBRARY_VERSION: &str = "v1.5.0";

/// Takes a line that a command wrote, with the resource that it runs for (none for functions).
pub type LineSink = Arc<dyn Fn(Option<&Urn>, &str) + Send + Sync>;

/// The provider of the package `command`.
pub struct CommandProvider {
    entropy: Arc<dyn Entropy>,
    environment: BTreeMap<String, String>,
    directory: PathBuf,
    lines: Option<LineSink>,
    cancelled: watch::Sender<bool>,
}

impl CommandProvider {
    /// A provider that runs commands in the given environment and folder.
    pub fn new(deps: &BuiltinDeps) -> Self {
        CommandProvider {
            entropy: deps.entropy.clone(),
            environment: deps.environment.clone(),
            directory: deps.directory.clone(),
            lines: deps.lines.clone(),
            cancelled: watch::Sender::new(false),
        }
    }

    fn place(&self) -> Place<'_> {
        Place { environment: &self.environment, directory: &self.directory, lines: self.lines.as_ref() }
    }

    /// Runs a command with the settings in `inputs`, and puts what came of it into the outputs.
    async fn run(
        &self,
        urn: Option<&Urn>,
        command: &OsStr,
        inputs: &PropertyMap,
        outputs: &mut PropertyMap,
    ) -> Result<(), ProviderError> {
        let settings = inputs::settings(inputs, outputs);
        let done = self.place().run(urn, command, &settings, self.cancelled.subscribe()).await?;
        let gathered = gather::gather(&self.directory, &settings).await?;
        outputs.extend(gathered);
        outputs.insert("stdout".to_owned(), done.stdout);
        outputs.insert("stderr".to_owned(), done.stderr);
        Ok(())
    }
}

/// Refuses all resources but the local command. Those that run elsewhere say what is needed.
fn only_local(urn: &Urn) -> Result<(), ProviderError> {
    match urn.ty() {
        COMMAND => Ok(()),
        token if token.starts_with(REMOTE) => Err(ProviderError::Unavailable(remote_hint(token))),
        token => Err(refusals::unknown_resource("command", VERSION, token)),
    }
}

fn remote_hint(token: &str) -> String {
    format!("{token} is not built in; {}", refusals::install_hint("command"))
}

/// The outputs of a command: its inputs, and what its processes wrote so far.
fn outputs_of(inputs: &PropertyMap, before: Option<&PropertyMap>) -> PropertyMap {
    let mut outputs = inputs.clone();
    for name in ["stdout", "stderr", "assets", "archive"] {
        if let Some(value) = before.and_then(|map| map.get(name)) {
            outputs.insert(name.to_owned(), value.clone());
        }
    }
    for name in ["stdout", "stderr"] {
        outputs.entry(name.to_owned()).or_insert_with(|| "".into());
    }
    outputs
}

/// The outputs of a command that will run: nothing of what comes of it is known.
fn predicted(inputs: &PropertyMap, before: Option<&PropertyMap>) -> PropertyMap {
    let mut outputs = outputs_of(inputs, before);
    let mut forget = |name: &str| drop(outputs.insert(name.to_owned(), PropertyValue::Unknown));
    forget("stdout");
    forget("stderr");
    for (name, paths) in [("assets", "assetPaths"), ("archive", "archivePaths")] {
        if inputs.contains_key(paths) || before.is_some_and(|map| map.contains_key(name)) {
            forget(name);
        }
    }
    outputs
}

fn command_of<'a>(map: &'a PropertyMap, name: &str) -> Option<Cow<'a, OsStr>> {
    map.get(name).and_then(inputs::os_text)
}

/// What differs between inputs. Secretness counts, since outputs repeat the inputs. Triggers that
/// come or go replace; that changed ones do is asked for by the programs' packages.
fn diff(args: &DiffArgs) -> DiffResult {
    let (old, new) = (&args.old_inputs, &args.new_inputs);
    let mut result = DiffResult { changes: DiffChanges::None, ..DiffResult::default() };
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(key))) {
        let same = matches!((old.get(key), new.get(key)), (Some(a), Some(b)) if identical(a, b));
        if !same && !args.ignore_changes.contains(key) {
            result.diffs.push(key.clone());
        }
    }
    let mut detailed = DetailedDiff::new();
    if !result.diffs.is_empty() {
        result.diffs.sort_unstable();
        result.changes = DiffChanges::Some;
        let only = |map: &PropertyMap| -> PropertyMap {
            result.diffs.iter().filter_map(|key| Some((key.clone(), map.get(key)?.clone()))).collect()
        };
        for (path, kind) in diff_maps(&only(old), &only(new)).paths() {
            detailed.insert(path.to_string(), PathDiff { kind, input_diff: false });
        }
        for key in &result.diffs {
            let inside = |path: &String| path.strip_prefix(key.as_str()).is_some_and(starts_element);
            if !detailed.keys().any(inside) {
                detailed.insert(key.clone(), PathDiff { kind: DiffKind::Update, input_diff: false });
            }
        }
    }
    if let Some(entry) = detailed.get_mut("triggers")
        && matches!(entry.kind, DiffKind::Add | DiffKind::Delete)
    {
        entry.kind = entry.kind.as_replace();
        result.replaces.push("triggers".to_owned());
    }
    result.detailed = Some(detailed);
    result
}

fn starts_element(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['.', '['])
}

#[async_trait]
impl Provider for CommandProvider {
    async fn check_config(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        let mut inputs = Arc::unwrap_or_clone(args.news);
        inputs.entry(LIBRARY_KEY.to_owned()).or_insert_with(|| LIBRARY_VERSION.into());
        Ok(CheckResult { inputs, failures: Vec::new() })
    }

    async fn diff_config(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        Ok(refusals::config_diff(&args))
    }

    async fn configure(&self, _: ConfigureArgs) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn check(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        let token = args.urn.ty();
        let failures = if token.starts_with(REMOTE) {
            vec![CheckFailure { property: String::new(), reason: remote_hint(token) }]
        } else {
            only_local(&args.urn)?;
            inputs::failures(inputs::COMMAND_FIELDS, &args.news)
        };
        let mut inputs = Arc::unwrap_or_clone(args.news);
        inputs.retain(|_, value| *value.plain() != PropertyValue::Null);
        Ok(CheckResult { inputs, failures })
    }

    async fn diff(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        only_local(&args.urn)?;
        Ok(diff(&args))
    }

    async fn create(&self, args: CreateArgs) -> Result<Operated, ProviderError> {
        let urn = &args.context.urn;
        only_local(urn)?;
        if args.context.preview {
            return Ok(Operated { outputs: predicted(&args.inputs, None), ..Operated::default() });
        }
        let mut outputs = outputs_of(&args.inputs, None);
        if let Some(command) = command_of(&args.inputs, "create") {
            self.run(Some(urn), &command, &args.inputs, &mut outputs).await?;
        }
        let mut suffix = [0; 4];
        self.entropy.fill(&mut suffix);
        let id = format!("{}{:08x}", urn.name(), u32::from_be_bytes(suffix));
        Ok(Operated { id, outputs, ..Operated::default() })
    }

    async fn update(&self, args: UpdateArgs) -> Result<Operated, ProviderError> {
        let urn = &args.context.urn;
        only_local(urn)?;
        if args.context.preview {
            let outputs = predicted(&args.new_inputs, Some(&args.old_outputs));
            return Ok(Operated { outputs, ..Operated::default() });
        }
        let inputs = &args.new_inputs;
        let mut outputs = outputs_of(inputs, Some(&args.old_outputs));
        if let Some(command) = command_of(inputs, "update").or(command_of(inputs, "create")) {
            self.run(Some(urn), &command, inputs, &mut outputs).await?;
        }
        Ok(Operated { outputs, ..Operated::default() })
    }

    async fn delete(&self, args: DeleteArgs) -> Result<(), ProviderError> {
        let urn = &args.context.urn;
        only_local(urn)?;
        let mut outputs = PropertyMap::clone(&args.outputs);
        if let Some(command) = command_of(&args.outputs, "delete") {
            self.run(Some(urn), &command, &args.outputs, &mut outputs).await?;
        }
        Ok(())
    }

    async fn read(&self, args: ReadArgs) -> Result<ReadResult, ProviderError> {
        only_local(&args.context.urn)?;
        let inputs = Some(Arc::unwrap_or_clone(args.inputs));
        let outputs = Some(Arc::unwrap_or_clone(args.outputs));
        Ok(ReadResult { id: args.id, inputs, outputs, ..ReadResult::default() })
    }

    async fn construct(&self, args: ConstructArgs) -> Result<ConstructResult, ProviderError> {
        Err(refusals::no_components("command", &args))
    }

    async fn invoke(&self, args: InvokeArgs) -> Result<InvokeResult, ProviderError> {
        if args.token != RUN {
            return Err(refusals::unknown_function("command", &args.token));
        }
        let failures = inputs::failures(inputs::RUN_FIELDS, &args.args);
        if !failures.is_empty() {
            return Ok(InvokeResult { failures, ..InvokeResult::default() });
        }
        if args.args.values().any(PropertyValue::contains_unknowns) {
            return Ok(InvokeResult { result: predicted(&args.args, None), ..InvokeResult::default() });
        }
        let mut result = outputs_of(&args.args, None);
        let command = command_of(&args.args, "command").unwrap_or_default();
        self.run(None, &command, &args.args, &mut result).await?;
        Ok(InvokeResult { result, ..InvokeResult::default() })
    }

    async fn call(&self, args: ProviderMethodArgs) -> Result<ProviderMethodResult, ProviderError> {
        Err(refusals::unknown_function("command", &args.token))
    }

    async fn schema(&self) -> Result<String, ProviderError> {
        Ok(include_str!("schema.json").to_owned())
    }

    fn version(&self) -> &str {
        VERSION
    }

    async fn cancel(&self) {
        self.cancelled.send_replace(true);
    }
}

#[cfg(test)]
mod tests;
