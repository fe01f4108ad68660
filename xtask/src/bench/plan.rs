//! `cargo xtask bench plan`: what planning costs by itself.

use anyhow::Result;

use crate::repo::Repo;
use crate::run::{cargo, passed_on};

/// Builds and runs the benchmark of the planner. Its last line is registrations a second.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let mut command = cargo();
    command.args(["bench", "--quiet", "-p", "purlin-plan", "--bench", "registrations", "--"]);
    passed_on(command.args(arguments).current_dir(repo.root()))
}
