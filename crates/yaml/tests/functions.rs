//! Every function of the language, and how values become text.

mod support;

use purlin_model::PropertyValue;
use support::{map, world};

/// The stack's only output `out`, from an expression and variables.
fn eval(expression: &str) -> String {
    let variables = "variables:\n  list: [a, b, c]\n  object: {k: v, n: 2}\n  secret: {fn::secret: s3cret}\n";
    let ran = world(&format!("{variables}outputs:\n  out: {expression}\n")).run();
    let outputs = ran.outputs();
    outputs.strip_prefix("{out: ").and_then(|rest| rest.strip_suffix('}')).unwrap_or(outputs).to_owned()
}

/// The messages of a run with that expression that must fail.
fn complaint(expression: &str) -> String {
    world(&format!("outputs:\n  out: {expression}\n")).run().refused().join("\n")
}

#[test]
fn functions_that_make_texts() {
    for (expression, expected) in [
        ("{fn::join: [\"-\", [a, b, \"${object.k}\"]]}", "\"a-b-v\""),
        ("{fn::join: [\"\", \"${list}\"]}", "\"abc\""),
        ("{fn::join: [null, [a, b]]}", "\"ab\""),
        ("{fn::toBase64: \"héllo\"}", "\"aMOpbGxv\""),
        ("{fn::fromBase64: aMOpbGxv}", "\"héllo\""),
        ("{fn::sha1: abc}", "\"a9993e364706816aba3e25717850c26c9cd0d89d\""),
        (
            "{fn::toJSON: {b: [1, 2.5, true, null], a: \"<&>\"}}",
            r#""{\"a\":\"\\u003c\\u0026\\u003e\",\"b\":[1,2.5,true,null]}""#,
        ),
    ] {
        assert_eq!(eval(expression), expected, "{expression}");
    }
}

#[test]
fn functions_on_lists() {
    for (expression, expected) in [
        ("{fn::select: [1, \"${list}\"]}", "\"b\""),
        ("{fn::select: [0, [x]]}", "\"x\""),
        ("{fn::split: [\",\", \"a,b,,c\"]}", "[\"a\", \"b\", \"\", \"c\"]"),
        ("{fn::split: [\"\", \"ab\"]}", "[\"a\", \"b\"]"),
        ("{fn::length: \"${list}\"}", "3"),
        ("{fn::length: \"${object}\"}", "2"),
        ("{fn::length: \"e\\u0301👨‍👩‍👧\"}", "2"),
        ("{fn::singleOrNone: [x]}", "\"x\""),
    ] {
        assert_eq!(eval(expression), expected, "{expression}");
    }
    assert_eq!(eval("{fn::singleOrNone: []}"), "{}", "an output without a value is left out");
}

#[test]
fn secrets_stay_secret_through_functions() {
    for (expression, expected) in [
        ("{fn::secret: [1]}", "secret([1])"),
        ("{fn::unsecret: \"${secret}\"}", "\"s3cret\""),
        ("{fn::unsecret: [\"${secret}\"]}", "[\"s3cret\"]"),
        ("\"x ${secret}\"", "secret(\"x s3cret\")"),
        ("{fn::join: [\"\", [a, \"${secret}\"]]}", "secret(\"as3cret\")"),
        ("{fn::toJSON: {a: \"${secret}\"}}", "secret(\"{\\\"a\\\":\\\"s3cret\\\"}\")"),
        ("{a: 1, b: \"${secret}\"}", "secret({a: 1, b: \"s3cret\"})"),
        ("{fn::length: \"${secret}\"}", "secret(6)"),
        ("{fn::select: [0, [a, \"${secret}\"]]}", "secret(\"a\")"),
    ] {
        assert_eq!(eval(expression), expected, "{expression}");
    }
}

#[test]
fn files_are_read_from_the_program_folder() {
    let mut world = world(concat!(
        "outputs:\n",
        "  text: {fn::readFile: ./data/a.txt}\n",
        "  base64: {fn::filebase64: data/a.txt}\n",
        "  sum: {fn::filebase64sha256: data/a.txt}\n",
    ));
    world.files.push(("data/a.txt", "abc".into()));
    assert_eq!(
        world.run().outputs(),
        "{base64: \"YWJj\", sum: \"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\", text: \"abc\"}"
    );
}

#[test]
fn assets_and_archives_are_hashed() {
    let mut world = world(concat!(
        "resources:\n  b:\n    type: kit:Box\n    properties:\n",
        "      file: {fn::stringAsset: \"hi ${pulumi.stack}\"}\n",
        "      bundle:\n        fn::assetArchive:\n          a: {fn::fileAsset: ./a}\n",
        "          c: {fn::fileArchive: ./c}\n",
    ));
    world.files = vec![("a", "abc".into()), ("c/d", "abc".into())];
    let ran = world.run();
    let asked = ran.asked();
    assert!(asked.contains("file: Text(\"hi dev\")"), "{asked}");
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert!(
        asked.contains(&format!("\"a\": Asset(Asset {{ hash: \"{abc}\", source: Path(\"./a\") }})")),
        "{asked}"
    );
    assert!(asked.contains("source: Path(\"./c\")"), "{asked}");
    assert!(!asked.contains("hash: \"\""), "{asked}");
}

#[test]
fn an_asset_that_cannot_be_read_is_a_problem_at_its_resource() {
    let ran =
        world("resources:\n  b: {type: \"kit:Box\", properties: {file: {fn::fileAsset: ./gone}}}\n").run();
    let messages = ran.messages();
    assert!(messages.iter().any(|m| m.contains("gone")), "{messages:?}");
    assert!(!ran.asked().contains("register kit"), "{}", ran.asked());
}

#[test]
fn names_and_types_of_resources() {
    let ran = world(concat!(
        "resources:\n  b: {type: \"kit:Box\", name: real}\n",
        "outputs:\n  n: {fn::pulumiResourceName: \"${b}\"}\n  t: {fn::pulumiResourceType: \"${b}\"}\n",
    ))
    .run();
    assert_eq!(ran.outputs(), "{n: \"real\", t: \"kit:index/box:Box\"}");
}

#[test]
fn stack_references_as_functions_share_one_read() {
    let mut world = world(concat!(
        "resources:\n  b: {type: \"kit:Box\", properties: {text: {\"fn::stackReference\": [org/other/dev, url]}}}\n",
        "outputs:\n  pw: {fn::stackReference: [org/other/dev, pw]}\n  none: [{fn::stackReference: [org/other/dev, no]}]\n",
    ));
    let outputs = map([("url", "https://x".into()), ("pw", PropertyValue::from("p").into_secret())]);
    world.answers.outputs.insert("org/other/dev", map([("outputs", outputs.into())]));
    let ran = world.run();
    assert_eq!(
        ran.asked(),
        concat!(
            "read org/other/dev as pulumi:pulumi:StackReference org/other/dev {name: \"org/other/dev\"}\n",
            "register kit:index/box:Box b {text: \"https://x\"}\n",
            "    deps: org/other/dev\n",
            "    property deps: text=org/other/dev\n",
            "    additionalSecretOutputs: key,password\n",
            "    aliases: (type=kit:old:Box)\n",
            "outputs {none: [null], pw: secret(\"p\")}",
        )
    );
    assert_eq!(
        ran.messages()[0],
        "Pulumi.yaml:4:44: fn::stackReference is deprecated\n  declare a resource of the type \
         pulumi:pulumi:StackReference and use its outputs"
    );
}

#[test]
fn numbers_and_other_values_inside_of_texts() {
    let ran = world(concat!(
        "variables:\n  a: 1.0\n  b: 1000000\n  c: 0.5\n  d: [1, true, null, x]\n  e: {k: [1]}\n  f: true\n",
        "outputs:\n  out: \"${a} ${b} ${c} ${d} ${e} ${f} ${d[3]} ${e[\\\"k\\\"][0]} $${a} $5\"\n",
    ))
    .run();
    assert_eq!(ran.outputs(), "{out: \"1 1e+06 0.5 [1 true <nil> x] map[k:[1]] true x 1 ${a} $5\"}");
}

#[test]
fn what_the_engine_knows() {
    let ran =
        world("outputs:\n  out: [\"${pulumi.stack}\", \"${pulumi.project}\", \"${pulumi.organization}\"]\n")
            .run();
    assert_eq!(ran.outputs(), "{out: [\"dev\", \"proj\", \"org\"]}");
    let ran = world("outputs:\n  same: \"${pulumi.cwd}|${pulumi.rootDirectory}\"\n").run();
    let (cwd, root) = ran.outputs().trim_matches(|c| "{}".contains(c)).split_once('|').unwrap();
    assert!(cwd.ends_with(root.trim_end_matches('"')), "{cwd} {root}");
}

#[test]
fn wrong_arguments_are_refused_with_their_place() {
    for (expression, expected) in [
        (
            "{fn::join: [\"-\"]}",
            "Pulumi.yaml:4:19: fn::join takes a list of two values\n  write [delimiter, list of strings]",
        ),
        (
            "{fn::join: [1, [a]]}",
            "Pulumi.yaml:4:20: the delimiter of fn::join must be a string, not a number",
        ),
        ("{fn::join: [\"-\", a]}", "Pulumi.yaml:4:25: fn::join takes a list, not a string"),
        (
            "{fn::join: [\"-\", [a, 1]]}",
            "Pulumi.yaml:4:25: fn::join takes a list of strings, but there is a number at index 1",
        ),
        (
            "{fn::select: [1.5, [a]]}",
            "Pulumi.yaml:4:22: the index of fn::select must be a whole number from zero, not 1.5",
        ),
        (
            "{fn::select: [3, [a]]}",
            "Pulumi.yaml:4:25: fn::select: the list has 1 item, there is none at index 3\n  indexes count from zero",
        ),
        ("{fn::length: 5}", "Pulumi.yaml:4:21: fn::length takes a list, an object or a string, not a number"),
        (
            "{fn::singleOrNone: [a, b]}",
            "Pulumi.yaml:4:27: fn::singleOrNone takes a list of at most one, not 2",
        ),
        ("{fn::fromBase64: \"*\"}", "Pulumi.yaml:4:25: the argument of fn::fromBase64 is not base64"),
        ("{fn::fromBase64: \"/w==\"}", "Pulumi.yaml:4:25: what fn::fromBase64 decodes is not text in UTF-8"),
        (
            "{fn::pulumiResourceName: x}",
            "Pulumi.yaml:4:33: fn::pulumiResourceName takes a resource, not a string",
        ),
        (
            "{fn::jion: [\"-\", []]}",
            "Pulumi.yaml:4:9: there is no function \"fn::jion\"\n  did you mean \"fn::join\"?",
        ),
        (
            "{fn::join: [\"-\", []], x: 1}",
            "Pulumi.yaml:4:9: \"fn::join\" must be alone in its object\n  a function call is an object with one key, the function's name",
        ),
        (
            "{fn::assetArchive: {a: text}}",
            "Pulumi.yaml:4:31: the member \"a\" must be an asset or an archive\n  use fn::stringAsset, fn::fileAsset, fn::remoteAsset, fn::fileArchive, fn::remoteArchive or fn::assetArchive",
        ),
        (
            "{fn::invoke: {arguments: {}}}",
            "Pulumi.yaml:4:21: fn::invoke names no function\n  name the function to call with the key function",
        ),
        (
            "{fn::stackReference: x}",
            "Pulumi.yaml:4:9: fn::stackReference is deprecated\n  declare a resource of the type pulumi:pulumi:StackReference and use its outputs\nPulumi.yaml:4:29: fn::stackReference takes a list of two values\n  write [stack, name of the output]",
        ),
    ] {
        // The program's first two lines are its name and runtime.
        assert_eq!(complaint(expression), expected, "{expression}");
    }
    let missing = complaint("{fn::readFile: nowhere.txt}");
    assert!(missing.starts_with("Pulumi.yaml:4:23: the file \"nowhere.txt\" can't be read: "), "{missing}");
}

#[test]
fn unusual_case_is_understood_with_a_warning() {
    let ran = world("outputs:\n  out: {Fn::toJson: [1]}\n").run();
    assert_eq!(ran.outputs(), "{out: \"[1]\"}");
    assert_eq!(
        ran.messages(),
        ["Pulumi.yaml:4:9: \"Fn::toJson\" is not in its usual case\n  write \"fn::toJSON\""]
    );
}

#[test]
fn keys_that_look_like_functions_of_others_are_kept() {
    let program = "outputs:\n  out: {Fn::GetAtt: [a, b]}\n  if: {Fn::If: [c, d], Fn::Join: e}\n";
    let ran = world(program).run();
    assert_eq!(
        ran.outputs(),
        "{if: {Fn::If: [\"c\", \"d\"], Fn::Join: \"e\"}, out: {Fn::GetAtt: [\"a\", \"b\"]}}"
    );
    assert_eq!(
        ran.messages(),
        [
            "Pulumi.yaml:4:9: \"Fn::GetAtt\" is taken as a key: there is no such function\n  functions begin with a small fn::"
        ]
    );
}

#[test]
fn values_that_multiply_are_refused() {
    let mut program = String::from("variables:\n  v0: [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let refs = vec![format!("\"${{v{}}}\"", n - 1); 10].join(", ");
        program.push_str(&format!("  v{n}: [{refs}]\n"));
    }
    let ran = world(&program).run();
    let messages = ran.refused();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("the value is too large"), "{messages:?}");

    let mut program = String::from("variables:\n  v0: x\n");
    (1..2000).for_each(|n| program.push_str(&format!("  v{n}: [\"${{v{}}}\"]\n", n - 1)));
    let ran = world(&program).run();
    assert!(ran.refused()[0].contains("the value is too large"));
}

#[test]
fn deep_nesting_is_no_problem_up_to_the_limit_of_the_reader() {
    let nested = |depth: usize| format!("{}x{}", "[".repeat(depth), "]".repeat(depth));
    let calls = |depth: usize| format!("{}x{}", "{fn::secret: ".repeat(depth), "}".repeat(depth));
    let ran = world(&format!("outputs:\n  a: {}\n  b: {}\n", nested(190), calls(190))).run();
    assert_eq!(ran.outputs().matches('[').count(), 190);
    assert!(ran.outputs().ends_with("b: secret(\"x\")}"));
    let ran = world(&format!("outputs:\n  a: {}\n", nested(220))).run();
    let purlin_ports::RunOutcome::Failed(problem) = ran.outcome else { panic!("a failure") };
    assert_eq!(problem.code, "yaml-depth");
}
