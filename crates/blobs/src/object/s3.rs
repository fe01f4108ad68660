//! S3, and what speaks its protocol.
//!
//! Options in the URL are those that the ecosystem's backends take: `region`, `endpoint`,
//! `s3ForcePathStyle` or `use_path_style`, `disableSSL` or `disable_https`, `profile`, `anonymous`,
//! `ssetype`, `kmskeyid`. `awssdk`, `hostname_immutable`, `rate_limiter_capacity` and the options of
//! checksums have nothing to choose here; `accelerate`, `dualstack`, `fips` and `role` are refused.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use purlin_diag::Diagnostic;

use super::profile::{self, Profile};
use super::{client, retries, unusable};
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

/// Variables with a key, and the token that may go with it.
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

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
    let variable = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&url.host)
        .with_retry(retries())
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    // What the URL names counts, then the variables, then the default profile.
    let named = url.option("profile").map(str::to_owned);
    let from_variables = KEYS[..2].iter().all(|name| variable(name).is_some())
        || variable("AWS_WEB_IDENTITY_TOKEN_FILE").is_some();
    let profile = match (&named, from_variables) {
        (None, true) => Profile::default(),
        _ => profile::read(named.as_deref(), around)?,
    };
    if let (Some(id), Some(secret)) = (&profile.access_key_id, &profile.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        if let Some(token) = &profile.session_token {
            builder = builder.with_token(token);
        }
    } else {
        for name in KEYS.iter().chain(ROLES) {
            let key = name.to_lowercase().parse::<AmazonS3ConfigKey>();
            if let (Some(value), Ok(key)) = (variable(name), key) {
                builder = builder.with_config(key, value);
            }
        }
    }
    let region = url.option("region").map(str::to_owned);
    let region = region.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    let region = region.or(profile.region).unwrap_or_else(|| "us-east-1".to_owned());
    builder = builder.with_region(region);
    if url.flag("anonymous")? {
        builder = builder.with_skip_signature(true);
    }
    for name in ["accelerate", "dualstack", "fips"] {
        if url.flag(name)? {
            return Err(url.refusal(name, "is not supported; name the service's address with endpoint=…"));
        }
    }
    builder = encryption(builder, url)?;
    let store = placed(builder, url, &variable)?.build().map_err(|error| unusable(url, &error))?;
    Ok(Arc::new(store))
}

/// Where requests go.
fn placed(
    builder: AmazonS3Builder,
    url: &BlobUrl,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<AmazonS3Builder, Diagnostic> {
    let endpoint = url.option("endpoint").map(str::to_owned);
    let endpoint =
        endpoint.or_else(|| variable("AWS_ENDPOINT_URL_S3")).or_else(|| variable("AWS_ENDPOINT_URL"));
    let plain_http = url.flag("disableSSL")? || url.flag("disable_https")?;
    let path_style = url.flag("s3ForcePathStyle")? || url.flag("use_path_style")?;
    let builder = builder.with_virtual_hosted_style_request(!path_style);
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
