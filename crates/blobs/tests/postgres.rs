//! The adapter of PostgreSQL against a real server, which `cargo xtask test` starts, and against one
//! behind a proxy that hits every request in turn.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::join_all;
use purlin_blobs::PostgresBlobs;
use purlin_blobs::conformance::check_blobs;
use purlin_ports::{BlobError, Blobs, Put};
use purlin_testkit::proxy::{Fault, Protocol, Proxy};
use purlin_testkit::servers::{Found, Server};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

fn server() -> Found {
    Server::Postgres.find(|name| std::env::var(name).ok())
}

/// A table's name of its own for each caller.
fn table() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn url(authority: &str, user: &str, database: &str, more: &str) -> String {
    format!("postgres://{user}@{authority}/{database}?sslmode=disable{more}")
}

/// The URL of a table of the real server.
fn url_of(table: &str) -> String {
    let found = server();
    url(
        &found.authority,
        &format!("{}:{}", found.user, found.password),
        &found.bucket,
        &format!("&table={table}"),
    )
}

async fn direct() -> PgConnection {
    PgConnection::connect(&std::env::var(Server::Postgres.variable()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn keeps_its_promises() {
    let blobs = PostgresBlobs::open(&url_of(&table())).unwrap();
    check_blobs(&blobs, "below/some_prefix").await.unwrap();
}

#[tokio::test]
async fn shares_the_table_with_the_official_cli() {
    let name = table();
    let mut other = direct().await;
    let make = format!(
        "CREATE TABLE {name} (key TEXT PRIMARY KEY, data JSON NOT NULL, updated_at TIMESTAMP WITH TIME ZONE NOT NULL \
         DEFAULT now())"
    );
    sqlx::query(AssertSqlSafe(make)).execute(&mut other).await.unwrap();
    let insert = format!(
        r#"INSERT INTO {name} (key, data) VALUES ('.pulumi/meta.yaml', '{{"data":"dmVyc2lvbjogMQo="}}')"#
    );
    sqlx::query(AssertSqlSafe(insert)).execute(&mut other).await.unwrap();

    let blobs = PostgresBlobs::open(&url_of(&name)).unwrap();
    let found = blobs.get(".pulumi/meta.yaml").await.unwrap();
    assert_eq!(found.bytes, b"version: 1\n");
    assert_eq!(blobs.list(".pulumi/").await.unwrap()[0].size, 11);
    blobs.put(".pulumi/stacks/p/dev.json", b"{}".to_vec(), &Put::Always).await.unwrap();
    let select = format!("SELECT data::text FROM {name} WHERE key = '.pulumi/stacks/p/dev.json'");
    let text: String = sqlx::query_scalar(AssertSqlSafe(select)).fetch_one(&mut other).await.unwrap();
    assert_eq!(text, r#"{"data":"e30="}"#);

    // What the official CLI writes is another version for us, even with the same bytes.
    let update = format!(
        r#"INSERT INTO {name} (key, data) VALUES ('.pulumi/meta.yaml', '{{"data":"dmVyc2lvbjogMQo="}}') ON CONFLICT (key) DO UPDATE SET data = excluded.data"#
    );
    sqlx::query(AssertSqlSafe(update)).execute(&mut other).await.unwrap();
    let refused = blobs.put(".pulumi/meta.yaml", b"mine".to_vec(), &Put::IfMatch(found.tag)).await;
    assert_eq!(refused, Err(BlobError::PreconditionFailed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_puts_on_one_condition_one_succeeds() {
    let name = table();
    let writers: Vec<Arc<PostgresBlobs>> =
        (0..4).map(|_| Arc::new(PostgresBlobs::open(&url_of(&name)).unwrap())).collect();
    let race = async |condition: Put| {
        let puts = writers.iter().cycle().take(16).enumerate().map(|(number, writer)| {
            let (writer, condition) = (Arc::clone(writer), condition.clone());
            tokio::spawn(async move { writer.put("one", number.to_string().into(), &condition).await })
        });
        let results: Vec<_> = join_all(puts).await.into_iter().map(Result::unwrap).collect();
        let won: Vec<usize> = (0..16).filter(|number| results[*number].is_ok()).collect();
        let lost = results
            .iter()
            .filter(|result| matches!(result, Err(BlobError::AlreadyExists | BlobError::PreconditionFailed)));
        assert_eq!((won.len(), lost.count()), (1, 15), "{results:?}");
        let there = writers[0].get("one").await.unwrap();
        assert_eq!(there.bytes, won[0].to_string().as_bytes());
        there.tag
    };
    let mut tag = race(Put::IfAbsent).await;
    for _ in 0..20 {
        tag = race(Put::IfMatch(tag)).await;
    }
}

#[tokio::test]
async fn whatever_happens_to_a_request_no_answer_is_wrong() {
    let found = server();
    let user = format!("{}:{}", found.user, found.password);
    let faults = [
        Fault::Reset,
        Fault::Status(503),
        Fault::LostReply,
        Fault::StatusAfter(503),
        Fault::TornRequest,
        Fault::TornReply,
    ];
    let mut unknown = 0;
    for fault in faults {
        // Connecting, the table, the statements, each prepared and run.
        for number in 1..=16 {
            let name = table();
            let honest = PostgresBlobs::open(&url_of(&name)).unwrap();
            let proxy = Proxy::start(&found.authority, Protocol::Postgres).unwrap();
            proxy.fail_request(number, fault);
            let through = url(
                &proxy.address().to_string(),
                &user,
                &found.bucket,
                &format!("&table={name}&connect_timeout=5"),
            );
            let blobs = PostgresBlobs::open(&through).unwrap();
            let mut expected = None;
            for (at, text) in ["first", "second", "third"].iter().enumerate() {
                let condition = if at == 0 { Put::IfAbsent } else { Put::Always };
                match blobs.put("key", (*text).into(), &condition).await {
                    Ok(_) => expected = Some((*text).to_owned()),
                    Err(BlobError::Unknown(_)) => {
                        unknown += 1;
                        // It took effect or it didn't; whoever asks has to look.
                        let now =
                            honest.get("key").await.ok().map(|blob| String::from_utf8(blob.bytes).unwrap());
                        assert!(
                            now.as_deref() == Some(*text) || now == expected,
                            "{fault:?} {number}: {now:?}"
                        );
                        expected = now;
                    }
                    // Only of the first, and only where it wasn't asked before.
                    Err(other) => panic!("{fault:?} {number}: {text} gave {other:?}"),
                }
            }
            let now = honest.get("key").await.ok().map(|blob| String::from_utf8(blob.bytes).unwrap());
            assert_eq!(now, expected, "{fault:?} {number}");
            assert_eq!(now.as_deref(), Some("third"), "{fault:?} {number}: one fault spoils one call");
        }
    }
    assert!(unknown >= 10, "faults were felt: {unknown}");
}

#[tokio::test]
async fn refusals_say_what_they_are() {
    let found = server();
    let user = format!("{}:{}", found.user, found.password);
    let wrong = PostgresBlobs::open(&url(&found.authority, "purlin:other", &found.bucket, "")).unwrap();
    let refused = wrong.get("key").await.unwrap_err();
    assert!(matches!(&refused, BlobError::Denied(text) if !text.contains("other")), "{refused:?}");
    let nowhere = PostgresBlobs::open(&url(&found.authority, &user, "no_such_database", "")).unwrap();
    let refused = nowhere.get("key").await.unwrap_err();
    assert!(
        matches!(&refused, BlobError::NoBucket(text) if text.contains("no_such_database")),
        "{refused:?}"
    );
    let encrypted =
        PostgresBlobs::open(&format!("postgres://{user}@{}/{}", found.authority, found.bucket)).unwrap();
    let refused = encrypted.get("key").await.unwrap_err();
    assert!(matches!(&refused, BlobError::Refused(_)), "the server has no TLS: {refused:?}");
}
