//! The package `pulumi`: references to other stacks, values kept in the state, and the functions
//! that read other stacks. Registering and hydrating resources is the engine's own.

use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::{PropertyMap, PropertyValue, Urn};
use purlin_ports::{
    CheckArgs, CheckFailure, CheckResult, ConfigureArgs, ConstructArgs, ConstructResult, CreateArgs,
    DeleteArgs, DiffArgs, DiffChanges, DiffResult, Entropy, InvokeArgs, InvokeResult, Operated, Provider,
    ProviderError, ProviderMethodArgs, ProviderMethodResult, ReadArgs, ReadResult, UpdateArgs,
};

use crate::compare::identical;
use crate::refusals;

/// The type of a reference to another stack.
pub const STACK_REFERENCE: &str = "pulumi:pulumi:StackReference";

/// The type of a value kept in the state as it was first given.
pub const STASH: &str = "pulumi:index:Stash";

/// The function that reads the outputs of a stack, by its `name`.
pub const READ_STACK_OUTPUTS: &str = "pulumi:pulumi:readStackOutputs";

/// The function that reads the outputs of all resources of a stack, by its `stackName`.
pub const READ_STACK_RESOURCE_OUTPUTS: &str = "pulumi:pulumi:readStackResourceOutputs";

/// Reads other stacks. References are as users write them: `stack`, `project/stack` or
/// `organization/project/stack`.
#[async_trait]
pub trait StackOutputs: Send + Sync {
    /// The outputs of a stack's root resource; those that are secret as secrets.
    async fn outputs(&self, reference: &str) -> Result<PropertyMap, Diagnostic>;

    /// By URN, an object of `type` and `outputs` for each resource of a stack that is not waiting
    /// to be deleted.
    async fn resource_outputs(&self, reference: &str) -> Result<PropertyMap, Diagnostic>;
}

/// The provider of the package `pulumi`.
pub struct StackProvider {
    entropy: Arc<dyn Entropy>,
    stacks: Arc<dyn StackOutputs>,
}

#[derive(Clone, Copy)]
enum Resource {
    Reference,
    Stash,
}

fn resource_of(urn: &Urn) -> Result<Resource, ProviderError> {
    match urn.ty() {
        STACK_REFERENCE => Ok(Resource::Reference),
        STASH => Ok(Resource::Stash),
        other => Err(ProviderError::Rejected(format!("the package pulumi has no resource {other}"))),
    }
}

impl Resource {
    /// The only input that the resource takes.
    fn input(self) -> &'static str {
        match self {
            Resource::Reference => "name",
            Resource::Stash => "input",
        }
    }
}

impl StackProvider {
    /// A provider that reads other stacks through `stacks`.
    pub fn new(entropy: Arc<dyn Entropy>, stacks: Arc<dyn StackOutputs>) -> Self {
        StackProvider { entropy, stacks }
    }

    /// The outputs of a reference to the stack that `name` names.
    async fn reference(&self, name: &PropertyValue) -> Result<PropertyMap, ProviderError> {
        let (outputs, secret_names) = match name.plain() {
            PropertyValue::String(text) => {
                let outputs = self.stacks.outputs(text).await.map_err(unreadable)?;
                let secret = outputs.iter().filter(|(_, value)| value.contains_secrets());
                let names = secret.map(|(key, _)| key.as_str().into()).collect();
                (PropertyValue::Object(outputs), PropertyValue::Array(names))
            }
            PropertyValue::Unknown => (PropertyValue::Unknown, PropertyValue::Unknown),
            _ => return Err(ProviderError::Rejected("property \"name\" must be a text".to_owned())),
        };
        Ok(PropertyMap::from([
            ("name".to_owned(), name.clone()),
            ("outputs".to_owned(), outputs),
            ("secretOutputNames".to_owned(), secret_names),
        ]))
    }
}

fn unreadable(diagnostic: Diagnostic) -> ProviderError {
    ProviderError::Rejected(diagnostic.to_string())
}

fn refused(property: &str, reason: String) -> Vec<CheckFailure> {
    vec![CheckFailure { property: property.to_owned(), reason }]
}

fn check(resource: Resource, news: &PropertyMap) -> Vec<CheckFailure> {
    let input = resource.input();
    if let Some(other) = news.keys().find(|key| *key != input) {
        return refused(other, format!("unknown property \"{other}\""));
    }
    match (resource, news.get(input).map(PropertyValue::plain)) {
        (_, None) => refused(input, format!("missing required property \"{input}\"")),
        (Resource::Reference, Some(PropertyValue::String(_) | PropertyValue::Unknown)) => Vec::new(),
        (Resource::Reference, Some(_)) => refused(input, format!("property \"{input}\" must be a text")),
        (Resource::Stash, Some(_)) => Vec::new(),
    }
}

#[async_trait]
impl Provider for StackProvider {
    async fn check_config(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        Ok(CheckResult { inputs: Arc::unwrap_or_clone(args.news), failures: Vec::new() })
    }

    async fn diff_config(&self, _: DiffArgs) -> Result<DiffResult, ProviderError> {
        Ok(DiffResult { changes: DiffChanges::None, ..DiffResult::default() })
    }

    async fn configure(&self, _: ConfigureArgs) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn check(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        let failures = check(resource_of(&args.urn)?, &args.news);
        Ok(CheckResult { inputs: Arc::unwrap_or_clone(args.news), failures })
    }

    async fn diff(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        let resource = resource_of(&args.urn)?;
        let input = resource.input();
        let same = match (args.old_inputs.get(input), args.new_inputs.get(input)) {
            (Some(old), Some(new)) => identical(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if same {
            return Ok(DiffResult { changes: DiffChanges::None, ..DiffResult::default() });
        }
        let keys = vec![input.to_owned()];
        let replaces = match resource {
            Resource::Reference => keys.clone(),
            Resource::Stash => Vec::new(),
        };
        Ok(DiffResult { changes: DiffChanges::Some, replaces, diffs: keys, ..DiffResult::default() })
    }

    async fn create(&self, args: CreateArgs) -> Result<Operated, ProviderError> {
        let resource = resource_of(&args.context.urn)?;
        let given = args.inputs.get(resource.input()).cloned().unwrap_or(PropertyValue::Null);
        let outputs = match resource {
            Resource::Reference => self.reference(&given).await?,
            Resource::Stash => {
                PropertyMap::from([("input".to_owned(), given.clone()), ("output".to_owned(), given)])
            }
        };
        let id = if args.context.preview { String::new() } else { self.entropy.uuid() };
        Ok(Operated { id, outputs, ..Operated::default() })
    }

    async fn update(&self, args: UpdateArgs) -> Result<Operated, ProviderError> {
        match resource_of(&args.context.urn)? {
            Resource::Reference => {
                Err(ProviderError::Rejected("a stack reference can't be updated, only replaced".to_owned()))
            }
            Resource::Stash => {
                let input = args.new_inputs.get("input").cloned().unwrap_or(PropertyValue::Null);
                let output = args.old_outputs.get("output").cloned().unwrap_or(PropertyValue::Null);
                let outputs = PropertyMap::from([("input".to_owned(), input), ("output".to_owned(), output)]);
                Ok(Operated { outputs, ..Operated::default() })
            }
        }
    }

    async fn delete(&self, args: DeleteArgs) -> Result<(), ProviderError> {
        resource_of(&args.context.urn).map(|_| ())
    }

    async fn read(&self, args: ReadArgs) -> Result<ReadResult, ProviderError> {
        let resource = resource_of(&args.context.urn)?;
        let outputs = match resource {
            Resource::Reference => {
                if let Some(other) = args.inputs.keys().find(|key| *key != "name") {
                    return Err(ProviderError::Rejected(format!("unknown property \"{other}\"")));
                }
                let name = args.outputs.get("name").or(args.inputs.get("name"));
                let Some(name) = name else {
                    return Err(ProviderError::Rejected("a stack reference can't be imported".to_owned()));
                };
                self.reference(name).await?
            }
            Resource::Stash if args.inputs.is_empty() => {
                return Err(ProviderError::Rejected("a stash can't be imported".to_owned()));
            }
            Resource::Stash => Arc::unwrap_or_clone(args.outputs),
        };
        let inputs = Some(Arc::unwrap_or_clone(args.inputs));
        Ok(ReadResult { id: args.id, inputs, outputs: Some(outputs), ..ReadResult::default() })
    }

    async fn construct(&self, args: ConstructArgs) -> Result<ConstructResult, ProviderError> {
        Err(refusals::no_components("pulumi", &args))
    }

    async fn invoke(&self, args: InvokeArgs) -> Result<InvokeResult, ProviderError> {
        let key = match args.token.as_str() {
            READ_STACK_OUTPUTS => "name",
            READ_STACK_RESOURCE_OUTPUTS => "stackName",
            other => return Err(refusals::unknown_function("pulumi", other)),
        };
        let Some(name) = args.args.get(key).filter(|name| name.as_str().is_some()) else {
            let failures = refused(key, format!("the name of a stack must be given as \"{key}\""));
            return Ok(InvokeResult { failures, ..InvokeResult::default() });
        };
        let result = if args.token == READ_STACK_OUTPUTS {
            self.reference(name).await?
        } else {
            let stack = name.as_str().unwrap_or_default();
            let outputs = self.stacks.resource_outputs(stack).await.map_err(unreadable)?;
            PropertyMap::from([("name".to_owned(), name.clone()), ("outputs".to_owned(), outputs.into())])
        };
        Ok(InvokeResult { result, failures: Vec::new() })
    }

    async fn call(&self, args: ProviderMethodArgs) -> Result<ProviderMethodResult, ProviderError> {
        Err(refusals::unknown_function("pulumi", &args.token))
    }

    async fn schema(&self) -> Result<String, ProviderError> {
        Ok(include_str!("stack_schema.json").to_owned())
    }

    fn version(&self) -> &str {
        ""
    }

    async fn cancel(&self) {}
}
