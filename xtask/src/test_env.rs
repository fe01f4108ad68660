//! What the tests need: official SDKs, test plugins, modules.
//!
//! Everything is below `target/test-env`, whose path the tests find in `PURLIN_TEST_ENV`:
//!
//! | Path | What |
//! |---|---|
//! | `python/venv` | a virtual environment with `pulumi` and `pulumi_random` |
//! | `node/node_modules` | `@pulumi/pulumi`, `@pulumi/random`, `typescript`, `@types/node` |
//! | `python-policy/venv` | a virtual environment with `pulumi` and `pulumi_policy`, for packs in Python |
//! | `python-old/venv` | a virtual environment with an SDK of 2023, for what old SDKs do in their own way |
//! | `node-policy/node_modules` | `@pulumi/policy` and what it needs, for packs in Node |
//! | `plugins/<name>-<version>/pulumi-resource-<name>` | the plugins of `tests/plugins` |
//! | `servers/<name>` | the servers of `crate::servers` |
//! | `cache` | what tests want to keep from one run to the next: compiled programs |
//! | `stamps` | what each part was made from; a part whose stamp is right is left alone |
//!
//! Modules of Go programs are in Go's own module cache.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::run::{captured, fresh_folder};
use crate::tools::{self, GO, NODE, NPM, PYTHON};

/// The variable that names the folder.
pub(crate) const VARIABLE: &str = "PURLIN_TEST_ENV";

const PYTHON_PACKAGES: [&str; 2] = ["pulumi==3.272.0", "pulumi_random==4.21.4"];
const PYTHON_POLICY_PACKAGES: [&str; 2] = ["pulumi==3.272.0", "pulumi_policy==1.21.0"];
/// `pkg_resources`, which that SDK imports, came with older versions of `setuptools`.
const PYTHON_OLD_PACKAGES: [&str; 2] = ["pulumi==3.60.0", "setuptools==75.8.0"];
const NODE_PACKAGES: [(&str, &str); 4] = [
    ("@pulumi/pulumi", "3.270.0"),
    ("@pulumi/random", "4.21.2"),
    ("@types/node", "20.19.43"),
    ("typescript", "5.9.3"),
];
const NODE_POLICY_PACKAGES: [(&str, &str); 2] = [("@pulumi/policy", "1.21.0"), ("@pulumi/pulumi", "3.270.0")];
/// Plugins by folder in `tests/plugins`, and the versions that are built of each.
const PLUGINS: [(&str, &[&str]); 3] = [
    ("faultcloud", &["1.0.0", "1.1.0"]),
    ("filecloud", &["0.1.0"]),
    ("shapecloud", &["1.0.0", "1.1.0", "2.0.0"]),
];

/// The prepared environment.
pub(crate) struct TestEnv {
    root: PathBuf,
}

impl TestEnv {
    /// Prepares everything that isn't ready yet.
    pub(crate) fn prepare(repo: &Repo) -> Result<TestEnv> {
        let versions = tools::require(&[&PYTHON, &NODE, &NPM, &GO])?;
        let [python, node, npm, go] = versions.as_slice() else { anyhow::bail!("a tool has no version") };
        let (env, _lock) = TestEnv::open(repo)?;
        env.python(python)?;
        env.node(&format!("{node} {npm}"))?;
        env.virtual_environment(
            "python-old",
            python,
            &env.root.join("python-old/venv"),
            &PYTHON_OLD_PACKAGES,
        )?;
        env.policies(python, &format!("{node} {npm}"))?;
        env.plugins(repo, go)?;
        env.go_modules(repo, go)?;
        Ok(env)
    }

    /// Prepares the plugins alone.
    pub(crate) fn with_plugins(repo: &Repo) -> Result<TestEnv> {
        let go = tools::require(&[&GO])?.concat();
        let (env, _lock) = TestEnv::open(repo)?;
        env.plugins(repo, &go)?;
        Ok(env)
    }

    /// Prepares the Python SDK alone.
    pub(crate) fn with_python(repo: &Repo) -> Result<TestEnv> {
        let python = tools::require(&[&PYTHON])?.concat();
        let (env, _lock) = TestEnv::open(repo)?;
        env.python(&python)?;
        Ok(env)
    }

    /// Prepares the Node SDK alone.
    pub(crate) fn with_node(repo: &Repo) -> Result<TestEnv> {
        let versions = tools::require(&[&NODE, &NPM])?.join(" ");
        let (env, _lock) = TestEnv::open(repo)?;
        env.node(&versions)?;
        Ok(env)
    }

    /// The environment for servers alone, which prepare themselves.
    pub(crate) fn for_servers(repo: &Repo) -> Result<TestEnv> {
        Ok(TestEnv::open(repo)?.0)
    }

    /// The environment, and a lock against others that prepare it.
    fn open(repo: &Repo) -> Result<(TestEnv, File)> {
        let root = repo.target().join("test-env");
        std::fs::create_dir_all(root.join("stamps")).with_context(|| root.display().to_string())?;
        let env = TestEnv { root };
        let lock = env.lock()?;
        Ok((env, lock))
    }

    /// Keeps others from preparing anything as long as the result is held.
    pub(crate) fn lock(&self) -> Result<File> {
        let lock = File::create(self.root.join(".lock"))?;
        lock.lock().context("waiting for another run that prepares the tests")?;
        Ok(lock)
    }

    /// Its folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the virtual environment.
    pub(crate) fn venv(&self) -> PathBuf {
        self.root.join("python/venv")
    }

    /// The folder of the Node packages.
    pub(crate) fn node_modules(&self) -> PathBuf {
        self.root.join("node/node_modules")
    }

    /// The folder of a plugin.
    pub(crate) fn plugin_folder(&self, name: &str, version: &str) -> PathBuf {
        self.root.join("plugins").join(format!("{name}-{version}"))
    }

    /// Makes a part, unless it is there already and was made from the same things; whether it was
    /// made. The caller holds the lock.
    pub(crate) fn part(
        &self,
        name: &str,
        made_from: &str,
        result: &Path,
        make: impl FnOnce() -> Result<()>,
    ) -> Result<bool> {
        let stamp = self.root.join("stamps").join(name);
        if result.exists() && std::fs::read_to_string(&stamp).is_ok_and(|text| text == made_from) {
            return Ok(false);
        }
        eprintln!("preparing {name}");
        // A stamp tells of a part that was made to the end.
        let _ = std::fs::remove_file(&stamp);
        make().with_context(|| format!("preparing {name} for the tests"))?;
        std::fs::write(&stamp, made_from).with_context(|| stamp.display().to_string())?;
        Ok(true)
    }

    fn python(&self, python: &str) -> Result<bool> {
        self.virtual_environment("python-sdk", python, &self.venv(), &PYTHON_PACKAGES)
    }

    fn virtual_environment(
        &self,
        part: &str,
        python: &str,
        folder: &Path,
        packages: &[&str],
    ) -> Result<bool> {
        let made_from = format!("{python}\n{}", packages.join("\n"));
        self.part(part, &made_from, folder, || {
            captured(PYTHON.command().args(["-m", "venv", "--clear"]).arg(folder)).context(
                "a virtual environment can't be made (on Debian and Ubuntu: install python3-venv)",
            )?;
            let interpreter = folder.join("bin/python");
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            captured(std::process::Command::new(interpreter).args(install).args(packages))?;
            Ok(())
        })
    }

    fn node(&self, versions: &str) -> Result<bool> {
        self.modules("node-sdk", versions, &self.root.join("node"), &NODE_PACKAGES)
    }

    fn modules(&self, part: &str, versions: &str, folder: &Path, packages: &[(&str, &str)]) -> Result<bool> {
        let dependencies: serde_json::Map<String, serde_json::Value> =
            packages.iter().map(|(name, version)| ((*name).to_owned(), (*version).into())).collect();
        let manifest = serde_json::json!({ "private": true, "dependencies": dependencies }).to_string();
        self.part(part, &format!("{versions}\n{manifest}"), &folder.join("node_modules"), || {
            fresh_folder(folder)?;
            std::fs::write(folder.join("package.json"), &manifest)?;
            let install = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
            captured(NPM.command().args(install).current_dir(folder))?;
            Ok(())
        })
    }

    /// What policy packs need: they have dependencies of their own, apart from programs.
    fn policies(&self, python: &str, node: &str) -> Result<bool> {
        let venv = self.root.join("python-policy/venv");
        self.virtual_environment("python-policy", python, &venv, &PYTHON_POLICY_PACKAGES)?;
        self.modules("node-policy", node, &self.root.join("node-policy"), &NODE_POLICY_PACKAGES)
    }

    fn plugins(&self, repo: &Repo, go: &str) -> Result<()> {
        for (name, versions) in PLUGINS {
            let source = repo.path("tests/plugins").join(name);
            let content = content_of(&source)?;
            for version in versions {
                let binary = format!("pulumi-resource-{name}{}", std::env::consts::EXE_SUFFIX);
                let file = self.plugin_folder(name, version).join(binary);
                let made_from = format!("{go}\n{content:016x}");
                self.part(&format!("plugin-{name}-{version}"), &made_from, &file, || {
                    let flags = format!("-X main.Version={version}");
                    let mut build = GO.command();
                    build.args(["build", "-buildvcs=false", "-ldflags", &flags, "-o"]).arg(&file).arg(".");
                    captured(build.current_dir(&source))?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    fn go_modules(&self, repo: &Repo, go: &str) -> Result<()> {
        let cache = PathBuf::from(captured(GO.command().args(["env", "GOMODCACHE"]))?.trim());
        for entry in std::fs::read_dir(repo.path("tests/programs/go"))? {
            let folder = entry?.path();
            if !folder.join("go.mod").is_file() {
                continue;
            }
            let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let modules = std::fs::read_to_string(folder.join("go.sum")).unwrap_or_default();
            let made_from = format!("{go}\n{}\n{modules}", cache.display());
            self.part(&format!("go-modules-{name}"), &made_from, &cache, || {
                captured(GO.command().args(["mod", "download"]).current_dir(&folder))?;
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// A number that changes with the content of a folder of sources.
fn content_of(folder: &Path) -> Result<u64> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for path in files {
        path.file_name().hash(&mut hasher);
        std::fs::read(&path).with_context(|| path.display().to_string())?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}
