//! The floor of a provider: the calls of each phase, with nothing around them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use futures::stream::{self, StreamExt};
use purlin_model::{CustomTimeouts, PackageDescriptor, PropertyMap, PropertyValue, Urn};
use purlin_plugins::{BuiltinProviders, PluginHost, PluginSettings};
use purlin_ports::{
    CallContext, CheckArgs, Clock, ConfigureArgs, CreateArgs, DeleteArgs, DiffArgs, Provider, ProviderError,
    ProviderHost, ReadArgs,
};
use purlin_providers::RandomProvider;
use purlin_testkit::{CollectedEvents, CountingEntropy};

use crate::Problem;

/// Why a call failed.
type Failure = ProviderError;

/// The package that is built in.
const BUILTIN: &str = "builtin";

/// A clock that stands still.
struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> String {
        "2024-01-01T00:00:00Z".to_owned()
    }

    fn unix_seconds(&self) -> i64 {
        1_704_067_200
    }
}

/// What there is of a resource between phases.
#[derive(Clone)]
struct Existing {
    urn: Urn,
    inputs: Arc<PropertyMap>,
    id: String,
    outputs: Arc<PropertyMap>,
}

struct Calls {
    host: PluginHost,
    package: PackageDescriptor,
    parallel: usize,
}

/// Sends a provider the calls of each phase and says how long each took.
pub(crate) async fn measure(package: &str, count: &str, parallel: &str) -> Result<String, Problem> {
    let count: usize = count.parse()?;
    let calls = Calls::new(package, parallel.parse()?)?;
    let (ty, inputs) = match package {
        "faultcloud" => ("faultcloud:index:Object", object as fn(usize) -> PropertyMap),
        _ => ("random:index/randomString:RandomString", string as fn(usize) -> PropertyMap),
    };
    let wanted: Vec<Existing> = (0..count)
        .map(|number| Existing {
            urn: Urn::new("dev", "many", None, ty, &format!("thing-{number}")),
            inputs: Arc::new(inputs(number)),
            id: String::new(),
            outputs: Arc::default(),
        })
        .collect();
    let mut line = String::new();
    let start = Instant::now();
    let existing = calls.create(wanted).await?;
    line.push_str(&format!("create={:.3}", start.elapsed().as_secs_f64()));
    let start = Instant::now();
    calls.compare(&existing).await?;
    let compared = start.elapsed().as_secs_f64();
    line.push_str(&format!(" no-op={compared:.3} preview={compared:.3}"));
    let start = Instant::now();
    calls.read(&existing).await?;
    line.push_str(&format!(" refresh={:.3}", start.elapsed().as_secs_f64()));
    let start = Instant::now();
    calls.delete(&existing).await?;
    line.push_str(&format!(" destroy={:.3}", start.elapsed().as_secs_f64()));
    Ok(line)
}

fn payload(number: usize) -> PropertyValue {
    PropertyValue::String(format!("{number:0>300}"))
}

fn string(number: usize) -> PropertyMap {
    let keepers = PropertyMap::from([("payload".to_owned(), payload(number))]);
    PropertyMap::from([
        ("keepers".to_owned(), PropertyValue::from(keepers)),
        ("length".to_owned(), PropertyValue::Number(8.0)),
    ])
}

fn object(number: usize) -> PropertyMap {
    let name = PropertyValue::String(format!("thing-{number}"));
    PropertyMap::from([("name".to_owned(), name), ("value".to_owned(), payload(number))])
}

impl Calls {
    fn new(package: &str, parallel: usize) -> Result<Calls, Problem> {
        let folder = std::env::temp_dir();
        let home = std::env::var_os("PULUMI_HOME").map_or_else(|| folder.join("purlin-floor"), PathBuf::from);
        let mut settings = PluginSettings::new(home, folder);
        settings.path =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        settings.env = std::env::vars_os().collect();
        settings.disable_acquisition = true;
        // Nothing calls back: any address will do.
        settings.engine_address = "127.0.0.1:9".to_owned();
        let name = if package == BUILTIN { "random" } else { package };
        settings.ignore_ambient = package == BUILTIN;
        let entropy = Arc::new(CountingEntropy::default());
        let builtin: BuiltinProviders = Arc::new(move |package: &PackageDescriptor| {
            let entropy = Arc::clone(&entropy);
            (package.name == "random")
                .then(|| Arc::new(RandomProvider::new(entropy, Arc::new(NoClock))) as Arc<dyn Provider>)
        });
        let events = Arc::new(CollectedEvents::default());
        let host = PluginHost::new(settings, events, builtin, None)?;
        Ok(Calls { host, package: PackageDescriptor::new(name, ""), parallel })
    }

    /// A provider that has just been started and configured, as it is in each phase.
    async fn provider(&self) -> Result<Arc<dyn Provider>, Problem> {
        let provider = self.host.start(&self.package).await?;
        let ty = format!("pulumi:providers:{}", self.package.name);
        let urn = Urn::new("dev", "many", None, &ty, "default");
        let args = CheckArgs {
            urn: urn.clone(),
            olds: Arc::default(),
            news: Arc::default(),
            random_seed: vec![0; 32],
            autonaming: None,
        };
        let checked = provider.check_config(args).await?;
        let id = "00000000-0000-4000-8000-000000000000".to_owned();
        provider.configure(ConfigureArgs { urn, id, inputs: Arc::new(checked.inputs) }).await?;
        Ok(provider)
    }

    async fn create(&self, wanted: Vec<Existing>) -> Result<Vec<Existing>, Problem> {
        self.for_each(wanted, |provider, resource| async move {
            let inputs = check(provider.as_ref(), &resource, Arc::default()).await?;
            let context = context(&resource);
            let done = provider.create(CreateArgs { context, inputs: Arc::clone(&inputs) }).await?;
            Ok(Existing { inputs, id: done.id, outputs: Arc::new(done.outputs), ..resource })
        })
        .await
    }

    async fn compare(&self, existing: &[Existing]) -> Result<(), Problem> {
        let compared = self.for_each(existing.to_vec(), |provider, resource| async move {
            let new_inputs = check(provider.as_ref(), &resource, Arc::clone(&resource.inputs)).await?;
            let args = DiffArgs {
                urn: resource.urn,
                id: resource.id,
                old_inputs: resource.inputs,
                old_outputs: resource.outputs,
                new_inputs,
                ignore_changes: Vec::new(),
                preview: false,
            };
            provider.diff(args).await?;
            Ok(())
        });
        compared.await.map(drop)
    }

    /// A refresh compares what it reads with what the program wants, by the provider.
    async fn read(&self, existing: &[Existing]) -> Result<(), Problem> {
        let reads = self.for_each(existing.to_vec(), |provider, resource| async move {
            let context = context(&resource);
            let Existing { urn, inputs, id, outputs } = resource;
            let args = ReadArgs { context, id: id.clone(), inputs: Arc::clone(&inputs), outputs };
            let found = provider.read(args).await?;
            let args = DiffArgs {
                urn,
                id,
                old_inputs: found.inputs.map_or_else(|| Arc::clone(&inputs), Arc::new),
                old_outputs: Arc::new(found.outputs.unwrap_or_default()),
                new_inputs: inputs,
                ignore_changes: Vec::new(),
                preview: false,
            };
            provider.diff(args).await?;
            Ok(())
        });
        reads.await.map(drop)
    }

    async fn delete(&self, existing: &[Existing]) -> Result<(), Problem> {
        let deletes = self.for_each(existing.to_vec(), |provider, resource| async move {
            let context = context(&resource);
            let Existing { inputs, id, outputs, .. } = resource;
            provider.delete(DeleteArgs { context, id, inputs, outputs }).await?;
            Ok(())
        });
        deletes.await.map(drop)
    }

    /// Starts a provider, calls it for each resource, so many at once, and stops it. In no order.
    async fn for_each<T, F>(
        &self,
        resources: Vec<Existing>,
        call: impl Fn(Arc<dyn Provider>, Existing) -> F,
    ) -> Result<Vec<T>, Problem>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let provider = self.provider().await?;
        let calls =
            stream::iter(resources).map(|resource| tokio::spawn(call(Arc::clone(&provider), resource)));
        let mut calls = calls.buffer_unordered(self.parallel);
        let mut done = Vec::new();
        while let Some(answer) = calls.next().await {
            done.push(answer?.map_err(|failure| failure.to_string())?);
        }
        self.host.stop_all().await;
        Ok(done)
    }
}

fn context(resource: &Existing) -> CallContext {
    CallContext::new(resource.urn.clone(), false, CustomTimeouts::default())
}

async fn check(
    provider: &dyn Provider,
    resource: &Existing,
    olds: Arc<PropertyMap>,
) -> Result<Arc<PropertyMap>, Failure> {
    let news = Arc::clone(&resource.inputs);
    let args =
        CheckArgs { urn: resource.urn.clone(), olds, news, random_seed: vec![7; 32], autonaming: None };
    let checked = provider.check(args).await?;
    if let Some(failure) = checked.failures.first() {
        return Err(ProviderError::Rejected(format!("{}: {}", failure.property, failure.reason)));
    }
    Ok(Arc::new(checked.inputs))
}
