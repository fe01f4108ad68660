//! The schema of the package that needs no plugin.

use std::sync::{Arc, OnceLock};

use crate::package::PackageSchema;

const TEXT: &str = r##"{
  "name": "pulumi",
  "version": "1.0.0",
  "resources": {
    "pulumi:pulumi:StackReference": {
      "inputProperties": {"name": {"type": "string"}},
      "properties": {
        "name": {"type": "string"},
        "outputs": {"type": "object", "additionalProperties": {"$ref": "pulumi.json#/Any"}},
        "secretOutputNames": {"type": "array", "items": {"type": "string"}}
      },
      "required": ["name", "outputs"]
    },
    "pulumi:index:Stash": {
      "inputProperties": {"input": {"$ref": "pulumi.json#/Any"}},
      "requiredInputs": ["input"],
      "properties": {"input": {"$ref": "pulumi.json#/Any"}, "output": {"$ref": "pulumi.json#/Any"}},
      "required": ["input", "output"]
    }
  },
  "functions": {
    "pulumi:pulumi:getResource": {
      "inputs": {"properties": {"urn": {"type": "string"}}, "required": ["urn"]},
      "outputs": {
        "properties": {
          "urn": {"type": "string"},
          "id": {"type": "string"},
          "state": {"type": "object", "additionalProperties": {"$ref": "pulumi.json#/Any"}}
        },
        "required": ["urn", "id", "state"]
      }
    }
  }
}"##;

/// The package `pulumi`: stack references and stashes.
pub fn pulumi_package() -> Arc<PackageSchema> {
    static PACKAGE: OnceLock<Option<Arc<PackageSchema>>> = OnceLock::new();
    let package = PACKAGE.get_or_init(|| PackageSchema::parse(TEXT).ok().map(Arc::new));
    match package {
        Some(package) => Arc::clone(package),
        // The text is a constant and a test reads it.
        None => unreachable!("the built-in schema is valid"),
    }
}
