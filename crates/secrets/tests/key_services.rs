//! Managers whose data key a key service keeps. AWS KMS is moto, which `cargo xtask test` starts; the
//! others are a server of ours that holds requests against what the services document.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use purlin_ports::{Entropy, SecretsManager};
use purlin_secrets::{
    CloudManager, KeyServices, NoPassphrase, conformance, decrypt_text, encrypt_text, manager_from_state,
};
use purlin_testkit::proxy::{Fault, Protocol, Proxy};
use purlin_testkit::servers::{Found, Server};
use serde_json::{Value, json};
use service::Service;

/// Counts instead of drawing.
#[derive(Default)]
struct Counter(AtomicU8);

impl Entropy for Counter {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
    }
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(Counter::default())
}

fn services(variables: &[(&str, &str)]) -> KeyServices {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    KeyServices::new(Arc::new(move |name| {
        variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }))
}

/// Makes a manager, takes it through the suite, opens it again from what a state would hold, and
/// gives that.
async fn there_and_back(url: &str, services: &KeyServices) -> Value {
    let made = CloudManager::create(url, services, entropy()).await.unwrap();
    conformance::secrets_manager(&made).await;
    let provider = made.provider();
    assert_eq!(&*provider.ty, "cloud");
    let state: Value = serde_json::from_str(&provider.state).unwrap();
    assert_eq!(state["url"], url);
    assert_eq!(state["encryptedkey"], made.encrypted_key());
    let opened = manager_from_state(&provider, Arc::new(NoPassphrase), services, entropy()).unwrap();
    conformance::secrets_manager(&*opened).await;
    let ciphertext = encrypt_text(&made, "open sesame").await.unwrap();
    assert!(ciphertext.starts_with("v1:"), "{ciphertext}");
    assert_eq!(decrypt_text(&*opened, &ciphertext).await.unwrap(), "open sesame");
    state
}

fn moto() -> Found {
    Server::AwsKms.find(|name| std::env::var(name).ok())
}

fn aws(found: &Found) -> KeyServices {
    services(&[
        ("AWS_ACCESS_KEY_ID", &found.user),
        ("AWS_SECRET_ACCESS_KEY", &found.password),
        ("AWS_REGION", "eu-central-1"),
    ])
}

/// A new key in a region.
async fn aws_key(found: &Found, region: &str) -> String {
    let scope = format!("x/20260101/{region}/kms/aws4_request");
    let answer = reqwest::Client::new()
        .post(&found.endpoint)
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "TrentService.CreateKey")
        .body("{}");
    let text = answer.send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    answer["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn aws_keeps_the_data_key() {
    let found = moto();
    let arn = aws_key(&found, "eu-central-1").await;
    let id = arn.rsplit('/').next().unwrap();
    let endpoint = &found.endpoint;
    for url in [
        format!("awskms://{id}?region=eu-central-1&awssdk=v2&endpoint={endpoint}"),
        format!("awskms:///{arn}?endpoint={endpoint}"),
        format!("awskms://{id}?endpoint={endpoint}&context_team=blue&context_stage=dev"),
    ] {
        there_and_back(&url, &aws(&found)).await;
    }
}

#[tokio::test]
async fn aws_takes_what_profiles_say() {
    let found = moto();
    let arn = aws_key(&found, "eu-west-3").await;
    let id = arn.rsplit('/').next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keys = json!({ "Version": 1, "AccessKeyId": found.user, "SecretAccessKey": found.password });
    let printed = folder.path().join("keys");
    std::fs::write(&printed, keys.to_string()).unwrap();
    let config = folder.path().join("config");
    let text = format!(
        "[profile printed]\nregion = eu-west-3\ncredential_process = cat {}\n\
         [profile guarded]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = printed\nmfa_serial = m\n",
        printed.display()
    );
    std::fs::write(&config, text).unwrap();
    let services = services(&[("AWS_CONFIG_FILE", config.to_str().unwrap())]);
    let of = |profile: &str| format!("awskms://{id}?endpoint={}&profile={profile}", found.endpoint);
    there_and_back(&of("printed"), &services).await;
    for (profile, says) in [("guarded", "mfa_serial"), ("nobody", "is in neither")] {
        let refused = CloudManager::create(&of(profile), &services, entropy()).await.err().unwrap();
        assert!(refused.code == "aws-profile" && refused.message.contains(says), "{}", refused.message);
    }
}

#[tokio::test]
async fn aws_refuses_other_contexts_other_keys_and_nobody() {
    let found = moto();
    let arn = aws_key(&found, "eu-central-1").await;
    let id = arn.rsplit('/').next().unwrap();
    let url = format!("awskms://{id}?endpoint={}&context_team=", found.endpoint);
    let made = CloudManager::create(&format!("{url}blue"), &aws(&found), entropy()).await.unwrap();
    let other =
        CloudManager::open(&format!("{url}red"), made.encrypted_key(), &aws(&found), entropy()).unwrap();
    assert_eq!(other.unlock().await.unwrap_err().code, "key-service-refused");

    let missing = format!("awskms://alias/no-such-key?endpoint={}", found.endpoint);
    let refused = CloudManager::create(&missing, &aws(&found), entropy()).await.err().unwrap();
    assert_eq!(refused.code, "key-service-refused");
    assert!(refused.message.contains("no-such-key"), "{}", refused.message);

    let homeless = services(&[("AWS_REGION", "eu-central-1"), ("AWS_EC2_METADATA_DISABLED", "true")]);
    let refused = CloudManager::create(&url, &homeless, entropy()).await.err().unwrap();
    assert_eq!(refused.code, "key-service-denied");
    let nowhere = services(&[("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")]);
    let refused = CloudManager::create(&url, &nowhere, entropy()).await.err().unwrap();
    assert!(refused.message.contains("region"), "{}", refused.message);
}

#[tokio::test]
async fn faults_on_the_way_are_overcome_and_reported() {
    let found = moto();
    let arn = aws_key(&found, "eu-central-1").await;
    let proxy = Proxy::start(&found.authority, Protocol::Http).unwrap();
    let url = format!("awskms:///{arn}?endpoint=http://{}", proxy.address());
    for fault in
        [Fault::Reset, Fault::Status(503), Fault::LostReply, Fault::TornReply, Fault::StatusAfter(500)]
    {
        for number in 1..=2 {
            proxy.forget();
            proxy.fail_request(number, fault);
            CloudManager::create(&url, &aws(&found), entropy()).await.unwrap();
            assert_eq!(proxy.seen().len(), 3, "{fault:?}: encrypt, decrypt, and one of them again");
        }
    }
    proxy.set_rule(|_| Some(Fault::Status(503)));
    let refused = CloudManager::create(&url, &aws(&found), entropy()).await.err().unwrap();
    assert_eq!(refused.code, "key-service-unreachable");
}

#[tokio::test]
async fn vault_keeps_the_data_key() {
    let server = Service::start(|request| {
        if request.header("x-vault-token") != Some("root") {
            return (403, json!({ "errors": ["permission denied"] }));
        }
        assert_eq!(request.method, "PUT");
        match request.path.as_str() {
            "/v1/transit/encrypt/stacks" | "/v1/team/kv/encrypt/stacks" => {
                let plaintext = STANDARD.decode(request.body["plaintext"].as_str().unwrap()).unwrap();
                let hidden = STANDARD.encode(service::hidden(&plaintext));
                (200, json!({ "data": { "ciphertext": format!("vault:v1:{hidden}"), "key_version": 1 } }))
            }
            "/v1/transit/decrypt/stacks" | "/v1/team/kv/decrypt/stacks" => {
                let text = request.body["ciphertext"].as_str().unwrap().strip_prefix("vault:v1:").unwrap();
                let plaintext = service::hidden(&STANDARD.decode(text).unwrap());
                (200, json!({ "data": { "plaintext": STANDARD.encode(plaintext) } }))
            }
            other => (404, json!({ "errors": [format!("no handler for route {other}")] })),
        }
    });
    let good = services(&[("VAULT_ADDR", server.url()), ("VAULT_TOKEN", "root")]);
    let state = there_and_back("hashivault://stacks", &good).await;
    let key = STANDARD.decode(state["encryptedkey"].as_str().unwrap()).unwrap();
    assert!(key.starts_with(b"vault:v1:"), "the key is kept as Vault writes it");
    let named = services(&[
        ("VAULT_SERVER_URL", server.url()),
        ("VAULT_SERVER_TOKEN", "root"),
        ("VAULT_ADDR", "http://x"),
    ]);
    there_and_back("hashivault://stacks?engine=team/kv", &named).await;

    let stranger = services(&[("BAO_ADDR", server.url()), ("BAO_TOKEN", "other")]);
    let refused = CloudManager::create("hashivault://stacks", &stranger, entropy()).await.err().unwrap();
    assert_eq!(refused.code, "key-service-denied");
    assert!(refused.message.contains("permission denied") && !refused.message.contains("other"));
    let refused = CloudManager::create("hashivault://stacks", &services(&[]), entropy()).await.err().unwrap();
    assert!(refused.hint.unwrap().contains("VAULT_ADDR"));
    let refused = CloudManager::create("hashivault://nothing", &good, entropy()).await.err().unwrap();
    assert_eq!(refused.code, "key-service-refused");
}

#[tokio::test]
async fn google_keeps_the_data_key() {
    const KEY: &str = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k";
    let server = Service::start(|request| {
        if request.path == "/token" {
            assert_eq!(request.body["refresh_token"], "of-ann");
            return (200, json!({ "access_token": "the-token", "token_type": "Bearer", "expires_in": 3600 }));
        }
        if request.header("authorization") != Some("Bearer the-token") {
            return (401, json!({ "error": { "code": 401, "status": "UNAUTHENTICATED" } }));
        }
        assert_eq!(
            (request.method.as_str(), request.header("content-type")),
            ("POST", Some("application/json"))
        );
        let bytes = |name: &str| STANDARD.decode(request.body[name].as_str().unwrap()).unwrap();
        let additional = request.body.get("additionalAuthenticatedData").map(|data| data.as_str().unwrap());
        let (ours, operation) = request.path.strip_prefix("/v1/").unwrap().rsplit_once(':').unwrap();
        assert_eq!(ours, KEY);
        match operation {
            "encrypt" => {
                let mut ciphertext = service::hidden(&bytes("plaintext"));
                ciphertext.extend(additional.unwrap_or_default().bytes());
                let name = format!("{KEY}/cryptoKeyVersions/1");
                (200, json!({ "name": name, "ciphertext": STANDARD.encode(ciphertext) }))
            }
            "decrypt" => {
                let ciphertext = bytes("ciphertext");
                let Some(hidden) = ciphertext.strip_suffix(additional.unwrap_or_default().as_bytes()) else {
                    return (400, json!({ "error": { "code": 400, "message": "Decryption failed" } }));
                };
                (200, json!({ "plaintext": STANDARD.encode(service::hidden(hidden)) }))
            }
            other => panic!("{other}"),
        }
    });
    let with = |token: &str| services(&[("GOOGLE_OAUTH_ACCESS_TOKEN", token)]).with_google_at(server.url());
    there_and_back(&format!("gcpkms://{KEY}"), &with("the-token")).await;
    let additional = format!("gcpkms://{KEY}?additional_authenticated_data=YWJj");
    there_and_back(&additional, &with("the-token")).await;
    let refused = CloudManager::create(&additional, &with("old"), entropy()).await.err().unwrap();
    assert_eq!(refused.code, "key-service-denied");
    // The content of any file that Google's tools write.
    let given = |credentials: Value| {
        services(&[("GOOGLE_CREDENTIALS", &credentials.to_string())]).with_google_at(server.url())
    };
    let ann = json!({
        "type": "authorized_user", "client_id": "x", "client_secret": "y", "refresh_token": "of-ann",
        "token_uri": format!("{}/token", server.url()),
    });
    there_and_back(&additional, &given(ann)).await;
    let unknown = given(json!({ "type": "gdch_service_account" }));
    let refused = CloudManager::create(&additional, &unknown, entropy()).await.err().unwrap();
    assert!(refused.message.contains("'gdch_service_account' is not supported"), "{}", refused.message);
}

#[tokio::test]
async fn azure_keeps_the_data_key() {
    let server = Service::start(|request| {
        if request.header("authorization") != Some("Bearer the-token") {
            return (401, json!({ "error": { "code": "Unauthorized" } }));
        }
        let (path, query) = request.path.split_once('?').unwrap();
        assert_eq!((request.method.as_str(), query), ("POST", "api-version=7.4"));
        assert_eq!(request.body["alg"], "RSA-OAEP-256");
        let value = URL_SAFE_NO_PAD.decode(request.body["value"].as_str().unwrap()).unwrap();
        assert!(
            ["/keys/k/0123/encrypt", "/keys/k/0123/decrypt", "/keys/k//encrypt", "/keys/k//decrypt"]
                .contains(&path),
            "{path}"
        );
        let value = URL_SAFE_NO_PAD.encode(service::hidden(&value));
        (200, json!({ "kid": "https://v.vault.azure.net/keys/k/0123", "value": value }))
    });
    let with = |token: &str| services(&[]).with_azure_at(server.url(), token);
    let state = there_and_back("azurekeyvault://v.vault.azure.net/keys/k", &with("the-token")).await;
    // The official CLI encodes what the service gives once more.
    let inner = STANDARD.decode(state["encryptedkey"].as_str().unwrap()).unwrap();
    let ciphertext = URL_SAFE_NO_PAD.decode(&inner).unwrap();
    there_and_back("azurekeyvault://v.vault.azure.net/keys/k/0123", &with("the-token")).await;
    // Some of its versions have left that out.
    let url = "azurekeyvault://v.vault.azure.net/keys/k";
    let plain = CloudManager::open(url, &STANDARD.encode(ciphertext), &with("the-token"), entropy()).unwrap();
    plain.unlock().await.unwrap();
    let refused = CloudManager::create(url, &with("old"), entropy()).await.err().unwrap();
    assert_eq!(refused.code, "key-service-denied");
}

#[tokio::test]
async fn urls_that_name_no_key_are_refused_before_anything_is_asked() {
    for url in [
        "awskms://",
        "awskms://k?colour=red",
        "awskms://k?context_a=1&context_a=2",
        "gcpkms://projects/p/locations/l",
        "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k?x=y",
        "azurekeyvault://example.com/keys/k",
        "azurekeyvault://v.vault.azure.net/secrets/k",
        "azurekeyvault://v.vault.azure.net/keys/k?x=y",
        "hashivault://",
        "hashivault://k?x=y",
        "otherkms://k",
        "nothing",
    ] {
        let services = services(&[("VAULT_ADDR", "http://127.0.0.1:1")]);
        let refused = CloudManager::create(url, &services, entropy()).await.err().unwrap();
        assert_eq!(refused.code, "key-service-url", "{url}: {}", refused.message);
        assert!(refused.message.contains(url) && refused.hint.is_some());
    }
}

#[tokio::test]
async fn a_data_key_of_another_length_is_refused() {
    let server = Service::start(|_| (200, json!({ "data": { "plaintext": STANDARD.encode("short") } })));
    let services = services(&[("VAULT_ADDR", server.url())]);
    let manager =
        CloudManager::open("hashivault://k", &STANDARD.encode("vault:v1:x"), &services, entropy()).unwrap();
    let refused = manager.decrypt(&["v1:x:y".to_owned()]).await.unwrap_err();
    assert_eq!(refused.code, "key-service-key");
    assert!(!refused.message.contains("short"));
}
