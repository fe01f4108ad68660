//! Providers built in: stack references, random, command. They answer like the official plugins
//! of the same packages, whose states they read and write, without a process of their own.

mod command;
mod compare;
mod random;
mod refusals;
mod stack;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use purlin_model::PackageDescriptor;
use purlin_ports::{Clock, Entropy, Provider};

pub use command::{CommandProvider, LineSink};
pub use random::RandomProvider;
pub use stack::{
    READ_STACK_OUTPUTS, READ_STACK_RESOURCE_OUTPUTS, STACK_REFERENCE, STASH, StackOutputs, StackProvider,
};

/// What the providers need from the machine.
#[derive(Clone)]
pub struct BuiltinDeps {
    /// Where random values come from.
    pub entropy: Arc<dyn Entropy>,
    /// The time, which some UUIDs hold.
    pub clock: Arc<dyn Clock>,
    /// Reads other stacks.
    pub stack_outputs: Arc<dyn StackOutputs>,
    /// The environment that commands run in.
    pub environment: BTreeMap<String, String>,
    /// The folder of the program, from which commands run.
    pub directory: PathBuf,
    /// Where the lines go that commands write while they run.
    pub lines: Option<LineSink>,
}

/// The provider of a package, if it is one of those built in and the release asked for behaves
/// like it. Each call gives a new instance.
pub fn builtin(package: &PackageDescriptor, deps: &BuiltinDeps) -> Option<Arc<dyn Provider>> {
    if package.parameterization.is_some() || !package.download_url.is_empty() {
        return None;
    }
    let served = |version: &str| serves(version, &package.version);
    match package.name.as_str() {
        "pulumi" => Some(Arc::new(StackProvider::new(deps.entropy.clone(), deps.stack_outputs.clone()))),
        "random" if served(random::VERSION) => {
            Some(Arc::new(RandomProvider::new(deps.entropy.clone(), deps.clock.clone())))
        }
        "command" if served(command::VERSION) => Some(Arc::new(CommandProvider::new(deps))),
        _ => None,
    }
}

/// Whether a release can stand for another: any is good, or both are of the same major one.
fn serves(own: &str, wanted: &str) -> bool {
    wanted.is_empty() || wanted.split('.').next() == own.split('.').next()
}
