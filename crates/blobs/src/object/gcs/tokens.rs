//! Where tokens for Google Cloud Storage come from.
//!
//! In this order: `GOOGLE_CREDENTIALS` (the text of a file with credentials, or its path),
//! `GOOGLE_OAUTH_ACCESS_TOKEN`, `GOOGLE_APPLICATION_CREDENTIALS`, the file that `gcloud` leaves, and the
//! metadata service. What a file means, Google's own library knows: keys of service accounts, what
//! `gcloud` left for a user, workload identity federation, impersonation.

use std::sync::atomic::{AtomicBool, Ordering};

use google_cloud_auth::credentials::service_account::{self, AccessSpecifier};
use google_cloud_auth::credentials::{
    AccessTokenCredentials, external_account, impersonated, mds, user_account,
};
use google_cloud_auth::errors::CredentialsError;
use purlin_diag::Diagnostic;
use purlin_ports::BlobError;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{BlobUrl, Surroundings};

const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// What to do about credentials that can't be used.
const CREDENTIALS: &str = "keys of service accounts are understood, the file that `gcloud auth application-default \
                           login` writes, and files for workload identity federation and impersonation; for other \
                           credentials set GOOGLE_OAUTH_ACCESS_TOKEN (`gcloud auth print-access-token` prints one)";

/// What gives tokens.
pub(super) enum Tokens {
    /// It never changes.
    Fixed(String),
    /// They are asked for, kept, and asked for anew in time.
    Asked(Asked),
}

/// Credentials that tokens are given for.
pub(super) struct Asked {
    /// What people call the place where they were found.
    place: String,
    /// What is in the file; `None` for those of the machine.
    file: Option<Value>,
    /// Made when the first token is needed: they are kept fresh by a task of their own.
    credentials: OnceCell<AccessTokenCredentials>,
    /// Whether there ever was a token.
    worked: AtomicBool,
}

impl Tokens {
    /// Those of a URL. Asks nobody yet.
    pub(super) fn of(url: &BlobUrl, around: &Surroundings<'_>) -> Result<Tokens, Diagnostic> {
        let variable = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
        if let Some(given) = variable("GOOGLE_CREDENTIALS") {
            return match given.trim_start().starts_with('{') {
                true => of_text(url, "GOOGLE_CREDENTIALS", &given),
                false => of_file(url, &given),
            };
        }
        if let Some(token) = variable("GOOGLE_OAUTH_ACCESS_TOKEN") {
            return Ok(Tokens::Fixed(token));
        }
        if let Some(path) = variable("GOOGLE_APPLICATION_CREDENTIALS") {
            return of_file(url, &path);
        }
        let left = around.home.map(|home| home.join(".config/gcloud/application_default_credentials.json"));
        match left.filter(|path| path.is_file()) {
            Some(path) => of_file(url, &path.to_string_lossy()),
            None => Ok(Tokens::Asked(Asked::new("the metadata service", None))),
        }
    }

    /// A token that counts now.
    pub(super) async fn get(&self) -> Result<String, BlobError> {
        match self {
            Tokens::Fixed(token) => Ok(token.clone()),
            Tokens::Asked(asked) => asked.get().await,
        }
    }
}

impl Asked {
    fn new(place: &str, file: Option<Value>) -> Asked {
        let (credentials, worked) = (OnceCell::new(), AtomicBool::new(false));
        Asked { place: place.to_owned(), file, credentials, worked }
    }

    async fn get(&self) -> Result<String, BlobError> {
        let built = self.credentials.get_or_try_init(|| async {
            build(self.file.clone()).map_err(|error| BlobError::Denied(self.says(&error.to_string())))
        });
        let token = built.await?.access_token().await.map_err(|error| self.refusal(&error))?;
        self.worked.store(true, Ordering::Relaxed);
        Ok(token.token)
    }

    /// Without a token nothing was asked of the service for objects, so nothing was done.
    fn refusal(&self, error: &CredentialsError) -> BlobError {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(more) = cause {
            text.push_str(&format!(": {more}"));
            cause = more.source();
        }
        let text = self.says(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        // A machine that has no such service will not get one; others may be reached with another try.
        let is_known = self.file.is_some() || self.worked.load(Ordering::Relaxed);
        if error.is_transient() && is_known { BlobError::Unknown(text) } else { BlobError::Denied(text) }
    }

    fn says(&self, why: &str) -> String {
        format!("no token for Google Cloud Storage by {}: {why}", self.place)
    }
}

fn unusable(url: &BlobUrl, place: &str, why: &str) -> Diagnostic {
    let message = format!("the backend {url} can't be used: the credentials in {place}: {why}");
    Diagnostic::error("backend-url", message).with_hint(CREDENTIALS)
}

fn of_file(url: &BlobUrl, path: &str) -> Result<Tokens, Diagnostic> {
    let text = std::fs::read_to_string(path).map_err(|error| unusable(url, path, &error.to_string()))?;
    of_text(url, path, &text)
}

fn of_text(url: &BlobUrl, place: &str, text: &str) -> Result<Tokens, Diagnostic> {
    let file: Value = serde_json::from_str(text)
        // The text is a secret: what is wrong with it is said by line and column.
        .map_err(|error| unusable(url, place, &format!("no JSON ({}:{})", error.line(), error.column())))?;
    let kind = kind_of(&file);
    if !KINDS.contains(&kind) {
        return Err(unusable(url, place, &format!("the type '{kind}' is not supported")));
    }
    Ok(Tokens::Asked(Asked::new(place, Some(file))))
}

/// What files may be.
const KINDS: [&str; 4] =
    ["service_account", "authorized_user", "external_account", "impersonated_service_account"];

fn kind_of(file: &Value) -> &str {
    file.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn build(file: Option<Value>) -> Result<AccessTokenCredentials, google_cloud_auth::build_errors::Error> {
    let Some(file) = file else {
        return mds::Builder::default().with_scopes([SCOPE]).build_access_token_credentials();
    };
    match kind_of(&file) {
        "authorized_user" => user_account::Builder::new(file).build_access_token_credentials(),
        "external_account" => {
            external_account::Builder::new(file).with_scopes([SCOPE]).build_access_token_credentials()
        }
        "impersonated_service_account" => {
            impersonated::Builder::new(file).with_scopes([SCOPE]).build_access_token_credentials()
        }
        _ => service_account::Builder::new(file)
            .with_access_specifier(AccessSpecifier::from_scopes([SCOPE]))
            .build_access_token_credentials(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn opened(variables: &[(&str, &str)]) -> Result<Tokens, Diagnostic> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Tokens::of(&BlobUrl::parse("gs://b").unwrap(), &Surroundings { variable: &variable, home: None })
    }

    /// Answers requests with one JSON document each, and gives the requests.
    fn service(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serve = move |answer: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            let whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).to_lowercase();
                text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
                })
            };
            while !whole(&request) {
                let count = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..count]);
            }
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).unwrap();
            String::from_utf8_lossy(&request).into_owned()
        };
        (address, std::thread::spawn(move || answers.into_iter().map(serve).collect()))
    }

    fn federated(address: &str, file: &std::path::Path, more: &str) -> String {
        format!(
            r#"{{"type": "external_account", "audience": "//iam/pools/p",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "{address}/sts",
                "credential_source": {{"file": "{}"}}{more}}}"#,
            file.display()
        )
    }

    const STS: &str = r#"{"access_token": "from-sts", "token_type": "Bearer", "expires_in": 3600,
                          "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}"#;

    #[tokio::test]
    async fn a_federated_workload_gets_its_token_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "from-the-cluster").unwrap();
        let (address, serving) = service(vec![STS.to_owned()]);
        let file = folder.path().join("credentials.json");
        std::fs::write(&file, federated(&address, &token, "")).unwrap();
        let tokens = opened(&[("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap())]).unwrap();
        assert_eq!(tokens.get().await.unwrap(), "from-sts");
        assert_eq!(tokens.get().await.unwrap(), "from-sts", "it is kept");
        let requests = serving.join().unwrap();
        assert!(requests[0].starts_with("POST /sts "), "{requests:?}");
        assert!(
            requests[0].contains("from-the-cluster") && requests[0].contains("devstorage"),
            "{requests:?}"
        );
    }

    #[tokio::test]
    async fn another_account_can_be_impersonated() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "from-the-cluster").unwrap();
        let later = r#"{"accessToken": "of-the-account", "expireTime": "2099-01-01T00:00:00Z"}"#;
        let (address, serving) = service(vec![STS.to_owned(), later.to_owned()]);
        let source = federated(&address, &token, "");
        let account = "projects/-/serviceAccounts/state@p.iam.gserviceaccount.com:generateAccessToken";
        let text = format!(
            r#"{{"type": "impersonated_service_account", "delegates": [],
                "service_account_impersonation_url": "{address}/v1/{account}", "source_credentials": {source}}}"#
        );
        let tokens = opened(&[("GOOGLE_CREDENTIALS", &text)]).unwrap();
        assert_eq!(tokens.get().await.unwrap(), "of-the-account");
        let requests = serving.join().unwrap();
        assert!(requests[1].contains("state@p.iam") && requests[1].contains("from-sts"), "{requests:?}");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (given, names) in [
            (r#"{"type": "gdch_service_account"}"#, "'gdch_service_account' is not supported"),
            (r#"{"secret": "hush"}"#, "'' is not supported"),
            (r#"{"hush""#, "no JSON"),
            ("/no/such/file", "/no/such/file"),
        ] {
            let refused = opened(&[("GOOGLE_CREDENTIALS", given)]).err().unwrap();
            assert!(
                refused.message.contains(names) && !refused.message.contains("hush"),
                "{}",
                refused.message
            );
            assert!(refused.hint.unwrap().contains("GOOGLE_OAUTH_ACCESS_TOKEN"));
        }
    }

    #[tokio::test]
    async fn where_nobody_gives_tokens_access_is_denied() {
        let (address, serving) = service(vec![r#"{"error": "invalid_grant"}"#.to_owned()]);
        let user = format!(
            r#"{{"type": "authorized_user", "client_id": "x", "client_secret": "hush", "refresh_token": "r",
                "token_uri": "{address}/token"}}"#
        );
        let denied = opened(&[("GOOGLE_CREDENTIALS", &user)]).unwrap().get().await.unwrap_err();
        assert!(matches!(&denied, BlobError::Denied(text) if !text.contains("hush")), "{denied:?}");
        serving.join().unwrap();
        let half = opened(&[("GOOGLE_CREDENTIALS", r#"{"type": "service_account", "client_email": "x"}"#)]);
        let denied = half.unwrap().get().await.unwrap_err();
        assert!(
            matches!(&denied, BlobError::Denied(text) if text.contains("GOOGLE_CREDENTIALS")),
            "{denied:?}"
        );
    }
}
