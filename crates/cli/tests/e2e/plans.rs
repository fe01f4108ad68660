//! Update plans as files, and names as the configuration wants them.

use crate::support::Sealed;

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

fn program(size: &str, more: &str) -> String {
    format!(
        r#"name: shop
runtime: yaml
resources:
  first: {{ type: faultcloud:Object, properties: {{ value: "{size}" }} }}
  hidden: {{ type: faultcloud:Object, properties: {{ value: {{ fn::secret: hunter2 }} }} }}
{more}outputs:
  arn: ${{first.arn}}
"#
    )
}

fn shop() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", &program("small", ""));
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed
}

#[test]
fn an_update_keeps_to_the_plan_of_a_preview() {
    let sealed = shop();
    let ran = sealed.run(["preview", "--save-plan", "plan.json"]).exits(0);
    assert!(ran.stdout.contains("Update plan written to 'plan.json'\nRun `"), "{ran}");
    let text = std::fs::read_to_string(sealed.directory().join("plan.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    let first = &plan["resourcePlans"]["urn:pulumi:dev::shop::faultcloud:index:Object::first"];
    assert_eq!(first["steps"], serde_json::json!(["create"]), "{text}");
    assert_eq!(first["goal"]["inputDiff"]["adds"]["value"], "small");
    assert!(!text.contains("hunter2"), "secrets are encrypted");

    sealed.write("Pulumi.yaml", &program("large", ""));
    let ran = sealed.run(["up", "--yes", "--skip-preview", "--plan", "plan.json"]).exits(1);
    let said = "violates plan: properties changed: ++value[{small}!={large}]";
    assert!(ran.output().contains(said), "{ran}");

    sealed.write("Pulumi.yaml", &program("small", ""));
    sealed.run(["up", "--yes", "--plan", "plan.json"]).exits(0);
    assert_eq!(sealed.objects().len(), 2);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

#[test]
fn a_strict_update_does_what_its_preview_showed() {
    let sealed = shop();
    sealed.run(["up", "--yes", "--strict"]).exits(0);
    assert_eq!(sealed.objects().len(), 2);
    let ran = sealed.run(["up", "--yes", "--strict", "--skip-preview"]).exits(1);
    assert!(ran.stderr.contains("--strict goes without --skip-preview"), "{ran}");
}

#[test]
fn what_is_no_plan_changes_nothing() {
    let sealed = shop();
    let ran = sealed.run(["up", "--yes", "--skip-preview", "--plan", "nowhere.json"]).exits(1);
    assert!(ran.output().contains("nowhere.json can't be read"), "{ran}");
    sealed.write("plan.json", "{}");
    let ran = sealed.run(["up", "--yes", "--skip-preview", "--plan", "plan.json"]).exits(1);
    assert!(ran.output().contains("the plan can't be read"), "{ran}");
    assert!(sealed.objects().is_empty());
    sealed.run(UP).exits(0);
}

#[test]
fn a_wrong_naming_configuration_is_refused_with_its_place() {
    let sealed = shop();
    sealed.run(["config", "set", "--path", "pulumi:autonaming.patern", "x-${name}"]).exits(0);
    let ran = sealed.run(UP).exits(1);
    let said = "pulumi:autonaming: unknown field \"patern\"; did you mean \"pattern\"?";
    assert!(ran.output().contains(said), "{ran}");
    assert!(sealed.objects().is_empty());
    sealed.run(["config", "rm", "pulumi:autonaming"]).exits(0);
    sealed.run(["config", "set", "--path", "pulumi:autonaming.pattern", "x-${name}"]).exits(0);
    sealed.run(UP).exits(0);
}
