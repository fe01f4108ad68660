//! Which resource types and functions of which packages the program's tokens mean.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::future::join_all;
use purlin_diag::Diagnostic;
use purlin_model::urn::package_of_type;
use purlin_model::{Extension, PackageDescriptor};
use purlin_schema::{FunctionSchema, PackageSchema, ResourceSchema, SchemaSource, pulumi_package};

use crate::packages::PackageLocks;
use crate::parse::did_you_mean;
use crate::program::YamlProgram;
use crate::syntax::Text;

/// A resource type that a program uses.
#[derive(Debug)]
pub(crate) struct BoundResource {
    /// The canonical token.
    pub(crate) token: String,
    pub(crate) schema: Arc<ResourceSchema>,
    pub(crate) package: Arc<PackageSchema>,
    /// What the registration says about the package.
    pub(crate) descriptor: PackageDescriptor,
    /// The extension of the package that knows the type.
    pub(crate) extension: Option<Arc<Extension>>,
    /// The paths whose changes replace the resource, by the schema's account.
    pub(crate) replace_on_changes: Arc<[String]>,
}

/// A function that a program uses.
#[derive(Debug)]
pub(crate) struct BoundFunction {
    /// The canonical token.
    pub(crate) token: String,
    pub(crate) schema: Arc<FunctionSchema>,
    pub(crate) package: Arc<PackageSchema>,
    /// What the call says about the package.
    pub(crate) descriptor: PackageDescriptor,
    /// The extension of the package that knows the function.
    pub(crate) extension: Option<Arc<Extension>>,
}

/// What all tokens of a program mean, in the order of its resources and calls.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    pub(crate) resources: Vec<Option<BoundResource>>,
    pub(crate) functions: Vec<Option<BoundFunction>>,
}

/// Types that only exist in the SDKs of other languages.
const NOT_IN_YAML: &[(&str, &str)] = &[
    ("kubernetes:apiextensions.k8s.io:CustomResource", "declare the custom resource's own type"),
    ("kubernetes:kustomize:Directory", "use kubernetes:kustomize/v2:Directory"),
    ("kubernetes:yaml:ConfigFile", "use kubernetes:yaml/v2:ConfigFile"),
    ("kubernetes:yaml:ConfigGroup", "use kubernetes:yaml/v2:ConfigGroup"),
    ("kubernetes:helm.sh/v2:Chart", "use kubernetes:helm.sh/v3:Release"),
    ("kubernetes:helm.sh/v3:Chart", "use kubernetes:helm.sh/v3:Release"),
];

type Loaded = BTreeMap<PackageDescriptor, Result<Arc<PackageSchema>, Diagnostic>>;

/// Finds the meaning of all tokens. All schemas are loaded at once.
pub(crate) async fn bind(
    program: &YamlProgram,
    locks: &PackageLocks,
    source: &dyn SchemaSource,
) -> (Bindings, Vec<Diagnostic>) {
    let resource_places = program.resources.iter().map(|resource| {
        let options = &resource.options;
        Place::new(&resource.ty, &options.version, &options.plugin_download_url, locks)
    });
    let function_places = program.invokes.iter().map(|invoke| {
        Place::new(&invoke.token, &invoke.options.version, &invoke.options.plugin_download_url, locks)
    });
    let (resource_places, function_places): (Vec<_>, Vec<_>) =
        (resource_places.collect(), function_places.collect());
    let mut wanted: Vec<PackageDescriptor> = Vec::new();
    for place in resource_places.iter().chain(&function_places) {
        for candidate in &place.candidates {
            if !wanted.contains(candidate) {
                wanted.push(candidate.clone());
            }
        }
    }
    let schemas = join_all(wanted.iter().map(|descriptor| load(source, descriptor))).await;
    let loaded: Loaded = wanted.into_iter().zip(schemas).collect();

    let mut problems = Vec::new();
    let mut bindings = Bindings {
        resources: Vec::with_capacity(resource_places.len()),
        functions: Vec::with_capacity(function_places.len()),
    };
    // Most resources of a program are of few types.
    let mut paths: HashMap<*const ResourceSchema, Arc<[String]>> = HashMap::new();
    for place in &resource_places {
        let mut bound = place.resource(&loaded).map_err(|p| problems.push(*p)).ok();
        if let Some(bound) = &mut bound {
            let known = paths
                .entry(Arc::as_ptr(&bound.schema))
                .or_insert_with(|| bound.package.replace_on_changes(&bound.schema).into());
            bound.replace_on_changes = Arc::clone(known);
        }
        bindings.resources.push(bound);
    }
    for place in &function_places {
        bindings.functions.push(place.function(&loaded).map_err(|p| problems.push(*p)).ok());
    }
    (bindings, problems)
}

async fn load(
    source: &dyn SchemaSource,
    descriptor: &PackageDescriptor,
) -> Result<Arc<PackageSchema>, Diagnostic> {
    if descriptor.name == "pulumi" {
        return Ok(pulumi_package());
    }
    source.schema(descriptor).await
}

/// A token of the program and the packages that may know it.
struct Place<'p> {
    token: &'p Text,
    candidates: Vec<PackageDescriptor>,
    /// Whether the program itself says which plugin serves.
    explicit: bool,
    locked: bool,
    locks: &'p PackageLocks,
}

impl<'p> Place<'p> {
    fn new(token: &'p Text, version: &Option<Text>, url: &Option<Text>, locks: &'p PackageLocks) -> Self {
        let text = |text: &Option<Text>| text.as_ref().map_or_else(String::new, |text| text.value.clone());
        let namespace = package_of_type(&token.value);
        Place {
            token,
            candidates: locks.candidates(namespace, &text(version), &text(url)),
            explicit: version.is_some() || url.is_some(),
            locked: !locks.declared(namespace).is_empty(),
            locks,
        }
    }

    /// What a registration says about the package: the installed package, unless the program names
    /// a version of its own.
    fn descriptor(&self, found: &PackageDescriptor) -> PackageDescriptor {
        if self.locked && !self.explicit {
            return self.locks.served_by(found);
        }
        PackageDescriptor {
            download_url: found.download_url.clone(),
            ..PackageDescriptor::new(package_of_type(&self.token.value), found.version.clone())
        }
    }

    fn resource(&self, loaded: &Loaded) -> Result<BoundResource, Box<Diagnostic>> {
        let token = &self.token.value;
        if let Some((_, instead)) = NOT_IN_YAML.iter().find(|(ty, _)| ty == token) {
            let message = format!("the type {token} can't be used in YAML");
            let problem = Diagnostic::error("yaml-type", message).with_span(self.token.span());
            return Err(Box::new(problem.with_hint(*instead)));
        }
        let (found, package, token) =
            self.find(loaded, "resource type", PackageSchema::resolve_resource, |p| {
                p.resource_tokens().map(str::to_owned).collect()
            })?;
        let schema = match package.resource(&token) {
            Some(Ok(schema)) => schema,
            Some(Err(problem)) => return Err(Box::new(problem.with_span(self.token.span()))),
            None => return Err(self.unknown("resource type", Vec::new())),
        };
        let (descriptor, extension) = (self.descriptor(found), self.locks.extension(found));
        Ok(BoundResource { token, schema, package, descriptor, extension, replace_on_changes: Arc::new([]) })
    }

    fn function(&self, loaded: &Loaded) -> Result<BoundFunction, Box<Diagnostic>> {
        let (found, package, token) =
            self.find(loaded, "function", PackageSchema::resolve_function, |p| {
                p.function_tokens().map(str::to_owned).collect()
            })?;
        let schema = match package.function(&token) {
            Some(Ok(schema)) => schema,
            Some(Err(problem)) => return Err(Box::new(problem.with_span(self.token.span()))),
            None => return Err(self.unknown("function", Vec::new())),
        };
        let (descriptor, extension) = (self.descriptor(found), self.locks.extension(found));
        Ok(BoundFunction { token, schema, package, descriptor, extension })
    }

    fn find(
        &self,
        loaded: &Loaded,
        what: &str,
        resolve: fn(&PackageSchema, &str) -> Option<String>,
        all: fn(&PackageSchema) -> Vec<String>,
    ) -> Result<(&PackageDescriptor, Arc<PackageSchema>, String), Box<Diagnostic>> {
        let mut known = Vec::new();
        let mut failure = None;
        for candidate in &self.candidates {
            match loaded.get(candidate) {
                Some(Ok(package)) => {
                    if let Some(token) = resolve(package, &self.token.value) {
                        return Ok((candidate, Arc::clone(package), token));
                    }
                    known.extend(all(package));
                }
                Some(Err(problem)) => failure = failure.or(Some(problem)),
                None => {}
            }
        }
        match failure {
            Some(problem) if known.is_empty() => {
                let message = format!(
                    "the schema of the package {} can't be had: {}",
                    package_of_type(&self.token.value),
                    problem.message
                );
                let mut own = Diagnostic::error(problem.code, message).with_span(self.token.span());
                own.hint.clone_from(&problem.hint);
                Err(Box::new(own))
            }
            _ => Err(self.unknown(what, known)),
        }
    }

    fn unknown(&self, what: &str, known: Vec<String>) -> Box<Diagnostic> {
        let token = &self.token.value;
        let package = package_of_type(token);
        let message = format!("the package {package} has no {what} \"{token}\"");
        let shown: Vec<&str> = known.iter().map(String::as_str).collect();
        let hint = nearest_token(token, &shown);
        Box::new(Diagnostic::error("yaml-type", message).with_span(self.token.span()).with_hint(hint))
    }
}

/// Offers the token whose last part is most similar.
fn nearest_token(token: &str, known: &[&str]) -> String {
    let last = |token: &str| token.rsplit(':').next().unwrap_or_default().to_owned();
    let names: Vec<String> = known.iter().map(|token| last(token)).collect();
    match purlin_project::nearest(&last(token), names.iter().map(String::as_str)) {
        Some(name) => {
            let full = names.iter().position(|n| n == name).map_or(name, |at| known[at]);
            format!("did you mean \"{full}\"?")
        }
        None => did_you_mean(token, known.iter().copied()),
    }
}
