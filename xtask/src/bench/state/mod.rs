//! `cargo xtask bench state`: what keeping a state costs, by store and by how far away it is.
//!
//! Stacks of independent resources, and chains of such that each need the one before, are created in
//! each store with each delay, by the release binary and by the `pulumi` on `PATH` if there is one.
//! A proxy between delays every request and counts it; a directory is watched instead.

mod large;
mod options;
mod place;
mod table;
mod watch;

use anyhow::{Context, Result};

use self::options::Options;
use self::place::{Place, Request};
use super::measure::Measured;
use super::options::{Language, Provider};
use super::stage::{Engine, Stage, Surroundings};
use crate::repo::Repo;
use crate::test_env::TestEnv;
use crate::tools::on_path;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) store: place::Store,
    pub(crate) resources: usize,
    pub(crate) chained: bool,
    /// Milliseconds that each request takes longer.
    pub(crate) latency: u64,
}

/// What reached a store by way of the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) requests: usize,
    pub(crate) sent: u64,
    /// How many of the bytes were of a journal.
    pub(crate) journal: u64,
    /// How often the stack's file was put.
    pub(crate) checkpoints: u64,
}

impl Traffic {
    fn of(requests: &[Request]) -> Traffic {
        let checkpoint = |key: &str| key.ends_with("/stacks/many/dev.json");
        let journal = |key: &str| key.contains("/dev/journal.");
        let sent = |of: &dyn Fn(&&Request) -> bool| requests.iter().filter(of).map(|r| r.sent).sum();
        Traffic {
            requests: requests.len(),
            sent: sent(&|_| true),
            journal: sent(&|request| request.puts(journal)),
            checkpoints: requests.iter().filter(|request| request.puts(checkpoint)).count() as u64,
        }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) measured: Measured,
    /// What reached the store, if it isn't a folder.
    pub(crate) traffic: Option<Traffic>,
    /// What was seen in the folder, if it is one.
    pub(crate) seen: Option<watch::Seen>,
    /// What a resource can't take less than in a journal, on the average: the entry that it is pending
    /// and its state, in bytes.
    pub(crate) least: f64,
}

/// What was found out about a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) case: Case,
    pub(crate) purlin: Cost,
    pub(crate) peer: Option<Cost>,
}

/// Runs the benchmark that the flags describe. `arguments` is all that was said, to be shown.
pub(crate) fn run(repo: &Repo, flags: &[String], arguments: &[String]) -> Result<()> {
    let options = Options::parse(flags)?;
    let binaries = super::binaries(repo, options.build)?;
    if let Some(resources) = options.large {
        let purlin = Engine::Purlin(binaries.join("purlin"));
        return told(&options, &large::run(repo, &purlin, resources, &options, arguments)?);
    }
    let env = match options.language {
        Language::Python => Some(TestEnv::with_python(repo)?),
        _ => None,
    };
    let peer = on_path("pulumi").filter(|_| options.peer_up_to > 0).map(Engine::Peer);
    let bench = Bench { repo, options: &options, purlin: Engine::Purlin(binaries.join("purlin")), env };
    let description = super::table::description(&Provider::Builtin, peer.as_ref())?;
    let mut findings = Vec::new();
    for store in &options.stores {
        let mut place = Place::open(*store, repo, &binaries.join("floor"))?;
        for case in bench.cases(*store) {
            let purlin = bench.cost(&bench.purlin, &mut place, case)?;
            let peer = match &peer {
                Some(peer) if store.has_peer() && case.resources <= options.peer_up_to => {
                    Some(bench.cost(peer, &mut place, case)?)
                }
                _ => None,
            };
            let finding = Finding { case, purlin, peer };
            eprintln!("{}", table::summary(&finding));
            findings.push(finding);
        }
    }
    told(&options, &table::report(&description, options.language, &findings, arguments))
}

/// Prints a report, and writes it to the file that was asked for.
fn told(options: &Options, report: &str) -> Result<()> {
    println!("{report}");
    match &options.output {
        Some(file) => std::fs::write(file, format!("{report}\n")).with_context(|| file.display().to_string()),
        None => Ok(()),
    }
}

struct Bench<'a> {
    repo: &'a Repo,
    options: &'a Options,
    purlin: Engine,
    env: Option<TestEnv>,
}

impl Bench<'_> {
    /// The cases of a store, the smallest first.
    fn cases(&self, store: place::Store) -> Vec<Case> {
        let sizes = self.options.resources.iter().map(|resources| (*resources, false));
        let sizes: Vec<_> = sizes.chain(self.options.chains.iter().map(|number| (*number, true))).collect();
        let latencies: &[u64] = match store {
            place::Store::Directory => &[0],
            _ => &self.options.latencies,
        };
        let of = |(resources, chained): &(usize, bool)| {
            let (resources, chained) = (*resources, *chained);
            latencies.iter().map(move |latency| Case { store, resources, chained, latency: *latency })
        };
        sizes.iter().flat_map(of).collect()
    }

    /// The median of several runs.
    fn cost(&self, engine: &Engine, place: &mut Place, case: Case) -> Result<Cost> {
        let mut costs = Vec::new();
        for _ in 0..self.options.runs {
            costs.push(self.cost_once(engine, place, case)?);
        }
        costs.sort_by(|a, b| a.measured.wall.total_cmp(&b.measured.wall));
        Ok(costs[costs.len() / 2])
    }

    fn cost_once(&self, engine: &Engine, place: &mut Place, case: Case) -> Result<Cost> {
        let around = Surroundings {
            repo: self.repo,
            provider: &Provider::Builtin,
            env: self.env.as_ref(),
            backend: place.backend()?,
            chained: case.chained,
        };
        let stage = Stage::set(&around, engine, self.options.language, case.resources, false)?;
        place.delay(0)?;
        stage.init()?;
        place.delay(case.latency)?;
        let (measured, seen) = match case.store {
            place::Store::Directory => {
                let (measured, seen) = watch::watched(stage.state(), || stage.phase("create"))?;
                (measured, Some(seen))
            }
            _ => (stage.phase("create")?, None),
        };
        let requests = place.requests()?;
        place.delay(0)?;
        if let Some(requests) = requests.as_ref().filter(|_| self.options.trace) {
            trace(engine, case, requests);
        }
        let resources = stage.resources()?;
        let traffic = requests.map(|requests| Traffic::of(&requests));
        Ok(Cost { measured, traffic, seen, least: least(&resources)? })
    }
}

fn trace(engine: &Engine, case: Case, requests: &[Request]) {
    eprintln!("{} on {}: ms, bytes sent, received, what", engine.name(), case.store.name());
    for Request { at, sent, received, label } in requests {
        eprintln!("{at:>8} {sent:>8} {received:>8} {label}");
    }
}

/// What the state of a resource and the entry that it is about to be made take at least, on the
/// average: the entry has inputs and what refers to others, and nothing that is known only later.
fn least(resources: &[serde_json::Value]) -> Result<f64> {
    const LATER: [&str; 6] = ["id", "outputs", "created", "modified", "sourcePosition", "stackTrace"];
    let mut bytes = 0;
    let mut counted = 0;
    for state in resources.iter().filter(|state| state["custom"] == true) {
        let ty = state["type"].as_str().unwrap_or_default();
        if ty.starts_with("pulumi:") {
            continue;
        }
        let mut begun = state.clone();
        if let Some(fields) = begun.as_object_mut() {
            fields.retain(|name, _| !LATER.contains(&name.as_str()));
        }
        let pending = serde_json::json!({ "resource": begun, "type": "creating" });
        bytes += serde_json::to_string(state)?.len() + serde_json::to_string(&pending)?.len();
        counted += 1;
    }
    Ok(super::table::count(bytes) / super::table::count(counted.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(label: &str, sent: u64) -> Request {
        Request { at: 0, sent, received: 1, label: label.to_owned() }
    }

    #[test]
    fn traffic_is_told_apart() {
        let requests = [
            request("GET /b/x/.pulumi/stacks/many/dev.json", 10),
            request("PUT /b/x/.pulumi/purlin/many/dev/journal.1.ab/00000001", 200),
            request("PUT /b/x/.pulumi/stacks/many/dev.json.bak", 10),
            request("PUT /b/x/.pulumi/stacks/many/dev.json?x-id=PutObject", 1000),
        ];
        let traffic = Traffic::of(&requests);
        assert_eq!(traffic, Traffic { requests: 4, sent: 1220, journal: 200, checkpoints: 1 });
    }

    #[test]
    fn the_least_is_a_pending_entry_and_a_state() {
        let state = serde_json::json!({
            "urn": "u", "custom": true, "type": "a:b:C", "id": "i", "outputs": { "x": 1 }, "inputs": {},
        });
        let stack = serde_json::json!({ "urn": "s", "custom": false, "type": "pulumi:pulumi:Stack" });
        let pending =
            r#"{"resource":{"custom":true,"inputs":{},"type":"a:b:C","urn":"u"},"type":"creating"}"#;
        let expected =
            super::super::table::count(serde_json::to_string(&state).unwrap().len() + pending.len());
        assert_eq!(least(&[stack, state]).unwrap(), expected);
    }
}
