//! The servers that there are: what they are called, who needs them, where they come from.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::servers::guard::Launch;
use crate::servers::{BUCKET, install, launch};
use crate::test_env::TestEnv;

/// Who may use the servers. Nothing of it is a secret: they listen on this machine only.
pub(super) const USER: &str = "purlin";
pub(super) const PASSWORD: &str = "purlin-tests-only";
/// The same for Azurite, which wants base64.
pub(super) const AZURE_KEY: &str = "cHVybGluLXRlc3RzLW9ubHktcHVybGlu";

/// A server that tests talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// S3 with conditional writes: versitygw over a folder.
    S3,
    /// Google Cloud Storage: fake-gcs-server, in memory.
    Gcs,
    /// Azure Blob Storage: Azurite, in memory.
    Azure,
    /// PostgreSQL itself.
    Postgres,
    /// AWS KMS: moto, in memory.
    AwsKms,
}

/// How it shows that a server can be talked to.
pub(super) enum Ready {
    /// It answers a request for this path.
    AnswersHttp(&'static str),
    /// It prints this text.
    Prints(&'static str),
}

impl Kind {
    /// All there are.
    pub(super) const ALL: [Kind; 5] = [Kind::S3, Kind::Gcs, Kind::Azure, Kind::Postgres, Kind::AwsKms];

    /// What it is called on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::S3 => "s3",
            Kind::Gcs => "gcs",
            Kind::Azure => "azure",
            Kind::Postgres => "postgres",
            Kind::AwsKms => "aws-kms",
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
            Kind::Gcs => "PURLIN_TEST_GCS",
            Kind::Azure => "PURLIN_TEST_AZURE",
            Kind::Postgres => "PURLIN_TEST_POSTGRES",
            Kind::AwsKms => "PURLIN_TEST_AWS_KMS",
        }
    }

    /// The packages whose tests talk to it.
    pub(super) fn packages(self) -> &'static [&'static str] {
        match self {
            Kind::S3 | Kind::Gcs | Kind::Azure | Kind::Postgres => {
                &["purlin-blobs", "purlin-state", "purlin-testkit", "purlin"]
            }
            Kind::AwsKms => &["purlin-secrets", "purlin"],
        }
    }

    /// What the variable holds.
    pub(super) fn address(self, port: u16) -> String {
        match self {
            Kind::Postgres => {
                format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres?sslmode=disable")
            }
            Kind::Azure => format!("http://{USER}:{AZURE_KEY}@127.0.0.1:{port}/{BUCKET}"),
            Kind::S3 | Kind::Gcs => format!("http://{USER}:{PASSWORD}@127.0.0.1:{port}/{BUCKET}"),
            Kind::AwsKms => format!("http://{USER}:{PASSWORD}@127.0.0.1:{port}"),
        }
    }

    /// Builds or installs it; whether there was something to do.
    pub(super) fn prepare(self, env: &TestEnv) -> Result<bool> {
        match self {
            Kind::S3 => install::go_program(env, self, "github.com/versity/versitygw/cmd/versitygw@v1.8.0"),
            Kind::Gcs => install::go_program(env, self, "github.com/fsouza/fake-gcs-server@v1.56.1"),
            Kind::Azure => install::npm_package(env, self, "azurite", "3.35.0"),
            Kind::Postgres => install::npm_package(env, self, &launch::postgres_package()?, "17.5.0-beta.15"),
            Kind::AwsKms => {
                install::python_packages(env, self, &["moto==5.1.22", "flask==3.1.3", "flask-cors==6.0.5"])
            }
        }
    }

    /// How it is started. `attempt` counts from zero; a kind may try another way each time.
    pub(super) fn launch(self, env: &TestEnv, folder: &Path, port: u16, attempt: u32) -> Result<Launch> {
        match self {
            Kind::S3 => launch::s3(&install::program(env, self), folder, port, attempt),
            Kind::Gcs => Ok(launch::gcs(&install::program(env, self), port)),
            Kind::Azure => Ok(launch::azure(&self.home(env), port)),
            Kind::Postgres => launch::postgres(&self.home(env), folder, port),
            Kind::AwsKms => Ok(launch::moto(&self.home(env), port)),
        }
    }

    /// How it shows that it is ready.
    pub(super) fn ready(self) -> Ready {
        match self {
            Kind::S3 => Ready::AnswersHttp("/"),
            Kind::Gcs => Ready::AnswersHttp("/_internal/healthcheck"),
            Kind::Azure => Ready::Prints("successfully listens"),
            Kind::Postgres => Ready::Prints("database system is ready to accept connections"),
            Kind::AwsKms => Ready::AnswersHttp("/moto-api/"),
        }
    }

    /// Makes what tests expect to be there, once it runs.
    pub(super) fn furnish(self, port: u16) -> Result<()> {
        match self {
            Kind::S3 | Kind::Postgres | Kind::AwsKms => Ok(()),
            Kind::Gcs => launch::gcs_bucket(port),
            Kind::Azure => launch::azure_container(port),
        }
    }

    /// Where its programs are.
    pub(super) fn home(self, env: &TestEnv) -> PathBuf {
        env.root().join("servers").join(self.name())
    }
}
