//! Commands about stacks: names, tags, secrets, graphs, histories, backends.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Bucket, PASSPHRASE, Ran, Sealed};

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

const PROGRAM: &str = r#"name: shop
runtime: yaml
config:
  size: { type: string, default: small }
resources:
  first: { type: faultcloud:Object, properties: { value: "${size}" } }
  second: { type: faultcloud:Object, properties: { value: "${first.arn}" }, options: { parent: "${first}" } }
outputs:
  hidden: { fn::secret: tok }
"#;

fn deployed() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", PROGRAM);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["config", "set", "--secret", "token", "top"]).exits(0);
    sealed.run(UP).exits(0);
    sealed
}

fn complains(ran: Ran, code: i32, text: &str) {
    let ran = ran.exits(code);
    assert!(ran.stderr.contains(text), "{text:?} isn't said\n{ran}");
}

fn says(ran: Ran, text: &str) {
    let ran = ran.exits(0);
    assert_eq!(ran.stdout, text, "{ran}");
}

#[test]
fn a_renamed_stack_takes_settings_history_tags_and_selection_along() {
    let sealed = deployed();
    sealed.run(["stack", "tag", "set", "owner", "us"]).exits(0);
    sealed.run(["stack", "init", "other", "--no-select"]).exits(0);
    complains(sealed.run(["stack", "rename", "other"]), 1, "exists");
    complains(sealed.run(["stack", "rename", "a b"]), 1, "invalid character ' '");
    assert!(sealed.directory().join("Pulumi.dev.yaml").exists(), "nothing has changed");
    says(sealed.run(["stack", "rename", "prod"]), "Renamed dev to prod\n");
    assert!(!sealed.directory().join("Pulumi.dev.yaml").exists());
    says(sealed.run(["stack", "--show-name"]), "prod\n");
    says(sealed.run(["stack", "tag", "get", "owner"]), "us\n");
    says(sealed.run(["config", "get", "token"]), "top\n");
    assert_eq!(sealed.run(["stack", "history", "--json"]).exits(0).json().as_array().unwrap().len(), 1);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
    complains(sealed.run(["stack", "export", "--stack", "dev"]), 6, "dev");
}

#[test]
fn tags_are_set_shown_filtered_by_and_removed() {
    let sealed = deployed();
    sealed.run(["stack", "init", "other", "--no-select"]).exits(0);
    says(sealed.run(["stack", "tag", "ls"]), "NAME  VALUE\n");
    says(sealed.run(["stack", "tag", "set", "owner", "us"]), "");
    says(sealed.run(["stack", "tag", "set", "gcp:project", "p 1"]), "");
    says(sealed.run(["stack", "tag", "ls"]), "NAME         VALUE\ngcp:project  p 1\nowner        us\n");
    assert_eq!(
        sealed.run(["stack", "tag", "ls", "--json"]).exits(0).json(),
        json!({ "gcp:project": "p 1", "owner": "us" })
    );
    says(sealed.run(["stack", "tag", "get", "owner"]), "us\n");
    complains(sealed.run(["stack", "tag", "get", "nope"]), 1, "stack tag 'nope' not found for stack 'dev'");
    complains(sealed.run(["stack", "tag", "set", "a b", "x"]), 1, "not the name of a tag");
    let listed = |tag: &str| {
        let rows = sealed.run(["stack", "ls", "--json", "--tag", tag]).exits(0).json();
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("owner"), ["dev"]);
    assert_eq!(listed("owner=us"), ["dev"]);
    assert_eq!(listed("owner=them"), Vec::<String>::new());
    says(sealed.run(["stack", "tag", "rm", "owner"]), "");
    says(sealed.run(["stack", "tag", "rm", "owner"]), "");
    says(sealed.run(["stack", "tag", "rm", "gcp:project"]), "");
    assert!(!sealed.bucket().join(".pulumi/stacks/shop/dev.pulumi-tags").exists());
    // What a newer program wrote is left alone.
    let path = sealed.bucket().join(".pulumi/stacks/shop/dev.pulumi-tags");
    std::fs::write(&path, "{\"version\":2,\"tags\":{\"a\":\"b\"}}").unwrap();
    complains(sealed.run(["stack", "tag", "set", "a", "c"]), 1, "version 2");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"version\":2,\"tags\":{\"a\":\"b\"}}");
}

#[test]
fn a_new_passphrase_opens_state_and_configuration() {
    let mut sealed = deployed();
    let before = sealed.run(["stack", "export"]).exits(0).stdout;
    let settings = || std::fs::read_to_string(sealed.directory().join("Pulumi.dev.yaml")).unwrap();
    let old_settings = settings();
    complains(sealed.run(["stack", "change-secrets-provider", "nonsense://x"]), 2, "nonsense://x");
    complains(sealed.run(["stack", "change-secrets-provider", "passphrase"]), 2, "no new passphrase");
    sealed.set("PULUMI_CONFIG_PASSPHRASE", "wrong");
    let change = ["stack", "change-secrets-provider", "passphrase"];
    complains(sealed.run_with_input(change, "new\n"), 1, "incorrect passphrase");
    sealed.set("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    assert_eq!(sealed.run(["stack", "export"]).exits(0).stdout, before, "what is refused changes nothing");
    let now = std::fs::read_to_string(sealed.directory().join("Pulumi.dev.yaml")).unwrap();
    assert_eq!(now, old_settings);

    let done = sealed.run_with_input(change, "a new one\n").exits(0);
    assert_eq!(done.stdout, "Migrating old configuration and state to new secrets provider\n");
    complains(sealed.run(["config", "get", "token"]), 1, "incorrect passphrase");
    complains(sealed.run(["stack", "output", "hidden", "--show-secrets"]), 1, "incorrect passphrase");
    sealed.set("PULUMI_CONFIG_PASSPHRASE", "a new one");
    says(sealed.run(["config", "get", "token"]), "top\n");
    says(sealed.run(["stack", "output", "hidden", "--show-secrets"]), "tok\n");
    sealed.run(["up", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);
    let named: Vec<_> =
        std::fs::read_dir(sealed.directory()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!named.iter().any(|name| name.to_string_lossy().contains(".bak")), "{named:?}");
}

#[test]
fn the_graph_is_written_in_dot() {
    let sealed = deployed();
    let written = sealed.run(["stack", "graph", "g.dot"]).exits(0);
    assert_eq!(written.stdout, "Wrote stack dependency graph to `g.dot`\n");
    let read = || std::fs::read_to_string(sealed.directory().join("g.dot")).unwrap();
    let text = read();
    assert!(text.starts_with("strict digraph {\n") && text.ends_with("}\n"), "{text}");
    assert!(text.contains("[color = \"#246C60\", label = \"value\"];"), "{text}");
    assert!(text.contains("[color = \"#AA6639\"];"), "{text}");
    let short = [
        "stack",
        "graph",
        "g.dot",
        "--short-node-name",
        "--ignore-parent-edges",
        "--dot-fragment",
        "rankdir=LR",
    ];
    sealed.run(short).exits(0);
    let text = read();
    assert!(text.contains("digraph {\nrankdir=LR\n") && text.contains("[label=\"second\"];"), "{text}");
    assert!(!text.contains("AA6639") && text.contains("246C60"), "{text}");
    sealed
        .run(["stack", "graph", "g.dot", "--ignore-dependency-edges", "--parent-edge-color", "red"])
        .exits(0);
    assert!(!read().contains("246C60") && read().contains("color = \"red\""));
    sealed.run(["stack", "init", "fresh"]).exits(0);
    complains(sealed.run(["stack", "graph", "g.dot"]), 1, "unable to find snapshot");
}

fn git(sealed: &Sealed, arguments: &[&str]) {
    let mut command: Command = sealed.command("git");
    command.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_history_knows_the_commit() {
    let sealed = deployed();
    git(&sealed, &["init", "--quiet", "--initial-branch", "trunk"]);
    git(&sealed, &["remote", "add", "origin", "git@github.com:acme/shop.git"]);
    git(&sealed, &["add", "."]);
    git(&sealed, &["commit", "--quiet", "-m", "A commit\n\nwith more"]);
    sealed.run(UP).exits(0);
    sealed.write("new.txt", "x");
    sealed.run([&UP[..], &["-m", "my own"]].concat()).exits(0);
    let history = sealed.run(["stack", "history", "--json"]).exits(0).json();
    let (dirty, clean) = (&history[0]["environment"], &history[1]["environment"]);
    assert_eq!((&history[0]["message"], &history[1]["message"]), (&json!("my own"), &json!("A commit")));
    assert_eq!((&clean["git.dirty"], &dirty["git.dirty"]), (&json!("false"), &json!("true")));
    let expected = [
        ("git.headName", "refs/heads/trunk"),
        ("git.author", "Ann"),
        ("git.committer.email", "ann@example.com"),
        ("vcs.kind", "github.com"),
        ("vcs.owner", "acme"),
        ("vcs.repo", "shop"),
        ("vcs.root", "."),
        ("exec.kind", "cli"),
    ];
    for (key, value) in expected {
        assert_eq!(clean[key], json!(value), "{key}");
    }
    assert_eq!(clean["git.head"].as_str().unwrap().len(), 40);
    assert_eq!(history[0]["config"]["shop:token"], json!({ "secret": true }));
    let shown =
        sealed.run(["stack", "history", "--json", "--show-secrets", "--page-size", "1"]).exits(0).json();
    assert_eq!(shown.as_array().unwrap().len(), 1);
    assert_eq!(shown[0]["config"]["shop:token"], json!({ "value": "top", "secret": true }));
    let console = sealed.run(["stack", "history", "--page-size", "1", "--page", "3"]).exits(0);
    assert!(console.stdout.starts_with("Version: 1\nUpdateKind: update\nStatus: succeeded\n"), "{console}");
    assert!(console.stdout.contains("+3-0~0 0 Updated "), "{console}");
    says(sealed.run(["stack", "history", "--page", "9"]), "No stack updates found on page '9'\n");
}

#[test]
fn stacks_go_to_another_backend_with_their_history() {
    let mut sealed = deployed();
    sealed.run(["stack", "tag", "set", "owner", "us"]).exits(0);
    sealed.run(["config", "set", "size", "large"]).exits(0);
    sealed.run(UP).exits(0);
    sealed.run(["stack", "init", "empty", "--no-select"]).exits(0);
    let before = sealed.run(["stack", "export"]).exits(0).json();
    let place = sealed.root().join("elsewhere");
    std::fs::create_dir(&place).unwrap();
    let url = format!("file://{}", place.display());
    let dry = sealed.run(["state", "migrate", "--all", "--to", &url, "--dry-run"]).exits(0);
    assert!(dry.stdout.contains("organization/shop/dev    4          2\n"), "{dry}");
    assert!(!place.join(".pulumi/stacks").exists(), "a dry run writes nothing");
    complains(sealed.run(["state", "migrate", "--all", "--to", &url]), 2, "--yes");
    let here = format!("file://{}", sealed.bucket().display());
    complains(sealed.run(["state", "migrate", "--all", "--to", &here, "--yes"]), 2, "the same backend");
    sealed.run(["state", "migrate", "--all", "--to", &url, "--yes"]).exits(0);
    complains(sealed.run(["state", "migrate", "dev", "--to", &url, "--yes"]), 1, "already");
    assert_eq!(sealed.run(["stack", "export"]).exits(0).json(), before, "the source is as it was");

    sealed.use_bucket(&place);
    sealed.run(["stack", "select", "dev"]).exits(0);
    let after = sealed.run(["stack", "export"]).exits(0).json();
    assert_eq!(after["deployment"]["resources"], before["deployment"]["resources"]);
    says(sealed.run(["stack", "tag", "get", "owner"]), "us\n");
    let history = sealed.run(["stack", "history", "--json"]).exits(0).json();
    let kinds: Vec<&Value> = history.as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["import", "update", "update"]);
    let diff = sealed.run(["state", "diff", "1", "2"]).exits(0);
    assert!(diff.stdout.contains("\"small\" => \"large\""), "{diff}");
    sealed.run(["state", "fsck", "--all"]).exits(0);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);

    // And further, with another passphrase.
    let third = sealed.root().join("third");
    std::fs::create_dir(&third).unwrap();
    let url = format!("file://{}", third.display());
    let anew = ["state", "migrate", "dev", "--to", &url, "--secrets-provider", "passphrase", "--yes"];
    sealed.run_with_input(anew, "third\n").exits(0);
    sealed.use_bucket(&third);
    sealed.set("PULUMI_CONFIG_PASSPHRASE", "third");
    sealed.run(["stack", "select", "dev"]).exits(0);
    says(sealed.run(["stack", "output", "hidden", "--show-secrets"]), "tok\n");
    says(sealed.run(["config", "get", "token"]), "top\n");
    let old = sealed.run(["stack", "export", "--version", "1", "--show-secrets"]).exits(0);
    assert!(old.stdout.contains("\"plaintext\": \"\\\"tok\\\"\""), "{old}");
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

/// Puts a stack into the old layout.
fn make_old(sealed: &Sealed) {
    let root = sealed.bucket().join(".pulumi");
    std::fs::rename(root.join("stacks/shop/dev.json"), root.join("stacks/dev.json")).unwrap();
    std::fs::rename(root.join("history/shop/dev"), root.join("history/dev")).unwrap();
    for gone in ["stacks/shop", "history/shop", "backups", "locks", "purlin"] {
        let _ = std::fs::remove_dir_all(root.join(gone));
    }
    std::fs::remove_file(root.join("meta.yaml")).unwrap();
}

#[test]
fn the_old_layout_is_upgraded() {
    let sealed = deployed();
    says(sealed.run(["state", "upgrade", "--yes"]), "Nothing to do\n");
    let before = sealed.run(["stack", "export"]).exits(0).json();
    make_old(&sealed);
    complains(sealed.run(["stack", "ls"]), 1, "state upgrade");
    complains(sealed.run(["state", "upgrade"]), 2, "--yes");
    let done = sealed.run(["state", "upgrade", "--yes"]).exits(0);
    assert!(done.stdout.ends_with("Upgraded 1 stack(s) to project mode\n"), "{done}");
    assert_eq!(
        sealed.run(["stack", "export"]).exits(0).json()["deployment"]["resources"],
        before["deployment"]["resources"]
    );
    assert_eq!(sealed.run(["stack", "history", "--json"]).exits(0).json().as_array().unwrap().len(), 1);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
    says(sealed.run(["state", "upgrade", "--yes"]), "Nothing to do\n");
}

/// On S3 as well; there the stack has a lock at first.
#[test]
fn the_old_layout_is_upgraded_in_a_bucket() {
    let (mut sealed, bucket) = (deployed(), Bucket::new());
    bucket.used_by(&mut sealed);
    says(sealed.run(["state", "upgrade", "--yes"]), "Nothing to do\n");
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    says(sealed.run(["state", "upgrade", "--yes"]), "Nothing to do\n");
    let before = sealed.run(["stack", "export"]).exits(0).json();
    let history = bucket.keys("history/");
    for key in bucket.keys("") {
        let old = key.replace("/shop/dev", "/dev");
        if key == "stacks/shop/dev.json" || key.starts_with("history/") {
            bucket.write(&old, bucket.read(&key));
        }
        bucket.remove(&key);
    }
    let lock = "locks/dev/0a1b.json";
    bucket.write(lock, r#"{"pid":1,"username":"ann","hostname":"there","timestamp":"2024-01-02T03:04:05Z"}"#);

    complains(sealed.run(["stack", "ls"]), 1, "state upgrade");
    let refused = sealed.run(["state", "upgrade"]).exits(2);
    assert!(
        refused.stdout.contains("dev becomes shop/dev") && !refused.stdout.contains("endpoint="),
        "{refused}"
    );
    let locked = sealed.run(["state", "upgrade", "--yes"]).exits(1);
    assert!(locked.stderr.contains("skipping stack 'dev': it is locked: s3://"), "{locked}");
    assert!(!bucket.keys("stacks/dev.json").is_empty());
    bucket.remove(lock);
    let done = sealed.run(["state", "upgrade", "--yes"]).exits(0);
    assert!(done.stdout.ends_with("Upgraded 1 stack(s) to project mode\n"), "{done}");
    let after = sealed.run(["stack", "export"]).exits(0).json();
    assert_eq!(after["deployment"]["resources"], before["deployment"]["resources"]);
    assert_eq!(bucket.keys("history/"), history);
    assert_eq!(bucket.keys("stacks/").into_iter().filter(|key| key.ends_with(".json")).count(), 1);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
    says(sealed.run(["state", "upgrade", "--yes"]), "Nothing to do\n");
}

#[test]
fn two_stacks_of_one_name_in_both_layouts_are_not_mixed_up() {
    let sealed = deployed();
    let root = sealed.bucket().join(".pulumi/stacks");
    let text = std::fs::read_to_string(root.join("shop/dev.json")).unwrap();
    std::fs::write(root.join("dev.json"), text.replace("::second", "::another")).unwrap();
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
    let found = sealed.run(["state", "fsck"]).exits(0);
    assert!(found.stdout.contains("old layout") && found.stdout.contains("stacks/dev.json"), "{found}");
    let refused = sealed.run(["state", "upgrade", "--yes"]).exits(1);
    assert!(
        refused.stderr.contains("stacks/dev.json") && refused.stderr.contains("stacks/shop/dev.json"),
        "{refused}"
    );
    assert!(root.join("dev.json").exists(), "both stay");
    assert_eq!(std::fs::read_to_string(root.join("shop/dev.json")).unwrap(), text);
}
