//! What other programs find in the directory, and what they leave there.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use purlin_model::{Bag, RawText};
use purlin_ports::{RecordedConfig, StackId, StateError, StateStore, UpdateInfo, UpdateOutcome};
use purlin_state::{Compression, DiyOptions};
use world::*;

const FOREIGN: &str =
    r#"{"pid":42,"username":"bob","hostname":"laptop","timestamp":"2025-01-01T10:00:00.5+01:00"}"#;

/// A checkpoint as another program writes it.
const CHECKPOINT: &str = concat!(
    r#"{"version":3,"checkpoint":{"stack":"organization/shop/dev","latest":{"manifest":"#,
    r#"{"time":"2025-01-01T10:00:00Z","magic":"","version":""},"#,
    r#""resources":[{"urn":"urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev","custom":false,"#,
    r#""type":"pulumi:pulumi:Stack","newKey":{"x":[1]}}],"metadata":{}}}}"#
);

#[tokio::test]
async fn leaves_what_the_ecosystem_knows() {
    let world = World::new();
    let store = world.store(1);
    store.create(&id()).await.unwrap();
    assert_eq!(world.read("meta.yaml"), "version: 1\n");
    assert_eq!(world.names("stacks/shop"), ["dev.json"]);
    let fresh = world.read(FILE);
    assert!(fresh.starts_with(r#"{"version":3,"checkpoint":{"stack":"organization/shop/dev""#), "{fresh}");
    assert_eq!(world.names(LOCKS), Vec::<String>::new());

    let info = UpdateInfo {
        kind: "update".into(),
        message: "first <one>".into(),
        environment: [("git.head".to_owned(), "abc".to_owned())].into(),
        config: [
            ("shop:key".to_owned(), RecordedConfig::Plain("v".to_owned())),
            ("shop:pw".to_owned(), RecordedConfig::Secret("c".to_owned())),
        ]
        .into(),
    };
    let session = store.begin(&id(), info.clone()).await.unwrap();
    let lock = world.read(&format!("{LOCKS}/{}", world.names(LOCKS)[0]));
    assert!(lock.starts_with(r#"{"pid":1,"username":"ann","hostname":"here","timestamp":"2025-"#), "{lock}");
    session.append(begin(1, "a")).wait().await.unwrap();
    let changes = [("create".to_owned(), 1)].into();
    session.finish(&snapshot(&["a"]), UpdateOutcome { succeeded: false, changes }).await.unwrap();

    assert_eq!(world.names("stacks/shop"), ["dev.json", "dev.json.bak"]);
    assert_eq!(world.read("stacks/shop/dev.json.bak"), fresh);
    let history = world.names("history/shop/dev");
    let nanos = "1735787045000000000";
    assert_eq!(history, [format!("dev-{nanos}.checkpoint.json"), format!("dev-{nanos}.history.json")]);
    assert_eq!(world.names("backups/shop/dev"), [format!("dev.{nanos}.json")]);
    assert_eq!(world.read(&format!("history/shop/dev/{}", history[0])), world.read(FILE));
    assert_eq!(
        world.read(&format!("history/shop/dev/{}", history[1])),
        concat!(
            r#"{"kind":"update","startTime":1735787045,"message":"first <one>","environment":{"git.head":"abc"},"#,
            r#""config":{"shop:key":"v","shop:pw":{"secure":"c"}},"version":0,"result":"failed","#,
            r#""endTime":1735787045,"resourceChanges":{"create":1}}"#
        )
    );
    for file in [FILE, "stacks/shop/dev.json.bak", &format!("history/shop/dev/{}", history[0])] {
        let mode = std::fs::metadata(world.path(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
    assert_eq!(world.names(OWN), ["epoch.1.json", "fence"]);
    let entry = &store.history(&id()).await.unwrap()[0];
    assert_eq!((entry.info.config.clone(), entry.outcome.succeeded), (info.config, false));
}

#[tokio::test]
async fn operations_in_one_tick_of_the_clock_have_entries_of_their_own() {
    let world = World::new();
    let store = world.store(1);
    store.create(&id()).await.unwrap();
    for message in ["one", "two", "three"] {
        let info = UpdateInfo { message: message.into(), ..info() };
        store.begin(&id(), info).await.unwrap().finish(&snapshot(&["a"]), well()).await.unwrap();
    }
    let history = store.history(&id()).await.unwrap();
    let messages: Vec<&str> = history.iter().map(|entry| entry.info.message.as_str()).collect();
    assert_eq!(messages, ["three", "two", "one"]);
    assert_eq!(world.names("backups/shop/dev").len(), 3);
}

#[tokio::test]
async fn locks_of_other_programs_are_respected() {
    let world = World::new();
    let store = world.store(1);
    store.create(&id()).await.unwrap();
    for (content, who) in [
        (FOREIGN, "bob@laptop (pid 42) at 2025-01-01T10:00:00.5+01:00"),
        (&FOREIGN.replace('}', ",\"more\":1}"), "bob@laptop (pid 42)"),
        ("not json", "created by @ (pid 0)"),
    ] {
        world.write(&format!("{LOCKS}/x.json"), content);
        world.write(&format!("{LOCKS}/x.json.attrs"), "{}");
        let Err(StateError::Locked(diagnostic)) = store.begin(&id(), info()).await else {
            panic!("{content}")
        };
        assert!(diagnostic.message.starts_with("the stack is currently locked by 1 lock(s)"), "{diagnostic}");
        assert!(
            diagnostic.message.contains("/.pulumi/locks/organization/shop/dev/x.json: created by "),
            "{diagnostic}"
        );
        assert!(diagnostic.message.contains(who), "{diagnostic}");
        assert!(diagnostic.hint.unwrap().contains("purlin cancel"));
        store.load(&id()).await.unwrap();
        store.export(&id()).await.unwrap();
        let report = store.cancel(&id()).await.unwrap();
        assert!(report.locks_removed[0].contains(who) && !report.recovered);
        assert_eq!(world.names(LOCKS), Vec::<String>::new(), "with its note");
    }
    store.begin(&id(), info()).await.unwrap().abandon().await.unwrap();
}

#[tokio::test]
async fn locks_of_a_stack_that_is_gone_can_be_removed() {
    let world = World::new();
    let store = world.store(1);
    assert_eq!(store.cancel(&id()).await.err(), Some(StateError::NotFound(id())));
    world.write(&format!("{LOCKS}/x.json"), FOREIGN);
    assert!(matches!(store.create(&id()).await, Err(StateError::Locked(_))));
    assert_eq!(store.cancel(&id()).await.unwrap().locks_removed.len(), 1);
    store.create(&id()).await.unwrap();
}

#[tokio::test]
async fn reads_and_keeps_what_another_program_wrote() {
    let world = World::new();
    let store = world.store(1);
    world.write(FILE, CHECKPOINT);
    world.write(&format!("{FILE}.attrs"), "");
    world.write("stacks/shop/dev.pulumi-tags", "{}");
    world.write("stacks/shop/deeper/x.json", "{}");
    let list = store.list(None).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].last_update.as_deref(), Some("2025-01-01T10:00:00Z"));
    assert_eq!(list[0].resource_count, Some(1));
    let session = store.begin(&id(), info()).await.unwrap();
    let base = session.base().snapshot.clone();
    session.finish(&base, well()).await.unwrap();
    assert!(world.read(FILE).contains(r#""newKey":{"x":[1]}"#));
    assert!(!world.path(&format!("{FILE}.attrs")).exists(), "notes of others on content that is gone");
    assert_eq!(world.read("stacks/shop/dev.json.bak"), CHECKPOINT);
}

#[tokio::test]
async fn what_was_wrong_with_an_earlier_state_is_not_said_of_a_valid_one() {
    let world = World::new();
    let store = world.store(1);
    world.write(
        FILE,
        CHECKPOINT.replace(r#""metadata":{}"#, r#""metadata":{"integrity_error":{"error":"x"}}"#),
    );
    let session = store.begin(&id(), info()).await.unwrap();
    let base = session.base().snapshot.clone();
    session.finish(&base, well()).await.unwrap();
    assert!(world.read(FILE).contains(r#""metadata":{}"#));
}

#[tokio::test]
async fn the_newest_variant_counts_and_the_others_go() {
    let mut world = World::new();
    world.write(FILE, CHECKPOINT);
    world.options.compression = Compression::Gzip;
    let store = world.store(1);
    let session = store.begin(&id(), info()).await.unwrap();
    session.finish(&snapshot(&["a"]), well()).await.unwrap();
    assert_eq!(world.names("stacks/shop"), ["dev.json.bak", "dev.json.gz"]);
    assert!(world.names("history/shop/dev").iter().all(|name| name.ends_with(".json.gz")));
    assert!(world.names("backups/shop/dev").iter().all(|name| name.ends_with(".json.gz")));
    assert_eq!(resources(&store.load(&id()).await.unwrap().snapshot), ["a"]);
    assert_eq!(store.history(&id()).await.unwrap().len(), 1);

    world.options.compression = Compression::Zstd;
    let store = world.store(1);
    let session = store.begin(&id(), info()).await.unwrap();
    session.finish(&snapshot(&["a", "b"]), well()).await.unwrap();
    assert_eq!(world.names("stacks/shop"), ["dev.json.bak", "dev.json.gz.bak", "dev.json.zst"]);
    assert_eq!(resources(&store.load(&id()).await.unwrap().snapshot), ["a", "b"]);
    assert_eq!(store.list(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn copies_are_kept_as_the_settings_say() {
    let options = DiyOptions { disable_backups: true, retain_checkpoints: true, ..DiyOptions::default() };
    let world = World::with(options);
    let store = world.store(1);
    world.write(FILE, CHECKPOINT);
    let session = store.begin(&id(), info()).await.unwrap();
    session.finish(&snapshot(&["a"]), well()).await.unwrap();
    assert_eq!(world.names("stacks/shop"), ["dev.json", "dev.json.1735787045000000000", "dev.json.bak"]);
    assert_eq!(world.names("backups/shop/dev"), Vec::<String>::new());
    assert_eq!(store.list(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn other_layouts_are_refused() {
    let world = World::new();
    world.write("stacks/dev.json", CHECKPOINT);
    let open = |world: &World| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.store(1)));
    let refusal = |world: &World| {
        let panic = open(world).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    assert!(refusal(&world).contains("backend-legacy"));
    world.write("meta.yaml", "version: 0\n");
    assert!(refusal(&world).contains("backend-legacy"));
    world.write("meta.yaml", "version: 2\n");
    assert!(refusal(&world).contains("backend-version"));
    world.write("meta.yaml", "");
    assert!(refusal(&world).contains("backend-meta"));
    world.write("meta.yaml", "version: 1\n");
    assert!(open(&world).is_ok());
}

#[tokio::test]
async fn removing_keeps_the_backups_until_they_are_removed_too() {
    let world = World::new();
    let store = world.store(1);
    store.create(&id()).await.unwrap();
    store.begin(&id(), info()).await.unwrap().finish(&snapshot(&["a"]), well()).await.unwrap();
    world.write("stacks/shop/dev.pulumi-tags", "{}");
    let last = world.read(FILE);
    store.remove(&id(), true).await.unwrap();
    assert_eq!(world.names("stacks/shop"), ["dev.json.bak"]);
    assert_eq!(world.read("stacks/shop/dev.json.bak"), last);
    assert_eq!(world.names("history/shop"), Vec::<String>::new());
    assert_eq!(world.names("purlin/shop"), Vec::<String>::new());
    assert_eq!(world.names(LOCKS), Vec::<String>::new());
    assert_eq!(world.names("backups/shop/dev").len(), 1);
    store.remove_backups(&id()).await.unwrap();
    assert_eq!(world.names("stacks/shop"), Vec::<String>::new());
    assert_eq!(world.names("backups/shop"), Vec::<String>::new());
}

#[tokio::test]
async fn a_new_stack_does_not_inherit_the_journal_of_one_that_another_program_removed() {
    let world = World::new();
    let store = world.store(1);
    store.create(&id()).await.unwrap();
    let session = world.store(7).begin(&id(), info()).await.unwrap();
    session.append(begin(1, "a")).wait().await.unwrap();
    drop(session);
    world.kill("here", 7);
    std::fs::remove_file(world.path(FILE)).unwrap();
    std::fs::remove_dir_all(world.path(LOCKS)).unwrap();
    store.create(&id()).await.unwrap();
    let loaded = store.load(&id()).await.unwrap();
    assert!(!loaded.recovered && !loaded.deployed);
    let kept = world.names("purlin/shop");
    assert!(kept.len() == 1 && kept[0].ends_with(".aside"), "{kept:?}");
}

#[tokio::test]
async fn renaming_moves_everything_along() {
    let world = World::new();
    let store = world.store(1);
    store.create(&id()).await.unwrap();
    let mut base = snapshot(&["a"]);
    let reference = concat!(
        r#"{"r":{"4dabf18193072939515e22adb298388d":"5cf8f73096256a8f31e491e813e4eb8e","#,
        r#""urn":"urn:pulumi:dev::shop::a:b:C::a","id":"1"},"text":"urn:pulumi:dev::shop::a:b:C::a"}"#
    );
    let mut b = resource("b");
    b.outputs = Bag::Raw(RawText::from(reference.to_owned()));
    b.parent = Some(resource("a").urn);
    base.resources.push(Arc::new(b));
    store.begin(&id(), info()).await.unwrap().finish(&base, well()).await.unwrap();
    world.write("stacks/shop/dev.pulumi-tags", "tags");
    let new = StackId { project: "store".into(), name: "prod".into(), ..id() };
    store.rename(&id(), &new).await.unwrap();
    assert_eq!(world.names("stacks/shop"), ["dev.json.bak"]);
    assert_eq!(world.names("stacks/store"), ["prod.json", "prod.pulumi-tags"]);
    assert!(world.names("history/store/prod").iter().all(|name| name.starts_with("prod-1735787045")));
    assert_eq!(world.names("purlin/shop"), Vec::<String>::new());
    let text = world.read("stacks/store/prod.json");
    assert!(text.contains(r#""stack":"organization/store/prod""#));
    assert!(text.contains(r#""urn":"urn:pulumi:prod::store::a:b:C::a","id":"1""#), "{text}");
    assert!(text.contains(r#""text":"urn:pulumi:dev::shop::a:b:C::a""#), "plain texts are no references");
    let loaded = store.load(&new).await.unwrap();
    assert_eq!(
        loaded.snapshot.resources[1].parent.as_ref().unwrap().as_str(),
        "urn:pulumi:prod::store::a:b:C::a"
    );
}

#[tokio::test]
async fn a_damaged_checkpoint_is_named_and_can_be_replaced_by_force() {
    let world = World::new();
    let store = world.store(1);
    world.write(FILE, CHECKPOINT);
    let export = store.export(&id()).await.unwrap();
    for damaged in [&CHECKPOINT.as_bytes()[..100], b"\xff\xfe", b""] {
        world.write(FILE, damaged);
        let error = store.load(&id()).await.err().unwrap();
        assert!(matches!(error, StateError::Unusable(_)), "{error}");
        assert!(error.to_string().contains("dev.json"), "{error}");
        assert!(store.begin(&id(), info()).await.is_err());
        assert_eq!(world.names(LOCKS), Vec::<String>::new());
        assert_eq!(store.list(None).await.unwrap()[0].resource_count, None);
    }
    world.write(FILE, &CHECKPOINT[..100]);
    assert!(store.import(&id(), &export, false, UpdateInfo::default()).await.is_err());
    store.import(&id(), &export, true, UpdateInfo::default()).await.unwrap();
    assert_eq!(store.load(&id()).await.unwrap().snapshot.resources.len(), 1);
}

#[tokio::test]
async fn a_forced_import_sets_the_journal_aside() {
    let world = World::new();
    let store = world.store(1);
    world.write(FILE, CHECKPOINT);
    let export = store.export(&id()).await.unwrap();
    let session = world.store(7).begin(&id(), info()).await.unwrap();
    session.append(begin(1, "a")).wait().await.unwrap();
    drop(session);
    world.kill("here", 7);
    store.import(&id(), &export, true, UpdateInfo::default()).await.unwrap();
    let loaded = store.load(&id()).await.unwrap();
    assert!(!loaded.recovered && loaded.snapshot.pending_operations.is_empty());
    assert!(world.names(OWN).contains(&"journal.1.jsonl.aside".to_owned()), "{:?}", world.names(OWN));
    assert_eq!(world.names(LOCKS), Vec::<String>::new());
}

#[tokio::test]
async fn an_operation_without_changes_writes_no_journal() {
    let world = World::new();
    let store = world.store(1);
    world.write(FILE, CHECKPOINT);
    let session = store.begin(&id(), info()).await.unwrap();
    drop(session.append(keep(0)));
    let base = session.base().snapshot.clone();
    assert_eq!(world.names(OWN), ["epoch.1.json", "fence", "lease.1.json"]);
    session.finish(&base, well()).await.unwrap();
    assert_eq!(store.history(&id()).await.unwrap().len(), 1);
}
