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
use purlin_credentials::aws::{self, Asked};
use purlin_diag::Diagnostic;
use reqsign_aws_v4::RequestSigner;
use reqsign_core::{Context, SignRequest as _};
use reqsign_http_send_reqwest::ReqwestHttpSend;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use crate::keys::http::{ask, client, no_credentials, text, unexpected};
use crate::keys::{KeyService, Variables, key_name, unusable, with_surroundings};

const WHO: &str = "AWS KMS";

const HINT: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role gives \
                    credentials";

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
    connection: OnceCell<Connection>,
}

/// What it takes to ask the service.
struct Connection {
    endpoint: String,
    credentials: Asked,
    signer: RequestSigner,
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
            connection: OnceCell::new(),
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

    /// Where the service is, and who asks it.
    fn connection(&self) -> Result<Connection, Diagnostic> {
        with_surroundings(&self.variables, |around| {
            let profile = aws::profile(self.profile.as_deref(), around)?;
            let named = self.region.clone().or_else(|| aws::region(&profile, around));
            let region = named.or_else(|| self.region_of_key()).ok_or_else(|| {
                no_credentials(WHO, "no region is named", "add region=… to the URL, or set AWS_REGION")
            })?;
            let endpoint = self
                .endpoint
                .clone()
                .or_else(|| self.variable("AWS_ENDPOINT_URL_KMS"))
                .or_else(|| self.variable("AWS_ENDPOINT_URL"));
            let endpoint = endpoint.unwrap_or_else(|| self.usual_endpoint(&region));
            let http = ReqwestHttpSend::new(self.client.clone());
            Ok(Connection {
                endpoint: endpoint.trim_end_matches('/').to_owned(),
                credentials: Asked::of(&profile, &region, around, http),
                signer: RequestSigner::new("kms", &region),
            })
        })
    }

    async fn ask(&self, operation: &str, body: Value) -> Result<Value, Diagnostic> {
        let connection = self.connection.get_or_try_init(async || self.connection()).await?;
        let body = body.to_string();
        let hash = hex::encode(digest(&SHA256, body.as_bytes()));
        ask(WHO, async || {
            let request = http::Request::post(format!("{}/", connection.endpoint))
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", format!("TrentService.{operation}"))
                .header("x-amz-content-sha256", &hash)
                .body(())
                .map_err(|error| no_credentials(WHO, &error.to_string(), "check the URL's endpoint"))?;
            let (mut parts, ()) = request.into_parts();
            let denied = |why: String| no_credentials(WHO, &why, HINT);
            let credential = connection.credentials.get().await.map_err(|none| denied(none.to_string()))?;
            let context = Context::new();
            let signed = connection.signer.sign_request(&context, &mut parts, Some(&credential), None);
            signed.await.map_err(|error| denied(error.to_string()))?;
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
