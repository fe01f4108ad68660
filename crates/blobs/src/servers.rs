//! The servers that tests are given: an address with user and password, and the bucket as its path, in
//! a variable for each kind.

use std::sync::Arc;

use purlin_ports::Blobs;

use crate::{Surroundings, open};

/// A kind of server, by its scheme, and the variable with the address of one.
pub const KINDS: &[(&str, &str)] =
    &[("s3", "PURLIN_TEST_S3"), ("gs", "PURLIN_TEST_GCS"), ("azblob", "PURLIN_TEST_AZURE")];

/// A backend on a server for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBackend {
    /// The backend's URL.
    pub url: String,
    /// The variables that go with it.
    pub variables: Vec<(&'static str, String)>,
}

/// The backend below a prefix of the bucket at an address. `None` if the address or the scheme makes
/// no sense.
pub fn backend(scheme: &str, address: &str, prefix: &str) -> Option<ServerBackend> {
    let (http, rest) = address.split_once("://")?;
    let (account, place) = rest.split_once('@')?;
    let (user, password) = account.split_once(':')?;
    let (host, bucket) = place.split_once('/')?;
    let (url, variables) = match scheme {
        "s3" => (
            format!("s3://{bucket}/{prefix}?region=us-east-1&endpoint={http}://{host}&s3ForcePathStyle=true"),
            vec![("AWS_ACCESS_KEY_ID", user.to_owned()), ("AWS_SECRET_ACCESS_KEY", password.to_owned())],
        ),
        "gs" => {
            (format!("gs://{bucket}/{prefix}"), vec![("STORAGE_EMULATOR_HOST", format!("{http}://{host}"))])
        }
        "azblob" => (
            format!("azblob://{bucket}/{prefix}?localemu=true&domain={host}&protocol={http}"),
            vec![("AZURE_STORAGE_ACCOUNT", user.to_owned()), ("AZURE_STORAGE_KEY", password.to_owned())],
        ),
        _ => return None,
    };
    Some(ServerBackend { url, variables })
}

impl ServerBackend {
    /// The adapter.
    pub fn open(&self) -> Result<Arc<dyn Blobs>, purlin_diag::Diagnostic> {
        let variable = |name: &str| {
            self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        open(&self.url, &Surroundings { variable: &variable, home: None })
    }
}
