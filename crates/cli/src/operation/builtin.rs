//! The providers that are built in, and what they need from the command line.

use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::{Diagnostic, Severity};
use purlin_model::event::EngineEvent;
use purlin_model::urn::STACK_TYPE;
use purlin_model::{PropertyMap, PropertyValue, Urn};
use purlin_plugins::BuiltinProviders;
use purlin_ports::{BagCodec as _, EventSink, SecretsManager, StateStore};
use purlin_providers::{BuiltinDeps, StackOutputs, builtin};
use purlin_secrets::{KeyServices, PassphraseSource, SealedBags, manager_from_state};

use crate::ambient::{SystemClock, SystemEntropy};
use crate::operation::prepare::Prepared;

/// Reads the outputs of other stacks in the same backend.
struct OtherStacks {
    store: Arc<dyn StateStore>,
    project: String,
    passphrases: Arc<dyn PassphraseSource>,
    key_services: KeyServices,
}

impl OtherStacks {
    fn id(&self, reference: &str) -> Result<purlin_ports::StackId, Diagnostic> {
        let parsed = purlin_project::names::StackReference::parse(reference)?;
        Ok(purlin_ports::StackId {
            organization: crate::context::organization(parsed.organization)?,
            project: parsed.project.unwrap_or_else(|| self.project.clone()),
            name: parsed.stack,
        })
    }

    fn manager(
        &self,
        provider: &purlin_model::state::SecretsProvider,
    ) -> Result<Arc<dyn SecretsManager>, Diagnostic> {
        manager_from_state(
            provider,
            Arc::clone(&self.passphrases),
            &self.key_services,
            Arc::new(SystemEntropy),
        )
    }

    async fn states(&self, reference: &str, root_only: bool) -> Result<PropertyMap, Diagnostic> {
        let id = self.id(reference)?;
        let loaded = self.store.load(&id).await.map_err(|e| e.diagnostic())?;
        let manager: Arc<dyn SecretsManager> = match &loaded.snapshot.secrets_provider {
            Some(provider) => self.manager(provider)?,
            None => Arc::new(purlin_secrets::Base64Manager),
        };
        let bags = SealedBags::new(manager);
        let mut found = PropertyMap::new();
        for state in loaded.snapshot.resources.iter().filter(|s| !s.delete) {
            if root_only {
                if state.urn.qualified_type() == STACK_TYPE {
                    return Ok(PropertyMap::clone(&*bags.open(&state.outputs).await?));
                }
            } else {
                let outputs = bags.open(&state.outputs).await?;
                let entry = PropertyMap::from([
                    ("type".to_owned(), PropertyValue::from(&*state.ty)),
                    ("outputs".to_owned(), PropertyValue::Object(PropertyMap::clone(&outputs))),
                ]);
                found.insert(state.urn.to_string(), entry.into());
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl StackOutputs for OtherStacks {
    async fn outputs(&self, reference: &str) -> Result<PropertyMap, Diagnostic> {
        self.states(reference, true).await
    }

    async fn resource_outputs(&self, reference: &str) -> Result<PropertyMap, Diagnostic> {
        self.states(reference, false).await
    }
}

impl Prepared<'_> {
    /// The providers that are built in. Lines that commands write go to the sink.
    pub(crate) fn builtin_providers(&self, events: &Arc<dyn EventSink>) -> BuiltinProviders {
        let events = Arc::clone(events);
        let lines = move |urn: Option<&Urn>, line: &str| {
            events.emit(EngineEvent::Diagnostic {
                urn: urn.cloned(),
                prefix: String::new(),
                message: line.to_owned(),
                severity: Severity::Info,
                stream_id: 0,
                ephemeral: true,
            });
        };
        let deps = BuiltinDeps {
            entropy: Arc::new(SystemEntropy),
            clock: Arc::new(SystemClock),
            stack_outputs: Arc::new(OtherStacks {
                store: Arc::clone(&self.target.store),
                project: self.target.id.project.clone(),
                passphrases: crate::passphrases::passphrases(self.context),
                key_services: crate::config_values::key_services(self.context),
            }),
            environment: self.context.ambient.env().clone(),
            directory: self.program.program_directory.clone(),
            lines: Some(Arc::new(lines)),
        };
        Arc::new(move |package| builtin(package, &deps))
    }
}
