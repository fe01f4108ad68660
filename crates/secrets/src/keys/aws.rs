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
    /// Whether the service is asked by IPv6 as well, and whether by its validated modules; if the URL
    /// doesn't say it, variables do.
    dual_stack: Option<bool>,
    fips: Option<bool>,
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
            dual_stack: None,
            fips: None,
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
                "dualstack" => key.dual_stack = Some(flag(url, &name, &value)?),
                "fips" => key.fips = Some(flag(url, &name, &value)?),
                // Which of its SDKs the official CLI uses, and what that makes of an endpoint and of many
                // calls.
                "awssdk" | "hostname_immutable" | "rate_limiter_capacity" => {}
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
        if let Some(endpoint) = &key.endpoint
            && (key.dual_stack == Some(true) || key.fips == Some(true))
        {
            let why = format!("'dualstack' and 'fips' don't go with the endpoint {endpoint}");
            return Err(unusable(url.as_str(), &why));
        }
        Ok(key)
    }

    /// The service's address in a region, unless an endpoint is named.
    fn usual_endpoint(&self, region: &str) -> String {
        let is_on = |given: Option<bool>, name: &str| {
            given.unwrap_or_else(|| {
                self.variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
            })
        };
        let china = region.starts_with("cn-");
        let domain = match (is_on(self.dual_stack, "AWS_USE_DUALSTACK_ENDPOINT"), china) {
            (false, false) => "amazonaws.com",
            (false, true) => "amazonaws.com.cn",
            (true, false) => "api.aws",
            (true, true) => "api.amazonwebservices.com.cn",
        };
        let fips = if is_on(self.fips, "AWS_USE_FIPS_ENDPOINT") { "-fips" } else { "" };
        format!("https://kms{fips}.{region}.{domain}")
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
            let endpoint = endpoint.unwrap_or_else(|| self.usual_endpoint(&region));
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

/// The value of a parameter that is true or false.
fn flag(url: &Url, name: &str, value: &str) -> Result<bool, Diagnostic> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(unusable(url.as_str(), &format!("the parameter '{name}' is true or false"))),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn key(url: &str, set: &'static [&'static str]) -> Result<AwsKey, String> {
        let variables = move |name: &str| set.contains(&name).then(|| "true".to_owned());
        AwsKey::of(&Url::parse(url).unwrap(), Arc::new(variables)).map_err(|refused| refused.message)
    }

    #[test]
    fn parameters_and_variables_say_where_the_service_is() {
        let at = |url: &str, region: &str, set| key(url, set).unwrap().usual_endpoint(region);
        for (url, region, expected) in [
            ("awskms://k", "eu-1", "https://kms.eu-1.amazonaws.com"),
            ("awskms://k?fips=true&rate_limiter_capacity=5", "eu-1", "https://kms-fips.eu-1.amazonaws.com"),
            ("awskms://k?dualstack=true", "eu-1", "https://kms.eu-1.api.aws"),
            ("awskms://k?dualstack=1&fips=1", "eu-1", "https://kms-fips.eu-1.api.aws"),
            ("awskms://k", "cn-north-1", "https://kms.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(at(url, region, &[]), expected, "{url}");
        }
        let set = &["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"];
        assert_eq!(at("awskms://k?dualstack=false", "eu-1", set), "https://kms-fips.eu-1.amazonaws.com");
        for (url, says) in [
            ("awskms://k?fips=perhaps", "'fips' is true or false"),
            ("awskms://k?fips=true&endpoint=http://h", "don't go with the endpoint http://h"),
            ("awskms://k?anonymous=true", "'anonymous' is not supported"),
            ("awskms://k?role=x", "'role' is not supported"),
        ] {
            let refused = key(url, &[]).err().unwrap();
            assert!(refused.contains(says), "{refused}");
        }
    }
}
