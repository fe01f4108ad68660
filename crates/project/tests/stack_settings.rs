//! Settings of stacks: reading, and changes that leave the rest of the file alone.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use purlin_project::config::{ConfigInput, ConfigKey, ConfigTarget};
use purlin_project::{StackSettings, Value};

const PATH: &str = "Pulumi.dev.yaml";

fn read(text: &str) -> StackSettings {
    StackSettings::parse(Path::new(PATH), text, "shop").unwrap()
}

fn complaints(text: &str) -> Vec<String> {
    let problems = StackSettings::parse(Path::new(PATH), text, "shop").unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

fn set(settings: &mut StackSettings, target: &str, as_path: bool, input: ConfigInput) {
    let mut config = settings.config().clone();
    config.set(&ConfigTarget::parse("shop", target, as_path).unwrap(), input).unwrap();
    settings.set_config(&config).unwrap();
}

fn remove(settings: &mut StackSettings, target: &str, as_path: bool) {
    let mut config = settings.config().clone();
    config.remove(&ConfigTarget::parse("shop", target, as_path).unwrap()).unwrap();
    settings.set_config(&config).unwrap();
}

fn shown(settings: &StackSettings) -> Vec<String> {
    settings.config().iter().map(|(key, value)| format!("{key}={}", value.to_canonical_json())).collect()
}

#[test]
fn everything_is_read() {
    let settings = read(
        "secretsprovider: awskms://alias/x\nencryptedkey: a2V5\nencryptionsalt: v1:salt\nconfig:\n  size: big\n  \
         aws:region: us-west-2\n  shop:config:old: 1\n  shop:count: 5\n  shop:ratio: 1e3\n  shop:on: true\n  \
         shop:yes: yes\n  shop:secret:\n    secure: v1:abc\n  shop:obj: {a: [{secure: v1:x}, 2.0], b: null}\n  \
         shop:date: 2020-01-02\n  shop:quoted: '2020-01-02'\nenvironment: [one, {two: {merge: false}}]\n",
    );
    assert_eq!(settings.secrets_provider(), Some("awskms://alias/x"));
    assert_eq!(settings.encrypted_key(), Some("a2V5"));
    assert_eq!(settings.encryption_salt(), Some("v1:salt"));
    assert_eq!(settings.environment_imports(), ["one", "two"]);
    assert_eq!(
        shown(&settings),
        [
            "aws:region=\"us-west-2\"",
            "shop:count=5",
            "shop:date=\"2020-01-02 00:00:00 +0000 UTC\"",
            "shop:obj={\"a\":[{\"secure\":\"v1:x\"},2],\"b\":null}",
            "shop:old=1",
            "shop:on=true",
            "shop:quoted=\"2020-01-02\"",
            "shop:ratio=1000",
            "shop:secret={\"secure\":\"v1:abc\"}",
            "shop:size=\"big\"",
            "shop:yes=\"yes\"",
        ]
    );
    assert_eq!(settings.config().ciphertexts(), ["v1:x", "v1:abc"]);
    let key = ConfigKey::new("shop", "size");
    assert_eq!(settings.config_span(&key).unwrap().to_string(), "Pulumi.dev.yaml:5:3");
    assert!(settings.warnings().is_empty());
}

#[test]
fn nothing_is_fine_and_null_is_warned_of() {
    for text in ["", "# nothing\n", "config:\n", "{}\n"] {
        assert!(read(text).config().is_empty());
    }
    let warning = |text: &str| read(text).warnings()[0].to_string();
    assert_eq!(
        warning("config:\n  a:\n"),
        "Pulumi.dev.yaml:2:3: No value for configuration key \"shop:a\". This is currently treated as an empty string \
         `\"\"`, but will be treated as `null` in a future version of pulumi.\nSet the value to `\"\"` to avoid this \
         warning."
    );
    assert!(warning("config:\n  a:\n  b: ~\n").contains("keys \"shop:a\" and \"shop:b\". This"));
    assert_eq!(shown(&read("config:\n  a: null\n")), ["shop:a=\"\""]);
}

#[test]
fn complaints_name_their_place() {
    let table = [
        ("- a\n", "Pulumi.dev.yaml:1:1: expected the settings of a stack to be an object, was 'array'"),
        ("config: 5\n", "Pulumi.dev.yaml:1:9: #/config: expected object, but got number"),
        ("encryptionsalt: [x]\n", "Pulumi.dev.yaml:1:17: #/encryptionsalt: expected string, but got array"),
        ("environment: x\n", "Pulumi.dev.yaml:1:14: #/environment: expected array or object, but got string"),
        (
            "config:\n  a:b:c: 1\n",
            "Pulumi.dev.yaml:2:3: could not parse a:b:c as a configuration key (configuration keys should be of the \
             form `<namespace>:<name>`)",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(complaints(text), [expected]);
    }
    assert_eq!(complaints("config: {a:b:c: 1, x:y:z: 2}\nsecretsprovider: 5\n").len(), 3);
}

const COMMENTED: &str = "\
# Settings of the test stack

encryptionsalt: v1:abc:def   # do not lose

config:
  # where
  aws:region: us-west-2 # Oregon
  size: big          # spelt without its project

  shop:config:old: x # the old form
  shop:tree:
    list: # of things
      - a # first
      - b
    flow: {x: 1, y: [1, 2]}
# the end
";

#[test]
fn single_changes_keep_every_other_byte() {
    let table: [(&str, bool, &str, &str, &str); 9] = [
        ("aws:region", false, "eu-west-1", "aws:region: us-west-2 # O", "aws:region: eu-west-1 # O"),
        ("shop:size", false, "small", "size: big   ", "size: small   "),
        ("shop:old", false, "5", "old: x #", "old: \"5\" #"),
        ("tree.list[0]", true, "z", "- a # first", "- z # first"),
        ("tree.list[2]", true, "c", "      - b\n", "      - b\n      - c\n"),
        ("tree.flow.x", true, "2", "{x: 1,", "{x: 2,"),
        ("tree.flow.y[1]", true, "true", "[1, 2]", "[1, true]"),
        ("tree.flow.z.w", true, "v", "2]}", "2], z: {w: v}}"),
        ("new", false, "a: b", "2]}\n", "2]}\n  shop:new: 'a: b'\n"),
    ];
    for (target, as_path, value, old, new) in table {
        let mut settings = read(COMMENTED);
        set(&mut settings, target, as_path, ConfigInput::text(value));
        assert_eq!(settings.text(), COMMENTED.replacen(old, new, 1), "{target}");
    }
}

#[test]
fn removals_keep_every_other_byte() {
    let table = [
        ("aws:region", false, "  aws:region: us-west-2 # Oregon\n"),
        ("size", false, "  size: big          # spelt without its project\n"),
        ("shop:old", false, "  shop:config:old: x # the old form\n"),
        ("tree.list[0]", true, "      - a # first\n"),
        ("tree.flow.x", true, "x: 1, "),
        ("tree.flow", true, "    flow: {x: 1, y: [1, 2]}\n"),
        ("tree.absent.x", true, ""),
    ];
    for (target, as_path, gone) in table {
        let mut settings = read(COMMENTED);
        remove(&mut settings, target, as_path);
        assert_eq!(settings.text(), COMMENTED.replacen(gone, "", 1), "{target}");
    }
    let mut settings = read("# top\nencryptionsalt: x\nconfig:\n  a: b\n# end\n");
    remove(&mut settings, "a", false);
    assert_eq!(settings.text(), "# top\nencryptionsalt: x\n# end\n");
}

#[test]
fn secrets_and_providers_are_set() {
    let mut settings = read(COMMENTED);
    set(&mut settings, "token", false, ConfigInput::Secure("v1:ct".to_owned()));
    settings.set_encryption_salt(Some("v1:new")).unwrap();
    settings.set_secrets_provider(Some("gcpkms://x")).unwrap();
    let expected = COMMENTED.replacen("v1:abc:def ", "v1:new ", 1).replacen(
        "2]}\n",
        "2]}\n  shop:token:\n    secure: v1:ct\nsecretsprovider: gcpkms://x\n",
        1,
    );
    assert_eq!(settings.text(), expected);
    set(&mut settings, "tree.list[1]", true, ConfigInput::Secure("v1:s".to_owned()));
    assert_eq!(settings.text(), expected.replacen("      - b\n", "      - secure: v1:s\n", 1));
    settings.set_secrets_provider(None).unwrap();
    settings.set_encryption_salt(None).unwrap();
    assert_eq!((settings.secrets_provider(), settings.encryption_salt()), (None, None));
}

#[test]
fn a_new_file_is_written_in_the_usual_form() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stacks/Pulumi.dev.yaml");
    let mut settings = StackSettings::load(&path, "shop").unwrap();
    settings.set_encryption_salt(Some("v1:a=:v1:b:c==")).unwrap();
    set(&mut settings, "size", false, ConfigInput::text("5"));
    set(&mut settings, "tree.list[0]", true, ConfigInput::text("5"));
    set(&mut settings, "cert", false, ConfigInput::text("line\nline\n"));
    settings.save().unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "encryptionsalt: v1:a=:v1:b:c==\nconfig:\n  shop:size: \"5\"\n  shop:tree:\n    list:\n      - 5\n  shop:cert: \
         |\n    line\n    line\n"
    );
    assert_eq!(StackSettings::load(&path, "shop").unwrap().config(), settings.config());
}

#[test]
fn json_files_are_laid_out_with_four_blanks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Pulumi.dev.json");
    fs::write(&path, "{\"config\": {\"shop:a\": {\"secure\": \"<ct>\"}, \"b\": 1}, \"extra\": true}")
        .unwrap();
    let mut settings = StackSettings::load(&path, "shop").unwrap();
    assert_eq!(shown(&settings), ["shop:a={\"secure\":\"\\u003cct\\u003e\"}", "shop:b=1"]);
    set(&mut settings, "aws:c", false, ConfigInput::text("x"));
    settings.save().unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\n    \"config\": {\n        \"shop:a\": {\n            \"secure\": \"<ct>\"\n        },\n        \"b\": 1,\n        \
         \"aws:c\": \"x\"\n    },\n    \"extra\": true\n}\n"
    );
}

#[test]
fn marks_line_breaks_and_double_spellings_survive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Pulumi.dev.yaml");
    fs::write(&path, "\u{feff}config:\r\n  a: 1 # one\r\n").unwrap();
    let mut settings = StackSettings::load(&path, "shop").unwrap();
    set(&mut settings, "b", false, ConfigInput::text("x"));
    settings.save().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "\u{feff}config:\r\n  a: 1 # one\r\n  shop:b: x\r\n");
    let mut twice = read("config:\n  a: one\n  shop:a: two\n");
    assert_eq!(shown(&twice), ["shop:a=\"two\""]);
    set(&mut twice, "a", false, ConfigInput::text("three"));
    assert_eq!(twice.text(), "config:\n  shop:a: three\n");
    let mut dated = read("config:\n  d: 2020-01-02\n  e: 1\n");
    set(&mut dated, "e", false, ConfigInput::text("2"));
    assert_eq!(dated.text(), "config:\n  d: 2020-01-02\n  e: \"2\"\n");
    dated.set_environment(Some(Value::Array(vec![Value::from("dev")]))).unwrap();
    assert!(dated.text().ends_with("environment:\n  - dev\n"));
}
