//! Edits of the state by hand: names, marks, moves between stacks, versions, damage and repair.

use serde_json::{Value, json};

use crate::support::{PASSPHRASE, Ran, Sealed, Terminal};

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

const PROGRAM: &str = r#"name: shop
runtime: yaml
config:
  names: { type: string, default: both }
resources:
  cloud: { type: "pulumi:providers:faultcloud" }
  first: { type: faultcloud:Object, properties: { value: one }, options: { provider: "${cloud}" } }
  second: { type: faultcloud:Object, properties: { value: { of: "${first.arn}", hidden: { fn::secret: tok } } }, options: { provider: "${cloud}" } }
outputs:
  hidden: { fn::secret: tok }
"#;

fn deployed() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", PROGRAM);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(UP).exits(0);
    sealed
}

fn urn(stack: &str, name: &str) -> String {
    format!("urn:pulumi:{stack}::shop::faultcloud:index:Object::{name}")
}

fn complains(ran: Ran, code: i32, text: &str) {
    let ran = ran.exits(code);
    assert!(ran.stderr.contains(text), "{text:?} isn't said\n{ran}");
}

fn says(ran: Ran, text: &str) {
    let ran = ran.exits(0);
    assert_eq!(ran.stdout, text, "{ran}");
}

/// The resources of a stack, in order.
fn resources(sealed: &Sealed, stack: &str) -> Vec<Value> {
    sealed.checkpoint("shop", stack)["checkpoint"]["latest"]["resources"].as_array().unwrap().clone()
}

fn names(sealed: &Sealed, stack: &str) -> Vec<String> {
    let name = |state: &Value| state["urn"].as_str().unwrap().rsplit("::").next().unwrap().to_owned();
    resources(sealed, stack).iter().map(name).collect()
}

/// The newest entry of the history.
fn last_entry(sealed: &Sealed) -> Value {
    sealed.run(["stack", "history", "--json"]).exits(0).json()[0].clone()
}

#[test]
fn a_renamed_resource_is_the_same_one_to_a_program_that_knows_its_new_name() {
    let sealed = deployed();
    let (first, second) = (urn("dev", "first"), urn("dev", "second"));
    let before = resources(&sealed, "dev");
    complains(sealed.run(["state", "rename", &urn("dev", "fist"), "x"]), 1, &first);
    complains(sealed.run(["state", "rename", "nonsense", "x"]), 1, "not a valid resource URN");
    complains(sealed.run(["state", "rename", &first, "second"]), 1, "already");
    complains(sealed.run(["state", "rename", &first]), 1, "nobody to ask");
    let root = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev";
    complains(sealed.run(["state", "rename", root, "x"]), 1, "stack rename");
    assert_eq!(resources(&sealed, "dev"), before, "what is refused changes nothing");

    says(sealed.run(["state", "rename", &first, "prime", "--yes"]), "Resource renamed\n");
    let dependencies = resources(&sealed, "dev").into_iter().find(|s| s["urn"] == json!(second)).unwrap();
    assert_eq!(dependencies["dependencies"][0], json!(urn("dev", "prime")));
    let entry = last_entry(&sealed);
    assert_eq!(entry["kind"], "state-edit");
    assert_eq!(entry["message"], format!("state rename {first} prime"));
    sealed.write("Pulumi.yaml", &PROGRAM.replace("first", "prime"));
    sealed.forget_calls();
    sealed.run(["up", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);

    // A provider is named by what it made.
    let cloud = "urn:pulumi:dev::shop::pulumi:providers:faultcloud::cloud";
    sealed.run(["state", "rename", cloud, "sky"]).exits(0);
    sealed.write(
        "Pulumi.yaml",
        &PROGRAM.replace("first", "prime").replace("cloud: {", "sky: {").replace("${cloud}", "${sky}"),
    );
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

#[test]
fn marks_are_set_and_lifted() {
    let sealed = deployed();
    let (first, second) = (urn("dev", "first"), urn("dev", "second"));
    let marked = |key: &str| {
        let of = |state: &&Value| state[key] == json!(true);
        resources(&sealed, "dev").iter().filter(of).count()
    };
    says(sealed.run(["state", "protect", &first, &second, "--yes"]), "2 resources protected\n");
    assert_eq!(marked("protect"), 2);
    let missing = sealed.run(["state", "unprotect", &first, &urn("dev", "a"), &urn("dev", "b")]).exits(1);
    assert!(missing.stderr.contains("::a\"") && missing.stderr.contains("::b\""), "{missing}");
    assert_eq!(marked("protect"), 2, "none or all");
    says(sealed.run(["state", "unprotect", &first]), "1 resources unprotected\n");
    assert_eq!(marked("protect"), 1);
    says(sealed.run(["state", "protect", "--all"]), "All resources protected\n");
    assert_eq!(marked("protect"), resources(&sealed, "dev").len());
    says(sealed.run(["state", "unprotect", "--all"]), "All resources unprotected\n");
    complains(sealed.run(["state", "unprotect", "--all", &first]), 2, "--all goes without URNs");
    complains(sealed.run(["state", "protect"]), 1, "--show-urns");

    says(sealed.run(["state", "taint", &second]), "1 resources tainted\n");
    assert_eq!(marked("taint"), 1);
    says(sealed.run(["state", "untaint", "--all"]), "All resources untainted\n");
    assert_eq!(marked("taint"), 0);
    let count = sealed.run(["stack", "history", "--json"]).exits(0).json().as_array().unwrap().len();
    says(sealed.run(["state", "untaint", &second]), "1 resources untainted\n");
    let after = sealed.run(["stack", "history", "--json"]).exits(0).json().as_array().unwrap().len();
    assert_eq!(after, count, "what changes nothing is not recorded");
    sealed.run(["state", "taint", &second]).exits(0);
    sealed.forget_calls();
    sealed.run(UP).exits(0);
    let made = sealed.calls().iter().filter(|call| call.changes_the_cloud()).count();
    assert_eq!(made, 2, "a tainted resource is made anew and the old one deleted");
}

#[test]
fn resources_move_to_another_stack_with_their_provider_and_secrets() {
    let sealed = deployed();
    let (first, second) = (urn("dev", "first"), urn("dev", "second"));
    sealed.run(["stack", "init", "prod", "--no-select"]).exits(0);
    complains(sealed.run(["state", "move", &second, "--yes"]), 2, "--source, --dest");
    complains(sealed.run(["state", "move", &second, "--dest", "dev", "--yes"]), 2, "same stack");
    complains(
        sealed.run(["state", "move", &urn("dev", "no"), "--dest", "prod", "--yes"]),
        1,
        "no such resource",
    );
    complains(sealed.run(["state", "move", &second, "--dest", "nope", "--yes"]), 6, "nope");
    complains(sealed.run(["state", "move", &second, "--dest", "prod"]), 2, "--yes");
    let cloud = "urn:pulumi:dev::shop::pulumi:providers:faultcloud::cloud";
    complains(sealed.run(["state", "move", cloud, "--dest", "prod", "--yes"]), 1, "is a provider");
    assert_eq!(names(&sealed, "dev"), ["shop-dev", "cloud", "first", "second"]);

    let moved = sealed.run(["state", "move", &second, "--dest", "prod", "--yes"]).exits(0);
    assert!(moved.stdout.contains(&format!("  - {second}\n")), "{moved}");
    assert!(moved.stdout.contains(&format!("{second} has a dependency on {first}")), "{moved}");
    assert!(moved.stdout.ends_with("moved resources from organization/shop/dev to organization/shop/prod\n"));
    assert_eq!(names(&sealed, "dev"), ["shop-dev", "cloud", "first"]);
    assert_eq!(names(&sealed, "prod"), ["shop-prod", "cloud", "second"]);
    let arrived = resources(&sealed, "prod").pop().unwrap();
    assert_eq!(arrived["urn"], urn("prod", "second"));
    assert!(arrived["provider"].as_str().unwrap().starts_with("urn:pulumi:prod::shop::pulumi:providers:"));
    assert_eq!(arrived["dependencies"], Value::Null);
    assert_eq!(arrived["parent"], "urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod");
    let salt = |stack: &str| {
        sealed.checkpoint("shop", stack)["checkpoint"]["latest"]["secrets_providers"]["state"]["salt"].clone()
    };
    assert!(salt("prod").is_string() && salt("prod") != salt("dev"));
    let shown = sealed.run(["stack", "export", "--stack", "prod", "--show-secrets"]).exits(0);
    assert!(shown.stdout.contains("\"plaintext\": \"\\\"tok\\\"\""), "{shown}");
    assert_eq!(sealed.files_with("\"tok\\"), Vec::<std::path::PathBuf>::new(), "no secret in clear");

    // Two programs know of them now, and nothing changes.
    let lines: Vec<&str> = PROGRAM.lines().collect();
    let without = |name: &str| {
        let kept = lines.iter().filter(|line| !line.trim_start().starts_with(&format!("{name}:")));
        kept.copied().collect::<Vec<_>>().join("\n") + "\n"
    };
    sealed.write("Pulumi.yaml", &without("second"));
    sealed.run(["preview", "--expect-no-changes", "--stack", "dev"]).exits(0);
}

/// Stacks with a passphrase each; the first one has resources.
fn with_two_passphrases() -> Sealed {
    let mut sealed = deployed();
    sealed.set("PULUMI_CONFIG_PASSPHRASE", "the other");
    sealed.run(["stack", "init", "prod", "--no-select"]).exits(0);
    sealed.run(["config", "set", "x", "y", "--secret", "--stack", "prod"]).exits(0);
    // From here on its state names its manager.
    let program = std::fs::read_to_string(sealed.directory().join("Pulumi.yaml")).unwrap();
    sealed.write("Pulumi.yaml", "name: shop\nruntime: yaml\noutputs: { out: { 'fn::secret': hush } }\n");
    sealed.run(["up", "--yes", "--skip-preview", "--stack", "prod"]).exits(0);
    sealed.write("Pulumi.yaml", &program);
    sealed.set("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    sealed
}

/// The secret has moved, and only the destination's passphrase opens it.
fn has_moved_to_the_other_passphrase(mut sealed: Sealed) {
    let export = ["stack", "export", "--stack", "prod", "--show-secrets"];
    sealed.unset("PULUMI_CONFIG_PASSPHRASE_FILE");
    sealed.set("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    complains(sealed.run(export), 1, "incorrect passphrase");
    sealed.set("PULUMI_CONFIG_PASSPHRASE", "the other");
    let shown = sealed.run(export).exits(0);
    assert!(shown.stdout.contains("\"plaintext\": \"\\\"tok\\\"\""), "{shown}");
}

#[test]
fn resources_move_between_stacks_with_two_passphrases() {
    let mut sealed = with_two_passphrases();
    let arguments = ["state", "move", &urn("dev", "second"), "--dest", "prod", "--yes"];
    let before = ["dev", "prod"].map(|stack| sealed.checkpoint("shop", stack));
    let refused = sealed.run(arguments).exits(1);
    assert!(refused.stderr.contains("stack organization/shop/prod: incorrect passphrase"), "{refused}");
    assert!(refused.stderr.contains("PULUMI_CONFIG_PASSPHRASE_FILE"), "{refused}");
    assert_eq!(["dev", "prod"].map(|stack| sealed.checkpoint("shop", stack)), before);
    let file = sealed.root().join("passphrase");
    std::fs::write(&file, "the other\n").unwrap();
    sealed.set("PULUMI_CONFIG_PASSPHRASE_FILE", &file);
    sealed.run(arguments).exits(0);
    has_moved_to_the_other_passphrase(sealed);
}

#[test]
fn who_moves_in_a_terminal_is_asked_for_the_passphrase_that_is_missing() {
    let sealed = with_two_passphrases();
    let mut terminal =
        Terminal::start(&sealed, ["state", "move", &urn("dev", "second"), "--dest", "prod", "--yes"]);
    terminal.shows("Enter your passphrase to unlock config/secrets for stack organization/shop/prod");
    terminal.types("no\r");
    terminal.shows("That passphrase is wrong. Enter your passphrase");
    terminal.types("the other\r");
    terminal.exits(0);
    has_moved_to_the_other_passphrase(sealed);
}

#[test]
fn a_move_that_was_cut_off_is_ended_by_the_same_command() {
    let sealed = deployed();
    let second = urn("dev", "second");
    sealed.run(["stack", "init", "prod", "--no-select"]).exits(0);
    let file = sealed.bucket().join(".pulumi/stacks/shop/dev.json");
    let before = std::fs::read(&file).unwrap();
    let arguments = ["state", "move", &second, "--dest", "prod", "--yes"];
    sealed.run(arguments).exits(0);
    let after = sealed.run(["stack", "export", "--stack", "prod"]).exits(0).stdout;
    // The destination was written, the source was not.
    std::fs::write(&file, before).unwrap();
    let again = sealed.run(arguments).exits(0);
    assert!(again.stdout.contains("from a move that was cut off"), "{again}");
    assert_eq!(names(&sealed, "dev"), ["shop-dev", "cloud", "first"]);
    assert_eq!(sealed.run(["stack", "export", "--stack", "prod"]).exits(0).stdout, after);
    // Another resource of that name is not taken for it.
    sealed.run(["stack", "select", "prod"]).exits(0);
    sealed.run(["state", "move", &urn("prod", "second"), "--dest", "dev", "--yes"]).exits(0);
    sealed.run(["stack", "select", "dev"]).exits(0);
    assert_eq!(names(&sealed, "dev"), ["shop-dev", "cloud", "first", "second"]);
    assert_eq!(names(&sealed, "prod"), ["shop-prod", "cloud"]);
}

#[test]
fn a_killed_move_loses_nothing_and_the_same_command_ends_it() {
    let sealed = deployed();
    sealed.run(["stack", "init", "prod", "--no-select"]).exits(0);
    let (here, there) = (urn("dev", "second"), urn("prod", "second"));
    let has = |stack: &str| {
        let state = sealed.checkpoint("shop", stack)["checkpoint"]["latest"]["resources"].clone();
        let is_it = |state: &Value| state["urn"].as_str().is_some_and(|urn| urn.ends_with("::second"));
        state.as_array().is_some_and(|states| states.iter().any(is_it))
    };
    let arguments = ["state", "move", &here, "--dest", "prod", "--yes"];
    for round in 0..12 {
        let running = sealed.start(arguments, None);
        std::thread::sleep(std::time::Duration::from_millis(round * 50));
        running.kill();
        assert!(has("dev") || has("prod"), "round {round}: it is nowhere");
        if has("dev") {
            sealed.run(arguments).exits(0);
        }
        assert!(has("prod") && !has("dev"), "round {round}");
        sealed.run(["state", "move", &there, "--source", "prod", "--dest", "dev", "--yes"]).exits(0);
    }
    sealed.run(["state", "fsck", "--all"]).exits(0);
    // The dependency that was dropped is back with the next update; nothing else is done.
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

#[test]
fn versions_are_listed_compared_and_restored() {
    let sealed = deployed();
    sealed.write("Pulumi.yaml", &PROGRAM.replace("value: one", "value: two").replace("tok }", "tak }"));
    sealed.run([&UP[..], &["--message", "the second"]].concat()).exits(0);
    sealed.run(["state", "protect", &urn("dev", "first")]).exits(0);

    let log = sealed.run(["state", "log", "--json"]).exits(0).json();
    let rows: Vec<Value> =
        log.as_array().unwrap().iter().map(|e| json!([e["version"], e["kind"], e["hasState"]])).collect();
    let expected = json!([[3, "state-edit", true], [2, "update", true], [1, "update", true]]);
    assert_eq!(Value::from(rows), expected);
    let table = sealed.run(["state", "log"]).exits(0);
    assert!(table.stdout.contains("the second"), "{table}");

    let diff = sealed.run(["state", "diff", "1", "2"]).exits(0);
    assert!(diff.stdout.contains("~ inputs.value: \"one\" => \"two\""), "{diff}");
    assert!(diff.stdout.contains("[secret]") && !diff.stdout.contains("tak"), "{diff}");
    let shown = sealed.run(["state", "diff", "1", "2", "--show-secrets"]).exits(0);
    assert!(shown.stdout.contains("\"tok\" => \"tak\""), "{shown}");
    let last = sealed.run(["state", "diff", "--json"]).exits(0).json();
    assert_eq!(last["changed"][0]["fields"], json!([{ "path": "protect", "new": true }]));
    complains(sealed.run(["state", "diff", "7"]), 1, "no version 7");
    complains(sealed.run(["state", "diff", "x"]), 1, "'x' is no version");

    let export = sealed.run(["stack", "export", "--version", "1"]).exits(0).json();
    assert_eq!(export["deployment"]["resources"].as_array().unwrap().len(), 4);
    complains(sealed.run(["stack", "export", "--version", "9"]), 1, "no version 9");

    sealed.forget_calls();
    let preview = sealed.run(["state", "restore", "1", "--dry-run"]).exits(0);
    assert!(preview.stdout.contains("~ inputs.value: \"two\" => \"one\""), "{preview}");
    complains(sealed.run(["state", "restore", "1"]), 2, "--yes");
    complains(sealed.run(["state", "restore", "4", "--yes"]), 1, "no version 4");
    assert_eq!(last_entry(&sealed)["version"], 3);
    let restored = sealed.run(["state", "restore", "1", "--yes"]).exits(0);
    let copy = restored
        .stdout
        .lines()
        .find_map(|l| l.strip_prefix("The state as it was is in "))
        .unwrap()
        .to_owned();
    assert!(std::fs::read_to_string(copy).unwrap().contains("\"protect\": true"), "the copy is what was");
    assert_eq!(sealed.calls().len(), 0, "the cloud is not touched");
    let same = sealed.run(["state", "diff", "1"]).exits(0);
    assert!(same.stdout.ends_with("nothing differs\n"), "{same}");
    assert_eq!(last_entry(&sealed)["message"], "state restore 1");
    // The program says what it said in the second version.
    sealed.run(UP).exits(0);
}

/// Changes the state's file behind everybody's back.
fn damage(sealed: &Sealed, change: impl FnOnce(&mut Vec<Value>)) {
    let path = sealed.bucket().join(".pulumi/stacks/shop/dev.json");
    let mut state = sealed.checkpoint("shop", "dev");
    change(state["checkpoint"]["latest"]["resources"].as_array_mut().unwrap());
    std::fs::write(path, state.to_string()).unwrap();
}

#[test]
fn damage_is_found_dated_and_mended() {
    let sealed = deployed();
    says(sealed.run(["state", "fsck"]), "organization/shop/dev: intact\n");
    says(sealed.run(["state", "repair"]), "The state is valid; there is nothing to repair\n");
    let intact = names(&sealed, "dev");
    damage(&sealed, |resources| {
        resources.swap(2, 3);
        resources[2]["propertyDependencies"]["gone"] = json!([urn("dev", "gone")]);
    });
    let found = sealed.run(["state", "fsck"]).exits(1);
    assert!(found.stdout.contains("comes after it") && found.stdout.contains("is missing"), "{found}");
    let found = sealed.run(["state", "fsck", "--all", "--json"]).exits(1).json();
    assert_eq!(found[0]["findings"][0]["code"], "state-integrity");
    let bisect = sealed.run(["state", "fsck", "--bisect"]).exits(1);
    assert!(bisect.stdout.contains("changed by something else"), "{bisect}");
    assert!(bisect.stdout.contains("The last intact version is 1"), "{bisect}");
    complains(sealed.run(["state", "protect", "--all"]), 1, "state repair");
    complains(sealed.run(["state", "repair"]), 2, "--yes");
    let plan = sealed.run(["state", "repair", "--dry-run"]).exits(0);
    assert!(plan.stdout.contains("forgets its dependency by property 'gone',"), "{plan}");
    assert!(plan.stdout.contains("takes a place behind what it refers to"), "{plan}");
    sealed.run(["state", "fsck"]).exits(1);
    sealed.run(["state", "repair", "--yes"]).exits(0);
    says(sealed.run(["state", "fsck"]), "organization/shop/dev: intact\n");
    assert_eq!(names(&sealed, "dev"), intact);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);

    // A version that brought damage: an import by force.
    let mut export = sealed.run(["stack", "export"]).exits(0).json();
    export["deployment"]["resources"].as_array_mut().unwrap().remove(1);
    sealed.write("broken.json", &export.to_string());
    complains(sealed.run(["stack", "import", "--file", "broken.json"]), 1, "--force");
    sealed.run(["stack", "import", "--file", "broken.json", "--force"]).exits(0);
    let bisect = sealed.run(["state", "fsck", "--bisect", "--json"]).exits(1).json();
    assert_eq!((&bisect["lastGood"], &bisect["firstBad"]["version"]), (&json!(2), &json!(3)));
    assert_eq!(bisect["firstBad"]["kind"], "import");
    complains(sealed.run(["state", "repair", "--yes"]), 1, "state restore");
    sealed.run(["state", "restore", "2", "--yes"]).exits(0);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

#[test]
fn a_state_that_can_not_be_read_is_named_and_can_be_restored() {
    let sealed = deployed();
    let path = sealed.bucket().join(".pulumi/stacks/shop/dev.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for broken in [&text[..text.len() / 2], "", "{\"version\":99,\"checkpoint\":{\"latest\":{}}}"] {
        std::fs::write(&path, broken).unwrap();
        let commands: &[&[&str]] = &[
            &["state", "protect", "--all"],
            &["state", "taint", &urn("dev", "first")],
            &["state", "rename", &urn("dev", "first"), "x"],
            &["state", "repair", "--yes"],
            &["stack", "export"],
            &["stack", "graph", "x.dot"],
            &["stack", "rename", "prod"],
            &["state", "migrate", "--to", "file:///tmp", "--yes"],
        ];
        for command in commands {
            complains(sealed.run(command.iter().copied()), 1, "dev.json");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), broken, "{command:?} changed it");
        }
        let found = sealed.run(["state", "fsck"]).exits(1);
        assert!(found.stdout.contains("dev.json"), "{found}");
    }
    sealed.run(["state", "restore", "1", "--yes"]).exits(0);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}
