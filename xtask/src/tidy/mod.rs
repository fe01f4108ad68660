//! `cargo xtask tidy`: what the compiler and clippy don't check about the shape of the house.

mod architecture;
mod layers;
mod scan;
mod sources;

use anyhow::{Result, bail};

use crate::repo::Repo;

/// Runs all checks and prints what they found.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let rules = layers::Rules::read(repo)?;
    let mut problems = layers::check(repo, &rules)?;
    problems.extend(sources::check(repo, &rules)?);
    problems.extend(architecture::check(repo)?);
    problems.extend(crate::rules::check(repo)?);
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        bail!("tidy found {} problems", problems.len());
    }
    println!("tidy: all well");
    Ok(())
}
