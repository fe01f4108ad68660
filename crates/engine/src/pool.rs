//! Provider instances by reference, each started once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt, Shared};
use purlin_model::{
    Extension, PackageDescriptor, Parameterization, PropertyMap, PropertyValue, ProviderRef, ResourceState,
    Snapshot, Urn,
};
use purlin_ports::{BagCodec, ConfigureArgs, Provider, ProviderError, ProviderHost};

use crate::driver::is_default_provider;

type Instance = Shared<BoxFuture<'static, Result<Arc<dyn Provider>, ProviderError>>>;

/// An instance that was given an extension, or is being given it.
struct Extended {
    provider: Arc<dyn Provider>,
    reference: String,
    done: Shared<BoxFuture<'static, Result<(), ProviderError>>>,
}

/// The provider instances of an operation.
pub(crate) struct Pool {
    host: Arc<dyn ProviderHost>,
    bags: Arc<dyn BagCodec>,
    /// Providers of the base, from which an instance is started when nothing has registered it.
    stored: HashMap<ProviderRef, Arc<ResourceState>>,
    running: Mutex<HashMap<ProviderRef, Instance>>,
    /// Instances that were started to validate a provider's configuration.
    checking: Mutex<HashMap<Urn, Instance>>,
    /// The extensions of the base and of this run, by their references.
    extensions: Mutex<BTreeMap<String, Arc<Extension>>>,
    /// What instances were extended with, each once.
    extended: Mutex<Vec<Extended>>,
    /// The inputs of providers that this run registered.
    inputs: Mutex<HashMap<ProviderRef, Arc<PropertyMap>>>,
}

impl Pool {
    pub(crate) fn new(host: Arc<dyn ProviderHost>, bags: Arc<dyn BagCodec>, base: &Snapshot) -> Pool {
        let stored = base
            .resources
            .iter()
            .filter_map(|state| Some((state.as_provider()?, Arc::clone(state))))
            .collect();
        Pool {
            host,
            bags,
            stored,
            running: Mutex::default(),
            checking: Mutex::default(),
            extensions: Mutex::new(base.extensions.clone()),
            extended: Mutex::default(),
            inputs: Mutex::default(),
        }
    }

    /// The instance behind a reference; started from its stored state if nothing has registered it.
    pub(crate) async fn get(&self, provider: &ProviderRef) -> Result<Arc<dyn Provider>, ProviderError> {
        let instance = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            match running.get(provider) {
                Some(instance) => instance.clone(),
                None => {
                    let instance = self.start_stored(provider)?;
                    running.insert(provider.clone(), instance.clone());
                    instance
                }
            }
        };
        instance.await
    }

    /// The program uses an extension.
    pub(crate) fn note(&self, extension: &Arc<Extension>) {
        let mut extensions = self.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        if !extensions.contains_key(&extension.reference) {
            extensions.insert(extension.reference.clone(), Arc::clone(extension));
        }
    }

    /// The instance behind a reference, after it was given an extension; an empty reference of an
    /// extension is none.
    pub(crate) async fn get_extended(
        &self,
        provider: &ProviderRef,
        extension_ref: &str,
    ) -> Result<Arc<dyn Provider>, ProviderError> {
        let instance = self.get(provider).await?;
        if !extension_ref.is_empty() {
            self.extend(&instance, extension_ref)?.await?;
        }
        Ok(instance)
    }

    fn extend(
        &self,
        instance: &Arc<dyn Provider>,
        reference: &str,
    ) -> Result<Shared<BoxFuture<'static, Result<(), ProviderError>>>, ProviderError> {
        let mut extended = self.extended.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |one: &&Extended| Arc::ptr_eq(&one.provider, instance) && one.reference == reference;
        if let Some(known) = extended.iter().find(known) {
            return Ok(known.done.clone());
        }
        let extensions = self.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(extension) = extensions.get(reference).cloned() else {
            return Err(ProviderError::Unavailable(format!(
                "its package is an extension, '{reference}', of which the state has nothing"
            )));
        };
        let provider = Arc::clone(instance);
        let done = async move {
            let why = |e: ProviderError| {
                let (name, version) = (&extension.name, &extension.version);
                ProviderError::Unavailable(format!("extending it by the package {name} {version}: {e}"))
            };
            provider.extend(&extension).await.map_err(why)
        };
        let done = done.boxed().shared();
        extended.push(Extended {
            provider: Arc::clone(instance),
            reference: reference.to_owned(),
            done: done.clone(),
        });
        Ok(done)
    }

    fn start_stored(&self, provider: &ProviderRef) -> Result<Instance, ProviderError> {
        let Some(state) = self.stored.get(provider).cloned() else {
            return Err(ProviderError::Unavailable(format!("unknown provider '{provider}'")));
        };
        let (host, bags) = (Arc::clone(&self.host), Arc::clone(&self.bags));
        Ok(async move {
            let inputs =
                bags.open(&state.inputs).await.map_err(|d| ProviderError::Unavailable(d.to_string()))?;
            let package = descriptor(&state.urn, &inputs);
            let instance = host.start(&package).await?;
            configure(instance, &state.urn, &state.id, &inputs).await
        }
        .boxed()
        .shared())
    }

    /// Gets the plugins ready that the program will probably ask for, since it did the last time: those of
    /// default providers. Which ones they are and what they are to be told is known when it asks.
    pub(crate) async fn prepare(&self) {
        let defaults = self.stored.values().filter(|state| is_default_provider(&state.urn) && !state.delete);
        let mut packages: Vec<PackageDescriptor> = Vec::new();
        for state in defaults {
            if let Ok(inputs) = self.bags.open(&state.inputs).await {
                packages.push(descriptor(&state.urn, &inputs));
            }
        }
        futures::future::join_all(packages.iter().map(|package| self.host.prepare(package))).await;
    }

    /// The unconfigured instance that validates a provider's configuration; started at first use.
    pub(crate) async fn for_check(
        &self,
        urn: &Urn,
        package: &PackageDescriptor,
        inputs: &PropertyMap,
    ) -> Result<Arc<dyn Provider>, ProviderError> {
        let instance = {
            let mut checking = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
            checking
                .entry(urn.clone())
                .or_insert_with(|| {
                    let (host, mut package) = (Arc::clone(&self.host), package.clone());
                    let internal = inputs.get("__internal").and_then(PropertyValue::as_object);
                    package.env_var_mappings = internal.map(mappings).unwrap_or_default();
                    async move { host.start(&package).await }.boxed().shared()
                })
                .clone()
        };
        instance.await
    }

    /// Takes over the instance that validated a configuration, under its reference. It is
    /// configured at once, in the background; whoever uses it waits for that.
    pub(crate) fn adopt(&self, provider: &ProviderRef, inputs: Arc<PropertyMap>) {
        self.inputs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(provider.clone(), Arc::clone(&inputs));
        let checked =
            self.checking.lock().unwrap_or_else(PoisonError::into_inner).get(provider.urn()).cloned();
        let (host, urn, id) = (Arc::clone(&self.host), provider.urn().clone(), provider.id().to_owned());
        let instance: Instance = async move {
            let instance = match checked {
                Some(instance) => instance.await?,
                None => host.start(&descriptor(&urn, &inputs)).await?,
            };
            configure(instance, &urn, &id, &inputs).await
        }
        .boxed()
        .shared();
        tokio::spawn(instance.clone());
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(provider.clone(), instance);
    }

    /// Lets an instance that was renamed serve those, too, that know it by its old name.
    pub(crate) fn rename(&self, from: &ProviderRef, to: &ProviderRef) {
        if from == to || from.id() != to.id() {
            return;
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instance) = running.get(to).cloned() {
            running.insert(from.clone(), instance);
        }
    }

    /// The state of a provider of the base.
    pub(crate) fn stored(&self, provider: &ProviderRef) -> Option<&Arc<ResourceState>> {
        self.stored.get(provider)
    }

    /// The inputs of a provider that this run registered.
    pub(crate) fn inputs(&self, provider: &ProviderRef) -> Option<Arc<PropertyMap>> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner).get(provider).cloned()
    }

    /// Asks every instance to give up what it is doing.
    pub(crate) async fn cancel_all(&self) {
        let instances: Vec<Instance> =
            self.running.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for instance in instances {
            if let Some(Ok(provider)) = instance.peek() {
                provider.cancel().await;
            }
        }
    }
}

async fn configure(
    instance: Arc<dyn Provider>,
    urn: &Urn,
    id: &str,
    inputs: &PropertyMap,
) -> Result<Arc<dyn Provider>, ProviderError> {
    let args =
        ConfigureArgs { urn: urn.clone(), id: id.to_owned(), inputs: Arc::new(without_internal(inputs)) };
    instance.configure(args).await?;
    Ok(instance)
}

/// A provider's inputs without what its plugin never sees.
pub(crate) fn without_internal(inputs: &PropertyMap) -> PropertyMap {
    inputs.iter().filter(|(key, _)| *key != "__internal").map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Which plugin serves a provider, from its inputs.
pub(crate) fn descriptor(urn: &Urn, inputs: &PropertyMap) -> PackageDescriptor {
    let text = |map: &PropertyMap, key: &str| {
        map.get(key).and_then(PropertyValue::as_str).unwrap_or_default().to_owned()
    };
    let none = PropertyMap::new();
    let internal = inputs.get("__internal").and_then(PropertyValue::as_object);
    let place = internal.unwrap_or(if internal.is_none() { inputs } else { &none });
    let package = purlin_model::urn::package_of_type(urn.ty()).to_owned();
    let mut descriptor = PackageDescriptor {
        name: package.clone(),
        version: text(inputs, "version"),
        download_url: text(place, "pluginDownloadURL"),
        ..PackageDescriptor::default()
    };
    if let Some(sums) = place.get("pluginChecksums").and_then(PropertyValue::as_object) {
        descriptor.checksums =
            sums.iter().filter_map(|(key, value)| Some((key.clone(), from_hex(value.as_str()?)?))).collect();
    }
    descriptor.env_var_mappings = internal.map(mappings).unwrap_or_default();
    if let Some(internal) = internal
        && let Some(value) = internal.get("parameterization").and_then(PropertyValue::as_str)
        && let Some(value) = from_base64(value)
    {
        descriptor.parameterization =
            Some(Parameterization { name: package, version: text(inputs, "version"), value });
        descriptor.name = text(internal, "name");
        descriptor.version = text(internal, "version");
    }
    descriptor
}

/// The environment variables that a plugin gets under other names.
fn mappings(internal: &PropertyMap) -> BTreeMap<String, String> {
    let all = internal.get("envVarMappings").and_then(PropertyValue::as_object);
    let texts = all.into_iter().flatten();
    texts.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(u32::from(c - b'A')),
        b'a'..=b'z' => Some(u32::from(c - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(c - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut group = 0u32;
        for c in chunk {
            group = (group << 6) | digit(*c)?;
        }
        group <<= 6 * (4 - chunk.len());
        let [_, a, b, c] = group.to_be_bytes();
        bytes.extend_from_slice(&[a, b, c][..chunk.len() - 1]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameterized_provider_is_served_by_its_base_plugin() {
        let urn = Urn::parse("urn:pulumi:s::p::pulumi:providers:pkg::default_2_0_0").unwrap();
        let internal = PropertyMap::from([
            ("name".into(), "terraform-provider".into()),
            ("version".into(), "1.2.3".into()),
            ("parameterization".into(), "Zm9v".into()),
        ]);
        let inputs =
            PropertyMap::from([("version".into(), "2.0.0".into()), ("__internal".into(), internal.into())]);
        let package = descriptor(&urn, &inputs);
        assert_eq!((package.name.as_str(), package.version.as_str()), ("terraform-provider", "1.2.3"));
        assert_eq!((package.package(), package.package_version()), ("pkg", "2.0.0"));
        assert_eq!(package.parameterization.unwrap().value, b"foo");
    }

    #[test]
    fn old_states_have_the_download_url_at_the_top() {
        let urn = Urn::parse("urn:pulumi:s::p::pulumi:providers:pkg::p").unwrap();
        let inputs = PropertyMap::from([
            ("version".into(), "1.0.0".into()),
            ("pluginDownloadURL".into(), "https://a".into()),
        ]);
        assert_eq!(descriptor(&urn, &inputs).download_url, "https://a");
    }
}
