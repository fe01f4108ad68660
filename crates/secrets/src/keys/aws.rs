//! AWS KMS: `awskms://KEY?region=…&context_…`, where the key is an id, an alias or (with a third
//! slash) an ARN.
//!
//! Two calls are all that is needed, so they are made here; credentials and signatures are
//! `reqsign`'s. AWS's own SDK would cost several times as much to compile.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_diag::Diagnostic;
use reqsign_aws_v4::{Credential, DefaultCredentialProvider, RequestSigner};
use reqsign_command_execute_tokio::TokioCommandExecute;
use reqsign_core::{Context, Signer};
use reqsign_file_read_tokio::TokioFileRead;
use reqsign_http_send_reqwest::ReqwestHttpSend;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use crate::keys::http::{ask, client, no_credentials, text, unexpected};
use crate::keys::{KeyService, Variables, key_name, unusable};

const WHO: &str = "AWS KMS";

const HINT: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role gives \
                    credentials";

/// Variables as `reqsign` looks them up.
struct Environment(Variables);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Environment")
    }
}

/// What ways to get credentials look up among all variables, and not one by one.
const VARIABLES: [&str; 11] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
];

impl reqsign_core::Env for Environment {
    fn var(&self, key: &str) -> Option<String> {
        (self.0)(key)
    }

    fn vars(&self) -> std::collections::HashMap<String, String> {
        let named = |name: &&str| Some(((*name).to_owned(), (self.0)(name)?));
        VARIABLES.iter().filter_map(named).collect()
    }

    fn home_dir(&self) -> Option<std::path::PathBuf> {
        (self.0)("HOME").or_else(|| (self.0)("USERPROFILE")).map(Into::into)
    }
}

/// A key of AWS KMS.
pub(super) struct AwsKey {
    client: reqwest::Client,
    variables: Variables,
    key: String,
    context: BTreeMap<String, String>,
    region: Option<String>,
    endpoint: Option<String>,
    profile: Option<String>,
    signer: OnceCell<(String, Signer<Credential>)>,
}

impl AwsKey {
    /// The key that a URL names. The region comes from the URL, the key's ARN, `AWS_REGION`,
    /// `AWS_DEFAULT_REGION` or the profile.
    pub(super) fn of(url: &Url, variables: Variables) -> Result<Self, Diagnostic> {
        let mut key = AwsKey {
            client: client()?,
            variables,
            key: key_name(url),
            context: BTreeMap::new(),
            region: None,
            endpoint: None,
            profile: None,
            signer: OnceCell::new(),
        };
        if key.key.is_empty() {
            return Err(unusable(url.as_str(), "it names no key"));
        }
        for (name, value) in url.query_pairs() {
            let value = value.into_owned();
            match &*name {
                "region" => key.region = Some(value),
                "endpoint" => key.endpoint = Some(value.trim_end_matches('/').to_owned()),
                "profile" => key.profile = Some(value),
                // Which of its SDKs the official CLI uses, and what that makes of an endpoint.
                "awssdk" | "hostname_immutable" => {}
                other => match other.strip_prefix("context_") {
                    Some(name) => {
                        if key.context.insert(name.to_owned(), value).is_some() {
                            return Err(unusable(url.as_str(), &format!("'{other}' stands twice")));
                        }
                    }
                    None => {
                        return Err(unusable(
                            url.as_str(),
                            &format!("the parameter '{other}' is not supported"),
                        ));
                    }
                },
            }
        }
        Ok(key)
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }

    /// The region of an ARN.
    fn region_of_key(&self) -> Option<String> {
        let mut parts = self.key.strip_prefix("arn:")?.split(':');
        parts.nth(2).filter(|region| !region.is_empty()).map(str::to_owned)
    }

    /// The region that a profile names in the configuration file.
    async fn region_of_profile(&self) -> Option<String> {
        let file = match self.variable("AWS_CONFIG_FILE") {
            Some(file) => file.into(),
            None => std::path::PathBuf::from(self.variable("HOME")?).join(".aws/config"),
        };
        let text = tokio::fs::read_to_string(file).await.ok()?;
        let profile = self.profile.clone().or_else(|| self.variable("AWS_PROFILE"));
        let profile = profile.unwrap_or_else(|| "default".to_owned());
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
                let name = name.trim();
                inside = name.strip_prefix("profile ").unwrap_or(name).trim() == profile;
            } else if inside
                && let Some((name, value)) = line.split_once('=')
                && name.trim() == "region"
            {
                return Some(value.trim().to_owned());
            }
        }
        None
    }

    /// Where the service is, and what signs requests to it.
    async fn signer(&self) -> Result<&(String, Signer<Credential>), Diagnostic> {
        let made = self.signer.get_or_try_init(|| async {
            let named = self
                .region
                .clone()
                .or_else(|| self.variable("AWS_REGION"))
                .or_else(|| self.variable("AWS_DEFAULT_REGION"));
            let region = match named {
                Some(region) => region,
                None => self.region_of_profile().await.or_else(|| self.region_of_key()).ok_or_else(|| {
                    no_credentials(WHO, "no region is named", "add region=… to the URL, or set AWS_REGION")
                })?,
            };
            let endpoint = self
                .endpoint
                .clone()
                .or_else(|| self.variable("AWS_ENDPOINT_URL_KMS"))
                .or_else(|| self.variable("AWS_ENDPOINT_URL"));
            let endpoint = endpoint.unwrap_or_else(|| {
                let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                format!("https://kms.{region}.{domain}")
            });
            let context = Context::new()
                .with_file_read(TokioFileRead)
                .with_http_send(ReqwestHttpSend::new(self.client.clone()))
                .with_command_execute(TokioCommandExecute)
                .with_env(Environment(self.variables.clone()));
            let mut credentials = DefaultCredentialProvider::builder();
            if let Some(profile) = &self.profile {
                credentials = credentials.with_profile(profile.clone());
            }
            let signer = Signer::new(context, credentials.build(), RequestSigner::new("kms", &region));
            Ok((endpoint.trim_end_matches('/').to_owned(), signer))
        });
        made.await
    }

    async fn ask(&self, operation: &str, body: Value) -> Result<Value, Diagnostic> {
        let (endpoint, signer) = self.signer().await?;
        let body = body.to_string();
        let hash = hex::encode(digest(&SHA256, body.as_bytes()));
        ask(WHO, async || {
            let request = http::Request::post(format!("{endpoint}/"))
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", format!("TrentService.{operation}"))
                .header("x-amz-content-sha256", &hash)
                .body(())
                .map_err(|error| no_credentials(WHO, &error.to_string(), "check the URL's endpoint"))?;
            let (mut parts, ()) = request.into_parts();
            let signed = signer.sign(&mut parts, None).await;
            signed.map_err(|error| no_credentials(WHO, &error.to_string(), HINT))?;
            let url = parts.uri.to_string();
            Ok(self.client.post(url).headers(parts.headers).body(body.clone()))
        })
        .await
    }

    fn with_context(&self, mut body: Value) -> Value {
        if !self.context.is_empty() {
            body["EncryptionContext"] = json!(self.context);
        }
        body
    }
}

fn bytes(answer: &Value, pointer: &str) -> Result<Vec<u8>, Diagnostic> {
    let bytes = STANDARD.decode(text(answer, pointer, WHO)?);
    bytes.map_err(|_| unexpected(WHO, &format!("{} is not valid base64", &pointer[1..])))
}

#[async_trait]
impl KeyService for AwsKey {
    async fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let body = json!({ "KeyId": self.key, "Plaintext": STANDARD.encode(plaintext) });
        bytes(&self.ask("Encrypt", self.with_context(body)).await?, "/CiphertextBlob")
    }

    async fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let body = json!({ "CiphertextBlob": STANDARD.encode(ciphertext) });
        bytes(&self.ask("Decrypt", self.with_context(body)).await?, "/Plaintext")
    }
}
