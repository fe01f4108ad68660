//! The packages that requests are about.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use prost::bytes::Bytes;
use purlin_model::{Extension, PackageDescriptor, Parameterization};
use purlin_ports::Entropy;
use purlin_wire::pulumirpc::{Parameterization as WireParameterization, RegisterPackageRequest};
use tonic::Status;

/// What a request says about its package.
pub(crate) struct Named<'a> {
    /// The package's name, from the token that the request is about.
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) download_url: &'a str,
    pub(crate) checksums: BTreeMap<String, Bytes>,
    /// A reference from an earlier `RegisterPackage`; it overrules the rest.
    pub(crate) reference: &'a str,
}

/// The packages that programs have registered.
#[derive(Default)]
pub(crate) struct Packages {
    registered: RwLock<Registered>,
}

#[derive(Default)]
struct Registered {
    by_reference: HashMap<String, PackageDescriptor>,
    references: HashMap<PackageDescriptor, String>,
    extensions: HashMap<String, Arc<Extension>>,
}

impl Packages {
    /// Gives out a reference; the same one for the same package.
    pub(crate) fn register(
        &self,
        request: RegisterPackageRequest,
        entropy: &dyn Entropy,
    ) -> Result<String, Status> {
        if request.name.is_empty() {
            return Err(Status::invalid_argument("the package has no name"));
        }
        let parameterization = match request.parameterization {
            None => None,
            Some(p) => {
                check_version(&p.name, &p.version)?;
                Some(Parameterization { name: p.name, version: p.version, value: p.value.to_vec() })
            }
        };
        if !request.version.is_empty() {
            check_version(&request.name, &request.version)?;
        }
        let package = PackageDescriptor {
            name: request.name,
            version: request.version,
            download_url: request.download_url,
            checksums: checksums(request.checksums),
            parameterization,
            ..PackageDescriptor::default()
        };
        let mut registered = self.registered.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(extension) = request.extension {
            check_version(&extension.name, &extension.version)?;
            let extension = extension_of(extension);
            let reference = extension.reference.clone();
            if !registered.extensions.contains_key(&reference) {
                registered.by_reference.insert(reference.clone(), package);
                registered.extensions.insert(reference.clone(), Arc::new(extension));
            }
            return Ok(reference);
        }
        if let Some(reference) = registered.references.get(&package) {
            return Ok(reference.clone());
        }
        let reference = entropy.uuid();
        registered.by_reference.insert(reference.clone(), package.clone());
        registered.references.insert(package, reference.clone());
        Ok(reference)
    }

    /// The extension that a reference stands for, if it is one.
    pub(crate) fn extension(&self, reference: &str) -> Option<Arc<Extension>> {
        if reference.is_empty() {
            return None;
        }
        let registered = self.registered.read().unwrap_or_else(PoisonError::into_inner);
        registered.extensions.get(reference).cloned()
    }

    /// The package that a request is about.
    pub(crate) fn of(&self, named: Named<'_>) -> Result<PackageDescriptor, Status> {
        if !named.version.is_empty() {
            check_version(named.name, named.version)?;
        }
        if !named.reference.is_empty() {
            let registered = self.registered.read().unwrap_or_else(PoisonError::into_inner);
            return registered.by_reference.get(named.reference).cloned().ok_or_else(|| {
                Status::invalid_argument(format!("there is no package with reference '{}'", named.reference))
            });
        }
        Ok(PackageDescriptor {
            name: named.name.to_owned(),
            version: named.version.to_owned(),
            download_url: named.download_url.to_owned(),
            checksums: checksums(named.checksums),
            ..PackageDescriptor::default()
        })
    }
}

fn extension_of(wire: WireParameterization) -> Extension {
    Extension {
        reference: purlin_assets::extension_reference(&wire.name, &wire.version, &wire.value),
        name: wire.name,
        version: wire.version,
        value: wire.value.to_vec(),
        ..Extension::default()
    }
}

fn checksums(checksums: BTreeMap<String, Bytes>) -> BTreeMap<String, Vec<u8>> {
    checksums.into_iter().map(|(platform, sum)| (platform, sum.to_vec())).collect()
}

fn check_version(package: &str, version: &str) -> Result<(), Status> {
    semver::Version::parse(version).map(drop).map_err(|error| {
        Status::invalid_argument(format!("'{version}' is no version of package '{package}': {error}"))
    })
}

/// The package of a type or function token: what stands before the first colon, or for the type
/// of a provider what stands after the last.
pub(crate) fn of_token(token: &str) -> &str {
    let package = match token.strip_prefix(purlin_model::urn::PROVIDER_TYPE_PREFIX) {
        Some(package) => package,
        None => token.split(':').next().unwrap_or_default(),
    };
    package.split('/').next().unwrap_or_default()
}
