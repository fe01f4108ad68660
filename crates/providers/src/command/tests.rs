//! Commands run for real, with what the official plugin was seen to make of them.
#![cfg(unix)]

use std::fs::File;
use std::io::Read;
use std::sync::Mutex;

use purlin_ports::{DiffChanges, Provider, ProviderError};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::testing::{Existing, check_args, create_args, delete_args, deps, map, read_args, show_map};

struct World {
    folder: TempDir,
    provider: CommandProvider,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(&deps(folder.path()));
    World { folder, provider }
}

async fn failures(inputs: &str) -> Vec<String> {
    let result = world().provider.check(check_args(COMMAND, map(inputs))).await.unwrap();
    result.failures.into_iter().map(|f| f.property).collect()
}

#[tokio::test]
async fn inputs_are_checked_by_name_and_kind() {
    let good = [
        "{}",
        r#"{"create": "UNKNOWN", "triggers": [1, {"a": null}, "UNKNOWN"], "logging": "whatever"}"#,
        r#"{"create": {"SECRET": "x"}, "environment": {"A": {"SECRET": "b"}}, "interpreter": []}"#,
        r#"{"environment": {"SECRET": {"A": "b"}}}"#,
    ];
    for inputs in good {
        assert_eq!(failures(inputs).await, [""; 0], "{inputs}");
    }
    let bad = [
        (r#"{"foo": 1}"#, "foo"),
        (r#"{"create": 1}"#, "create"),
        (r#"{"create": ["a"]}"#, "create"),
        (r#"{"environment": {"A": 1}}"#, "environment"),
        (r#"{"environment": {"A": null}}"#, "environment"),
        (r#"{"addPreviousOutputInEnv": "x"}"#, "addPreviousOutputInEnv"),
        (r#"{"assetPaths": "x"}"#, "assetPaths"),
    ];
    for (inputs, property) in bad {
        assert_eq!(failures(inputs).await, [property], "{inputs}");
    }
    let inputs = r#"{"environment": {"A": "a", "B": 1}, "interpreter": ["sh", null], "logging": 1}"#;
    let result = world().provider.check(check_args(COMMAND, map(inputs))).await.unwrap();
    let reasons: Vec<_> = result.failures.into_iter().map(|failure| failure.reason).collect();
    assert_eq!(
        reasons,
        [
            "property \"environment.B\" must be a text",
            "property \"interpreter[1]\" must be a text of valid UTF-8",
            "property \"logging\" must be a text of valid UTF-8"
        ]
    );
    let result = world().provider.check(check_args(COMMAND, map(r#"{"create": null}"#))).await.unwrap();
    assert!(result.inputs.is_empty() && result.failures.is_empty());
}

async fn created(inputs: &str) -> Value {
    let world = world();
    show_map(&Existing::create(&world.provider, COMMAND, inputs).await.outputs)
}

#[tokio::test]
async fn a_command_gives_what_it_writes() {
    let cases = [
        ("{}", json!({"stdout": "", "stderr": ""})),
        (r#"{"delete": "x"}"#, json!({"delete": "x", "stdout": "", "stderr": ""})),
        (r#"{"create": "echo hi; echo no >&2"}"#, json!({"stdout": "hi", "stderr": "no"})),
        (r#"{"create": "printf 'a\\n\\n'"}"#, json!({"stdout": "a\n", "stderr": ""})),
        (
            r#"{"create": "cat", "stdin": {"SECRET": "in"}}"#,
            json!({"stdout": "in", "stdin": {"SECRET": "in"}}),
        ),
        (
            r#"{"create": "echo $A $FROM_OUTSIDE", "environment": {"A": {"SECRET": "b"}}}"#,
            json!({"stdout": "b outside"}),
        ),
        (
            r#"{"create": "echo $FROM_OUTSIDE", "environment": {"FROM_OUTSIDE": "inside"}}"#,
            json!({"stdout": "inside"}),
        ),
        (r#"{"create": "p", "interpreter": ["/bin/echo", "-n", "a"]}"#, json!({"stdout": "a p"})),
        (r#"{"create": "pwd", "dir": "/"}"#, json!({"stdout": "/"})),
        (r#"{"create": "echo ${PULUMI_COMMAND_STDOUT-none}"}"#, json!({"stdout": "none"})),
    ];
    for (inputs, expected) in cases {
        let outputs = created(inputs).await;
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(outputs[key], *value, "{inputs} {key}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_and_can_be_used_again() {
    let world = world();
    let command = r#"{"create": "printf '\\377\\376ok\\n'; printf '\\200' >&2"}"#;
    let old = Existing::create(&world.provider, COMMAND, command).await;
    let (out, err) = (b"\xff\xfeok".to_vec(), b"\x80".to_vec());
    assert_eq!(old.outputs["stdout"], PropertyValue::Bytes(out.clone()));
    assert_eq!(old.outputs["stderr"], PropertyValue::Bytes(err.clone()));
    let updated = old.update(&world.provider, r#"{"update": "printf %s \"$PULUMI_COMMAND_STDOUT\""}"#, false);
    assert_eq!(updated.await.outputs["stdout"], PropertyValue::Bytes(out.clone()));

    let bytes = PropertyValue::Bytes(out);
    let mut inputs = map(r#"{"create": "cat; printf %s \"$GIVEN\"", "environment": {}}"#);
    inputs.insert("stdin".to_owned(), bytes.clone());
    let environment = PropertyMap::from([("GIVEN".to_owned(), PropertyValue::Bytes(err))]);
    inputs.insert("environment".to_owned(), environment.into());
    let checked = world.provider.check(check_args(COMMAND, inputs.clone())).await.unwrap();
    assert!(checked.failures.is_empty(), "{checked:?}");
    let made = world.provider.create(create_args(COMMAND, inputs, false)).await.unwrap();
    assert_eq!(made.outputs["stdout"], PropertyValue::Bytes(b"\xff\xfeok\x80".to_vec()));

    let dir = PropertyMap::from([("dir".to_owned(), bytes)]);
    let checked = world.provider.check(check_args(COMMAND, dir)).await.unwrap();
    assert_eq!(checked.failures[0].property, "dir");
}

#[tokio::test]
async fn an_id_is_the_name_and_eight_digits() {
    let world = world();
    let made = Existing::create(&world.provider, COMMAND, "{}").await;
    let digits = made.id.strip_prefix("res").unwrap();
    assert!(digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{}", made.id);
}

#[tokio::test]
async fn a_command_that_fails_shows_what_it_wrote() {
    let world = world();
    let args = create_args(COMMAND, map(r#"{"create": "echo out; echo oops >&2; exit 3"}"#), false);
    let Err(ProviderError::Rejected(message)) = world.provider.create(args).await else { panic!() };
    for part in ["3", "out", "oops", "exit 3"] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_started_names_what_is_missing() {
    let world = world();
    let cases = [
        (
            r#"{"create": "x", "dir": "/nonexistent"}"#,
            "the command `x` can't be started: there is no folder '/nonexistent', which dir names",
        ),
        (
            r#"{"create": "x", "interpreter": ["/nowhere/sh"]}"#,
            "the command `x` can't be started by `/nowhere/sh`: ",
        ),
        (r#"{"create": "exit 3"}"#, "the command `exit 3` ended with exit status: 3"),
    ];
    for (inputs, expected) in cases {
        let result = world.provider.create(create_args(COMMAND, map(inputs), false)).await;
        let Err(ProviderError::Rejected(message)) = result else { panic!("{inputs}") };
        assert!(message.starts_with(expected) && !message.trim_end().ends_with(':'), "{message}");
    }
}

#[tokio::test]
async fn a_preview_runs_nothing() {
    let world = world();
    let inputs = r#"{"create": "touch made", "assetPaths": ["*"]}"#;
    let made = world.provider.create(create_args(COMMAND, map(inputs), true)).await.unwrap();
    let expected = json!({"create": "touch made", "assetPaths": ["*"], "assets": "UNKNOWN",
        "stdout": "UNKNOWN", "stderr": "UNKNOWN"});
    assert_eq!((made.id.as_str(), show_map(&made.outputs)), ("", expected));
    let old = Existing::create(&world.provider, COMMAND, r#"{"create": "echo hi"}"#).await;
    let updated = old.update(&world.provider, r#"{"create": "touch made"}"#, true).await;
    let expected = json!({"create": "touch made", "stdout": "UNKNOWN", "stderr": "UNKNOWN"});
    assert_eq!(show_map(&updated.outputs), expected);
    assert!(!world.folder.path().join("made").exists());
}

#[tokio::test]
async fn an_update_runs_the_update_or_else_the_create_command() {
    let world = world();
    let old = Existing::create(&world.provider, COMMAND, r#"{"create": "echo one; echo err >&2"}"#).await;
    let cases = [
        (r#"{"create": "echo two"}"#, "two", ""),
        (
            r#"{"create": "echo two", "update": "echo $PULUMI_COMMAND_STDOUT $PULUMI_COMMAND_STDERR"}"#,
            "one err",
            "",
        ),
        (r#"{"update": "echo x$PULUMI_COMMAND_STDOUT", "addPreviousOutputInEnv": false}"#, "x", ""),
        (r#"{"delete": "echo bye"}"#, "one", "err"),
    ];
    for (inputs, stdout, stderr) in cases {
        let updated = show_map(&old.update(&world.provider, inputs, false).await.outputs);
        assert_eq!((&updated["stdout"], &updated["stderr"]), (&json!(stdout), &json!(stderr)), "{inputs}");
    }
}

#[tokio::test]
async fn a_deletion_runs_the_delete_command_of_the_state() {
    let world = world();
    let inputs = r#"{"create": "echo one", "delete": "echo $PULUMI_COMMAND_STDOUT > deleted"}"#;
    let old = Existing::create(&world.provider, COMMAND, inputs).await;
    world.provider.delete(delete_args(COMMAND, &old.id, old.outputs.clone())).await.unwrap();
    assert_eq!(std::fs::read_to_string(world.folder.path().join("deleted")).unwrap(), "one\n");
    let old = Existing::create(&world.provider, COMMAND, r#"{"delete": "exit 2"}"#).await;
    let result = world.provider.delete(delete_args(COMMAND, &old.id, old.outputs)).await;
    assert!(matches!(result, Err(ProviderError::Rejected(_))));
}

#[tokio::test]
async fn files_become_assets_and_an_archive() {
    let world = world();
    let folder = world.folder.path();
    std::fs::create_dir(folder.join("sub")).unwrap();
    std::fs::write(folder.join("a.txt"), "hi").unwrap();
    std::fs::write(folder.join("sub/b.js"), "x").unwrap();
    let inputs =
        r#"{"create": "true", "assetPaths": ["**.txt", "sub/*"], "archivePaths": ["**", "!sub/**"]}"#;
    let made = Existing::create(&world.provider, COMMAND, inputs).await;
    let PropertyValue::Object(assets) = &made.outputs["assets"] else { panic!() };
    assert_eq!(assets.keys().collect::<Vec<_>>(), ["a.txt", "sub/b.js"]);
    let PropertyValue::Asset(asset) = &assets["a.txt"] else { panic!() };
    assert_eq!(asset.hash, "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4");
    let path = folder.join("a.txt").to_string_lossy().into_owned();
    assert_eq!(asset.source, purlin_model::AssetSource::Path(path));
    let PropertyValue::Archive(archive) = &made.outputs["archive"] else { panic!() };
    assert_eq!(archive.hash, "d5de9d5a7ca269eeca5a5d5f06e9ccf554e53e4f1e9e9fb92938a7d71830625f");
    let empty = Existing::create(&world.provider, COMMAND, r#"{"create": "true", "archivePaths": []}"#).await;
    let PropertyValue::Archive(archive) = &empty.outputs["archive"] else { panic!() };
    assert_eq!(archive.hash, purlin_assets::EMPTY_ARCHIVE_HASH);
}

#[tokio::test]
async fn changes_are_named_to_their_path() {
    let world = world();
    let cases = [
        (r#"{"create": "a"}"#, r#"{"create": "a"}"#, vec![], false),
        (r#"{"create": "a"}"#, r#"{"create": "b"}"#, vec![("create", "update")], false),
        (r#"{"create": "a"}"#, r#"{"create": "UNKNOWN"}"#, vec![("create", "update")], false),
        (r#"{"create": "a"}"#, r#"{"create": {"SECRET": "a"}}"#, vec![("create", "update")], false),
        (r#"{"create": "a"}"#, r#"{"create": "a", "update": "b"}"#, vec![("update", "add")], false),
        (r#"{"update": "a"}"#, r#"{"delete": "a"}"#, vec![("delete", "add"), ("update", "delete")], false),
        (r#"{"triggers": ["a"]}"#, r#"{"triggers": ["b"]}"#, vec![("triggers[0]", "update")], false),
        (r#"{"triggers": ["a"]}"#, r#"{"triggers": ["a", "b"]}"#, vec![("triggers[1]", "add")], false),
        (
            r#"{"triggers": [{"a": {"b": 1}}]}"#,
            r#"{"triggers": [{"a": {"b": 2}}]}"#,
            vec![("triggers[0].a.b", "update")],
            false,
        ),
        (r#"{"triggers": ["a"]}"#, "{}", vec![("triggers", "delete-replace")], true),
        ("{}", r#"{"triggers": ["a"]}"#, vec![("triggers", "add-replace")], true),
        (
            r#"{"environment": {"A": "b"}}"#,
            r#"{"environment": {"A": "c", "D": "e"}}"#,
            vec![("environment.A", "update"), ("environment.D", "add")],
            false,
        ),
        (
            r#"{"environment": {"A": "b"}}"#,
            r#"{"environment": {"SECRET": {"A": "b"}}}"#,
            vec![("environment", "update")],
            false,
        ),
    ];
    for (old, new, expected, replaced) in cases {
        let token = COMMAND;
        let existing = Existing { token, id: "x".to_owned(), inputs: map(old), outputs: map(old) };
        let diff = existing.diff(&world.provider, new).await;
        let detailed = diff.detailed.unwrap();
        let shown: Vec<_> = detailed.iter().map(|(path, d)| (path.as_str(), d.kind.as_str())).collect();
        assert_eq!(shown, expected, "{old} {new}");
        assert_eq!(diff.replaces, if replaced { vec!["triggers"] } else { vec![] }, "{old} {new}");
        assert_eq!(diff.changes == DiffChanges::None, expected.is_empty(), "{old} {new}");
    }
}

#[tokio::test]
async fn the_function_runs_each_time() {
    let world = world();
    let invoke = |token: &str, args: &str, preview| {
        world.provider.invoke(InvokeArgs { token: token.to_owned(), args: map(args), preview })
    };
    let result = invoke(RUN, r#"{"command": "cat", "stdin": {"SECRET": "s"}}"#, true).await.unwrap();
    let expected = json!({"command": "cat", "stdin": {"SECRET": "s"}, "stdout": "s", "stderr": ""});
    assert_eq!(show_map(&result.result), expected);
    for (args, property) in [("{}", "command"), (r#"{"command": "x", "foo": 1}"#, "foo")] {
        assert_eq!(invoke(RUN, args, false).await.unwrap().failures[0].property, property);
    }
    let unknown = invoke(RUN, r#"{"command": "UNKNOWN"}"#, true).await.unwrap();
    assert_eq!(show_map(&unknown.result)["stdout"], "UNKNOWN");
    assert!(invoke(RUN, r#"{"command": "exit 3"}"#, false).await.is_err());
    assert!(invoke("command:local:other", "{}", false).await.is_err());
}

#[tokio::test]
async fn a_read_finds_the_state_as_it_was() {
    let world = world();
    let old = Existing::create(&world.provider, COMMAND, r#"{"create": "echo hi"}"#).await;
    let args = read_args(COMMAND, &old.id, old.inputs.clone(), old.outputs.clone());
    let read = world.provider.read(args).await.unwrap();
    assert_eq!((read.id, read.inputs, read.outputs), (old.id, Some(old.inputs), Some(old.outputs)));
}

#[tokio::test]
async fn remote_commands_ask_for_the_official_plugin() {
    let world = world();
    let token = "command:remote:Command";
    let checked = world.provider.check(check_args(token, map(r#"{"create": "x"}"#))).await.unwrap();
    assert!(checked.failures[0].reason.contains("plugin install resource command"), "{checked:?}");
    let deleted = world.provider.delete(delete_args(token, "x", PropertyMap::new())).await;
    assert!(matches!(deleted, Err(ProviderError::Unavailable(_))));
}

#[tokio::test]
async fn lines_are_passed_on_while_a_command_runs() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines: LineSink = {
        let seen = seen.clone();
        Arc::new(move |urn, line| seen.lock().unwrap().push(format!("{}:{line}", urn.map_or("", Urn::name))))
    };
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(&BuiltinDeps { lines: Some(lines), ..deps(folder.path()) });
    let taken = || std::mem::take(&mut *seen.lock().unwrap());
    Existing::create(&provider, COMMAND, r#"{"create": "printf 'a\\r\\nb'"}"#).await;
    assert_eq!(taken(), ["res:a", "res:b"]);
    Existing::create(&provider, COMMAND, r#"{"create": "echo a; echo b >&2", "logging": "stderr"}"#).await;
    assert_eq!(taken(), ["res:b"]);
    Existing::create(&provider, COMMAND, r#"{"create": "echo a; echo b >&2", "logging": "none"}"#).await;
    assert_eq!(taken(), [""; 0]);
}

#[tokio::test]
async fn a_cancellation_stops_the_command_and_all_that_it_started() {
    let world = world();
    let pipe = world.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // The pipe ends for its reader when the last process that has it open is gone.
    let inputs = map(r#"{"create": "sleep 600 > pipe & wait"}"#);
    let create = world.provider.create(create_args(COMMAND, inputs, false));
    let cancel = async {
        let opened = tokio::task::spawn_blocking(move || File::open(pipe)).await.unwrap();
        world.provider.cancel().await;
        opened.unwrap()
    };
    let (result, mut reader) = tokio::join!(create, cancel);
    assert!(matches!(result, Err(ProviderError::OutcomeUnknown(_))), "{result:?}");
    let mut written = Vec::new();
    tokio::task::spawn_blocking(move || reader.read_to_end(&mut written)).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_configuration_keeps_the_note_of_the_official_plugin() {
    let checked = world()
        .provider
        .check_config(check_args("pulumi:providers:command", PropertyMap::new()))
        .await
        .unwrap();
    assert_eq!(checked.inputs, map(r#"{"__pulumi-go-provider-version": "v1.5.0"}"#));
}

#[tokio::test]
async fn the_schema_says_what_the_tables_say() {
    let schema: Value = serde_json::from_str(&world().provider.schema().await.unwrap()).unwrap();
    assert_eq!((&schema["name"], &schema["version"]), (&json!("command"), &json!(VERSION)));
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let fields = |fields: &[inputs::Field]| fields.iter().map(|f| f.0.to_owned()).collect::<Vec<_>>();
    let command = &schema["resources"][COMMAND];
    assert_eq!(names(&command["inputProperties"]), fields(inputs::COMMAND_FIELDS));
    assert_eq!(command["inputProperties"]["triggers"]["replaceOnChanges"], true);
    assert_eq!(command["required"], json!(["stdout", "stderr"]));
    let run = &schema["functions"][RUN];
    assert_eq!(names(&run["inputs"]["properties"]), fields(inputs::RUN_FIELDS));
    let tokens = [
        "command:local:Command",
        "command:remote:Command",
        "command:remote:CopyFile",
        "command:remote:CopyToRemote",
    ];
    assert_eq!(names(&schema["resources"]), tokens);
    assert_eq!(
        schema["resources"]["command:remote:Command"]["inputProperties"]["connection"]["secret"],
        true
    );
}
