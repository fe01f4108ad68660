//! The seeded world: `cargo xtask world --runs N [--seed S]` runs as many seeds as asked for on all
//! cores; with `--mutations` it plants known bugs one by one and fails if one is not found.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::repo::Repo;
use crate::run::{cargo, passed_on};

/// Builds the world and runs it; what it prints ends with one line that counts.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "-p", "purlin-testkit", "--example", "world"]);
    if arguments.iter().any(|argument| argument == "--mutations") {
        build.args(["--features", "planted"]);
    }
    passed_on(build.current_dir(repo.root()))?;
    let world = repo.target().join("release/examples/world");
    let status = Command::new(world).args(arguments).current_dir(repo.root()).status()?;
    ensure!(status.success(), "the seeded world found something: see above");
    Ok(())
}
