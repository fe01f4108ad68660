//! Providers of dynamic resources: their code is part of the program's own dependencies, so there
//! is no plugin to install. They are started in the way in which the program is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;

use crate::settings::PluginSettings;

/// The package of dynamic resources of Node programs.
const NODE: &str = "pulumi-nodejs";
/// The package of dynamic resources of Python programs.
const PYTHON: &str = "pulumi-python";
/// What Node runs, below a folder of modules.
const NODE_SCRIPT: &str = "@pulumi/pulumi/cmd/dynamic-provider";

/// Whether a package is one of dynamic resources, which is served from inside.
pub fn is_dynamic(package: &str) -> bool {
    matches!(package, NODE | PYTHON)
}

/// A command that serves a package of dynamic resources.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DynamicCommand {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// Variables that differ from the environment; `None` removes one.
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    /// The folder that counts as the plugin's.
    pub(crate) folder: PathBuf,
}

/// Makes the command for a package of dynamic resources, without the engine's address.
pub(crate) async fn command(package: &str, settings: &PluginSettings) -> Result<DynamicCommand, Diagnostic> {
    if package == NODE { node(settings).await } else { python(settings).await }
}

/// Looks a program up on the search path. What is not there is left to the system to complain of.
fn look_up(name: &str, settings: &PluginSettings) -> PathBuf {
    settings.path.iter().map(|d| d.join(name)).find(|p| p.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

/// Runs a helper of the ecosystem in the program's folder and gives what it prints.
async fn ask(program: &Path, args: &[&str], settings: &PluginSettings) -> Result<String, String> {
    let mut command = tokio::process::Command::new(program);
    command
        .args(args)
        .current_dir(&settings.program_dir)
        .env_clear()
        .envs(settings.env.iter().map(|(k, v)| (k, v)))
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.map_err(|e| format!("{}: {e}", program.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

async fn node(settings: &PluginSettings) -> Result<DynamicCommand, Diagnostic> {
    let node = look_up("node", settings);
    let near = settings.program_dir.ancestors().map(|d| d.join("node_modules").join(NODE_SCRIPT));
    let script = match near.into_iter().find(|script| script.join("index.js").is_file()) {
        Some(script) => script,
        // Modules may also come from elsewhere (Plug'n'Play, NODE_PATH): Node itself knows.
        None => {
            let find = format!("console.log(require.resolve('{NODE_SCRIPT}'))");
            let found = ask(&node, &["-e", &find], settings).await.map_err(|e| {
                let reason = e.lines().find(|l| l.contains("Error")).unwrap_or(&e).to_owned();
                Diagnostic::error(
                    "dynamic-provider-node",
                    format!("the provider of Node's dynamic resources can't be found: {reason}"),
                )
                .with_hint("install the program's dependencies, @pulumi/pulumi among them")
            })?;
            PathBuf::from(found)
        }
    };
    let folder = script.parent().map(Path::to_owned).unwrap_or_default();
    Ok(DynamicCommand { program: node, args: vec![script.into()], env: Vec::new(), folder })
}

async fn python(settings: &PluginSettings) -> Result<DynamicCommand, Diagnostic> {
    let option =
        |name: &str| settings.runtime_options.get(name).map(String::as_str).filter(|v| !v.is_empty());
    let environment = match (option("virtualenv"), option("toolchain")) {
        (Some(folder), _) => Some(folder.to_owned()),
        (None, Some("uv")) => Some(".venv".to_owned()),
        (None, Some("poetry")) => {
            let poetry = look_up("poetry", settings);
            let found = ask(&poetry, &["env", "info", "--path"], settings).await.map_err(|e| {
                Diagnostic::error(
                    "dynamic-provider-python",
                    format!("Poetry can't say where the program's environment is: {e}"),
                )
                .with_hint("run `poetry install` in the program's folder")
            })?;
            Some(found)
        }
        _ => None,
    };
    let args = ["-u", "-m", "pulumi.dynamic"].map(OsString::from).to_vec();
    let folder = settings.program_dir.clone();
    let Some(environment) = environment.filter(|e| !e.is_empty()) else {
        let python = settings.env_var("PULUMI_PYTHON_CMD").filter(|p| !p.is_empty()).unwrap_or("python3");
        return Ok(DynamicCommand { program: look_up(python, settings), args, env: Vec::new(), folder });
    };
    let environment = settings.program_dir.join(environment);
    let programs = environment.join("bin");
    let python = programs.join("python");
    if !python.is_file() {
        let (dir, py) = (environment.display(), python.display());
        return Err(Diagnostic::error(
            "dynamic-provider-python",
            format!("the program's virtual environment {dir} has no {py}"),
        )
        .with_hint(format!(
            "make it with `python3 -m venv {dir}` and install the dependencies with `{py} -m pip install -r requirements.txt`"
        )));
    }
    let mut path = programs.into_os_string();
    for (key, value) in &settings.env {
        if key == "PATH" {
            path.push(":");
            path.push(value);
        }
    }
    let env = vec![("PATH".into(), Some(path)), ("PYTHONHOME".into(), None)];
    Ok(DynamicCommand { program: python, args, env, folder })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn settings(dir: &Path) -> PluginSettings {
        let mut settings = PluginSettings::new(dir.join("home"), dir.join("work/program"));
        fs::create_dir_all(&settings.program_dir).unwrap();
        settings.env = vec![("PATH".into(), "/bin".into()), ("PYTHONHOME".into(), "/py".into())];
        settings
    }

    #[tokio::test]
    async fn python_comes_from_the_programs_environment() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(dir.path());
        let plain = command(PYTHON, &settings).await.unwrap();
        assert_eq!(plain.program, Path::new("python3"));
        assert_eq!(plain.args, ["-u", "-m", "pulumi.dynamic"]);
        settings.runtime_options.insert("toolchain".into(), "uv".into());
        assert_eq!(command(PYTHON, &settings).await.unwrap_err().code, "dynamic-provider-python");
        let bin = settings.program_dir.join(".venv/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("python"), "").unwrap();
        let found = command(PYTHON, &settings).await.unwrap();
        assert_eq!(found.program, bin.join("python"));
        let path = format!("{}:/bin", bin.display());
        assert_eq!(found.env, [("PATH".into(), Some(path.into())), ("PYTHONHOME".into(), None)]);
    }

    #[tokio::test]
    async fn node_modules_are_looked_for_in_the_folders_above() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        let script = dir.path().join("work/node_modules").join(NODE_SCRIPT);
        fs::create_dir_all(&script).unwrap();
        fs::write(script.join("index.js"), "").unwrap();
        let found = command(NODE, &settings).await.unwrap();
        assert_eq!(found.args, [script.into_os_string()]);
    }
}
