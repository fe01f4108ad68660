//! What is wrong with a program is said with its place and the way out, before anything is registered.

mod support;

use purlin_model::PropertyValue;
use purlin_ports::{LanguageHost, RunOutcome};
use support::{World, world};

/// The messages of a program that must be refused before the stack itself is registered. The first
/// line of the program given is line 3 of the file.
fn refused(program: &str) -> Vec<String> {
    let ran = world(program).run();
    assert_eq!(ran.outcome, RunOutcome::Bailed, "{:?}", ran.log);
    assert_eq!(ran.log, Vec::<String>::new());
    ran.messages().into_iter().map(str::to_owned).collect()
}

#[test]
fn names_that_stand_for_nothing() {
    assert_eq!(
        refused(
            "resources:\n  bucket: {type: \"kit:Box\"}\noutputs:\n  a: ${buckt.id}\n  b: \"${x} ${x}\"\n"
        ),
        [
            "Pulumi.yaml:6:6: no resource, variable or configuration value is named \"buckt\"\n  did you mean \"bucket\"?",
            "Pulumi.yaml:7:6: no resource, variable or configuration value is named \"x\"\n  there are: bucket, pulumi",
        ]
    );
}

#[test]
fn cycles_are_named_with_their_path() {
    assert_eq!(
        refused(concat!(
            "resources:\n  a: {type: \"kit:Box\", properties: {text: \"${b.id}\"}}\n  b: {type: \"kit:Box\", options: {dependsOn: [\"${c}\"]}}\n",
            "variables:\n  c: [\"${a}\"]\n  d: {\"fn::kit:find\": {name: \"${d.id}\"}}\n  e: \"${a.id}\"\n",
        )),
        [
            "Pulumi.yaml:4:3: \"a\" needs itself: a → b → c → a\n  take one of these references out",
            "Pulumi.yaml:8:3: \"d\" needs itself: d → d\n  take one of these references out",
        ]
    );
}

#[test]
fn names_that_are_used_twice_or_taken() {
    assert_eq!(
        refused(
            "config:\n  x: {type: string, default: a}\nvariables:\n  x: 1\nresources:\n  pulumi: {type: \"kit:Box\"}\n"
        ),
        [
            "Pulumi.yaml:6:3: the variable \"x\" has the same name as the configuration value in line 4\n  choose another name; the resource's own name can be kept with its key name",
            "Pulumi.yaml:8:3: the resource can't be named \"pulumi\": the name is taken\n  choose another name; the resource's own name can be kept with its key name",
        ]
    );
}

#[test]
fn a_resource_without_a_name_is_refused() {
    assert_eq!(
        refused("resources:\n  a: {type: \"kit:Box\"}\n  \"\": {type: \"kit:Box\"}\n"),
        [
            "Pulumi.yaml:5:3: a resource's name can't be empty\n  the key is the resource's name, which its identity is made of"
        ]
    );
    let named = world("resources:\n  a: {type: \"kit:Box\", name: \"\"}\n").run();
    assert!(named.asked().contains("register kit:index/box:Box a "), "{}", named.asked());
}

#[test]
fn a_key_that_occurs_twice_is_found_by_the_reader() {
    let ran = world("resources:\n  a: {type: \"kit:Box\"}\n  a: {type: \"kit:Box\"}\n").run();
    let RunOutcome::Failed(problem) = ran.outcome else { panic!("{:?}", ran.outcome) };
    assert_eq!(problem.to_string(), "Pulumi.yaml:5:3: mapping key \"a\" already defined at line 4");
}

#[test]
fn shapes_of_resources() {
    assert_eq!(
        refused(concat!(
            "resources:\n  a: {}\n  b: {type: kit}\n  c: {type: \"kit:Box\", propertys: {}, dependsOn: []}\n  d: 5\n",
            "  e: {type: \"kit:Box\", options: {depndsOn: [], protect: x, ignoreChanges: a, version: 1.0, retainOnDelete: \"no\"}}\n",
            "  f: {type: \"kit:Box\", defaultProvider: true}\n  g: {type: \"kit:Box\", get: {state: {}}}\n",
            "  h: {type: \"kit:Box\", properties: {}, get: {id: x}}\n  i: {type: \"kit:${x}\"}\n  j: {type: \"kit:Box\", properties: [1]}\n",
        )),
        [
            "Pulumi.yaml:4:3: the resource \"a\" has no type\n  give it a type, such as type: random:RandomPet",
            "Pulumi.yaml:5:13: \"kit\" is not a resource type\n  types look like package:module:Type, or package:Type for the module index",
            "Pulumi.yaml:6:24: unknown key \"propertys\" in the resource \"c\"\n  did you mean \"properties\"?",
            "Pulumi.yaml:6:39: unknown key \"dependsOn\" in the resource \"c\"\n  dependsOn belongs under options",
            "Pulumi.yaml:7:6: the resource \"d\" must be an object, not a number",
            "Pulumi.yaml:8:34: unknown key \"depndsOn\" in the resource's options\n  did you mean \"dependsOn\"?",
            "Pulumi.yaml:8:75: ignoreChanges must be a list of strings, not a string",
            "Pulumi.yaml:8:87: version must be a string, not a number",
            "Pulumi.yaml:8:108: retainOnDelete must be true or false, not a string",
            "Pulumi.yaml:9:41: the resource \"f\" is not a provider\n  only a resource of a type pulumi:providers:<package> can be a default provider",
            "Pulumi.yaml:10:29: get of the resource \"g\" has no id\n  give the provider's id of the resource to read",
            "Pulumi.yaml:11:3: the resource \"h\" has both properties and get\n  properties describe a resource that is managed here, get finds one that isn't",
            "Pulumi.yaml:12:13: the type of the resource \"i\" must be a plain string: references are not possible here",
            "Pulumi.yaml:13:36: the properties of the resource \"j\" must be an object, not a list",
        ]
    );
}

#[test]
fn sections_that_are_not_for_programs() {
    assert_eq!(
        refused("components:\n  c: {}\nnamespace: n\nvariables: [1]\n"),
        [
            "Pulumi.yaml:3:1: components can't be defined in a program\n  move them to a plugin of their own (a folder with PulumiPlugin.yaml) and use it as a package",
            "Pulumi.yaml:5:1: a program can't have a namespace\n  namespaces are for plugins (PulumiPlugin.yaml)",
            "Pulumi.yaml:6:12: variables must be an object, not a list",
        ]
    );
}

#[test]
fn types_and_functions_that_a_package_does_not_have() {
    assert_eq!(
        refused(concat!(
            "resources:\n  a: {type: \"kit:Bax\"}\n  b: {type: \"absent:index:Thing\"}\n  c: {type: \"kubernetes:helm.sh/v3:Chart\"}\n",
            "variables:\n  v: {\"fn::kit:fnd\": {}}\n",
        )),
        [
            "Pulumi.yaml:4:13: the package kit has no resource type \"kit:Bax\"\n  did you mean \"kit:index/box:Box\"?",
            "Pulumi.yaml:5:13: the schema of the package absent can't be had: no plugin absent is installed\n  install it with: plugin install resource absent",
            "Pulumi.yaml:6:13: the type kubernetes:helm.sh/v3:Chart can't be used in YAML\n  use kubernetes:helm.sh/v3:Release",
            "Pulumi.yaml:8:7: the package kit has no function \"kit:fnd\"\n  did you mean \"kit:index/find:find\"?",
        ]
    );
}

#[test]
fn properties_that_do_not_fit_the_schema() {
    assert_eq!(
        refused(concat!(
            "resources:\n  a:\n    type: kit:Box\n    properties:\n",
            "      txt: x\n",
            "      count: \"5\"\n",
            "      flag: 1\n",
            "      list: [a, {}, \"${z.list}\"]\n",
            "      tags: {k: [], n: 1}\n",
            "      rules: [{port: x, to: 1}, {allow: true}]\n",
            "      size: huge\n",
            "      file: text\n",
            "      bundle: {fn::stringAsset: x}\n",
            "      either: {allow: true}\n",
            "      text: [1]\n",
            "  b: {type: \"kit:Box\", properties: {either: \"x\", text: \"${a.rules}\", count: \"${a.text}\"}}\n",
            "  g: {type: \"kit:net:Gate\", properties: {height: 1}}\n  z: {type: \"kit:Box\"}\n",
        )),
        [
            "Pulumi.yaml:7:7: kit:index/box:Box has no property \"txt\"\n  did you mean \"text\"?",
            "Pulumi.yaml:8:14: the property \"count\" of kit:index/box:Box must be a number, not a string",
            "Pulumi.yaml:9:13: the property \"flag\" of kit:index/box:Box must be a boolean, not a number",
            "Pulumi.yaml:10:17: item 1 of the property \"list\" of kit:index/box:Box must be a string, not an object",
            "Pulumi.yaml:10:21: item 2 of the property \"list\" of kit:index/box:Box must be a string, not a list",
            "Pulumi.yaml:11:17: \"k\" in the property \"tags\" of kit:index/box:Box must be a string, not a list",
            "Pulumi.yaml:12:22: the property \"port\" of item 0 of the property \"rules\" of kit:index/box:Box must be a number, not a string",
            "Pulumi.yaml:12:25: item 0 of the property \"rules\" of kit:index/box:Box has no property \"to\"\n  there are: allow, from, port",
            "Pulumi.yaml:12:33: the property \"port\" of item 1 of the property \"rules\" of kit:index/box:Box is missing\n  it is required and must be a number",
            "Pulumi.yaml:13:13: the property \"size\" of kit:index/box:Box can't be \"huge\"\n  it can be \"small\", \"large\"",
            "Pulumi.yaml:14:13: the property \"file\" of kit:index/box:Box must be an asset, not a string",
            "Pulumi.yaml:15:15: the property \"bundle\" of kit:index/box:Box must be an archive, not an asset",
            "Pulumi.yaml:16:15: the property \"either.port\" of kit:index/box:Box is missing\n  it is required and must be a number",
            "Pulumi.yaml:17:13: the property \"text\" of kit:index/box:Box must be a string, not a list",
            "Pulumi.yaml:18:45: the property \"either\" of kit:index/box:Box must be a number or an object",
            "Pulumi.yaml:18:56: the property \"text\" of kit:index/box:Box must be a string, not a list",
            "Pulumi.yaml:18:77: the property \"count\" of kit:index/box:Box must be a number, not a string",
            "Pulumi.yaml:19:3: the property \"width\" of kit:net/gate:Gate is missing\n  it is required and must be a number",
        ]
    );
}

#[test]
fn references_to_properties_that_are_not_there() {
    assert_eq!(
        refused(concat!(
            "resources:\n  a: {type: \"kit:Box\"}\n  h: {type: \"kit:House\"}\n",
            "variables:\n  o: {k: {x: 1}}\n  f: {\"fn::kit:find\": {}}\n",
            "outputs:\n  a: ${a.adress}\n  b: \"${a.text.x} ${a.list.x}\"\n  c: ${h.id}\n  d: ${o.q}\n  e: ${o.k.x.y}\n",
            "  f: ${f.idd}\n  g: ${pulumi.stak}\n  h: ${a.rules[0].prt}\n",
        )),
        [
            "Pulumi.yaml:10:6: a has no property \"adress\"\n  did you mean \"address\"?",
            "Pulumi.yaml:11:6: a.text is a string and has no .x",
            "Pulumi.yaml:11:6: a.list is a list and has no .x\n  items have indexes such as [0]",
            "Pulumi.yaml:12:6: h has no property \"id\"\n  there are: box, text, urn",
            "Pulumi.yaml:13:6: o has no property \"q\"\n  did you mean \"k\"?",
            "Pulumi.yaml:14:6: o.k.x is a number and has no .y",
            "Pulumi.yaml:15:6: f has no property \"idd\"\n  did you mean \"id\"?",
            "Pulumi.yaml:16:6: pulumi has no property \"stak\"\n  did you mean \"stack\"?",
            "Pulumi.yaml:17:6: a.rules[0] has no property \"prt\"\n  did you mean \"port\"?",
        ]
    );
}

#[test]
fn calls_are_checked_against_the_schema() {
    assert_eq!(
        refused(
            "variables:\n  v: {fn::invoke: {function: \"kit:find\", arguments: {nam: x}, return: ids}}\n  w: {fn::invoke: {function: \"kit:sum\", return: x}}\n"
        ),
        [
            "Pulumi.yaml:4:54: kit:index/find:find has no argument \"nam\"\n  did you mean \"name\"?",
            "Pulumi.yaml:4:71: the result of kit:index/find:find has no property \"ids\"\n  did you mean \"id\"?",
            "Pulumi.yaml:5:49: the result of kit:index:sum is no object\n  take out the key return",
        ]
    );
}

#[test]
fn default_providers_are_one_for_each_package_and_have_one_version() {
    assert_eq!(
        refused(
            "resources:\n  p: {type: \"pulumi:providers:kit\", defaultProvider: true}\n  q: {type: \"pulumi:providers:kit\", defaultProvider: true}\n"
        ),
        [
            "Pulumi.yaml:5:3: there is another default provider of the package kit\n  leave one, and name the other with the option provider where it is meant"
        ]
    );
    assert_eq!(
        refused(
            "resources:\n  p: {type: \"pulumi:providers:kit\", defaultProvider: true}\n  a: {type: \"kit:Box\", options: {version: 1.0.0}}\n"
        ),
        [
            "Pulumi.yaml:5:43: version differs from that of the default provider \"p\"\n  take the option out, or name another provider"
        ]
    );
}

#[test]
fn broken_texts_and_yaml() {
    assert_eq!(
        refused("outputs:\n  a: \"${x\"\n"),
        [
            "Pulumi.yaml:4:6: the reference is not closed: \"}\" is missing\n  references look like ${name.property}; write $$ for a single $"
        ]
    );
    let RunOutcome::Failed(problem) = world("outputs: [\n").run().outcome else { panic!("a failure") };
    assert_eq!(problem.code, "yaml-syntax");
    assert_eq!(problem.span.unwrap().file, "Pulumi.yaml");
}

#[test]
fn options_of_the_wrong_kind_are_found_when_they_are_evaluated() {
    for (options, expected) in [
        (
            "parent: x",
            "5:42: parent must be a resource, not a string\n  name a resource of the program, as in ${name}",
        ),
        (
            "provider: \"${a}\"",
            "5:44: \"a\" is a kit:index/box:Box, not a provider\n  providers are resources of a type pulumi:providers:<package>",
        ),
        (
            "dependsOn: [x]",
            "5:46: an item of dependsOn must be a resource, not a string\n  name a resource of the program, as in ${name}",
        ),
        (
            "protect: \"${a.flag}\"",
            "5:43: protect can't depend on a resource\n  it must be known before anything runs",
        ),
        ("protect: 1", "5:43: protect must be true or false, not a number"),
        (
            "customTimeouts: {create: soon}",
            "5:59: \"soon\" is not a duration\n  durations look like 30s, 5m or 1h30m",
        ),
        ("customTimeouts: {create: 5}", "5:59: customTimeouts.create must be a string, not a number"),
        (
            "aliases: [x]",
            "5:44: \"x\" is not a URN\n  URNs look like urn:pulumi:stack::project::package:module:Type::name",
        ),
        ("aliases: [{nam: x}]", "5:44: unknown key \"nam\" in an alias\n  did you mean \"name\"?"),
    ] {
        let mut world = world(&format!(
            "resources:\n  a: {{type: \"kit:Box\", properties: {{any: 1}}}}\n  b: {{type: \"kit:Box\", options: {{{options}}}}}\n"
        ));
        world.program = world.program.replace("a.flag", "a.any");
        world.answers.outputs.insert("a", support::map([("any", true.into())]));
        assert_eq!(world.run().refused(), [format!("Pulumi.yaml:{expected}")], "{options}");
    }
}

#[test]
fn values_of_the_wrong_kind_inside_of_texts_and_paths() {
    for (output, expected) in [
        ("\"x ${a}\"", "8: ${a} is a resource and has no text\n  name a property, such as ${a.id}"),
        (
            "${a.any[7]}",
            "8: ${a.any[7]}: the list has 1 item, there is none at index 7\n  indexes count from zero",
        ),
        ("${a.any.k}", "8: ${a.any.k}: a list has items such as [0], not .k"),
        ("${a.any[0][1]}", "8: ${a.any[0][1]}: a number has no [1]"),
        ("{\"${a.any}\": 1}", "9: a key must be a string, not a list"),
        (
            "{fn::toJSON: \"${a}\"}",
            "8: fn::toJSON can't write a resource as JSON\n  name a property, such as ${name.id}",
        ),
    ] {
        let mut world =
            world(&format!("resources:\n  a: {{type: \"kit:Box\"}}\noutputs:\n  out: {output}\n"));
        world.answers.outputs.insert("a", support::map([("any", PropertyValue::Array(vec![5.0.into()]))]));
        assert_eq!(world.run().refused(), [format!("Pulumi.yaml:6:{expected}")], "{output}");
    }
}

#[test]
fn what_is_null_has_no_parts() {
    let refused = |program: &str| {
        let mut world = world(program);
        let inner = support::map([("k", PropertyValue::Null)]);
        world.answers.outputs.insert("a", support::map([("any", inner.into()), ("text", "t".into())]));
        world.run().messages().join("\n")
    };
    for (place, value, step) in [
        ("7:8", "${v.k.x}", ".x"),
        ("7:8", "${v.k[0]}", "[0]"),
        ("7:8", "${a.any.k.x}", ".x"),
        ("7:8", "${a.any.missing.x}", ".x"),
        ("7:8", "${a.list[0]}", "[0]"),
        ("7:25", "{fn::select: [0, \"${v.k}\"]}", "[0]"),
    ] {
        let program = format!(
            "resources:\n  a: {{type: \"kit:Box\"}}\nvariables: {{v: {{k: null}}}}\noutputs:\n  out: {value}\n"
        );
        let shown = if value.starts_with('{') { "fn::select" } else { value };
        let expected = format!(
            "Pulumi.yaml:{place}: {shown}: what is before {step} is null\n  only lists and objects have parts"
        );
        assert_eq!(refused(&program), expected, "{value}");
    }
    for value in ["${v.k}", "${a.any.k}", "${a.any.missing}", "${a.list}"] {
        let program = format!(
            "resources:\n  a: {{type: \"kit:Box\"}}\nvariables: {{v: {{k: null}}}}\noutputs:\n  out: {value}\n"
        );
        assert_eq!(refused(&program), "", "{value}");
    }
}

#[test]
fn a_required_version_that_this_is_not() {
    assert_eq!(
        world("pulumi: {requiredVersion: \">=4.0.0\"}\n").run().refused(),
        [
            "Pulumi.yaml:3:27: the program needs a version in the range >=4.0.0, this is 3.260.0\n  install a version in this range"
        ]
    );
    assert_eq!(world("pulumi: {requiredVersion: \">=3.0.0 <4.0.0\"}\n").run().outputs(), "{}");
    assert_eq!(
        world("pulumi: {requiredVersion: new}\n").run().refused(),
        ["Pulumi.yaml:3:27: \"new\" is not a range of versions\n  ranges look like >=3.0.0 <4.0.0"]
    );
}

#[test]
fn a_folder_without_a_program_and_a_compiler_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut info = world("").info(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let required = |info: &purlin_ports::ProgramInfo| runtime.block_on(World::host().required_packages(info));
    info.options.insert("compiler".into(), "make it".into());
    assert_eq!(required(&info).unwrap_err().code, "yaml-compiler");
    info.options.clear();
    std::fs::remove_file(folder.path().join("Pulumi.yaml")).unwrap();
    assert_eq!(required(&info).unwrap_err().code, "yaml-no-program");
}
