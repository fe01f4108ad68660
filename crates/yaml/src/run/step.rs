//! What one step asks of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use purlin_diag::Diagnostic;
use purlin_model::{
    Alias, AliasParent, Goal, PackageDescriptor, PropertyDependencies, PropertyMap, PropertyValue,
    ProviderRef, ReferenceId, UNKNOWN_ID, Urn,
};
use purlin_ports::{
    CheckFailure, InvokeReply, InvokeRequest, MonitorError, ReadRequest, RegisterReply, RegisterRequest,
    RegisterResult,
};
use purlin_project::yaml::Location;
use purlin_schema::{FunctionSchema, ObjectSchema, ResourceSchema};

use super::assets::hash_assets;
use super::machine::{Deployment, Ended, Store};
use super::options;
use crate::check::bind::{Bindings, BoundResource};
use crate::check::graph::{Graph, StepKind};
use crate::eval::{Scope, Stop};
use crate::program::YamlProgram;
use crate::syntax::{Expr, Invoke, Properties, ResourceDecl, STACK_REFERENCE_TYPE, StackReference, Text};
use crate::value::{Handle, Origin, Sender, Tracked, Value, kind_of};

/// What there is to do for a step.
pub(super) enum Prepared {
    /// Nothing more: this is its value.
    Value(Tracked),
    /// Nothing more: this is an output of the stack.
    Output(String, Option<PropertyValue>),
    /// To wait for the engine.
    Call(BoxFuture<'static, Ended>),
}

pub(super) struct Preparer<'s> {
    pub(super) program: &'s YamlProgram,
    pub(super) graph: &'s Graph,
    pub(super) bindings: &'s Bindings,
    pub(super) deployment: &'s Deployment,
    pub(super) root: &'s Urn,
    pub(super) store: &'s Store<'s>,
    pub(super) scope: Scope<'s>,
}

type Fields = BTreeMap<String, Tracked>;

impl Preparer<'_> {
    pub(super) fn prepare(&self, step: usize) -> Result<Prepared, Stop> {
        match self.graph.steps[step].kind {
            StepKind::Variable(number) => {
                Ok(Prepared::Value(self.scope.eval(&self.program.variables[number].value)?))
            }
            StepKind::Output(number) => {
                let output = &self.program.outputs[number];
                let mut value = self.scope.eval(&output.value)?;
                // A secret anywhere in an output makes all of it secret.
                let origin = value.origin();
                if origin.secret {
                    value = origin.result(value.stripped());
                }
                let mut sender = Sender::flat();
                let value = sender.send(&value);
                let kept = value != PropertyValue::Null || !sender.deps.is_empty();
                Ok(Prepared::Output(output.key.value.clone(), kept.then_some(value)))
            }
            StepKind::Stack(number) => Ok(self.stack(&self.program.stacks[number])),
            StepKind::Invoke(number) => self.invoke(step, number),
            StepKind::Resource(number) => self.resource(step, number),
        }
    }

    fn position(&self, at: &Location) -> Option<Arc<str>> {
        let (line, column) = (at.start.line, at.start.column);
        Some(format!("project:///{}#{line},{column}", self.deployment.position_file).into())
    }

    /// The default provider that serves a step, if one does.
    fn default_provider(&self, step: usize) -> Option<(ProviderRef, &ResourceDecl)> {
        let provider = *self.graph.default_providers.get(&step)?;
        let StepKind::Resource(number) = self.graph.steps[provider].kind else { return None };
        let Value::Resource(handle) = &self.store.value_of(provider)?.value else { return None };
        Some((handle.provider_ref()?, &self.program.resources[number]))
    }

    // Resources.

    fn resource(&self, step: usize, number: usize) -> Result<Prepared, Stop> {
        let decl = &self.program.resources[number];
        let Some(bound) = &self.bindings.resources[number] else {
            return Err(Stop::problem("yaml-type", &decl.ty.at, "the type is not known"));
        };
        let remote = bound.schema.is_component;
        let mut goal = Goal::new(bound.token.clone(), decl.resource_name(), !remote, PropertyMap::new());
        goal.parent = Some(self.root.clone());
        goal.source_position = self.position(&decl.key.at);
        let mut deps = Sender::flat();
        options::apply(&self.scope, &decl.options, &mut goal, &mut deps)?;
        add_schema(&mut goal, bound);
        goal.extension.clone_from(&bound.extension);
        let mut package = bound.descriptor.clone();
        goal.provider = self.provider(step, decl, &mut package)?;
        let mut providers = BTreeMap::new();
        if let Some(expr) = &decl.options.providers {
            providers = options::providers(&self.scope, expr)?;
            if !remote {
                if goal.provider.is_none() {
                    goal.provider = providers.get(package.package()).cloned();
                }
                providers.clear();
            }
        }

        let fields = match &decl.get {
            Some(get) => self.fields(&get.state, &bound.schema.inputs)?,
            None => self.inputs(decl, bound)?,
        };
        let inputs = self.send(fields, remote, &mut goal, &mut deps);
        goal.inputs = Arc::new(inputs);
        if let Some(expr) = &decl.options.env_var_mappings
            && decl.is_provider()
        {
            let internal = options::env_var_mappings(&self.scope, expr)?;
            Arc::make_mut(&mut goal.inputs).insert("__internal".to_owned(), internal);
        }
        if let Some(id) = self.id_to_read(decl, &goal)? {
            return Ok(self.read(decl, bound, id, goal, package));
        }
        goal.dependencies = deps.deps.into_iter().collect();
        let request = RegisterRequest { goal, remote, package, providers, stack_trace_handle: String::new() };
        Ok(Prepared::Call(self.register(decl, bound, request)))
    }

    fn provider(
        &self,
        step: usize,
        decl: &ResourceDecl,
        package: &mut PackageDescriptor,
    ) -> Result<Option<ProviderRef>, Stop> {
        if let Some(expr) = &decl.options.provider {
            return Ok(Some(options::provider(&self.scope, expr, "provider")?));
        }
        let Some((reference, provider)) = self.default_provider(step) else { return Ok(None) };
        if let Some(version) =
            provider.options.version.as_ref().filter(|_| package.parameterization.is_none())
        {
            package.version.clone_from(&version.value);
        }
        Ok(Some(reference))
    }

    /// The properties that are given, and those that the schema gives.
    fn inputs(&self, decl: &ResourceDecl, bound: &BoundResource) -> Result<Fields, Stop> {
        let schema = &bound.schema;
        let mut fields = match &decl.properties {
            Properties::Absent => Fields::new(),
            Properties::Fields(given) => self.fields(given, &schema.inputs)?,
            Properties::Value(expr) => self.spread(expr, &schema.inputs)?,
        };
        let constants = schema.inputs.constants().chain(schema.outputs.constants());
        for (name, value) in constants {
            fields.insert(name.to_owned(), Tracked::from_property(value));
        }
        for (name, property) in &schema.inputs.properties {
            if property.required
                && let Some(value) = &property.default.value
                && !fields.contains_key(name)
            {
                fields.insert(name.clone(), Tracked::from_property(value));
            }
        }
        if decl.is_stack_reference() && !fields.contains_key("name") {
            fields.insert("name".to_owned(), Tracked::text(decl.key.value.clone()));
        }
        Ok(fields)
    }

    fn fields(&self, given: &[(Text, Expr)], schema: &ObjectSchema) -> Result<Fields, Stop> {
        let mut fields = Fields::new();
        for (name, expr) in given {
            let mut value = self.scope.eval(expr)?;
            value.secret |= schema.properties.get(&name.value).is_some_and(|property| property.secret);
            fields.insert(name.value.clone(), value);
        }
        Ok(fields)
    }

    /// Properties that come as one value.
    fn spread(&self, expr: &Expr, schema: &ObjectSchema) -> Result<Fields, Stop> {
        let whole = self.scope.eval(expr)?;
        let mut origin = Origin { secret: whole.secret, ..Origin::default() };
        origin.deps.extend(whole.deps.iter().cloned());
        let fields: Fields = match whole.value {
            Value::Object(fields) => fields,
            Value::Unknown => {
                let names = schema.properties.keys();
                names.map(|name| (name.clone(), Tracked::plain(Value::Unknown))).collect()
            }
            other => {
                let message = format!("the properties must be an object, not {}", kind_of(&other));
                return Err(Stop::problem("yaml-shape", &expr.at, message));
            }
        };
        let spread = fields.into_iter().map(|(name, field)| {
            let declared_secret = schema.properties.get(&name).is_some_and(|property| property.secret);
            let deps: Vec<Urn> = origin.deps.iter().cloned().collect();
            let secret = field.secret || origin.secret || declared_secret;
            (name, Tracked { secret, ..field }.with_deps(&deps))
        });
        Ok(spread.collect())
    }

    /// Fills in what each property was made from.
    fn send(&self, fields: Fields, remote: bool, goal: &mut Goal, deps: &mut Sender) -> PropertyMap {
        let mut inputs = PropertyMap::new();
        for (name, value) in fields {
            let mut sender = if remote { Sender::with_origins() } else { Sender::flat() };
            let sent = sender.send(&value);
            if sent == PropertyValue::Null && sender.deps.is_empty() {
                continue;
            }
            deps.deps.extend(sender.deps.iter().cloned());
            goal.property_dependencies.insert(name.clone(), sender.deps.into_iter().collect());
            inputs.insert(name, sent);
        }
        inputs
    }

    fn register(
        &self,
        decl: &ResourceDecl,
        bound: &BoundResource,
        mut request: RegisterRequest,
    ) -> BoxFuture<'static, Ended> {
        let monitor = Arc::clone(&self.deployment.monitor);
        let folder = self.deployment.folder.clone();
        let fetch = self.deployment.fetch.clone();
        let key = decl.key.clone();
        let maker = HandleMaker {
            name: decl.resource_name().to_owned(),
            ty: bound.token.clone(),
            schema: Arc::clone(&bound.schema),
            custom: !request.remote,
            dry_run: self.deployment.dry_run,
        };
        Box::pin(async move {
            let inputs = Arc::unwrap_or_clone(std::mem::take(&mut request.goal.inputs));
            match hash_assets(inputs, folder, fetch).await {
                Ok(inputs) => request.goal.inputs = Arc::new(inputs),
                Err(problem) => return Ended::Problem(Box::new(problem.with_span(key.span()))),
            }
            match monitor.register(request).await {
                Ok(reply) if reply.result == RegisterResult::Success => Ended::Value(maker.registered(reply)),
                Ok(_) => Ended::Failed,
                Err(error) => refused(error, &key, "registered"),
            }
        })
    }

    // Resources that are read.

    /// The id of the resource to read, if it is to be read.
    fn id_to_read(&self, decl: &ResourceDecl, goal: &Goal) -> Result<Option<Option<String>>, Stop> {
        let (value, at) = match &decl.get {
            Some(get) => (self.scope.eval(&get.id)?, &get.id.at),
            None if decl.is_stack_reference() => {
                let name = goal.inputs.get("name").unwrap_or(&PropertyValue::Null);
                (Tracked::from_property(name), &decl.key.at)
            }
            None => return Ok(None),
        };
        match value.value {
            Value::Text(id) => Ok(Some(Some(id))),
            Value::Unknown => Ok(Some(None)),
            other => {
                let what = if decl.get.is_some() { "the id of get" } else { "the name of a stack reference" };
                let message = format!("{what} must be a string, not {}", kind_of(&other));
                Err(Stop::problem("yaml-get", at, message))
            }
        }
    }

    fn read(
        &self,
        decl: &ResourceDecl,
        bound: &BoundResource,
        id: Option<String>,
        mut goal: Goal,
        package: PackageDescriptor,
    ) -> Prepared {
        let maker = HandleMaker {
            name: decl.resource_name().to_owned(),
            ty: bound.token.clone(),
            schema: Arc::clone(&bound.schema),
            custom: true,
            dry_run: self.deployment.dry_run,
        };
        let Some(id) = id else {
            let (stack, project) = (&self.deployment.stack, &self.deployment.project);
            let urn = Urn::new(stack, project, goal.parent.as_ref(), &goal.ty, &goal.name);
            return Prepared::Value(maker.not_read(urn));
        };
        goal.property_dependencies.clear();
        Prepared::Call(self.read_call(maker, decl.key.clone(), ReadRequest { id, goal, package }))
    }

    fn read_call(&self, maker: HandleMaker, key: Text, request: ReadRequest) -> BoxFuture<'static, Ended> {
        let monitor = Arc::clone(&self.deployment.monitor);
        Box::pin(async move {
            let id = request.id.clone();
            match monitor.read(request).await {
                Ok(reply) => Ended::Value(maker.read(reply.urn, id, reply.outputs)),
                Err(error) => refused(error, &key, "read"),
            }
        })
    }

    fn stack(&self, reference: &StackReference) -> Prepared {
        let name = reference.stack.value.clone();
        let inputs = PropertyMap::from([("name".to_owned(), PropertyValue::text(name.clone()))]);
        let mut goal = Goal::new(STACK_REFERENCE_TYPE, name.clone(), true, inputs);
        goal.parent = Some(self.root.clone());
        goal.source_position = self.position(&reference.stack.at);
        let maker = HandleMaker {
            name: name.clone(),
            ty: STACK_REFERENCE_TYPE.to_owned(),
            schema: Arc::new(ResourceSchema::default()),
            custom: true,
            dry_run: self.deployment.dry_run,
        };
        let request = ReadRequest { id: name, goal, package: PackageDescriptor::new("pulumi", "") };
        Prepared::Call(self.read_call(maker, reference.stack.clone(), request))
    }

    // Functions.

    fn invoke(&self, step: usize, number: usize) -> Result<Prepared, Stop> {
        let invoke = &self.program.invokes[number];
        let Some(bound) = &self.bindings.functions[number] else {
            return Err(Stop::problem("yaml-type", &invoke.token.at, "the function is not known"));
        };
        let mut origin = Origin::default();
        let mut args = PropertyMap::new();
        for field in &invoke.arguments {
            let key = self.scope.eval(&field.key)?;
            let value = self.scope.eval(&field.value)?;
            origin.add(&key);
            origin.add(&value);
            let Value::Text(key) = key.value else { continue };
            let sent = Sender::flat().send(&Tracked::plain(value.stripped()));
            if sent != PropertyValue::Null {
                args.insert(key, sent);
            }
        }
        for (name, value) in bound.schema.inputs.constants() {
            args.entry(name.to_owned()).or_insert_with(|| value.clone());
        }
        let options = &invoke.options;
        let mut package = bound.descriptor.clone();
        let provider = match &options.provider {
            Some(expr) => Some(options::provider(&self.scope, expr, "provider")?),
            None => self.default_provider(step).map(|(reference, decl)| {
                if let Some(version) =
                    decl.options.version.as_ref().filter(|_| package.parameterization.is_none())
                {
                    package.version.clone_from(&version.value);
                }
                reference
            }),
        };
        let parent = match &options.parent {
            Some(expr) => Some(options::resource(&self.scope, expr, "parent")?.urn.clone()),
            None => None,
        };
        let depends_on: Vec<Urn> = match &options.depends_on {
            Some(expr) => {
                let handles = options::resources(&self.scope, expr, "dependsOn")?;
                handles.iter().map(|handle| handle.urn.clone()).collect()
            }
            None => Vec::new(),
        };
        origin.deps.extend(depends_on.iter().cloned());
        if origin.unknown {
            return Ok(Prepared::Value(origin.result(Value::Unknown)));
        }
        let (token, extension) = (bound.token.clone(), bound.extension.clone());
        let request = InvokeRequest { token, args, provider, package, extension, parent, depends_on };
        let monitor = Arc::clone(&self.deployment.monitor);
        let (invoke, schema) = (invoke.clone(), Arc::clone(&bound.schema));
        Ok(Prepared::Call(Box::pin(async move {
            match monitor.invoke(request).await {
                Ok(reply) => invoked(&invoke, &schema, reply, origin),
                Err(MonitorError::Stopping) => Ended::Stopping,
                Err(error) => invoke_problem(&invoke, error.to_string()),
            }
        })))
    }
}

/// What the schema says about every resource of the type.
fn add_schema(goal: &mut Goal, bound: &BoundResource) {
    for name in bound.schema.outputs.secret_names() {
        if !goal.additional_secret_outputs.iter().any(|own| own == name) {
            goal.additional_secret_outputs.push(name.to_owned());
        }
    }
    for path in bound.replace_on_changes.iter() {
        if !goal.replace_on_changes.contains(path) {
            goal.replace_on_changes.push(path.clone());
        }
    }
    for alias in &bound.schema.aliases {
        if let Some(ty) = &alias.ty {
            goal.aliases.push(Alias::Spec {
                name: None,
                ty: Some(ty.clone()),
                stack: None,
                project: None,
                parent: AliasParent::Same,
            });
        }
    }
}

fn refused(error: MonitorError, key: &Text, done: &str) -> Ended {
    match error {
        MonitorError::Stopping => Ended::Stopping,
        MonitorError::Invalid(reason) | MonitorError::Failed(reason) => {
            let message = format!("the resource \"{}\" can't be {done}: {reason}", key.value);
            Ended::Problem(Box::new(Diagnostic::error("yaml-resource", message).with_span(key.span())))
        }
    }
}

fn invoke_problem(invoke: &Invoke, reason: String) -> Ended {
    let message = format!("the call of {} failed: {reason}", invoke.token.value);
    Ended::Problem(Box::new(Diagnostic::error("yaml-invoke", message).with_span(invoke.token.span())))
}

/// The result of a call.
fn invoked(invoke: &Invoke, schema: &FunctionSchema, reply: InvokeReply, mut origin: Origin) -> Ended {
    if !reply.failures.is_empty() {
        let show = |failure: &CheckFailure| match failure.property.as_str() {
            "" => failure.reason.clone(),
            property => format!("{property}: {}", failure.reason),
        };
        let reasons: Vec<String> = reply.failures.iter().map(show).collect();
        return invoke_problem(invoke, reasons.join("; "));
    }
    if reply.unknown {
        return Ended::Value(origin.result(Value::Unknown));
    }
    let result = Tracked::from_property(&PropertyValue::Object(reply.result));
    origin.add(&result);
    let unknown = origin.unknown;
    let Value::Object(mut fields) = result.value else { return Ended::Value(origin.result(Value::Null)) };
    let value = match &invoke.returns {
        Some(name) => match fields.remove(&name.value) {
            Some(field) => field.stripped(),
            None if unknown => Value::Unknown,
            None => return invoke_problem(invoke, format!("the result has no property \"{}\"", name.value)),
        },
        None if schema.return_type.is_some() && schema.outputs.is_none() => {
            fields.into_values().next().map_or(Value::Null, |field| field.stripped())
        }
        None => Tracked::plain(Value::Object(fields)).stripped(),
    };
    Ended::Value(origin.result(value))
}

/// Makes the program's view of a resource from the engine's answer.
struct HandleMaker {
    name: String,
    ty: String,
    schema: Arc<ResourceSchema>,
    custom: bool,
    dry_run: bool,
}

impl HandleMaker {
    fn make(
        self,
        urn: Urn,
        id: Option<ReferenceId>,
        outputs: Arc<PropertyMap>,
        incomplete: bool,
        property_dependencies: PropertyDependencies,
    ) -> Tracked {
        Tracked::plain(Value::Resource(Arc::new(Handle {
            name: self.name,
            ty: self.ty,
            urn,
            id,
            outputs,
            incomplete,
            property_dependencies,
            schema: Some(self.schema),
        })))
    }

    fn registered(self, reply: RegisterReply) -> Tracked {
        let unknown = reply.id == UNKNOWN_ID || (reply.id.is_empty() && (self.dry_run || reply.unknown));
        let id = match (self.custom, unknown) {
            (false, _) => None,
            (true, true) => Some(ReferenceId::Unknown),
            (true, false) => Some(ReferenceId::Known(reply.id)),
        };
        let outputs = if reply.unknown { Arc::default() } else { reply.outputs };
        self.make(reply.urn, id, outputs, reply.unknown, reply.property_dependencies)
    }

    fn read(self, urn: Urn, id: String, outputs: Arc<PropertyMap>) -> Tracked {
        self.make(urn, Some(ReferenceId::Known(id)), outputs, false, PropertyDependencies::new())
    }

    /// A resource whose id is not known yet.
    fn not_read(self, urn: Urn) -> Tracked {
        self.make(urn, Some(ReferenceId::Unknown), Arc::default(), true, PropertyDependencies::new())
    }
}
