//! The package `random`: values made once and kept until what they were made with changes.
//!
//! States are interchangeable with those of the official plugin. The values themselves come from
//! other draws, so equal seeds give other values than there, and always the same ones here.

mod chance;
mod change;
mod check;
mod encode;
mod generate;
mod import;
mod outputs;
mod planned;
mod spec;
mod words;

use std::sync::Arc;

use async_trait::async_trait;
use purlin_model::{PropertyMap, PropertyValue, Urn};
use purlin_ports::{
    CheckArgs, CheckFailure, CheckResult, Clock, ConfigureArgs, ConstructArgs, ConstructResult, CreateArgs,
    DeleteArgs, DiffArgs, DiffResult, Entropy, InvokeArgs, InvokeResult, Operated, Provider, ProviderError,
    ProviderMethodArgs, ProviderMethodResult, ReadArgs, ReadResult, UpdateArgs,
};

use crate::refusals;
use spec::{Resource, Spec};

/// The release of the official plugin whose behaviour this has.
pub(crate) const VERSION: &str = "4.21.4";

/// The method of the provider that tells its configuration; there is none.
const TERRAFORM_CONFIG: &str = "pulumi:providers:random/terraformConfig";

/// The provider of the package `random`.
pub struct RandomProvider {
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
}

impl RandomProvider {
    /// A provider that draws from the given entropy. The clock is for the UUIDs that hold a time.
    pub fn new(entropy: Arc<dyn Entropy>, clock: Arc<dyn Clock>) -> Self {
        RandomProvider { entropy, clock }
    }

    /// Adds the hash of a password to what was made, where it is missing.
    async fn complete(&self, spec: &Spec, made: &mut PropertyMap) -> Result<(), ProviderError> {
        if spec.resource != Resource::Password || made.contains_key("bcryptHash") {
            return Ok(());
        }
        let Some(password) = made.get("result").and_then(PropertyValue::as_str).map(str::to_owned) else {
            return Ok(());
        };
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        let hash = tokio::task::spawn_blocking(move || generate::bcrypt_hash(&password, salt))
            .await
            .map_err(|error| ProviderError::Rejected(error.to_string()))?
            .map_err(ProviderError::Rejected)?;
        made.insert("bcryptHash".to_owned(), hash.into());
        Ok(())
    }
}

fn spec_of(urn: &Urn) -> Result<&'static Spec, ProviderError> {
    spec::find(urn.ty()).ok_or_else(|| refusals::unknown_resource("random", VERSION, urn.ty()))
}

/// The inputs as the outputs will have them, for a resource known to be well given.
fn planned(spec: &Spec, urn: &Urn, inputs: &PropertyMap) -> Result<PropertyMap, ProviderError> {
    planned::planned_all(spec, inputs).map_err(|reason| rejected(urn, &reason))
}

fn rejected(urn: &Urn, reason: &str) -> ProviderError {
    ProviderError::Rejected(format!("{} \"{}\": {reason}", urn.ty(), urn.name()))
}

#[async_trait]
impl Provider for RandomProvider {
    async fn check_config(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        let unknown = args.news.keys().filter(|key| !refusals::is_engine_key(key));
        let failure = |key: &String| CheckFailure {
            property: key.clone(),
            reason: format!("the package random has no setting \"{key}\""),
        };
        let failures = unknown.map(failure).collect();
        Ok(CheckResult { inputs: PropertyMap::clone(&args.news), failures })
    }

    async fn diff_config(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        Ok(refusals::config_diff(&args))
    }

    async fn configure(&self, _: ConfigureArgs) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn check(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        let failures = check::failures(spec_of(&args.urn)?, &args.news);
        Ok(CheckResult { inputs: Arc::unwrap_or_clone(args.news), failures })
    }

    async fn diff(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        change::diff(spec_of(&args.urn)?, &args).map_err(|reason| rejected(&args.urn, &reason))
    }

    async fn create(&self, args: CreateArgs) -> Result<Operated, ProviderError> {
        let urn = &args.context.urn;
        let spec = spec_of(urn)?;
        let inputs = planned(spec, urn, &args.inputs)?;
        if args.context.preview {
            return Ok(Operated { outputs: outputs::predicted(spec, inputs), ..Operated::default() });
        }
        let mut made = generate::make(spec, &inputs, &*self.entropy, &*self.clock);
        self.complete(spec, &mut made.outputs).await?;
        let outputs = outputs::finished(spec, &made.id, inputs, made.outputs);
        Ok(Operated { id: made.id, outputs, ..Operated::default() })
    }

    async fn update(&self, args: UpdateArgs) -> Result<Operated, ProviderError> {
        let urn = &args.context.urn;
        let spec = spec_of(urn)?;
        let inputs = planned(spec, urn, &args.new_inputs)?;
        let mut made = outputs::made_before(spec, &args.old_outputs);
        if !args.context.preview {
            self.complete(spec, &mut made).await?;
        }
        let outputs = outputs::finished(spec, &args.id, inputs, made);
        Ok(Operated { outputs, ..Operated::default() })
    }

    async fn delete(&self, args: DeleteArgs) -> Result<(), ProviderError> {
        spec_of(&args.context.urn).map(|_| ())
    }

    async fn read(&self, args: ReadArgs) -> Result<ReadResult, ProviderError> {
        let urn = &args.context.urn;
        let spec = spec_of(urn)?;
        if !args.outputs.is_empty() {
            let mut outputs = PropertyMap::clone(&args.outputs);
            self.complete(spec, &mut outputs).await?;
            let outputs = read_again(spec, &args.id, &outputs);
            let inputs = Some(Arc::unwrap_or_clone(args.inputs));
            return Ok(ReadResult { id: args.id, inputs, outputs: Some(outputs), ..ReadResult::default() });
        }
        let mut found = import::find(spec, &args.id).map_err(|reason| rejected(urn, &reason))?;
        self.complete(spec, &mut found.made.outputs).await?;
        let inputs = planned(spec, urn, &found.inputs)?;
        let outputs = outputs::finished(spec, &found.made.id, inputs, found.made.outputs);
        Ok(ReadResult {
            id: found.made.id,
            inputs: Some(found.inputs),
            outputs: Some(outputs),
            ..ReadResult::default()
        })
    }

    async fn construct(&self, args: ConstructArgs) -> Result<ConstructResult, ProviderError> {
        Err(refusals::no_components("random", &args))
    }

    async fn invoke(&self, args: InvokeArgs) -> Result<InvokeResult, ProviderError> {
        Err(refusals::unknown_function("random", &args.token))
    }

    async fn call(&self, args: ProviderMethodArgs) -> Result<ProviderMethodResult, ProviderError> {
        if args.token != TERRAFORM_CONFIG {
            return Err(refusals::unknown_function("random", &args.token));
        }
        let result = PropertyMap::from([("result".to_owned(), PropertyMap::new().into())]);
        Ok(ProviderMethodResult { result, ..ProviderMethodResult::default() })
    }

    async fn schema(&self) -> Result<String, ProviderError> {
        Ok(include_str!("schema.json").to_owned())
    }

    fn version(&self) -> &str {
        VERSION
    }

    async fn cancel(&self) {}
}

/// The outputs of a state, with what older releases didn't write filled in.
fn read_again(spec: &Spec, id: &str, outputs: &PropertyMap) -> PropertyMap {
    let mut inputs = PropertyMap::new();
    for input in spec.inputs {
        match outputs.get(input.name) {
            Some(value) if *value.plain() != PropertyValue::Null => {
                inputs.insert(input.name.to_owned(), value.clone());
            }
            _ => {
                if let Some(value) = change::recorded(input, outputs) {
                    inputs.insert(input.name.to_owned(), PropertyValue::clone(&value));
                }
            }
        }
    }
    outputs::finished(spec, id, inputs, outputs::made_before(spec, outputs))
}

#[cfg(test)]
mod tests;
