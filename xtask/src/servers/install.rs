//! Gets servers from registries, at fixed versions.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{captured, fresh_folder};
use crate::servers::kinds::Kind;
use crate::test_env::TestEnv;
use crate::tools::{self, GO, NODE, NPM, PYTHON};

/// The one program of a server that is built from Go.
pub(super) fn program(env: &TestEnv, kind: Kind) -> PathBuf {
    kind.home(env).join(format!("server{}", std::env::consts::EXE_SUFFIX))
}

/// Builds a program from a module that Go's proxy serves.
pub(super) fn go_program(env: &TestEnv, kind: Kind, module: &str) -> Result<bool> {
    let go = tools::require(&[&GO])?.concat();
    let result = program(env, kind);
    env.part(&format!("server-{}", kind.name()), &format!("{go}\n{module}"), &result, || {
        let folder = kind.home(env);
        fresh_folder(&folder)?;
        let mut install = GO.command();
        // Without symbols: these programs are large, and nobody looks into them.
        install.args(["install", "-buildvcs=false", "-ldflags=-s -w", module]);
        captured(install.env("GOBIN", &folder).current_dir(&folder))?;
        let built = std::fs::read_dir(&folder)?.flatten().next();
        let Some(built) = built else { bail!("nothing was built from {module}") };
        std::fs::rename(built.path(), &result)?;
        Ok(())
    })
}

/// Installs a package for Node.js.
pub(super) fn npm_package(env: &TestEnv, kind: Kind, package: &str, version: &str) -> Result<bool> {
    let versions = tools::require(&[&NODE, &NPM])?.join(" ");
    let folder = kind.home(env);
    let manifest = serde_json::json!({ "private": true, "dependencies": { package: version } }).to_string();
    let made_from = format!("{versions}\n{manifest}");
    env.part(&format!("server-{}", kind.name()), &made_from, &folder.join("node_modules"), || {
        fresh_folder(&folder)?;
        std::fs::write(folder.join("package.json"), &manifest)?;
        let install = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
        captured(NPM.command().args(install).current_dir(&folder))?;
        Ok(())
    })
}

/// Installs packages for Python into a virtual environment.
pub(super) fn python_packages(env: &TestEnv, kind: Kind, packages: &[&str]) -> Result<bool> {
    let python = tools::require(&[&PYTHON])?.concat();
    let folder = kind.home(env);
    let made_from = format!("{python}\n{}", packages.join("\n"));
    env.part(&format!("server-{}", kind.name()), &made_from, &folder.join("bin"), || {
        std::fs::create_dir_all(&folder)?;
        captured(PYTHON.command().args(["-m", "venv", "--clear"]).arg(&folder))
            .context("a virtual environment can't be made (on Debian and Ubuntu: install python3-venv)")?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        captured(Command::new(folder.join("bin/python")).args(install).args(packages))?;
        Ok(())
    })
}
