//! The official CLI and Purlin work on the same stacks in turn.
//!
//! What needs the official CLI runs where a `pulumi` is on `PATH` that isn't Purlin, and says so
//! otherwise. What it left of stacks in `tests/fixtures/forced` is looked at in any case.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Bucket, Ran, Sealed, copy_folder, files_below, repository};

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];
const UNCHANGED: [&str; 2] = ["preview", "--expect-no-changes"];

/// Where state is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Directory,
    S3,
}

impl Place {
    fn folder(self) -> &'static str {
        match self {
            Place::Directory => "directory",
            Place::S3 => "s3",
        }
    }
}

const PLACES: [Place; 2] = [Place::Directory, Place::S3];

/// A stack that both CLIs use.
struct Both {
    sealed: Sealed,
    /// `None` where only what the official one has left is looked at.
    official: Option<PathBuf>,
    bucket: Option<Bucket>,
}

/// The `pulumi` on `PATH`, unless it is Purlin.
pub(crate) fn official() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join("pulumi")).find(|file| file.is_file());
    let other = found.filter(|program| {
        let sealed = Sealed::new();
        let mut about = sealed.command(program);
        about.args(["about", "--json"]);
        let about = sealed.launch(about, None).wait();
        serde_json::from_str::<Value>(&about.stdout)
            .is_ok_and(|about| about["cliAbout"]["purlinVersion"].is_null())
    });
    if other.is_none() {
        println!("skipped: no `pulumi` on PATH that is not Purlin");
    }
    other
}

/// A program, another one in each round: one value changes, one object is replaced, one goes and one
/// comes.
fn program(round: u32) -> String {
    format!(
        r#"name: hops
runtime: yaml
config:
  token: {{ type: string }}
resources:
  first: {{ type: faultcloud:Object, properties: {{ value: v{round}, secretValue: "${{token}}" }} }}
  second:
    type: faultcloud:Object
    properties: {{ value: "${{first.arn}}", replaceOn: r{round} }}
    options: {{ parent: "${{first}}" }}
  round{round}: {{ type: faultcloud:Object, properties: {{ value: "${{second.arn}}" }} }}
  group: {{ type: faultcloud:Group, properties: {{ count: 2 }} }}
outputs:
  hidden: {{ fn::secret: "${{first.secretOutput}}" }}
  arn: ${{second.arn}}
"#
    )
}

impl Both {
    /// Nothing yet.
    fn empty(place: Place, official: Option<PathBuf>) -> Both {
        let mut sealed = Sealed::new();
        let bucket = (place == Place::S3).then(Bucket::new);
        if let Some(bucket) = &bucket {
            bucket.used_by(&mut sealed);
        }
        sealed.install("faultcloud", "1.0.0");
        Both { sealed, official, bucket }
    }

    /// A stack that the official CLI has made.
    fn new(place: Place) -> Option<Both> {
        let both = Both::empty(place, Some(official()?));
        both.sealed.write("Pulumi.yaml", &program(1));
        both.theirs(["stack", "init", "dev"]).exits(0);
        both.theirs(["config", "set", "--secret", "token", "top"]).exits(0);
        both.theirs(UP).exits(0);
        Some(both)
    }

    #[track_caller]
    fn theirs<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
        let mut command = self.sealed.command(self.official.as_ref().unwrap());
        command.args(arguments).arg("--non-interactive");
        self.sealed.launch(command, None).wait()
    }

    #[track_caller]
    fn ours<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
        self.sealed.run(arguments.into_iter().chain(["--non-interactive"]))
    }

    /// What the backend keeps, by key.
    fn kept(&self) -> Vec<(String, Vec<u8>)> {
        if let Some(bucket) = &self.bucket {
            return bucket.keys("").into_iter().map(|key| (key.clone(), bucket.read(&key))).collect();
        }
        let root = self.sealed.bucket().join(".pulumi");
        let key = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        files_below(&root).iter().map(|path| (key(path), std::fs::read(path).unwrap())).collect()
    }

    fn locks(&self) -> usize {
        self.kept().iter().filter(|(key, _)| key.starts_with("locks/")).count()
    }

    /// Takes out of the state where in somebody's sources its resources were registered.
    fn forget_places(&self) {
        let key = "stacks/hops/dev.json";
        let (_, text) = self.kept().into_iter().find(|(kept, _)| kept == key).unwrap();
        let mut state: Value = serde_json::from_slice(&text).unwrap();
        for resource in state["checkpoint"]["latest"]["resources"].as_array_mut().unwrap() {
            for place in ["sourcePosition", "stackTrace"] {
                resource.as_object_mut().unwrap().remove(place);
            }
        }
        match &self.bucket {
            Some(bucket) => bucket.write(key, state.to_string()),
            None => {
                std::fs::write(self.sealed.bucket().join(".pulumi").join(key), state.to_string()).unwrap();
            }
        }
    }

    /// Keeps what counts of the case, as a fixture.
    fn keep(&self, to: &Path) {
        copy_folder(self.sealed.directory(), &to.join("program"));
        copy_folder(&self.sealed.cloud().join("objects"), &to.join("cloud/objects"));
        // Leases are of processes that nobody knows elsewhere.
        let counts = |key: &str| {
            key == "meta.yaml" || key == "stacks/hops/dev.json" || key.starts_with("purlin/hops/dev/")
        };
        for (key, bytes) in self.kept() {
            if counts(&key) && !key.contains("/lease.") {
                let path = to.join("bucket/.pulumi").join(key);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
        }
    }

    /// A run of Purlin dies while it makes `round2`.
    fn crash(&self) {
        self.sealed.write("Pulumi.yaml", &program(2));
        self.sealed.faults(&json!({ "round2": { "stallAfter": ["create"] } }));
        let mut running = self.sealed.start(UP, None);
        running.until("a create that hangs", || {
            self.sealed.objects().values().any(|object| object["urn"].as_str().unwrap().ends_with("::round2"))
        });
        running.kill();
        self.sealed.faults(&Value::Null);
        assert_eq!(self.locks(), 1);
    }
}

#[test]
fn a_stack_goes_back_and_forth_without_a_change() {
    for place in PLACES {
        let Some(both) = Both::new(place) else { return };
        both.ours(UNCHANGED).exits(0);
        both.sealed.write("Pulumi.yaml", &program(2));
        both.ours(UP).exits(0);
        both.theirs(UNCHANGED).exits(0);
        both.theirs(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);
        both.ours(UNCHANGED).exits(0);
        both.sealed.write("Pulumi.yaml", &program(3));
        both.theirs(UP).exits(0);
        both.ours(UNCHANGED).exits(0);
        // A run that finds nothing to do writes a state as well.
        both.ours(["up", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);
        both.ours(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);
        both.theirs(UNCHANGED).exits(0);
        let secret = both.theirs(["stack", "output", "hidden", "--show-secrets"]).exits(0);
        assert_eq!(secret.stdout, both.ours(["stack", "output", "hidden", "--show-secrets"]).exits(0).stdout);
        assert_eq!(both.locks(), 0);
        both.ours(["destroy", "--yes", "--skip-preview"]).exits(0);
        both.theirs(["stack", "rm", "dev", "--yes"]).exits(0);
        assert_eq!(both.ours(["stack", "ls", "--json"]).exits(0).json(), json!([]), "{place:?}");
    }
}

#[test]
fn a_crashed_run_keeps_the_official_commands_out_until_it_is_recovered() {
    for place in PLACES {
        let Some(both) = Both::new(place) else { return };
        let export = both.sealed.root().join("export.json");
        let export = export.to_str().unwrap();
        both.theirs(["stack", "export", "--file", export]).exits(0);
        both.crash();
        let (kept, objects) = (both.kept(), both.sealed.objects());
        let urn = "urn:pulumi:dev::hops::faultcloud:index:Object::round1";
        let writing: [&[&str]; 8] = [
            &UP,
            &["refresh", "--yes", "--skip-preview"],
            &["destroy", "--yes", "--skip-preview"],
            &["state", "delete", urn, "--yes"],
            &["state", "unprotect", urn, "--yes"],
            &["stack", "import", "--file", export],
            &["stack", "rename", "other"],
            &["stack", "rm", "--yes", "--force"],
        ];
        for command in writing {
            let refused = both.theirs(command.iter().copied());
            assert_ne!(refused.code, Some(0), "{place:?}: {refused}");
            assert!(refused.output().contains("locked by 1 lock"), "{place:?}: {refused}");
            assert!(both.kept() == kept, "{place:?}: {command:?} has changed the backend");
        }
        assert_eq!(both.sealed.objects(), objects);
        both.theirs(["preview"]).exits(0);

        let ran = both.ours(UP).exits(0);
        assert!(ran.output().contains("round2"), "{ran}");
        assert_eq!(both.locks(), 0);
        both.theirs(UNCHANGED).exits(0);
        both.theirs(UP).exits(0);
        both.ours(UNCHANGED).exits(0);
    }
}

#[test]
fn what_was_forced_on_a_crashed_run_is_not_mixed_with_its_journal() {
    for place in PLACES {
        let Some(both) = Both::new(place) else { return };
        let keep = std::env::var_os("PURLIN_TEST_KEEP").map(PathBuf::from);
        if keep.is_some() {
            both.forget_places();
        }
        both.crash();
        both.theirs(["cancel", "--yes"]).exits(0);
        both.theirs(UP).exits(0);
        if let Some(keep) = keep {
            both.forget_places();
            both.keep(&keep.join("forced").join(place.folder()));
        }
        nothing_is_folded(&both);
        both.theirs(UNCHANGED).exits(0);
    }
}

#[test]
fn what_the_official_cli_left_of_a_crashed_run_is_not_mixed_with_its_journal() {
    for place in PLACES {
        let mut both = Both::empty(place, None);
        let kept = repository("tests/fixtures/forced").join(place.folder());
        let case = both.sealed.root().join("case");
        copy_folder(&kept, &case);
        both.sealed.enter(&case.join("program"));
        both.sealed.use_cloud(&case.join("cloud"));
        match &both.bucket {
            None => both.sealed.use_bucket(&case.join("bucket")),
            Some(bucket) => {
                let root = case.join("bucket/.pulumi");
                for path in files_below(&root) {
                    let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
                    bucket.write(key, std::fs::read(&path).unwrap());
                }
            }
        }
        both.ours(["stack", "select", "dev"]).exits(0);
        nothing_is_folded(&both);
    }
}

/// Purlin says what its journal knows, and leaves state and journal as they are until it is told to
/// set the journal aside.
fn nothing_is_folded(both: &Both) {
    let (kept, objects) = (both.kept(), both.sealed.objects());
    let commands: [&[&str]; 4] =
        [&["preview"], &UP, &["destroy", "--yes", "--skip-preview"], &["stack", "export"]];
    for command in commands {
        let refused = both.ours(command.iter().copied()).exits(1);
        let said = refused.output();
        assert!(said.contains("nothing was folded in"), "{refused}");
        assert!(said.contains("::round2") && said.contains("may have succeeded"), "{refused}");
        assert!(said.contains("state repair"), "{refused}");
        assert!(
            without_leases(both.kept()) == without_leases(kept.clone()),
            "{command:?} has changed the backend"
        );
    }
    assert_eq!(both.sealed.objects(), objects);
    both.ours(["state", "repair", "--yes"]).exits(0);
    both.ours(UNCHANGED).exits(0);
    assert_eq!(both.locks(), 0);
}

/// The state and everything that is known of it, without notes about who looks at it just now.
fn without_leases(kept: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    kept.into_iter().filter(|(key, _)| !key.contains("/lease.") && !key.contains("/epoch.")).collect()
}
