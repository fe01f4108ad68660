//! A monitor that writes down what a program asks for, and a world to run programs in.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use purlin_diag::{Diagnostic, Severity};
use purlin_model::event::EngineEvent;
use purlin_model::{
    Alias, AliasParent, Goal, PackageDescriptor, PropertyDependencies, PropertyMap, PropertyValue,
    UNKNOWN_ID, Urn,
};
use purlin_ports::{
    CallReply, CallRequest, CheckFailure, DeploymentInfo, EventSink, InvokeReply, InvokeRequest,
    LanguageHost, LogMessage, MonitorError, ProgramInfo, ReadReply, ReadRequest, RegisterReply,
    RegisterRequest, RegisterResult, ResourceMonitor, RunOutcome, RunRequest,
};
use purlin_schema::{PackageSchema, SchemaSource};
use purlin_yaml::YamlHost;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The schema of the package that the tests use.
pub const KIT: &str = include_str!("kit.json");

/// Shows a value so that secrets, unknowns and origins can be seen.
pub fn show(value: &PropertyValue) -> String {
    match value {
        PropertyValue::Null => "null".into(),
        PropertyValue::Bool(v) => v.to_string(),
        PropertyValue::Number(v) => v.to_string(),
        PropertyValue::String(v) => format!("{v:?}"),
        PropertyValue::Bytes(v) => format!("bytes({v:?})"),
        PropertyValue::Array(items) => {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        PropertyValue::Object(map) => show_map(map),
        PropertyValue::Asset(asset) => format!("{:?}", asset.source),
        PropertyValue::Archive(archive) => format!("{:?}", archive.source),
        PropertyValue::Secret(inner) => format!("secret({})", show(inner)),
        PropertyValue::Unknown => "unknown".into(),
        PropertyValue::Output(output) => format!(
            "output({}{}; {})",
            output.value.as_ref().map_or("unknown".into(), show),
            if output.secret { " secret" } else { "" },
            names(&output.dependencies)
        ),
        PropertyValue::Reference(reference) => format!("ref({})", reference.urn.name()),
    }
}

pub fn show_map(map: &PropertyMap) -> String {
    let fields: Vec<String> = map.iter().map(|(k, v)| format!("{k}: {}", show(v))).collect();
    format!("{{{}}}", fields.join(", "))
}

pub fn names(urns: &[Urn]) -> String {
    urns.iter().map(Urn::name).collect::<Vec<_>>().join(",")
}

fn show_goal(goal: &Goal, package: &PackageDescriptor) -> String {
    let mut out = format!("{} {} {}", goal.ty, goal.name, show_map(&goal.inputs));
    let mut add = |key: &str, value: String| {
        if !value.is_empty() && value != "[]" {
            out.push_str(&format!("\n    {key}: {value}"));
        }
    };
    add(
        "parent",
        goal.parent.as_ref().filter(|p| p.name() != "proj-dev").map_or("".into(), |p| p.name().into()),
    );
    add("deps", names(&goal.dependencies));
    let by_property: Vec<String> = goal
        .property_dependencies
        .iter()
        .filter(|(_, urns)| !urns.is_empty())
        .map(|(k, urns)| format!("{k}={}", names(urns)))
        .collect();
    add("property deps", by_property.join(" "));
    add("provider", goal.provider.as_ref().map_or("".into(), |p| format!("{}::{}", p.urn().name(), p.id())));
    add("version", package.version.clone());
    add("url", package.download_url.clone());
    add("parameterization", package.parameterization.as_ref().map_or("".into(), |p| p.name.clone()));
    add("protect", goal.protect.map_or("".into(), |v| v.to_string()));
    add("deleteBeforeReplace", goal.delete_before_replace.map_or("".into(), |v| v.to_string()));
    add("retainOnDelete", goal.retain_on_delete.map_or("".into(), |v| v.to_string()));
    add("ignoreChanges", goal.ignore_changes.join(","));
    add("replaceOnChanges", goal.replace_on_changes.join(","));
    add("hideDiffs", goal.hide_diffs.join(","));
    add("additionalSecretOutputs", goal.additional_secret_outputs.join(","));
    add("import", goal.import_id.clone());
    add("deletedWith", goal.deleted_with.as_ref().map_or("".into(), |u| u.name().into()));
    add("replaceWith", names(&goal.replace_with));
    if goal.replacement_trigger != PropertyValue::Null {
        add("replacementTrigger", show(&goal.replacement_trigger));
    }
    let t = &goal.custom_timeouts;
    if !t.is_empty() {
        add("timeouts", format!("{} {} {} {}", t.create, t.update, t.delete, t.read));
    }
    add("aliases", goal.aliases.iter().map(show_alias).collect::<Vec<_>>().join(" "));
    out
}

fn show_alias(alias: &Alias) -> String {
    match alias {
        Alias::Urn(urn) => urn.to_string(),
        Alias::Spec { name, ty, stack, project, parent } => {
            let mut parts = Vec::new();
            for (key, value) in [("name", name), ("type", ty), ("stack", stack), ("project", project)] {
                parts.extend(value.as_ref().map(|value| format!("{key}={value}")));
            }
            match parent {
                AliasParent::Same => {}
                AliasParent::None => parts.push("noParent".into()),
                AliasParent::Urn(urn) => parts.push(format!("parent={}", urn.name())),
            }
            format!("({})", parts.join(" "))
        }
    }
}

/// How the double answers.
#[derive(Default)]
pub struct Answers {
    /// Outputs that come on top of the inputs, by resource name.
    pub outputs: HashMap<&'static str, PropertyMap>,
    /// Ids of resources, by resource name; the others are made from the name.
    pub ids: HashMap<&'static str, String>,
    /// How registrations end that don't end well, by resource name.
    pub results: HashMap<&'static str, RegisterResult>,
    /// Registrations, reads and calls that are refused, by name or token.
    pub refusals: HashMap<&'static str, MonitorError>,
    /// Results of functions, by token.
    pub functions: HashMap<&'static str, InvokeReply>,
    /// Registrations that wait until this many are waiting.
    pub meet: usize,
}

/// Writes down what is asked and answers from [`Answers`].
pub struct Recorder {
    info: DeploymentInfo,
    dry_run: bool,
    answers: Answers,
    log: Mutex<Vec<String>>,
    said: Mutex<Vec<(Severity, String)>>,
    positions: Mutex<Vec<String>>,
    waiting: Mutex<usize>,
    met: Notify,
}

impl Recorder {
    fn write(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }

    async fn meet(&self) {
        if self.answers.meet == 0 {
            return;
        }
        let met = self.met.notified();
        tokio::pin!(met);
        met.as_mut().enable();
        let all = {
            let mut waiting = self.waiting.lock().unwrap();
            *waiting += 1;
            *waiting >= self.answers.meet
        };
        if all { self.met.notify_waiters() } else { met.await }
    }
}

#[async_trait]
impl ResourceMonitor for Recorder {
    fn info(&self) -> &DeploymentInfo {
        &self.info
    }

    async fn register(&self, request: RegisterRequest) -> Result<RegisterReply, MonitorError> {
        let goal = &request.goal;
        let urn = Urn::new("dev", "proj", goal.parent.as_ref(), &goal.ty, &goal.name);
        if goal.ty == "pulumi:pulumi:Stack" {
            self.write("stack".into());
            return Ok(RegisterReply {
                urn,
                id: String::new(),
                outputs: Arc::default(),
                result: RegisterResult::Success,
                property_dependencies: PropertyDependencies::new(),
                unknown: false,
            });
        }
        self.positions.lock().unwrap().push(goal.source_position.as_deref().unwrap_or_default().to_owned());
        let kind = if request.remote { "construct" } else { "register" };
        let mut line = format!("{kind} {}", show_goal(goal, &request.package));
        if !request.providers.is_empty() {
            let list: Vec<String> =
                request.providers.iter().map(|(k, v)| format!("{k}={}", v.urn().name())).collect();
            line.push_str(&format!("\n    providers: {}", list.join(" ")));
        }
        self.write(line);
        self.meet().await;
        if let Some(error) = self.answers.refusals.get(goal.name.as_str()) {
            return Err(error.clone());
        }
        let mut outputs: PropertyMap =
            goal.inputs.iter().map(|(k, v)| (k.clone(), v.clone().flatten_outputs())).collect();
        if let Some(more) = self.answers.outputs.get(goal.name.as_str()) {
            outputs.extend(more.clone());
        }
        Ok(RegisterReply {
            urn,
            id: match self.answers.ids.get(goal.name.as_str()) {
                Some(id) => id.clone(),
                None if self.dry_run || !goal.custom => String::new(),
                None => format!("id-{}", goal.name),
            },
            outputs: Arc::new(outputs),
            result: self.answers.results.get(goal.name.as_str()).copied().unwrap_or(RegisterResult::Success),
            property_dependencies: PropertyDependencies::new(),
            unknown: false,
        })
    }

    async fn register_outputs(&self, urn: Urn, outputs: PropertyMap) -> Result<(), MonitorError> {
        assert_eq!(urn.name(), "proj-dev");
        self.write(format!("outputs {}", show_map(&outputs)));
        Ok(())
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadReply, MonitorError> {
        let goal = &request.goal;
        self.write(format!("read {} as {}", request.id, show_goal(goal, &request.package)));
        if let Some(error) = self.answers.refusals.get(goal.name.as_str()) {
            return Err(error.clone());
        }
        let mut outputs = (*goal.inputs).clone();
        if let Some(more) = self.answers.outputs.get(goal.name.as_str()) {
            outputs.extend(more.clone());
        }
        let urn = Urn::new("dev", "proj", goal.parent.as_ref(), &goal.ty, &goal.name);
        Ok(ReadReply { urn, outputs: Arc::new(outputs) })
    }

    async fn invoke(&self, request: InvokeRequest) -> Result<InvokeReply, MonitorError> {
        let mut line = format!("invoke {} {}", request.token, show_map(&request.args));
        if let Some(provider) = &request.provider {
            line.push_str(&format!(" provider={}", provider.urn().name()));
        }
        if let Some(parent) = &request.parent {
            line.push_str(&format!(" parent={}", parent.name()));
        }
        if !request.depends_on.is_empty() {
            line.push_str(&format!(" dependsOn={}", names(&request.depends_on)));
        }
        if !request.package.version.is_empty() {
            line.push_str(&format!(" version={}", request.package.version));
        }
        self.write(line);
        if let Some(error) = self.answers.refusals.get(request.token.as_str()) {
            return Err(error.clone());
        }
        Ok(self.answers.functions.get(request.token.as_str()).cloned().unwrap_or_default())
    }

    async fn call(&self, _: CallRequest) -> Result<CallReply, MonitorError> {
        Err(MonitorError::Invalid("YAML programs call no methods".into()))
    }

    async fn program_finished(&self) -> Result<(), MonitorError> {
        self.write("finished".into());
        Ok(())
    }

    fn log(&self, message: LogMessage) {
        self.said.lock().unwrap().push((message.severity, message.message));
    }
}

struct Schemas;

#[async_trait]
impl SchemaSource for Schemas {
    async fn schema(&self, package: &PackageDescriptor) -> Result<Arc<PackageSchema>, Diagnostic> {
        match package.package() {
            "kit" => PackageSchema::parse(KIT).map(Arc::new),
            "renamed" => {
                PackageSchema::parse(KIT.replace("kit:", "renamed:").replacen("\"kit\"", "\"renamed\"", 1))
                    .map(Arc::new)
            }
            other => Err(Diagnostic::error("plugin-missing", format!("no plugin {other} is installed"))
                .with_hint(format!("install it with: plugin install resource {other}"))),
        }
    }
}

struct NoEvents;

impl EventSink for NoEvents {
    fn emit(&self, _: EngineEvent) {}
}

/// What came of a run.
pub struct Ran {
    pub outcome: RunOutcome,
    pub log: Vec<String>,
    pub said: Vec<(Severity, String)>,
    pub positions: Vec<String>,
}

impl Ran {
    /// What was asked, apart from the stack's registration and the end, as one text.
    pub fn asked(&self) -> String {
        let lines = self.log.iter().filter(|l| *l != "stack" && *l != "finished");
        lines.cloned().collect::<Vec<_>>().join("\n")
    }

    /// What was said, one text per message.
    pub fn messages(&self) -> Vec<&str> {
        self.said.iter().map(|(_, message)| message.as_str()).collect()
    }

    /// The stack's outputs as one text.
    pub fn outputs(&self) -> &str {
        assert_eq!(self.outcome, RunOutcome::Succeeded, "{:?}", self.said);
        let line = self.log.iter().find(|line| line.starts_with("outputs ")).expect("outputs");
        &line["outputs ".len()..]
    }

    /// The messages of a run that must have failed before it registered anything but the stack.
    pub fn refused(&self) -> Vec<&str> {
        assert_eq!(self.outcome, RunOutcome::Bailed, "{:?}", self.log);
        self.messages()
    }
}

/// A program with what it runs in.
#[derive(Default)]
pub struct World {
    pub program: String,
    pub files: Vec<(&'static str, String)>,
    pub config: Vec<(&'static str, &'static str)>,
    pub secret_keys: Vec<&'static str>,
    pub dry_run: bool,
    /// Whether the run is cancelled before it begins.
    pub cancelled: bool,
    pub answers: Answers,
}

pub fn world(program: &str) -> World {
    World { program: format!("name: proj\nruntime: yaml\n{program}"), ..World::default() }
}

/// Output properties from pairs.
pub fn map<const N: usize>(fields: [(&str, PropertyValue); N]) -> PropertyMap {
    fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

impl World {
    pub fn info(&self, folder: &std::path::Path) -> ProgramInfo {
        std::fs::write(folder.join("Pulumi.yaml"), &self.program).unwrap();
        for (path, content) in &self.files {
            let path: PathBuf = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        ProgramInfo {
            root_directory: folder.to_owned(),
            program_directory: folder.to_owned(),
            entry_point: ".".into(),
            options: PropertyMap::new(),
        }
    }

    pub fn host() -> YamlHost {
        YamlHost::new(Arc::new(Schemas), semver::Version::new(3, 260, 0))
    }

    pub fn run(self) -> Ran {
        let folder = tempfile::tempdir().unwrap();
        let program = self.info(folder.path());
        let monitor = Arc::new(Recorder {
            info: DeploymentInfo::default(),
            dry_run: self.dry_run,
            answers: self.answers,
            log: Mutex::default(),
            said: Mutex::default(),
            positions: Mutex::default(),
            waiting: Mutex::default(),
            met: Notify::new(),
        });
        let request = RunRequest {
            program,
            project: "proj".into(),
            stack: "dev".into(),
            organization: "org".into(),
            config: self.config.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            config_secret_keys: self.secret_keys.iter().map(|k| (*k).into()).collect(),
            dry_run: self.dry_run,
            parallel: 16,
            monitor_address: String::new(),
            engine_address: String::new(),
            monitor: Arc::clone(&monitor) as Arc<dyn ResourceMonitor>,
            events: Arc::new(NoEvents),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let cancel = CancellationToken::new();
        if self.cancelled {
            cancel.cancel();
        }
        let outcome = runtime.block_on(World::host().run(request, cancel)).unwrap();
        Ran {
            outcome,
            log: monitor.log.lock().unwrap().clone(),
            said: monitor.said.lock().unwrap().clone(),
            positions: monitor.positions.lock().unwrap().clone(),
        }
    }
}

/// A function's answer.
pub fn reply<const N: usize>(fields: [(&str, PropertyValue); N]) -> InvokeReply {
    InvokeReply { result: map(fields), ..InvokeReply::default() }
}

/// A function's refusal of its arguments.
pub fn refusal(property: &str, reason: &str) -> InvokeReply {
    let failure = CheckFailure { property: property.into(), reason: reason.into() };
    InvokeReply { failures: vec![failure], ..InvokeReply::default() }
}

pub fn unknown_id() -> String {
    UNKNOWN_ID.to_owned()
}
