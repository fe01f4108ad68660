//! Resources and their options: what the engine is asked for.

mod support;

use purlin_model::{PropertyValue, ResourceReference, Urn};
use purlin_ports::{InvokeReply, MonitorError, RegisterResult, RunOutcome};
use support::{map, refusal, reply, world};

const SECRETS: &str = "\n    additionalSecretOutputs: key,password\n    aliases: (type=kit:old:Box)";

/// What a box is registered with, without what its schema adds to every box.
fn asked(program: &str) -> String {
    let ran = world(program).run();
    assert_eq!(ran.outcome, RunOutcome::Succeeded, "{:?}", ran.said);
    ran.asked().replace(SECRETS, "").replace("\noutputs {}", "")
}

#[test]
fn the_stack_comes_first_and_the_end_last() {
    let ran = world("resources:\n  b: {type: \"kit:Box\"}\noutputs: {x: 1}\n").run();
    assert_eq!(ran.outcome, RunOutcome::Succeeded);
    assert_eq!(ran.log[0], "stack");
    assert_eq!(&ran.log[2..], ["outputs {x: 1}", "finished"]);
    assert_eq!(ran.positions, ["project:///Pulumi.yaml#4,3"]);
}

#[test]
fn properties_say_what_they_were_made_from() {
    assert_eq!(
        asked(concat!(
            "variables:\n  both: {x: \"${a.id}\", y: \"${b.address}\", z: 1}\n",
            "resources:\n  a: {type: \"kit:Box\", properties: {text: hi}}\n",
            "  b: {type: \"kit:index:Box\", name: named}\n",
            "  c:\n    type: kit:index/box:Box\n    properties:\n      text: ${a.id}\n      any: ${both}\n",
            "      tags: {one: \"${both.z}\", two: x}\n      flag: true\n      list: []\n      password: pw\n      size: null\n",
        )),
        concat!(
            "register kit:index/box:Box a {text: \"hi\"}\n",
            "register kit:index/box:Box named {}\n",
            "register kit:index/box:Box c {any: {x: \"id-a\", z: 1}, flag: true, list: [], ",
            "password: secret(\"pw\"), tags: {one: 1, two: \"x\"}, text: \"id-a\"}\n",
            "    deps: a,named\n",
            "    property deps: any=a,named tags=a,named text=a",
        )
    );
}

#[test]
fn what_a_value_of_outputs_is_made_from_comes_along() {
    let mut world = world(concat!(
        "resources:\n  a: {type: \"kit:Box\"}\n",
        "  b: {type: \"kit:Box\", properties: {any: \"${a.key}\", text: \"<${a.any.deep[1]}>\", tags: {k: \"${a.any.hidden.x}\"}}}\n",
    ));
    let any = map([
        ("deep", PropertyValue::Array(vec!["x".into(), "y".into()])),
        ("hidden", PropertyValue::Object(map([("x", "h".into())])).into_secret()),
    ]);
    world
        .answers
        .outputs
        .insert("a", map([("key", PropertyValue::from("k").into_secret()), ("any", any.into())]));
    let ran = world.run();
    assert!(
        ran.asked().contains("b {any: secret(\"k\"), tags: {k: secret(\"h\")}, text: \"<y>\"}"),
        "{}",
        ran.asked()
    );
}

#[test]
fn every_option_reaches_the_engine() {
    let program = concat!(
        "resources:\n  a: {type: \"kit:Box\"}\n  b: {type: \"kit:Box\"}\n  p: {type: \"pulumi:providers:kit\"}\n",
        "  c:\n    type: kit:Box\n    properties: {text: x}\n    options:\n",
        "      additionalSecretOutputs: [text, key]\n",
        "      aliases:\n        - urn:pulumi:dev::proj::kit:index/box:Box::older\n        - {name: old, type: kit:x:Y}\n",
        "        - {noParent: true}\n        - {parent: \"${a}\", stack: s, project: q}\n        - {parent: \"${a.urn}\"}\n",
        "        - urn: urn:pulumi:dev::proj::kit:index/box:Box::oldest\n",
        "      customTimeouts: {create: 5m, update: 1h30m, delete: 10s, read: 1s}\n",
        "      deleteBeforeReplace: true\n      dependsOn: [\"${a}\", \"${b}\"]\n      ignoreChanges: [text, \"list[0]\"]\n",
        "      import: existing\n      parent: ${a}\n      protect: true\n      provider: ${p}\n      version: 1.0.0\n",
        "      pluginDownloadURL: https://example.com\n      replaceOnChanges: [count]\n      retainOnDelete: false\n",
        "      replaceWith: [\"${b}\"]\n      deletedWith: ${a}\n      hideDiffs: [any]\n      replacementTrigger: [\"${b.id}\"]\n",
    );
    let expected = concat!(
        "register kit:index/box:Box c {text: \"x\"}\n",
        "    parent: a\n    deps: a,b\n    provider: p::id-p\n    version: 1.0.0\n    url: https://example.com\n",
        "    protect: true\n    deleteBeforeReplace: true\n    retainOnDelete: false\n",
        "    ignoreChanges: text,list[0]\n    replaceOnChanges: count\n    hideDiffs: any\n",
        "    additionalSecretOutputs: text,key,password\n    import: existing\n    deletedWith: a\n    replaceWith: b\n",
        "    replacementTrigger: [\"id-b\"]\n    timeouts: 300 5400 10 1\n",
        "    aliases: urn:pulumi:dev::proj::kit:index/box:Box::older (name=old type=kit:x:Y) (noParent) ",
        "(stack=s project=q parent=a) (parent=a) urn:pulumi:dev::proj::kit:index/box:Box::oldest (type=kit:old:Box)",
    );
    let got = asked(program);
    assert!(got.ends_with(expected), "{got}");
}

#[test]
fn providers_are_named_or_default() {
    let mut world = world(concat!(
        "resources:\n",
        "  p:\n    type: pulumi:providers:kit\n    defaultProvider: true\n    properties: {region: x, token: t}\n",
        "    options: {version: 1.1.0, envVarMappings: {A: B}}\n",
        "  q: {type: \"pulumi:providers:kit\", properties: {region: \"${region}\"}}\n",
        "  a: {type: \"kit:Box\"}\n",
        "  b: {type: \"kit:Box\", options: {provider: \"${q}\"}}\n",
        "variables:\n  region: {\"fn::invoke\": {function: \"kit:find\", return: id}}\n",
    ));
    world.answers.functions.insert("kit:index/find:find", reply([("id", "here".into())]));
    let ran = world.run();
    assert_eq!(ran.outcome, RunOutcome::Succeeded, "{:?}", ran.said);
    assert_eq!(
        ran.asked().replace(SECRETS, ""),
        concat!(
            "register pulumi:providers:kit p {__internal: {envVarMappings: {A: \"B\"}}, region: \"x\", token: secret(\"t\")}\n",
            "    version: 1.1.0\n",
            "register kit:index/box:Box a {}\n    provider: p::id-p\n    version: 1.1.0\n",
            "invoke kit:index/find:find {} provider=p version=1.1.0\n",
            "register pulumi:providers:kit q {region: \"here\"}\n",
            "register kit:index/box:Box b {}\n    provider: q::id-q\n",
            "outputs {}",
        )
    );
}

#[test]
fn a_default_provider_can_be_made_from_its_own_package() {
    let mut world = world(concat!(
        "resources:\n  p: {type: \"pulumi:providers:kit\", defaultProvider: true, properties: {region: \"${seed.address}\"}}\n",
        "  seed: {type: \"kit:Box\"}\n  rest: {type: \"kit:Box\"}\n",
    ));
    world.answers.outputs.insert("seed", map([("address", "r".into())]));
    let asked = world.run().asked().replace(SECRETS, "");
    assert!(
        asked.starts_with("register kit:index/box:Box seed {}\nregister pulumi:providers:kit p"),
        "{asked}"
    );
    assert!(asked.contains("rest {}\n    provider: p::id-p"), "{asked}");
}

#[test]
fn components_get_outputs_and_all_providers() {
    let mut world = world(concat!(
        "resources:\n  a: {type: \"kit:Box\"}\n  p: {type: \"pulumi:providers:kit\"}\n",
        "  h:\n    type: kit:House\n    properties: {text: \"${a.address}\", any: [\"${a}\", {fn::secret: 1}]}\n",
        "    options: {providers: [\"${p}\"]}\n",
        "  c: {type: \"kit:Box\", properties: {text: \"${h.text}\"}}\n",
    ));
    world.answers.outputs.insert("a", map([("address", "street".into())]));
    let asked = world.run().asked().replace(SECRETS, "");
    let expected = concat!(
        "construct kit:index:House h {any: [ref(a), output(1 secret; )], text: output(\"street\"; a)}\n",
        "    deps: a\n    property deps: text=a\n    providers: kit=p\n",
        "register kit:index/box:Box c {text: \"street\"}\n    deps: h\n    property deps: text=h\noutputs {}",
    );
    assert!(asked.ends_with(expected), "{asked}");
}

#[test]
fn the_schema_gives_constants_and_required_defaults() {
    assert_eq!(
        asked("resources:\n  g: {type: \"kit:net:gate\", properties: {width: 1}}\n"),
        "register kit:net/gate:Gate g {height: 7, kind: \"gate\", width: 1}\n    replaceOnChanges: width"
    );
}

#[test]
fn resources_are_read_with_get() {
    let mut world = world(concat!(
        "resources:\n  a: {type: \"kit:Box\"}\n",
        "  g: {type: \"kit:Box\", get: {id: \"x-${a.id}\", state: {text: t, password: p}}, options: {parent: \"${a}\"}}\n",
        "outputs: {o: \"${g.address} ${g.id}\"}\n",
    ));
    world.answers.outputs.insert("g", map([("address", "there".into())]));
    let ran = world.run();
    assert_eq!(ran.outputs(), "{o: \"there x-id-a\"}");
    assert!(
        ran.asked().contains("read x-id-a as kit:index/box:Box g {password: secret(\"p\"), text: \"t\"}\n    parent: a\n    additional"),
        "{}",
        ran.asked()
    );
}

#[test]
fn stack_references_are_resources_that_are_read() {
    let mut world = world(concat!(
        "resources:\n  s: {type: \"pulumi:pulumi:StackReference\", properties: {name: org/x/dev}}\n",
        "  org/y/dev: {type: \"pulumi:pulumi:StackReference\"}\n",
        "outputs: {a: \"${s.outputs.a}\", b: '${s.outputs[\"b\"].c}', all: \"${s.outputs}\", no: [\"${s.outputs.no}\"]}\n",
    ));
    let b = map([("c", PropertyValue::from("d").into_secret())]);
    world.answers.outputs.insert("s", map([("outputs", map([("a", 1.0.into()), ("b", b.into())]).into())]));
    let ran = world.run();
    assert_eq!(ran.outputs(), "{a: 1, all: secret({a: 1, b: {c: \"d\"}}), b: secret(\"d\"), no: [null]}");
    assert!(
        ran.log
            .contains(&"read org/x/dev as pulumi:pulumi:StackReference s {name: \"org/x/dev\"}".to_owned())
    );
    assert!(
        ran.asked()
            .contains("read org/y/dev as pulumi:pulumi:StackReference org/y/dev {name: \"org/y/dev\"}")
    );
}

#[test]
fn calls_pass_plain_arguments_and_keep_what_is_known_about_them() {
    let mut world = world(concat!(
        "resources:\n  a: {type: \"kit:Box\"}\n",
        "  b: {type: \"kit:Box\", properties: {text: \"${found.id}\", list: \"${found.all}\"}}\n",
        "variables:\n  found:\n    fn::invoke:\n      function: kit:find\n",
        "      arguments: {name: {fn::secret: \"${a.id}\"}, deep: true}\n",
        "      options: {dependsOn: [\"${a}\"], parent: \"${a}\", version: 1.0.0}\n",
        "  total: {fn::kit:sum: {of: [1, 2]}}\n",
        "outputs: {total: \"${total}\", empty: {\"fn::kit:index:sum\": {}}}\n",
    ));
    world.answers.functions.insert(
        "kit:index/find:find",
        reply([("id", "f".into()), ("all", PropertyValue::Array(vec!["x".into()]))]),
    );
    world.answers.functions.insert("kit:index:sum", reply([("sum", 3.0.into())]));
    let ran = world.run();
    assert_eq!(ran.outputs(), "{empty: 3, total: 3}");
    let asked = ran.asked();
    assert!(
        asked.contains(
            "invoke kit:index/find:find {deep: true, name: \"id-a\"} parent=a dependsOn=a version=1.0.0"
        ),
        "{asked}"
    );
    assert!(asked.contains("invoke kit:index:sum {of: [1, 2]}\n"), "{asked}");
    assert!(
        asked.contains(
            "b {list: secret([\"x\"]), text: secret(\"f\")}\n    deps: a\n    property deps: list=a text=a"
        ),
        "{asked}"
    );
}

#[test]
fn in_a_preview_what_is_not_there_yet_is_unknown() {
    let mut world = world(concat!(
        "resources:\n  a: {type: \"kit:Box\", properties: {text: t}}\n",
        "  b: {type: \"kit:Box\", properties: {text: \"${a.text} ${a.address}\", count: \"${a.count}\", any: [\"${a.id}\", \"${a.urn}\", \"${a.text}\"]}}\n",
        "  g: {type: \"kit:Box\", get: {id: \"${a.id}\"}}\n",
        "  p: {type: \"pulumi:providers:kit\"}\n",
        "  c: {type: \"kit:Box\", properties: {any: \"${a}\", text: \"${g.address}\"}, options: {provider: \"${p}\"}}\n",
        "variables:\n  found: {fn::kit:find: {name: \"${a.id}\"}}\n",
        "outputs: {o: [\"${found.id}\"]}\n",
    ));
    world.dry_run = true;
    let ran = world.run();
    assert_eq!(ran.outputs(), "{o: [unknown]}");
    let asked = ran.asked().replace(SECRETS, "");
    assert!(asked.contains("b {any: [unknown, \"urn:pulumi:dev::proj::kit:index/box:Box::a\", \"t\"], count: unknown, text: unknown}"), "{asked}");
    assert!(!asked.contains("invoke") && !asked.contains("read "), "{asked}");
    let expected = format!(
        "c {{any: ref(a), text: unknown}}\n    deps: a,g\n    property deps: any=a text=g\n    provider: p::{}",
        support::unknown_id()
    );
    assert!(asked.contains(&expected), "{asked}");
}

#[test]
fn in_a_preview_parts_of_what_may_still_come_are_unknown() {
    let mut world = world(concat!(
        "resources:\n  a: {type: \"kit:Box\"}\n",
        "variables: {v: \"${a.any}\"}\n",
        "outputs: {o: [\"${a.any.b.c}\", \"${v.b.c}\", \"${a.rules[0].port}\", \"${a.address}\"]}\n",
    ));
    world.dry_run = true;
    let any = map([("k", PropertyValue::Unknown)]);
    world.answers.outputs.insert("a", map([("any", any.into())]));
    assert_eq!(world.run().outputs(), "{o: [unknown, unknown, unknown, unknown]}");
}

#[test]
fn what_is_no_text_is_passed_on_as_it_is() {
    let program = |output: &str| {
        let mut world = world(&format!(
            "resources:\n  a: {{type: \"kit:Box\"}}\n  b: {{type: \"kit:Box\", properties: {{any: \"${{a.any}}\"}}}}\n\
             outputs:\n  o: {output}\n"
        ));
        world.answers.outputs.insert("a", map([("any", PropertyValue::Bytes(vec![255, 111]))]));
        world.run()
    };
    let ran = program("${a.any}");
    assert_eq!(ran.outputs(), "{o: bytes([255, 111])}");
    assert!(ran.asked().contains("b {any: bytes([255, 111])}"), "{}", ran.asked());
    assert_eq!(program("{fn::toBase64: \"${a.any}\"}").outputs(), "{o: \"/28=\"}");
    assert_eq!(
        program("\"x ${a.any}\"").messages(),
        [
            "Pulumi.yaml:7:6: ${a.any} is a string that is not valid UTF-8 and has no text\n  use it alone, as the whole value"
        ]
    );
}

#[test]
fn a_call_that_can_not_be_made_yet_has_an_unknown_result() {
    let mut world = world("variables:\n  found: {fn::kit:find: {}}\noutputs: {o: [\"${found.id}\"]}\n");
    world
        .answers
        .functions
        .insert("kit:index/find:find", InvokeReply { unknown: true, ..InvokeReply::default() });
    assert_eq!(world.run().outputs(), "{o: [unknown]}");
}

#[test]
fn references_between_resources_are_followed() {
    let urn = Urn::new("dev", "proj", None, "kit:index/box:Box", "inner");
    let reference = ResourceReference { urn: urn.clone(), id: None, package_version: String::new() };
    let mut world = world(
        "resources:\n  h: {type: \"kit:House\"}\noutputs: {o: \"${h.box.address}\", u: \"${h.box.urn}\", r: \"${h.box}\"}\n",
    );
    world.answers.outputs.insert("h", map([("box", PropertyValue::Reference(reference))]));
    let state = map([("address", "inside".into())]);
    world.answers.functions.insert("pulumi:pulumi:getResource", reply([("state", state.into())]));
    let ran = world.run();
    assert_eq!(ran.outputs(), format!("{{o: \"inside\", r: ref(inner), u: \"{urn}\"}}"));
    assert!(
        ran.log.contains(&format!("invoke pulumi:pulumi:getResource {{urn: \"{urn}\"}}")),
        "{:?}",
        ran.log
    );
}

#[test]
fn properties_can_come_as_one_value() {
    assert_eq!(
        asked(concat!(
            "variables:\n  all: {text: x, password: p}\n",
            "resources:\n  a: {type: \"kit:Box\", properties: \"${all}\"}\n",
        )),
        "register kit:index/box:Box a {password: secret(\"p\"), text: \"x\"}"
    );
}

#[test]
fn whatever_is_ready_is_registered_at_once_in_the_order_of_the_file() {
    let mut world = world(concat!(
        "resources:\n  z: {type: \"kit:Box\"}\n  late: {type: \"kit:Box\", properties: {text: \"${m.id}\"}}\n",
        "  m: {type: \"kit:Box\"}\n  a: {type: \"kit:Box\"}\n",
    ));
    // Nobody is answered before three are waiting.
    world.answers.meet = 3;
    let ran = world.run();
    assert_eq!(ran.outcome, RunOutcome::Succeeded);
    let order: Vec<&str> = ran
        .log
        .iter()
        .filter_map(|l| l.strip_prefix("register kit:index/box:Box "))
        .map(|l| l.split(' ').next().unwrap())
        .collect();
    assert_eq!(order, ["z", "m", "a", "late"]);
}

#[test]
fn what_depends_on_a_failure_is_left_out_and_the_rest_goes_on() {
    for (how, message) in [
        (
            Err(MonitorError::Failed("disk full".into())),
            Some("Pulumi.yaml:4:3: the resource \"a\" can't be registered: disk full"),
        ),
        (Ok(RegisterResult::Fail), None),
        (Ok(RegisterResult::Skip), None),
    ] {
        let mut world = world(concat!(
            "resources:\n  a: {type: \"kit:Box\"}\n  b: {type: \"kit:Box\", properties: {text: \"${v}\"}}\n",
            "  c: {type: \"kit:Box\"}\n  d: {type: \"kit:Box\", properties: {text: \"${c.id}\"}}\n",
            "variables: {v: \"${a.id}\"}\noutputs: {o: \"${b.id}\"}\n",
        ));
        match how {
            Ok(result) => drop(world.answers.results.insert("a", result)),
            Err(error) => drop(world.answers.refusals.insert("a", error)),
        }
        let ran = world.run();
        assert_eq!(ran.outcome, RunOutcome::Bailed);
        assert_eq!(ran.messages(), message.into_iter().collect::<Vec<_>>());
        let asked = ran.asked();
        assert!(asked.contains(" c {") && asked.contains(" d {") && !asked.contains(" b {"), "{asked}");
        assert!(!asked.contains("outputs") && !ran.log.contains(&"finished".to_owned()));
    }
}

#[test]
fn a_stopped_deployment_ends_the_program_in_silence() {
    let mut world = world("resources:\n  a: {type: \"kit:Box\"}\n");
    world.answers.refusals.insert("a", MonitorError::Stopping);
    let ran = world.run();
    assert_eq!((ran.outcome, ran.said.len()), (RunOutcome::Bailed, 0));
}

#[test]
fn a_call_that_fails_is_named_with_its_place() {
    let program =
        "variables:\n  v:\n    fn::invoke: {function: \"kit:find\", return: all}\noutputs: {o: \"${v}\"}\n";
    let mut refused = world(program);
    refused.answers.functions.insert("kit:index/find:find", refusal("name", "is empty"));
    assert_eq!(refused.run().refused(), ["Pulumi.yaml:5:28: the call of kit:find failed: name: is empty"]);
    let mut failed = world(program);
    failed.answers.refusals.insert("kit:index/find:find", MonitorError::Invalid("no such function".into()));
    assert_eq!(failed.run().refused(), ["Pulumi.yaml:5:28: the call of kit:find failed: no such function"]);
    let mut empty = world(program);
    empty.answers.functions.insert("kit:index/find:find", reply([]));
    assert_eq!(
        empty.run().refused(),
        ["Pulumi.yaml:5:28: the call of kit:find failed: the result has no property \"all\""]
    );
}

#[test]
fn a_cancelled_run_asks_for_nothing() {
    let mut world = world("resources:\n  a: {type: \"kit:Box\"}\n");
    world.cancelled = true;
    let ran = world.run();
    assert_eq!((ran.outcome, ran.log.len(), ran.said.len()), (RunOutcome::Bailed, 0, 0));
}
