//! Stacks that the official engine left are taken over: previewed as expected, brought up to date, and
//! unchanged after that.

use serde_json::Value;

use crate::official::official;
use crate::support::{Ran, Sealed, copy_folder, files_below, repository};

const FIXTURES: &str = "tests/fixtures/swap";

/// A copy of a fixture, ready to use.
struct Case {
    sealed: Sealed,
    expected: Value,
}

impl Case {
    fn new(name: &str) -> Case {
        let mut sealed = Sealed::new();
        let copy = sealed.root().join("case");
        copy_folder(&repository(FIXTURES).join(name), &copy);
        let expected: Value =
            serde_json::from_slice(&std::fs::read(copy.join("case.json")).unwrap()).unwrap();
        sealed.use_bucket(&copy.join("bucket"));
        sealed.use_cloud(&copy.join("cloud"));
        sealed.set("PULUMI_CONFIG_PASSPHRASE", text(&expected["passphrase"]));
        sealed.enter(&copy);
        for (plugin, versions) in expected["plugins"].as_object().unwrap() {
            // What is built in needs no plugin.
            if plugin == "random" {
                continue;
            }
            for version in versions.as_array().unwrap() {
                sealed.install(plugin, text(version));
            }
        }
        if expected["language"] == "python" {
            sealed.use_python();
        }
        Case { sealed, expected }
    }

    fn stacks(&self) -> Vec<Value> {
        self.expected["stacks"].as_array().unwrap().clone()
    }

    fn run(&self, stack: &Value, arguments: &[&str]) -> Ran {
        let mut all = arguments.to_vec();
        all.extend(["--stack", text(&stack["stack"]), "--cwd", text(&stack["program"]), "--non-interactive"]);
        self.sealed.run(all)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The operations of a preview and what they are about, sorted; unchanged resources left out.
fn steps(document: &Value) -> Vec<(String, String)> {
    let none = Vec::new();
    let mut steps: Vec<(String, String)> = document["steps"]
        .as_array()
        .unwrap_or(&none)
        .iter()
        .filter(|step| step["op"] != "same")
        .map(|step| (text(&step["op"]).to_owned(), text(&step["urn"]).to_owned()))
        .collect();
    steps.sort();
    steps
}

/// The operations of a stack whose outcome nobody knows.
fn pending(case: &Case, stack: &Value) -> Vec<String> {
    let exported = case.run(stack, &["stack", "export"]).exits(0).json();
    let none = Vec::new();
    let pending = exported["deployment"]["pending_operations"].as_array().unwrap_or(&none);
    pending.iter().map(|p| format!("{} {}", text(&p["type"]), text(&p["resource"]["urn"]))).collect()
}

fn take_over(name: &str) {
    let case = Case::new(name);
    let before = bucket_files(&case);
    let pending_before: Vec<Vec<String>> = case.stacks().iter().map(|stack| pending(&case, stack)).collect();
    for stack in case.stacks() {
        let preview = case.run(&stack, &["preview", "--json"]).exits(0);
        let document = preview.json();
        assert_eq!(document["changeSummary"], stack["preview"]["summary"], "{preview}");
        assert_eq!(steps(&document), steps(&stack["preview"]), "{preview}");
    }
    assert_eq!(bucket_files(&case), before, "a preview changed the backend");
    let changing = case.sealed.calls().into_iter().filter(super::support::Call::changes_the_cloud).count();
    assert_eq!(changing, 0, "a preview changed the cloud");

    for stack in case.stacks() {
        case.sealed.forget_calls();
        let exit = i32::try_from(stack["after_up"]["exit"].as_i64().unwrap()).unwrap();
        let up = case.run(&stack, &["up", "--yes", "--skip-preview"]).exits(exit);
        let objects = case.sealed.objects().len();
        assert_eq!(Some(objects as u64), stack["after_up"]["objects"].as_u64(), "{up}");
        if stack["expect"] == "unchanged" {
            let changing: Vec<_> =
                case.sealed.calls().into_iter().filter(super::support::Call::changes_the_cloud).collect();
            assert!(changing.is_empty(), "{changing:?}\n{up}");
        }
    }
    let mut pending_before = pending_before.into_iter();
    for stack in case.stacks() {
        case.run(&stack, &["preview", "--expect-no-changes"]).exits(0);
        case.run(&stack, &["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);
        // What was pending before stays so until somebody finds out about it; nothing is new.
        assert_eq!(pending(&case, &stack), pending_before.next().unwrap());
        // Whoever takes the stack back finds neither a lock nor a journal.
        let left = files_below(&case.sealed.bucket().join(".pulumi/locks"));
        assert!(left.is_empty(), "{left:?}");
    }
    // And nothing to change.
    if let Some(official) = official() {
        for stack in case.stacks() {
            let mut preview = case.sealed.command(&official);
            preview.args(["preview", "--expect-no-changes", "--non-interactive"]);
            preview.args(["--stack", text(&stack["stack"]), "--cwd", text(&stack["program"])]);
            // It has its own `random` beside it.
            preview.env("PULUMI_IGNORE_AMBIENT_PLUGINS", "false");
            case.sealed.launch(preview, None).wait().exits(0);
        }
    }
    // To look at what is left, or have another engine look at it.
    if let Some(keep) = std::env::var_os("PURLIN_TEST_KEEP") {
        copy_folder(case.sealed.directory(), &std::path::Path::new(&keep).join(name));
    }
}

/// Every file of the backend with its content.
fn bucket_files(case: &Case) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    files_below(case.sealed.bucket()).into_iter().map(|p| (p.clone(), std::fs::read(p).unwrap())).collect()
}

macro_rules! cases {
    ($($test:ident = $folder:literal),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                take_over($folder);
            }
        )*

        /// Every fixture has a test.
        #[test]
        fn no_fixture_is_left_out() {
            let mut tested = vec![$($folder),*];
            tested.sort_unstable();
            let mut folders: Vec<String> = std::fs::read_dir(repository(FIXTURES))
                .unwrap()
                .flatten()
                .filter(|e| e.path().join("case.json").exists())
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .collect();
            folders.sort_unstable();
            assert_eq!(folders, tested);
        }
    };
}

cases! {
    aliases = "aliases",
    dbr = "dbr",
    dbr_interrupted = "dbr-interrupted",
    explicit_provider = "explicit-provider",
    failed_halfway = "failed-halfway",
    kinds = "kinds",
    kinds_python = "kinds-python",
    pending_operations = "pending-operations",
    protected = "protected",
    provider_upgrade = "provider-upgrade",
    python_random = "python-random",
    remote_component = "remote-component",
    remote_method = "remote-method",
    renamed_parent = "renamed-parent",
    retain = "retain",
    retain_removed = "retain-removed",
    secrets = "secrets",
    stack_reference = "stack-reference",
}
