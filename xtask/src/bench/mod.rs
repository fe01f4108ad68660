//! `cargo xtask bench`: what things cost. `plan` measures the planner alone; `state` what stores cost;
//! `up` what a stack's life costs, beside what it can't cost less than.
//!
//! For each language and size a fresh stack is created, updated without a change, previewed,
//! refreshed and destroyed by the release binary, and by the `pulumi` on `PATH` if there is one. The
//! floor is the same program against a monitor that answers at once; the provider floor is the same
//! calls to the same provider with the same concurrency. The life of a stack with one
//! resource tells what each command costs by itself.

mod floor;
mod measure;
mod options;
mod plan;
mod stage;
#[cfg(target_os = "linux")]
mod state;
mod table;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::bench::floor::Floors;
use crate::bench::measure::Measured;
use crate::bench::options::{Options, Provider};
use crate::bench::stage::{Engine, Stage, Surroundings};
use crate::repo::Repo;
use crate::run::{cargo, fresh_folder, passed_on};
use crate::test_env::TestEnv;
use crate::tools::on_path;

/// What is measured, in order.
pub(crate) const PHASES: [&str; 5] = ["create", "no-op", "preview", "refresh", "destroy"];

/// One life of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// What each phase took.
    pub(crate) phases: [Measured; 5],
    /// The size of the checkpoint after the create, in bytes.
    pub(crate) checkpoint: u64,
}

/// What was found out about one language and size.
pub(crate) struct Finding {
    pub(crate) language: options::Language,
    pub(crate) resources: usize,
    pub(crate) purlin: Life,
    /// The life of a stack with one resource: what each command costs by itself.
    pub(crate) least: Life,
    /// Purlin with its state in memory.
    pub(crate) in_memory: Option<Life>,
    pub(crate) peer: Option<Life>,
    pub(crate) floors: Floors,
}

/// Runs the benchmark that the arguments describe.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    if let Some((first, rest)) = arguments.split_first()
        && first == "plan"
    {
        return plan::run(repo, rest);
    }
    if !cfg!(target_os = "linux") {
        bail!("the benchmark reads /proc and runs on Linux only");
    }
    #[cfg(target_os = "linux")]
    if let Some((first, rest)) = arguments.split_first()
        && first == "state"
    {
        return state::run(repo, rest, arguments);
    }
    let options = Options::parse(arguments)?;
    let bench = Bench::prepare(repo, &options)?;
    let mut findings = Vec::new();
    for language in &options.languages {
        let least = bench.life(&bench.purlin(), *language, 1, false)?;
        for resources in &options.resources {
            let finding = bench.finding(*language, *resources, least.clone())?;
            eprintln!("{}", table::summary(std::slice::from_ref(&finding)));
            findings.push(finding);
        }
    }
    let report = table::report(&bench.description, &findings, arguments);
    println!("{report}");
    if let Some(file) = &options.output {
        std::fs::write(file, format!("{report}\n")).with_context(|| file.display().to_string())?;
    }
    println!("{}", table::summary(&findings));
    Ok(())
}

/// Builds the release binaries, if asked to, and gives the folder with copies of them: a build
/// meanwhile must not change what is measured.
fn binaries(repo: &Repo, build: bool) -> Result<PathBuf> {
    if build {
        let mut build = cargo();
        build.args(["build", "--release", "-p", "purlin", "-p", "purlin-floor"]).current_dir(repo.root());
        passed_on(&mut build)?;
    }
    let binaries = repo.target().join("bench/bin");
    fresh_folder(&binaries)?;
    for name in ["purlin", "floor"] {
        let built = repo.target().join("release").join(name);
        std::fs::copy(&built, binaries.join(name)).with_context(|| built.display().to_string())?;
    }
    Ok(binaries)
}

/// Everything that the measurements need, ready.
struct Bench<'a> {
    repo: &'a Repo,
    options: &'a Options,
    /// The folder of the binaries.
    binaries: PathBuf,
    /// The provider's package, and the folder of its plugin if it is one.
    provider: Provider,
    peer: Option<Engine>,
    env: Option<TestEnv>,
    description: String,
}

impl<'a> Bench<'a> {
    fn prepare(repo: &'a Repo, options: &'a Options) -> Result<Bench<'a>> {
        let binaries = binaries(repo, options.build)?;
        let mut env = None;
        for language in &options.languages {
            match language {
                options::Language::Python => env = Some(TestEnv::with_python(repo)?),
                options::Language::Node => env = Some(TestEnv::with_node(repo)?),
                options::Language::Yaml | options::Language::Go => {}
            }
        }
        let provider = match options.plugin {
            false => Provider::Builtin,
            true => match on_path("pulumi-resource-random") {
                Some(file) => Provider::Random(file.parent().map(Into::into).unwrap_or_default()),
                None => {
                    let plugins = TestEnv::with_plugins(repo)?;
                    let folder = plugins.plugin_folder("faultcloud", "1.0.0");
                    env = Some(plugins);
                    Provider::Faultcloud(folder)
                }
            },
        };
        let peer = on_path("pulumi").filter(|_| options.peer_up_to > 0).map(Engine::Peer);
        let description = table::description(&provider, peer.as_ref())?;
        Ok(Bench { repo, options, binaries, provider, peer, env, description })
    }

    fn purlin(&self) -> Engine {
        Engine::Purlin(self.binaries.join("purlin"))
    }

    fn finding(&self, language: options::Language, resources: usize, least: Life) -> Result<Finding> {
        let engine = self.purlin();
        let purlin = self.life(&engine, language, resources, false)?;
        let memory = std::path::Path::new(stage::IN_MEMORY).is_dir();
        let in_memory = memory.then(|| self.life(&engine, language, resources, true)).transpose()?;
        let floors = {
            let stage = self.stage(&engine, language, resources, false)?;
            floor::measure(&self.binaries.join("floor"), &stage, self.options.runs)?
        };
        let peer = match &self.peer {
            Some(peer) if resources <= self.options.peer_up_to => {
                Some(self.life(peer, language, resources, false)?)
            }
            _ => None,
        };
        Ok(Finding { language, resources, purlin, least, in_memory, peer, floors })
    }

    fn stage(
        &self,
        engine: &Engine,
        language: options::Language,
        resources: usize,
        memory: bool,
    ) -> Result<Stage> {
        let around = Surroundings {
            repo: self.repo,
            provider: &self.provider,
            env: self.env.as_ref(),
            backend: None,
            chained: false,
        };
        Stage::set(&around, engine, language, resources, memory)
    }

    /// The median life of several.
    fn life(
        &self,
        engine: &Engine,
        language: options::Language,
        resources: usize,
        memory: bool,
    ) -> Result<Life> {
        let mut lives = Vec::new();
        for _ in 0..self.options.runs {
            let where_to = if memory { ", state in memory" } else { "" };
            eprintln!("{}: {} x {resources}{where_to}", engine.name(), language.name());
            let stage = self.stage(engine, language, resources, memory)?;
            lives.push(stage.live()?);
            stage.clear();
        }
        let median = |phase: usize| {
            let mut measured: Vec<Measured> = lives.iter().map(|life| life.phases[phase]).collect();
            measured.sort_by(|a, b| a.wall.total_cmp(&b.wall));
            measured[measured.len() / 2]
        };
        let checkpoint = lives.iter().map(|life| life.checkpoint).max().unwrap_or_default();
        Ok(Life { phases: std::array::from_fn(median), checkpoint })
    }
}
