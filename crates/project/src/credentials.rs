//! Logins: `credentials.json`, readable by its owner only.

use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use purlin_diag::Diagnostic;

use crate::files::remove;
use crate::value::{Object, Value};
use crate::workspace::{read_object, write_object};

/// What is known about the token of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenInformation {
    /// The token's name.
    pub name: String,
    /// The organization that it is for.
    pub organization: Option<String>,
    /// The team that it is for.
    pub team: Option<String>,
    /// When it ends, in RFC 3339.
    pub expires_at: Option<String>,
}

/// A login at one backend.
#[derive(Clone, Default, PartialEq)]
pub struct Account {
    /// The access token; empty for a backend that needs none.
    pub access_token: String,
    /// The token by which a new access token is had.
    pub refresh_token: Option<String>,
    /// The user's name.
    pub username: Option<String>,
    /// The user's organizations.
    pub organizations: Vec<String>,
    /// When the token was last found valid, in RFC 3339.
    pub last_validated_at: Option<String>,
    /// Whether certificates are not checked.
    pub insecure: bool,
    /// What is known about the token.
    pub token_information: Option<TokenInformation>,
    /// Fields that are not known here.
    other: Object,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("username", &self.username)
            .field("organizations", &self.organizations)
            .field("last_validated_at", &self.last_validated_at)
            .field("insecure", &self.insecure)
            .field("token_information", &self.token_information)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// An account with an access token and nothing else.
    pub fn with_token(access_token: impl Into<String>) -> Account {
        Account { access_token: access_token.into(), ..Account::default() }
    }

    /// Whether there is anything to log in with.
    pub fn has_credential(&self) -> bool {
        !self.access_token.is_empty() || self.refresh_token.is_some()
    }

    fn from_value(value: &Value) -> Account {
        let mut other = value.as_object().cloned().unwrap_or_default();
        let mut text = |name: &str| match other.shift_remove(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        };
        let access_token = text("accessToken").unwrap_or_default();
        let (refresh_token, username) = (text("refreshToken"), text("username"));
        let last_validated_at = text("lastValidatedAt");
        let organizations = match other.shift_remove("organizations") {
            Some(Value::Array(names)) => {
                names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        let insecure = other.shift_remove("insecure").and_then(|value| value.as_bool()).unwrap_or(false);
        let token_information = other.shift_remove("tokenInformation").filter(|value| !value.is_null());
        Account {
            access_token,
            refresh_token,
            username,
            organizations,
            last_validated_at,
            insecure,
            token_information: token_information.map(|value| {
                let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
                TokenInformation {
                    name: text("name").unwrap_or_default(),
                    organization: text("organization").filter(|name| !name.is_empty()),
                    team: text("team").filter(|name| !name.is_empty()),
                    expires_at: text("expiresAt"),
                }
            }),
            other,
        }
    }

    fn to_value(&self) -> Value {
        let mut fields = Object::new();
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        add("accessToken", Some(self.access_token.as_str()).filter(|t| !t.is_empty()).map(Value::from));
        add("refreshToken", text(&self.refresh_token));
        add("username", text(&self.username));
        let names = self.organizations.iter().map(|name| Value::from(name.as_str()));
        add("organizations", (!self.organizations.is_empty()).then(|| Value::Array(names.collect())));
        // Readers of the ecosystem expect a time here even when there is none.
        let validated = self.last_validated_at.as_deref().unwrap_or("0001-01-01T00:00:00Z");
        add("lastValidatedAt", Some(Value::from(validated)));
        add("insecure", self.insecure.then_some(Value::Bool(true)));
        add("tokenInformation", self.token_information.as_ref().map(token_value));
        fields.extend(self.other.iter().map(|(name, value)| (name.clone(), value.clone())));
        Value::Object(fields)
    }
}

fn token_value(token: &TokenInformation) -> Value {
    let mut fields = Object::from([("name".to_owned(), Value::from(token.name.as_str()))]);
    let optional =
        [("organization", &token.organization), ("team", &token.team), ("expiresAt", &token.expires_at)];
    for (name, value) in optional {
        if let Some(value) = value {
            fields.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    Value::Object(fields)
}

/// All logins of a user.
#[derive(Clone, Debug)]
pub struct Credentials {
    path: PathBuf,
    current: Option<String>,
    accounts: IndexMap<String, Account>,
    other: Object,
}

impl Credentials {
    /// Reads the logins from a directory; a missing or empty file means none.
    pub fn load(directory: &Path) -> Result<Credentials, Diagnostic> {
        let path = directory.join("credentials.json");
        let mut root = read_object(&path).map_err(|problem| unreadable(&path, problem))?.unwrap_or_default();
        if root.contains_key("$pulumiSecureStore") {
            let message = format!(
                "credentials file '{}' is encrypted with a key of the operating system",
                path.display()
            );
            let hint = "set PULUMI_ACCESS_TOKEN, or log in again with PULUMI_CREDENTIAL_STORE=plaintext";
            return Err(Diagnostic::error("credentials-encrypted", message).with_hint(hint));
        }
        let current = root.shift_remove("current").and_then(|value| value.as_str().map(str::to_owned));
        let mut accounts = IndexMap::new();
        if let Some(Value::Object(tokens)) = root.shift_remove("accessTokens") {
            for (url, token) in tokens {
                accounts.insert(url, Account::with_token(token.as_str().unwrap_or_default()));
            }
        }
        if let Some(Value::Object(known)) = root.shift_remove("accounts") {
            for (url, account) in known {
                accounts.insert(url, Account::from_value(&account));
            }
        }
        let current = current.filter(|url| !url.is_empty());
        Ok(Credentials { path, current, accounts, other: root })
    }

    /// The URL of the backend that is logged in to now.
    pub fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// Makes a backend the one that is logged in to.
    pub fn set_current(&mut self, backend_url: Option<&str>) {
        self.current = backend_url.map(str::to_owned);
    }

    /// The login at a backend.
    pub fn account(&self, backend_url: &str) -> Option<&Account> {
        self.accounts.get(backend_url)
    }

    /// All backends with their logins.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.accounts.iter().map(|(url, account)| (url.as_str(), account))
    }

    /// All tokens, so that output can be kept free of them.
    pub fn secrets(&self) -> Vec<&str> {
        self.accounts
            .values()
            .flat_map(|account| [Some(account.access_token.as_str()), account.refresh_token.as_deref()])
            .flatten()
            .filter(|token| !token.is_empty())
            .collect()
    }

    /// Stores the login at a backend, and makes it the current one if asked to.
    pub fn set(&mut self, backend_url: &str, account: Account, make_current: bool) {
        self.accounts.insert(backend_url.to_owned(), account);
        if make_current {
            self.current = Some(backend_url.to_owned());
        }
    }

    /// Forgets the login at a backend; says whether there was one.
    pub fn remove(&mut self, backend_url: &str) -> bool {
        if self.current.as_deref() == Some(backend_url) {
            self.current = None;
        }
        self.accounts.shift_remove(backend_url).is_some()
    }

    /// Forgets all logins.
    pub fn clear(&mut self) {
        self.current = None;
        self.accounts.clear();
    }

    /// Writes the logins; without any, the file is removed.
    pub fn save(&self) -> Result<(), Diagnostic> {
        if self.accounts.is_empty() {
            return remove(&self.path);
        }
        let mut ordered: Vec<_> = self.accounts.iter().collect();
        ordered.sort_by_key(|(url, _)| *url);
        let tokens = ordered.iter().map(|(url, a)| ((*url).clone(), Value::from(a.access_token.as_str())));
        let accounts = ordered.iter().map(|(url, account)| ((*url).clone(), account.to_value()));
        let mut root = Object::new();
        if let Some(current) = &self.current {
            root.insert("current".to_owned(), Value::from(current.as_str()));
        }
        root.insert("accessTokens".to_owned(), Value::Object(tokens.collect()));
        root.insert("accounts".to_owned(), Value::Object(accounts.collect()));
        root.extend(self.other.iter().map(|(name, value)| (name.clone(), value.clone())));
        write_object(&self.path, &root)
    }
}

fn unreadable(path: &Path, problem: Diagnostic) -> Diagnostic {
    let message = format!(
        "failed to read Pulumi credentials file. Please fix or delete invalid credentials file: '{}': {}",
        path.display(),
        problem.message
    );
    Diagnostic { message, ..problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const CLOUD: &str = "https://api.example.com";

    #[test]
    fn logins_round_trip_and_the_file_is_private() {
        let home = tempfile::tempdir().unwrap();
        let mut credentials = Credentials::load(home.path()).unwrap();
        assert_eq!(credentials.current(), None);
        let account = Account {
            username: Some("me".to_owned()),
            organizations: vec!["me".to_owned(), "acme".to_owned()],
            last_validated_at: Some("2024-01-02T03:04:05Z".to_owned()),
            token_information: Some(TokenInformation { name: "ci".to_owned(), ..Default::default() }),
            ..Account::with_token("tok-1")
        };
        credentials.set(CLOUD, account.clone(), false);
        credentials.set("file://~", Account::default(), true);
        credentials.save().unwrap();
        let path = home.path().join("credentials.json");
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            r#"{
    "current": "file://~",
    "accessTokens": {
        "file://~": "",
        "https://api.example.com": "tok-1"
    },
    "accounts": {
        "file://~": {
            "lastValidatedAt": "0001-01-01T00:00:00Z"
        },
        "https://api.example.com": {
            "accessToken": "tok-1",
            "username": "me",
            "organizations": [
                "me",
                "acme"
            ],
            "lastValidatedAt": "2024-01-02T03:04:05Z",
            "tokenInformation": {
                "name": "ci"
            }
        }
    }
}"#
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let mut read = Credentials::load(home.path()).unwrap();
        assert_eq!(read.account(CLOUD), Some(&account));
        assert_eq!(read.secrets(), ["tok-1"]);
        assert!(!format!("{read:?}").contains("tok-1"));
        assert!(read.remove("file://~") && !read.remove("file://~"));
        assert_eq!(read.current(), None);
        read.clear();
        read.save().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn old_and_unknown_content_is_understood_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("credentials.json");
        fs::write(
            &path,
            r#"{"accessTokens":{"u":"t"},"accounts":{"v":{"accessToken":"w","new":[1]}},"x":2}"#,
        )
        .unwrap();
        let credentials = Credentials::load(home.path()).unwrap();
        assert_eq!(credentials.account("u").unwrap().access_token, "t");
        credentials.save().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"new\": [") && text.contains("\"x\": 2"), "{text}");
        fs::write(&path, "").unwrap();
        assert_eq!(Credentials::load(home.path()).unwrap().accounts().count(), 0);
    }

    #[test]
    fn what_can_not_be_read_is_explained() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("credentials.json");
        fs::write(&path, "[]").unwrap();
        let message = Credentials::load(home.path()).unwrap_err().message;
        assert!(
            message.starts_with("failed to read Pulumi credentials file. Please fix or delete"),
            "{message}"
        );
        fs::write(&path, r#"{"$pulumiSecureStore":1,"backend":"keychain"}"#).unwrap();
        assert_eq!(Credentials::load(home.path()).unwrap_err().code, "credentials-encrypted");
    }
}
