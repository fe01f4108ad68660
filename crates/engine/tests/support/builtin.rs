//! The package `pulumi`, as it is built in.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::{PackageDescriptor, PropertyMap};
use purlin_ports::Provider;
use purlin_providers::{BuiltinDeps, StackOutputs, builtin};
use purlin_testkit::CountingEntropy;

/// Two other stacks: `there` with an open and a secret output, and none of any other name.
struct Stacks;

#[async_trait]
impl StackOutputs for Stacks {
    async fn outputs(&self, reference: &str) -> Result<PropertyMap, Diagnostic> {
        match reference {
            "there" => Ok(PropertyMap::from([
                ("open".to_owned(), "o".into()),
                ("key".to_owned(), purlin_model::PropertyValue::from("s").into_secret()),
            ])),
            other => Err(Diagnostic::error("stack-not-found", format!("no stack named '{other}' found"))),
        }
    }

    async fn resource_outputs(&self, reference: &str) -> Result<PropertyMap, Diagnostic> {
        self.outputs(reference).await
    }
}

/// The provider.
pub fn provider(package: &PackageDescriptor) -> Arc<dyn Provider> {
    let deps = BuiltinDeps {
        entropy: Arc::new(CountingEntropy::default()),
        clock: Arc::new(super::Still),
        stack_outputs: Arc::new(Stacks),
        environment: BTreeMap::new(),
        directory: ".".into(),
        lines: None,
    };
    builtin(package, &deps).unwrap()
}
