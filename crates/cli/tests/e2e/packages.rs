//! Packages that few providers make: parameterized ones in every language, extensions, upgrades of
//! the plugin, and views, all with a plugin of its own process.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Sealed, copy_folder, repository};

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

/// A stack of the program in a folder of `tests/programs`, with the plugin.
fn stack_of(program: &str) -> Sealed {
    let mut sealed = Sealed::new();
    sealed.install("shapecloud", "1.0.0");
    copy_folder(&repository(&format!("tests/programs/{program}")), sealed.directory());
    sealed.use_python();
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed
}

/// A stack of a program in YAML.
fn yaml(program: &str) -> Sealed {
    let sealed = Sealed::new();
    sealed.install("shapecloud", "1.0.0");
    sealed.write("Pulumi.yaml", &format!("name: shapes\nruntime: yaml\n{program}"));
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed
}

/// The state's resources by name.
fn resources(sealed: &Sealed) -> BTreeMap<String, Value> {
    let export = sealed.run(["stack", "export"]).exits(0).json();
    let all = export["deployment"]["resources"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|r| (r["urn"].as_str().unwrap().rsplit("::").next().unwrap().to_owned(), r)).collect()
}

/// The lines of the plugin's log about a method.
fn log(sealed: &Sealed, method: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(sealed.cloud().join("calls.log")).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["method"] == method).collect()
}

/// A round in a parameterized package: made, unchanged, changed, deleted.
fn round(sealed: &Sealed) {
    sealed.run(["preview"]).exits(0);
    sealed.run(UP).exits(0);
    let state = resources(sealed);
    let shape = &state["first"];
    assert_eq!(shape["type"], "circles:index:Shape");
    assert_eq!(shape["outputs"]["kind"], "round");
    assert!(
        shape["provider"].as_str().unwrap().contains("pulumi:providers:circles::default_2_1_0"),
        "{shape}"
    );
    let provider = &state["default_2_1_0"];
    let parameter = &provider["inputs"]["__internal"]["parameterization"];
    assert_eq!(parameter, "cm91bmQ=", "{provider}");
    assert_eq!(provider["inputs"]["__internal"]["name"], "shapecloud");
    assert_eq!(provider["inputs"]["__internal"]["version"], "1.0.0");
    assert_eq!(provider["inputs"]["version"], "2.1.0");
    let told = log(sealed, "Parameterize");
    assert!(told.iter().all(|line| line["note"] == "circles@2.1.0:round") && !told.is_empty(), "{told:?}");
    let output = sealed.run(["stack", "output", "kind"]).exits(0).stdout;
    assert_eq!(output.trim(), "round");
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
    sealed.run(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);
    sealed.run(["config", "set", "value", "other"]).exits(0);
    sealed.run(UP).exits(0);
    assert_eq!(resources(sealed)["first"]["inputs"]["value"], "other");
    // A destroy knows the parameter from the state alone.
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert!(sealed.objects().is_empty());
}

#[test]
fn a_parameterized_package_in_python() {
    round(&stack_of("python/parameterized"));
}

#[test]
fn a_parameterized_package_in_node() {
    let sealed = stack_of("node/parameterized");
    sealed.use_node();
    round(&sealed);
}

#[test]
fn a_parameterized_package_in_go() {
    let mut sealed = stack_of("go/parameterized");
    sealed.use_go();
    round(&sealed);
}

/// The package file of `circles`, at a version of the plugin.
fn circles(version: &str) -> String {
    format!(
        "packageDeclarationVersion: 1\nname: shapecloud\nversion: {version}\nparameterization:\n  \
         name: circles\n  version: 2.1.0\n  value: cm91bmQ=\n"
    )
}

#[test]
fn a_parameterized_package_in_yaml() {
    let sealed = yaml(
        "config: { value: { type: string, default: small } }\n\
         variables: { kind: { fn::invoke: { function: circles:kindOf, arguments: {} } } }\n\
         resources: { first: { type: circles:Shape, properties: { value: \"${value}\" } } }\n\
         outputs: { kind: \"${kind.kind}\" }\n",
    );
    std::fs::create_dir_all(sealed.directory().join("sdks/circles")).unwrap();
    sealed.write("sdks/circles/circles-2.1.0.yaml", &circles("1.0.0"));
    round(&sealed);
}

#[test]
fn another_version_of_the_plugin_takes_over_what_an_older_one_made() {
    let sealed = yaml("resources: { first: { type: shapecloud:Shape, options: { version: 1.0.0 } } }\n");
    sealed.run(UP).exits(0);
    let version = |version: &str| {
        sealed.install("shapecloud", version);
        let program = format!(
            "name: shapes\nruntime: yaml\nresources: {{ first: {{ type: shapecloud:Shape, options: {{ version: {version} }} }} }}\n"
        );
        sealed.write("Pulumi.yaml", &program);
    };
    version("1.1.0");
    sealed.run(UP).exits(0);
    let state = resources(&sealed);
    assert_eq!(state["first"]["outputs"]["madeBy"], "1.0.0", "the new version finds no difference");
    assert!(state["first"]["provider"].as_str().unwrap().contains("::default_1_1_0::"), "{state:?}");
    assert!(!state.contains_key("default_1_0_0"), "the old one goes: {state:?}");
    version("2.0.0");
    let preview = sealed.run(["preview", "--json"]).exits(0).json();
    let steps = preview["steps"].as_array().unwrap();
    let first = steps.iter().find(|s| s["urn"].as_str().unwrap().ends_with("::first")).unwrap();
    assert_eq!((&first["op"], &first["diffReasons"]), (&json!("update"), &json!(["madeBy"])));
    sealed.run(UP).exits(0);
    assert_eq!(resources(&sealed)["first"]["outputs"]["madeBy"], "2.0.0");
    assert_eq!(sealed.objects().len(), 1);
}

#[test]
fn another_version_of_the_plugin_below_a_parameterized_package() {
    let sealed = yaml("resources: { first: { type: circles:Shape } }\n");
    sealed.write("circles.yaml", &circles("1.0.0"));
    sealed.run(UP).exits(0);
    sealed.install("shapecloud", "2.0.0");
    sealed.write("circles.yaml", &circles("2.0.0"));
    sealed.run(UP).exits(0);
    let state = resources(&sealed);
    assert_eq!(state["first"]["outputs"]["madeBy"], "2.0.0");
    assert_eq!(state["default_2_1_0"]["inputs"]["__internal"]["version"], "2.0.0");
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert!(sealed.objects().is_empty());
}

#[test]
fn an_extension_in_yaml_is_told_to_the_provider_of_its_package() {
    let sealed = yaml(
        "resources:\n  plain: { type: shapecloud:Shape }\n  waved: { type: \"shapecloud:wave:Shape\", \
         properties: { value: \"${plain.kind}\" } }\n",
    );
    let extension = "packageDeclarationVersion: 1\nname: shapecloud\nversion: 1.0.0\nextension:\n  \
                     name: ext-wave\n  version: 0.3.0\n  value: d2F2eQ==\n";
    sealed.write("wave.yaml", extension);
    sealed.run(["preview"]).exits(0);
    sealed.run(UP).exits(0);
    let state = resources(&sealed);
    assert_eq!(state["plain"]["outputs"]["kind"], "plain");
    assert_eq!(state["waved"]["outputs"]["kind"], "wavy");
    assert_eq!(state["waved"]["provider"], state["plain"]["provider"], "one provider serves both");
    assert!(state["plain"].get("extensionRef").is_none());
    let reference = state["waved"]["extensionRef"].as_str().unwrap().to_owned();
    let export = sealed.run(["stack", "export"]).exits(0).json();
    assert_eq!(
        export["deployment"]["extensions"][&reference],
        json!({ "name": "ext-wave", "version": "0.3.0", "value": "d2F2eQ==" })
    );
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
    // The state alone knows the extension.
    std::fs::write(sealed.cloud().join("calls.log"), "").unwrap();
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert_eq!(log(&sealed, "Parameterize")[0]["note"], "ext-wave@0.3.0:wavy");
    assert!(sealed.objects().is_empty());
}

#[test]
fn a_provider_publishes_views_of_what_it_makes() {
    let program = |parts: u32, value: &str, sides: u32| {
        format!(
            "name: shapes\nruntime: yaml\nresources:\n  cake: {{ type: shapecloud:Shape, properties: \
             {{ parts: {parts}, value: {value}, sides: {sides} }} }}\n"
        )
    };
    let sealed = yaml("");
    sealed.write("Pulumi.yaml", &program(2, "a", 1));
    let parts = |sealed: &Sealed| -> Vec<(String, String)> {
        let state = resources(sealed);
        let cake = state.get("cake").map_or("", |cake| cake["urn"].as_str().unwrap()).to_owned();
        let views = state.into_iter().filter(|(_, r)| r.get("viewOf").is_some());
        let part = |(name, view): (String, Value)| {
            assert_eq!((&view["viewOf"], &view["parent"]), (&json!(cake), &json!(cake)), "{view}");
            assert_eq!(view["type"], "shapecloud:index:Part");
            (name, view["outputs"]["value"].as_str().unwrap().to_owned())
        };
        views.map(part).collect()
    };
    let some = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    let steps = |args: &[&str]| -> Vec<String> {
        let document = sealed.run(args.iter().copied()).exits(0).json();
        let name = |urn: &Value| urn.as_str().unwrap().rsplit("::").next().unwrap().to_owned();
        let steps = document["steps"].as_array().cloned().unwrap_or_default();
        let told = steps.iter().map(|s| format!("{} {}", name(&s["urn"]), s["op"].as_str().unwrap()));
        let mut told: Vec<String> = told.filter(|s| s.starts_with("cake")).collect();
        told.sort();
        told
    };
    assert_eq!(steps(&["preview", "--json"]), ["cake create", "cake-0 create", "cake-1 create"]);
    let ran = sealed.run(UP).exits(0);
    assert!(ran.stdout.contains("shapecloud:index:Part cake-0 created"), "{ran}");
    assert_eq!(parts(&sealed), some(&[("cake-0", "a"), ("cake-1", "a")]));
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
    assert_eq!(parts(&sealed), some(&[("cake-0", "a"), ("cake-1", "a")]));

    // An update: both change, one comes.
    sealed.write("Pulumi.yaml", &program(3, "b", 1));
    assert_eq!(
        steps(&["preview", "--json"]),
        ["cake update", "cake-0 update", "cake-1 update", "cake-2 create"]
    );
    sealed.run(UP).exits(0);
    assert_eq!(parts(&sealed), some(&[("cake-0", "b"), ("cake-1", "b"), ("cake-2", "b")]));
    let told = log(&sealed, "Update").pop().unwrap();
    assert_eq!(
        told["oldViews"],
        json!(["cake-0", "cake-1"]),
        "the provider is told of the views that there are"
    );

    // A refresh: somebody took one away.
    let (id, mut object) = sealed.objects().pop_first().unwrap();
    object["outputs"]["parts"] = json!(1);
    std::fs::write(sealed.cloud().join(format!("objects/{id}.json")), object.to_string()).unwrap();
    sealed.run(["refresh", "--yes", "--skip-preview"]).exits(0);
    assert_eq!(parts(&sealed), some(&[("cake-0", "b")]));

    // A replacement: the new one has views of its own, those of the old one go with it.
    sealed.write("Pulumi.yaml", &program(2, "c", 2));
    sealed.run(UP).exits(0);
    assert_eq!(parts(&sealed), some(&[("cake-0", "c"), ("cake-1", "c")]));
    assert_eq!(log(&sealed, "Delete").pop().unwrap()["oldViews"], json!(["cake-0"]));

    let ran = sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert!(ran.stdout.contains("shapecloud:index:Part cake-1 deleted"), "{ran}");
    assert_eq!(log(&sealed, "Delete").pop().unwrap()["oldViews"], json!(["cake-0", "cake-1"]));
    assert!(resources(&sealed).is_empty() && sealed.objects().is_empty());
}
