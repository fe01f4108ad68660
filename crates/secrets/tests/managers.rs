//! The managers, and what existing stacks hold.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use purlin_diag::Diagnostic;
use purlin_formats::{ParseOptions, parse_checkpoint};
use purlin_model::state::SecretsProvider;
use purlin_model::{Bag, PropertyValue, Snapshot};
use purlin_ports::{BagCodec as _, Entropy, SecretsManager};
use purlin_secrets::{
    Base64Manager, FixedPassphrase, KeyServices, NoPassphrase, PassphraseManager, PassphraseSource,
    SealedBags, conformance, decrypt_text, encrypt_text, manager_from_state,
};
use zeroize::Zeroizing;

const CHECKPOINT: &str = include_str!("../../formats/tests/golden/official-checkpoint.json");
const PASSPHRASE: &str = "fixture-passphrase";

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

fn services() -> KeyServices {
    KeyServices::new(Arc::new(|_| None))
}

fn fixed(passphrase: &str) -> Arc<dyn PassphraseSource> {
    Arc::new(FixedPassphrase::new(passphrase))
}

fn official() -> Snapshot {
    parse_checkpoint(&Arc::from(CHECKPOINT), ParseOptions::default()).unwrap().snapshot
}

#[tokio::test]
async fn every_manager_keeps_its_promises() {
    conformance::secrets_manager(&Base64Manager).await;
    let created = PassphraseManager::create(fixed("open sesame"), entropy()).await.unwrap();
    conformance::secrets_manager(&created).await;
    let opened =
        manager_from_state(&created.provider(), fixed("open sesame"), &services(), entropy()).unwrap();
    conformance::secrets_manager(&*opened).await;
    let ciphertext = encrypt_text(&created, "x").await.unwrap();
    assert_eq!(decrypt_text(&*opened, &ciphertext).await.unwrap(), "x");
    assert_ne!(encrypt_text(&created, "x").await.unwrap(), ciphertext, "each encryption has its own nonce");
}

#[tokio::test]
async fn official_secrets_are_opened_and_kept() {
    let snapshot = official();
    let provider = snapshot.secrets_provider.clone().unwrap();
    let manager = manager_from_state(&provider, fixed(PASSPHRASE), &services(), entropy()).unwrap();
    assert_eq!(manager.provider(), provider);
    let bags = SealedBags::new(manager);
    let outputs = bags.open(&snapshot.resources[0].outputs).await.unwrap();
    assert_eq!(outputs["s"], PropertyValue::from("a<b>&c").into_secret());
    for state in &snapshot.resources {
        for bag in [&state.inputs, &state.outputs] {
            let Bag::Raw(raw) = bag else { continue };
            let opened = bags.open(bag).await.unwrap();
            let sealed = bags.seal(&opened, Some(bag)).await.unwrap();
            assert_eq!(sealed.as_str(), raw.as_str());
        }
    }
}

struct Asked(AtomicUsize);

impl PassphraseSource for Asked {
    fn passphrase(&self) -> Result<Zeroizing<String>, Diagnostic> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Zeroizing::new("wrong".to_owned()))
    }
}

#[tokio::test]
async fn a_wrong_passphrase_shows_when_a_secret_is_used_and_is_asked_for_once() {
    let asked = Arc::new(Asked(AtomicUsize::new(0)));
    let snapshot = official();
    let provider = snapshot.secrets_provider.clone().unwrap();
    let manager = manager_from_state(&provider, Arc::clone(&asked) as _, &services(), entropy()).unwrap();
    let bags = SealedBags::new(Arc::clone(&manager));
    bags.open(&snapshot.resources[2].inputs).await.unwrap();
    assert_eq!(asked.0.load(Ordering::Relaxed), 0, "a bag without secrets needs no passphrase");
    for _ in 0..2 {
        let refused = bags.open(&snapshot.resources[0].outputs).await.unwrap_err();
        assert_eq!(refused.code, "passphrase-wrong");
        assert_eq!(refused.message, "incorrect passphrase");
        assert_eq!(manager.encrypt(&["x".into()]).await.unwrap_err().code, "passphrase-wrong");
    }
    assert_eq!(asked.0.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_missing_passphrase_names_both_variables() {
    let provider = official().secrets_provider.unwrap();
    let manager = manager_from_state(&provider, Arc::new(NoPassphrase), &services(), entropy()).unwrap();
    let refused = manager.decrypt(&["v1:x:y".into()]).await.unwrap_err();
    assert_eq!(refused.code, "passphrase-missing");
    let hint = refused.hint.unwrap();
    assert!(hint.contains("PULUMI_CONFIG_PASSPHRASE ") && hint.contains("PULUMI_CONFIG_PASSPHRASE_FILE"));
}

#[tokio::test]
async fn damaged_secrets_are_refused() {
    let provider = official().secrets_provider.unwrap();
    let manager = manager_from_state(&provider, fixed(PASSPHRASE), &services(), entropy()).unwrap();
    let good = encrypt_text(&*manager, "hunter2").await.unwrap();
    let flipped = format!("{}A{}", &good[..30], &good[31..]);
    for bad in
        [&flipped, "v2:AAAA:AAAA", "v1:AAAA", "v1:AAAA:AAAA:AAAA", "v1:AAAA:AAAA", "v1:AAAAAAAAAAAAAAAA:"]
    {
        if *bad == good {
            continue;
        }
        let refused = decrypt_text(&*manager, bad).await.unwrap_err();
        assert_eq!(refused.code, "secret-undecryptable", "{bad}");
        assert!(!refused.to_string().contains("hunter2"));
    }
}

#[test]
fn unusable_managers_are_named() {
    let refuse = |ty: &str, state: &str| {
        let provider = SecretsProvider { ty: ty.into(), state: state.into() };
        manager_from_state(&provider, Arc::new(NoPassphrase), &services(), entropy()).err().unwrap()
    };
    let refused = refuse("service", "{}");
    assert_eq!(refused.code, "secrets-unsupported");
    assert!(refused.message.contains("service") && refused.hint.is_some());
    assert_eq!(refuse("cloud", "{}").code, "key-service-key");
    assert_eq!(refuse("cloud", r#"{"url":"awskms://x","encryptedkey":"%"}"#).code, "key-service-key");
    assert_eq!(refuse("cloud", r#"{"url":"otherkms://x","encryptedkey":"eHh4"}"#).code, "key-service-url");
    assert_eq!(refuse("rot13", "").code, "secrets-unknown");
    for state in [
        "",
        "{",
        "{}",
        "{\"salt\":7}",
        "{\"salt\":\"v1\"}",
        "{\"salt\":\"v1:%:x\"}",
        "{\"salt\":\"v9:AA==:x\"}",
    ] {
        assert_eq!(refuse("passphrase", state).code, "passphrase-salt", "{state}");
    }
}
