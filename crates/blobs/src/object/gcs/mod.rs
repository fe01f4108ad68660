//! Google Cloud Storage, by its JSON interface.
//!
//! `STORAGE_EMULATOR_HOST` names a server for tests, which asks for no credentials. Of the URL's options
//! `anonymous` and `universe_domain` are known; `access_id` and `private_key_path` only sign
//! links, which nothing here makes.

mod answers;
mod requests;

use std::sync::Arc;

use purlin_credentials::google::{HINT, Tokens};
use purlin_diag::Diagnostic;
use purlin_ports::Blobs;
use url::Url;

use super::{CONNECT_TIMEOUT, TIMEOUT, prefix};
use crate::{BlobUrl, Surroundings};
use requests::JsonObjects;

const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// The bucket that a URL names. Makes no request.
pub(super) fn open(url: &BlobUrl, around: &Surroundings<'_>) -> Result<Arc<dyn Blobs>, Diagnostic> {
    url.refuse_unknown(&["anonymous", "access_id", "private_key_path", "universe_domain"])?;
    let emulator = (around.variable)("STORAGE_EMULATOR_HOST").filter(|host| !host.is_empty());
    let (endpoint, tokens) = match emulator {
        Some(host) => (if host.contains("://") { host } else { format!("http://{host}") }, None),
        None => {
            let domain = url.option("universe_domain").unwrap_or("googleapis.com");
            let anonymous = url.flag("anonymous")? || url.option("access_id") == Some("-");
            let tokens = (!anonymous).then(|| Tokens::of(SCOPE, around)).transpose().map_err(|none| {
                let message = format!("the backend {url} can't be used: {none}");
                Diagnostic::error("backend-url", message).with_hint(HINT)
            })?;
            (format!("https://storage.{domain}"), tokens)
        }
    };
    let refuse = |why: String| {
        Diagnostic::error("backend-url", format!("the backend {url} can't be used: {why}"))
            .with_hint("STORAGE_EMULATOR_HOST is an address such as localhost:4443 or http://localhost:4443")
    };
    let mut endpoint = Url::parse(&endpoint).map_err(|error| refuse(format!("{endpoint}: {error}")))?;
    if endpoint.cannot_be_a_base() || !matches!(endpoint.scheme(), "http" | "https") {
        return Err(refuse(format!("{endpoint} is not the address of a server")));
    }
    // What else an address holds means nothing, as in the ecosystem's client.
    endpoint.set_path("");
    endpoint.set_query(None);
    let http = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("purlin/", env!("CARGO_PKG_VERSION")))
        // Objects come as they are kept: what is compressed stays so.
        .no_gzip()
        .build()
        .map_err(|error| refuse(error.to_string()))?;
    let (bucket, prefix) = (url.host.clone(), prefix(url));
    Ok(Arc::new(JsonObjects { http, endpoint, tokens, bucket, prefix }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(url: &str, variables: &[(&str, &str)]) -> Result<Arc<dyn Blobs>, Diagnostic> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        open(&BlobUrl::parse(url).unwrap(), &Surroundings { variable: &variable, home: None })
    }

    #[test]
    fn urls_and_variables_say_where_the_service_is() {
        for (url, variables) in [
            ("gs://b/p?anonymous=true", &[][..]),
            ("gs://b?access_id=-", &[]),
            ("gs://b?universe_domain=example.org", &[("GOOGLE_OAUTH_ACCESS_TOKEN", "t")]),
            ("gs://b", &[("STORAGE_EMULATOR_HOST", "localhost:4443")]),
            ("gs://b", &[("STORAGE_EMULATOR_HOST", "http://localhost:4443/storage/v1/?x")]),
        ] {
            assert!(opened(url, variables).is_ok(), "{url} {variables:?}");
        }
        for (url, variables, names) in [
            ("gs://b?endpoint=x", &[][..], "endpoint"),
            ("gs://b", &[("STORAGE_EMULATOR_HOST", "ftp://localhost")], "ftp://localhost"),
            ("gs://b", &[("GOOGLE_CREDENTIALS", "{\"type\":")], "gs://b"),
            ("gs://b", &[("GOOGLE_CREDENTIALS", "/no/such/file")], "/no/such/file"),
        ] {
            let refused = opened(url, variables).err().unwrap();
            assert_eq!(refused.code, "backend-url", "{url}");
            assert!(refused.message.contains(names), "{}", refused.message);
        }
    }
}
