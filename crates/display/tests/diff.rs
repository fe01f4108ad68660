//! Diffs, whole renderings.

mod events;

use events::*;
use purlin_diag::Severity;
use purlin_display::{DiffRenderer, Operation, Options, details, value_text};
use purlin_model::PropertyValue;
use purlin_model::diff::DiffKind;
use purlin_model::event::{EngineEvent, StepOp};
use purlin_model::urn::{ProviderRef, UNKNOWN_ID};
use purlin_model::value::{Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource};

fn render(options: Options, events: &[EngineEvent]) -> String {
    let mut renderer = DiffRenderer::new(options);
    let mut out = renderer.start();
    for event in events {
        out.push_str(&renderer.event(event, ms(0)));
    }
    out.push_str(&renderer.finish());
    out
}

fn update() -> Options {
    Options::new(Operation::Update, false, "dev", "shop")
}

fn preview() -> Options {
    Options::new(Operation::Update, true, "dev", "shop")
}

/// The diff of one step in a preview, without the heading.
fn step(res: Res) -> String {
    let text = render(preview(), &[res.pre()]);
    text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

fn updated(old: &[(&str, PropertyValue)], new: &[(&str, PropertyValue)]) -> Res {
    Res::new(StepOp::Update, PET, "pet").old_side(bag(old), bag(old)).new_side(bag(new), bag::<&str>(&[]))
}

fn whole() -> Vec<EngineEvent> {
    let stack = Res::stack(StepOp::Same)
        .old_side(bag::<&str>(&[]), bag(&[("len", 8.0)]))
        .new_side(bag::<&str>(&[]), bag(&[("len", 8.0)]));
    let sides = |op: StepOp| {
        Res::new(op, STRING, "str")
            .old_side(
                bag(&[("length", PropertyValue::from(8.0)), ("lower", true.into())]),
                bag(&[("length", PropertyValue::from(8.0)), ("result", "x".into())]),
            )
            .new_side(bag(&[("length", PropertyValue::from(9.0)), ("lower", true.into())]), bag::<&str>(&[]))
            .detailed(&[("length", DiffKind::UpdateReplace, true), ("result", DiffKind::Update, false)])
    };
    let site = Res::new(StepOp::Create, COMPONENT, "site");
    let pet = Res::new(StepOp::Create, PET, "pet")
        .new_side(
            bag(&[
                ("length", PropertyValue::from(2.0)),
                ("prefix", PropertyValue::Unknown),
                ("token", secret("hunter2")),
                ("__internal", "x".into()),
                ("empty", list(&[])),
            ]),
            bag::<&str>(&[]),
        )
        .with(|state| state.protect = true)
        .below(&site.step.urn);
    let delete = Res::new(StepOp::Delete, PET, "gone").old_side(bag(&[("length", 2.0)]), bag::<f64>(&[]));
    vec![
        EngineEvent::Prelude { config: [("shop:len".to_owned(), "[secret]".to_owned())].into() },
        stack.pre(),
        stack.done(),
        Res::new(StepOp::Same, PET, "same").pre(),
        say(None, Severity::Info, "hello"),
        site.pre(),
        site.done(),
        pet.pre(),
        say(Some(&pet.step.urn), Severity::Warning, "first\nsecond"),
        say(Some(&pet.step.urn), Severity::Info, "third"),
        pet.done(),
        sides(StepOp::CreateReplacement).pre(),
        sides(StepOp::Replace).pre(),
        delete.pre(),
        stack.amended(bag(&[("len", 9.0)])),
        summary(true, &[(StepOp::Create, 2), (StepOp::Replace, 1), (StepOp::Delete, 1), (StepOp::Same, 2)]),
    ]
}

#[test]
fn a_whole_preview() {
    let events = whole();
    insta::assert_snapshot!(render(Options { show_config: true, ..preview() }, &events), @r#"
    Previewing update (dev):
    Configuration:
        shop:len: [secret]
      pulumi:pulumi:Stack: (same)
        [urn=urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev]
    hello
        + shop:web:Site: (create)
            [urn=urn:pulumi:dev::shop::shop:web:Site::site]
            + random:index/randomPet:RandomPet: (create) [protected]
                [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
                empty : []
                length: 2
                prefix: [unknown]
                token : [secret]
    random:index:RandomPet (pet):
        warning: first
        second
        third
        +-random:index/randomString:RandomString: (replace)
            [id=id-1]
            [urn=urn:pulumi:dev::shop::random:index/randomString:RandomString::str]
          ~ length: 8 => 9 (requires replacement)
          ~ result: "x" => [unknown]
        - random:index/randomPet:RandomPet: (delete)
            [id=id-1]
            [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::gone]
            length: 2
        --outputs:--
      ~ len: 8 => 9
    Resources:
        + 2 to create
        - 1 to delete
        +-1 to replace
        4 changes. 2 unchanged
    "#);
    insta::assert_snapshot!(details(&preview(), &events), @r#"
      pulumi:pulumi:Stack: (same)
        [urn=urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev]
        + shop:web:Site: (create)
            [urn=urn:pulumi:dev::shop::shop:web:Site::site]
            + random:index/randomPet:RandomPet: (create) [protected]
                [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
                empty : []
                length: 2
                prefix: [unknown]
                token : [secret]
        +-random:index/randomString:RandomString: (replace)
            [id=id-1]
            [urn=urn:pulumi:dev::shop::random:index/randomString:RandomString::str]
          ~ length: 8 => 9 (requires replacement)
          ~ result: "x" => [unknown]
        - random:index/randomPet:RandomPet: (delete)
            [id=id-1]
            [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::gone]
        --outputs:--
      ~ len: 8 => 9
    "#);
    let options = Options { urns: true, emoji: true, show_replacement_steps: true, ..preview() };
    insta::assert_snapshot!(details(&options, &events), @r#"
      urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev: (same)
        + urn:pulumi:dev::shop::shop:web:Site::site: (create)
            + urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet: (create) 🔒
                empty : []
                length: 2
                prefix: [unknown]
                token : [secret]
        ++urn:pulumi:dev::shop::random:index/randomString:RandomString::str: (create-replacement)
            [id=id-1]
          ~ length: 8 => 9 (requires replacement)
          ~ result: "x" => [unknown]
        +-urn:pulumi:dev::shop::random:index/randomString:RandomString::str: (replace)
            [id=id-1]
          ~ length: 8 => 9 (requires replacement)
          ~ result: "x" => [unknown]
        - urn:pulumi:dev::shop::random:index/randomPet:RandomPet::gone: (delete)
            [id=id-1]
        --outputs:--
      ~ len: 8 => 9
    "#);
}

#[test]
fn an_update_shows_the_outputs_that_come() {
    let stack = Res::stack(StepOp::Same);
    let pet = updated(&[("length", 2.0.into())], &[("length", 3.0.into())]);
    let done = pet.clone().old_side(
        bag(&[("length", 2.0)]),
        bag(&[("length", PropertyValue::from(2.0)), ("id", "a".into()), ("x", "same".into())]),
    );
    let done = done.new_side(
        bag(&[("length", 3.0)]),
        bag(&[("length", PropertyValue::from(3.0)), ("id", "b".into()), ("x", "same".into())]),
    );
    let site = Res::new(StepOp::Create, COMPONENT, "site");
    let events = [
        stack.pre(),
        stack.done(),
        pet.pre(),
        done.done(),
        site.pre(),
        site.done(),
        site.amended(bag(&[("url", "x")])),
        stack.amended(bag(&[("len", PropertyValue::from(9.0)), ("pw", secret("hunter2"))])),
        summary(false, &[(StepOp::Update, 1), (StepOp::Create, 1)]),
    ];
    insta::assert_snapshot!(render(update(), &events), @r#"
    Updating (dev):
      pulumi:pulumi:Stack: (same)
        [urn=urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev]
        ~ random:index/randomPet:RandomPet: (update)
            [id=id-1]
            [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
          ~ length: 2 => 3
            --outputs:--
          ~ id: "a" => "b"
        + shop:web:Site: (create)
            [urn=urn:pulumi:dev::shop::shop:web:Site::site]
            --outputs:--
            url: "x"
        --outputs:--
      + len: 9
      + pw : [secret]
    Resources:
        + 1 created
        ~ 1 updated
        2 changes

    Duration: 3s
    "#);
}

type Pairs = Vec<(&'static str, PropertyValue)>;

fn nested() -> (Pairs, Pairs) {
    let text = |n: u32| format!("one\ntwo\nthree\nfour\nvalue {n}\nsix\nseven\neight\nnine\n");
    let old = vec![
        ("tags", bag(&[("a", "1"), ("b", "2"), ("same", "x")]).into()),
        ("list", list(&[1.0.into(), bag(&[("k", "v")]).into(), 3.0.into()])),
        ("text", text(1).into()),
        ("json", r#"{"a": [1, 2], "same": "x", "gone": null}"#.into()),
        ("name", "web-server-1".into()),
        ("kind", "one".into()),
        ("cleared", "was here".into()),
        ("spaces", r#"{"a":1}"#.into()),
    ];
    let new = vec![
        ("tags", bag(&[("a", "9"), ("c", "3"), ("same", "x")]).into()),
        ("list", list(&[1.0.into(), bag(&[("k", "w")]).into(), 3.0.into(), "more".into()])),
        ("text", text(2).into()),
        ("json", r#"{"a": [1, 3], "same": "x"}"#.into()),
        ("name", "web-server-2".into()),
        ("kind", list(&["one".into(), "two".into()])),
        ("cleared", "".into()),
        ("spaces", r#"{"a": 1}"#.into()),
    ];
    (old, new)
}

#[test]
fn nested_values_texts_and_json() {
    let (old, new) = nested();
    insta::assert_snapshot!(step(updated(&old, &new)), @r#"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ cleared: "was here" => ""
      ~ json   : (json) {
          ~ a   : [
                [0]: 1
              ~ [1]: 2 => 3
            ]
          - gone: <null>
            same: "x"
        }
      - kind   : "one"
      + kind   : [
            [0]: "one"
            [1]: "two"
        ]
      ~ list   : [
            [0]: 1
          ~ [1]: {
              ~ k: "v" => "w"
            }
            [2]: 3
          + [3]: "more"
        ]
      ~ name   : "web-server-1" => "web-server-2"
      ~ spaces : "{\"a\":1}" => "{\"a\": 1}"
      ~ tags   : {
          ~ a   : "1" => "9"
          - b   : "2"
          + c   : "3"
            same: "x"
        }
      ~ text   :
            ...
            three
            four
          - value 1
          + value 2
            six
            seven
            ...
    "#);
    let options = Options { only_changes: true, truncate: true, ..preview() };
    insta::assert_snapshot!(render(options, &[updated(&old, &new).pre()]), @r#"
    Previewing update (dev):
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ cleared: "was here" => ""
      ~ json   : (json) {
          ~ a   : [
              ~ [1]: 2 => 3
            ]
          - gone: <null>
        }
      - kind   : "one"
      + kind   : [
            [0]: "one"
            [1]: "two"
        ]
      ~ list   : [
          ~ [1]: {
              ~ k: "v" => "w"
            }
          + [3]: "more"
        ]
      ~ name   : "web-server-1" => "web-server-2"
      ~ spaces : "{\"a\":1}" => "{\"a\": 1}"
      ~ tags   : {
          ~ a: "1" => "9"
          - b: "2"
          + c: "3"
        }
      ~ text   :
            ...
            three
            four
          - value 1
          + value 2
            six
            seven
            ...
    "#);
}

#[test]
fn the_word_of_the_provider_counts() {
    let old = [
        ("a", bag(&[("x", "1"), ("y", "1")]).into()),
        ("noise", "1".into()),
        ("list", list(&["p".into(), "q".into()])),
        ("gone", "1".into()),
    ];
    let new = [
        ("a", bag(&[("x", "2"), ("y", "2")]).into()),
        ("noise", "2".into()),
        ("list", list(&["p".into(), "r".into()])),
        ("came", "1".into()),
        ("same", "1".into()),
    ];
    let res = updated(&old, &new).detailed(&[
        ("a.x", DiffKind::UpdateReplace, true),
        ("list[1]", DiffKind::Update, true),
        ("list[5]", DiffKind::Delete, true),
        ("gone", DiffKind::Delete, true),
        ("came", DiffKind::AddReplace, true),
        ("same", DiffKind::Update, true),
        ("computed", DiffKind::Update, false),
        ("__internal", DiffKind::Update, true),
        ("odd[", DiffKind::Add, true),
    ]);
    insta::assert_snapshot!(step(res), @r#"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ a       : {
          ~ x: "1" => "2" (requires replacement)
        }
      + came    : "1" (requires replacement)
      ~ computed: [unknown]
      - gone    : "1"
      ~ list    : [
          ~ [1]: "q" => "r"
          - [5]: [unknown]
        ]
      + odd[    : [unknown]
      + same    : "1"
    "#);
    let mut keys = updated(&old, &new);
    keys.step.diff_keys = vec!["a".into(), "list".into()];
    keys.step.replace_keys = vec!["list".into()];
    insta::assert_snapshot!(step(keys), @r#"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ a   : {
          ~ x: "1" => "2"
          ~ y: "1" => "2"
        }
      ~ list: [ (requires replacement)
            [0]: "p"
          ~ [1]: "q" => "r"
        ]
    "#);
}

#[test]
fn hidden_differences_are_named_only() {
    let old = [("a", bag(&[("x", "1"), ("y", "1")]).into()), ("b", "1".into()), ("c", "1".into())];
    let new = [("a", bag(&[("x", "2"), ("y", "2")]).into()), ("b", "2".into()), ("c", "1".into())];
    let hide = |res: Res| {
        res.with(|state| state.hide_diffs = vec!["a.x".into(), "b".into(), "c".into(), "absent".into()])
    };
    insta::assert_snapshot!(step(hide(updated(&old, &new))), @r#"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ a.x (hidden)
      ~ b (hidden)
      ~ a: {
          ~ y: "1" => "2"
        }
    "#);
    let detailed =
        updated(&old, &new).detailed(&[("a.x", DiffKind::Update, true), ("a.y", DiffKind::Update, true)]);
    insta::assert_snapshot!(step(hide(detailed)), @r#"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ a.x (hidden)
      ~ a: {
          ~ y: "1" => "2"
        }
    "#);
}

fn asset(hash: &str, source: AssetSource) -> Asset {
    Asset { hash: hash.repeat(8), source }
}

fn archive(hash: &str, members: &[(&str, AssetOrArchive)]) -> PropertyValue {
    let members = members.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    PropertyValue::Archive(Archive { hash: hash.repeat(8), source: ArchiveSource::Assets(members) })
}

#[test]
fn assets_and_archives() {
    let file = |hash: &str, path: &str| asset(hash, AssetSource::Path(path.into()));
    let text = |hash: &str, text: &str| asset(hash, AssetSource::Text(text.into()));
    let zip = |hash: &str| Archive { hash: hash.repeat(8), source: ArchiveSource::Path("app.zip".into()) };
    let old = [
        ("code", PropertyValue::Asset(file("a", "index.js"))),
        ("inline", PropertyValue::Asset(text("b", "one\ntwo\n"))),
        ("kind", PropertyValue::Asset(file("c", "x"))),
        ("zip", PropertyValue::Archive(zip("d"))),
        (
            "tree",
            archive(
                "e",
                &[
                    ("a.js", AssetOrArchive::Asset(file("1", "a.js"))),
                    ("b.js", AssetOrArchive::Asset(file("2", "b.js"))),
                    ("lib", AssetOrArchive::Archive(zip("3"))),
                ],
            ),
        ),
    ];
    let new = [
        ("code", PropertyValue::Asset(file("f", "index.js"))),
        ("inline", PropertyValue::Asset(text("g", "one\nthree\n"))),
        ("kind", PropertyValue::Asset(asset("h", AssetSource::Uri("https://x".into())))),
        ("zip", PropertyValue::Archive(zip("i"))),
        (
            "tree",
            archive(
                "j",
                &[
                    ("a.js", AssetOrArchive::Asset(file("4", "a.js"))),
                    ("b.js", AssetOrArchive::Asset(file("2", "b.js"))),
                    ("c.js", AssetOrArchive::Asset(text("5", "c"))),
                ],
            ),
        ),
    ];
    insta::assert_snapshot!(step(updated(&old, &new)), @r#"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ code  : asset(file:aaaaaaa->fffffff) { index.js }
      ~ inline: asset(text:bbbbbbb->ggggggg) {
            <contents elided>
        }
      - kind  : asset(file:ccccccc) { x }
      + kind  : asset(uri:hhhhhhh) { https://x }
      ~ tree  : archive(assets:eeeeeee->jjjjjjj) {
          ~ "a.js": asset(file:1111111->4444444) { a.js }
          + "c.js": asset(text:5555555) {
                <contents elided>
            }
          - "lib" : archive(file:3333333) { app.zip }
        }
      ~ zip   : archive(file:ddddddd->iiiiiii) { app.zip }
    "#);
    let create = Res::new(StepOp::Create, PET, "pet").new_side(bag(&old), bag::<&str>(&[]));
    insta::assert_snapshot!(step(create), @r#"
    + random:index/randomPet:RandomPet: (create)
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
        code  : asset(file:aaaaaaa) { index.js }
        inline: asset(text:bbbbbbb) {
            <contents elided>
        }
        kind  : asset(file:ccccccc) { x }
        tree  : archive(assets:eeeeeee) {
            "a.js": asset(file:1111111) { a.js }
            "b.js": asset(file:2222222) { b.js }
            "lib": archive(file:3333333) { app.zip }
        }
        zip   : archive(file:ddddddd) { app.zip }
    "#);
}

#[test]
fn a_provider_that_changes() {
    let mut res = updated(&[("length", 2.0.into())], &[("length", 2.0.into())]);
    let explicit = ProviderRef::new(urn("pulumi:providers:random", "own"), UNKNOWN_ID);
    res.step.provider = explicit.to_string();
    let same = res.clone().with(|state| state.provider = Some(explicit.clone()));
    insta::assert_snapshot!(step(res.with_new(|state| state.provider = Some(explicit.clone()))), @"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
        [provider: urn:pulumi:dev::shop::pulumi:providers:random::default::p1 => urn:pulumi:dev::shop::pulumi:providers:random::own::[unknown]]
        length: 2
    ");
    insta::assert_snapshot!(step(same), @"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
        [provider=urn:pulumi:dev::shop::pulumi:providers:random::own::[unknown]]
        length: 2
    ");
}

#[test]
fn a_refresh_shows_what_the_cloud_has() {
    let options = Options::new(Operation::Refresh, false, "dev", "shop");
    let seen = |op: StepOp, name: &str| {
        Res::new(op, PET, name)
            .old_side(bag(&[("length", 2.0)]), bag(&[("length", 2.0)]))
            .new_side(bag(&[("length", 3.0)]), bag(&[("length", 3.0)]))
    };
    let drifted = seen(StepOp::Update, "drifted").detailed(&[("length", DiffKind::Update, false)]);
    let gone = Res::new(StepOp::Delete, PET, "gone").old_side(bag(&[("length", 2.0)]), bag::<f64>(&[]));
    let events = [
        Res::new(StepOp::Refresh, PET, "drifted").pre(),
        Res::new(StepOp::Refresh, PET, "gone").pre(),
        drifted.done(),
        gone.done(),
        summary(false, &[(StepOp::Update, 1), (StepOp::Delete, 1)]),
    ];
    insta::assert_snapshot!(render(options, &events), @"
    Refreshing (dev):
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::drifted]
      ~ length: 2 => 3
    - random:index/randomPet:RandomPet: (delete)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::gone]
    Resources:
        ~ 1 updated
        - 1 deleted
        2 changes

    Duration: 3s
    ");
}

#[test]
fn secrets_on_either_side_are_masked_on_both() {
    let old = [
        ("became", "open".into()),
        ("was", secret("hunter1")),
        ("same", secret("hunter2")),
        ("deep", bag(&[("k", secret("hunter3")), ("l", "x".into())]).into()),
        ("whole", secret(bag(&[("k", "hunter4")]))),
        ("gone", secret("hunter5")),
    ];
    let new = [
        ("became", secret("hunter1")),
        ("was", "open".into()),
        ("same", "hunter2".into()),
        ("deep", bag(&[("k", "hunter3".into()), ("l", PropertyValue::from("y"))]).into()),
        ("whole", bag(&[("k", "hunter6")]).into()),
        ("came", list(&[secret("hunter7")])),
    ];
    insta::assert_snapshot!(step(updated(&old, &new)), @r#"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ became: [secret] => [secret]
      + came  : [
            [0]: [secret]
        ]
      ~ deep  : {
            k: [secret]
          ~ l: "x" => "y"
        }
      - gone  : [secret]
        same  : [secret]
      ~ was   : [secret] => [secret]
      ~ whole : [secret] => [secret]
    "#);
    let clear = Options { show_secrets: true, ..preview() };
    insta::assert_snapshot!(render(clear, &[updated(&old, &new).pre()]), @r#"
    Previewing update (dev):
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ became: "open" => "hunter1"
      + came  : [
            [0]: "hunter7"
        ]
      ~ deep  : {
            k: "hunter3"
          ~ l: "x" => "y"
        }
      - gone  : "hunter5"
        same  : "hunter2"
      ~ was   : "hunter1" => "open"
      ~ whole : {
          ~ k: "hunter4" => "hunter6"
        }
    "#);
    let detailed = updated(&old, &new).detailed(&[
        ("whole.k", DiffKind::UpdateReplace, true),
        ("deep.k", DiffKind::Update, true),
        ("gone", DiffKind::Delete, true),
    ]);
    insta::assert_snapshot!(step(detailed), @"
    ~ random:index/randomPet:RandomPet: (update)
        [id=id-1]
        [urn=urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet]
      ~ deep : {
          ~ k: [secret] => [secret]
        }
      - gone : [secret]
      ~ whole: [secret] => [secret] (requires replacement)
    ");
}

#[test]
fn values_by_themselves() {
    let show = |value: PropertyValue| value_text(&value, false);
    assert_eq!(show(1e21.into()), "1000000000000000000000");
    assert_eq!(show(12345678901.0.into()), "12345678901");
    assert_eq!(show(0.1.into()), "0.1");
    assert_eq!(show((-0.0).into()), "-0");
    assert_eq!(show(f64::NAN.into()), "NaN");
    assert_eq!(show(PropertyValue::Null), "<null>");
    assert_eq!(show("a\n\u{1b}[2J".into()), "\"a\\n\\u001b[2J\"");
    assert_eq!(show(PropertyValue::Bytes(vec![255])), "(1 byte, not text)");
    assert_eq!(show(secret("x")), "[secret]");
    assert_eq!(value_text(&secret("x"), true), "\"x\"");
    insta::assert_snapshot!(show(list(&[secret(1.0), "[1]".into(), bag(&[("k", "v")]).into()])), @r#"
    [
        [0]: [secret]
        [1]: (json) [
            [0]: 1
        ]
        [2]: {
            k: "v"
        }
    ]
    "#);
}

#[test]
fn policies_are_told_as_they_speak() {
    let repair = repaired("has-owner", bag(&[("owner", "me")]), bag(&[("owner", "nobody")]));
    let same = repaired("has-owner", bag(&[("owner", "me")]), bag(&[("owner", "me")]));
    let events =
        [repair, same, violated("no-pets", true, "There are no pets.\nNone."), judged(&[("rules", "1.0.0")])];
    let mut renderer = DiffRenderer::new(Options::new(Operation::Update, true, "dev", "shop"));
    let mut out: String = events.iter().map(|event| renderer.event(event, ms(0))).collect();
    out.push_str(&renderer.finish());
    insta::assert_snapshot!(out, @r#"
        rules@v1.0.0 [remediate]  has-owner  (random:index:RandomPet: pet)
          ~ owner: "me" => "nobody"
        rules@v1.0.0 [mandatory] [severity: high]  no-pets  (random:index:RandomPet: pet)
          There are no pets.
          None.
    Resources:
        + 1 to create

    Policy Packs run:
        Name   Version
        rules  1.0.0
    "#);
}
