//! The servers that there are: where they come from, how they are started, what they are called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::servers::guard::Launch;
use crate::servers::{BUCKET, quietly};
use crate::test_env::TestEnv;
use crate::tools::{self, GO};

/// The module and version of the S3 server.
const S3_MODULE: &str = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";

/// Who may use the servers. Nothing of it is a secret: they listen on this machine only.
const USER: &str = "purlin";
const PASSWORD: &str = "purlin-tests-only";

/// A server that tests talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// S3 with conditional writes: versitygw over a folder.
    S3,
}

/// How it shows that a server can be talked to.
pub(super) enum Ready {
    /// It answers a request for this path.
    AnswersHttp(&'static str),
    /// It prints this text.
    #[expect(dead_code)]
    Prints(&'static str),
}

impl Kind {
    /// All there are.
    pub(super) const ALL: [Kind; 1] = [Kind::S3];

    /// What it is called on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::S3 => "s3",
        }
    }

    /// The server with a name.
    pub(super) fn named(name: &str) -> Result<Kind> {
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let Some(kind) = found else {
            bail!("there is no server '{name}'; there are {}", Kind::ALL.map(Kind::name).join(", "))
        };
        Ok(kind)
    }

    /// The variable that tests find it by.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Kind::S3 => "PURLIN_TEST_S3",
        }
    }

    /// The packages whose tests talk to it.
    pub(super) fn packages(self) -> &'static [&'static str] {
        match self {
            Kind::S3 => &["purlin-blobs", "purlin-state", "purlin-testkit", "purlin"],
        }
    }

    /// What the variable holds.
    pub(super) fn address(self, port: u16) -> String {
        match self {
            Kind::S3 => format!("http://{USER}:{PASSWORD}@127.0.0.1:{port}/{BUCKET}"),
        }
    }

    /// Builds or installs it; whether there was something to do.
    pub(super) fn prepare(self, env: &TestEnv) -> Result<bool> {
        match self {
            Kind::S3 => go_program(env, self, S3_MODULE),
        }
    }

    /// How it is started. `attempt` counts from zero; a kind may try another way each time.
    pub(super) fn launch(self, env: &TestEnv, folder: &Path, port: u16, attempt: u32) -> Result<Launch> {
        match self {
            Kind::S3 => s3(&program(env, self), folder, port, attempt),
        }
    }

    /// How it shows that it is ready.
    pub(super) fn ready(self) -> Ready {
        match self {
            Kind::S3 => Ready::AnswersHttp("/"),
        }
    }

    /// Makes what tests expect to be there, once it runs.
    pub(super) fn furnish(self, _port: u16, _folder: &Path) -> Result<()> {
        match self {
            Kind::S3 => Ok(()),
        }
    }

    /// Where its programs are.
    fn home(self, env: &TestEnv) -> PathBuf {
        env.root().join("servers").join(self.name())
    }
}

/// The one program of a server that is built from Go.
fn program(env: &TestEnv, kind: Kind) -> PathBuf {
    kind.home(env).join(format!("server{}", std::env::consts::EXE_SUFFIX))
}

/// Builds a program from a module that Go's proxy serves.
fn go_program(env: &TestEnv, kind: Kind, module: &str) -> Result<bool> {
    let go = tools::require(&[&GO])?.concat();
    let result = program(env, kind);
    env.part(&format!("server-{}", kind.name()), &format!("{go}\n{module}"), &result, || {
        let folder = kind.home(env);
        crate::run::fresh_folder(&folder)?;
        let mut install = GO.command();
        // Without symbols: these programs are large, and nobody looks into them.
        install.args(["install", "-buildvcs=false", "-ldflags=-s -w", module]);
        quietly(install.env("GOBIN", &folder).current_dir(&folder))?;
        let built = std::fs::read_dir(&folder)?.flatten().next();
        let Some(built) = built else { bail!("nothing was built from {module}") };
        std::fs::rename(built.path(), &result)?;
        Ok(())
    })
}

fn s3(program: &Path, folder: &Path, port: u16, attempt: u32) -> Result<Launch> {
    let (root, beside) = (folder.join("root"), folder.join("beside"));
    // A folder at the top is a bucket.
    std::fs::create_dir_all(root.join(BUCKET))?;
    std::fs::create_dir_all(&beside)?;
    let mut command: Vec<OsString> = vec![program.into()];
    command.extend(["--quiet", "--port"].map(Into::into));
    command.push(format!("127.0.0.1:{port}").into());
    command.push("posix".into());
    if attempt > 0 {
        // Where the file system has no extended attributes they are kept in files.
        command.extend(["--sidecar".into(), beside.into()]);
    }
    command.push(root.into());
    let variables =
        vec![("ROOT_ACCESS_KEY_ID", USER.to_owned()), ("ROOT_SECRET_ACCESS_KEY", PASSWORD.to_owned())];
    Ok(Launch { command, variables, user: None })
}
