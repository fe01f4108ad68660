//! What the package `pulumi` has: values kept in the state, and functions that read other stacks.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::collections::BTreeMap;

use purlin_model::event::OperationResult;
use purlin_model::{Goal, PackageDescriptor, PropertyMap, PropertyValue};
use purlin_ports::{InvokeReply, InvokeRequest, RegisterReply, RegisterRequest};
use support::Stand;
use support::program::{Prog, Script, script};

async fn stash(prog: &Prog, input: &str, import: &str) -> Result<RegisterReply, purlin_ports::MonitorError> {
    let inputs = PropertyMap::from([("input".to_owned(), input.into())]);
    let mut goal = Goal::new("pulumi:index:Stash", "stash", true, inputs);
    goal.import_id = import.to_owned();
    let request = RegisterRequest {
        goal,
        remote: false,
        package: PackageDescriptor::new("pulumi", ""),
        providers: BTreeMap::new(),
        stack_trace_handle: String::new(),
    };
    prog.monitor.register(request).await
}

fn keeps(input: &'static str, output: &'static str) -> Script {
    script(move |prog| async move {
        let reply = stash(&prog, input, "").await?;
        assert_eq!((&reply.outputs["input"], &reply.outputs["output"]), (&input.into(), &output.into()));
        Ok(())
    })
}

#[tokio::test]
async fn a_stash_keeps_its_first_value() {
    let mut stand = Stand::new();
    stand.preview(keeps("first", "first")).await;
    stand.up(keeps("first", "first")).await;
    assert_eq!(stand.steps(), ["create default", "create stash"]);
    stand.up(keeps("second", "first")).await;
    assert_eq!(stand.steps(), ["update stash"]);
    assert_eq!(stand.outputs("stash").await["output"], "first".into());
    stand.up(keeps("second", "first")).await;
    assert_eq!(stand.steps(), [""; 0]);
}

#[tokio::test]
async fn a_stash_cannot_be_imported() {
    let mut stand = Stand::new();
    let report = stand
        .up(script(|prog| async move {
            stash(&prog, "x", "someid").await?;
            panic!("the registration doesn't come back");
        }))
        .await;
    assert_eq!(report.result, OperationResult::Failed);
    let said = stand.events.diagnostics();
    assert!(said.iter().any(|text| text.contains("a stash can't be imported")), "{said:?}");
    assert!(stand.get("stash").is_none());
}

async fn invoke(prog: &Prog, token: &str, key: &str, stack: &str) -> Result<InvokeReply, String> {
    let request = InvokeRequest {
        token: token.to_owned(),
        args: PropertyMap::from([(key.to_owned(), stack.into())]),
        provider: None,
        package: PackageDescriptor::new("pulumi", ""),
        extension: None,
        parent: None,
        depends_on: Vec::new(),
    };
    prog.monitor.invoke(request).await.map_err(|e| e.to_string())
}

#[tokio::test]
async fn other_stacks_are_read_in_previews_and_updates() {
    let mut stand = Stand::new();
    let reads = || {
        script(|prog| async move {
            let read = invoke(&prog, "pulumi:pulumi:readStackOutputs", "name", "there").await.unwrap();
            let outputs = read.result["outputs"].as_object().unwrap();
            assert_eq!(outputs["open"], "o".into());
            assert_eq!(outputs["key"], PropertyValue::from("s").into_secret());
            assert_eq!(read.result["secretOutputNames"], PropertyValue::Array(vec!["key".into()]));
            let read = invoke(&prog, "pulumi:pulumi:readStackResourceOutputs", "stackName", "there").await;
            assert_eq!(read.unwrap().result["name"], "there".into());
            let missing = invoke(&prog, "pulumi:pulumi:readStackOutputs", "name", "nowhere").await;
            assert!(missing.unwrap_err().contains("no stack named 'nowhere' found"));
            Ok(())
        })
    };
    assert_eq!(stand.preview(reads()).await.result, OperationResult::Succeeded);
    assert_eq!(stand.up(reads()).await.result, OperationResult::Succeeded);
}
