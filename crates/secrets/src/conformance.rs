//! What every secrets manager must do. Adapters run this in their tests.

use purlin_ports::SecretsManager;

/// Panics unless the manager keeps its promises.
pub async fn secrets_manager(manager: &dyn SecretsManager) {
    let provider = manager.provider();
    assert!(!provider.ty.is_empty(), "a manager has a type");
    assert!(
        provider.state.is_empty() || serde_json::from_str::<serde_json::Value>(&provider.state).is_ok(),
        "a manager's state is JSON or nothing"
    );
    assert_eq!(manager.provider(), provider, "a manager's state stays the same");

    let nothing = manager.encrypt(&[]).await.expect("no texts can be encrypted");
    assert!(nothing.is_empty());
    let nothing = manager.decrypt(&[]).await.expect("no texts can be decrypted");
    assert!(nothing.is_empty());

    let texts: Vec<String> = ["", "a", "\"quoted\" \\ \n\u{0}", "é😀\u{2028}", "a", "v1:b:c"]
        .into_iter()
        .map(str::to_owned)
        .chain([("x".repeat(100_000))])
        .collect();
    let ciphertexts = manager.encrypt(&texts).await.expect("texts can be encrypted");
    assert_eq!(ciphertexts.len(), texts.len(), "each text has its ciphertext");
    for (ciphertext, text) in ciphertexts.iter().zip(&texts).filter(|(_, text)| !text.is_empty()) {
        assert_ne!(ciphertext, text);
        assert!(!ciphertext.contains('\n'), "a ciphertext stands on one line");
    }
    let back = manager.decrypt(&ciphertexts).await.expect("what was encrypted can be decrypted");
    assert_eq!(back, texts, "texts come back in order");

    let reversed: Vec<String> = ciphertexts.iter().rev().cloned().collect();
    let back = manager.decrypt(&reversed).await.expect("the order of a batch doesn't matter");
    assert!(back.iter().eq(texts.iter().rev()));

    for garbage in ["%", "v1:%:%"] {
        let refused = manager.decrypt(&[garbage.to_owned()]).await;
        assert!(refused.is_err(), "'{garbage}' is no ciphertext");
    }
}
