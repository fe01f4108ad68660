//! The servers that `cargo xtask test` starts, as tests find them.
//!
//! Each has a variable of its own, whose value is a URL with the credentials and the name of a
//! bucket that is there. Tests share the bucket: each keeps to a prefix of its own.

use std::net::SocketAddr;

/// A server that tests talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// S3 with conditional writes. The user is the access key, the password its secret, the path the
    /// bucket; the region is `us-east-1`, buckets stand in the path.
    S3,
    /// Google Cloud Storage. Anybody may do anything; the path is the bucket.
    Gcs,
    /// Azure Blob Storage. The user is the account, the password its key, the path the container.
    Azure,
    /// PostgreSQL. The path is the database, in which every test makes tables of its own.
    Postgres,
    /// AWS KMS (and all else that moto knows). Anybody may do anything; there are no keys yet.
    AwsKms,
}

/// Where a server is and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The URL without user and path: `http://127.0.0.1:4711`.
    pub endpoint: String,
    /// The host and port: `127.0.0.1:4711`.
    pub authority: String,
    /// The user or access key.
    pub user: String,
    /// The password or secret.
    pub password: String,
    /// The bucket, container or database.
    pub bucket: String,
}

impl Server {
    /// The variable that names it.
    pub fn variable(self) -> &'static str {
        match self {
            Server::S3 => "PURLIN_TEST_S3",
            Server::Gcs => "PURLIN_TEST_GCS",
            Server::Azure => "PURLIN_TEST_AZURE",
            Server::Postgres => "PURLIN_TEST_POSTGRES",
            Server::AwsKms => "PURLIN_TEST_AWS_KMS",
        }
    }

    /// The name that `cargo xtask servers` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Server::S3 => "s3",
            Server::Gcs => "gcs",
            Server::Azure => "azure",
            Server::Postgres => "postgres",
            Server::AwsKms => "aws-kms",
        }
    }

    /// Where it is. Variables are looked up by the caller: `Server::S3.find(|name|
    /// std::env::var(name).ok())`.
    ///
    /// # Panics
    ///
    /// When the variable isn't set or makes no sense; the message says how to start the server.
    pub fn find(self, variable: impl Fn(&str) -> Option<String>) -> Found {
        let name = self.variable();
        let Some(value) = variable(name) else {
            panic!(
                "{name} is not set, so there is no server to talk to: run the tests with `cargo xtask test`, which \
                 starts it, or one of them with `cargo xtask servers {} -- cargo test …`",
                self.name()
            );
        };
        Found::parse(&value)
            .unwrap_or_else(|| panic!("{name} is '{value}', not scheme://user:password@host:port/bucket"))
    }
}

/// A backend: its URL, and the variables with the credentials that go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The URL, as the command line takes it.
    pub url: String,
    /// The variables that say who asks.
    pub variables: Vec<(&'static str, String)>,
}

impl Backend {
    /// The value of one of its variables.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }
}

impl Server {
    /// A backend on such a server, below a prefix of the bucket that is there; on PostgreSQL in a
    /// table of that name. Prefixes have letters, digits and hyphens.
    ///
    /// # Panics
    ///
    /// For a server that isn't a place for state.
    pub fn backend(self, found: &Found, prefix: &str) -> Backend {
        let Found { endpoint, authority, user, password, bucket } = found;
        let (url, variables) = match self {
            Server::S3 => (
                format!("s3://{bucket}/{prefix}?region=us-east-1&endpoint={endpoint}&s3ForcePathStyle=true"),
                vec![("AWS_ACCESS_KEY_ID", user.clone()), ("AWS_SECRET_ACCESS_KEY", password.clone())],
            ),
            Server::Postgres => {
                let table = prefix.replace('-', "_");
                let server = format!("{user}:{password}@{authority}/{bucket}");
                (format!("postgres://{server}?sslmode=disable&table={table}"), Vec::new())
            }
            Server::Azure => (
                format!("azblob://{bucket}/{prefix}?localemu=true&domain={authority}&protocol=http"),
                vec![("AZURE_STORAGE_ACCOUNT", user.clone()), ("AZURE_STORAGE_KEY", password.clone())],
            ),
            Server::Gcs => {
                (format!("gs://{bucket}/{prefix}"), vec![("STORAGE_EMULATOR_HOST", authority.clone())])
            }
            Server::AwsKms => panic!("no state is kept by {}", self.name()),
        };
        Backend { url, variables }
    }
}

impl Found {
    /// The same behind another address, such as that of a proxy.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Found {
        let scheme = self.endpoint.split("://").next().unwrap_or_default();
        let endpoint = format!("{scheme}://{address}");
        Found { endpoint, authority: address.to_string(), ..self.clone() }
    }

    fn parse(url: &str) -> Option<Found> {
        let (scheme, rest) = url.split_once("://")?;
        let (user, rest) = rest.rsplit_once('@')?;
        let (user, password) = user.split_once(':')?;
        let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
        let (authority, bucket) = rest.split_once('/').unwrap_or((rest, ""));
        Some(Found {
            endpoint: format!("{scheme}://{authority}"),
            authority: authority.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            bucket: bucket.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_by_its_variable() {
        let found = Server::S3.find(|name| {
            (name == "PURLIN_TEST_S3").then(|| "http://key:secret@127.0.0.1:4711/bucket".to_owned())
        });
        assert_eq!(found.endpoint, "http://127.0.0.1:4711");
        assert_eq!((found.user.as_str(), found.password.as_str()), ("key", "secret"));
        assert_eq!((found.authority.as_str(), found.bucket.as_str()), ("127.0.0.1:4711", "bucket"));
    }

    #[test]
    #[should_panic(expected = "cargo xtask servers s3")]
    fn without_a_server_a_test_fails_and_says_how_to_start_it() {
        Server::S3.find(|_| None);
    }
}
