//! S3, and what speaks its protocol.
//!
//! Options in the URL are those that the ecosystem's backends take: `region`, `endpoint`,
//! `s3ForcePathStyle` or `use_path_style`, `disableSSL` or `disable_https`, `profile`, `anonymous`,
//! `accelerate`, `dualstack`, `fips`, `ssetype`, `kmskeyid`. `awssdk`, `hostname_immutable`,
//! `rate_limiter_capacity` and the options of checksums have nothing to choose here.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, S3ConditionalPut};
use object_store::{CredentialProvider, Error, ObjectStore};
use purlin_credentials::aws::{self, Asked, KEYS, Way};
use purlin_diag::Diagnostic;
use reqsign_http_send_reqwest::ReqwestHttpSend;

use super::{CONNECT_TIMEOUT, TIMEOUT, client, retries, unusable};
use crate::{BlobUrl, Surroundings};

const KNOWN: &[&str] = &[
    "region",
    "endpoint",
    "s3ForcePathStyle",
    "use_path_style",
    "disableSSL",
    "disable_https",
    "profile",
    "anonymous",
    "accelerate",
    "dualstack",
    "ssetype",
    "kmskeyid",
    "fips",
    "awssdk",
    "hostname_immutable",
    "rate_limiter_capacity",
    "request_checksum_calculation",
    "response_checksum_validation",
];

/// Variables that say where keys come from.
const ROLES: &[&str] = &[
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_METADATA_ENDPOINT",
];

pub(super) fn open(url: &BlobUrl, around: &Surroundings<'_>) -> Result<Arc<dyn ObjectStore>, Diagnostic> {
    url.refuse_unknown(KNOWN)?;
    let variable = |name: &str| around.get(name);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&url.host)
        .with_retry(retries())
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    let profile = aws::profile(url.option("profile"), around)?;
    let region = url.option("region").map(str::to_owned).or_else(|| aws::region(&profile, around));
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    builder = builder.with_region(&region);
    builder = match &profile.way {
        Some(Way::Keys { id, secret, token }) => {
            let builder = builder.with_access_key_id(id).with_secret_access_key(secret);
            token.iter().fold(builder, |builder, token| builder.with_token(token))
        }
        Some(_) => {
            let http = reqwest::Client::builder().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT).build();
            let http = http.map_err(|error| url.refusal("profile", &format!("can't be used: {error}")))?;
            let asked = Asked::of(&profile, &region, around, ReqwestHttpSend::new(http));
            builder.with_credentials(Arc::new(Keys(asked)))
        }
        None => {
            for name in KEYS.iter().chain(ROLES) {
                let key = name.to_lowercase().parse::<AmazonS3ConfigKey>();
                if let (Some(value), Ok(key)) = (variable(name), key) {
                    builder = builder.with_config(key, value);
                }
            }
            builder
        }
    };
    if url.flag("anonymous")? {
        builder = builder.with_skip_signature(true);
    }
    builder = encryption(builder, url)?;
    let store = placed(builder, url, &region, &variable)?.build().map_err(|error| unusable(url, &error))?;
    Ok(Arc::new(store))
}

/// Keys that are asked for.
#[derive(Debug)]
struct Keys(Asked);

#[async_trait]
impl CredentialProvider for Keys {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let found = self.0.get().await.map_err(|none| match none.passing {
            true => Error::Generic { store: "S3", source: none.into() },
            false => Error::Unauthenticated { path: none.place.clone(), source: none.into() },
        })?;
        Ok(Arc::new(AwsCredential {
            key_id: found.access_key_id,
            secret_key: found.secret_access_key,
            token: found.session_token,
        }))
    }
}

/// Where requests go.
fn placed(
    builder: AmazonS3Builder,
    url: &BlobUrl,
    region: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<AmazonS3Builder, Diagnostic> {
    let endpoint = url.option("endpoint").map(str::to_owned);
    let endpoint =
        endpoint.or_else(|| variable("AWS_ENDPOINT_URL_S3")).or_else(|| variable("AWS_ENDPOINT_URL"));
    let plain_http = url.flag("disableSSL")? || url.flag("disable_https")?;
    let path_style = url.flag("s3ForcePathStyle")? || url.flag("use_path_style")?;
    let builder = builder.with_virtual_hosted_style_request(!path_style);
    let special = special_host(url, region, path_style, variable)?;
    if let (Some((option, _)), Some(endpoint)) = (&special, &endpoint) {
        return Err(url.refusal(option, &format!("doesn't go with the endpoint {endpoint}")));
    }
    let endpoint = endpoint.or(special.map(|(_, host)| host));
    let Some(endpoint) = endpoint else { return Ok(builder.with_client_options(client(plain_http))) };
    let (scheme, host) = match endpoint.split_once("://") {
        Some((scheme, host)) => (scheme, host),
        None => (if plain_http { "http" } else { "https" }, &*endpoint),
    };
    let host = host.trim_end_matches('/');
    let endpoint = match path_style {
        true => format!("{scheme}://{host}"),
        false => format!("{scheme}://{}.{host}", url.host),
    };
    Ok(builder.with_endpoint(endpoint).with_client_options(client(scheme == "http")))
}

/// The host of the service where options ask for a special one, and the option that does.
fn special_host(
    url: &BlobUrl,
    region: &str,
    path_style: bool,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<(&'static str, String)>, Diagnostic> {
    let asked = |option: &str, name: &str| -> Result<bool, Diagnostic> {
        // The URL counts, whatever it says.
        match url.option(option) {
            Some(_) => url.flag(option),
            None => Ok(variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))),
        }
    };
    let dual = asked("dualstack", "AWS_USE_DUALSTACK_ENDPOINT")?;
    let fips = asked("fips", "AWS_USE_FIPS_ENDPOINT")?;
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let stack = if dual { ".dualstack" } else { "" };
    if url.flag("accelerate")? {
        if fips {
            return Err(url.refusal("accelerate", "doesn't go with fips"));
        }
        if path_style || url.host.contains('.') {
            return Err(url
                .refusal("accelerate", "needs buckets in host names: without path style, and without dots"));
        }
        return Ok(Some(("accelerate", format!("s3-accelerate{stack}.{domain}"))));
    }
    Ok(match (dual, fips) {
        (false, false) => None,
        (_, true) => Some(("fips", format!("s3-fips{stack}.{region}.{domain}"))),
        (true, false) => Some(("dualstack", format!("s3{stack}.{region}.{domain}"))),
    })
}

fn encryption(builder: AmazonS3Builder, url: &BlobUrl) -> Result<AmazonS3Builder, Diagnostic> {
    let key = url.option("kmskeyid").unwrap_or_default();
    match url.option("ssetype") {
        None if key.is_empty() => Ok(builder),
        Some("AES256") => {
            let option = "aws_server_side_encryption".parse::<AmazonS3ConfigKey>();
            let option = option.map_err(|error| unusable(url, &error))?;
            Ok(builder.with_config(option, "AES256"))
        }
        None | Some("aws:kms") => Ok(builder.with_sse_kms_encryption(key)),
        Some("aws:kms:dsse") => Ok(builder.with_dsse_kms_encryption(key)),
        Some(_) => Err(url.refusal("ssetype", "is AES256, aws:kms or aws:kms:dsse")),
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;

    use super::*;

    fn host(url: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let url = BlobUrl::parse(url).unwrap();
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let path_style = url.flag("use_path_style").unwrap();
        let found = special_host(&url, "eu-1", path_style, &variable);
        found.map(|found| found.map(|(_, host)| host)).map_err(|refused| refused.message)
    }

    #[test]
    fn options_and_variables_ask_for_special_hosts() {
        for (url, expected) in [
            ("s3://b", None),
            ("s3://b?dualstack=false&fips=0", None),
            ("s3://b?dualstack=true", Some("s3.dualstack.eu-1.amazonaws.com")),
            ("s3://b?fips=true", Some("s3-fips.eu-1.amazonaws.com")),
            ("s3://b?fips=true&dualstack=true", Some("s3-fips.dualstack.eu-1.amazonaws.com")),
            ("s3://b?accelerate=true", Some("s3-accelerate.amazonaws.com")),
            ("s3://b?accelerate=true&dualstack=true", Some("s3-accelerate.dualstack.amazonaws.com")),
        ] {
            assert_eq!(host(url, &[]).unwrap().as_deref(), expected, "{url}");
        }
        let variables = [("AWS_USE_DUALSTACK_ENDPOINT", "true"), ("AWS_USE_FIPS_ENDPOINT", "true")];
        assert_eq!(
            host("s3://b?fips=false", &variables).unwrap().as_deref(),
            Some("s3.dualstack.eu-1.amazonaws.com")
        );
        for (url, says) in [
            ("s3://b?accelerate=true&fips=true", "'accelerate' doesn't go with fips"),
            ("s3://b?accelerate=true&use_path_style=true", "'accelerate' needs"),
            ("s3://b.c?accelerate=true", "'accelerate' needs"),
            ("s3://b?dualstack=perhaps", "'dualstack' is true or false"),
        ] {
            let refused = host(url, &[]).unwrap_err();
            assert!(refused.contains(says), "{url}: {refused}");
        }
    }

    #[tokio::test]
    async fn without_credentials_access_is_denied() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[profile p]\ncredential_process=/no/such/program\n").unwrap();
        let variable =
            |name: &str| (name == "AWS_CONFIG_FILE").then(|| file.path().to_string_lossy().into_owned());
        let around = Surroundings { variable: &variable, home: None };
        let store = open(&BlobUrl::parse("s3://b?profile=p").unwrap(), &around).unwrap();
        let error = store.head(&"k".into()).await.unwrap_err();
        let error = crate::object::errors::plain(&error);
        assert!(matches!(error, purlin_ports::BlobError::Denied(_)), "{error:?}");
        assert!(error.to_string().contains("the AWS profile 'p'"), "{error}");
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let none = |_: &str| None;
        let around = Surroundings { variable: &none, home: None };
        let refusal =
            |url: &str| open(&BlobUrl::parse(url).unwrap(), &around).err().map(|refused| refused.message);
        assert_eq!(refusal("s3://b?dualstack=true&anonymous=true"), None);
        let both = refusal("s3://b?fips=true&endpoint=http://localhost:1").unwrap();
        assert!(both.contains("'fips' doesn't go with the endpoint http://localhost:1"), "{both}");
        let unknown = refusal("s3://b?role=x").unwrap();
        assert!(unknown.contains("'role' is not known"), "{unknown}");
    }
}
