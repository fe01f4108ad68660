//! Event streams and preview digests, compared with those of the official program.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_diag::Severity;
use purlin_formats::{BagDecoder, DigestOptions, ParseOptions, PreviewDigest, event_json, parse_checkpoint};
use purlin_model::cause::{Cause, PropertyCause};
use purlin_model::diff::{DiffKind, PathDiff};
use purlin_model::event::{EngineEvent, OperationResult, StateView, StepOp, StepView};
use purlin_model::policy::{PolicyName, PolicyRepair};
use purlin_model::{Bag, PropertyMap, PropertyValue, ResourceState, Urn};

const CHECKPOINT: &str = include_str!("golden/official-checkpoint.json");
const EVENTS: &str = include_str!("golden/official-events.jsonl");
const DIGEST: &str = include_str!("golden/official-preview-digest.json");

fn states() -> Vec<Arc<ResourceState>> {
    parse_checkpoint(&Arc::from(CHECKPOINT), ParseOptions::default()).unwrap().snapshot.resources
}

fn decode(bag: &Bag) -> Arc<PropertyMap> {
    match bag {
        Bag::Decoded(map) => Arc::clone(map),
        Bag::Raw(raw) => {
            let decoder = BagDecoder::new(raw.as_str()).unwrap();
            let hidden: Vec<&str> = decoder.ciphertexts().map(|_| "\"must not show\"").collect();
            Arc::new(decoder.finish(&hidden).unwrap())
        }
    }
}

fn view(state: ResourceState) -> StateView {
    StateView { inputs: decode(&state.inputs), outputs: decode(&state.outputs), state: Arc::new(state) }
}

fn step(op: StepOp, old: Option<StateView>, new: Option<StateView>) -> Box<StepView> {
    let state = &new.as_ref().or(old.as_ref()).unwrap().state;
    Box::new(StepView {
        op,
        urn: state.urn.clone(),
        provider: state.provider.as_ref().map(ToString::to_string).unwrap_or_default(),
        old,
        new,
        replace_keys: vec![],
        diff_keys: vec![],
        detailed_diff: None,
        cause: None,
        logical: true,
    })
}

#[test]
fn events_are_those_of_the_official_program() {
    let states = states();
    let pre = |index: usize| {
        let old: &ResourceState = &states[index];
        let new = ResourceState { id: String::new(), outputs: Bag::empty(), ..old.clone() };
        EngineEvent::ResourcePre { step: step(StepOp::Create, None, Some(view(new))), planning: false }
    };
    let outputs = |index: usize| {
        let new: &ResourceState = &states[index];
        EngineEvent::ResourceOutputs {
            step: step(StepOp::Create, None, Some(view(new.clone()))),
            planning: false,
        }
    };
    let events = [
        (1, EngineEvent::Prelude { config: BTreeMap::from([("fix:pw".into(), "[secret]".into())]) }),
        (2, pre(0)),
        (13, pre(2)),
        (15, outputs(2)),
        (16, pre(3)),
        (17, pre(4)),
        (19, outputs(3)),
        (21, outputs(4)),
        (22, outputs(0)),
        (
            23,
            EngineEvent::Summary {
                preview: false,
                maybe_corrupt: false,
                duration_seconds: 1,
                changes: BTreeMap::from([(StepOp::Create, 4)]),
                policy_packs: BTreeMap::new(),
                result: OperationResult::Succeeded,
            },
        ),
        (24, EngineEvent::Cancel),
    ];
    for ((sequence, event), expected) in events.iter().zip(EVENTS.lines()) {
        assert_eq!(event_json(*sequence, 1_795_244_490, event), expected);
    }
    assert_eq!(EVENTS.lines().count(), events.len());
}

#[test]
fn other_events_have_their_keys() {
    let urn = Urn::parse("urn:pulumi:s::p::a:b:C::n").unwrap();
    let diagnostic = EngineEvent::Diagnostic {
        urn: Some(urn.clone()),
        prefix: "error: ".into(),
        message: "\u{1b}[31mred\u{1b}[0m \u{1b}[2K\u{1b}[x<b>\n".into(),
        severity: Severity::InfoError,
        stream_id: 3,
        ephemeral: true,
    };
    assert_eq!(
        event_json(0, 1, &diagnostic),
        "{\"sequence\":0,\"timestamp\":1,\"diagnosticEvent\":{\"urn\":\"urn:pulumi:s::p::a:b:C::n\",\"prefix\":\
         \"error: \",\"message\":\"red \\u001b[x<b>\\n\",\"color\":\"never\",\"severity\":\"info#err\",\"streamID\":3,\
         \"ephemeral\":true}}"
    );
    let progress =
        EngineEvent::Progress { id: "i".into(), message: "m".into(), received: 1, total: 2, done: false };
    assert_eq!(
        event_json(7, 1, &progress),
        r#"{"sequence":7,"timestamp":1,"progressEvent":{"type":"plugin-download","id":"i","message":"m","received":1,"total":2,"done":false}}"#
    );
    let mut failed = step(StepOp::Update, Some(view(ResourceState::new(urn.clone(), true))), None);
    failed.replace_keys = vec!["k".into()];
    failed.diff_keys = vec!["d".into()];
    failed.detailed_diff =
        Some(BTreeMap::from([("a.b".to_owned(), PathDiff { kind: DiffKind::AddReplace, input_diff: true })]));
    failed.logical = false;
    let event = EngineEvent::ResourceFailed { step: failed, outcome_unknown: true, steps: 4 };
    assert_eq!(
        event_json(7, 1, &event),
        r#"{"sequence":7,"timestamp":1,"resOpFailedEvent":{"metadata":{"op":"update","urn":"urn:pulumi:s::p::a:b:C::n","type":"a:b:C","old":{"type":"a:b:C","urn":"urn:pulumi:s::p::a:b:C::n","custom":true,"id":"","parent":"","inputs":{},"outputs":{},"provider":""},"new":null,"keys":["k"],"diffs":["d"],"detailedDiff":{"a.b":{"diffKind":"add-replace","inputDiff":true}},"provider":""},"status":2,"steps":4}}"#
    );
    let stdout = EngineEvent::Stdout { message: "x".into() };
    assert_eq!(
        event_json(1, 2, &stdout),
        r#"{"sequence":1,"timestamp":2,"stdoutEvent":{"message":"x","color":"never"}}"#
    );
}

fn warning() -> EngineEvent {
    EngineEvent::Diagnostic {
        urn: None,
        prefix: "warning: ".into(),
        message: "using pulumi-resource-random from $PATH at /usr/local/bin/pulumi-resource-random\n".into(),
        severity: Severity::Warning,
        stream_id: 0,
        ephemeral: false,
    }
}

fn summary(changes: &[(StepOp, u64)]) -> EngineEvent {
    EngineEvent::Summary {
        preview: true,
        maybe_corrupt: false,
        duration_seconds: 1,
        changes: changes.iter().copied().collect(),
        policy_packs: BTreeMap::new(),
        result: OperationResult::Succeeded,
    }
}

#[test]
fn the_digest_is_that_of_the_official_program() {
    let states = states();
    let mut digest = PreviewDigest::new(DigestOptions { show_sames: true, ..Default::default() });
    digest.event(&EngineEvent::Prelude { config: BTreeMap::from([("fix:pw".into(), "[secret]".into())]) });
    for index in [0, 2, 3, 4] {
        let old: &ResourceState = &states[index];
        // The official program shows a new state as it is before the step.
        let new = ResourceState { id: String::new(), outputs: Bag::empty(), ..old.clone() };
        let step = step(StepOp::Same, Some(view(old.clone())), Some(view(new)));
        digest.event(&EngineEvent::ResourcePre { step, planning: true });
    }
    for _ in 0..DIGEST.matches("\"severity\"").count() {
        digest.event(&warning());
    }
    digest.event(&summary(&[(StepOp::Same, 4)]));
    digest.duration(180_159_918);
    digest.event(&EngineEvent::Cancel);
    let text = digest.finish();
    for (ours, theirs) in text.lines().zip(DIGEST.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(text, DIGEST.trim_end());
}

#[test]
fn a_digest_leaves_out_what_was_not_asked_for() {
    let states = states();
    let of = |op, index: usize, logical| {
        let view = view((*states[index]).clone());
        let mut step = step(op, Some(view.clone()), Some(view));
        step.logical = logical;
        EngineEvent::ResourcePre { step, planning: true }
    };
    let count = |options, event: &EngineEvent| {
        let mut digest = PreviewDigest::new(options);
        digest.event(event);
        digest.finish().matches("\"op\"").count()
    };
    let plain = DigestOptions::default();
    assert_eq!(count(plain, &of(StepOp::Same, 2, true)), 0);
    assert_eq!(count(plain, &of(StepOp::Same, 0, true)), 1, "the stack always shows");
    assert_eq!(count(plain, &of(StepOp::CreateReplacement, 2, false)), 0);
    assert_eq!(count(plain, &of(StepOp::Replace, 2, true)), 1);
    let parts = DigestOptions { show_replacement_steps: true, ..plain };
    assert_eq!(count(parts, &of(StepOp::CreateReplacement, 2, false)), 1);
    let mut quiet = PreviewDigest::new(DigestOptions { suppress_outputs: true, ..plain });
    quiet.event(&of(StepOp::Create, 0, true));
    assert!(!quiet.finish().contains("outputs"));
}

#[test]
fn a_refresh_shows_what_it_found() {
    let states = states();
    let old = view((*states[2]).clone());
    let mut digest = PreviewDigest::new(DigestOptions::default());
    let pre = step(StepOp::Refresh, Some(old.clone()), Some(old.clone()));
    digest.event(&EngineEvent::ResourcePre { step: pre, planning: true });
    let mut found = step(StepOp::Update, Some(old.clone()), Some(old));
    found.detailed_diff =
        Some(BTreeMap::from([("a".to_owned(), PathDiff { kind: DiffKind::Update, input_diff: false })]));
    digest.event(&EngineEvent::ResourceOutputs { step: found, planning: true });
    let text = digest.finish();
    assert!(text.contains("\"op\": \"update\"") && !text.contains("refresh"));
    assert!(text.contains("\"a\": {\n                    \"kind\": \"update\",\n"), "{text}");
}

#[test]
fn nothing_secret_shows() {
    let urn = Urn::parse("urn:pulumi:s::p::a:b:C::n").unwrap();
    let secret = || PropertyValue::from("hunter2").into_secret();
    let properties = PropertyMap::from([
        ("plain".to_owned(), secret()),
        (
            "deep".to_owned(),
            PropertyValue::Array(vec![secret(), PropertyMap::from([("x".into(), secret())]).into()]),
        ),
        ("bytes".to_owned(), PropertyValue::Bytes(vec![0xff])),
        ("html".to_owned(), "<a&b>".into()),
    ]);
    let mut state = ResourceState::new(urn, true);
    state.inputs = Bag::from(properties);
    let raw =
        r#"{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"hunter2"}"#;
    state.replacement_trigger = Some(purlin_model::SealedValue::Raw(raw.to_owned().into()));
    let event =
        EngineEvent::ResourcePre { step: step(StepOp::Create, None, Some(view(state))), planning: true };
    let line = event_json(0, 0, &event);
    let mut digest = PreviewDigest::new(DigestOptions::default());
    digest.event(&event);
    let text = digest.finish();
    assert!(!line.contains("hunter2") && !text.contains("hunter2"), "{line}\n{text}");
    let EngineEvent::ResourcePre { step, .. } = &event else { panic!("a step") };
    let inputs = &step.new.as_ref().unwrap().inputs;
    let repair = EngineEvent::PolicyRemediation(Box::new(PolicyRepair {
        urn: step.urn.clone(),
        policy: PolicyName { pack: "p".into(), version: String::new(), policy: "q".into() },
        before: Arc::clone(inputs),
        after: Arc::clone(inputs),
    }));
    let line = event_json(0, 0, &repair);
    assert!(line.contains("\"before\":{") && !line.contains("hunter2"), "{line}");
    assert!(
        text.contains(r#""bytes": "b\"/w==\"""#) && text.contains(r#""html": "\u003ca\u0026b\u003e""#),
        "{text}"
    );
    assert!(text.contains(r#""replacementTrigger": "[secret]""#));
}

#[test]
fn a_digest_tells_what_led_to_a_step_if_asked() {
    let states = states();
    let view_of = |index: usize| Some(view(ResourceState::clone(&states[index])));
    let (first, second) = (states[0].urn.clone(), states[1].urn.clone());
    let by = |path: &str, from: &[&Urn]| {
        let from = from.iter().map(|urn| (*urn).clone()).collect();
        Cause::Properties(vec![PropertyCause { property: path.into(), from }])
    };
    let digest_of = |why: bool| {
        let mut digest = PreviewDigest::new(DigestOptions { why, ..Default::default() });
        let mut replace = step(StepOp::Replace, view_of(0), view_of(0));
        replace.cause = Some(Arc::new(by("size", &[])));
        let mut update = step(StepOp::Update, view_of(1), view_of(1));
        let because = Arc::new(by("from", &[&first]));
        update.cause = Some(Arc::new(Cause::Cascade { root: first.clone(), because }));
        for step in [replace, update] {
            digest.event(&EngineEvent::ResourcePre { step, planning: true });
        }
        digest.finish()
    };
    assert!(!digest_of(false).contains("why"));
    let text = digest_of(true);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!([
        {
            "urn": second.as_str(), "op": "update", "depth": 0, "cause": "properties", "cascadeOf": first.as_str(),
            "properties": [{ "path": "from", "from": [first.as_str()] }]
        },
        {
            "urn": first.as_str(), "op": "replace", "depth": 1, "cause": "properties",
            "properties": [{ "path": "size" }]
        }
    ]);
    assert_eq!(document["steps"][1]["why"], expected, "{text}");
}
