//! The places that automation runs things in: without a home, as process 1, without somebody who reads.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{BINARY, Sealed, files_below};

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

/// A stack of ten objects in a row.
fn row() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    let mut program = "name: row\nruntime: yaml\nresources:\n".to_owned();
    for i in 0..10 {
        let value = if i == 0 { "a".to_owned() } else { format!("\"${{n{}.arn}}\"", i - 1) };
        program += &format!("  n{i}: {{ type: faultcloud:Object, properties: {{ value: {value} }} }}\n");
    }
    sealed.write("Pulumi.yaml", &program);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed
}

/// Everything was made, everything is in the state, and nobody holds the stack.
#[track_caller]
fn is_whole(sealed: &Sealed) {
    assert_eq!(sealed.objects().len(), 10);
    let export = sealed.run(["stack", "export", "--stack", "dev"]).exits(0).json();
    let resources = export["deployment"]["resources"].as_array().unwrap();
    assert_eq!(resources.iter().filter(|r| r["type"] == "faultcloud:index:Object").count(), 10);
    assert_eq!(export["deployment"].get("pending_operations"), None);
    assert_eq!(files_below(&sealed.bucket().join(".pulumi/locks")), Vec::<PathBuf>::new());
    sealed.run(["preview", "--expect-no-changes", "--stack", "dev"]).exits(0);
}

#[test]
fn a_home_is_not_needed() {
    let mut sealed = Sealed::new();
    for variable in ["HOME", "PULUMI_HOME", "USER", "LANG"] {
        sealed.unset(variable);
    }
    sealed.write(
        "Pulumi.yaml",
        "name: bare\nruntime: yaml\nresources:\n  pet: { type: random:RandomPet }\noutputs: { pet: \"${pet.id}\" }\n",
    );
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["config", "set", "--secret", "a", "b", "--stack", "dev"]).exits(0);
    sealed.run(["up", "--yes", "--stack", "dev"]).exits(0);
    sealed.run(["preview", "--expect-no-changes", "--stack", "dev"]).exits(0);
    let pet = sealed.run(["stack", "output", "pet", "--stack", "dev"]).exits(0).stdout;
    assert!(pet.contains('-'), "{pet}");
    sealed.run(["destroy", "--yes", "--stack", "dev"]).exits(0);
    sealed.run(["stack", "rm", "dev", "--yes"]).exits(0);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_an_operation() {
    for arguments in [&["--json"][..], &[], &["--diff"]] {
        let sealed = row();
        sealed.faults(&json!({ "*": { "createDelayMs": 20 } }));
        let mut command = sealed.command(BINARY);
        command.args(UP).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        drop(child.stderr.take());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{arguments:?}");
        is_whole(&sealed);
    }
}

#[test]
fn streams_that_are_closed_from_the_start_are_no_hindrance() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let sealed = row();
        let mut command = sealed.command("sh");
        command.args(["-c", &format!("exec \"$0\" \"$@\" {closed}"), BINARY]).args(UP);
        sealed.launch(command, None).wait().exits(0);
        is_whole(&sealed);
    }
}

/// A command that runs another one as process 1 of a space of its own, if this is permitted.
fn as_process_1(sealed: &Sealed) -> Option<Command> {
    let with = |program: &str| {
        let mut command = sealed.command("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", program]);
        command
    };
    match with("true").stdin(Stdio::null()).output() {
        Ok(tried) if tried.status.success() => Some(with(BINARY)),
        Ok(tried) => {
            println!("skipped: unshare isn't permitted here: {}", String::from_utf8_lossy(&tried.stderr));
            None
        }
        Err(error) => {
            println!("skipped: there is no unshare here: {error}");
            None
        }
    }
}

#[test]
fn process_1_does_its_work() {
    let sealed = row();
    let Some(mut command) = as_process_1(&sealed) else { return };
    command.args(UP);
    sealed.launch(command, None).wait().exits(0);
    is_whole(&sealed);
}

/// Signals without a handler don't reach process 1.
#[test]
fn process_1_can_be_interrupted() {
    let sealed = row();
    let Some(mut command) = as_process_1(&sealed) else { return };
    sealed.faults(&json!({ "n3": { "createDelayMs": 60_000 } }));
    command.args(UP);
    let mut running = sealed.launch(command, None);
    let creating = || sealed.calls().iter().any(|c| c.changes_the_cloud() && c.name() == "n3");
    running.until("the provider is in the call", creating);
    let unshare = running.pid();
    let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    let inner = children.split_whitespace().next().unwrap();
    assert!(Command::new("kill").args(["-s", "TERM", inner]).status().unwrap().success());
    let ran = running.wait().exits(1);
    assert!(ran.stderr.contains("Stopping"), "{ran}");
    assert_eq!(sealed.objects().len(), 3, "{ran}");
    // The dead writer was of another space of process numbers, and has left nothing behind.
    sealed.faults(&Value::Null);
    sealed.run(UP).exits(0);
    is_whole(&sealed);
}

/// A container that was killed: its process numbers mean nothing outside, so only the standing still of
/// its heart tells that it is dead.
#[test]
fn a_killed_container_is_taken_over_when_its_lease_has_run_out() {
    let sealed = row();
    let Some(mut command) = as_process_1(&sealed) else { return };
    sealed.faults(&json!({ "n3": { "stallAfter": ["create"] } }));
    command.args(UP);
    let mut running = sealed.launch(command, None);
    running.until("the object is made", || sealed.objects().len() == 4);
    let unshare = running.pid();
    let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    let inner = children.split_whitespace().next().unwrap();
    assert!(Command::new("kill").args(["-s", "KILL", inner]).status().unwrap().success());
    running.wait();
    sealed.faults(&Value::Null);
    let since = Instant::now();
    let ran = sealed.run(UP).exits(0);
    assert!(since.elapsed() > Duration::from_secs(20), "the lease wasn't waited for\n{ran}");
    assert!(ran.output().contains("Object::n3, interrupted while creating"), "{ran}");
    assert_eq!(sealed.objects().len(), 11);
}
