//! Programs: lines, and what each of them asks of the engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::urn::{STACK_TYPE, package_of_type};
use purlin_model::{
    Extension, PackageDescriptor, Parameterization, PropertyDependencies, PropertyMap, PropertyValue,
    ProviderRef, ReferenceId, ResourceReference, Urn,
};
use purlin_ports::{
    CallRequest, EventSink, InvokeRequest, LanguageHost, MonitorError, ProgramInfo, ReadRequest,
    RegisterReply, RegisterRequest, RegisterResult, ResourceMonitor, RunOutcome, RunRequest,
};
use tokio_util::sync::CancellationToken;

use super::cloud::Cloud;
use super::gate::Gate;
use super::hooks;
use super::level::{Level, Riser};
use super::options::{self, Options};
use super::text::{self, Expr};
use super::{PROJECT, STACK};

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Registers the root stack.
    Stack,
    /// Registers a component.
    Component,
    /// Registers a resource.
    Custom,
    /// Registers a provider.
    Provider,
    /// Reads a resource.
    Read,
    /// Calls a function.
    Invoke,
    /// Calls a method.
    Call,
    /// Registers a hook.
    Hook,
    /// Registers a hook that hears of failures.
    ErrorHook,
    /// Registers outputs.
    Outputs,
    /// Says that everything is registered, and waits for the end.
    Signal,
    /// Ends the program with an error.
    Fails,
    /// Ends the program with an error that it has shown itself.
    Bails,
}

/// One line of a program.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it does.
    pub verb: Verb,
    /// The name, token or text.
    pub name: String,
    /// The inputs.
    pub inputs: Vec<(String, Expr)>,
    /// The options.
    pub options: Options,
}

/// A program.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Its lines.
    pub items: Vec<Item>,
    /// Whether each line waits only for what it mentions, rather than for the line before.
    pub parallel: bool,
}

/// The extension `name@version/value`.
pub fn extension(reference: &str) -> Arc<Extension> {
    let (package, value) = reference.split_once('/').unwrap_or((reference, ""));
    let (name, version) = package.split_once('@').unwrap_or((package, ""));
    Arc::new(Extension {
        reference: reference.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        value: value.as_bytes().to_vec(),
        ..Extension::default()
    })
}

impl Item {
    /// The extension of `@extends=name@version/value`, which serves as its reference, too.
    pub fn extension(&self) -> Option<Arc<Extension>> {
        self.options.text("extends").map(extension)
    }

    /// Reads a line.
    pub fn read(line: &str) -> Result<Item, String> {
        let words = text::words(line);
        let Some((word, rest)) = words.split_first() else { return Err("an empty line".into()) };
        let verb = match word.as_str() {
            "stack" => Verb::Stack,
            "component" => Verb::Component,
            "custom" => Verb::Custom,
            "provider" => Verb::Provider,
            "read" => Verb::Read,
            "invoke" => Verb::Invoke,
            "call" => Verb::Call,
            "hook" => Verb::Hook,
            "errorhook" => Verb::ErrorHook,
            "outputs" => Verb::Outputs,
            "signal" => Verb::Signal,
            "fails" => Verb::Fails,
            "bails" => Verb::Bails,
            other => return Err(format!("no line of a program begins with '{other}'")),
        };
        let named = !matches!(verb, Verb::Stack | Verb::Signal | Verb::Fails | Verb::Bails);
        let (name, rest) = match rest.split_first() {
            Some((name, rest)) if named => (name.clone(), rest),
            _ if named => return Err(format!("'{line}' has no name")),
            _ => (String::new(), rest),
        };
        let (mut inputs, mut given) = (Vec::new(), Vec::new());
        for word in rest {
            match word.strip_prefix('@') {
                Some(option) => given.push(option.to_owned()),
                None => match word.split_once('=') {
                    Some((key, value)) => inputs.push((key.to_owned(), text::expr(value)?)),
                    None => return Err(format!("'{word}' is neither 'key=value' nor '@option'")),
                },
            }
        }
        let options = Options::read(&given)?;
        Ok(Item { verb, name, inputs, options })
    }

    /// The name by which others mention it.
    fn handle(&self) -> &str {
        match self.verb {
            Verb::Stack => "stack",
            _ => self.options.text("as").unwrap_or(&self.name),
        }
    }

    /// The names that it mentions.
    fn mentions(&self) -> Vec<String> {
        let mut names = self.options.names();
        self.inputs.iter().for_each(|(_, value)| value.names(&mut names));
        if self.verb == Verb::Outputs {
            names.push(self.name.clone());
        }
        names
    }
}

/// What a name stands for once it is registered.
#[derive(Clone, Debug)]
pub struct Made {
    /// The resource.
    pub urn: Urn,
    /// Its id; empty where there is none.
    pub id: String,
    /// Its outputs.
    pub outputs: Arc<PropertyMap>,
    /// Whether what it doesn't have is unknown.
    pub vague: bool,
}

impl Made {
    /// The reference to a provider.
    pub fn provider(&self) -> ProviderRef {
        let id = if self.id.is_empty() { purlin_model::UNKNOWN_ID } else { &self.id };
        ProviderRef::new(self.urn.clone(), id)
    }

    fn property(&self, property: Option<&str>) -> PropertyValue {
        let known = !self.id.is_empty();
        match property {
            None if known => PropertyValue::text(&self.id),
            None => PropertyValue::Unknown,
            Some("urn") => PropertyValue::text(self.urn.as_str()),
            Some("ref") => PropertyValue::Reference(ResourceReference {
                urn: self.urn.clone(),
                id: Some(if known { ReferenceId::Known(self.id.clone()) } else { ReferenceId::Unknown }),
                package_version: String::new(),
            }),
            Some(name) => match self.outputs.get(name) {
                Some(value) => value.clone(),
                None if self.vague => PropertyValue::Unknown,
                None => PropertyValue::Null,
            },
        }
    }
}

/// A property of what a name stands for; unknown where it stands for nothing.
pub fn property(made: Option<Made>, property: Option<&str>) -> PropertyValue {
    made.map_or(PropertyValue::Unknown, |made| made.property(property))
}

type Outputs = (PropertyMap, PropertyDependencies);

/// A program that is running.
pub struct Running {
    program: Program,
    monitor: Arc<dyn ResourceMonitor>,
    gate: Gate,
    /// Where calls of hooks are noted.
    cloud: Option<Cloud>,
    made: Mutex<HashMap<String, Made>>,
    replies: Arc<Mutex<Vec<String>>>,
    /// What stands for `{}` in names.
    prefix: String,
    /// The component that a plugin is making.
    component: Option<purlin_model::Goal>,
    of_self: Mutex<Outputs>,
}

impl Running {
    /// A program that is about to run.
    pub fn new(program: Program, monitor: Arc<dyn ResourceMonitor>, gate: Gate) -> Running {
        let (prefix, component) = (String::new(), None);
        Running {
            program,
            monitor,
            gate,
            cloud: None,
            made: Mutex::default(),
            replies: Arc::default(),
            prefix,
            component,
            of_self: Mutex::default(),
        }
    }

    /// A program that makes a component: `{}` in names is the component's, `$args` its inputs, and
    /// `component self` registers it.
    pub fn constructing(mut self, goal: purlin_model::Goal) -> Running {
        let root = Urn::root_stack(STACK, PROJECT);
        let args = Made { urn: root, id: String::new(), outputs: Arc::clone(&goal.inputs), vague: false };
        self.lock().insert("args".into(), args);
        self.prefix.clone_from(&goal.name);
        self.component = Some(goal);
        self
    }

    /// Where calls of its hooks are noted.
    pub fn noting_in(mut self, cloud: Cloud) -> Running {
        self.cloud = Some(cloud);
        self
    }

    /// What the program is answered.
    pub fn replies(mut self, replies: Arc<Mutex<Vec<String>>>) -> Running {
        self.replies = replies;
        self
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a name stands for.
    pub fn made(&self, name: &str) -> Option<Made> {
        self.lock().get(name).cloned()
    }

    fn urn_of(&self, name: &str) -> Result<Urn, MonitorError> {
        if let Some(urn) = Urn::parse(name) {
            return Ok(urn);
        }
        if name == "stack" {
            return Ok(Urn::root_stack(STACK, PROJECT));
        }
        match self.made(name) {
            Some(made) => Ok(made.urn),
            None => Err(MonitorError::Invalid(format!("the program mentions '{name}' before it is made"))),
        }
    }

    /// Runs it to its end.
    pub async fn run(&self) -> Result<(), Ended> {
        if !self.program.parallel {
            for item in &self.program.items {
                self.item(item).await?;
            }
            return Ok(());
        }
        let mut done: HashMap<&str, Level> = HashMap::new();
        let mut lines = Vec::new();
        let mut first: Vec<Level> = Vec::new();
        for item in &self.program.items {
            let waits: Vec<Level> = match item.verb {
                // It says that everything is registered.
                Verb::Signal => done.values().cloned().collect(),
                _ => {
                    let mentions = item.mentions();
                    let mentioned = mentions.iter().filter_map(|name| done.get(name.as_str())).cloned();
                    mentioned.chain(first.iter().cloned()).collect()
                }
            };
            let riser = Riser::default();
            done.insert(item.handle(), riser.level());
            if matches!(item.verb, Verb::Hook | Verb::ErrorHook | Verb::Stack) {
                first.push(riser.level());
            }
            lines.push(async move {
                if !item.options.has("early") {
                    for wait in waits {
                        // A line that failed has dropped its end: what mentions it is not reached.
                        if !wait.reaches(1).await {
                            return Ok(());
                        }
                    }
                }
                self.gate.pass(format!("program {}", item.handle())).await;
                self.item(item).await?;
                riser.raise(1);
                Ok(())
            });
        }
        drop(done);
        let ended: Vec<Result<(), Ended>> = futures::future::join_all(lines).await;
        ended.into_iter().collect()
    }

    async fn item(&self, item: &Item) -> Result<(), Ended> {
        let result = match item.verb {
            Verb::Stack | Verb::Component | Verb::Custom | Verb::Provider => self.register(item).await,
            Verb::Read => self.read(item).await,
            Verb::Invoke => self.invoke(item).await,
            Verb::Call => self.call(item).await,
            Verb::Hook | Verb::ErrorHook => self.hook(item).await,
            Verb::Outputs => self.outputs(item).await,
            Verb::Signal => self.monitor.program_finished().await,
            Verb::Fails => return Err(Ended::Failed("the program failed".into())),
            Verb::Bails => return Err(Ended::Bailed),
        };
        if let Err(error) = &result {
            self.note(format!("{}: {error}", item.handle()));
        }
        match result {
            Err(MonitorError::Stopping) => Err(Ended::Bailed),
            Err(MonitorError::Failed(_)) if !item.options.has("try") => Err(Ended::Bailed),
            Err(error) if !item.options.has("try") => Err(Ended::Failed(error.to_string())),
            _ => Ok(()),
        }
    }

    fn note(&self, line: String) {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn keep(&self, handle: &str, made: Made) {
        self.lock().insert(handle.to_owned(), made);
    }

    fn inputs(&self, item: &Item) -> PropertyMap {
        let made = self.lock();
        let of = |name: &str, property: Option<&str>| {
            made.get(name).map_or(PropertyValue::Unknown, |made| made.property(property))
        };
        item.inputs.iter().map(|(key, value)| (key.clone(), value.value(&of))).collect()
    }

    /// Type, name and goal of a line that makes something.
    fn goal(&self, item: &Item) -> Result<purlin_model::Goal, MonitorError> {
        let name = item.name.replace("{}", &self.prefix);
        if let (Verb::Component, "self", Some(goal)) = (item.verb, item.name.as_str(), &self.component) {
            let mut goal = goal.clone();
            goal.inputs = Arc::new(self.inputs(item));
            return Ok(goal);
        }
        let (ty, name) = match item.verb {
            Verb::Stack => (STACK_TYPE.to_owned(), format!("{PROJECT}-{STACK}")),
            Verb::Component => ("t:m:C".to_owned(), name),
            Verb::Provider => {
                (format!("pulumi:providers:{}", item.options.text("package").unwrap_or("t")), name)
            }
            _ => ("t:m:R".to_owned(), name),
        };
        let ty = item.options.text("type").map(str::to_owned).unwrap_or(ty);
        let custom = matches!(item.verb, Verb::Custom | Verb::Provider | Verb::Read);
        let mut goal = purlin_model::Goal::new(ty, name, custom, self.inputs(item));
        goal.extension = item.extension();
        if item.verb != Verb::Stack {
            goal.parent = self.made("stack").map(|made| made.urn);
        }
        for (key, value) in &item.inputs {
            let mut names = Vec::new();
            value.names(&mut names);
            let urns = names.iter().filter(|name| *name != "args").map(|name| self.urn_of(name));
            let mut urns: Vec<Urn> = urns.collect::<Result<_, _>>()?;
            urns.sort();
            urns.dedup();
            goal.dependencies.extend(urns.iter().cloned());
            if !urns.is_empty() {
                goal.property_dependencies.insert(key.clone(), urns);
            }
        }
        options::apply(&item.options, &mut goal, &|name| self.urn_of(name), &|name| self.made(name))?;
        goal.dependencies.sort();
        goal.dependencies.dedup();
        Ok(goal)
    }

    fn package(item: &Item, ty: &str) -> PackageDescriptor {
        let mut package =
            PackageDescriptor::new(package_of_type(ty), item.options.text("version").unwrap_or(""));
        package.download_url = item.options.text("url").unwrap_or("").to_owned();
        if let Some((plugin, value)) = item.options.text("base").and_then(|base| base.split_once('/')) {
            let (name, version) = plugin.split_once('@').unwrap_or((plugin, ""));
            let made = std::mem::replace(&mut package, PackageDescriptor::new(name, version));
            package.download_url = made.download_url;
            let value = value.as_bytes().to_vec();
            package.parameterization =
                Some(Parameterization { name: made.name, version: made.version, value });
        }
        package
    }

    async fn register(&self, item: &Item) -> Result<(), MonitorError> {
        let goal = self.goal(item)?;
        let mut request = RegisterRequest {
            package: Self::package(item, &goal.ty),
            remote: item.options.has("remote"),
            providers: std::collections::BTreeMap::new(),
            goal,
            stack_trace_handle: String::new(),
        };
        for name in item.options.list("providers") {
            if let Some(made) = self.made(&name) {
                request.providers.insert(made.provider().package().to_owned(), made.provider());
            }
        }
        let reply = self.monitor.register(request).await?;
        self.registered(item, reply);
        Ok(())
    }

    fn registered(&self, item: &Item, reply: RegisterReply) {
        let word = match reply.result {
            RegisterResult::Success => "registered",
            RegisterResult::Fail => "failed",
            RegisterResult::Skip => "skipped",
        };
        let (id, outputs) = (reply.id.clone(), text::map_line(&reply.outputs));
        let id = if id.is_empty() { String::new() } else { format!(" id={id}") };
        self.note(format!("{}: {word}{id} {outputs}", item.handle()));
        let failed = reply.result != RegisterResult::Success;
        let vague = reply.unknown || failed || self.monitor.info().dry_run;
        let made = Made { urn: reply.urn, id: reply.id, outputs: reply.outputs, vague };
        self.keep(item.handle(), made);
    }

    async fn read(&self, item: &Item) -> Result<(), MonitorError> {
        let goal = self.goal(item)?;
        let id = match item.options.value("id") {
            Some(Expr::Ref(name, property)) => {
                self.made(name).map_or(PropertyValue::Unknown, |made| made.property(property.as_deref()))
            }
            Some(other) => other.constant(),
            None => PropertyValue::text(&item.name),
        };
        let mut shown = String::new();
        let id = match id {
            PropertyValue::String(id) => id,
            PropertyValue::Unknown => purlin_model::UNKNOWN_ID.to_owned(),
            other => {
                text::show(&other, &mut shown);
                shown
            }
        };
        let request = ReadRequest { id: id.clone(), package: Self::package(item, &goal.ty), goal };
        let reply = self.monitor.read(request).await?;
        self.note(format!("{}: read {}", item.handle(), text::map_line(&reply.outputs)));
        let vague = self.monitor.info().dry_run;
        self.keep(item.handle(), Made { urn: reply.urn, id, outputs: reply.outputs, vague });
        Ok(())
    }

    async fn invoke(&self, item: &Item) -> Result<(), MonitorError> {
        let urns =
            |names: Vec<String>| names.iter().map(|name| self.urn_of(name)).collect::<Result<Vec<_>, _>>();
        let request = InvokeRequest {
            token: item.name.clone(),
            args: self.inputs(item),
            provider: item
                .options
                .text("provider")
                .and_then(|name| self.made(name))
                .map(|made| made.provider()),
            package: Self::package(item, &item.name),
            extension: item.extension(),
            parent: item.options.text("parent").map(|name| self.urn_of(name)).transpose()?,
            depends_on: urns(item.options.list("deps"))?,
        };
        let reply = self.monitor.invoke(request).await?;
        let failures: Vec<String> =
            reply.failures.iter().map(|f| format!(" {}: {}", f.property, f.reason)).collect();
        let unknown = if reply.unknown { " unknown" } else { "" };
        self.note(format!(
            "{}: {}{}{unknown}",
            item.handle(),
            text::map_line(&reply.result),
            failures.concat()
        ));
        let root = Urn::root_stack(STACK, PROJECT);
        let made =
            Made { urn: root, id: String::new(), outputs: Arc::new(reply.result), vague: reply.unknown };
        self.keep(item.handle(), made);
        Ok(())
    }

    async fn call(&self, item: &Item) -> Result<(), MonitorError> {
        let mut args = self.inputs(item);
        if let Some(this) = item.options.text("self").and_then(|name| self.made(name)) {
            args.insert("__self__".into(), this.property(Some("ref")));
        }
        let request = CallRequest {
            token: item.name.clone(),
            args,
            arg_dependencies: PropertyDependencies::new(),
            provider: item
                .options
                .text("provider")
                .and_then(|name| self.made(name))
                .map(|made| made.provider()),
            package: Self::package(item, &item.name),
            extension: item.extension(),
            stack_trace_handle: String::new(),
        };
        let reply = self.monitor.call(request).await?;
        self.note(format!("{}: {}", item.handle(), text::map_line(&reply.result)));
        let root = Urn::root_stack(STACK, PROJECT);
        let made = Made { urn: root, id: String::new(), outputs: Arc::new(reply.result), vague: false };
        self.keep(item.handle(), made);
        Ok(())
    }

    async fn hook(&self, item: &Item) -> Result<(), MonitorError> {
        let Some(cloud) = &self.cloud else {
            return Err(MonitorError::Invalid("components register no hooks".into()));
        };
        let hook = match item.verb {
            Verb::Hook => hooks::hook(&item.name, &item.options, cloud),
            _ => hooks::error_hook(&item.name, &item.options, cloud),
        };
        self.monitor.register_hook(hook).await
    }

    async fn outputs(&self, item: &Item) -> Result<(), MonitorError> {
        let urn = self.urn_of(&item.name)?;
        let outputs = self.inputs(item);
        if item.name == "self" {
            let mut dependencies = PropertyDependencies::new();
            for (key, value) in &item.inputs {
                let mut names = Vec::new();
                value.names(&mut names);
                let urns: Vec<Urn> =
                    names.iter().filter_map(|name| self.made(name)).map(|made| made.urn).collect();
                dependencies.insert(key.clone(), urns);
            }
            *self.of_self.lock().unwrap_or_else(PoisonError::into_inner) = (outputs.clone(), dependencies);
        }
        self.monitor.register_outputs(urn, outputs).await
    }

    /// The outputs of the component that it makes, and what each depends on.
    pub fn outputs_of_self(&self) -> Outputs {
        self.of_self.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why a program ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has been said.
    Bailed,
    /// It has not been said yet.
    Failed(String),
}

/// Runs programs of lines.
pub struct Host {
    /// The program.
    pub program: Program,
    /// Where its lines wait, and where calls of its hooks are noted.
    pub cloud: Cloud,
    /// What it is answered.
    pub replies: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl LanguageHost for Host {
    fn runtime(&self) -> &str {
        "lab"
    }

    async fn install_dependencies(
        &self,
        _: &ProgramInfo,
        _: &Arc<dyn EventSink>,
        _: bool,
    ) -> Result<(), Diagnostic> {
        Ok(())
    }

    async fn required_packages(&self, _: &ProgramInfo) -> Result<Vec<PackageDescriptor>, Diagnostic> {
        Ok(Vec::new())
    }

    async fn run(&self, request: RunRequest, cancel: CancellationToken) -> Result<RunOutcome, Diagnostic> {
        let running = Running::new(self.program.clone(), request.monitor, self.cloud.gate.clone());
        let running = running.replies(Arc::clone(&self.replies)).noting_in(self.cloud.clone());
        let ended = tokio::select! {
            biased;
            ended = running.run() => ended,
            () = cancel.cancelled() => Err(Ended::Bailed),
        };
        Ok(match ended {
            Ok(()) => RunOutcome::Succeeded,
            Err(Ended::Bailed) => RunOutcome::Bailed,
            Err(Ended::Failed(message)) => RunOutcome::Failed(Diagnostic::error("program", message)),
        })
    }
}
