//! Configuration values: places inside them, completion by the project, checks, and views.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use purlin_diag::Diagnostic;
use purlin_project::config::{
    ConfigInput, ConfigKey, ConfigMap, ConfigTarget, ResolvedConfig, Secrets, Validation, apply_project,
    get_row, list_rows, resolve, row_to_json, rows_to_json,
};
use purlin_project::yaml::Format;
use purlin_project::{Project, StackSettings, Value};

fn json(text: &str) -> Value {
    Value::from_json(&serde_json::from_str(text).unwrap())
}

fn with(name: &str, old: &str) -> ConfigMap {
    if old.is_empty() {
        ConfigMap::new()
    } else {
        [(ConfigKey::new("p", name), json(old))].into_iter().collect()
    }
}

fn target(text: &str) -> ConfigTarget {
    ConfigTarget::parse("p", text, true).unwrap()
}

#[test]
fn setting_inside_values() {
    let table = [
        ("outer.inner", "", "value", r#"{"inner":"value"}"#),
        ("outer.inner", "\"plain\"", "value", r#"{"inner":"value"}"#),
        ("outer.inner", r#"{"secure":"ct"}"#, "value", r#"{"inner":"value"}"#),
        ("outer.inner", "", "true", r#"{"inner":true}"#),
        ("outer.inner", "", "-1", r#"{"inner":-1}"#),
        ("outer.inner", "", "007", r#"{"inner":"007"}"#),
        ("outer[\"a.b\"]", "", "x", r#"{"a.b":"x"}"#),
        ("outer[0]", "\"plain\"", "x", r#"["x"]"#),
        ("outer[2]", "", "x", r#"[null,null,"x"]"#),
        ("outer.a.b", "", "x", r#"{"a":{"b":"x"}}"#),
        ("outer[0][0]", "", "x", r#"[["x"]]"#),
        ("outer[1]", r#"["a","b","c"]"#, "x", r#"["a","x","c"]"#),
        ("outer[3]", r#"["a","b","c"]"#, "x", r#"["a","b","c","x"]"#),
        ("outer[1][0]nested", r#"["a"]"#, "x", r#"["a",[{"nested":"x"}]]"#),
        ("outer[0].host", r#"[{"name":"foo"}]"#, "h", r#"[{"host":"h","name":"foo"}]"#),
    ];
    for (path, old, text, expected) in table {
        let mut config = with("outer", old);
        config.set(&target(path), ConfigInput::text(text)).unwrap();
        let (_, value) = config.iter().next().unwrap();
        assert_eq!(value.to_canonical_json(), expected, "{path}");
    }
    let mut config = with("outer", r#"["a"]"#);
    config.set(&target("outer[0]"), ConfigInput::Secure("ct".to_owned())).unwrap();
    assert_eq!(config.iter().next().unwrap().1, &json(r#"[{"secure":"ct"}]"#));
}

#[test]
fn places_that_can_not_be_set() {
    let table = [
        ("name[-1]", "", "name[-1]: array index out of range"),
        ("name[4]", r#"["a","b","c"]"#, "name[4]: array index out of range"),
        ("name[99999999999]", "", "name[99999999999]: array index out of range"),
        ("name.secure", "", "maps with the single key \"secure\" are reserved"),
        ("name.nested.map.secure", "", "maps with the single key \"secure\" are reserved"),
        ("name.inner", "[1,2,3]", "name.inner: key for an array must be an int"),
        ("name[0]", r#"{"inner":"value"}"#, "name[0]: key for a map must be a string"),
        ("name.inner.nested", r#"{"inner":"value"}"#, "name.inner: expected a map"),
        ("name.inner[0]", r#"{"inner":"value"}"#, "name.inner: expected an array"),
        ("name.inner.nested", r#"{"inner":{"secure":"ct"}}"#, "name.inner: expected a map"),
    ];
    for (path, old, expected) in table {
        let mut config = with("name", old);
        let before = config.clone();
        let problem = config.set(&target(path), ConfigInput::text("value")).unwrap_err();
        assert_eq!(problem.message, expected);
        assert_eq!(config, before, "{path}");
    }
}

#[test]
fn removing_and_getting_inside_values() {
    let old = r#"{"a":[1,2,3],"b":{"secure":"ct"},"c":{"secure":"text","d":1}}"#;
    let mut config = with("outer", old);
    assert_eq!(config.get(&target("outer.a[1]")), Some(&Value::Int(2)));
    assert_eq!(config.get(&target("outer.a[9]")), None);
    assert_eq!(config.get(&target("outer.b.secure")), None);
    config.remove(&target("outer.a[1]")).unwrap();
    config.remove(&target("outer.b.secure")).unwrap();
    config.remove(&target("outer.nope.x")).unwrap();
    let problem = config.remove(&target("outer.c.d")).unwrap_err();
    assert_eq!(problem.message, "outer.c.d: maps with the single key \"secure\" are reserved");
    let value = config.iter().next().unwrap().1.to_canonical_json();
    assert_eq!(value, r#"{"a":[1,3],"b":{"secure":"ct"},"c":{"d":1,"secure":"text"}}"#);
    config.remove(&target("outer")).unwrap();
    assert!(config.is_empty());
}

fn project(config: &str) -> Project {
    let text = format!("name: p\nruntime: yaml\nconfig:\n{config}");
    Project::parse(Path::new("Pulumi.yaml"), &text, Format::Yaml).unwrap()
}

fn stack(config: &str) -> ConfigMap {
    let text = format!("config:\n{config}");
    StackSettings::parse(Path::new("Pulumi.dev.yaml"), &text, "p").unwrap().config().clone()
}

fn decrypt(ciphertext: &str) -> Result<String, Diagnostic> {
    match ciphertext.strip_prefix("enc:") {
        Some(text) => Ok(text.to_owned()),
        None => Err(Diagnostic::error("secret", "incorrect passphrase")),
    }
}

fn resolved(declared: &str, set: &str, validation: Validation) -> Result<Vec<ResolvedConfig>, Vec<String>> {
    resolve(&project(declared), "dev", &stack(set), &decrypt, validation)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn lines(resolved: &[ResolvedConfig]) -> Vec<String> {
    let flags = |r: &ResolvedConfig| match (r.secret, r.object) {
        (true, true) => " secret object",
        (true, false) => " secret",
        (false, true) => " object",
        _ => "",
    };
    resolved.iter().map(|r| format!("{}={}{}", r.key, r.text, flags(r))).collect()
}

#[test]
fn operations_get_texts_defaults_and_secrets() {
    let found = resolved(
        "  size: small\n  count: {type: integer, default: 3}\n  list: [1, <b>]\n  aws:region: {value: us-east-1}\n  \
         nested.key: {default: true}\n",
        "  p:size: big\n  zeta: 1.50\n  flag: true\n  empty:\n  obj: {b: [{secure: 'enc:x'}], a: 1}\n  pw: {secure: \
         'enc:s3'}\n",
        Validation::On,
    );
    assert_eq!(
        lines(&found.unwrap()),
        [
            "aws:region=us-east-1",
            "p:count=3",
            "p:empty=",
            "p:flag=true",
            "p:list=[1,\"\\u003cb\\u003e\"] object",
            "p:nested={\"key\":true} object",
            "p:obj={\"a\":1,\"b\":[\"x\"]} secret object",
            "p:pw=s3 secret",
            "p:size=big",
            "p:zeta=1.5",
        ]
    );
    let secret = resolved("  a: b\n", "  pw: {secure: 'enc:hunter2'}\n", Validation::On).unwrap();
    assert!(!format!("{secret:?}").contains("hunter2"));
}

#[test]
fn what_is_declared_must_be_there() {
    let declared = "  one: {type: string}\n  two: {description: x}\n  three: {type: integer}\n";
    assert_eq!(
        resolved(declared, "  other: 1\n", Validation::On).unwrap_err(),
        [
            "Stack 'dev' is missing configuration values 'one', 'three' and 'two'\n  set it with `pulumi config set one \
          <value>`"
        ]
    );
    let one = resolved(declared, "  one: a\n  two: b\n", Validation::On).unwrap_err();
    assert!(one[0].starts_with("Stack 'dev' is missing configuration value 'three'\n"), "{one:?}");
    assert_eq!(lines(&resolved(declared, "  other: 1\n", Validation::Off).unwrap()), ["p:other=1"]);
}

#[test]
fn what_is_typed_must_fit() {
    let declared = "  n: {type: integer}\n  b: {type: boolean}\n  s: {type: string}\n  o: {type: object}\n  l: {type: \
                    array, items: {type: integer}}\n  pw: {type: string, secret: true}\n";
    let good = "  n: '5'\n  b: 'true'\n  s: 12\n  o: {x: 1}\n  l: [1, '2']\n  pw: {secure: 'enc:x'}\n";
    assert_eq!(resolved(declared, good, Validation::On).unwrap().len(), 6);
    let bad = "  n: five\n  b: maybe\n  s: [x]\n  o: x\n  l: [x]\n  pw: open\n";
    assert_eq!(
        resolved(declared, bad, Validation::On).unwrap_err(),
        [
            "Pulumi.yaml:5:3: Stack 'dev' with configuration key 'b' must be of type 'boolean'",
            "Pulumi.yaml:8:3: Stack 'dev' with configuration key 'l' must be of type 'array<integer>'",
            "Pulumi.yaml:4:3: Stack 'dev' with configuration key 'n' must be of type 'integer'",
            "Pulumi.yaml:7:3: Stack 'dev' with configuration key 'o' must be of type 'object'",
            "Pulumi.yaml:9:3: Stack 'dev' with configuration key 'pw' must be encrypted as it's secret",
            "Pulumi.yaml:6:3: Stack 'dev' with configuration key 's' must be of type 'string'",
        ]
    );
    let secret = "  n: {secure: 'enc:5'}\n  b: true\n  s: x\n  o: {}\n  l: []\n  pw: {secure: 'enc:x'}\n";
    assert_eq!(resolved(declared, secret, Validation::On).unwrap().len(), 6);
    assert_eq!(
        resolved("  a: b\n", "  k: {secure: garbage}\n", Validation::On).unwrap_err(),
        ["could not decrypt configuration value 'p:k': incorrect passphrase"]
    );
}

#[test]
fn environments_lie_under_the_stack() {
    let mut config = stack("  a: {x: 1, y: {z: 2}}\n  s: {secure: 'enc:own'}\n  plain: own\n");
    config.merge_under(&stack("  a: {y: {z: 9, w: 8}, v: 7}\n  s: {k: 1}\n  plain: {k: 1}\n  extra: e\n"));
    let all: Vec<_> = config.iter().map(|(k, v)| format!("{k}={}", v.to_canonical_json())).collect();
    assert_eq!(
        all,
        [
            r#"p:a={"v":7,"x":1,"y":{"w":8,"z":2}}"#,
            r#"p:extra="e""#,
            r#"p:plain="own""#,
            r#"p:s={"secure":"enc:own"}"#,
        ]
    );
}

#[test]
fn views_hide_secrets_unless_asked() {
    let project = project("  size: small\n");
    let config =
        stack("  pw: {secure: 'enc:s3'}\n  obj: {a: [{secure: 'enc:x'}], b: '<'}\n  n: 1\n  list: [1]\n");
    let config = apply_project(&project, &config).unwrap();
    let hidden = list_rows(&config, Secrets::Hidden).unwrap();
    let table: Vec<_> = hidden.iter().map(|row| format!("{} {}", row.key.pretty("p"), row.text)).collect();
    assert_eq!(
        table,
        ["list [1]", "n 1", "obj {\"a\":[\"[secret]\"],\"b\":\"\\u003c\"}", "pw [secret]", "size small"]
    );
    assert_eq!(
        rows_to_json(&hidden),
        r#"{
  "p:list": {
    "value": "[1]",
    "objectValue": [
      1
    ],
    "secret": false
  },
  "p:n": {
    "value": "1",
    "secret": false
  },
  "p:obj": {
    "secret": true
  },
  "p:pw": {
    "secret": true
  },
  "p:size": {
    "value": "small",
    "secret": false
  }
}"#
    );
    let shown = |text: &str| get_row(&config, &target(text), "p", "dev", Secrets::Shown(&decrypt));
    assert_eq!(shown("pw").unwrap().text, "s3");
    assert_eq!(shown("obj.a[0]").unwrap().text, "x");
    assert_eq!(
        row_to_json(&shown("obj").unwrap()),
        "{\n  \"value\": \"{\\\"a\\\":[\\\"x\\\"],\\\"b\\\":\\\"\\\\u003c\\\"}\",\n  \"objectValue\": {\n    \"a\": [\n      \
         \"x\"\n    ],\n    \"b\": \"\\u003c\"\n  },\n  \"secret\": true\n}"
    );
    assert_eq!(shown("nope").unwrap_err().message, "configuration key 'nope' not found for stack 'dev'");
    assert_eq!(
        shown("obj.q[1]").unwrap_err().message,
        "configuration key 'obj.q[1]' not found for stack 'dev'"
    );
}

#[test]
fn secrets_can_be_encrypted_anew() {
    let config = stack("  a: {secure: 'enc:1'}\n  b: [{secure: 'enc:2'}, plain]\n");
    let again = config.recrypt(|old| Ok(old.replace("enc", "new"))).unwrap();
    assert_eq!(again.ciphertexts(), ["new:1", "new:2"]);
    assert_eq!(again.get(&target("b[1]")), Some(&Value::from("plain")));
    assert!(again.contains_secure() && again.recrypt(|_| Err(Diagnostic::error("x", "no"))).is_err());
}
