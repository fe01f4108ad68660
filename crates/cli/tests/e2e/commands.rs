//! Every command but the operations: what it prints, what it exits with, what it leaves behind.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{BINARY, PASSPHRASE, Ran, Sealed};

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];
const VERSION: &str = "v3.260.0";

const PROGRAM: &str = r#"name: shop
runtime: yaml
config:
  size: { type: string, default: small }
resources:
  first: { type: faultcloud:Object, properties: { value: "${size}" }, options: { protect: true } }
  second: { type: faultcloud:Object, properties: { value: "${first.arn}" } }
outputs:
  arn: fixed
  number: 3
  list: [1, a]
  object: { a: 1, b: "x y" }
  hidden: { fn::secret: tok }
  flag: true
  lines: "a\nb"
"#;

fn shop() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", PROGRAM);
    sealed
}

fn deployed() -> Sealed {
    let sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(UP).exits(0);
    sealed
}

fn says(ran: Ran, code: i32, text: &str) {
    let ran = ran.exits(code);
    assert_eq!(ran.stdout, text, "{ran}");
}

fn complains(ran: Ran, code: i32, text: &str) {
    let ran = ran.exits(code);
    assert!(ran.stderr.contains(text), "{text:?} isn't said\n{ran}");
}

#[test]
fn under_the_other_name_it_is_the_compatible_version() {
    let sealed = shop();
    let link = sealed.root().join("pulumi-link/pulumi");
    std::fs::create_dir(link.parent().unwrap()).unwrap();
    symlink(BINARY, &link).unwrap();
    let mut command = sealed.command(&link);
    command.arg("version");
    says(sealed.launch(command, None).wait(), 0, &format!("{VERSION}\n"));
    let mut command = sealed.command(&link);
    command.arg("--version");
    says(sealed.launch(command, None).wait(), 0, &format!("{VERSION}\n"));
    let mut command = sealed.command(&link);
    command.args(["stack", "select", "--help"]);
    let ran = sealed.launch(command, None).wait().exits(0);
    assert!(ran.stdout.contains("pulumi stack select") && !ran.stdout.contains("purlin"), "{ran}");
    let own = sealed.run(["version"]).exits(0);
    assert!(!own.stdout.contains(VERSION), "{own}");
}

#[test]
fn a_login_is_kept_and_forgotten() {
    let mut sealed = shop();
    sealed.unset("PULUMI_BACKEND_URL");
    complains(sealed.run(["stack", "ls"]), 1, "no backend is chosen");
    says(sealed.run(["logout"]), 0, "You are not logged in to any backend\n");
    complains(sealed.run(["login"]), 1, "give the backend's URL");
    complains(sealed.run(["login", "https://api.pulumi.com"]), 1, "services are not supported yet");
    complains(sealed.run(["login", "nope://x"]), 1, "file://, s3://, azblob://, gs:// or postgres://");
    complains(sealed.run(["login", "file:///no/such/place"]), 1, "there is no directory /no/such/place");
    complains(sealed.run(["login", "ftp://x"]), 1, "file://");
    let login = sealed.run(["login", "--local"]).exits(0);
    assert!(
        login.stdout.starts_with("Logged in to ") && login.stdout.ends_with(" as tester (file://~)\n"),
        "{login}"
    );
    let credentials = std::fs::read_to_string(sealed.root().join("pulumi/credentials.json")).unwrap();
    let credentials: Value = serde_json::from_str(&credentials).unwrap();
    let expected = json!({
        "current": "file://~",
        "accessTokens": { "file://~": "" },
        "accounts": { "file://~": { "lastValidatedAt": "0001-01-01T00:00:00Z" } },
    });
    assert_eq!(credentials, expected);
    says(sealed.run(["whoami"]), 0, "tester\n");
    let told = sealed.run(["whoami", "--json"]).exits(0).json();
    assert_eq!((&told["user"], &told["url"]), (&json!("tester"), &json!("file://~")));
    let details = sealed.run(["whoami", "-v"]).exits(0);
    assert!(
        details.stdout.contains("User: tester\n") && details.stdout.contains("Backend URL: file://~\n"),
        "{details}"
    );
    sealed.run(["stack", "init", "dev"]).exits(0);
    assert!(sealed.root().join("home/.pulumi/stacks/shop/dev.json").exists());

    let elsewhere = format!("file://{}", sealed.bucket().display());
    sealed.run(["login", &elsewhere]).exits(0);
    says(sealed.run(["stack", "ls"]), 0, "NAME  LAST UPDATE  RESOURCE COUNT\n");
    says(sealed.run(["logout"]), 0, &format!("Logged out of {elsewhere}\n"));
    complains(sealed.run(["whoami"]), 1, "no backend is chosen");
    says(sealed.run(["logout", "--all"]), 0, "Logged out of everything\n");
    // A project may name its backend.
    sealed.write("Pulumi.yaml", &format!("{PROGRAM}backend: {{ url: '{elsewhere}' }}\n"));
    assert_eq!(sealed.run(["whoami", "--json"]).exits(0).json()["url"], elsewhere);
}

#[test]
fn stacks_are_made_listed_selected_and_removed() {
    let sealed = shop();
    says(sealed.run(["stack", "ls"]), 0, "NAME  LAST UPDATE  RESOURCE COUNT\n");
    let init = sealed.run(["stack", "init", "dev"]).exits(0);
    assert_eq!((init.stdout.as_str(), init.stderr.as_str()), ("", "Created stack 'dev'\n"));
    complains(sealed.run(["stack", "init", "dev"]), 1, "stack 'organization/shop/dev' already exists");
    let wrong = "a stack name may only contain alphanumeric, hyphens, underscores, or periods: invalid character ' ' \
                 at position 1";
    complains(sealed.run(["stack", "init", "a b"]), 1, wrong);
    sealed.run(["stack", "init", "organization/shop/prod", "--no-select"]).exits(0);
    sealed.run(["stack", "init", "--stack", "test", "--no-select"]).exits(0);
    let names = |ran: Ran| -> Vec<(String, bool)> {
        let list = ran.exits(0).json();
        let row = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["current"].as_bool().unwrap());
        list.as_array().unwrap().iter().map(row).collect()
    };
    let owned = |pairs: &[(&str, bool)]| -> Vec<(String, bool)> {
        pairs.iter().map(|(name, current)| ((*name).to_owned(), *current)).collect()
    };
    let all = owned(&[("dev", true), ("prod", false), ("test", false)]);
    assert_eq!(names(sealed.run(["stack", "ls", "--json"])), all);
    assert_eq!(names(sealed.run(["stack", "ls", "--all", "--json"])), all);

    sealed.run(["stack", "select", "prod"]).exits(0);
    says(sealed.run(["stack", "--show-name"]), 0, "prod\n");
    complains(sealed.run(["stack", "select", "nope"]), 6, "no stack named 'nope' found");
    complains(sealed.run(["stack", "select"]), 6, "no stack selected; specify a stack name with --stack");
    let made = sealed.run(["stack", "select", "--create", "fresh"]).exits(0);
    assert_eq!(made.stderr, "Created stack 'fresh'\n");
    says(sealed.run(["stack", "rm", "fresh", "--yes"]), 0, "Stack 'fresh' has been removed!\n");
    complains(sealed.run(["stack"]), 1, "no stack selected");
    let mut elsewhere = sealed.command(BINARY);
    elsewhere.args(["stack", "--show-name"]).env("PULUMI_STACK", "test");
    says(sealed.launch(elsewhere, None).wait(), 0, "test\n");
    let mut elsewhere = sealed.command(BINARY);
    elsewhere.args(["stack", "--stack", "", "--show-name"]).env("PULUMI_STACK", "test");
    says(sealed.launch(elsewhere, None).wait(), 0, "test\n");
    complains(sealed.run(["stack", "rm", "test"]), 1, "--yes");
    complains(sealed.run(["stack", "init"]), 1, "What is the new stack to be called?");
    sealed.run(["stack", "rm", "test", "--yes"]).exits(0);
    assert_eq!(names(sealed.run(["stack", "ls", "--json"])), owned(&[("dev", false), ("prod", false)]));
}

#[test]
fn a_stack_with_resources_is_not_removed_but_by_force() {
    let sealed = deployed();
    complains(sealed.run(["stack", "rm", "dev", "--yes"]), 1, "still has resources");
    assert!(sealed.directory().join("Pulumi.dev.yaml").exists());
    sealed.run(["stack", "rm", "dev", "--yes", "--force", "--preserve-config"]).exits(0);
    assert!(sealed.directory().join("Pulumi.dev.yaml").exists());
    assert_eq!(sealed.run(["stack", "ls", "--json"]).exits(0).json(), json!([]));
    assert_eq!(sealed.objects().len(), 2, "forgetting a stack deletes nothing");
}

#[test]
fn a_stack_shows_what_it_has() {
    let sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    let bare = sealed.run(["stack"]).exits(0);
    assert!(bare.stdout.contains("No resources currently in this stack"), "{bare}");
    assert!(bare.stdout.contains("No output values currently in this stack"), "{bare}");
    sealed.run(UP).exits(0);
    let bare = sealed.run(["stack"]).exits(0);
    for text in [
        "Current stack is dev:\n",
        "Current stack resources (4):\n",
        "faultcloud:index:Object      second\n",
        "Current stack outputs (7):\n",
        "hidden  [secret]\n",
        VERSION,
    ] {
        assert!(bare.stdout.contains(text), "{text:?} isn't shown\n{bare}");
    }
    let urns = sealed.run(["stack", "--show-urns", "--show-ids"]).exits(0);
    assert!(urns.stdout.contains("URN: urn:pulumi:dev::shop::faultcloud:index:Object::first\n"), "{urns}");
    assert!(urns.stdout.contains("ID: first-"), "{urns}");
}

#[test]
fn outputs_are_read_one_by_one_and_together() {
    let sealed = deployed();
    for (name, text) in [
        ("arn", "fixed\n"),
        ("number", "3\n"),
        ("flag", "true\n"),
        ("list", "[1,\"a\"]\n"),
        ("object", "{\"a\":1,\"b\":\"x y\"}\n"),
        ("hidden", "[secret]\n"),
        ("lines", "a\nb\n"),
    ] {
        says(sealed.run(["stack", "output", name]), 0, text);
    }
    says(sealed.run(["stack", "output", "hidden", "--show-secrets"]), 0, "tok\n");
    complains(
        sealed.run(["stack", "output", "nope"]),
        1,
        "current stack does not have output property 'nope'",
    );
    let all = json!({
        "arn": "fixed", "number": 3, "list": [1, "a"], "object": { "a": 1, "b": "x y" },
        "hidden": "[secret]", "flag": true, "lines": "a\nb",
    });
    assert_eq!(sealed.run(["stack", "output", "--json"]).exits(0).json(), all);
    assert_eq!(sealed.run(["stack", "output", "object", "--json"]).exits(0).json(), all["object"]);
    // What a shell makes of it is what counts.
    let mut shell = sealed.command("sh");
    shell.args([
        "-c",
        "eval \"$($0 stack output --shell --show-secrets)\"; echo \"$object|$lines|$hidden\"",
        BINARY,
    ]);
    says(sealed.launch(shell, None).wait(), 0, "{\"a\":1,\"b\":\"x y\"}|a\nb|tok\n");
}

const SPECIAL: &str = r#"{
  "ref": {"4dabf18193072939515e22adb298388d":"5cf8f73096256a8f31e491e813e4eb8e","id":"i","packageVersion":"1.0.0","urn":"urn:pulumi:dev::shop::a:b:C::n"},
  "inf": {"4dabf18193072939515e22adb298388d":"8ad145fe-0d11-4827-bfd7-1abcbf086f5c","value":"7ff0000000000000"},
  "text": {"4dabf18193072939515e22adb298388d":"c44067f5952c0a294b673a41bacd8c17","hash":"h","text":"t"}
}"#;

fn with_outputs(outputs: &str) -> Sealed {
    let sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    let urn = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev";
    let root = format!(
        "{{\"urn\":\"{urn}\",\"custom\":false,\"type\":\"pulumi:pulumi:Stack\",\"outputs\":{outputs}}}"
    );
    let text = format!("{{\"version\":3,\"deployment\":{{\"manifest\":{{}},\"resources\":[{root}]}}}}");
    sealed.write("state.json", &text);
    sealed.run(["stack", "import", "--file", "state.json", "--force"]).exits(0);
    sealed
}

#[test]
fn outputs_keep_their_digits_and_their_marks() {
    let sealed =
        with_outputs(r#"{"a":9007199254740991,"b":[123456789012345678],"c":1e-6,"d":-0.0,"l":"x\n y"}"#);
    says(sealed.run(["stack", "output", "a"]), 0, "9007199254740991\n");
    says(sealed.run(["stack", "output", "b"]), 0, "[123456789012345680]\n");
    says(
        sealed.run(["stack", "output", "--json"]),
        0,
        "{\n  \"a\": 9007199254740991,\n  \"b\": [\n    123456789012345680\n  ],\n  \"c\": 0.000001,\n  \"d\": -0,\n  \
         \"l\": \"x\\n y\"\n}\n",
    );
    says(
        sealed.run(["stack", "output"]),
        0,
        "Current stack outputs (5):\n    OUTPUT  VALUE\n    a       9007199254740991\n    b       \
         [123456789012345680]\n    c       0.000001\n    d       -0\n    l       x\n             y\n",
    );
    let shell = sealed.run(["stack", "output", "--shell"]).exits(0);
    assert!(shell.stdout.starts_with("a=9007199254740991\n"), "{shell}");

    let special: Value = serde_json::from_str(SPECIAL).unwrap();
    let sealed = with_outputs(SPECIAL);
    assert_eq!(sealed.run(["stack", "output", "--json"]).exits(0).json(), special);
    for (name, value) in special.as_object().unwrap() {
        assert_eq!(&sealed.run(["stack", "output", name]).exits(0).json(), value);
    }
}

#[test]
fn a_stack_that_was_never_deployed_is_exported_as_one() {
    let sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    let export = "{\n    \"version\": 3,\n    \"deployment\": null\n}\n";
    says(sealed.run(["stack", "export"]), 0, export);
    says(sealed.run(["stack", "export", "--show-secrets"]), 0, export);
    says(sealed.run_with_input(["stack", "import"], export), 0, "Import complete.\n");
}

#[test]
fn a_stack_whose_state_is_cut_off_is_not_removed() {
    let sealed = deployed();
    let path = sealed.bucket().join(".pulumi/stacks/shop/dev.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    complains(sealed.run(["stack", "rm", "--force", "--yes"]), 1, "stack import --force");
    assert!(path.exists() && sealed.directory().join("Pulumi.dev.yaml").exists());
    sealed.write("empty.json", "{\"version\":3,\"deployment\":null}");
    sealed.run(["stack", "import", "--force", "--file", "empty.json"]).exits(0);
    sealed.run(["stack", "rm", "--force", "--yes"]).exits(0);
}

#[test]
fn without_a_passphrase_no_stack_is_made() {
    let mut sealed = shop();
    sealed.unset("PULUMI_CONFIG_PASSPHRASE");
    for command in [&["stack", "init", "dev"][..], &["stack", "select", "--create", "dev"]] {
        complains(sealed.run(command.iter().copied()), 1, "PULUMI_CONFIG_PASSPHRASE");
        assert_eq!(sealed.run(["stack", "ls", "--json"]).exits(0).json(), json!([]));
        assert!(!sealed.directory().join("Pulumi.dev.yaml").exists());
    }
    sealed.set("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["stack", "rm", "dev", "--yes", "--preserve-config"]).exits(0);
    sealed.set("PULUMI_CONFIG_PASSPHRASE", "wrong");
    complains(sealed.run(["stack", "init", "dev"]), 1, "incorrect passphrase");
    assert_eq!(sealed.run(["stack", "ls", "--json"]).exits(0).json(), json!([]));
}

#[test]
fn a_damaged_secret_is_named() {
    let sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["config", "set", "--secret", "whole", "w"]).exits(0);
    let path = sealed.directory().join("Pulumi.dev.yaml");
    let settings = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{settings}  shop:torn:\n    - secure: v1:AAAA:BBBB\n")).unwrap();
    for command in [&["config", "--show-secrets"][..], &["preview"]] {
        let ran = sealed.run(command.iter().copied()).exits(1);
        assert!(ran.stderr.contains("Pulumi.dev.yaml: 'shop:torn': "), "{ran}");
    }
}

#[test]
fn configuration_has_the_type_that_is_asked_for() {
    let sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    for (text, kind, stored) in [
        ("5", "int", "5"),
        ("5", "string", "\"5\""),
        ("1", "bool", "true"),
        ("1.50", "float", "1.5"),
        ("1e3", "float", "1000"),
    ] {
        says(sealed.run(["config", "set", "n", text, "--type", kind]), 0, "");
        let settings = std::fs::read_to_string(sealed.directory().join("Pulumi.dev.yaml")).unwrap();
        assert!(settings.ends_with(&format!("  shop:n: {stored}\n")), "{settings}");
    }
    complains(sealed.run(["config", "set", "n", "x", "--type", "int"]), 1, "\"x\" is not an int");
    complains(sealed.run(["config", "set", "n", "5", "--type", "int", "--secret"]), 1, "--secret");
}

#[test]
fn configuration_is_set_from_what_it_is_shown_as() {
    let sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["stack", "init", "other", "--no-select"]).exits(0);
    sealed.run(["config", "set", "a", "1"]).exits(0);
    sealed.run(["config", "set", "--secret", "s", "top"]).exits(0);
    sealed.run(["config", "set", "--path", "o.l[0]", "true"]).exits(0);
    sealed.run(["config", "set", "--path", "--secret", "p.t", "inner"]).exits(0);
    let shown = sealed.run(["config", "--json", "--show-secrets"]).exits(0);
    says(sealed.run(["config", "set-all", "--json", &shown.stdout, "--stack", "other"]), 0, "");
    let copied = sealed.run(["config", "--json", "--show-secrets", "--stack", "other"]).exits(0).json();
    for key in ["shop:a", "shop:s", "shop:o"] {
        assert_eq!(copied[key], shown.json()[key], "{key}");
    }
    // An object with a secret in it becomes one secret.
    assert_eq!(copied["shop:p"]["value"], shown.json()["shop:p"]["value"]);
    let settings = std::fs::read_to_string(sealed.directory().join("Pulumi.other.yaml")).unwrap();
    assert!(!settings.contains("top") && !settings.contains("inner"), "{settings}");

    let hidden = sealed.run(["config", "--json"]).exits(0).stdout;
    for (json, text) in [
        (hidden.as_str(), "key 'shop:p': it has no `value`"),
        ("[", "--json is no JSON"),
        ("{\"a\":\"b\"}", "key 'a': its value is not an object"),
        ("{\"a\":{\"value\":5}}", "key 'a': its `value` is not a text"),
    ] {
        complains(sealed.run(["config", "set-all", "--json", json, "--stack", "other"]), 1, text);
    }
    complains(sealed.run(["config", "set-all", "--json", "{}", "--path"]), 1, "--path");
    complains(sealed.run(["config", "set-all", "--plaintext", "novalue"]), 1, "--plaintext 'novalue'");
    let after = std::fs::read_to_string(sealed.directory().join("Pulumi.other.yaml")).unwrap();
    assert_eq!(after, settings, "what is refused changes nothing");
}

#[test]
fn a_state_is_exported_and_imported() {
    let sealed = deployed();
    let exported = sealed.run(["stack", "export"]).exits(0).json();
    assert_eq!(exported["version"], 3);
    assert!(!exported.to_string().contains("tok\""), "a secret in clear");
    let shown = sealed.run(["stack", "export", "--show-secrets"]).exits(0);
    assert!(shown.stdout.contains("\"plaintext\": \"\\\"tok\\\"\""), "{shown}");
    sealed.run(["stack", "export", "--file", "state.json"]).exits(0);
    sealed.write("clear.json", &shown.stdout);

    let text = std::fs::read_to_string(sealed.directory().join("state.json")).unwrap();
    sealed.write("broken.json", &text[..text.len() / 2]);
    sealed.write("newer.json", "{\"version\":99,\"deployment\":{}}");
    sealed.write("foreign.json", &text.replace("::shop::", "::other::"));
    complains(sealed.run(["stack", "import", "--file", "nowhere.json"]), 1, "nowhere.json");
    complains(sealed.run(["stack", "import", "--file", "broken.json"]), 1, "broken.json is no JSON");
    complains(sealed.run(["stack", "import", "--file", "newer.json"]), 1, "version 99");
    complains(sealed.run(["stack", "import", "--file", "foreign.json"]), 1, "use --force");
    assert_eq!(sealed.run(["stack", "export"]).exits(0).json(), exported, "nothing has changed");

    sealed.run(["state", "unprotect", "--all", "--yes"]).exits(0);
    for file in ["state.json", "clear.json"] {
        says(sealed.run(["stack", "import", "--file", file]), 0, "Import complete.\n");
        sealed.run(["preview", "--expect-no-changes"]).exits(0);
    }
    assert_eq!(sealed.files_with("\"tok\\"), [sealed.directory().join("clear.json")]);
    let piped = sealed.run_with_input(["stack", "import"], &text).exits(0);
    assert_eq!(piped.stdout, "Import complete.\n");
}

#[test]
fn configuration_is_set_shown_and_removed() {
    let mut sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    says(sealed.run(["config"]), 0, "KEY   VALUE\nsize  small\n");
    let set = |arguments: &[&str]| says(sealed.run([&["config", "set"], arguments].concat()), 0, "");
    set(&["a", "1"]);
    set(&["b", "two words"]);
    set(&["--secret", "s", "top"]);
    set(&["--path", "o.l[0]", "x"]);
    set(&["--path", "o.k", "true"]);
    set(&["--path", "--secret", "o.deep.t", "inner"]);
    set(&["other:k", "v"]);
    says(sealed.run_with_input(["config", "set", "piped"], "from a pipe\n"), 0, "");
    let bad = "configuration keys should be of the form `<namespace>:<name>`";
    complains(sealed.run(["config", "set", "bad key:x:y", "v"]), 1, bad);

    let get =
        |arguments: &[&str], text: &str| says(sealed.run([&["config", "get"], arguments].concat()), 0, text);
    get(&["a"], "1\n");
    get(&["s"], "top\n");
    get(&["piped"], "from a pipe\n");
    get(&["other:k"], "v\n");
    get(&["shop:b"], "two words\n");
    get(&["--path", "o.l"], "[\"x\"]\n");
    get(&["--path", "o.l[0]"], "x\n");
    get(&["--path", "o.deep.t"], "inner\n");
    complains(sealed.run(["config", "get", "nope"]), 1, "configuration key 'nope' not found for stack 'dev'");
    complains(sealed.run(["config", "get", "--path", "o.x"]), 1, "configuration key 'o.x' not found");
    assert_eq!(
        sealed.run(["config", "get", "s", "--json"]).exits(0).json(),
        json!({ "value": "top", "secret": true })
    );

    let hidden = sealed.run(["config", "--json"]).exits(0).json();
    assert_eq!(hidden["shop:s"], json!({ "secret": true }));
    assert_eq!(hidden["shop:a"], json!({ "value": "1", "secret": false }));
    assert!(!hidden.to_string().contains("inner"), "{hidden}");
    let shown = sealed.run(["config", "--json", "--show-secrets"]).exits(0).json();
    assert_eq!(shown["shop:s"]["value"], "top");
    assert!(shown.to_string().contains("inner"), "{shown}");
    let table = sealed.run(["config"]).exits(0);
    assert!(table.stdout.contains("s        [secret]") && !table.stdout.contains("top"), "{table}");

    sealed.run(["config", "rm", "a"]).exits(0);
    sealed.run(["config", "rm", "a"]).exits(0);
    sealed.run(["config", "rm", "--path", "o.k"]).exits(0);
    sealed.run(["config", "set-all", "--plaintext", "x=1", "--secret", "y=2"]).exits(0);
    sealed.run(["config", "rm-all", "x", "b", "piped"]).exits(0);
    let left = sealed.run(["config", "--json", "--show-secrets"]).exits(0).json();
    let keys: Vec<&String> = left.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["other:k", "shop:o", "shop:s", "shop:size", "shop:y"]);
    assert_eq!(left["shop:y"], json!({ "value": "2", "secret": true }));
    let file = std::fs::read_to_string(sealed.directory().join("Pulumi.dev.yaml")).unwrap();
    assert!(!file.contains("top") && file.contains("secure: v1:"), "{file}");

    // What is only read in the clear needs no passphrase.
    sealed.set("PULUMI_CONFIG_PASSPHRASE", "wrong");
    sealed.run(["config"]).exits(0);
    complains(sealed.run(["config", "get", "s"]), 1, "incorrect passphrase");
    sealed.set("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    sealed.run(["config", "--config-file", "other.yaml", "set", "z", "1"]).exits(0);
    assert!(sealed.directory().join("other.yaml").exists());
}

#[test]
fn comments_of_a_settings_file_stay() {
    let sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    let path = sealed.directory().join("Pulumi.dev.yaml");
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("# ours\n{before}config:\n  # how large\n  shop:size: medium # for now\n"))
        .unwrap();
    sealed.run(["config", "set", "a", "1"]).exits(0);
    sealed.run(["config", "set", "size", "large"]).exits(0);
    let after = std::fs::read_to_string(&path).unwrap();
    for text in ["# ours\n", "  # how large\n", "shop:size: large", "# for now", "shop:a: "] {
        assert!(after.contains(text), "{text:?} is gone:\n{after}");
    }
}

#[test]
fn resources_are_forgotten_and_unprotected_by_their_urn() {
    let sealed = deployed();
    let urn = |name: &str| format!("urn:pulumi:dev::shop::faultcloud:index:Object::{name}");
    let (first, second) = (urn("first"), urn("second"));
    let before = sealed.run(["stack", "export"]).exits(0).json()["deployment"]["resources"].clone();
    let refused = |arguments: &[&str], text: &str| {
        complains(sealed.run([&["state"], arguments, &["--yes"]].concat()), 1, text);
        let after = sealed.run(["stack", "export"]).exits(0).json()["deployment"]["resources"].clone();
        assert_eq!(after, before, "{arguments:?}");
    };
    refused(&["delete", &urn("nope")], "--show-urns");
    refused(&["unprotect", &urn("nope")], "--show-urns");
    refused(&["delete", &first], "--force");
    refused(&["delete", &first, "--force"], &second);
    sealed.run(["state", "unprotect", &first, "--yes"]).exits(0);
    refused_after_unprotect(&sealed, &first, &second);
    sealed.run(["state", "delete", &first, "--target-dependents", "--yes"]).exits(0);
    let left = sealed.run(["stack", "export"]).exits(0).json();
    assert!(!left.to_string().contains("Object::"), "{left}");
    assert_eq!(sealed.objects().len(), 2, "forgetting deletes nothing");
    sealed.run(UP).exits(0);
    sealed.run(["state", "unprotect", "--all", "--yes"]).exits(0);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
}

fn refused_after_unprotect(sealed: &Sealed, first: &str, second: &str) {
    complains(sealed.run(["state", "delete", first, "--yes"]), 1, second);
    let state = sealed.run(["stack", "export"]).exits(0).json();
    assert!(!state.to_string().contains("\"protect\":true"), "{state}");
}

#[test]
fn flags_may_be_given_by_the_environment() {
    let mut sealed = deployed();
    sealed.set("PULUMI_OPTION_JSON", "true");
    assert_eq!(sealed.run(["config"]).exits(0).json()["shop:size"]["value"], "small");
    sealed.unset("PULUMI_OPTION_JSON");
    sealed.set("PULUMI_OPTION_SHOW_SECRETS", "true");
    says(sealed.run(["stack", "output", "hidden"]), 0, "tok\n");
    sealed.unset("PULUMI_OPTION_SHOW_SECRETS");
    sealed.set("PULUMI_OPTION_STACK", "nope");
    complains(sealed.run(["preview"]), 6, "no stack named 'nope' found");
    // The command line has the last word.
    sealed.run(["preview", "--stack", "dev"]).exits(0);
    sealed.unset("PULUMI_OPTION_STACK");
    sealed.set("PULUMI_OPTION_EXPECT_NO_CHANGES", "true");
    sealed.run(["preview"]).exits(0);
    sealed.run(["config", "set", "size", "large"]).exits(0);
    sealed.run(["preview"]).exits(7);
}

#[test]
fn what_is_not_a_command_says_so() {
    let sealed = shop();
    complains(sealed.run(["nosuchcommand"]), 1, "nosuchcommand");
    complains(sealed.run(["up", "--nosuchflag"]), 1, "--nosuchflag");
    complains(sealed.run(["-C", "/no/such/place", "preview"]), 1, "/no/such/place is not a directory");
    let help = sealed.run(["--help"]).exits(0);
    for command in
        ["preview", "up", "refresh", "destroy", "stack", "config", "state", "cancel", "new", "login"]
    {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command} isn't in the help\n{help}");
    }
    sealed.run(["stack", "init", "dev"]).exits(0);
    let about = sealed.run(["about"]).exits(0);
    for text in [
        "3.260.0",
        "KIND      NAME  VERSION\nlanguage  yaml  unknown\n",
        "Found no resources associated with dev\n",
        "Token type     personal\n",
        "PULUMI_SKIP_UPDATE_CHECK                     true\n",
    ] {
        assert!(about.stdout.contains(text), "{text:?} isn't said\n{about}");
    }
    assert!(!about.stdout.contains(PASSPHRASE), "{about}");
    let about = sealed.run(["about", "--json"]).exits(0).json();
    assert_eq!(about["plugins"], json!([{ "name": "yaml", "version": null, "kind": "language" }]));
    assert_eq!(about["currentStack"]["pendingOps"], json!([]));
    says(sealed.run(["cancel", "--yes"]), 0, "The currently running update for 'dev' has been canceled!\n");
}

#[test]
fn pending_operations_are_told_by_kind_and_urn() {
    let sealed = shop();
    sealed.run(["stack", "init", "dev"]).exits(0);
    let urn = "urn:pulumi:dev::shop::faultcloud:index:Object::first";
    let resource = json!({ "urn": urn, "custom": true, "type": "faultcloud:index:Object" });
    let latest =
        json!({ "manifest": {}, "pending_operations": [{ "resource": resource, "type": "creating" }] });
    let state = json!({ "version": 3, "checkpoint": { "stack": "organization/shop/dev", "latest": latest } });
    std::fs::write(sealed.bucket().join(".pulumi/stacks/shop/dev.json"), state.to_string()).unwrap();
    let about = sealed.run(["about", "--json"]).exits(0).json();
    assert_eq!(about["currentStack"]["pendingOps"], json!([{ "type": "creating", "urn": urn }]));
    let about = sealed.run(["about"]).exits(0);
    assert!(about.stdout.contains(&format!("OPERATION  URN\ncreating   {urn}\n")), "{about}");
}

#[test]
fn every_template_is_a_program_that_runs() {
    let mut sealed = Sealed::new();
    sealed.use_python();
    sealed.use_go();
    let listed = sealed.run(["new", "--list-templates"]).exits(0);
    let names: Vec<String> =
        listed.stdout.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert_eq!(names, ["go", "javascript", "python", "typescript", "yaml"]);
    for name in &names {
        let folder = sealed.root().join(format!("made-of-{name}"));
        let place = folder.to_string_lossy().into_owned();
        let arguments =
            ["new", name, "--dir", &place, "--name", "made", "--stack", name, "--yes", "--generate-only"];
        sealed.run(arguments).exits(0);
        let project = std::fs::read_to_string(folder.join("Pulumi.yaml")).unwrap();
        assert!(project.contains("name: made\n") && !project.contains("${PROJECT}"), "{project}");
        complains(sealed.run(arguments), 1, "--force");
    }
    complains(sealed.run(["new", "nosuch", "--yes"]), 1, "nosuch");
    // Those whose packages are at hand are taken through their lives.
    for name in ["javascript", "typescript", "yaml"] {
        let folder = sealed.root().join(format!("made-of-{name}"));
        sealed.enter(&folder);
        if name != "yaml" {
            sealed.use_node();
        }
        sealed.run(["stack", "init", name]).exits(0);
        sealed.run(UP).exits(0);
        sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
        sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    }
}

#[test]
fn a_project_is_made_whole_or_not_at_all() {
    let mut sealed = Sealed::new();
    let folder = sealed.root().join("made");
    std::fs::create_dir_all(folder.join(".git")).unwrap();
    sealed.enter(&folder);
    let entries = || std::fs::read_dir(&folder).unwrap().count();
    let new = |arguments: &[&str]| sealed.run([&["new", "yaml", "--yes"], arguments].concat());
    for (arguments, text) in [
        (&["--stack", "nope/made/dev"][..], "no organization 'nope'"),
        (&["--stack", "a b"], "invalid character ' '"),
        (&["--name", "a", "--stack", "organization/b/dev"], "--stack names a stack of project 'b'"),
        (&["--config", "novalue"], "--config 'novalue'"),
        (&["--secrets-provider", "nope://x"], "nope://x"),
    ] {
        let ran = new(arguments);
        assert!(ran.code != Some(0) && ran.stderr.contains(text), "{text:?} isn't said\n{ran}");
        assert_eq!(entries(), 1, "{arguments:?} has written something");
    }
    complains(sealed.run(["new"]), 1, "a template's name");
    assert_eq!(sealed.run(["stack", "ls", "--all", "--json"]).exits(0).json(), json!([]));

    new(&["--stack", "organization/shop/dev", "--config", "a=1"]).exits(0);
    let project = std::fs::read_to_string(folder.join("Pulumi.yaml")).unwrap();
    assert!(project.contains("name: shop\n"), "{project}");
    says(sealed.run(["config", "get", "a"]), 0, "1\n");

    // The same once more: the project's name is taken, its stack can be used.
    for file in ["Pulumi.yaml", "Pulumi.dev.yaml"] {
        std::fs::remove_file(folder.join(file)).unwrap();
    }
    complains(new(&["--name", "shop"]), 1, "a project 'shop' exists already");
    assert_eq!(entries(), 1);
    let again = new(&["--stack", "organization/shop/dev"]).exits(0);
    assert!(!again.stdout.contains("Created stack"), "{again}");
    says(sealed.run(["stack", "--show-name"]), 0, "dev\n");
}

#[test]
fn outside_of_a_project_no_stack_is_selected() {
    let sealed = Sealed::new();
    complains(sealed.run(["stack", "select"]), 6, "no stack selected; specify a stack name with --stack");
    complains(sealed.run(["stack", "select", "dev"]), 1, "Pulumi.yaml");
}
