//! The adapters against real servers, as far as variables name some.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use purlin_blobs::conformance::check_blobs;
use purlin_blobs::servers::{KINDS, backend};
use purlin_ports::{BlobError, Put};

fn address(variable: &str) -> Option<String> {
    let address = std::env::var(variable).ok();
    if address.is_none() {
        eprintln!("skipped: {variable} names no server");
    }
    address
}

#[tokio::test]
async fn real_servers_keep_the_promises_of_the_port() {
    for (scheme, variable) in KINDS {
        let Some(address) = address(variable) else { continue };
        let prefix = format!("blobs-{}", std::process::id());
        for below in [prefix.as_str(), ""] {
            let blobs = backend(scheme, &address, below).unwrap().open().unwrap();
            let kept = check_blobs(&*blobs, "conformance").await;
            assert_eq!(kept, Ok(()), "{scheme} below '{below}'");
        }
    }
}

#[tokio::test]
async fn many_keys_come_in_several_answers() {
    for (scheme, variable) in KINDS {
        let Some(address) = address(variable) else { continue };
        let blobs =
            backend(scheme, &address, &format!("many-{}", std::process::id())).unwrap().open().unwrap();
        let key = |number: u32| format!("k/{number:05}");
        for number in 0..1050 {
            blobs.put(&key(number), Vec::new(), &Put::Always).await.unwrap();
        }
        let found = blobs.list("k/").await.unwrap();
        assert_eq!(found.len(), 1050, "{scheme}");
        assert!(found.iter().zip(0..).all(|(info, number)| info.key == key(number)), "{scheme}");
        for number in 0..1050 {
            blobs.delete(&key(number)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn of_racing_writers_one_wins_in_every_round() {
    for (scheme, variable) in KINDS {
        let Some(address) = address(variable) else { continue };
        let backend = backend(scheme, &address, &format!("race-{}", std::process::id())).unwrap();
        for round in 0..20 {
            let racers: Vec<_> = (0..4)
                .map(|racer| {
                    let blobs = backend.open().unwrap();
                    let key = format!("round/{round}");
                    tokio::spawn(async move {
                        blobs.put(&key, format!("racer {racer}").into_bytes(), &Put::IfAbsent).await
                    })
                })
                .collect();
            let mut won = 0;
            for racer in racers {
                match racer.await.unwrap() {
                    Ok(_) => won += 1,
                    Err(BlobError::AlreadyExists | BlobError::Unknown(_)) => {}
                    Err(error) => panic!("{scheme}: {error:?}"),
                }
            }
            assert_eq!(won, 1, "{scheme}, round {round}");
        }
    }
}

#[tokio::test]
async fn refusals_are_told_from_what_is_not_known() {
    for (scheme, variable) in KINDS {
        let Some(address) = address(variable) else { continue };
        let mut nowhere = backend(scheme, &address, "x").unwrap();
        nowhere.url = nowhere.url.replacen("/x", "-that-is-not/x", 1);
        let error = nowhere.open().unwrap().put("a", b"1".to_vec(), &Put::Always).await.unwrap_err();
        assert!(matches!(error, BlobError::NoBucket(_) | BlobError::NotFound), "{scheme}: {error:?}");
        if *scheme != "gs" {
            // The server for tests of Google's storage asks for no credentials.
            let mut stranger = backend(scheme, &address, "x").unwrap();
            stranger.variables[1].1 = "bm90IHRoZSBrZXk=".to_owned();
            let error = stranger.open().unwrap().get("a").await.unwrap_err();
            assert!(matches!(error, BlobError::Denied(_)), "{scheme}: {error:?}");
        }
        // A port that nobody listens on.
        let mut gone = backend(scheme, "http://u:cGFzcw==@127.0.0.1:9/purlin-tests", "x").unwrap();
        gone.variables.push(("AWS_REGION", "us-east-1".to_owned()));
        let error = gone.open().unwrap().get("a").await.unwrap_err();
        assert!(matches!(error, BlobError::Unknown(_)), "{scheme}: {error:?}");
    }
}
