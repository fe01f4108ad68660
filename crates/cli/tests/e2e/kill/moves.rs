//! A move between stacks on S3 that dies at one of its requests after another: the next run ends it.
//!
//! By itself each request is the last one once: it is done and its answer doesn't come, or it never
//! arrives. With `PURLIN_FAULTS=all` each is both.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use purlin_testkit::proxy::{Fault, Protocol, Proxy};
use purlin_testkit::servers::Server;
use serde_json::Value;

use super::work::{Stage, urn};
use crate::support::{Place, Ran};

const PROGRAM: &str = "name: many
runtime: yaml
resources:
  stays: { type: 'faultcloud:Object', properties: { value: a } }
  moves: { type: 'faultcloud:Object', properties: { value: b } }
";

fn command() -> [String; 8] {
    let moves = urn("dev", "moves");
    ["state", "move", "--source", "dev", "--dest", "other", "--yes", &moves].map(str::to_owned)
}

/// Two stacks; the first one has objects.
fn template() -> Stage {
    let stage = Stage::new(Some(Server::S3), "move-template");
    stage.sealed.write("Pulumi.yaml", PROGRAM);
    stage.sealed.run(["stack", "init", "other"]).exits(0);
    stage.sealed.run(["stack", "init", "dev"]).exits(0);
    stage.sealed.run(["up", "--yes", "--skip-preview", "--stack", "dev"]).exits(0);
    stage
}

/// Moves in front of a proxy.
fn through(stage: &mut Stage, server: &str, act: impl FnOnce(&Stage, &Proxy)) {
    let Place::On(backend) = stage.place.clone() else { panic!("{:?} is no server", stage.place) };
    let proxy = Proxy::start(server, Protocol::Http).unwrap();
    stage.sealed.set("PULUMI_BACKEND_URL", backend.url.replace(server, &proxy.address().to_string()));
    act(stage, &proxy);
    stage.sealed.set("PULUMI_BACKEND_URL", &backend.url);
}

fn names(stage: &Stage, stack: &str) -> BTreeSet<String> {
    let export = stage.sealed.run(["stack", "export", "--stack", stack]).exits(0).json();
    let resources = export["deployment"]["resources"].as_array().cloned().unwrap_or_default();
    let objects = resources.iter().filter(|r| r["type"] == "faultcloud:index:Object");
    objects.map(|r| r["urn"].as_str().unwrap().rsplit("::").next().unwrap().to_owned()).collect()
}

/// Dies at a request, and is run again. What was wrong, if something was.
fn dies_at(template: &Stage, server: &str, at: u64, last: Fault) -> Result<(), String> {
    let mut stage = template.copy(Some(Server::S3), &format!("move-{at}-{}", last == Fault::Silence));
    through(&mut stage, server, |stage, proxy| {
        // Nothing comes after it.
        let never = Fault::Delay(Duration::from_secs(1_000_000));
        proxy.set_rule(move |seen| match seen.number {
            number if number < at => None,
            number if number == at => Some(last),
            _ => Some(never),
        });
        let command = command();
        let mut running = stage.sealed.start(command.iter().map(String::as_str), None);
        let is_over = |proxy: &Proxy| {
            let seen = proxy.seen();
            let there = seen.iter().find(|seen| seen.number == at);
            there.is_some_and(|seen| last != Fault::Silence || seen.received > 0)
        };
        while !is_over(proxy) && !running.has_ended() {
            std::thread::sleep(Duration::from_millis(2));
        }
        running.kill();
    });
    let tells = |what: &str, ran: &dyn std::fmt::Display| format!("{last:?} at request {at}: {what}\n{ran}");
    let export: Value = stage.sealed.run(["stack", "export", "--stack", "dev"]).exits(0).json();
    let next: Ran = if export.to_string().contains("::moves\"") {
        stage.run(&command())
    } else {
        stage.sealed.run(["refresh", "--yes", "--skip-preview", "--stack", "dev"])
    };
    if next.code != Some(0) {
        return Err(tells("the next run fails", &next));
    }
    let (dev, other) = (names(&stage, "dev"), names(&stage, "other"));
    let expected = ("stays".to_owned(), "moves".to_owned());
    if !dev.iter().eq([&expected.0]) || !other.iter().eq([&expected.1]) {
        return Err(tells(&format!("the state is wrong: {dev:?}, {other:?}"), &next));
    }
    // A stack that the next run had nothing to do with is free for one that has.
    stage.sealed.run(["refresh", "--yes", "--skip-preview", "--stack", "other"]).exits(0);
    let left = stage.place.left_behind(&stage.sealed);
    stage.place.clear();
    if left.is_empty() { Ok(()) } else { Err(tells(&format!("left behind: {left:?}"), &next)) }
}

#[test]
fn a_move_that_dies_at_any_request_is_ended_by_the_next_run() {
    let template = template();
    let server = Server::S3.find(|name| std::env::var(name).ok()).authority;
    let mut requests = 0;
    let mut whole = template.copy(Some(Server::S3), "move-whole");
    through(&mut whole, &server, |stage, proxy| {
        stage.run(&command()).exits(0);
        requests = proxy.seen().len();
    });
    whole.place.clear();
    assert!((20..200).contains(&requests), "{requests} requests");
    let all = std::env::var("PURLIN_FAULTS").is_ok_and(|value| value == "all");
    let kinds = [Fault::Silence, Fault::Delay(Duration::from_secs(1_000_000))];
    let chosen = |at: usize| if all { kinds.to_vec() } else { vec![kinds[at % 2]] };
    let cases: Vec<(usize, Fault)> =
        (1..=requests).flat_map(|at| chosen(at).into_iter().map(move |kind| (at, kind))).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((at, last)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ended = dies_at(&template, &server, *at as u64, *last);
                    wrong.lock().unwrap().extend(ended.err());
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    template.place.clear();
}
