//! The choice of providers, and the package `pulumi`.

use std::path::Path;
use std::sync::Arc;

use purlin_model::{PackageDescriptor, Parameterization, PropertyMap};
use purlin_ports::{DiffChanges, InvokeArgs, Provider, ProviderError};
use serde_json::{Value, json};

use crate::testing::{Existing, check_args, create_args, deps, map, read_args, show_map};
use crate::{READ_STACK_OUTPUTS, READ_STACK_RESOURCE_OUTPUTS, STACK_REFERENCE, STASH, builtin};

fn provider() -> Arc<dyn Provider> {
    builtin(&PackageDescriptor::new("pulumi", ""), &deps(Path::new("/"))).unwrap()
}

#[test]
fn packages_are_served_in_their_major_release() {
    let served = |package: &PackageDescriptor| builtin(package, &deps(Path::new("/"))).is_some();
    let cases = [
        ("pulumi", "", true),
        ("random", "", true),
        ("random", "4.0.1", true),
        ("random", "5.0.0", false),
        ("command", "1.2.0", true),
        ("command", "0.9.2", false),
        ("aws", "", false),
    ];
    for (name, version, expected) in cases {
        assert_eq!(served(&PackageDescriptor::new(name, version)), expected, "{name} {version}");
    }
    let plain = PackageDescriptor::new("random", "4.1.0");
    let elsewhere = PackageDescriptor { download_url: "https://example.com".to_owned(), ..plain.clone() };
    assert!(!served(&elsewhere));
    let parameterization = Parameterization { name: "x".into(), version: "1".into(), value: vec![] };
    assert!(!served(&PackageDescriptor { parameterization: Some(parameterization), ..plain }));
}

#[tokio::test]
async fn inputs_are_checked() {
    let cases = [
        (STACK_REFERENCE, r#"{"name": "a"}"#, None),
        (STACK_REFERENCE, r#"{"name": "UNKNOWN"}"#, None),
        (STACK_REFERENCE, r#"{"name": 1}"#, Some("name")),
        (STACK_REFERENCE, "{}", Some("name")),
        (STACK_REFERENCE, r#"{"name": "a", "x": 1}"#, Some("x")),
        (STASH, r#"{"input": [1]}"#, None),
        (STASH, r#"{"input": null}"#, None),
        (STASH, "{}", Some("input")),
        (STASH, r#"{"input": 1, "x": 1}"#, Some("x")),
    ];
    for (token, inputs, property) in cases {
        let result = provider().check(check_args(token, map(inputs))).await.unwrap();
        let failed: Vec<_> = result.failures.iter().map(|f| f.property.as_str()).collect();
        assert_eq!(failed, property.into_iter().collect::<Vec<_>>(), "{token} {inputs}");
    }
    assert!(provider().check(check_args("pulumi:pulumi:X", PropertyMap::new())).await.is_err());
}

fn reference() -> Value {
    json!({
        "name": "org/app/dev",
        "outputs": {"a": 1, "key": {"SECRET": "k"}, "deep": [{"SECRET": 2}]},
        "secretOutputNames": ["deep", "key"],
    })
}

#[tokio::test]
async fn a_reference_gives_the_outputs_of_the_other_stack() {
    let provider = provider();
    let made = Existing::create(&*provider, STACK_REFERENCE, r#"{"name": "org/app/dev"}"#).await;
    assert_eq!((made.id.len(), show_map(&made.outputs)), (36, reference()));
    let args = read_args(STACK_REFERENCE, "org/app/dev", made.inputs.clone(), made.inputs.clone());
    let read = provider.read(args).await.unwrap();
    assert_eq!((read.id.as_str(), show_map(&read.outputs.unwrap())), ("org/app/dev", reference()));
    let same = made.diff(&*provider, r#"{"name": "org/app/dev"}"#).await;
    assert_eq!(same.changes, DiffChanges::None);
    assert_eq!(made.diff(&*provider, r#"{"name": "other"}"#).await.replaces, ["name"]);
    let unknown = create_args(STACK_REFERENCE, map(r#"{"name": "UNKNOWN"}"#), true);
    let outputs = provider.create(unknown).await.unwrap().outputs;
    let expected = json!({"name": "UNKNOWN", "outputs": "UNKNOWN", "secretOutputNames": "UNKNOWN"});
    assert_eq!(show_map(&outputs), expected);
}

#[tokio::test]
async fn a_stack_that_is_not_there_is_an_error_with_its_hint() {
    let args = create_args(STACK_REFERENCE, map(r#"{"name": "nowhere"}"#), false);
    let Err(ProviderError::Rejected(message)) = provider().create(args).await else { panic!() };
    assert!(message.contains("no stack nowhere") && message.contains("make it"), "{message}");
    let import = read_args(STACK_REFERENCE, "x", PropertyMap::new(), PropertyMap::new());
    assert!(provider().read(import).await.is_err());
}

#[tokio::test]
async fn a_stash_keeps_its_first_value() {
    let provider = provider();
    let made = Existing::create(&*provider, STASH, r#"{"input": {"SECRET": "a"}}"#).await;
    assert_eq!(show_map(&made.outputs), json!({"input": {"SECRET": "a"}, "output": {"SECRET": "a"}}));
    let changed = made.diff(&*provider, r#"{"input": "a"}"#).await;
    assert_eq!((changed.diffs, changed.replaces.len()), (vec!["input".to_owned()], 0));
    let updated = made.update(&*provider, r#"{"input": "b"}"#, false).await;
    assert_eq!(show_map(&updated.outputs), json!({"input": "b", "output": {"SECRET": "a"}}));
    let args = read_args(STASH, &made.id, made.inputs.clone(), made.outputs.clone());
    assert_eq!(provider.read(args).await.unwrap().outputs, Some(made.outputs));
    assert!(provider.read(read_args(STASH, "x", PropertyMap::new(), PropertyMap::new())).await.is_err());
}

#[tokio::test]
async fn functions_read_other_stacks() {
    let provider = provider();
    let invoke = |token: &str, args: &str| {
        provider.invoke(InvokeArgs { token: token.to_owned(), args: map(args), preview: false })
    };
    let outputs = invoke(READ_STACK_OUTPUTS, r#"{"name": "org/app/dev"}"#).await.unwrap();
    assert_eq!(show_map(&outputs.result), reference());
    let resources = invoke(READ_STACK_RESOURCE_OUTPUTS, r#"{"stackName": "org/app/dev"}"#).await.unwrap();
    let expected = json!({"name": "org/app/dev", "outputs": {"urn:a": {"type": "t", "outputs": {"x": 1}}}});
    assert_eq!(show_map(&resources.result), expected);
    assert_eq!(invoke(READ_STACK_OUTPUTS, "{}").await.unwrap().failures[0].property, "name");
    assert!(invoke("pulumi:pulumi:other", "{}").await.is_err());
}

#[tokio::test]
async fn the_schema_has_what_there_is() {
    let schema: Value = serde_json::from_str(&provider().schema().await.unwrap()).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&schema["resources"]), [STACK_REFERENCE, STASH]);
    assert_eq!(names(&schema["functions"]), [READ_STACK_OUTPUTS, READ_STACK_RESOURCE_OUTPUTS]);
}
