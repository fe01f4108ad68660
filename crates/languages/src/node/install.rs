//! Installing what Node programs depend on.

use std::path::Path;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_ports::{EventSink, ProgramInfo};
use tokio_util::sync::CancellationToken;

use crate::options;
use crate::process::Invocation;
use crate::program::{missing_tool, run_tool, upwards};
use crate::settings::HostSettings;

const MANAGERS: [&str; 5] = ["auto", "npm", "yarn", "pnpm", "bun"];

/// Runs the package manager, unless everything is there.
pub(super) async fn install(
    program: &ProgramInfo,
    settings: &HostSettings,
    events: &Arc<dyn EventSink>,
    reinstall: bool,
) -> Result<(), Diagnostic> {
    let directory = &program.program_directory;
    let Some(home) =
        upwards(directory, |f| f.join("package.json").is_file() || f.join("package.yaml").is_file())
    else {
        return Ok(());
    };
    let there =
        upwards(directory, |f| f.join("node_modules").is_dir() || f.join(".pnp.cjs").is_file()).is_some();
    if there && !reinstall {
        return Ok(());
    }
    let manager = match options::choice(&program.options, "packagemanager", &MANAGERS)? {
        None | Some("auto") => detect(home, settings),
        Some(name) => name.to_owned(),
    };
    let tool = settings.find_tool(&manager).ok_or_else(|| {
        missing_tool(&manager, "install it, or name another one as `runtime.options.packagemanager`")
    })?;
    let production = options::flag(&program.options, "production")?.unwrap_or(false);
    let mut arguments = match manager.as_str() {
        "npm" => vec!["install", "--loglevel=error"],
        "pnpm" => vec!["install", "--use-stderr"],
        _ => vec!["install"],
    };
    if production {
        arguments.push(if manager == "pnpm" { "--prod" } else { "--production" });
    }
    let invocation = Invocation::new(tool, home, settings.environment.clone()).args(arguments);
    run_tool("node dependencies", &invocation, events, &CancellationToken::new(), settings).await
}

/// The package manager that the files beside the manifest, or above it, point to.
fn detect(home: &Path, settings: &HostSettings) -> String {
    let has = |name: &str| upwards(home, |folder| folder.join(name).is_file()).is_some();
    let manager = if home.join("package.yaml").is_file() {
        "pnpm"
    } else if settings.variable("PULUMI_PREFER_YARN").is_some_and(truthy) || has("yarn.lock") {
        "yarn"
    } else if has("pnpm-lock.yaml") {
        "pnpm"
    } else if has("bun.lock") || has("bun.lockb") {
        "bun"
    } else {
        "npm"
    };
    manager.to_owned()
}

fn truthy(value: &str) -> bool {
    value == "1" || value.eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_choose_the_manager() {
        let folder = tempfile::tempdir().unwrap();
        let settings = HostSettings::new([].into(), "/nowhere");
        assert_eq!(detect(folder.path(), &settings), "npm");
        for (file, manager) in
            [("bun.lock", "bun"), ("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("package.yaml", "pnpm")]
        {
            std::fs::write(folder.path().join(file), "").unwrap();
            assert_eq!(detect(folder.path(), &settings), manager);
        }
    }
}
