//! Opening and sealing bags: when the manager is asked, and what is kept.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::state::{SealedValue, SecretsProvider};
use purlin_model::{Bag, PropertyMap, PropertyValue, RawText};
use purlin_ports::{BagCodec as _, SecretsManager};
use purlin_secrets::SealedBags;

/// Numbers its ciphertexts and writes down what it was asked.
#[derive(Default)]
struct Recorder {
    calls: Mutex<Vec<String>>,
    number: Mutex<usize>,
}

#[async_trait]
impl SecretsManager for Recorder {
    fn provider(&self) -> SecretsProvider {
        SecretsProvider { ty: "b64".into(), state: String::new() }
    }

    async fn encrypt(&self, plaintexts: &[String]) -> Result<Vec<String>, Diagnostic> {
        self.calls.lock().unwrap().push(format!("encrypt {}", plaintexts.join(" ")));
        let mut number = self.number.lock().unwrap();
        Ok(plaintexts
            .iter()
            .map(|text| {
                *number += 1;
                format!("{number}|{text}")
            })
            .collect())
    }

    async fn decrypt(&self, ciphertexts: &[String]) -> Result<Vec<String>, Diagnostic> {
        self.calls.lock().unwrap().push(format!("decrypt {}", ciphertexts.join(" ")));
        let plain = |text: &String| text.split_once('|').map(|(_, plain)| plain.to_owned());
        ciphertexts
            .iter()
            .map(|text| plain(text).ok_or_else(|| Diagnostic::error("secret-undecryptable", "damaged")))
            .collect()
    }
}

fn setup() -> (Arc<Recorder>, SealedBags) {
    let manager = Arc::new(Recorder::default());
    (Arc::clone(&manager), SealedBags::new(manager))
}

impl Recorder {
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

fn secret(value: impl Into<PropertyValue>) -> PropertyValue {
    PropertyValue::Secret(Box::new(value.into()))
}

fn map(pairs: &[(&str, PropertyValue)]) -> PropertyMap {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
}

#[tokio::test]
async fn a_bag_without_secrets_asks_nobody() {
    let (manager, bags) = setup();
    let properties = map(&[("a", 1.0.into())]);
    let raw = Bag::Raw(bags.seal(&properties, None).await.unwrap());
    assert_eq!(*bags.open(&raw).await.unwrap(), properties);
    let with_old_secret = Bag::Raw(bags.seal(&map(&[("a", secret("x"))]), None).await.unwrap());
    manager.calls();
    bags.seal(&properties, Some(&with_old_secret)).await.unwrap();
    let value = SealedValue::Raw(bags.seal_value(&"t".into()).await.unwrap());
    assert_eq!(bags.open_value(&value).await.unwrap(), "t".into());
    assert!(manager.calls().is_empty());
}

#[tokio::test]
async fn secrets_of_a_bag_travel_in_one_batch() {
    let (manager, bags) = setup();
    let properties = map(&[("a", secret("x")), ("b", PropertyValue::Array(vec![secret("y"), secret("x")]))]);
    let raw = bags.seal(&properties, None).await.unwrap();
    assert_eq!(manager.calls(), [r#"encrypt "x" "y" "x""#]);
    let fresh = SealedBags::new(Arc::clone(&manager) as _);
    assert_eq!(*fresh.open(&Bag::Raw(raw.clone())).await.unwrap(), properties);
    assert_eq!(manager.calls(), [r#"decrypt 1|"x" 2|"y" 3|"x""#]);
    fresh.open(&Bag::Raw(raw)).await.unwrap();
    assert!(manager.calls().is_empty(), "what was opened once is known");
}

#[tokio::test]
async fn unchanged_secrets_keep_their_ciphertext() {
    let (manager, bags) = setup();
    let old = map(&[("a", secret("x")), ("b", secret("y"))]);
    let raw = Bag::Raw(bags.seal(&old, None).await.unwrap());
    manager.calls();

    let new = map(&[("a", secret("x")), ("b", secret("z")), ("c", secret("x"))]);
    let sealed = bags.seal(&new, Some(&raw)).await.unwrap();
    assert_eq!(manager.calls(), [r#"encrypt "z" "x""#]);
    assert!(sealed.as_str().contains(r#"1|\"x\""#) && sealed.as_str().contains(r#"3|\"z\""#), "{sealed:?}");

    // Never opened in this run: decrypted once, only because there are secrets to seal.
    let later = SealedBags::new(Arc::clone(&manager) as _);
    let again = later.seal(&old, Some(&raw)).await.unwrap();
    assert_eq!(Bag::Raw(again), raw);
    assert_eq!(manager.calls(), [r#"decrypt 1|"x" 2|"y""#]);

    let anew = SealedBags::new(Arc::clone(&manager) as _).without_reuse();
    assert_ne!(Bag::Raw(anew.seal(&old, Some(&raw)).await.unwrap()), raw);
    assert_eq!(manager.calls(), [r#"encrypt "x" "y""#]);
}

#[tokio::test]
async fn a_previous_bag_that_cannot_be_opened_is_no_obstacle() {
    let (manager, bags) = setup();
    let properties = map(&[("a", secret("x"))]);
    let damaged =
        r#"{"a":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"?"}}"#;
    for previous in [damaged, "{"] {
        let previous = Bag::Raw(RawText::from(previous.to_owned()));
        let sealed = Bag::Raw(bags.seal(&properties, Some(&previous)).await.unwrap());
        assert_eq!(*bags.open(&sealed).await.unwrap(), properties);
        assert!(manager.calls().iter().any(|call| call.starts_with("encrypt")));
    }
    assert!(bags.open(&Bag::Raw(RawText::from(damaged.to_owned()))).await.is_err());
}

#[tokio::test]
async fn texts_that_are_not_utf8_are_reported() {
    let (_, bags) = setup();
    bags.seal(&map(&[("a", secret("x"))]), None).await.unwrap();
    assert!(!bags.sealed_bytes());
    bags.seal(&map(&[("a", secret(PropertyValue::Bytes(vec![0xff])))]), None).await.unwrap();
    assert!(bags.sealed_bytes());
}
