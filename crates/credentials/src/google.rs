//! Google Cloud: tokens for one of its services.
//!
//! In this order: `GOOGLE_CREDENTIALS` (the text of a file with credentials, or its path),
//! `GOOGLE_OAUTH_ACCESS_TOKEN`, `GOOGLE_APPLICATION_CREDENTIALS`, the file that `gcloud` leaves, and the
//! metadata service. What a file means, Google's own library knows: keys of service accounts, what
//! `gcloud` left for a user, workload identity federation, impersonation.

use std::sync::atomic::{AtomicBool, Ordering};

use google_cloud_auth::build_errors::Error as BuildError;
use google_cloud_auth::credentials::service_account::{self, AccessSpecifier};
use google_cloud_auth::credentials::{
    AccessTokenCredentials, external_account, impersonated, mds, user_account,
};
use google_cloud_auth::errors::CredentialsError;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{NoCredentials, Surroundings, chain};

/// What to do about credentials that can't be used.
pub const HINT: &str = "keys of service accounts are understood, the file that `gcloud auth application-default \
                        login` writes, and files for workload identity federation and impersonation; for other \
                        credentials set GOOGLE_OAUTH_ACCESS_TOKEN (`gcloud auth print-access-token` prints one)";

/// What gives tokens.
#[derive(Debug)]
pub struct Tokens(Source);

#[derive(Debug)]
enum Source {
    /// It never changes.
    Fixed(String),
    /// They are asked for, kept, and asked for anew in time.
    Asked(Asked),
}

/// Credentials that tokens are given for.
struct Asked {
    /// What people call the place where they were found.
    place: String,
    scope: &'static str,
    /// What is in the file; `None` for those of the machine.
    file: Option<Value>,
    /// Made when the first token is needed: they are kept fresh by a task of their own.
    credentials: OnceCell<AccessTokenCredentials>,
    /// Whether there ever was a token.
    worked: AtomicBool,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Those for a scope. Asks nobody yet.
    ///
    /// # Errors
    ///
    /// When credentials are there and make no sense.
    pub fn of(scope: &'static str, around: &Surroundings<'_>) -> Result<Tokens, NoCredentials> {
        if let Some(given) = around.get("GOOGLE_CREDENTIALS") {
            return match given.trim_start().starts_with('{') {
                true => of_text(scope, "GOOGLE_CREDENTIALS", &given),
                false => of_file(scope, &given),
            };
        }
        if let Some(token) = around.get("GOOGLE_OAUTH_ACCESS_TOKEN") {
            return Ok(Tokens(Source::Fixed(token)));
        }
        if let Some(path) = around.get("GOOGLE_APPLICATION_CREDENTIALS") {
            return of_file(scope, &path);
        }
        let left = around.home.map(|home| home.join(".config/gcloud/application_default_credentials.json"));
        match left.filter(|path| path.is_file()) {
            Some(path) => of_file(scope, &path.to_string_lossy()),
            None => Ok(Tokens(Source::Asked(Asked::new(scope, "the metadata service", None)))),
        }
    }

    /// A token that counts now.
    ///
    /// # Errors
    ///
    /// When nobody gives one.
    pub async fn get(&self) -> Result<String, NoCredentials> {
        match &self.0 {
            Source::Fixed(token) => Ok(token.clone()),
            Source::Asked(asked) => asked.get().await,
        }
    }
}

impl Asked {
    fn new(scope: &'static str, place: &str, file: Option<Value>) -> Asked {
        let (credentials, worked) = (OnceCell::new(), AtomicBool::new(false));
        Asked { place: place.to_owned(), scope, file, credentials, worked }
    }

    async fn get(&self) -> Result<String, NoCredentials> {
        let none = |why, passing| NoCredentials { place: self.place.clone(), why, passing };
        let built = self.credentials.get_or_try_init(|| async {
            build(self.scope, self.file.clone()).map_err(|error| none(error.to_string(), false))
        });
        let token = built.await?.access_token().await;
        let token = token.map_err(|error| none(chain(&error), self.may_pass(&error)))?;
        self.worked.store(true, Ordering::Relaxed);
        Ok(token.token)
    }

    /// Whether another try may help. A machine that has no service for tokens will not get one.
    fn may_pass(&self, error: &CredentialsError) -> bool {
        error.is_transient() && (self.file.is_some() || self.worked.load(Ordering::Relaxed))
    }
}

fn unusable(place: &str, why: String) -> NoCredentials {
    NoCredentials { place: place.to_owned(), why, passing: false }
}

fn of_file(scope: &'static str, path: &str) -> Result<Tokens, NoCredentials> {
    let text = std::fs::read_to_string(path).map_err(|error| unusable(path, error.to_string()))?;
    of_text(scope, path, &text)
}

fn of_text(scope: &'static str, place: &str, text: &str) -> Result<Tokens, NoCredentials> {
    let file: Value = serde_json::from_str(text)
        // The text is a secret: what is wrong with it is said by line and column.
        .map_err(|error| unusable(place, format!("no JSON ({}:{})", error.line(), error.column())))?;
    let kind = kind_of(&file);
    if !KINDS.contains(&kind) {
        return Err(unusable(place, format!("the type '{kind}' is not supported")));
    }
    Ok(Tokens(Source::Asked(Asked::new(scope, place, Some(file)))))
}

/// What files may be.
const KINDS: [&str; 4] =
    ["service_account", "authorized_user", "external_account", "impersonated_service_account"];

fn kind_of(file: &Value) -> &str {
    file.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn build(scope: &str, file: Option<Value>) -> Result<AccessTokenCredentials, BuildError> {
    let Some(file) = file else {
        return mds::Builder::default().with_scopes([scope]).build_access_token_credentials();
    };
    match kind_of(&file) {
        "authorized_user" => user_account::Builder::new(file).build_access_token_credentials(),
        "external_account" => {
            external_account::Builder::new(file).with_scopes([scope]).build_access_token_credentials()
        }
        "impersonated_service_account" => {
            impersonated::Builder::new(file).with_scopes([scope]).build_access_token_credentials()
        }
        _ => service_account::Builder::new(file)
            .with_access_specifier(AccessSpecifier::from_scopes([scope]))
            .build_access_token_credentials(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

    fn opened(variables: &[(&str, &str)]) -> Result<Tokens, NoCredentials> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Tokens::of(SCOPE, &Surroundings { variable: &variable, home: None })
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
            let refused = opened(&[("GOOGLE_CREDENTIALS", given)]).err().unwrap().to_string();
            assert!(refused.contains(names) && !refused.contains("hush"), "{refused}");
        }
    }

    #[tokio::test]
    async fn where_nobody_gives_tokens_the_place_is_named() {
        let (address, serving) = service(vec![r#"{"error": "invalid_grant"}"#.to_owned()]);
        let user = format!(
            r#"{{"type": "authorized_user", "client_id": "x", "client_secret": "hush", "refresh_token": "r",
                "token_uri": "{address}/token"}}"#
        );
        let denied = opened(&[("GOOGLE_CREDENTIALS", &user)]).unwrap().get().await.unwrap_err();
        assert!(!denied.passing && !denied.to_string().contains("hush"), "{denied}");
        serving.join().unwrap();
        let half = opened(&[("GOOGLE_CREDENTIALS", r#"{"type": "service_account", "client_email": "x"}"#)]);
        let denied = half.unwrap().get().await.unwrap_err();
        assert!(!denied.passing && denied.place == "GOOGLE_CREDENTIALS", "{denied}");
    }
}
