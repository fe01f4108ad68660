//! Edits of YAML text: only what has to change changes.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use purlin_project::yaml::{self, Format, edit::edit, emit};
use purlin_project::{Object, Value};

/// Applies a JSON merge patch (null removes) to the data of a text and edits the text accordingly.
fn patched(text: &str, patch: serde_json::Value) -> String {
    let mut wanted = yaml::parse("t", text).unwrap().to_value();
    if wanted.is_null() {
        wanted = Value::Object(Object::new());
    }
    merge(&mut wanted, &Value::from_json(&patch));
    let edited = edit(Format::Yaml, "t", text, &wanted).unwrap();
    let read = yaml::parse("t", &edited).unwrap().to_value();
    assert!(read == wanted || read.is_null(), "{edited}");
    edited
}

fn merge(into: &mut Value, patch: &Value) {
    let (Value::Object(fields), Value::Object(changes)) = (&mut *into, patch) else {
        *into = patch.clone();
        return;
    };
    for (name, change) in changes {
        match change {
            Value::Null => drop(fields.shift_remove(name)),
            Value::Object(_) if fields.contains_key(name) => merge(&mut fields[name], change),
            change => drop(fields.insert(name.clone(), change.clone())),
        }
    }
}

const FILE: &str = "\
# The production stack.
encryptionsalt: v1:abc=   # keep

config:
  # Where it runs
  aws:region:   us-west-2   # Oregon
  app:list:
  - one  # first
  - two

  - name: three
    size: 3   # big

  'app:quoted': \"x\"
  app:flow: {a: 1, b: [x, y]}  # flow
  app:text: |
    several
    lines

  # trailing remark
environment:
    - dev # list
";

fn lines_changed(before: &str, after: &str) -> Vec<String> {
    let old: Vec<_> = before.lines().collect();
    let new: Vec<_> = after.lines().collect();
    let prefix = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - prefix;
    let suffix = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let minus = old[prefix..old.len() - suffix].iter().map(|line| format!("-{line}"));
    let plus = new[prefix..new.len() - suffix].iter().map(|line| format!("+{line}"));
    minus.chain(plus).collect()
}

fn check_edits(table: Vec<(serde_json::Value, Vec<&str>)>) {
    for (patch, expected) in table {
        let after = patched(FILE, patch.clone());
        assert_eq!(lines_changed(FILE, &after), expected, "{patch}\n{after}");
    }
}

#[test]
fn each_edit_touches_only_its_lines() {
    check_edits(vec![
        (
            serde_json::json!({"config": {"aws:region": "eu-central-1"}}),
            vec!["-  aws:region:   us-west-2   # Oregon", "+  aws:region: eu-central-1   # Oregon"],
        ),
        (serde_json::json!({"config": {"aws:region": null}}), vec!["-  aws:region:   us-west-2   # Oregon"]),
        (
            serde_json::json!({"config": {"aws:region": {"secure": "v1:x"}}}),
            vec!["-  aws:region:   us-west-2   # Oregon", "+  aws:region:   # Oregon", "+    secure: v1:x"],
        ),
        (
            serde_json::json!({"config": {"app:quoted": "true"}}),
            vec!["-  'app:quoted': \"x\"", "+  'app:quoted': \"true\""],
        ),
        (serde_json::json!({"config": {"app:new": "5"}}), vec!["+  app:new: \"5\""]),
        (
            serde_json::json!({"config": {"app:flow": {"a": 2}}}),
            vec!["-  app:flow: {a: 1, b: [x, y]}  # flow", "+  app:flow: {a: 2, b: [x, y]}  # flow"],
        ),
        (
            serde_json::json!({"config": {"app:flow": {"b": ["x", "y", "z"], "c": "v, w"}}}),
            vec![
                "-  app:flow: {a: 1, b: [x, y]}  # flow",
                "+  app:flow: {a: 1, b: [x, y, z], c: 'v, w'}  # flow",
            ],
        ),
        (
            serde_json::json!({"config": {"app:flow": {"a": null}}}),
            vec!["-  app:flow: {a: 1, b: [x, y]}  # flow", "+  app:flow: {b: [x, y]}  # flow"],
        ),
        (
            serde_json::json!({"config": {"app:flow": {"b": null}}}),
            vec!["-  app:flow: {a: 1, b: [x, y]}  # flow", "+  app:flow: {a: 1}  # flow"],
        ),
        (
            serde_json::json!({"config": {"app:flow": {"b": ["x"]}}}),
            vec!["-  app:flow: {a: 1, b: [x, y]}  # flow", "+  app:flow: {a: 1, b: [x]}  # flow"],
        ),
    ]);
}

#[test]
fn edits_inside_lists_and_texts_touch_only_their_lines() {
    check_edits(vec![
        (
            serde_json::json!({"config": {"app:list": ["one", "two"]}}),
            vec!["-  - name: three", "-    size: 3   # big"],
        ),
        (
            serde_json::json!({"config": {"app:list": ["one", {"name": "three", "size": 3}]}}),
            vec!["-  - two"],
        ),
        (
            serde_json::json!({"config": {"app:list": ["one", "two", {"name": "three", "size": 4}]}}),
            vec!["-    size: 3   # big", "+    size: 4   # big"],
        ),
        (
            serde_json::json!({"config": {"app:list": ["one", "two", {"size": 3}]}}),
            vec!["-  - name: three", "-    size: 3   # big", "+  - size: 3   # big"],
        ),
        (
            serde_json::json!({"config": {"app:list": ["one", "two", {"name": "three", "size": 3}, ["four"]]}}),
            vec!["+  - - four"],
        ),
        (
            serde_json::json!({"config": {"app:list": []}}),
            vec![
                "-  app:list:",
                "-  - one  # first",
                "-  - two",
                "-",
                "-  - name: three",
                "-    size: 3   # big",
                "+  app:list: []   # big",
            ],
        ),
        (
            serde_json::json!({"config": {"app:text": "now\nthis"}}),
            vec!["-  app:text: |", "-    several", "-    lines", "+  app:text: |-", "+    now", "+    this"],
        ),
        (
            serde_json::json!({"config": {"aws:region": "a\nb"}}),
            vec!["-  aws:region:   us-west-2   # Oregon", "+  aws:region: \"a\\nb\"   # Oregon"],
        ),
        (
            serde_json::json!({"secretsprovider": "awskms://alias/x"}),
            vec!["+secretsprovider: awskms://alias/x"],
        ),
        (serde_json::json!({"encryptionsalt": null}), vec!["-encryptionsalt: v1:abc=   # keep"]),
        (serde_json::json!({"environment": ["dev", "prod"]}), vec!["+    - prod"]),
        (
            serde_json::json!({"config": {"app:quoted": null, "app:z": {"k": ["v"]}}}),
            vec![
                "-  'app:quoted': \"x\"",
                "-  app:flow: {a: 1, b: [x, y]}  # flow",
                "-  app:text: |",
                "-    several",
                "-    lines",
                "+  app:flow: {a: 1, b: [x, y]}  # flow",
                "+  app:text: |",
                "+    several",
                "+    lines",
                "+  app:z:",
                "+    k:",
                "+      - v",
            ],
        ),
    ]);
}

#[test]
fn set_and_remove_give_back_the_same_bytes() {
    let set = patched(FILE, serde_json::json!({"config": {"app:new": {"a": ["b"]}}}));
    assert_ne!(set, FILE);
    assert_eq!(patched(&set, serde_json::json!({"config": {"app:new": null}})), FILE);
    assert_eq!(patched(FILE, serde_json::json!({"config": {"aws:region": "us-west-2"}})), FILE);
}

#[test]
fn line_breaks_and_missing_final_line_breaks_are_kept() {
    let windows = "config:\r\n  a: 1\r\n  b: 2 # c\r\n";
    assert_eq!(
        patched(windows, serde_json::json!({"config": {"b": {"x": "v"}, "c": 3}})),
        "config:\r\n  a: 1\r\n  b: # c\r\n    x: v\r\n  c: 3\r\n"
    );
    assert_eq!(patched("a: 1", serde_json::json!({"b": 2})), "a: 1\nb: 2");
    assert_eq!(patched("a: 1\nb: 2", serde_json::json!({"b": null})), "a: 1\n");
}

#[test]
fn empty_and_odd_files_are_edited_too() {
    let new = serde_json::json!({"config": {"p:a": "b"}});
    assert_eq!(patched("", new.clone()), "config:\n  p:a: b\n");
    assert_eq!(patched("# hello", new.clone()), "# hello\nconfig:\n  p:a: b\n");
    assert_eq!(patched("config:  # none yet\n", new.clone()), "config:  # none yet\n  p:a: b\n");
    assert_eq!(patched("config: {} # none\n", new.clone()), "config: # none\n  p:a: b\n");
    assert_eq!(patched("{}\n", new.clone()), "config:\n  p:a: b\n");
    assert_eq!(patched("{config: {x: 1}}\n", new.clone()), "{config: {x: 1, 'p:a': b}}\n");
    assert_eq!(patched("# top\na: 1\n", serde_json::json!({"a": null})), "# top\n");
    assert_eq!(patched("x:\n  a: 1\n", serde_json::json!({"x": {"a": null}})), "x: {}\n");
    assert_eq!(patched("---\n# c\nconfig:\n    x: 1\n", new), "---\n# c\nconfig:\n    x: 1\n    p:a: b\n");
}

#[test]
fn anchors_are_not_corrupted() {
    let text = "# c\nbase: &b\n  x: 1\nuse: *b\nmerged:\n  <<: *b\n  z: 2\n";
    assert_eq!(
        patched(text, serde_json::json!({"use": {"x": 2}})),
        "# c\nbase: &b\n  x: 1\nuse:\n  x: 2\nmerged:\n  <<: *b\n  z: 2\n"
    );
    assert_eq!(
        patched(text, serde_json::json!({"merged": {"x": 3}})),
        "# c\nbase: &b\n  x: 1\nuse: *b\nmerged:\n  <<: *b\n  z: 2\n  x: 3\n"
    );
    // The anchor's own value changes only at its place: nothing else can express that but a rewrite.
    assert_eq!(
        patched(text, serde_json::json!({"base": {"x": 7}})),
        "base:\n  x: 7\nuse:\n  x: 1\nmerged:\n  x: 1\n  z: 2\n"
    );
}

#[test]
fn json_is_laid_out_with_four_blanks() {
    let wanted = Value::from_json(&serde_json::json!({"config": {"p:b": "<x>", "p:a": [1, {}]}}));
    assert_eq!(
        edit(Format::Json, "t", "{}", &wanted).unwrap(),
        "{\n    \"config\": {\n        \"p:b\": \"<x>\",\n        \"p:a\": [\n            1,\n            {}\n        ]\n    }\n}\n"
    );
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z]{0,4}",
        "[ -~]{0,8}",
        "[a-z \n\t#:'\"é]{0,8}",
        Just("5".to_owned()),
        Just("yes".to_owned())
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        text.prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let fields = prop::collection::vec(("[a-d]{1}|[ -~]{1,5}", inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::vec(("[a-d]", value()), 1..4)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back(value in value()) {
        let text = emit::document(&value);
        prop_assert_eq!(yaml::parse("t", &text).unwrap().to_value(), value.clone(), "{}", text);
        let flow = format!("k: {}\n", emit::inline(&value));
        prop_assert_eq!(yaml::parse("t", &flow).unwrap().get("k").unwrap().to_value(), value, "{}", flow);
    }

    #[test]
    fn any_edit_gives_the_wanted_value_and_keeps_a_head_comment(before in object(), after in object(), flow in any::<bool>()) {
        let body = match (&before, flow) {
            (Value::Object(fields), true) => fields
                .iter()
                .map(|(name, value)| format!("{name}: {} # c\n", emit::inline(value)))
                .collect(),
            _ => emit::document(&before),
        };
        let text = format!("# head\n{body}");
        let edited = edit(Format::Yaml, "t", &text, &after).unwrap();
        prop_assert_eq!(yaml::parse("t", &edited).unwrap().to_value(), after, "{}", &edited);
        prop_assert!(edited.starts_with("# head\n"), "was\n{}\nis\n{}", text, edited);
    }

    #[test]
    fn no_text_panics(text in "[ -~\n\t]{0,40}|[a:\\-\n \\[\\]{}&*!|>'\"#]{0,30}") {
        if let Ok(node) = yaml::parse("t", &text) {
            let _ = node.to_value();
            let wanted = Value::from_json(&serde_json::json!({"k": [1, {"a": "b"}]}));
            let edited = edit(Format::Yaml, "t", &text, &wanted).unwrap();
            prop_assert_eq!(yaml::parse("t", &edited).unwrap().to_value(), wanted);
        }
        let _ = yaml::parse_json("t", &text);
    }
}
