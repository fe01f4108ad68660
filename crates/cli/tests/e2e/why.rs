//! What leads to what an update would do.

use serde_json::json;

use crate::support::Sealed;

/// Three objects, each replaced when the one before it is, and one that nothing changes. The last
/// is there only where it is wanted.
fn program(size: &str, wants_last: bool) -> String {
    let last = if wants_last { "  last: { type: \"faultcloud:Object\" }\n" } else { "" };
    format!(
        r#"name: shop
runtime: yaml
resources:
  first:
    type: faultcloud:Object
    properties: {{ replaceOn: "{size}" }}
  second:
    type: faultcloud:Object
    properties: {{ replaceOn: "${{first.arn}}" }}
  third:
    type: faultcloud:Object
    properties: {{ value: "${{second.arn}}" }}
  quiet:
    type: faultcloud:Object
    properties: {{ value: still }}
{last}"#
    )
}

fn changed() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", &program("small", true));
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    sealed.write("Pulumi.yaml", &program("large", false));
    sealed
}

#[test]
fn why_follows_the_chain_to_the_property_that_began_it() {
    let sealed = changed();
    let ran = sealed.run(["why", "third"]).exits(0);
    let expected = "\
faultcloud:index:Object third is updated: `value` changes, which comes from faultcloud:index:Object second
  faultcloud:index:Object second is replaced: `replaceOn` changes, which comes from faultcloud:index:Object first
    faultcloud:index:Object first is replaced: `replaceOn` changes
";
    assert_eq!(ran.stdout, expected);
    let ran = sealed.run(["why", "last"]).exits(0);
    assert_eq!(
        ran.stdout,
        "faultcloud:index:Object last is deleted: the program does not register it any more\n"
    );
    let ran = sealed.run(["why", "quiet"]).exits(0);
    assert!(ran.stdout.starts_with("faultcloud:index:Object quiet does not change: "), "{}", ran.stdout);
    let ran = sealed.run(["why", "nobody"]).exits(1);
    assert!(
        ran.stderr.contains("neither the program nor the state has a resource 'nobody'"),
        "{}",
        ran.stderr
    );

    let links = sealed
        .run(["why", "urn:pulumi:dev::shop::faultcloud:index:Object::second", "--json"])
        .exits(0)
        .json();
    assert_eq!(links[0]["op"], "replace");
    assert_eq!(links[1]["urn"], "urn:pulumi:dev::shop::faultcloud:index:Object::first");
    assert_eq!(links[1]["properties"], json!([{ "path": "replaceOn" }]));

    let ran = sealed.run(["preview", "--why"]).exits(0);
    let (_, section) = ran.stdout.split_once("\nWhy:\n").unwrap();
    let heads: Vec<&str> = section.lines().map(|line| line.trim().split(':').nth(2).unwrap()).collect();
    assert_eq!(heads, ["Object first is replaced", "Object second is replaced", "Object last is deleted"]);
    let document = sealed.run(["preview", "--why", "--json"]).exits(0).json();
    let steps = document["steps"].as_array().unwrap();
    let second = steps.iter().find(|s| s["urn"].as_str().unwrap().ends_with("::second")).unwrap();
    assert_eq!(second["why"][0]["properties"][0]["path"], "replaceOn");
    assert!(sealed.run(["preview", "--json"]).exits(0).json()["steps"][0].get("why").is_none());
}

#[test]
fn what_was_asked_for_is_the_reason() {
    let sealed = changed();
    sealed.write("Pulumi.yaml", &program("small", true));
    let first = "urn:pulumi:dev::shop::faultcloud:index:Object::first";
    let ran = sealed.run(["preview", "--why", "--replace", first]).exits(0);
    let (_, section) = ran.stdout.split_once("\nWhy:\n").unwrap();
    let mut lines = section.lines().map(str::trim);
    assert_eq!(lines.next(), Some("faultcloud:index:Object first is replaced: it was asked for"));
    let second = "faultcloud:index:Object second is replaced: `replaceOn` changes, which comes from \
                  faultcloud:index:Object first";
    assert_eq!(lines.next(), Some(second));
    let document = sealed.run(["preview", "--why", "--json", "--target-replace", first]).exits(0).json();
    let steps = document["steps"].as_array().unwrap();
    let step = steps.iter().find(|s| s["urn"] == first).unwrap();
    assert_eq!((&step["op"], &step["why"][0]["cause"]), (&json!("replace"), &json!("asked")));
    let ran = sealed.run(["why", "second", "--replace", first]).exits(0);
    assert_eq!(
        ran.stdout,
        format!("{second}\n  faultcloud:index:Object first is replaced: it was asked for\n")
    );
    let ran = sealed.run(["why", "first", "--target-replace", first]).exits(0);
    assert_eq!(ran.stdout, "faultcloud:index:Object first is replaced: it was asked for\n");
}
