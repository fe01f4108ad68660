//! A folder that holds everything a run of the binary may see.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::{Call, Ran, calls, files_below, prepared};

/// After so many naps a run counts as stuck. Not a measure of speed: no test comes near it. Naps are
/// counted since time goes on while the tests are paused as a whole, and naps do not.
const STUCK: u32 = 36_000;

/// How long to wait before looking again.
const NAP: Duration = Duration::from_millis(5);

/// The binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_purlin");

/// The passphrase of stacks made by tests.
pub(crate) const PASSPHRASE: &str = "correct horse";

/// A folder that holds everything a run of the binary may see: home, plugins, backend, cloud, program.
pub(crate) struct Sealed {
    root: tempfile::TempDir,
    variables: BTreeMap<String, OsString>,
    directory: PathBuf,
    bucket: PathBuf,
    cloud: PathBuf,
}

impl Sealed {
    /// An empty one: no plugins, no stacks, nothing in the cloud.
    pub(crate) fn new() -> Sealed {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().canonicalize().unwrap();
        let (bucket, cloud, directory) = (top.join("bucket"), top.join("cloud"), top.join("program"));
        for folder in [&bucket, &cloud, &directory, &top.join("home"), &top.join("pulumi"), &top.join("tmp")]
        {
            std::fs::create_dir(folder).unwrap();
        }
        let mut sealed = Sealed { root, variables: BTreeMap::new(), directory, bucket, cloud };
        sealed.set("PATH", std::env::var_os("PATH").unwrap_or_default());
        sealed.set("HOME", top.join("home"));
        sealed.set("TMPDIR", top.join("tmp"));
        sealed.set("USER", "tester");
        sealed.set("LANG", "C.UTF-8");
        sealed.set("PULUMI_HOME", top.join("pulumi"));
        sealed.set("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
        sealed.set("PULUMI_SKIP_UPDATE_CHECK", "true");
        sealed.set("PULUMI_IGNORE_AMBIENT_PLUGINS", "true");
        sealed.set("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true");
        let (bucket, cloud) = (sealed.bucket.clone(), sealed.cloud.clone());
        sealed.use_bucket(&bucket);
        sealed.use_cloud(&cloud);
        sealed
    }

    /// Everything is below this folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    /// The program's folder, where runs start.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The test provider's cloud.
    pub(crate) fn cloud(&self) -> &Path {
        &self.cloud
    }

    /// The folder of the backend.
    pub(crate) fn bucket(&self) -> &Path {
        &self.bucket
    }

    /// Runs start here from now on.
    pub(crate) fn enter(&mut self, directory: &Path) {
        self.directory = directory.to_path_buf();
    }

    /// State is here from now on.
    pub(crate) fn use_bucket(&mut self, bucket: &Path) {
        self.bucket = bucket.to_path_buf();
        self.set("PULUMI_BACKEND_URL", format!("file://{}", bucket.display()));
    }

    /// The test provider's cloud is here from now on.
    pub(crate) fn use_cloud(&mut self, cloud: &Path) {
        self.cloud = cloud.to_path_buf();
        self.set("FAULTCLOUD_DIR", cloud);
    }

    /// Sets an environment variable for the runs that follow.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Takes an environment variable away.
    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// Puts a provider plugin in place.
    pub(crate) fn install(&self, name: &str, version: &str) {
        let folder = self.root().join(format!("pulumi/plugins/resource-{name}-v{version}"));
        std::fs::create_dir_all(&folder).unwrap();
        symlink(prepared::plugin(name, version), folder.join(format!("pulumi-resource-{name}"))).unwrap();
    }

    /// Lets Python programs find the packages that tests use.
    pub(crate) fn use_python(&mut self) {
        let mut path = prepared::path("python/venv/bin").into_os_string();
        path.push(":");
        path.push(&self.variables["PATH"]);
        self.set("PATH", path);
    }

    /// Lets the Node program find the packages that tests use.
    pub(crate) fn use_node(&self) {
        symlink(prepared::path("node/node_modules"), self.directory.join("node_modules")).unwrap();
    }

    /// Lets Go programs be built from what the machine has downloaded and built before.
    pub(crate) fn use_go(&mut self) {
        for name in ["GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GOFLAGS", "GOTOOLCHAIN"] {
            let asked = Command::new("go").args(["env", name]).output().unwrap();
            self.set(name, String::from_utf8(asked.stdout).unwrap().trim());
        }
    }

    /// Writes a file of the program.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).unwrap();
    }

    /// Faults of the test provider's next calls; `null` for none.
    pub(crate) fn faults(&self, faults: &Value) {
        let path = self.cloud.join("faults.json");
        if faults.is_null() {
            std::fs::remove_file(path).unwrap();
        } else {
            std::fs::write(path, faults.to_string()).unwrap();
        }
    }

    /// Runs the binary and waits for its end.
    #[track_caller]
    pub(crate) fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
        self.start(arguments, None).wait()
    }

    /// Runs the binary with something to read.
    #[track_caller]
    pub(crate) fn run_with_input<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        input: &str,
    ) -> Ran {
        self.start(arguments, Some(input)).wait()
    }

    /// Starts the binary.
    pub(crate) fn start<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        input: Option<&str>,
    ) -> Running {
        let mut command = self.command(BINARY);
        command.args(arguments);
        self.launch(command, input)
    }

    /// A program to be run in the sealed surrounding.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).env_clear().envs(&self.variables);
        command
    }

    /// Starts a program of which everything is to be heard.
    pub(crate) fn launch(&self, mut command: Command, input: Option<&str>) -> Running {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Whoever doesn't read its input has closed it.
        let _ = stdin.write_all(input.unwrap_or_default().as_bytes());
        drop(stdin);
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let words: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        let command = format!("{} {}", command.get_program().to_string_lossy(), words.join(" "));
        Running { command, child, stdout, stderr }
    }

    /// The calls that reached the test provider so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        calls::read(&self.cloud.join("calls.log"))
    }

    /// Forgets the calls so far.
    pub(crate) fn forget_calls(&self) {
        let log = self.cloud.join("calls.log");
        if log.exists() {
            std::fs::remove_file(log).unwrap();
        }
    }

    /// What is in the test provider's cloud, by id. Providers may be at work meanwhile.
    pub(crate) fn objects(&self) -> BTreeMap<String, Value> {
        let files = files_below(&self.cloud.join("objects"));
        let whole = files.iter().filter(|path| path.extension().is_some_and(|e| e == "json"));
        let texts = whole.filter_map(|path| std::fs::read(path).ok());
        let objects = texts.map(|text| serde_json::from_slice::<Value>(&text).unwrap());
        objects.map(|o| (o["id"].as_str().unwrap().to_owned(), o)).collect()
    }

    /// The state of a stack as its file has it.
    pub(crate) fn checkpoint(&self, project: &str, stack: &str) -> Value {
        let path = self.bucket.join(format!(".pulumi/stacks/{project}/{stack}.json"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// Files outside the cloud that hold a text in clear.
    pub(crate) fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let holds = |path: &PathBuf| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        files_below(&self.root()).into_iter().filter(|p| !p.starts_with(&self.cloud)).filter(holds).collect()
    }
}

/// A run of the binary that has not ended yet.
pub(crate) struct Running {
    command: String,
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Running {
    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        let mut naps = 0;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if naps > STUCK {
                self.child.kill().unwrap();
                let ran = self.ran(None);
                panic!("stuck, and killed:\n{ran}");
            }
            naps += 1;
            std::thread::sleep(NAP);
        };
        self.ran(status.code())
    }

    /// Waits until something has come about, the run still going on.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut true_now: impl FnMut() -> bool) {
        let mut naps = 0;
        while !true_now() {
            assert!(self.child.try_wait().unwrap().is_none(), "{} ended before {what}", self.command);
            assert!(naps < STUCK, "{}: still waiting for {what}", self.command);
            naps += 1;
            std::thread::sleep(NAP);
        }
    }

    /// Whether the run has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the process a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Kills the process as hard as can be.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn ran(self, code: Option<i32>) -> Ran {
        let (stdout, stderr) = (self.stdout.join().unwrap(), self.stderr.join().unwrap());
        Ran { command: self.command, code, stdout, stderr }
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before a failure to read is what there is.
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
