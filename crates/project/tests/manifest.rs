//! Manifests: what is read, and the exact text of every complaint.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use purlin_project::manifest::{ConfigType, PackageSpec, Project, SourceManifest};
use purlin_project::yaml::Format;
use purlin_project::{Value, find_project};

fn read(text: &str) -> Project {
    Project::parse(Path::new("Pulumi.yaml"), text, Format::Yaml).unwrap()
}

fn complaints(text: &str) -> Vec<String> {
    let problems = Project::parse(Path::new("Pulumi.yaml"), text, Format::Yaml).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

const FULL: &str = r#"
name: shop
runtime:
  name: nodejs
  options:
    typescript: true
    packagemanager: npm
main: src/
description: A shop.
author: me
website: https://example.com
license: MIT
stackConfigDir: stacks
backend:
  url: s3://bucket
options:
  refresh: always
requiredPulumiVersion: ">=3.0.0"
template:
  displayName: Shop
  important: true
  metadata: {cloud: aws}
  config:
    aws:region: {description: Where, default: eu-west-1}
    token: {secret: true}
packages:
  random: random@4.16.0
  local: ./provider
  tf:
    source: terraform-provider
    version: 0.5.0
    parameters: [hashicorp/random, 3.6.0]
    checksums: {linux-amd64: aGVsbG8=}
plugins:
  providers:
    - name: aws
      path: ../bin
      version: 1.0.0
  languages: [{name: go, path: /x}]
config:
  size: t3.micro
  count: 3
  debug: false
  zones: [a, b]
  aws:region: us-west-2
  shop:name: {type: string, secret: true, description: The name}
  matrix: {type: array, items: {type: array, items: {type: integer}}, default: [[1, "2"]]}
  aws:tags: {value: {team: x}}
resources:
  bucket: {type: aws:s3:Bucket}
unknownKey: kept
"#;

#[test]
fn everything_is_read() {
    let project = read(FULL);
    assert_eq!(project.name, "shop");
    assert_eq!(project.runtime.name, "nodejs");
    assert_eq!(project.runtime.options.get("typescript"), Some(&Value::Bool(true)));
    assert_eq!(project.main.as_deref(), Some("src/"));
    assert_eq!(project.description.as_deref(), Some("A shop."));
    assert_eq!(project.license.as_deref(), Some("MIT"));
    assert_eq!(project.backend_url.as_deref(), Some("s3://bucket"));
    assert!(project.refresh_always);
    assert_eq!(project.required_version.as_deref(), Some(">=3.0.0"));
    assert_eq!(project.stack_settings_path("org/dev"), Path::new("stacks/Pulumi.org-dev.yaml"));
    let template = project.template.as_ref().unwrap();
    assert!(template.important && template.config["token"].secret);
    assert_eq!(template.config["aws:region"].default, Some(Value::from("eu-west-1")));
    assert_eq!(template.metadata["cloud"], "aws");
    assert_eq!(project.packages["random"], PackageSpec::parse("random@4.16.0"));
    assert_eq!(project.packages["local"].source, "./provider");
    let tf = &project.packages["tf"];
    assert!(tf.long_form && tf.parameters == ["hashicorp/random", "3.6.0"]);
    assert_eq!(tf.checksums["linux-amd64"], "aGVsbG8=");
    assert_eq!(project.plugins.providers[0].version.as_deref(), Some("1.0.0"));
    assert_eq!(project.plugins.languages[0].path, "/x");
    assert_eq!(project.config["size"].default, Some(Value::from("t3.micro")));
    assert_eq!(project.config["count"].default, Some(Value::Int(3)));
    assert_eq!(project.config["aws:region"].value, Some(Value::from("us-west-2")));
    assert_eq!(project.config["aws:region"].default, None);
    assert_eq!(project.config["shop:name"].kind, Some(ConfigType::String));
    assert!(project.config["shop:name"].secret);
    assert_eq!(project.config["matrix"].kind.as_ref().unwrap().to_string(), "array<array<integer>>");
    let bucket = project.root.get("resources").unwrap().get("bucket").unwrap();
    assert_eq!(bucket.span().line, 50);
}

#[test]
fn short_forms_and_nothing() {
    let project = read("name: p\nruntime: go\ndescription:\nmain: null\nbackend:\nconfig:\n");
    assert_eq!((project.runtime.name.as_str(), project.main), ("go", None));
    assert_eq!(read("name: p\n").runtime.name, "");
    let old = read("name: p\nconfig: ./stacks\n");
    assert_eq!(old.stack_config_dir.as_deref(), Some("./stacks"));
    let json = r#"{"name": "p", "runtime": "python", "config": {"a": {"type": "integer", "default": 3}}}"#;
    let project = Project::parse(Path::new("/x/Pulumi.json"), json, Format::Json).unwrap();
    assert_eq!(project.stack_settings_path("dev"), Path::new("/x/Pulumi.dev.json"));
}

#[test]
fn the_name_is_needed() {
    let table = [
        ("\"hello\"", "Pulumi.yaml:1:1: expected project to be an object, was 'string'"),
        ("", "Pulumi.yaml:1:1: expected project to be an object, was 'null'"),
        ("{}", "Pulumi.yaml:1:1: project is missing a 'name' attribute"),
        (
            "runtime: go\nName: p\n",
            "Pulumi.yaml:2:1: project is missing a 'name' attribute; found 'Name' instead",
        ),
        ("name:\n", "Pulumi.yaml:1:5: project is missing a non-empty string 'name' attribute"),
        ("name: 12\n", "Pulumi.yaml:1:7: project is missing a non-empty string 'name' attribute"),
        ("name: ''\n", "Pulumi.yaml:1:7: project is missing a non-empty string 'name' attribute"),
        (
            "name: [\n",
            "Pulumi.yaml:2:1: invalid YAML file: while parsing a node, did not find expected node content",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(complaints(text), [expected], "{text:?}");
    }
}

#[test]
fn all_problems_of_shape_are_reported_with_their_places() {
    let text = "\
name: p
runtime: 4
main: {}
backend: {url: x, name: y}
options: {refresh: sometimes}
template:
  displatName: x
  somethingElse: y
plugins:
  providers:
    - nome: aws
packages:
  a: 5
  b: {version: 1}
stackConfigDir: [x]
";
    assert_eq!(
        complaints(text),
        [
            "Pulumi.yaml:3:7: #/main: expected string or null, but got object",
            "Pulumi.yaml:15:17: #/stackConfigDir: expected string or null, but got array",
            "Pulumi.yaml:2:10: #/runtime: expected string or object, but got number",
            "Pulumi.yaml:4:19: #/backend: additionalProperties 'name' not allowed; the only allowed attribute is 'url'",
            "Pulumi.yaml:5:20: #/options/refresh: value must be \"always\"",
            "Pulumi.yaml:7:3: #/template: additionalProperties 'displatName' not allowed; did you mean 'displayName'?",
            "Pulumi.yaml:8:3: #/template: additionalProperties 'somethingElse' not allowed; the allowed attributes are \
             'config', 'description', 'displayName', 'important', 'metadata' and 'quickstart'",
            "Pulumi.yaml:13:6: #/packages/a: expected string or object, but got number",
            "Pulumi.yaml:14:6: #/packages/b: missing properties: 'source'",
            "Pulumi.yaml:14:16: #/packages/b/version: expected string, but got number",
            "Pulumi.yaml:11:7: #/plugins/providers/0: additionalProperties 'nome' not allowed; did you mean 'name'?",
            "Pulumi.yaml:11:7: #/plugins/providers/0: missing properties: 'name', 'path'",
        ]
    );
}

#[test]
fn declared_configuration_is_checked() {
    let text = "\
name: p
config:
  both: {type: string, default: a, value: b}
  items: {type: array, default: [a]}
  wrong: {type: integer, default: x}
  matrix: {type: array, items: {type: array}}
  aws:typed: {type: string, value: a}
  aws:default: {default: a}
  aws:none: {secret: true}
  typo: {type: strin, defalt: 1}
  float: 1.5
";
    assert_eq!(
        complaints(text),
        [
            "Pulumi.yaml:3:36: project config 'both' cannot have both a 'default' and 'value' attribute",
            "Pulumi.yaml:4:11: The configuration key 'items' declares an array but does not specify the underlying \
             type via the 'items' attribute",
            "Pulumi.yaml:5:35: The default value specified for configuration key 'wrong' is not of the expected type \
             'integer'",
            "Pulumi.yaml:6:32: #/config/matrix/items: missing properties: 'items'",
            "Pulumi.yaml:7:15: Configuration key 'aws:typed' is not namespaced by the project and should not define \
             a type",
            "Pulumi.yaml:8:17: Configuration key 'aws:default' is not namespaced by the project and should not define \
             a default value. Did you mean to use the 'value' attribute instead of 'default'?",
            "Pulumi.yaml:9:13: Configuration key 'aws:none' is namespaced and must provide an attribute 'value'",
            "Pulumi.yaml:10:23: #/config/typo: additionalProperties 'defalt' not allowed; did you mean 'default'?",
            "Pulumi.yaml:10:16: #/config/typo/type: value must be one of \"string\", \"integer\", \"boolean\", \
             \"array\", \"object\"; did you mean 'string'?",
            "Pulumi.yaml:11:10: #/config/float: expected string, integer, boolean, array or object, but got number",
        ]
    );
    assert_eq!(
        complaints("name: p\nconfig: a\nstackConfigDir: b\n"),
        [
            "Pulumi.yaml:2:9: Should not use both config and stackConfigDir to define the stack directory. Use only \
          stackConfigDir instead."
        ]
    );
}

#[test]
fn types_accept_what_programs_can_use() {
    use ConfigType::*;
    let array = |kind| Array(Some(Box::new(kind)));
    let json = |text: &str| Value::from_json(&serde_json::from_str(text).unwrap());
    let table = [
        (String, "\"x\"", true),
        (String, "1", false),
        (Integer, "1", true),
        (Integer, "1.0", true),
        (Integer, "1.5", false),
        (Integer, "\"-7\"", true),
        (Integer, "\"1.0\"", false),
        (Boolean, "true", true),
        (Boolean, "\"false\"", true),
        (Boolean, "\"yes\"", false),
        (Object, "{}", true),
        (Object, "[]", false),
        (array(Integer), "[1, \"2\"]", true),
        (array(Integer), "[1, \"x\"]", false),
        (array(array(Boolean)), "[[true], []]", true),
        (Array(None), "[]", false),
    ];
    for (kind, text, expected) in table {
        assert_eq!(kind.accepts(&json(text)), expected, "{kind} {text}");
    }
}

#[test]
fn adding_a_package_touches_only_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Pulumi.yaml");
    fs::write(&path, "\u{feff}# Shop\nname: shop # here\n\nruntime: yaml\nresources:\n  a: {}\n").unwrap();
    assert_eq!(find_project(dir.path()).unwrap(), path);
    let mut project = Project::load(&path).unwrap();
    project.add_package("random", PackageSpec::parse("random@4.0.0")).unwrap();
    let spec = PackageSpec { parameters: vec!["x".to_owned()], ..PackageSpec::parse("tf") };
    project.add_package("tf", spec).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "\u{feff}# Shop\nname: shop # here\n\nruntime: yaml\nresources:\n  a: {}\npackages:\n  random: random@4.0.0\n  \
         tf:\n    source: tf\n    parameters:\n      - x\n"
    );
    assert!(Project::load(&path).unwrap().packages.contains_key("tf"));
}

#[test]
fn other_manifests() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("PulumiPolicy.yaml");
    fs::write(&path, "runtime: python\nversion: 0.1.0\nmain: policies\n").unwrap();
    let pack = SourceManifest::load(&path).unwrap();
    assert_eq!((pack.runtime.name.as_str(), pack.version.as_deref()), ("python", Some("0.1.0")));
    fs::write(&path, "version: 0.1.0\n").unwrap();
    let problems = SourceManifest::load(&path).unwrap_err();
    assert_eq!(problems[0].message, "project is missing a 'runtime' attribute");
    let missing = Project::load(&dir.path().join("Pulumi.yaml")).unwrap_err();
    assert!(missing[0].message.ends_with("Pulumi.yaml': no such file"));
    let odd = Project::load(&dir.path().join("Pulumi.toml")).unwrap_err();
    assert!(odd[0].message.ends_with("the file name must end in .yaml, .yml or .json"));
}
