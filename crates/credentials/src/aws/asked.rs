//! Credentials of AWS that have to be asked for: roles, single sign-on, programs. How, `reqsign` knows.

use std::path::PathBuf;

use reqsign_aws_v4::{
    AssumeRoleCredentialProvider, AssumeRoleWithWebIdentityCredentialProvider, Credential,
    DefaultCredentialProvider, ECSCredentialProvider, EnvCredentialProvider, IMDSv2CredentialProvider,
    ProcessCredentialProvider, RequestSigner, SSOCredentialProvider, StaticCredentialProvider,
};
use reqsign_command_execute_tokio::TokioCommandExecute;
use reqsign_core::{Context, HttpSend, ProvideCredential, Signer, SigningCredential as _, StaticEnv};
use reqsign_file_read_tokio::TokioFileRead;
use tokio::sync::Mutex;

use super::profile::{By, Profile, Way};
use crate::{NoCredentials, Surroundings, chain};

/// Variables that ways to credentials look at.
const VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
];

/// How long a role is assumed for, unless its profile says it.
const SECONDS: u32 = 3600;

/// Credentials that are kept until shortly before they expire.
#[derive(Debug)]
pub struct Asked {
    context: Context,
    source: Source,
    place: String,
    kept: Mutex<Option<Credential>>,
}

/// One way to credentials.
#[derive(Debug)]
enum Source {
    Keys(StaticCredentialProvider),
    Role(Box<AssumeRoleCredentialProvider>),
    WebIdentity(Box<AssumeRoleWithWebIdentityCredentialProvider>),
    SingleSignOn(SSOCredentialProvider),
    Process(ProcessCredentialProvider),
    Environment(EnvCredentialProvider),
    Container(ECSCredentialProvider),
    Machine(IMDSv2CredentialProvider),
    /// Variables, else a container, else a machine.
    Usual(Box<DefaultCredentialProvider>),
}

impl ProvideCredential for Source {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> reqsign_core::Result<Option<Credential>> {
        match self {
            Source::Keys(source) => source.provide_credential(context).await,
            Source::Role(source) => source.provide_credential(context).await,
            Source::WebIdentity(source) => source.provide_credential(context).await,
            Source::SingleSignOn(source) => source.provide_credential(context).await,
            Source::Process(source) => source.provide_credential(context).await,
            Source::Environment(source) => source.provide_credential(context).await,
            Source::Container(source) => source.provide_credential(context).await,
            Source::Machine(source) => source.provide_credential(context).await,
            Source::Usual(source) => source.provide_credential(context).await,
        }
    }
}

impl Asked {
    /// The credentials of a profile; if it says no way to them, those of variables, a container or a
    /// machine. Asks nobody yet. Roles are assumed in `region`, by `http`.
    pub fn of(profile: &Profile, region: &str, around: &Surroundings<'_>, http: impl HttpSend) -> Asked {
        let named = |name: &&str| Some(((*name).to_owned(), (around.variable)(name)?));
        let envs = VARIABLES.iter().filter_map(named).collect();
        let home_dir = around.home.map(PathBuf::from);
        let context = Context::new()
            .with_file_read(TokioFileRead)
            .with_http_send(http)
            .with_command_execute(TokioCommandExecute)
            .with_env(StaticEnv { home_dir, envs });
        let (source, place) = match source(profile, region, &context) {
            Some(source) => (source, format!("the AWS profile '{}'", profile.name)),
            None => {
                let usual = DefaultCredentialProvider::builder().build();
                (Source::Usual(Box::new(usual)), "variables, a container or a machine".to_owned())
            }
        };
        Asked { context, source, place, kept: Mutex::default() }
    }

    /// What signs requests now.
    ///
    /// # Errors
    ///
    /// When nobody gives credentials.
    pub async fn get(&self) -> Result<Credential, NoCredentials> {
        let mut kept = self.kept.lock().await;
        match kept.as_ref().filter(|credential| credential.is_valid()) {
            Some(credential) => Ok(credential.clone()),
            None => Ok(kept.insert(self.ask().await?).clone()),
        }
    }

    async fn ask(&self) -> Result<Credential, NoCredentials> {
        let none = |why: String, passing| NoCredentials { place: self.place.clone(), why, passing };
        let error = match self.source.provide_credential(&self.context).await {
            Ok(Some(credential)) => return Ok(credential),
            Ok(None) => return Err(none("it leads to none".to_owned(), false)),
            Err(error) => error,
        };
        let mut cause = std::error::Error::source(&error);
        let mut passing = error.is_retryable();
        while let Some(more) = cause {
            // A role may be assumed by another one; without an answer another try may help.
            passing |=
                more.downcast_ref::<reqsign_core::Error>().is_some_and(reqsign_core::Error::is_retryable);
            passing |=
                more.downcast_ref::<reqwest::Error>().is_some_and(|e| e.is_connect() || e.is_timeout());
            cause = more.source();
        }
        Err(none(chain(&error), passing))
    }
}

/// The way that a profile says.
fn source(profile: &Profile, region: &str, context: &Context) -> Option<Source> {
    let role = match profile.way.as_ref()? {
        Way::Keys { id, secret, token } => {
            let keys = StaticCredentialProvider::new(id, secret);
            return Some(Source::Keys(match token {
                Some(token) => keys.with_session_token(token),
                None => keys,
            }));
        }
        Way::SingleSignOn => {
            return Some(Source::SingleSignOn(SSOCredentialProvider::default().with_profile(&profile.name)));
        }
        Way::Process => {
            return Some(Source::Process(ProcessCredentialProvider::default().with_profile(&profile.name)));
        }
        Way::Role(role) => role,
    };
    let region = profile.region.as_deref().unwrap_or(region);
    let session = role.session.clone().unwrap_or_else(|| "purlin".to_owned());
    let by = match &role.by {
        By::WebIdentity(file) => {
            let web =
                AssumeRoleWithWebIdentityCredentialProvider::with_config(role.arn.clone(), file.clone());
            let web = web.with_role_session_name(session).with_region(region.to_owned());
            let web = web.with_duration_seconds(role.seconds.unwrap_or(SECONDS)).with_regional_sts_endpoint();
            return Some(Source::WebIdentity(Box::new(web)));
        }
        By::Profile(other) => source(other, region, context)?,
        By::Environment => Source::Environment(EnvCredentialProvider::new()),
        By::Container => Source::Container(ECSCredentialProvider::default()),
        By::Machine => Source::Machine(IMDSv2CredentialProvider::default()),
    };
    let signer = Signer::new(context.clone(), by, RequestSigner::new("sts", region));
    let mut assumed = AssumeRoleCredentialProvider::new(role.arn.clone(), signer)
        .with_role_session_name(session)
        .with_region(region.to_owned())
        .with_regional_sts_endpoint()
        .with_duration_seconds(role.seconds.unwrap_or(SECONDS));
    if let Some(id) = &role.external_id {
        assumed = assumed.with_external_id(id.clone());
    }
    Some(Source::Role(Box::new(assumed)))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex as Recorded};

    use super::*;
    use crate::aws::profile;

    /// A token service that gives a key to everybody, and notes who asked for what.
    #[derive(Clone, Debug, Default)]
    struct Sts(Arc<Recorded<Vec<String>>>);

    impl HttpSend for Sts {
        async fn http_send(
            &self,
            request: http::Request<bytes::Bytes>,
        ) -> reqsign_core::Result<http::Response<bytes::Bytes>> {
            let by = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let seen = format!("{} {body} {}", request.uri(), by.unwrap_or_default());
            let operation = match seen.contains("WebIdentity") {
                true => "AssumeRoleWithWebIdentity",
                false => "AssumeRole",
            };
            let number = {
                let mut all = self.0.lock().unwrap();
                all.push(seen);
                all.len()
            };
            let text = format!(
                "<{operation}Response><{operation}Result><Credentials><AccessKeyId>KEYKEYKEYKEYKEY{number}</AccessKeyId>\
                 <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                 <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{operation}Result></{operation}Response>"
            );
            Ok(http::Response::builder().status(200).body(text.into()).unwrap())
        }
    }

    async fn asked(config: &str, name: &str) -> (Result<Credential, NoCredentials>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let (file, token) = (folder.path().join("config"), folder.path().join("token"));
        std::fs::write(&token, "from-the-cluster").unwrap();
        std::fs::write(&file, config.replace("TOKEN", token.to_str().unwrap())).unwrap();
        let path = file.to_str().unwrap().to_owned();
        let variable = |name: &str| (name == "AWS_CONFIG_FILE").then(|| path.clone());
        let around = Surroundings { variable: &variable, home: None };
        let profile = profile(Some(name), &around).unwrap();
        let sts = Sts::default();
        let asked = Asked::of(&profile, "eu-west-1", &around, sts.clone());
        let first = asked.get().await;
        if let Ok(first) = &first {
            assert_eq!(asked.get().await.unwrap().access_key_id, first.access_key_id, "it is kept");
        }
        let seen = sts.0.lock().unwrap().clone();
        (first, seen)
    }

    #[tokio::test]
    async fn a_role_is_assumed_by_the_role_of_another_profile() {
        let config = "[profile keys]\naws_access_key_id=A\naws_secret_access_key=B\n\
                      [profile first]\nrole_arn=arn:aws:iam::123456789012:role/first\nsource_profile=keys\n\
                      [profile second]\nrole_arn=arn:aws:iam::123456789012:role/second\nsource_profile=first\n\
                      external_id=ours\nrole_session_name=me\n";
        let (found, seen) = asked(config, "second").await;
        assert_eq!(found.unwrap().access_key_id, "KEYKEYKEYKEYKEY2");
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(seen[0].starts_with("https://sts.eu-west-1.amazonaws.com/"), "{seen:?}");
        assert!(seen[0].contains("role%2Ffirst") && seen[0].contains("Credential=A/"), "{seen:?}");
        assert!(
            seen[1].contains("role%2Fsecond") && seen[1].contains("Credential=KEYKEYKEYKEYKEY1/"),
            "{seen:?}"
        );
        assert!(seen[1].contains("ExternalId=ours") && seen[1].contains("RoleSessionName=me"), "{seen:?}");
    }

    #[tokio::test]
    async fn a_role_is_assumed_by_a_token_in_a_file() {
        let config = "[profile web]\nrole_arn=arn:aws:iam::123456789012:role/web\n\
                      web_identity_token_file=TOKEN\nregion=us-east-2\n";
        let (found, seen) = asked(config, "web").await;
        assert_eq!(found.unwrap().access_key_id, "KEYKEYKEYKEYKEY1");
        assert!(seen[0].starts_with("https://sts.us-east-2.amazonaws.com/"), "{seen:?}");
        assert!(seen[0].contains("WebIdentityToken=from-the-cluster"), "{seen:?}");
    }

    #[tokio::test]
    async fn a_program_prints_credentials_or_there_are_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"Version":1,"AccessKeyId":"P","SecretAccessKey":"s"}"#).unwrap();
        let good = format!("[profile p]\ncredential_process=cat {}\n", file.path().display());
        let (found, _) = asked(&good, "p").await;
        assert_eq!(found.unwrap().access_key_id, "P");
        let (found, _) = asked("[profile p]\ncredential_process=/no/such/program\n", "p").await;
        let error = found.unwrap_err();
        assert!(!error.passing && error.place == "the AWS profile 'p'", "{error}");
    }

    #[tokio::test]
    async fn without_a_profile_variables_count() {
        let variables = [("AWS_ACCESS_KEY_ID", "V"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "gone")];
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let around = Surroundings { variable: &variable, home: None };
        let found = Asked::of(&profile(None, &around).unwrap(), "eu-west-1", &around, Sts::default());
        assert_eq!(found.get().await.unwrap().access_key_id, "V");
        assert_eq!(profile(Some("gone"), &around).err().unwrap().code, "aws-profile", "a URL counts more");
    }
}
