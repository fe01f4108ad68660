//! The environment that `cargo xtask test` prepares.

use std::path::PathBuf;

/// The variable that names it.
const VARIABLE: &str = "PURLIN_TEST_ENV";

/// A path in the prepared environment. Without one the test fails and says how to get it.
pub(crate) fn path(below: &str) -> PathBuf {
    let Some(root) = std::env::var_os(VARIABLE) else {
        panic!(
            "{VARIABLE} is not set: run these tests with `cargo xtask test`, which prepares what they need"
        );
    };
    let path = PathBuf::from(root).join(below);
    assert!(path.exists(), "{} is missing: run `cargo xtask test`, which makes it", path.display());
    path
}

/// The binary of a provider plugin.
pub(crate) fn plugin(name: &str, version: &str) -> PathBuf {
    path(&format!("plugins/{name}-{version}/pulumi-resource-{name}"))
}
