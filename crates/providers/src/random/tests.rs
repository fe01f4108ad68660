//! Each resource against what the official plugin was seen to do.

use std::collections::BTreeSet;
use std::path::Path;

use purlin_ports::{CallContext, DiffChanges, Provider, ProviderError, ReadResult};
use serde_json::{Value, json};

use super::spec::{Fallback, Kind, SPECS};
use super::*;
use crate::testing::{
    Counting, Existing, Noon, check_args, create_args, decode, map, read_args, show_map, urn,
};

fn provider() -> RandomProvider {
    RandomProvider::new(Arc::new(Counting::default()), Arc::new(Noon))
}

/// `String` for the token of `RandomString`.
fn token(name: &str) -> &'static str {
    let ending = format!(":Random{name}");
    SPECS.iter().find(|spec| spec.token.ends_with(&ending)).map(|spec| spec.token).unwrap()
}

/// Inputs that are enough for each resource.
const MINIMAL: &[(&str, &str)] = &[
    ("Bytes", r#"{"length": 4}"#),
    ("Id", r#"{"byteLength": 4}"#),
    ("Integer", r#"{"min": 1, "max": 5}"#),
    ("Password", r#"{"length": 8}"#),
    ("Pet", "{}"),
    ("Shuffle", r#"{"inputs": ["a", "b", "c"]}"#),
    ("String", r#"{"length": 8}"#),
    ("Uuid", "{}"),
    ("Uuid4", "{}"),
    ("Uuid7", "{}"),
];

async fn failures(name: &str, inputs: &str) -> Vec<String> {
    let result = provider().check(check_args(token(name), map(inputs))).await.unwrap();
    assert_eq!(result.inputs, map(inputs), "inputs are never changed");
    result.failures.into_iter().map(|f| f.property).collect()
}

#[tokio::test]
async fn good_inputs_are_taken_as_they_are() {
    for (name, inputs) in MINIMAL {
        assert_eq!(failures(name, inputs).await, [""; 0], "{name}");
    }
    let cases = [
        ("String", r#"{"length": "8"}"#),
        ("String", r#"{"length": "UNKNOWN", "minLower": 2}"#),
        ("String", r#"{"length": {"SECRET": 8}, "keepers": {"a": {"SECRET": "b"}, "c": null}}"#),
        ("String", r#"{"length": 8, "unheardOf": 1, "__defaults": []}"#),
        ("String", r#"{"length": 3, "minLower": "UNKNOWN", "minUpper": 3}"#),
        ("String", r#"{"length": 8, "special": null}"#),
        (
            "String",
            r#"{"length": 8, "upper": false, "lower": false, "special": false, "numeric": "UNKNOWN"}"#,
        ),
        ("Integer", r#"{"min": 5, "max": 5}"#),
        ("Uuid", r#"{"keepers": "UNKNOWN"}"#),
        ("Shuffle", r#"{"inputs": ["a", 1, true, null, "UNKNOWN"]}"#),
        ("Shuffle", r#"{"inputs": []}"#),
    ];
    for (name, inputs) in cases {
        assert_eq!(failures(name, inputs).await, [""; 0], "{name} {inputs}");
    }
}

#[tokio::test]
async fn wrong_inputs_are_refused_by_name() {
    let cases = [
        ("String", "{}", "length"),
        ("String", r#"{"length": null}"#, "length"),
        ("String", r#"{"length": 0}"#, "length"),
        ("String", r#"{"length": 8.5}"#, "length"),
        ("String", r#"{"length": "abc"}"#, "length"),
        ("String", r#"{"length": true}"#, "length"),
        ("String", r#"{"length": 3, "minLower": 2, "minUpper": 2}"#, "length"),
        ("String", r#"{"length": 8, "minLower": -1}"#, "minLower"),
        ("String", r#"{"length": 8, "special": "true"}"#, "special"),
        ("String", r#"{"length": 8, "overrideSpecial": ["a"]}"#, "overrideSpecial"),
        ("String", r#"{"length": 8, "keepers": "x"}"#, "keepers"),
        ("String", r#"{"length": 8, "keepers": {"a": ["x"]}}"#, "keepers"),
        ("String", r#"{"length": 8, "number": true, "numeric": false}"#, "numeric"),
        (
            "String",
            r#"{"length": 8, "upper": false, "lower": false, "numeric": false, "special": false}"#,
            "numeric",
        ),
        (
            "String",
            r#"{"length": 8, "upper": false, "lower": false, "number": false, "special": false}"#,
            "numeric",
        ),
        ("String", r#"{"length": 8, "result": "abc"}"#, "result"),
        ("String", r#"{"length": 8, "id": "abc"}"#, "id"),
        ("Password", r#"{"length": 2, "minSpecial": 3}"#, "length"),
        ("Bytes", r#"{"length": 0}"#, "length"),
        ("Bytes", "{}", "length"),
        ("Id", r#"{"byteLength": 0}"#, "byteLength"),
        ("Id", r#"{"byteLength": 4, "hex": "00"}"#, "hex"),
        ("Integer", r#"{"min": 1}"#, "max"),
        ("Integer", r#"{"min": 5, "max": 3}"#, "max"),
        ("Shuffle", "{}", "inputs"),
        ("Shuffle", r#"{"inputs": "a"}"#, "inputs"),
        ("Shuffle", r#"{"inputs": ["a"], "resultCount": -1}"#, "resultCount"),
    ];
    for (name, inputs, property) in cases {
        assert_eq!(failures(name, inputs).await, [property], "{name} {inputs}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_show_a_secret() {
    let inputs = map(r#"{"length": {"SECRET": "hunter2"}}"#);
    let result = provider().check(check_args(token("String"), inputs)).await.unwrap();
    assert_eq!(result.failures.len(), 1);
    assert!(!result.failures[0].reason.contains("hunter2"));
}

#[tokio::test]
async fn a_preview_knows_all_but_what_is_made() {
    let cases = [
        ("Bytes", r#"{"length": 4, "base64": {"SECRET": "UNKNOWN"}, "hex": {"SECRET": "UNKNOWN"}}"#),
        (
            "Id",
            r#"{"byteLength": 4, "b64Std": "UNKNOWN", "b64Url": "UNKNOWN", "dec": "UNKNOWN", "hex": "UNKNOWN",
                "id": "UNKNOWN"}"#,
        ),
        ("Integer", r#"{"min": 1, "max": 5, "result": "UNKNOWN", "id": "UNKNOWN"}"#),
        (
            "Password",
            r#"{"length": 8, "lower": true, "minLower": 0, "minNumeric": 0, "minSpecial": 0, "minUpper": 0,
                "number": true, "numeric": true, "special": true, "upper": true, "id": "UNKNOWN",
                "bcryptHash": {"SECRET": "UNKNOWN"}, "result": {"SECRET": "UNKNOWN"}}"#,
        ),
        ("Pet", r#"{"length": 2, "separator": "-", "id": "UNKNOWN"}"#),
        ("Shuffle", r#"{"inputs": ["a", "b", "c"], "results": "UNKNOWN", "id": "UNKNOWN"}"#),
        ("Uuid7", r#"{"id": "UNKNOWN", "result": "UNKNOWN"}"#),
    ];
    for (name, expected) in cases {
        let inputs = MINIMAL.iter().find(|(n, _)| *n == name).unwrap().1;
        let made = provider().create(create_args(token(name), map(inputs), true)).await.unwrap();
        assert_eq!(made.id, "", "{name}");
        assert_eq!(show_map(&made.outputs), show_map(&map(expected)), "{name}");
    }
}

/// Outputs as the official plugin makes them, with `made` in place of what is random.
#[tokio::test]
async fn outputs_have_the_official_shape() {
    const NOTHING: &str = r#"{"SECRET": {"replace": {"raw": null}}}"#;
    let cases = [
        (
            "Bytes",
            r#"{"length": 4}"#,
            format!(
                r#"{{"length": 4, "base64": {{"SECRET": "*"}}, "hex": {{"SECRET": "*"}},
                     "__pulumi_raw_state_delta": {{"obj": {{"ps": {{"keepers": {NOTHING}}}}}}}}}"#
            ),
        ),
        (
            "Id",
            r#"{"byteLength": 4, "prefix": "p-", "keepers": {"a": {"SECRET": "b"}, "n": 1}}"#,
            r#"{"byteLength": 4, "prefix": "p-", "keepers": {"a": {"SECRET": "b"}, "n": "1"}, "b64Std": "*",
                "b64Url": "*", "dec": "*", "hex": "*", "id": "*",
                "__pulumi_raw_state_delta": {"obj": {"ps": {"keepers": {"map": {}}}}}}"#
                .to_owned(),
        ),
        (
            "Integer",
            r#"{"min": "1", "max": {"SECRET": 5}}"#,
            format!(
                r#"{{"min": 1, "max": {{"SECRET": 5}}, "result": "*", "id": "*", "__pulumi_raw_state_delta":
                     {{"obj": {{"ps": {{"keepers": {NOTHING}, "seed": {NOTHING}}}}}}}}}"#
            ),
        ),
        (
            "Password",
            r#"{"length": 8, "number": false, "overrideSpecial": "_"}"#,
            format!(
                r#"{{"length": 8, "lower": true, "minLower": 0, "minNumeric": 0, "minSpecial": 0, "minUpper": 0,
                     "number": false, "numeric": false, "special": true, "upper": true, "overrideSpecial": "_",
                     "id": "none", "bcryptHash": {{"SECRET": "*"}}, "result": {{"SECRET": "*"}},
                     "__meta": "{{\"schema_version\":\"3\"}}",
                     "__pulumi_raw_state_delta": {{"obj": {{"ps": {{"keepers": {NOTHING}}}}}}}}}"#
            ),
        ),
        (
            "Pet",
            r#"{"keepers": {}}"#,
            format!(
                r#"{{"keepers": {{}}, "length": 2, "separator": "-", "id": "*", "__pulumi_raw_state_delta":
                     {{"obj": {{"ps": {{"keepers": {{"map": {{}}}}, "prefix": {NOTHING}}}}}}}}}"#
            ),
        ),
        (
            "Shuffle",
            r#"{"inputs": ["a", {"SECRET": "b"}]}"#,
            format!(
                r#"{{"inputs": {{"SECRET": ["a", "b"]}}, "results": "*", "id": "-", "__pulumi_raw_state_delta":
                     {{"obj": {{"ps": {{"inputs": {{"arr": {{}}}}, "results": {{"arr": {{}}}}, "keepers": {NOTHING},
                     "resultCount": {NOTHING}, "seed": {NOTHING}}},
                     "renamed": {{"inputs": "input", "results": "result"}}}}}}}}"#
            ),
        ),
        (
            "String",
            r#"{"length": 8}"#,
            format!(
                r#"{{"length": 8, "lower": true, "minLower": 0, "minNumeric": 0, "minSpecial": 0, "minUpper": 0,
                     "number": true, "numeric": true, "special": true, "upper": true, "id": "*", "result": "*",
                     "__meta": "{{\"schema_version\":\"2\"}}", "__pulumi_raw_state_delta":
                     {{"obj": {{"ps": {{"keepers": {NOTHING}, "overrideSpecial": {NOTHING}}}}}}}}}"#
            ),
        ),
        (
            "Uuid4",
            "{}",
            format!(
                r#"{{"id": "*", "result": "*",
                     "__pulumi_raw_state_delta": {{"obj": {{"ps": {{"keepers": {NOTHING}}}}}}}}}"#
            ),
        ),
    ];
    for (name, inputs, expected) in cases {
        let made = Existing::create(&provider(), token(name), inputs).await;
        let mut shown = show_map(&made.outputs);
        let expected = show_map(&map(&expected));
        mask(&mut shown, &expected);
        assert_eq!(shown, expected, "{name}");
        if let Some(PropertyValue::String(id)) = made.outputs.get("id") {
            assert_eq!(*id, made.id, "{name}");
        }
    }
}

/// Puts a star wherever the expectation has one.
fn mask(shown: &mut Value, expected: &Value) {
    match (shown, expected) {
        (shown, Value::String(star)) if star == "*" && !shown.is_null() => *shown = "*".into(),
        (Value::Object(shown), Value::Object(expected)) => {
            for (key, value) in shown {
                mask(value, expected.get(key).unwrap_or(&Value::Null));
            }
        }
        _ => {}
    }
}

fn text<'a>(existing: &'a Existing, name: &str) -> &'a str {
    existing.outputs[name].as_str().unwrap()
}

#[tokio::test]
async fn texts_hold_what_is_asked_for() {
    let made = |inputs| async move {
        let existing = Existing::create(&provider(), token("String"), inputs).await;
        text(&existing, "result").to_owned()
    };
    assert_eq!(made(r#"{"length": 300}"#).await.chars().count(), 300);
    let digits = made(r#"{"length": 40, "upper": false, "lower": false, "special": false}"#).await;
    assert!(digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_digit()), "{digits}");
    let least =
        made(r#"{"length": 10, "minUpper": 3, "minLower": 3, "minNumeric": 2, "minSpecial": 2}"#).await;
    let count = |test: fn(&u8) -> bool| least.bytes().filter(test).count();
    assert_eq!(count(u8::is_ascii_uppercase), 3, "{least}");
    assert_eq!(count(u8::is_ascii_lowercase), 3, "{least}");
    assert_eq!(count(u8::is_ascii_digit), 2, "{least}");
    let special =
        made(r#"{"length": 20, "minSpecial": 20, "special": false, "overrideSpecial": "é_"}"#).await;
    assert!(special.chars().all(|c| "é_".contains(c)), "{special}");
    assert_ne!(special.chars().collect::<BTreeSet<_>>().len(), 1, "{special}");
    let without = made(r#"{"length": 200, "special": false}"#).await;
    assert!(without.bytes().all(|b| b.is_ascii_alphanumeric()), "{without}");
}

#[tokio::test]
async fn a_password_comes_with_its_hash() {
    let existing = Existing::create(&provider(), token("Password"), r#"{"length": 100}"#).await;
    assert_eq!(existing.id, "none");
    let (password, hash) = (text(&existing, "result"), text(&existing, "bcryptHash"));
    assert!(hash.starts_with("$2a$10$") && hash.len() == 60, "{hash}");
    assert!(bcrypt::verify(&password.as_bytes()[..72], hash).unwrap());
}

#[tokio::test]
async fn integers_are_in_their_range_and_follow_their_seed() {
    let provider = provider();
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        let made = Existing::create(&provider, token("Integer"), r#"{"min": -1, "max": 1}"#).await;
        seen.insert(made.id);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["-1", "0", "1"]);
    let seeded = r#"{"min": 0, "max": 1000000, "seed": "s"}"#;
    let first = Existing::create(&provider, token("Integer"), seeded).await;
    let second = Existing::create(&provider, token("Integer"), seeded).await;
    assert_eq!(first.id, second.id);
    assert_eq!(first.outputs["result"], PropertyValue::Number(first.id.parse().unwrap()));
    let widest = r#"{"min": -9223372036854775808, "max": 9223372036854775807}"#;
    Existing::create(&provider, token("Integer"), widest).await;
}

#[tokio::test]
async fn shuffles_use_each_item_before_any_again() {
    let results = |inputs: &'static str| async move {
        let existing = Existing::create(&provider(), token("Shuffle"), inputs).await;
        show_map(&existing.outputs)["results"].as_array().unwrap().clone()
    };
    let all = results(r#"{"inputs": ["a", "b", "c"], "resultCount": 7, "seed": "x"}"#).await;
    assert_eq!(all.len(), 7);
    for part in all.chunks(3).take(2) {
        assert_eq!(part.iter().map(|v| v.as_str().unwrap()).collect::<BTreeSet<_>>().len(), 3, "{all:?}");
    }
    assert_eq!(all, results(r#"{"inputs": ["a", "b", "c"], "resultCount": 7, "seed": "x"}"#).await);
    assert_eq!(results(r#"{"inputs": []}"#).await, [""; 0]);
    assert_eq!(results(r#"{"inputs": [], "resultCount": 3}"#).await, [""; 0]);
    assert_eq!(results(r#"{"inputs": ["a"], "resultCount": 0}"#).await, [""; 0]);
}

#[tokio::test]
async fn pets_have_as_many_words_as_asked_for() {
    let cases = [
        ("{}", 2),
        (r#"{"length": 1}"#, 1),
        (r#"{"length": 4}"#, 4),
        (r#"{"length": 0}"#, 2),
        (r#"{"length": 1, "prefix": "pre"}"#, 2),
        (r#"{"prefix": ""}"#, 2),
    ];
    for (inputs, words) in cases {
        let existing = Existing::create(&provider(), token("Pet"), inputs).await;
        assert_eq!(existing.id.split('-').count(), words, "{inputs} {}", existing.id);
    }
    let joined = Existing::create(&provider(), token("Pet"), r#"{"separator": "", "prefix": "x"}"#).await;
    assert!(joined.id.starts_with('x') && joined.id.bytes().all(|b| b.is_ascii_lowercase()), "{}", joined.id);
}

#[tokio::test]
async fn uuids_tell_their_version_and_version_7_its_time() {
    for (name, version) in [("Uuid", '4'), ("Uuid4", '4'), ("Uuid7", '7')] {
        let existing = Existing::create(&provider(), token(name), "{}").await;
        assert_eq!(existing.id.chars().nth(14), Some(version), "{name} {}", existing.id);
        assert_eq!(encode::normal_uuid(&existing.id), Some(existing.id.clone()));
    }
    let existing = Existing::create(&provider(), token("Uuid7"), "{}").await;
    let millis = u64::from_str_radix(&existing.id.replace('-', "")[..12], 16).unwrap();
    assert_eq!(millis, 1_767_268_800_250);
}

/// Old inputs, new inputs, what differs, what forces a replacement.
type Difference<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a [&'a str]);

const DIFFERENCES: &[Difference<'_>] = &[
    ("String", r#"{"length": 8}"#, r#"{"length": 8}"#, &[], &[]),
    ("String", r#"{"length": 8}"#, r#"{"length": "8"}"#, &[], &[]),
    ("String", r#"{"length": 8}"#, r#"{"length": {"SECRET": 8}}"#, &[], &[]),
    ("String", r#"{"length": 8}"#, r#"{"length": 9}"#, &["length"], &["length"]),
    ("String", r#"{"length": 8}"#, r#"{"length": "UNKNOWN"}"#, &["length"], &["length"]),
    ("String", r#"{"length": 8}"#, r#"{"length": 8, "special": true}"#, &[], &[]),
    ("String", r#"{"length": 8, "special": false}"#, r#"{"length": 8}"#, &["special"], &["special"]),
    (
        "String",
        r#"{"length": 8}"#,
        r#"{"length": 8, "number": false}"#,
        &["number", "numeric"],
        &["number", "numeric"],
    ),
    (
        "String",
        r#"{"length": 8}"#,
        r#"{"length": 8, "numeric": false}"#,
        &["number", "numeric"],
        &["number", "numeric"],
    ),
    ("String", r#"{"length": 8, "number": false}"#, r#"{"length": 8, "numeric": false}"#, &[], &[]),
    (
        "String",
        r#"{"length": 8}"#,
        r#"{"length": 8, "overrideSpecial": "_"}"#,
        &["overrideSpecial"],
        &["overrideSpecial"],
    ),
    (
        "String",
        r#"{"length": 8, "overrideSpecial": "_"}"#,
        r#"{"length": 8}"#,
        &["overrideSpecial"],
        &["overrideSpecial"],
    ),
    ("String", r#"{"length": 8, "overrideSpecial": ""}"#, r#"{"length": 8}"#, &["overrideSpecial"], &[]),
    (
        "String",
        r#"{"length": 8}"#,
        r#"{"length": 8, "overrideSpecial": ""}"#,
        &["overrideSpecial"],
        &["overrideSpecial"],
    ),
    (
        "String",
        r#"{"length": 8}"#,
        r#"{"length": 8, "overrideSpecial": "UNKNOWN"}"#,
        &["overrideSpecial"],
        &[],
    ),
    ("String", r#"{"length": 8}"#, r#"{"length": 8, "keepers": {}}"#, &["keepers"], &[]),
    ("String", r#"{"length": 8}"#, r#"{"length": 8, "keepers": {"a": null}}"#, &["keepers"], &[]),
    ("String", r#"{"length": 8}"#, r#"{"length": 8, "keepers": {"a": "b"}}"#, &["keepers"], &["keepers"]),
    ("String", r#"{"length": 8, "keepers": {"a": "b"}}"#, r#"{"length": 8}"#, &["keepers"], &["keepers"]),
    ("String", r#"{"length": 8, "keepers": {}}"#, r#"{"length": 8}"#, &["keepers"], &[]),
    ("String", r#"{"length": 8, "keepers": {"a": null}}"#, r#"{"length": 8}"#, &["keepers"], &["keepers"]),
    (
        "String",
        r#"{"length": 8, "keepers": {"a": "b"}}"#,
        r#"{"length": 8, "keepers": {"a": "b", "c": null}}"#,
        &["keepers"],
        &[],
    ),
    (
        "String",
        r#"{"length": 8, "keepers": {"a": "b"}}"#,
        r#"{"length": 8, "keepers": {"a": "c"}}"#,
        &["keepers"],
        &["keepers"],
    ),
    (
        "String",
        r#"{"length": 8, "keepers": {"a": "b"}}"#,
        r#"{"length": 8, "keepers": {"a": "UNKNOWN"}}"#,
        &["keepers"],
        &["keepers"],
    ),
    (
        "String",
        r#"{"length": 8, "keepers": {"a": "b"}}"#,
        r#"{"length": 8, "keepers": "UNKNOWN"}"#,
        &["keepers"],
        &["keepers"],
    ),
    ("String", r#"{"length": 8, "keepers": {"a": "1"}}"#, r#"{"length": 8, "keepers": {"a": 1}}"#, &[], &[]),
    (
        "String",
        r#"{"length": 8, "keepers": {"a": "b"}}"#,
        r#"{"length": 8, "keepers": {"SECRET": {"a": "b"}}}"#,
        &[],
        &[],
    ),
    ("Bytes", r#"{"length": 8}"#, r#"{"length": 8, "keepers": {}}"#, &["keepers"], &["keepers"]),
    ("Bytes", r#"{"length": 8}"#, r#"{"length": 9}"#, &["length"], &["length"]),
    ("Id", r#"{"byteLength": 8, "prefix": "a"}"#, r#"{"byteLength": 8}"#, &["prefix"], &["prefix"]),
    ("Integer", r#"{"min": 1, "max": 2}"#, r#"{"min": 1, "max": 3}"#, &["max"], &["max"]),
    ("Integer", r#"{"min": 1, "max": 2, "seed": "x"}"#, r#"{"min": 1, "max": 2}"#, &["seed"], &["seed"]),
    ("Integer", r#"{"min": 1, "max": 2, "seed": ""}"#, r#"{"min": 1, "max": 2, "seed": ""}"#, &[], &[]),
    ("Integer", r#"{"min": 1, "max": 2}"#, r#"{"min": 1, "max": 2, "seed": ""}"#, &[], &[]),
    ("Pet", "{}", r#"{"length": 2, "separator": "-"}"#, &[], &[]),
    ("Pet", r#"{"prefix": ""}"#, r#"{"prefix": ""}"#, &[], &[]),
    ("Pet", r#"{"length": 3}"#, "{}", &["length"], &["length"]),
    ("Shuffle", r#"{"inputs": ["a", "b"]}"#, r#"{"inputs": ["b", "a"]}"#, &["inputs"], &["inputs"]),
    ("Shuffle", r#"{"inputs": ["a", "b"]}"#, r#"{"inputs": ["a", "UNKNOWN"]}"#, &["inputs"], &["inputs"]),
    (
        "Shuffle",
        r#"{"inputs": ["a"]}"#,
        r#"{"inputs": ["a"], "resultCount": 1}"#,
        &["resultCount"],
        &["resultCount"],
    ),
    ("Shuffle", r#"{"inputs": ["a"]}"#, r#"{"inputs": ["a"], "seed": "s"}"#, &["seed"], &["seed"]),
    ("Uuid", "{}", r#"{"keepers": {"a": "b"}}"#, &["keepers"], &["keepers"]),
    ("Uuid4", r#"{"keepers": {"a": "b"}}"#, "{}", &["keepers"], &["keepers"]),
    ("Uuid7", r#"{"keepers": {"a": "b"}}"#, r#"{"keepers": {"a": "b"}}"#, &[], &[]),
];

#[tokio::test]
async fn changes_replace_as_with_the_official_plugin() {
    let provider = provider();
    for (name, old, new, diffs, replaces) in DIFFERENCES {
        let diff = Existing::create(&provider, token(name), old).await.diff(&provider, new).await;
        assert_eq!(diff.diffs, *diffs, "{name} {old} {new}");
        assert_eq!(diff.replaces, *replaces, "{name} {old} {new}");
        assert_eq!(diff.changes == DiffChanges::None, diffs.is_empty(), "{name} {old} {new}");
    }
}

#[tokio::test]
async fn ignored_changes_do_not_count() {
    let provider = provider();
    let old = Existing::create(&provider, token("String"), r#"{"length": 8}"#).await;
    let args = DiffArgs {
        urn: urn(old.token),
        id: old.id.clone(),
        old_inputs: Arc::new(old.inputs.clone()),
        old_outputs: Arc::new(old.outputs.clone()),
        new_inputs: Arc::new(map(r#"{"length": 9, "special": false}"#)),
        ignore_changes: vec!["length".to_owned()],
        preview: false,
    };
    assert_eq!(provider.diff(args).await.unwrap().replaces, ["special"]);
}

#[tokio::test]
async fn an_update_keeps_what_was_made() {
    let provider = provider();
    for name in ["String", "Password"] {
        let old = Existing::create(&provider, token(name), r#"{"length": 8, "overrideSpecial": ""}"#).await;
        let updated = old.update(&provider, r#"{"length": 8, "keepers": {"a": null}}"#, false).await;
        let mut expected =
            Existing::create(&provider, token(name), r#"{"length": 8, "keepers": {"a": null}}"#).await;
        for made in ["id", "result", "bcryptHash"] {
            if let Some(value) = old.outputs.get(made) {
                expected.outputs.insert(made.to_owned(), value.clone());
            }
        }
        assert_eq!(show_map(&updated.outputs), show_map(&expected.outputs), "{name}");
    }
}

#[tokio::test]
async fn a_read_finds_the_state_as_it_was() {
    let provider = provider();
    for (name, inputs) in MINIMAL {
        let old = Existing::create(&provider, token(name), inputs).await;
        let args = read_args(old.token, &old.id, old.inputs.clone(), old.outputs.clone());
        let read = provider.read(args).await.unwrap();
        assert_eq!(read.id, old.id);
        assert_eq!(read.inputs, Some(old.inputs), "{name}");
        assert_eq!(read.outputs, Some(old.outputs), "{name}");
    }
}

#[tokio::test]
async fn states_of_older_releases_are_unchanged_and_filled_in_when_read() {
    let provider = provider();
    let old = Existing {
        token: token("Password"),
        id: "none".to_owned(),
        inputs: map(r#"{"length": 3}"#),
        outputs: map(r#"{"id": "none", "result": {"SECRET": "abc"}, "number": true, "lower": true}"#),
    };
    assert_eq!(old.diff(&provider, r#"{"length": 3}"#).await.changes, DiffChanges::None);
    let args = read_args(old.token, "none", old.inputs.clone(), old.outputs.clone());
    let outputs = provider.read(args).await.unwrap().outputs.unwrap();
    assert_eq!(outputs["numeric"], true.into());
    assert_eq!(outputs["length"], 3.0.into());
    assert!(bcrypt::verify("abc", outputs["bcryptHash"].as_str().unwrap()).unwrap());
}

async fn import(name: &str, id: &str) -> Result<ReadResult, ProviderError> {
    provider().read(read_args(token(name), id, PropertyMap::new(), PropertyMap::new())).await
}

#[tokio::test]
async fn imports_tell_what_a_value_was_made_with() {
    let flags = r#""lower": true, "number": true, "numeric": true, "special": true, "upper": true"#;
    let cases = [
        ("String", "abc", "abc", format!(r#"{{"length": 3, {flags}}}"#)),
        ("String", "aé", "aé", format!(r#"{{"length": 3, {flags}}}"#)),
        ("Password", "abc", "none", format!(r#"{{"length": 3, {flags}}}"#)),
        ("Bytes", "8/fu3q+2DcgSJ19i0jZ5Cw==", "8/fu3q+2DcgSJ19i0jZ5Cw==", r#"{"length": 16}"#.to_owned()),
        ("Integer", "3,1,5", "3", r#"{"max": 5, "min": 1}"#.to_owned()),
        ("Integer", "3,1,5,seed", "3", r#"{"max": 5, "min": 1, "seed": "seed"}"#.to_owned()),
        ("Id", "p-9hUg", "p-9hUg", r#"{"byteLength": 4}"#.to_owned()),
        ("Id", "my-prefix-,p-9hUg", "p-9hUg", r#"{"byteLength": 4, "prefix": "my-prefix-"}"#.to_owned()),
        (
            "Uuid",
            "8DF9BF40-1954-5C99-AA73-AE3ACB375373",
            "8df9bf40-1954-5c99-aa73-ae3acb375373",
            "{}".to_owned(),
        ),
    ];
    for (name, given, id, inputs) in cases {
        let read = import(name, given).await.unwrap();
        assert_eq!(read.id, id, "{name} {given}");
        assert_eq!(read.inputs, Some(map(&inputs)), "{name} {given}");
        let outputs = read.outputs.unwrap();
        let found = Existing { token: token(name), id: read.id, inputs: map(&inputs), outputs };
        assert_eq!(found.diff(&provider(), &inputs).await.changes, DiffChanges::None, "{name} {given}");
        let same_shape = Existing::create(&provider(), found.token, &inputs).await;
        let keys = |map: &PropertyMap| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&found.outputs), keys(&same_shape.outputs), "{name} {given}");
    }
    let id = import("Id", "my-prefix-,p-9hUg").await.unwrap().outputs.unwrap();
    assert_eq!(id["dec"], "my-prefix-2817483090".into());
}

#[tokio::test]
async fn imports_that_can_not_be_are_refused() {
    let cases = [
        ("Bytes", "8_"),
        ("Integer", "3"),
        ("Integer", "x,1,2"),
        ("Id", "a+/b"),
        ("Uuid", "zz"),
        ("Pet", "a-b"),
        ("Shuffle", "-"),
    ];
    for (name, id) in cases {
        assert!(matches!(import(name, id).await, Err(ProviderError::Rejected(_))), "{name} {id}");
    }
}

#[tokio::test]
async fn the_package_has_no_settings() {
    let config = |json: &str| check_args("pulumi:providers:random", map(json));
    let checked = provider().check_config(config(r#"{"version": "4.21.4"}"#)).await.unwrap();
    assert!(checked.failures.is_empty());
    let checked = provider().check_config(config(r#"{"colour": "red"}"#)).await.unwrap();
    assert_eq!(checked.failures[0].property, "colour");
}

#[tokio::test]
async fn other_resources_are_refused_with_a_way_out() {
    let error = provider().check(check_args("random:index/x:X", PropertyMap::new())).await.unwrap_err();
    assert!(error.to_string().contains("plugin install resource random"), "{error}");
}

#[tokio::test]
async fn the_schema_says_what_the_tables_say() {
    let schema: Value = serde_json::from_str(&provider().schema().await.unwrap()).unwrap();
    assert_eq!((&schema["name"], &schema["version"]), (&json!("random"), &json!(VERSION)));
    let resources = schema["resources"].as_object().unwrap();
    let tokens: Vec<_> = SPECS.iter().map(|spec| spec.token).collect();
    assert_eq!(resources.keys().collect::<Vec<_>>(), tokens);
    for spec in SPECS {
        let resource = &resources[spec.token];
        let inputs = resource["inputProperties"].as_object().unwrap();
        let names: Vec<_> = spec.inputs.iter().map(|input| input.name).collect();
        assert_eq!(inputs.keys().collect::<Vec<_>>(), names, "{}", spec.token);
        let required = |fallback: &Fallback| *fallback == Fallback::Required;
        let expected: BTreeSet<_> =
            spec.inputs.iter().filter(|i| required(&i.fallback)).map(|i| i.name).collect();
        assert_eq!(listed(&resource["requiredInputs"]), expected, "{}", spec.token);
        for input in spec.inputs {
            let kind = match input.kind {
                Kind::Integer { .. } => "integer",
                Kind::Flag => "boolean",
                Kind::Text => "string",
                Kind::TextMap => "object",
                Kind::TextList => "array",
            };
            assert_eq!(inputs[input.name]["type"], kind, "{} {}", spec.token, input.name);
        }
        for computed in spec.computed {
            let property = &resource["properties"][computed.name];
            assert!(property.is_object(), "{} {}", spec.token, computed.name);
            assert_eq!(property["secret"] == true, computed.secret, "{} {}", spec.token, computed.name);
        }
        let always: BTreeSet<_> = spec
            .computed
            .iter()
            .map(|c| c.name)
            .chain(spec.inputs.iter().filter(|i| i.fallback != Fallback::Absent).map(|i| i.name))
            .collect();
        assert_eq!(listed(&resource["required"]), always, "{}", spec.token);
    }
}

fn listed(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().map(|v| v.as_str().unwrap()).collect()
}

/// A state that the official command line and plugin wrote: nothing in it has changed.
#[tokio::test]
async fn a_state_of_the_official_plugin_is_unchanged() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/swap/python-random");
    let file = root.join("bucket/.pulumi/stacks/swap-python-random/dev.json");
    let state: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut seen = BTreeSet::new();
    for resource in state["checkpoint"]["latest"]["resources"].as_array().unwrap() {
        let Some(spec) = spec::find(resource["type"].as_str().unwrap()) else { continue };
        seen.insert(spec.token);
        let bag = |name: &str| match resource.get(name).map(official) {
            Some(PropertyValue::Object(map)) => map,
            _ => PropertyMap::new(),
        };
        let (inputs, outputs) = (bag("inputs"), bag("outputs"));
        let provider = provider();
        let checked = provider.check(check_args(spec.token, inputs.clone())).await.unwrap();
        assert!(checked.failures.is_empty(), "{:?}", checked.failures);
        assert_eq!(checked.inputs, inputs, "{}", spec.token);
        let id = resource["id"].as_str().unwrap().to_owned();
        let existing = Existing { token: spec.token, id, inputs, outputs: outputs.clone() };
        let inputs = show_map(&existing.inputs).to_string();
        let diff = existing.diff(&provider, &inputs).await;
        assert_eq!(diff.changes, DiffChanges::None, "{} {diff:?}", spec.token);
        let read = provider
            .read(read_args(spec.token, &existing.id, existing.inputs.clone(), outputs.clone()))
            .await
            .unwrap();
        let mut read = show_map(&read.outputs.unwrap());
        let mut expected = show_map(&outputs);
        for shown in [&mut read, &mut expected] {
            hide_secrets(shown);
        }
        assert_eq!(read, expected, "{}", spec.token);
    }
    assert_eq!(seen.len(), 7);
}

/// Decodes a value of a checkpoint; what is encrypted stays so.
fn official(value: &Value) -> PropertyValue {
    match value {
        Value::Object(entries) if entries.contains_key("ciphertext") => {
            decode(&entries["ciphertext"]).into_secret()
        }
        Value::Object(entries) => {
            entries.iter().map(|(k, v)| (k.clone(), official(v))).collect::<PropertyMap>().into()
        }
        other => decode(other),
    }
}

fn hide_secrets(value: &mut Value) {
    if let Value::Object(entries) = value {
        if let Some(secret) = entries.get_mut("SECRET") {
            *secret = Value::Null;
        }
        entries.values_mut().for_each(hide_secrets);
    }
}

#[tokio::test]
async fn a_deletion_is_nothing_to_do() {
    let context = CallContext::new(urn(token("Uuid")), false, Default::default());
    let args = DeleteArgs { context, id: "x".to_owned(), inputs: Arc::default(), outputs: Arc::default() };
    provider().delete(args).await.unwrap();
}
