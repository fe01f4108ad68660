//! The adapter against a provider that is played.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use purlin_model::{
    Asset, AssetSource, CustomTimeouts, DiffKind, Extension, Goal, OutputValue, PackageDescriptor,
    Parameterization, PropertyMap, PropertyValue,
};
use purlin_plugins::PluginProvider;
use purlin_ports::{
    CallContext, CheckArgs, ConfigureArgs, ConstructArgs, CreateArgs, DeleteArgs, DeploymentInfo, DiffArgs,
    DiffChanges, InvokeArgs, NameProposal, NamingMode, Provider, ProviderError, ProviderMethodArgs, ReadArgs,
    UpdateArgs,
};
use purlin_wire::pulumirpc as rpc;
use support::{Bench, Events, Fake, Seen, bag, cable, decode, options, provider_urn, secret, serve, urn};
use tokio_util::sync::CancellationToken;

fn context(name: &str, preview: bool) -> CallContext {
    CallContext::new(urn(name), preview, CustomTimeouts::default())
}

fn create(name: &str, inputs: PropertyMap) -> CreateArgs {
    CreateArgs { context: context(name, false), inputs: Arc::new(inputs) }
}

fn preview(name: &str, inputs: PropertyMap) -> CreateArgs {
    CreateArgs { context: context(name, true), inputs: Arc::new(inputs) }
}

fn update(name: &str, olds: PropertyMap, news: PropertyMap) -> UpdateArgs {
    let olds = Arc::new(olds);
    UpdateArgs {
        context: context(name, false),
        id: "id-1".into(),
        old_inputs: olds.clone(),
        old_outputs: olds,
        new_inputs: Arc::new(news),
        ignore_changes: vec!["i".into()],
    }
}

fn read(name: &str, inputs: PropertyMap, outputs: PropertyMap) -> ReadArgs {
    let (inputs, outputs) = (Arc::new(inputs), Arc::new(outputs));
    ReadArgs { context: context(name, false), id: "id-1".into(), inputs, outputs }
}

fn check(urn: purlin_model::Urn, news: PropertyMap) -> CheckArgs {
    CheckArgs { urn, olds: Arc::default(), news: Arc::new(news), random_seed: vec![7; 32], autonaming: None }
}

fn diff(name: &str, olds: PropertyMap, news: PropertyMap, preview: bool) -> DiffArgs {
    let olds = Arc::new(olds);
    DiffArgs {
        urn: urn(name),
        id: "id-1".into(),
        old_inputs: olds.clone(),
        old_outputs: olds,
        new_inputs: Arc::new(news),
        ignore_changes: vec![],
        preview,
    }
}

fn configure(inputs: PropertyMap) -> ConfigureArgs {
    ConfigureArgs { urn: provider_urn(), id: "p-1".into(), inputs: Arc::new(inputs) }
}

/// A provider of the old kind, with configuration done.
async fn old_kind(supports_preview: bool) -> Bench {
    let configure_answer = rpc::ConfigureResponse { supports_preview, ..Default::default() };
    let bench =
        Bench::new(Fake { configure: configure_answer, version: "1.2.3".into(), ..Fake::default() }).await;
    bench.provider.configure(configure(bag(&[]))).await.unwrap();
    bench
}

#[tokio::test]
async fn both_sides_introduce_themselves() {
    let bench = Bench::new(Fake::modern()).await;
    let seen = bench.fake.seen.lock().unwrap().clone();
    let Seen::Handshake(handshake) = &seen[0] else { panic!("{seen:?}") };
    assert_eq!(handshake.engine_address, "127.0.0.1:1");
    assert!(handshake.root_directory.is_none(), "not our process, so not our folder");
    assert!(handshake.configure_with_urn && handshake.invoke_with_preview && handshake.accepts_byte_string);
    assert!(handshake.supports_refresh_before_update);
    assert_eq!(seen[1], Seen::Attach("127.0.0.1:1".into()));
    assert_eq!(bench.provider.version(), "1.2.3");
    assert!(bench.events.said().is_empty());
}

#[tokio::test]
async fn a_plugin_older_than_asked_for_is_worth_a_warning() {
    let bench = Bench::with(Fake::modern(), options(), PackageDescriptor::new("fake", "2.0.0")).await;
    assert!(bench.events.said()[0].starts_with("warning: "), "{:?}", bench.events.said());
    let quiet = purlin_plugins::ProviderOptions { warn_of_old_version: false, ..options() };
    let bench = Bench::with(Fake::modern(), quiet, PackageDescriptor::new("fake", "2.0.0")).await;
    assert!(bench.events.said().is_empty());
}

#[tokio::test]
async fn parameterization_comes_before_all_else_and_names_the_schema() {
    let parameterization =
        Parameterization { name: "sub".into(), version: "3.0.0".into(), value: vec![1, 2] };
    let package = PackageDescriptor {
        parameterization: Some(parameterization),
        ..PackageDescriptor::new("fake", "1.0.0")
    };
    let bench = Bench::with(Fake::modern(), options(), package).await;
    let Seen::Parameterize(request) = bench.fake.last() else { panic!() };
    let Some(rpc::parameterize_request::Parameters::Value(value)) = request.parameters else { panic!() };
    assert_eq!((&*value.name, &*value.version, &value.value[..]), ("sub", "3.0.0", &[1, 2][..]));
    assert_eq!(bench.provider.schema().await.unwrap(), "{}");
    let Seen::Schema(request) = bench.fake.last() else { panic!() };
    assert_eq!((&*request.subpackage_name, &*request.subpackage_version), ("sub", "3.0.0"));
}

#[tokio::test]
async fn an_extension_is_another_parameterization_whose_answer_has_to_fit() {
    let bench = Bench::new(Fake::modern()).await;
    let extension = |name: &str| Extension {
        reference: "r".into(),
        name: name.into(),
        version: "3.0.0".into(),
        value: vec![1, 2],
        ..Extension::default()
    };
    bench.provider.extend(&extension("more")).await.unwrap();
    let Seen::Parameterize(request) = bench.fake.last() else { panic!() };
    let Some(rpc::parameterize_request::Parameters::Value(value)) = request.parameters else { panic!() };
    assert_eq!((&*value.name, &*value.version, &value.value[..]), ("more", "3.0.0", &[1, 2][..]));
    let wrong = bench.provider.extend(&extension("elsewhere")).await.unwrap_err();
    assert!(wrong.to_string().contains("'elsewhere'"), "{wrong}");
}

#[tokio::test]
async fn a_plugin_is_told_how_to_name_what_it_makes() {
    let proposal = |mode| NameProposal {
        name: "proposed".into(),
        mode,
        warn_if_unsupported: mode == NamingMode::Enforce,
    };
    let named = |mode| CheckArgs { autonaming: Some(proposal(mode)), ..check(urn("r"), bag(&[])) };
    let mut able = Fake::modern();
    able.handshake.as_mut().unwrap().supports_autonaming_configuration = true;
    let bench = Bench::new(able).await;
    for (mode, number) in [(NamingMode::Propose, 0), (NamingMode::Enforce, 1), (NamingMode::Disable, 2)] {
        bench.provider.check(named(mode)).await.unwrap();
        let Seen::Check(request) = bench.fake.last() else { panic!() };
        let told = request.autonaming.unwrap();
        assert_eq!((&*told.proposed_name, told.mode), ("proposed", number));
    }
    assert!(bench.events.said().is_empty());
}

#[tokio::test]
async fn a_plugin_that_cant_be_told_how_to_name_is_worth_a_warning_where_it_matters() {
    let bench = Bench::new(Fake::modern()).await;
    let named = |warn_if_unsupported| {
        let mode = NamingMode::Enforce;
        let proposal = NameProposal { name: "proposed".into(), mode, warn_if_unsupported };
        CheckArgs { autonaming: Some(proposal), ..check(urn("r"), bag(&[])) }
    };
    bench.provider.check(named(false)).await.unwrap();
    assert!(bench.events.said().is_empty());
    bench.provider.check(named(true)).await.unwrap();
    let Seen::Check(request) = bench.fake.last() else { panic!() };
    assert!(request.autonaming.is_none());
    let said = bench.events.said();
    assert!(said[0].contains("does not support autonaming configuration"), "{said:?}");
}

#[tokio::test]
async fn a_resource_lives_its_life() {
    let bench = Bench::new(Fake::modern()).await;
    let provider = &bench.provider;
    let inputs = bag(&[("plain", "a".into()), ("hidden", secret("b"))]);

    let checked = provider.check(check(urn("r"), inputs.clone())).await.unwrap();
    assert_eq!((checked.inputs, checked.failures), (inputs.clone(), vec![]));
    let Seen::Check(request) = bench.fake.last() else { panic!() };
    assert_eq!((&*request.name, &*request.r#type, request.random_seed.len()), ("r", "fake:index:Thing", 32));
    assert!(request.olds.is_some(), "never null");

    let created = provider.create(create("r", inputs.clone())).await.unwrap();
    assert_eq!((&*created.id, &created.outputs), ("id-1", &inputs));
    assert!(created.refresh_before_update && created.init_errors.is_empty());

    let found = provider.diff(diff("r", inputs.clone(), inputs.clone(), false)).await.unwrap();
    assert_eq!((found.changes, found.delete_before_replace), (DiffChanges::Some, true));
    let path = found.detailed.unwrap()["p.q"];
    assert_eq!((path.kind, path.input_diff), (DiffKind::UpdateReplace, true));

    let updated = provider.update(update("r", inputs.clone(), inputs.clone())).await.unwrap();
    assert_eq!(updated.outputs, inputs);
    let Seen::Update(request) = bench.fake.last() else { panic!() };
    assert_eq!(request.ignore_changes, ["i"]);

    let seen = provider.read(read("r", inputs.clone(), inputs.clone())).await.unwrap();
    assert_eq!((&*seen.id, seen.inputs, seen.outputs), ("id-1", Some(inputs.clone()), Some(inputs.clone())));
    let gone = provider.read(read("gone", inputs.clone(), inputs.clone())).await.unwrap();
    assert_eq!((&*gone.id, gone.outputs), ("", None));

    let bags = Arc::new(inputs);
    let args =
        DeleteArgs { context: context("r", false), id: "id-1".into(), inputs: bags.clone(), outputs: bags };
    provider.delete(args).await.unwrap();
    assert!(matches!(bench.fake.last(), Seen::Delete(_)));
    let invalid = provider.check(check(urn("invalid"), bag(&[]))).await.unwrap();
    assert_eq!((&*invalid.failures[0].property, &*invalid.failures[0].reason), ("p", "bad"));
}

#[tokio::test]
async fn a_provider_that_takes_no_secrets_gets_none_and_loses_none() {
    let bench = old_kind(true).await;
    let provider = &bench.provider;
    let inputs = bag(&[("hidden", secret("b")), ("list", PropertyValue::Array(vec![secret("c")]))]);
    let plain = bag(&[("hidden", "b".into()), ("list", PropertyValue::Array(vec!["c".into()]))]);
    let marked =
        bag(&[("hidden", secret("b")), ("list", PropertyValue::Array(vec!["c".into()]).into_secret())]);
    let created = provider.create(create("r", inputs.clone())).await.unwrap();
    let Seen::Create(request) = bench.fake.last() else { panic!() };
    assert_eq!(decode(&request.properties), plain);
    assert_eq!(created.outputs, marked);
    assert_eq!(provider.check(check(urn("r"), inputs.clone())).await.unwrap().inputs, marked);
    assert_eq!(provider.update(update("r", bag(&[]), inputs.clone())).await.unwrap().outputs, marked);
    let found = provider.read(read("r", inputs.clone(), inputs.clone())).await.unwrap();
    assert_eq!((found.inputs, found.outputs), (Some(marked.clone()), Some(marked)));
    let args = bag(&[("hidden", secret("b")), ("open", "o".into())]);
    let invoked = provider.invoke(InvokeArgs { token: "t".into(), args, preview: false }).await.unwrap();
    assert_eq!(invoked.result, bag(&[("hidden", secret("b")), ("open", secret("o"))]), "all of it is secret");
}

#[tokio::test]
async fn previews_ask_only_providers_that_know_previews() {
    let inputs = bag(&[("p", "x".into())]);
    let bench = old_kind(false).await;
    let answer = bench.provider.create(preview("r", inputs.clone())).await.unwrap();
    assert_eq!((answer.outputs, answer.id), (inputs.clone(), String::new()));
    assert!(matches!(bench.fake.last(), Seen::Configure(_)), "nothing was sent");
    let bench = old_kind(true).await;
    let answer = bench.provider.create(preview("computes", inputs)).await.unwrap();
    assert_eq!(answer.outputs, bag(&[("later", PropertyValue::Unknown)]));
}

#[tokio::test]
async fn failures_are_told_apart_by_where_they_come_from() {
    let bench = Bench::new(Fake::modern()).await;
    for (name, message) in
        [("unknown", "quota exceeded"), ("internal", "oops"), ("unavailable", "the cloud is down")]
    {
        let error = bench.provider.create(create(name, bag(&[]))).await.unwrap_err();
        assert_eq!(error, ProviderError::Rejected(message.into()), "the server has said so");
    }
    let error = bench.provider.create(create("unimplemented", bag(&[]))).await.unwrap_err();
    assert_eq!(error, ProviderError::Unimplemented("no such call".into()));
}

#[tokio::test]
async fn a_cut_connection_leaves_the_outcome_unknown() {
    let (fake, cut) = (Arc::new(Fake::modern()), CancellationToken::new());
    let address = cable(serve(fake.clone()).await, cut.clone()).await;
    let package = PackageDescriptor::new("fake", "");
    let provider = PluginProvider::attached(address.port(), package, options(), Arc::new(Events::default()))
        .await
        .unwrap();
    let call = provider.create(create("hang", bag(&[])));
    let cutting = async {
        fake.hanging.cancelled().await;
        cut.cancel();
    };
    let (answer, ()) = tokio::join!(call, cutting);
    let Err(ProviderError::OutcomeUnknown(message)) = answer else { panic!("{answer:?}") };
    assert!(message.contains("the connection to the resource plugin fake"), "{message}");
}

#[tokio::test]
async fn half_made_resources_are_kept() {
    let bench = Bench::new(Fake::modern()).await;
    let created = bench.provider.create(create("half", bag(&[]))).await.unwrap();
    assert_eq!((&*created.id, &*created.init_errors), ("half", &["slow".to_owned()][..]));
    assert_eq!(created.outputs, bag(&[("state", "half".into())]));
    assert!(created.refresh_before_update);
    let updated = bench.provider.update(update("half-mute", bag(&[]), bag(&[]))).await.unwrap();
    assert_eq!(updated.init_errors, ["not ready"], "never empty");
    let found = bench.provider.read(read("half", bag(&[]), bag(&[]))).await.unwrap();
    assert_eq!((&*found.id, found.inputs), ("half", Some(bag(&[("wanted", "x".into())]))));
    assert_eq!(found.init_errors, ["slow"]);
}

#[tokio::test]
async fn a_create_whose_answer_makes_no_sense_may_have_created_something() {
    let bench = Bench::new(Fake::modern()).await;
    for name in ["no-id", "computes"] {
        let error = bench.provider.create(create(name, bag(&[]))).await.unwrap_err();
        assert!(matches!(error, ProviderError::OutcomeUnknown(_)), "{name}: {error:?}");
    }
    let unknown = bag(&[("p", PropertyValue::Unknown)]);
    let before = bench.fake.seen.lock().unwrap().len();
    let error = bench.provider.create(create("r", unknown.clone())).await.unwrap_err();
    assert!(matches!(error, ProviderError::Rejected(_)));
    assert_eq!(bench.fake.seen.lock().unwrap().len(), before, "nothing was sent");
    let previewed = bench.provider.create(preview("r", unknown.clone())).await.unwrap();
    assert_eq!(previewed.outputs, unknown);
}

#[tokio::test]
async fn assets_travel_without_content_where_a_hash_will_do() {
    let bench = Bench::new(Fake::modern()).await;
    let asset = |source| bag(&[("a", PropertyValue::Asset(Asset { hash: "12".into(), source }))]);
    let (full, elided) = (asset(AssetSource::Text("t".into())), asset(AssetSource::Elided));
    let provider = &bench.provider;
    provider.create(create("r", full.clone())).await.unwrap();
    let Seen::Create(request) = bench.fake.last() else { panic!() };
    assert_eq!(decode(&request.properties), full);
    provider.diff(diff("r", full.clone(), full.clone(), false)).await.unwrap();
    let Seen::Diff(request) = bench.fake.last() else { panic!() };
    assert_eq!((decode(&request.olds), decode(&request.news)), (elided.clone(), elided.clone()));
    provider.update(update("r", full.clone(), full.clone())).await.unwrap();
    let Seen::Update(request) = bench.fake.last() else { panic!() };
    assert_eq!((decode(&request.old_inputs), decode(&request.news)), (elided.clone(), full.clone()));
    let found = provider.read(read("r", full.clone(), full.clone())).await.unwrap();
    let Seen::Read(request) = bench.fake.last() else { panic!() };
    assert_eq!(decode(&request.properties), elided);
    assert_eq!((found.inputs, found.outputs), (Some(full.clone()), Some(full)), "the content is back");
}

#[tokio::test]
async fn configuration_is_checked_in_clear_and_stays_secret() {
    let inputs = bag(&[
        ("token", secret("t")),
        ("later", PropertyValue::Unknown),
        ("__internal", bag(&[("name", "x".into())]).into()),
    ]);
    let without = bag(&[("token", secret("t")), ("later", PropertyValue::Unknown)]);
    let bench = Bench::new(Fake::modern()).await;
    let checked = bench.provider.check_config(check(provider_urn(), inputs.clone())).await.unwrap();
    let Seen::CheckConfig(request) = bench.fake.last() else { panic!() };
    assert_eq!(decode(&request.news), bag(&[("token", "t".into()), ("later", PropertyValue::Unknown)]));
    assert_eq!(checked.inputs, without);
    let found = bench.provider.diff_config(diff("x", bag(&[]), inputs.clone(), true)).await.unwrap();
    assert_eq!(found.replaces, ["region"]);

    let bench = Bench::new(Fake { checks_config: false, ..Fake::modern() }).await;
    let checked = bench.provider.check_config(check(provider_urn(), inputs.clone())).await.unwrap();
    assert_eq!(checked.inputs, without, "taken as they are");
    let found = bench.provider.diff_config(diff("x", bag(&[]), inputs, true)).await.unwrap();
    assert_eq!((found.changes, found.replaces.len()), (DiffChanges::Unknown, 0), "no replacement");
}

#[tokio::test]
async fn configuration_is_sent_once_in_both_forms() {
    let bench = Bench::new(Fake::modern()).await;
    let inputs = bag(&[("region", secret("eu")), ("count", 2.0.into()), ("version", "1.0.0".into())]);
    bench.provider.configure(configure(inputs)).await.unwrap();
    let Seen::Configure(request) = bench.fake.last() else { panic!() };
    assert_eq!(decode(&request.args)["region"], secret("eu"));
    let variables: Vec<_> = request.variables.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(variables, ["fake:config:count=2", "fake:config:region=eu"]);
    assert_eq!((request.id.as_deref(), request.name.as_deref()), (Some("p-1"), Some("default")));
    assert_eq!(request.r#type.as_deref(), Some("pulumi:providers:fake"));
    assert!(request.accept_secrets && request.sends_old_inputs && request.sends_old_inputs_to_delete);
    let again = bench.provider.configure(configure(bag(&[]))).await.unwrap_err();
    assert!(matches!(again, ProviderError::Rejected(_)));
}

#[tokio::test]
async fn a_refused_configuration_fails_every_call_with_its_reason() {
    let bench = Bench::new(Fake::modern()).await;
    let inputs = bag(&[("region", "refuse".into())]);
    let error = bench.provider.configure(configure(inputs)).await.unwrap_err();
    assert!(error.to_string().contains("missing required configuration key \"fake:region\""), "{error}");
    assert_eq!(bench.provider.create(create("r", bag(&[]))).await.unwrap_err(), error);
}

#[tokio::test]
async fn a_provider_with_unknown_configuration_is_left_alone() {
    let bench = Bench::new(Fake::modern()).await;
    let inputs = bag(&[("region", PropertyValue::Unknown)]);
    let provider = &bench.provider;
    provider.configure(configure(inputs.clone())).await.unwrap();
    let before = bench.fake.seen.lock().unwrap().len();
    let news = bag(&[("p", "x".into())]);
    assert_eq!(provider.check(check(urn("r"), news.clone())).await.unwrap().inputs, news);
    let found = provider.diff(diff("r", bag(&[]), news.clone(), true)).await.unwrap();
    assert_eq!(found.changes, DiffChanges::Unknown);
    assert!(bench.events.said()[0].starts_with("warning: "));
    assert_eq!(provider.create(preview("r", news.clone())).await.unwrap().outputs, bag(&[]));
    let found = provider.read(read("r", news.clone(), news.clone())).await.unwrap();
    assert_eq!((&*found.id, found.outputs), ("id-1", Some(bag(&[]))));
    let invoked = provider.invoke(InvokeArgs { token: "t".into(), args: news.clone(), preview: true }).await;
    assert_eq!(invoked.unwrap().result, bag(&[]));
    assert!(matches!(provider.create(create("r", news)).await, Err(ProviderError::Rejected(_))));
    assert_eq!(bench.fake.seen.lock().unwrap().len(), before, "nothing was sent");
}

fn info() -> DeploymentInfo {
    DeploymentInfo {
        organization: "org".into(),
        project: "shop".into(),
        stack: "dev".into(),
        config: [("shop:a".to_owned(), "1".to_owned())].into(),
        config_secret_keys: vec!["shop:a".into()],
        dry_run: false,
        parallel: 4,
    }
}

#[tokio::test]
async fn components_are_made_with_all_their_options() {
    let bench = Bench::new(Fake::modern()).await;
    let output = PropertyValue::Output(Box::new(OutputValue {
        value: Some("v".into()),
        secret: true,
        dependencies: vec![urn("d")],
    }));
    let inputs = bag(&[("out", output)]);
    let mut goal = Goal::new("fake:index:Thing", "c", false, inputs.clone());
    goal.parent = Some(urn("parent"));
    goal.protect = Some(true);
    goal.dependencies = vec![urn("d")];
    goal.custom_timeouts = CustomTimeouts { create: 90.0, ..Default::default() };
    goal.replacement_trigger = "now".into();
    goal.resource_hooks.by_kind = [("BeforeCreate", "a"), ("OnError", "b")]
        .map(|(kind, name)| (kind.to_owned(), vec![name.to_owned()]))
        .into();
    let args = ConstructArgs {
        goal,
        aliases: vec![urn("old")],
        providers: [("aws".to_owned(), "ref".to_owned())].into(),
        info: info(),
        monitor_address: "127.0.0.1:9".into(),
        stack_trace_handle: "trace".into(),
    };
    let made = bench.provider.construct(args).await.unwrap();
    assert_eq!((made.urn, made.outputs), (urn("c"), inputs));
    assert_eq!(made.dependencies["out"], [urn("other")]);
    let Seen::Construct(request) = bench.fake.last() else { panic!() };
    assert_eq!((&*request.monitor_endpoint, &*request.organization), ("127.0.0.1:9", "org"));
    assert_eq!(request.custom_timeouts.unwrap().create, "90s");
    assert_eq!(request.config_secret_keys, ["shop:a"]);
    let hooks = request.resource_hooks.unwrap();
    assert_eq!((hooks.before_create, hooks.on_error), (vec!["a".to_owned()], vec![]));
    let alias = rpc::alias::Alias::Urn(urn("old").to_string());
    assert_eq!(request.aliases[0].alias, Some(alias));
    assert!(request.accepts_output_values && request.replacement_trigger.is_some());
    assert_eq!((request.protect, request.providers["aws"].as_str()), (Some(true), "ref"));
    assert_eq!(request.stack_trace_handle, "trace");
}

#[tokio::test]
async fn components_need_a_provider_that_takes_secrets() {
    let bench = old_kind(true).await;
    let args = ConstructArgs {
        goal: Goal::new("fake:index:Thing", "c", false, bag(&[])),
        aliases: vec![],
        providers: Default::default(),
        info: info(),
        monitor_address: String::new(),
        stack_trace_handle: "trace".into(),
    };
    assert!(matches!(bench.provider.construct(args).await, Err(ProviderError::Rejected(_))));
}

#[tokio::test]
async fn methods_get_secrets_whatever_the_provider_takes() {
    let bench = old_kind(true).await;
    let args = ProviderMethodArgs {
        token: "fake:index:Thing/m".into(),
        args: bag(&[("s", secret("x"))]),
        arg_dependencies: [("s".to_owned(), vec![urn("d")])].into(),
        info: info(),
        monitor_address: "127.0.0.1:9".into(),
        stack_trace_handle: "trace".into(),
    };
    let answer = bench.provider.call(args).await.unwrap();
    assert_eq!(answer.result, bag(&[("s", secret("x"))]));
    let Seen::Call(request) = bench.fake.last() else { panic!() };
    assert!(request.config_secret_keys.is_empty() && request.organization.is_empty(), "not told here");
    assert_eq!(request.arg_dependencies["s"].urns, [urn("d").to_string()]);
    assert_eq!(request.stack_trace_handle, "trace");
}

#[tokio::test]
async fn calls_at_once_are_bounded() {
    for (max_calls, expected) in [(1, 1..=1), (4, 1..=4)] {
        let limits = purlin_plugins::ProviderOptions { max_calls, ..options() };
        let bench = Bench::with(Fake::modern(), limits, PackageDescriptor::new("fake", "")).await;
        let calls = (0..20).map(|n| bench.provider.create(create(&format!("r{n}"), bag(&[]))));
        for answer in futures::future::join_all(calls).await {
            answer.unwrap();
        }
        let most = bench.fake.most_at_once.load(Ordering::SeqCst);
        assert!(expected.contains(&most), "{most} of {max_calls}");
    }
}
