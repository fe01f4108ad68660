//! A cloud in a map, and the providers that serve it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use purlin_model::{Extension, OperationKind, PackageDescriptor, PropertyMap, PropertyValue, Urn};
use purlin_ports::{
    CallContext, CheckArgs, CheckFailure, CheckResult, ConfigureArgs, ConstructArgs, ConstructResult,
    CreateArgs, DeleteArgs, DiffArgs, DiffResult, InvokeArgs, InvokeResult, Operated, Provider,
    ProviderError, ProviderHost, ProviderMethodArgs, ProviderMethodResult, PublishedStep, ReadArgs,
    ReadResult, ResourceMonitor, UpdateArgs,
};

use super::behaviour::{Behaviour, Touch, Trouble};
use super::gate::Gate;
use super::program::Running;
use super::session::Watch;
use super::{text, views};

/// Something that exists.
#[derive(Clone, Debug)]
pub struct Thing {
    /// The resource that made it; `None` for what nobody manages.
    pub urn: Option<Urn>,
    /// What it was made from.
    pub inputs: PropertyMap,
    /// What it is.
    pub outputs: PropertyMap,
}

/// A call that changes the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What it does.
    pub kind: OperationKind,
    /// The resource.
    pub urn: Urn,
    /// The thing.
    pub id: String,
    /// When it was called, on a clock that counts calls and answers.
    pub started: usize,
    /// When it was answered.
    pub ended: usize,
    /// Whether it took effect.
    pub effect: bool,
    /// Whether the engine was told how it ended.
    pub told: bool,
}

#[derive(Default)]
struct Inner {
    behaviour: Behaviour,
    things: BTreeMap<String, Thing>,
    made: BTreeMap<String, usize>,
    /// How many values were made up that are always others.
    scattered: usize,
    turns: usize,
    /// Counts calls and answers.
    clock: usize,
    /// The calls of the operation.
    calls: Vec<String>,
    acts: Vec<Act>,
    violations: Vec<String>,
    watch: Option<Watch>,
    monitor: Option<Arc<dyn ResourceMonitor>>,
}

/// The cloud; clones are the same one.
#[derive(Clone, Default)]
pub struct Cloud {
    inner: Arc<Mutex<Inner>>,
    /// Where calls wait to be answered.
    pub gate: Gate,
}

impl Cloud {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes ready for the next operation. Without a watch nothing may be changed.
    pub fn begin(&mut self, gate: Gate, watch: Option<Watch>) {
        let mut inner = self.lock();
        inner.calls.clear();
        inner.acts.clear();
        inner.watch = watch;
        inner.monitor = None;
        drop(inner);
        self.gate = gate;
    }

    /// Where components register their children.
    pub fn set_monitor(&self, monitor: Option<Arc<dyn ResourceMonitor>>) {
        self.lock().monitor = monitor;
    }

    /// Takes a line of a `cloud` block.
    pub fn line(&self, line: &str) -> Result<(), String> {
        let mut inner = self.lock();
        let Some(touch) = inner.behaviour.line(line)? else { return Ok(()) };
        match touch {
            Touch::Reset => {}
            Touch::Exists(id, outputs) => {
                let thing = Thing { urn: None, inputs: outputs.clone(), outputs };
                inner.things.insert(id, thing);
            }
            Touch::Vanish(name) => inner.things.retain(|id, thing| !is_called(id, thing, &name)),
            Touch::Drift(name, changes) => {
                let found = inner.things.iter_mut().filter(|(id, thing)| is_called(id, thing, &name));
                for (_, thing) in found {
                    for (key, value) in &changes {
                        if *value == PropertyValue::Null {
                            thing.inputs.remove(key);
                            thing.outputs.remove(key);
                            continue;
                        }
                        if let Some(input) = thing.inputs.get_mut(key) {
                            input.clone_from(value);
                        }
                        thing.outputs.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// Says how components of a type are made.
    pub fn construct(&self, ty: &str, lines: &[&str]) -> Result<(), String> {
        self.lock().behaviour.construct(ty, lines)
    }

    /// Puts a thing there.
    pub fn put(&self, id: &str, thing: Thing) {
        self.lock().things.insert(id.to_owned(), thing);
    }

    /// Ids that come are not this one.
    pub fn spend(&self, id: &str) {
        if let Some((name, number)) = id.rsplit_once('-')
            && let Ok(number) = number.parse::<usize>()
        {
            let mut inner = self.lock();
            let made = inner.made.entry(name.to_owned()).or_default();
            *made = number.max(*made);
        }
    }

    /// Takes a thing away.
    pub fn remove(&self, id: &str) {
        self.lock().things.remove(id);
    }

    /// What exists, by id.
    pub fn things(&self) -> BTreeMap<String, Thing> {
        self.lock().things.clone()
    }

    /// The calls of the operation, in the order in which they were made.
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// What was called to change the cloud, in the order in which it was answered.
    pub fn acts(&self) -> Vec<Act> {
        self.lock().acts.clone()
    }

    /// What must not happen and did.
    pub fn violations(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().violations)
    }

    /// Notes something among the calls.
    pub fn note(&self, line: String) {
        self.lock().calls.push(line);
    }

    /// Tells the engine what is done to views.
    async fn publish(&self, token: &str, steps: Vec<PublishedStep>) {
        let monitor = self.lock().monitor.clone();
        if let (Some(monitor), false) = (monitor, steps.is_empty())
            && let Err(error) = monitor.publish_views(token.to_owned(), steps).await
        {
            self.lock().violations.push(format!("views are refused: {error}"));
        }
    }

    async fn publish_made(&self, context: &CallContext, inputs: &PropertyMap) {
        let steps = self.lock().behaviour.views.made(context, inputs);
        self.publish(&context.status.token, steps).await;
    }

    fn trouble(&self, call: &str, urn: &Urn) -> Option<(Trouble, String)> {
        self.lock().behaviour.trouble(call, urn.name())
    }

    /// A call that changes nothing.
    async fn look(
        &self,
        call: &str,
        urn: &Urn,
        about: String,
    ) -> Result<Option<(Trouble, String)>, ProviderError> {
        let line = format!("{call} {}{about}", urn.name());
        self.lock().calls.push(line);
        self.gate.pass_call(call, urn).await;
        no(self.trouble(call, urn))
    }

    /// A call that changes the cloud.
    async fn act(
        &self,
        kind: OperationKind,
        urn: &Urn,
        id: &str,
        about: String,
    ) -> Result<Acting, ProviderError> {
        let call = match kind {
            OperationKind::Creating => "create",
            OperationKind::Updating => "update",
            _ => "delete",
        };
        let line = format!("{call} {}{about}", urn.name());
        let started = self.note_act(kind, urn, id, line);
        self.gate.pass_call(call, urn).await;
        Ok(Acting { started, trouble: no(self.trouble(call, urn))? })
    }

    /// Notes a call that changes the cloud; returns when it was made.
    fn note_act(&self, kind: OperationKind, urn: &Urn, id: &str, line: String) -> usize {
        let mut inner = self.lock();
        let begun = inner.watch.as_ref().map(|watch| watch.is_stored(kind, urn, id));
        match begun {
            None => inner.violations.push(format!("a preview called '{line}'")),
            Some(false) => inner.violations.push(format!("'{line}' was called before its begin was stored")),
            Some(true) => {}
        }
        inner.calls.push(line);
        inner.clock += 1;
        inner.clock
    }

    fn acted(&self, kind: OperationKind, urn: &Urn, id: &str, acting: &Acting) {
        let trouble = acting.trouble.as_ref().map(|(trouble, _)| *trouble);
        let mut inner = self.lock();
        inner.clock += 1;
        let act = Act {
            kind,
            urn: urn.clone(),
            id: id.to_owned(),
            started: acting.started,
            ended: inner.clock,
            effect: trouble != Some(Trouble::Dropped),
            told: !matches!(trouble, Some(Trouble::Dropped | Trouble::Lost)),
        };
        inner.acts.push(act);
    }
}

/// A call that is about to take effect.
struct Acting {
    started: usize,
    trouble: Option<(Trouble, String)>,
}

impl Acting {
    fn is_dropped(&self) -> bool {
        matches!(self.trouble, Some((Trouble::Dropped, _)))
    }
}

/// Whether a thing is meant by the name of a resource or by its id.
fn is_called(id: &str, thing: &Thing, name: &str) -> bool {
    id == name || thing.urn.as_ref().is_some_and(|urn| urn.name() == name)
}

/// What was said no to is an error at once.
fn no(trouble: Option<(Trouble, String)>) -> Result<Option<(Trouble, String)>, ProviderError> {
    match trouble {
        Some((Trouble::Fails, text)) => Err(ProviderError::Rejected(text)),
        Some((Trouble::Unimplemented, _)) => Err(ProviderError::Unimplemented("it is not known".into())),
        other => Ok(other),
    }
}

fn lost(trouble: Option<&(Trouble, String)>) -> Result<(), ProviderError> {
    match trouble {
        Some((Trouble::Lost | Trouble::Dropped, text)) => Err(ProviderError::OutcomeUnknown(text.clone())),
        _ => Ok(()),
    }
}

fn half(trouble: Option<(Trouble, String)>) -> Vec<String> {
    trouble.into_iter().filter(|(trouble, _)| *trouble == Trouble::Partial).map(|(_, text)| text).collect()
}

/// One process of a plugin.
struct Process {
    cloud: Cloud,
    package: PackageDescriptor,
    config: Mutex<Option<Arc<PropertyMap>>>,
}

/// Starts plugins. Those of the package `missing` can't be had.
pub struct Plugins(pub Cloud);

#[async_trait]
impl ProviderHost for Plugins {
    async fn start(&self, package: &PackageDescriptor) -> Result<Arc<dyn Provider>, ProviderError> {
        if package.package() == "missing" {
            return Err(ProviderError::Unavailable("no such plugin".into()));
        }
        let version =
            if package.version.is_empty() { String::new() } else { format!("@{}", package.version) };
        let of = package.parameterization.as_ref().map_or(String::new(), |p| {
            format!("={}/{}@{}", package.name, String::from_utf8_lossy(&p.value), p.version)
        });
        let mappings = package.env_var_mappings.iter().map(|(from, to)| format!(" {from}->{to}"));
        let mappings = mappings.collect::<String>();
        self.0.lock().calls.push(format!("start {}{of}{version}{mappings}", package.package()));
        let (cloud, package) = (self.0.clone(), package.clone());
        Ok(Arc::new(Process { cloud, package, config: Mutex::default() }))
    }

    async fn stop_all(&self) {}
}

fn shown(map: &PropertyMap) -> String {
    if map.is_empty() { String::new() } else { format!(" {}", text::map_line(map)) }
}

impl Process {
    fn config(&self) -> Arc<PropertyMap> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    fn check_inputs(&self, args: &CheckArgs) -> CheckResult {
        let mut inputs = PropertyMap::clone(&args.news);
        let inner = &mut *self.cloud.lock();
        inner.behaviour.defaults(&args.urn, &mut inputs);
        inner.behaviour.make_up(args, &mut inner.scattered, &mut inputs);
        let failures = inner.behaviour.refusals(&args.urn, &inputs);
        let failures =
            failures.into_iter().map(|(property, reason)| CheckFailure { property, reason }).collect();
        CheckResult { inputs, failures }
    }

    async fn difference(&self, args: DiffArgs, config: bool) -> Result<DiffResult, ProviderError> {
        let result = self.cloud.lock().behaviour.diff(&args);
        let about =
            if result.diffs.is_empty() { String::new() } else { format!(" [{}]", result.diffs.join(", ")) };
        self.cloud.look(if config { "diff-config" } else { "diff" }, &args.urn, about).await?;
        Ok(result)
    }
}

#[async_trait]
impl Provider for Process {
    async fn check_config(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        self.cloud.look("check-config", &args.urn, shown(&args.news)).await?;
        Ok(self.check_inputs(&args))
    }

    async fn diff_config(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        self.difference(args, true).await
    }

    async fn configure(&self, args: ConfigureArgs) -> Result<(), ProviderError> {
        self.cloud.look("configure", &args.urn, shown(&args.inputs)).await?;
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        if config.is_some() {
            self.cloud.lock().violations.push(format!("{} was configured twice", args.urn));
        }
        *config = Some(args.inputs);
        Ok(())
    }

    async fn extend(&self, extension: &Extension) -> Result<(), ProviderError> {
        let about = format!("@{}/{}", extension.version, String::from_utf8_lossy(&extension.value));
        let urn = Urn::new(super::STACK, super::PROJECT, None, "extension", &extension.name);
        let trouble = self.cloud.look("extend", &urn, about).await?;
        lost(trouble.as_ref())
    }

    async fn check(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        let olds = if args.olds.is_empty() { "" } else { " over" };
        let named = args.autonaming.as_ref().map(|told| format!(" {:?}:{}", told.mode, told.name));
        let named = named.unwrap_or_default().to_lowercase();
        let about = format!("{}{olds}{}{named}", shown(&args.news), shown(&args.olds));
        self.cloud.look("check", &args.urn, about).await?;
        Ok(self.check_inputs(&args))
    }

    async fn diff(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        self.difference(args, false).await
    }

    async fn create(&self, args: CreateArgs) -> Result<Operated, ProviderError> {
        let urn = &args.context.urn;
        let mut outputs = PropertyMap::clone(&args.inputs);
        if args.context.preview {
            let trouble = self.cloud.look("foresee", urn, shown(&args.inputs)).await?;
            lost(trouble.as_ref())?;
            self.cloud.publish_made(&args.context, &args.inputs).await;
            let inner = self.cloud.lock();
            inner.behaviour.compute(urn, None, &mut outputs);
            let refresh_before_update = inner.behaviour.refresh_before_update(urn);
            return Ok(Operated { outputs, refresh_before_update, ..Operated::default() });
        }
        let kind = OperationKind::Creating;
        let acting = self.cloud.act(kind, urn, "", shown(&args.inputs)).await?;
        self.cloud.publish_made(&args.context, &args.inputs).await;
        let mut inner = self.cloud.lock();
        let number = inner.made.entry(urn.name().to_owned()).or_default();
        *number += 1;
        let id = format!("{}-{number}", urn.name());
        inner.behaviour.compute(urn, Some(&id), &mut outputs);
        if !acting.is_dropped() {
            let inputs = PropertyMap::clone(&args.inputs);
            inner
                .things
                .insert(id.clone(), Thing { urn: Some(urn.clone()), inputs, outputs: outputs.clone() });
        }
        let refresh_before_update = inner.behaviour.refresh_before_update(urn);
        drop(inner);
        self.cloud.acted(kind, urn, &id, &acting);
        lost(acting.trouble.as_ref())?;
        Ok(Operated { id, outputs, init_errors: half(acting.trouble), refresh_before_update })
    }

    async fn update(&self, args: UpdateArgs) -> Result<Operated, ProviderError> {
        let urn = &args.context.urn;
        let mut outputs = PropertyMap::clone(&args.new_inputs);
        let refresh_before_update = self.cloud.lock().behaviour.refresh_before_update(urn);
        if args.context.preview {
            let trouble = self.cloud.look("foresee", urn, shown(&args.new_inputs)).await?;
            lost(trouble.as_ref())?;
            self.cloud.publish_made(&args.context, &args.new_inputs).await;
            self.cloud.lock().behaviour.compute_again(urn, &args.old_outputs, None, &mut outputs);
            return Ok(Operated { outputs, refresh_before_update, ..Operated::default() });
        }
        let kind = OperationKind::Updating;
        let about = format!("{}{}", shown(&args.new_inputs), views::told(&args.context));
        let acting = self.cloud.act(kind, urn, &args.id, about).await?;
        self.cloud.publish_made(&args.context, &args.new_inputs).await;
        let mut inner = self.cloud.lock();
        inner.turns += 1;
        let turn = inner.turns;
        inner.behaviour.compute_again(urn, &args.old_outputs, Some(turn), &mut outputs);
        if !acting.is_dropped() {
            match inner.things.get_mut(&args.id) {
                Some(thing) => {
                    thing.inputs = PropertyMap::clone(&args.new_inputs);
                    thing.outputs.clone_from(&outputs);
                }
                None => {
                    drop(inner);
                    return Err(ProviderError::Rejected(format!("there is no '{}'", args.id)));
                }
            }
        }
        drop(inner);
        self.cloud.acted(kind, urn, &args.id, &acting);
        lost(acting.trouble.as_ref())?;
        Ok(Operated { id: args.id, outputs, init_errors: half(acting.trouble), refresh_before_update })
    }

    async fn delete(&self, args: DeleteArgs) -> Result<(), ProviderError> {
        let urn = &args.context.urn;
        let kind = OperationKind::Deleting;
        let about = format!(" {}{}", args.id, views::told(&args.context));
        let acting = self.cloud.act(kind, urn, &args.id, about).await?;
        let steps = self.cloud.lock().behaviour.views.deleted(&args.context);
        self.cloud.publish(&args.context.status.token, steps).await;
        if !acting.is_dropped() {
            self.cloud.lock().things.remove(&args.id);
        }
        self.cloud.acted(kind, urn, &args.id, &acting);
        lost(acting.trouble.as_ref())
    }

    async fn read(&self, args: ReadArgs) -> Result<ReadResult, ProviderError> {
        let urn = &args.context.urn;
        let about = format!(" {}{}", args.id, views::told(&args.context));
        let trouble = self.cloud.look("read", urn, about).await?;
        lost(trouble.as_ref())?;
        let steps = self.cloud.lock().behaviour.views.read(&args.context);
        self.cloud.publish(&args.context.status.token, steps).await;
        let inner = self.cloud.lock();
        let id = inner.behaviour.answered_id(args.id.clone());
        let thing = inner.things.get(&args.id).or_else(|| inner.things.get(&id));
        let Some(thing) = thing.cloned() else { return Ok(ReadResult::default()) };
        Ok(ReadResult {
            id,
            inputs: (!inner.behaviour.is_silent(urn)).then_some(thing.inputs),
            outputs: Some(thing.outputs),
            init_errors: half(trouble),
            refresh_before_update: inner.behaviour.refresh_before_update(urn),
        })
    }

    async fn construct(&self, args: ConstructArgs) -> Result<ConstructResult, ProviderError> {
        let (program, monitor) = {
            let inner = self.cloud.lock();
            (inner.behaviour.constructs(&args.goal.ty).cloned(), inner.monitor.clone())
        };
        let (Some(program), Some(monitor)) = (program, monitor) else {
            return Err(ProviderError::Unimplemented("nobody knows how to make it".into()));
        };
        self.cloud.lock().calls.push(format!("construct {}{}", args.goal.name, shown(&args.goal.inputs)));
        let running = Running::new(program, monitor, self.cloud.gate.clone()).constructing(args.goal);
        if let Err(ended) = running.run().await {
            return Err(ProviderError::Rejected(format!("the component could not be made: {ended:?}")));
        }
        let Some(this) = running.made("self") else {
            return Err(ProviderError::Rejected("the component did not register itself".into()));
        };
        let (outputs, dependencies) = running.outputs_of_self();
        Ok(ConstructResult { urn: this.urn, outputs, dependencies })
    }

    async fn invoke(&self, args: InvokeArgs) -> Result<InvokeResult, ProviderError> {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
        let by = if config.is_empty() { String::new() } else { format!(" by{}", shown(&config)) };
        self.cloud.lock().calls.push(format!("invoke {}{}{by}", args.token, shown(&args.args)));
        self.cloud.gate.pass(format!("invoke {}", args.token)).await;
        let trouble = self.cloud.lock().behaviour.trouble("invoke", &args.token);
        lost(no(trouble)?.as_ref())?;
        let mut result = args.args;
        result.extend(
            self.config().iter().filter(|(key, _)| *key != "version").map(|(k, v)| (k.clone(), v.clone())),
        );
        let name = args.token;
        let urn = Urn::new(super::STACK, super::PROJECT, None, &name, &name);
        let failures = self.cloud.lock().behaviour.refusals(&urn, &result);
        let failures =
            failures.into_iter().map(|(property, reason)| CheckFailure { property, reason }).collect();
        Ok(InvokeResult { result, failures })
    }

    async fn call(&self, args: ProviderMethodArgs) -> Result<ProviderMethodResult, ProviderError> {
        self.cloud.lock().calls.push(format!("call {}", args.token));
        self.cloud.gate.pass(format!("call {}", args.token)).await;
        let trouble = self.cloud.lock().behaviour.trouble("call", &args.token);
        lost(no(trouble)?.as_ref())?;
        let mut result = purlin_model::value::flatten_outputs(args.args);
        result.remove("__self__");
        result.extend(
            self.config().iter().filter(|(key, _)| *key != "version").map(|(k, v)| (k.clone(), v.clone())),
        );
        Ok(ProviderMethodResult { result, ..ProviderMethodResult::default() })
    }

    async fn schema(&self) -> Result<String, ProviderError> {
        Err(ProviderError::Unimplemented("schema".into()))
    }

    fn version(&self) -> &str {
        &self.package.version
    }

    async fn cancel(&self) {
        self.cloud.lock().calls.push("cancel".into());
    }
}
