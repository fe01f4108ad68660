//! The configuration of names.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use purlin_model::autonaming::{Autonaming, Naming};
use purlin_project::config::{ConfigKey, NamingContext, ResolvedConfig, autonaming};

fn read(json: &str, more: &[(&str, &str)]) -> Result<Option<Autonaming>, String> {
    let pairs = [("pulumi:autonaming", json)].into_iter().chain(more.iter().copied());
    let config: Vec<ResolvedConfig> = pairs
        .map(|(key, text)| ResolvedConfig {
            key: ConfigKey::parse(key).unwrap(),
            text: text.to_owned(),
            secret: false,
            object: text.starts_with('{'),
        })
        .collect();
    let context = NamingContext { organization: "org", project: "shop", stack: "dev", config: &config };
    autonaming(context).map_err(|problem| {
        assert!(problem.hint.is_some());
        problem.message
    })
}

fn pattern(text: &str, enforce: bool) -> Naming {
    Naming::Pattern { pattern: text.to_owned(), enforce }
}

#[test]
fn nothing_given_is_nothing() {
    let context = NamingContext { organization: "", project: "shop", stack: "dev", config: &[] };
    assert_eq!(autonaming(context).unwrap(), None);
}

#[test]
fn modes_and_patterns() {
    let default = |json: &str| read(json, &[]).unwrap().unwrap().default;
    assert_eq!(default("{}"), Naming::Default);
    assert_eq!(default(r#"{"mode":"default"}"#), Naming::Default);
    assert_eq!(default(r#"{"mode":"verbatim"}"#), Naming::Verbatim);
    assert_eq!(default(r#"{"mode":"disabled"}"#), Naming::Disabled);
    assert_eq!(default(r#"{"pattern":"${name}-${hex(4)}"}"#), pattern("${name}-${hex(4)}", false));
    assert_eq!(default(r#"{"pattern":"p","enforce":true}"#), pattern("p", true));
}

#[test]
fn packages_and_resources() {
    let json = r#"{"mode":"verbatim","providers":{
        "aws":{"pattern":"a-${name}","resources":{"aws:s3/bucket:Bucket":{"mode":"disabled"}}},
        "gcp":{"resources":{"gcp:a:B":{"pattern":"b","enforce":false}}}}}"#;
    let naming = read(json, &[]).unwrap().unwrap();
    assert_eq!(naming.of_type("x:y:Z"), (&Naming::Verbatim, false));
    assert_eq!(naming.of_type("aws:ec2:Vm"), (&pattern("a-${name}", false), true));
    assert_eq!(naming.of_type("aws:s3/bucket:Bucket"), (&Naming::Disabled, true));
    assert_eq!(naming.of_type("gcp:a:B"), (&pattern("b", false), true));
    assert_eq!(naming.of_type("gcp:a:C"), (&Naming::Verbatim, true));
}

#[test]
fn what_is_known_of_the_stack_is_filled_in() {
    let with = |text: &str| {
        let more = [("shop:zone", "z1"), ("shop:deep", r#"{"a":{"b":["x"]}}"#), ("other:zone", "no")];
        let json = format!(r#"{{"pattern":"{text}"}}"#);
        read(&json, &more).map(|naming| naming.unwrap().default)
    };
    let filled = with("${organization}-${project}-${stack}-${config.zone}-${config.deep.a.b[0]}-${name}");
    assert_eq!(filled, Ok(pattern("org-shop-dev-z1-x-${name}", false)));
    assert_eq!(with("${config.}"), Ok(pattern("${config.}", false)));
    assert!(with("${config.missing}").unwrap_err().contains("no value found for key \"missing\""));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases = [
        ("123", "no object"),
        ("text", "no object"),
        (r#"{"mode":"odd"}"#, "invalid naming mode: odd"),
        (r#"{"enforce":true}"#, "pattern must be specified"),
        (r#"{"mode":"verbatim","pattern":"p"}"#, "cannot specify both"),
        (r#"{"mode":"verbatim","enforce":false}"#, "cannot specify both"),
        (r#"{"patern":"p"}"#, "unknown field \"patern\"; did you mean \"pattern\"?"),
        (r#"{"pattern":1}"#, "no text"),
        (r#"{"pattern":"p","enforce":"yes"}"#, "true or false"),
        (r#"{"providers":[]}"#, "no object"),
        (r#"{"providers":{"aws":{"resources":{"aws:a:B":{}}}}}"#, "mode or pattern must be specified"),
        (r#"{"providers":{"aws":{"resources":{"aws:a:B":{"providers":{}}}}}}"#, "unknown field"),
    ];
    for (json, expected) in cases {
        let message = read(json, &[]).unwrap_err();
        assert!(message.contains(expected), "{json}: {message}");
    }
}
