//! A cloud in a map, and the providers that serve it.
//!
//! What a diff says follows from the names of inputs: a change of `fixed` replaces, one of `first`
//! deletes before it replaces, any other updates. Of a provider's own inputs, `region` replaces.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use purlin_model::{PackageDescriptor, PropertyMap, PropertyValue, Urn};
use purlin_ports::{
    CheckArgs, CheckFailure, CheckResult, ConfigureArgs, ConstructArgs, ConstructResult, CreateArgs,
    DeleteArgs, DiffArgs, DiffChanges, DiffResult, InvokeArgs, InvokeResult, Operated, Provider,
    ProviderError, ProviderHost, ProviderMethodArgs, ProviderMethodResult, ReadArgs, ReadResult, UpdateArgs,
};
use tokio_util::sync::CancellationToken;

use super::Log;

/// What goes wrong with one call.
#[derive(Clone)]
pub enum Fault {
    Rejected,
    /// It is rejected so many times.
    Times(usize),
    /// It takes effect, and something is wrong with the result.
    Half,
    /// It takes effect and the connection is lost.
    Lost,
    /// It waits for this before it takes effect.
    Waits(CancellationToken),
}

pub struct Cloud {
    pub log: Log,
    /// What exists, by id.
    pub things: Mutex<BTreeMap<String, PropertyMap>>,
    faults: Mutex<HashMap<String, Fault>>,
    made: AtomicUsize,
    processes: AtomicUsize,
    /// The packages of which an instance was to be got ready.
    pub prepared: Mutex<Vec<String>>,
    busy: AtomicUsize,
    /// The most calls that there were at once.
    pub most: AtomicUsize,
}

impl Cloud {
    pub fn new(log: Log) -> Cloud {
        Cloud {
            log,
            things: Mutex::default(),
            faults: Mutex::default(),
            made: AtomicUsize::new(0),
            processes: AtomicUsize::new(0),
            prepared: Mutex::default(),
            busy: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// What happens at a call, `create a` for one.
    pub fn fault(&self, call: &str, fault: Fault) {
        self.faults.lock().unwrap().insert(call.to_owned(), fault);
    }

    pub fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    pub fn forget_processes(&self) {
        self.processes.store(0, Ordering::Relaxed);
    }

    pub fn started(&self) -> usize {
        self.processes.load(Ordering::Relaxed)
    }

    pub fn ids(&self) -> Vec<String> {
        self.things.lock().unwrap().keys().cloned().collect()
    }

    async fn call(&self, what: &str, urn: &Urn) -> Result<Option<Fault>, ProviderError> {
        let call = format!("{what} {}", urn.name());
        self.log.add(call.clone());
        let fault = {
            let mut faults = self.faults.lock().unwrap();
            let fault = faults.get(&call).cloned();
            match fault {
                Some(Fault::Times(1)) => drop(faults.remove(&call)),
                Some(Fault::Times(times)) => drop(faults.insert(call.clone(), Fault::Times(times - 1))),
                _ => {}
            }
            fault
        };
        let busy = self.busy.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(busy, Ordering::Relaxed);
        tokio::task::yield_now().await;
        if let Some(Fault::Waits(token)) = &fault {
            token.cancelled().await;
        }
        self.busy.fetch_sub(1, Ordering::Relaxed);
        self.log.add(format!("answer {call}"));
        match fault {
            Some(Fault::Rejected | Fault::Times(_)) => {
                Err(ProviderError::Rejected("the cloud says no".into()))
            }
            fault => Ok(fault),
        }
    }
}

fn end(fault: Option<Fault>, id: &str, outputs: PropertyMap) -> Result<Operated, ProviderError> {
    let operated = Operated { id: id.to_owned(), outputs, ..Operated::default() };
    match fault {
        Some(Fault::Lost) => Err(ProviderError::OutcomeUnknown("the connection was lost".into())),
        Some(Fault::Half) => Ok(Operated { init_errors: vec!["it never came up".into()], ..operated }),
        _ => Ok(operated),
    }
}

/// One process.
struct Process {
    cloud: Arc<Cloud>,
    package: PackageDescriptor,
    config: Mutex<Option<Arc<PropertyMap>>>,
}

/// Starts processes.
pub struct Plugins(pub Arc<Cloud>);

#[async_trait]
impl ProviderHost for Plugins {
    async fn start(&self, package: &PackageDescriptor) -> Result<Arc<dyn Provider>, ProviderError> {
        if package.package() == "missing" {
            return Err(ProviderError::Unavailable("no such plugin".into()));
        }
        if package.package() == "pulumi" {
            return Ok(super::builtin::provider(package));
        }
        self.0.processes.fetch_add(1, Ordering::Relaxed);
        self.0.log.add(format!("start {}@{}", package.package(), package.version));
        Ok(Arc::new(Process {
            cloud: Arc::clone(&self.0),
            package: package.clone(),
            config: Mutex::default(),
        }))
    }

    async fn prepare(&self, package: &PackageDescriptor) {
        self.0.prepared.lock().unwrap().push(format!("{}@{}", package.package(), package.version));
    }

    async fn stop_all(&self) {}
}

impl Process {
    fn config(&self) -> Arc<PropertyMap> {
        self.config.lock().unwrap().clone().expect("it is configured before it is used")
    }
}

fn compare(args: &DiffArgs, replaces: &[&str]) -> DiffResult {
    let keys = args.old_inputs.keys().chain(args.new_inputs.keys());
    let mut diffs: Vec<String> =
        keys.filter(|key| args.old_inputs.get(key) != args.new_inputs.get(key)).cloned().collect();
    diffs.sort();
    diffs.dedup();
    let replaces: Vec<String> = diffs.iter().filter(|k| replaces.contains(&k.as_str())).cloned().collect();
    DiffResult {
        changes: if diffs.is_empty() { DiffChanges::None } else { DiffChanges::Some },
        delete_before_replace: replaces.contains(&"first".to_owned()),
        replaces,
        diffs,
        detailed: None,
    }
}

#[async_trait]
impl Provider for Process {
    async fn check_config(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        assert!(!args.news.contains_key("__internal"), "a plugin doesn't see what is the engine's");
        Ok(CheckResult { inputs: PropertyMap::clone(&args.news), failures: Vec::new() })
    }

    async fn diff_config(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        Ok(compare(&args, &["region"]))
    }

    async fn configure(&self, args: ConfigureArgs) -> Result<(), ProviderError> {
        let mut config = self.config.lock().unwrap();
        assert!(config.is_none(), "a process is configured once");
        let region = args.inputs.get("region").and_then(PropertyValue::as_str).unwrap_or("nowhere");
        self.cloud.log.add(format!("configure {} {region}", args.urn.name()));
        *config = Some(args.inputs);
        Ok(())
    }

    async fn check(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        self.config();
        let olds = if args.olds.is_empty() { "" } else { " with olds" };
        self.cloud.log.add(format!("check {}{olds}", args.urn.name()));
        let bad = args.news.contains_key("bad");
        let failure = CheckFailure { property: "bad".into(), reason: "it is bad".into() };
        Ok(CheckResult {
            inputs: PropertyMap::clone(&args.news),
            failures: if bad { vec![failure] } else { Vec::new() },
        })
    }

    async fn diff(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        self.config();
        let unsure = args.new_inputs.values().any(PropertyValue::contains_unknowns);
        if unsure && self.cloud.faults.lock().unwrap().contains_key(&format!("diff {}", args.urn.name())) {
            return Err(ProviderError::Rejected("the cloud can't tell".into()));
        }
        Ok(compare(&args, &["fixed", "first"]))
    }

    async fn create(&self, args: CreateArgs) -> Result<Operated, ProviderError> {
        self.config();
        let mut outputs = PropertyMap::clone(&args.inputs);
        if args.context.preview {
            outputs.insert("made".into(), PropertyValue::Unknown);
            self.cloud.log.add(format!("foresee {}", args.context.urn.name()));
            return Ok(Operated { outputs, ..Operated::default() });
        }
        let fault = self.cloud.call("create", &args.context.urn).await?;
        let number = self.cloud.made.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", args.context.urn.name());
        outputs.insert("made".into(), id.as_str().into());
        self.cloud.things.lock().unwrap().insert(id.clone(), outputs.clone());
        end(fault, &id, outputs)
    }

    async fn update(&self, args: UpdateArgs) -> Result<Operated, ProviderError> {
        self.config();
        let mut outputs = PropertyMap::clone(&args.new_inputs);
        outputs.extend(args.old_outputs.get("made").map(|made| ("made".to_owned(), made.clone())));
        if args.context.preview {
            self.cloud.log.add(format!("foresee {}", args.context.urn.name()));
            return Ok(Operated { outputs, ..Operated::default() });
        }
        let fault = self.cloud.call("update", &args.context.urn).await?;
        self.cloud.things.lock().unwrap().insert(args.id.clone(), outputs.clone());
        end(fault, &args.id, outputs)
    }

    async fn delete(&self, args: DeleteArgs) -> Result<(), ProviderError> {
        self.config();
        assert!(!args.context.preview);
        let fault = self.cloud.call("delete", &args.context.urn).await?;
        self.cloud.things.lock().unwrap().remove(&args.id);
        end(fault, "", PropertyMap::new()).map(|_| ())
    }

    async fn read(&self, args: ReadArgs) -> Result<ReadResult, ProviderError> {
        self.config();
        self.cloud.log.add(format!("read {}", args.context.urn.name()));
        let Some(outputs) = self.cloud.things.lock().unwrap().get(&args.id).cloned() else {
            return Ok(ReadResult::default());
        };
        Ok(ReadResult { id: args.id, outputs: Some(outputs), ..ReadResult::default() })
    }

    async fn construct(&self, _: ConstructArgs) -> Result<ConstructResult, ProviderError> {
        Err(ProviderError::Unimplemented("construct".into()))
    }

    async fn invoke(&self, args: InvokeArgs) -> Result<InvokeResult, ProviderError> {
        let mut result = args.args;
        if let Some(region) = self.config().get("region") {
            result.insert("region".into(), region.clone());
        }
        if args.token.ends_with(":fails") {
            return Err(ProviderError::Rejected("no such function".into()));
        }
        Ok(InvokeResult { result, failures: Vec::new() })
    }

    async fn call(&self, args: ProviderMethodArgs) -> Result<ProviderMethodResult, ProviderError> {
        let region = self.config().get("region").cloned().unwrap_or(PropertyValue::Null);
        let result = PropertyMap::from([
            ("region".to_owned(), region),
            ("token".to_owned(), args.token.as_str().into()),
        ]);
        Ok(ProviderMethodResult { result, ..ProviderMethodResult::default() })
    }

    async fn schema(&self) -> Result<String, ProviderError> {
        Err(ProviderError::Unimplemented("schema".into()))
    }

    fn version(&self) -> &str {
        &self.package.version
    }

    async fn cancel(&self) {
        self.cloud.log.add("cancel");
    }
}
