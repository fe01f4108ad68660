//! Stacks whose secrets a key service keeps: AWS KMS, as moto plays it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use purlin_testkit::servers::{Found, Server};
use serde_json::Value;

use crate::support::{Ran, Sealed};

const REGION: &str = "eu-central-1";

/// A new key.
fn key(found: &Found) -> String {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/kms/aws4_request, SignedHeaders=host, Signature=0"
    );
    let mut stream = TcpStream::connect(&found.authority).unwrap();
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {}\r\nAuthorization: {authorization}\r\nX-Amz-Target: \
         TrentService.CreateKey\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\nConnection: \
         close\r\n\r\n{{}}",
        found.authority
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    body["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

/// The URL of a key, which is not the only one: `more` is appended.
fn url(found: &Found, key: &str, more: &str) -> String {
    format!("awskms:///{key}?region={REGION}&endpoint={}{more}", found.endpoint)
}

fn sealed(found: &Found) -> Sealed {
    let mut sealed = Sealed::new();
    sealed.unset("PULUMI_CONFIG_PASSPHRASE");
    sealed.set("AWS_ACCESS_KEY_ID", &found.user);
    sealed.set("AWS_SECRET_ACCESS_KEY", &found.password);
    sealed.write("Pulumi.yaml", "name: shop\nruntime: yaml\noutputs: { hidden: { 'fn::secret': tok } }\n");
    sealed
}

fn settings(sealed: &Sealed, stack: &str) -> String {
    std::fs::read_to_string(sealed.directory().join(format!("Pulumi.{stack}.yaml"))).unwrap()
}

fn says(ran: Ran, text: &str) -> Ran {
    assert!(ran.output().contains(text), "{text:?} isn't said\n{ran}");
    ran
}

#[test]
fn another_key_service_can_stand_for_the_one_that_is_named() {
    let found = Server::AwsKms.find(|name| std::env::var(name).ok());
    let (named, other) = (url(&found, &key(&found), ""), url(&found, &key(&found), ""));
    let mut sealed = sealed(&found);
    // A new stack gets its key from there, and its settings say so.
    sealed.set("PULUMI_CLOUD_SECRET_OVERRIDE", &other);
    sealed.run(["stack", "init", "first", "--secrets-provider", &named]).exits(0);
    assert!(settings(&sealed, "first").contains(&other), "{}", settings(&sealed, "first"));
    sealed.run(["config", "set", "a", "tok", "--secret"]).exits(0);
    sealed.unset("PULUMI_CLOUD_SECRET_OVERRIDE");
    says(sealed.run(["config", "get", "a"]).exits(0), "tok");

    // For a stack that has a key it is another way to that key, and the settings stay as they are.
    sealed.run(["stack", "init", "second", "--secrets-provider", &named]).exits(0);
    sealed.run(["config", "set", "b", "tik", "--secret"]).exits(0);
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    let before = settings(&sealed, "second");
    sealed.set("PULUMI_CLOUD_SECRET_OVERRIDE", format!("{named}&awssdk=v2"));
    says(sealed.run(["config", "get", "b"]).exits(0), "tik");
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
    assert_eq!(settings(&sealed, "second"), before);
    let nowhere = named.replace(&found.authority, "127.0.0.1:9");
    sealed.set("PULUMI_CLOUD_SECRET_OVERRIDE", &nowhere);
    says(sealed.run(["config", "get", "b"]).exits(1), "127.0.0.1:9");

    sealed.set("PULUMI_CLOUD_SECRET_OVERRIDE", "passphrase");
    says(sealed.run(["config", "get", "b"]).exits(2), "PULUMI_CLOUD_SECRET_OVERRIDE is 'passphrase'");
    sealed.unset("PULUMI_CLOUD_SECRET_OVERRIDE");
    says(sealed.run(["stack", "output", "hidden", "--show-secrets"]).exits(0), "tok");
    assert_eq!(settings(&sealed, "second"), before);
}
