//! Schemas of packages from the plugins that serve them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;
use purlin_ports::ProviderHost;
use purlin_schema::{PackageSchema, SchemaSource};
use tokio::sync::Mutex;

/// Asks plugins for their schemas, each once. The plugins come later than what wants schemas.
pub(crate) struct PluginSchemas {
    host: OnceLock<Arc<dyn ProviderHost>>,
    known: Mutex<HashMap<PackageDescriptor, Arc<PackageSchema>>>,
}

impl PluginSchemas {
    pub(crate) fn new() -> Arc<PluginSchemas> {
        Arc::new(PluginSchemas { host: OnceLock::new(), known: Mutex::default() })
    }

    /// Here are the plugins.
    pub(crate) fn set_host(&self, host: Arc<dyn ProviderHost>) {
        // The first one stays; there is only one.
        let _ = self.host.set(host);
    }

    async fn text(&self, package: &PackageDescriptor) -> Result<String, Diagnostic> {
        let named = |e: &dyn std::fmt::Display| {
            Diagnostic::error(
                "schema-unavailable",
                format!("the schema of package '{}': {e}", package.package()),
            )
        };
        let host = self.host.get().ok_or_else(|| named(&"plugins can't be asked yet"))?;
        let provider = host.start(package).await.map_err(|e| named(&e))?;
        provider.schema().await.map_err(|e| named(&e))
    }
}

#[async_trait]
impl SchemaSource for PluginSchemas {
    async fn schema(&self, package: &PackageDescriptor) -> Result<Arc<PackageSchema>, Diagnostic> {
        let mut known = self.known.lock().await;
        if let Some(schema) = known.get(package) {
            return Ok(Arc::clone(schema));
        }
        let schema = Arc::new(PackageSchema::parse(self.text(package).await?)?);
        known.insert(package.clone(), Arc::clone(&schema));
        Ok(schema)
    }
}

#[async_trait]
impl purlin_monitor::SchemaSource for PluginSchemas {
    async fn schema(&self, package: &PackageDescriptor) -> Result<String, Diagnostic> {
        self.text(package).await
    }
}
