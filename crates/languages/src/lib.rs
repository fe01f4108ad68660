//! Language hosts: Python, Node and Go programs, run by this process itself.
//!
//! A host installs what a program depends on, finds the packages that it needs plugins for, and
//! runs it with the addresses of the engine's services. It passes on each line that the program
//! prints, and learns from the exit code how the program ended.

mod go;
mod node;
mod options;
mod plugin_file;
mod policy;
mod process;
mod program;
mod python;
mod settings;

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_ports::LanguageHost;

pub use go::GoHost;
pub use node::NodeHost;
pub use policy::{PolicyCommand, PolicyStart, policy_command};
pub use python::PythonHost;
pub use settings::HostSettings;

/// The runtimes that have a host here.
pub const RUNTIMES: [&str; 3] = ["go", "nodejs", "python"];

/// The host for a runtime by the name that project files use.
///
/// # Errors
///
/// If there is no host for it.
pub fn host_for(runtime: &str, settings: Arc<HostSettings>) -> Result<Arc<dyn LanguageHost>, Diagnostic> {
    match runtime {
        "go" => Ok(Arc::new(GoHost::new(settings))),
        "nodejs" => Ok(Arc::new(NodeHost::new(settings))),
        "python" => Ok(Arc::new(PythonHost::new(settings))),
        other => {
            let message = match other {
                "" => "the project file names no runtime".to_owned(),
                _ => format!("there is no runtime called '{other}'"),
            };
            let hint = format!("set `runtime` in the project file to one of {}, yaml", RUNTIMES.join(", "));
            Err(Diagnostic::error("runtime-unknown", message).with_hint(hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_has_its_host_and_others_are_refused_by_name() {
        let settings = Arc::new(HostSettings::new([].into(), "/nowhere"));
        for runtime in RUNTIMES {
            assert_eq!(host_for(runtime, Arc::clone(&settings)).ok().unwrap().runtime(), runtime);
        }
        let error = host_for("cobol", settings).err().unwrap();
        assert!(error.message.contains("cobol") && error.hint.unwrap().contains("python"));
    }
}
