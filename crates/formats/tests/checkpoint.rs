//! Checkpoints and exports: what was written by the official program is written again byte for
//! byte, old versions are migrated, and what can't be understood is refused.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::Arc;

use purlin_formats::{
    Checkpoint, ParseOptions, SecretForm, WriteError, export_deployment, features_of, find_secrets, magic,
    migrate_provider_outputs, parse_checkpoint, parse_deployment, replace_secrets, write_checkpoint,
};
use purlin_model::{Bag, OperationKind, PropertyMap, PropertyValue, SealedValue, Snapshot};

const CHECKPOINT: &str = include_str!("golden/official-checkpoint.json");
const FRESH: &str = include_str!("golden/official-fresh.json");
const EXPORT: &str = include_str!("golden/official-export.json");
const EXPORT_SHOWN: &str = include_str!("golden/official-export-shown.json");
const EVERYTHING: &str = include_str!("golden/everything.json");

fn parse(text: &str) -> Checkpoint {
    parse_checkpoint(&Arc::from(text), ParseOptions::default()).unwrap()
}

fn refuse(text: &str) -> purlin_diag::Diagnostic {
    parse_checkpoint(&Arc::from(text), ParseOptions::default()).unwrap_err()
}

fn write(stack: &str, snapshot: Option<&Snapshot>) -> String {
    let mut out = Vec::new();
    write_checkpoint(&mut out, stack, snapshot).unwrap();
    String::from_utf8(out).unwrap()
}

fn rewrite(text: &str) -> String {
    let checkpoint = parse(text);
    write(&checkpoint.stack, checkpoint.deployed.then_some(&checkpoint.snapshot))
}

/// A checkpoint with these members of a deployment beside its manifest.
fn with(members: &str) -> String {
    format!(
        "{{\"version\":3,\"checkpoint\":{{\"stack\":\"organization/p/s\",\"latest\":{{\"manifest\":{{\"time\":\
         \"2026-01-02T03:04:05Z\",\"magic\":\"\",\"version\":\"\"}},{members}}}}}}}"
    )
}

#[test]
fn official_checkpoints_come_back_byte_for_byte() {
    for text in [CHECKPOINT, FRESH, EVERYTHING.trim_end()] {
        assert_eq!(rewrite(text), text);
    }
    let never = r#"{"version":3,"checkpoint":{"stack":"organization/p/s"}}"#;
    let checkpoint = parse(never);
    assert!(!checkpoint.deployed);
    assert_eq!(rewrite(never), never);
}

#[test]
fn layout_of_the_file_does_not_matter() {
    let lines = purlin_formats::text::indent(CHECKPOINT);
    assert_eq!(rewrite(&lines), CHECKPOINT);
}

#[test]
fn untouched_bags_are_slices_of_the_file() {
    let source: Arc<str> = CHECKPOINT.into();
    let checkpoint = parse_checkpoint(&source, ParseOptions::default()).unwrap();
    let mut seen = 0;
    for state in &checkpoint.snapshot.resources {
        for bag in [&state.inputs, &state.outputs] {
            if let Bag::Raw(raw) = bag {
                let start = raw.as_str().as_ptr() as usize - source.as_ptr() as usize;
                assert_eq!(&source[start..start + raw.as_str().len()], raw.as_str());
                assert!(raw.as_str().starts_with('{') && raw.as_str().ends_with('}'));
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 7);
}

#[test]
fn an_export_is_laid_out_like_the_official_one_and_can_be_read_back() {
    let checkpoint = parse(CHECKPOINT);
    assert_eq!(export_deployment(Some(&checkpoint.snapshot)).unwrap(), EXPORT);
    let back = parse_deployment(&Arc::from(EXPORT), ParseOptions::default()).unwrap();
    assert_eq!(write("organization/fix/dev", Some(&back.snapshot)), CHECKPOINT);
    assert_eq!(export_deployment(None).unwrap(), "{\n    \"version\": 3\n}\n");
}

#[test]
fn every_key_of_a_state_is_understood() {
    let checkpoint = parse(EVERYTHING);
    assert_eq!(checkpoint.version, 4);
    let state = &checkpoint.snapshot.resources[2];
    assert!(state.unknown_keys.is_empty(), "{:?}", state.unknown_keys);
    assert!(state.delete && state.protect && state.taint && state.external && state.pending_replacement);
    assert!(state.retain_on_delete && state.refresh_before_update);
    assert_eq!(state.init_errors, ["not ready"]);
    assert_eq!(state.property_dependencies.len(), 2);
    assert_eq!(state.custom_timeouts.read, 0.25);
    assert_eq!(state.import_id, "imported");
    assert_eq!(state.deleted_with.as_ref().unwrap().name(), "a");
    assert_eq!(state.replace_with.len(), 1);
    assert_eq!(state.view_of.as_ref().unwrap().name(), "a");
    assert_eq!(state.stack_trace.len(), 2);
    assert_eq!(state.resource_hooks.by_kind["BeforeCreate"], ["h1", "h2"]);
    assert!(matches!(&state.replacement_trigger, Some(SealedValue::Raw(raw)) if raw.as_str() == "[1,2.50]"));
    assert_eq!(state.hide_diffs, ["a[\"b c\"][0]"]);
    assert_eq!(checkpoint.snapshot.pending_operations.len(), 2);
    assert_eq!(checkpoint.snapshot.pending_operations[1].kind, OperationKind::Importing);
    let features: Vec<String> = features_of(&checkpoint.snapshot).into_iter().collect();
    assert_eq!(
        features,
        [
            "byteString",
            "extensionParameterization",
            "hooks",
            "refreshBeforeUpdate",
            "replaceWith",
            "snippets-prototype",
            "taint",
            "views"
        ]
    );
}

#[test]
fn unknown_keys_survive_wherever_they_stand() {
    let text = r#"{"version":3,"checkpoint":{"stack":"organization/p/s","config":{"p:a":"b"},"latest":{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":"","plugins":[{"name":"x"}]},"resources":[{"urn":"urn:pulumi:s::p::a:b:C::n","custom":false,"type":"a:b:C","newKey":{"x":[1.50]}}],"metadata":{"integrity_error":{"version":"v1"}},"extensions":{"r":{"name":"n","version":"1","value":"eA==","newKey":[1.50]}},"later":1,"/odd":2}},"$schema":"x"}"#;
    assert_eq!(rewrite(text), text);
}

#[test]
fn extensions_are_read_with_their_values() {
    let text = r#"{"version":3,"checkpoint":{"stack":"o/p/s","latest":{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""},"metadata":{},"extensions":{"a1":{"name":"n","version":"1.0.0","value":"eA=="},"b2":{"name":"m","version":"2.0.0","value":""}}}}}"#;
    let snapshot = parse(text).snapshot;
    let found: Vec<_> = snapshot.extensions.iter().map(|(key, e)| (&**key, &*e.name, &e.value[..])).collect();
    assert_eq!(found, [("a1", "n", &b"x"[..]), ("b2", "m", &[])]);
    assert_eq!(snapshot.extensions["a1"].reference, "a1");
    assert_eq!(rewrite(text), text);
    refuse(&text.replace("eA==", "e"));
}

#[test]
fn features_follow_the_resources_and_hidden_ones_stay() {
    let with_features = |features: &str, state: &str| {
        format!(
            "{{\"version\":4,\"features\":{features},\"checkpoint\":{{\"stack\":\"o/p/s\",\"latest\":{{\"manifest\":{{\
             \"time\":\"2026-01-02T03:04:05Z\",\"magic\":\"\",\"version\":\"\"}},\"resources\":[{{\"urn\":\
             \"urn:pulumi:s::p::a:b:C::n\",\"custom\":false,\"type\":\"a:b:C\"{state}}}],\"metadata\":{{}}}}}}}}"
        )
    };
    let tainted = with_features("[\"taint\"]", ",\"taint\":true");
    assert_eq!(rewrite(&tainted), tainted);
    let gone = rewrite(&with_features("[\"taint\",\"byteString\"]", ""));
    assert!(gone.starts_with("{\"version\":4,\"features\":[\"byteString\"],"), "{gone}");
    let gone = rewrite(&with_features("[\"taint\"]", ""));
    assert!(gone.starts_with("{\"version\":3,\"checkpoint\""), "{gone}");
    let unknown = refuse(&with_features("[\"taint\",\"teleport\"]", ""));
    assert_eq!(unknown.code, "state-feature");
    assert!(unknown.message.contains("teleport") && unknown.hint.is_some());
}

#[test]
fn a_newer_version_is_refused_whatever_it_looks_like() {
    for text in [
        r#"{"version":5,"checkpoint":{"stack":"s","latest":{"resources":"elsewhere"}}}"#,
        r#"{"version":5,"checkpoint":{"stack":"s"}}"#,
        r#"{"checkpoint":[],"version":17}"#,
    ] {
        let refused = refuse(text);
        assert_eq!(refused.code, "state-version", "{refused}");
        assert!(refused.hint.is_some());
    }
}

#[test]
fn old_versions_are_migrated() {
    let latest = r#"{"manifest":{"time":"2017-01-01T00:00:00Z","magic":"","version":""},"resources":[{"urn":"urn:pulumi:s::p::a:b:C::base","custom":true,"id":"0","type":"a:b:C","dependencies":null,"initErrors":null},{"urn":"urn:pulumi:s::p::a:b:C::n","custom":true,"id":"1","type":"a:b:C","inputs":{"x":1,"y":"z"},"defaults":{"y":"z"},"outputs":{"x":1},"dependencies":["urn:pulumi:s::p::a:b:C::base"],"initErrors":[]}]}"#;
    for (version, text) in [
        (0, format!("{{\"stack\":\"s\",\"config\":{{}},\"latest\":{latest}}}")),
        (1, format!("{{\"version\":1,\"checkpoint\":{{\"stack\":\"s\",\"latest\":{latest}}}}}")),
        (2, format!("{{\"version\":2,\"checkpoint\":{{\"stack\":\"s\",\"latest\":{latest}}}}}")),
    ] {
        let checkpoint = parse(&text);
        assert_eq!((checkpoint.version, checkpoint.stack.as_str()), (version, "s"));
        let state = &checkpoint.snapshot.resources[1];
        assert!(state.unknown_keys.is_empty());
        let properties: Vec<&str> = state.property_dependencies.keys().map(String::as_str).collect();
        assert_eq!(properties, ["x", "y"]);
        assert_eq!(state.property_dependencies["y"], state.dependencies);
        let written = write("s", Some(&checkpoint.snapshot));
        assert!(written.starts_with("{\"version\":3,"), "{written}");
        parse(&written);
    }
}

#[test]
fn a_wrong_check_word_is_refused_unless_asked_for() {
    assert_eq!(magic("v3.260.0"), "7dff0d166258e7f1d265e8e044021ea087795d58a0c6415ab6fe8b7c790e447f");
    assert_eq!(magic(""), "");
    let text = FRESH.replace("v3.260.0", "v3.261.0");
    assert_eq!(refuse(&text).code, "state-magic");
    let read = parse_checkpoint(&Arc::from(text), ParseOptions { check_magic: false }).unwrap();
    assert_eq!(read.snapshot.version, "v3.261.0");
}

#[test]
fn every_truncation_is_refused_with_its_place() {
    for end in 0..FRESH.len() {
        let refused = refuse(&FRESH[..end]);
        assert_eq!(refused.code, "state-truncated", "at {end}: {refused}");
        assert!(refused.message.contains(&format!("byte {end} of {end} ")), "{refused}");
    }
    for end in (0..CHECKPOINT.len()).step_by(97).filter(|end| CHECKPOINT.is_char_boundary(*end)) {
        assert_eq!(refuse(&CHECKPOINT[..end]).code, "state-truncated");
    }
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    for (text, code) in [
        ("{}", "state-not-a-checkpoint"),
        ("{\"version\":3}", "state-not-a-checkpoint"),
        ("null", "state-not-a-checkpoint"),
        ("[]", "state-invalid"),
        ("7", "state-invalid"),
        ("{\"version\":3,\"checkpoint\":7}", "state-invalid"),
        ("{\"version\":\"3\",\"checkpoint\":{}}", "state-invalid"),
        ("{\"version\":-1,\"checkpoint\":{}}", "state-invalid"),
        ("{\"version\":3,}", "state-malformed"),
        ("{\"version\":3,\"checkpoint\":{}}x", "state-malformed"),
    ] {
        assert_eq!(refuse(text).code, code, "{text}");
    }
    let lines = "{\n\"version\": 3,\n\"checkpoint\": {\"stack\": tru}\n}";
    let refused = refuse(lines);
    assert!(refused.message.contains("(line 3, column "), "{refused}");
    let deep = format!("{{\"version\":3,\"checkpoint\":{}", "{\"latest\":".repeat(100_000));
    assert!(refuse(&deep).code.starts_with("state-"));
    let deep = with(&format!("\"later\":{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    assert_eq!(rewrite(&deep).len(), deep.len() + ",\"metadata\":{}".len());
}

#[test]
fn what_is_wrong_with_a_resource_is_named() {
    let state = |members: &str| with(&format!("\"resources\":[{{{members}}}]"));
    for (members, code) in [
        ("\"custom\":true,\"type\":\"a:b:C\"", "state-no-urn"),
        ("\"urn\":\"urn:pulumi:s::p::a:b:C::n\",\"custom\":true", "state-no-type"),
        (
            "\"urn\":\"urn:pulumi:s::p::a:b:C::n\",\"custom\":false,\"id\":\"x\",\"type\":\"a:b:C\"",
            "state-component-with-id",
        ),
        ("\"urn\":\"nonsense\",\"custom\":true,\"type\":\"a:b:C\"", "state-invalid-urn"),
        (
            "\"urn\":\"urn:pulumi:s::p::a:b:C::n\",\"custom\":true,\"type\":\"a:b:C\",\"provider\":\"p\"",
            "state-invalid-provider",
        ),
        (
            "\"urn\":\"urn:pulumi:s::p::a:b:C::n\",\"custom\":true,\"type\":\"a:b:C\",\"inputs\":[]",
            "state-invalid",
        ),
        ("\"urn\":\"urn:pulumi:s::p::a:b:C::n\",\"custom\":\"yes\",\"type\":\"a:b:C\"", "state-invalid"),
        ("\"urn\":7,\"custom\":true,\"type\":\"a:b:C\"", "state-invalid"),
    ] {
        assert_eq!(refuse(&state(members)).code, code, "{members}");
    }
    let operation = r#""pending_operations":[{"resource":{"urn":"urn:pulumi:s::p::a:b:C::n","custom":true,"type":"a:b:C"},"type":"teleporting"}]"#;
    assert_eq!(refuse(&with(operation)).code, "state-operation");
}

#[test]
fn empty_lists_of_dependencies_stay_and_empty_bags_go() {
    let text = with(
        r#""resources":[{"urn":"urn:pulumi:s::p::a:b:C::n","custom":true,"id":"i","type":"a:b:C","inputs":{},"outputs":null,"propertyDependencies":{"a":null,"b":[]}}],"metadata":{}"#,
    );
    let written = rewrite(&text);
    assert!(written.contains(r#""type":"a:b:C","propertyDependencies":{"a":[],"b":[]}}"#), "{written}");
}

#[test]
fn providers_without_outputs_get_their_inputs() {
    let text = with(
        r#""resources":[{"urn":"urn:pulumi:s::p::pulumi:providers:x::n","custom":true,"id":"i","type":"pulumi:providers:x","inputs":{"__internal":{"a":1},"n":1.50,"version":"1"}},{"urn":"urn:pulumi:s::p::pulumi:providers:y::n","custom":true,"id":"i","type":"pulumi:providers:y"}],"metadata":{}"#,
    );
    let mut snapshot = parse(&text).snapshot;
    assert!(migrate_provider_outputs(&mut snapshot));
    assert!(
        matches!(&snapshot.resources[0].outputs, Bag::Raw(raw) if raw.as_str() == r#"{"n":1.50,"version":"1"}"#)
    );
    assert_eq!(snapshot.resources[1].outputs, Bag::empty());
    assert!(!migrate_provider_outputs(&mut snapshot));
}

#[test]
fn a_secret_in_clear_is_never_written() {
    let mut snapshot = parse(CHECKPOINT).snapshot;
    let properties = PropertyMap::from([("a".to_owned(), PropertyValue::from("open").into_secret())]);
    Arc::make_mut(&mut snapshot.resources[0]).outputs = Bag::from(properties);
    let mut out = Vec::new();
    let refused = write_checkpoint(&mut out, "s", Some(&snapshot)).unwrap_err();
    assert!(matches!(&refused, WriteError::Refused(d) if d.code == "state-unsealed"));
    assert!(!String::from_utf8(out).unwrap().contains("open"));
}

#[test]
fn secrets_of_an_export_are_shown_and_hidden_in_place() {
    let ciphertexts = find_secrets(EXPORT, SecretForm::Ciphertext).unwrap();
    let plaintexts = find_secrets(EXPORT_SHOWN, SecretForm::Plaintext).unwrap();
    assert_eq!(ciphertexts.len(), plaintexts.len());
    assert_eq!(plaintexts[1], r#""a\u003cb\u003e\u0026c""#);
    let shown = replace_secrets(EXPORT, SecretForm::Ciphertext, &plaintexts).unwrap();
    // The order of what stands in the nested plaintext is all that may differ; it doesn't here.
    assert_eq!(shown, EXPORT_SHOWN);
    let hidden = replace_secrets(&shown, SecretForm::Plaintext, &ciphertexts).unwrap();
    assert_eq!(hidden, EXPORT);
    assert_eq!(
        replace_secrets(EXPORT, SecretForm::Ciphertext, &plaintexts[1..]).unwrap_err().code,
        "secret-miscounted"
    );
}

#[test]
fn names_that_repeat_are_kept_once() {
    let snapshot = parse(CHECKPOINT).snapshot;
    let [a, b] = [&snapshot.resources[2], &snapshot.resources[3]];
    assert!(Arc::ptr_eq(&a.stack_trace, &b.stack_trace) || a.stack_trace.len() != b.stack_trace.len());
    assert_eq!(a.parent.as_ref().unwrap().as_str().as_ptr(), b.parent.as_ref().unwrap().as_str().as_ptr());
}
