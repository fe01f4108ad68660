//! Configuration values, and which packages a program needs.

mod support;

use purlin_model::PackageDescriptor;
use purlin_ports::LanguageHost;
use support::{World, world};

#[test]
fn configuration_arrives_as_what_it_looks_like() {
    let mut world = world(
        "outputs: {o: [\"${a}\", \"${b}\", \"${c}\", \"${d.k[0]}\", \"${e}\", \"${aws:region}\", \"${proj:a}\"], t: \"${a} ${b}\"}\n",
    );
    world.config = vec![
        ("proj:a", "5"),
        ("proj:b", "true"),
        ("proj:c", "007"),
        ("proj:d", "{\"k\": [\"x\"]}"),
        ("proj:e", "text"),
        ("aws:region", "r"),
    ];
    assert_eq!(world.run().outputs(), "{o: [5, true, \"007\", \"x\", \"text\", \"r\", 5], t: \"5 true\"}");
}

#[test]
fn secret_configuration_stays_secret() {
    let mut world = world(
        "config:\n  b: {type: string, secret: true, default: dflt}\noutputs: {a: \"${a}\", b: \"${b}\", t: \"<${a}>\", c: \"${c.k}\"}\n",
    );
    world.config = vec![("proj:a", "5"), ("proj:c", "{\"k\": 1}")];
    world.secret_keys = vec!["proj:a", "proj:c"];
    assert_eq!(
        world.run().outputs(),
        "{a: secret(5), b: secret(\"dflt\"), c: secret(1), t: secret(\"<5>\")}"
    );
}

#[test]
fn declared_configuration_has_defaults_names_and_types() {
    let mut given = world(concat!(
        "config:\n  a: {type: integer, default: 3}\n  b: {type: string, name: other}\n  c: plain\n  d: {default: [1, 2]}\n",
        "  e: {type: array, items: {type: string}}\n  f: {default: \"${pulumi.stack}-x\"}\n",
        "outputs: {o: [\"${a}\", \"${b}\", \"${c}\", \"${d}\", \"${e}\", \"${f}\"]}\n",
    ));
    given.config = vec![("proj:other", "o"), ("proj:e", "[\"p\"]")];
    assert_eq!(given.run().outputs(), "{o: [3, \"o\", \"plain\", [1, 2], [\"p\"], \"dev-x\"]}");

    let mut wrong = world(
        "config:\n  a: {type: integer}\n  b: {type: string}\n  c: {description: x}\n  d: {type: \"List<number>\"}\n",
    );
    wrong.config = vec![("proj:a", "1.5"), ("proj:d", "[\"x\"]")];
    assert_eq!(
        wrong.run().refused(),
        [
            "Pulumi.yaml:4:3: the configuration value \"a\" must be a whole number, not a number\n  change it with: config set a <value>",
            "Pulumi.yaml:5:3: the configuration value \"b\" is not set\n  set it with: config set b <value>",
            "Pulumi.yaml:6:3: the configuration value \"c\" has no type\n  give it a type or a default",
            "Pulumi.yaml:7:3: the configuration value \"d\" must be a list of numbers\n  change it with: config set d <value>",
        ]
    );
    assert_eq!(
        world("config:\n  a: {type: text}\n").run().refused(),
        [
            "Pulumi.yaml:4:13: \"text\" is not a type of configuration values\n  the types are string, integer, number, boolean, object, array and List<type>"
        ]
    );
}

fn required(world: &World) -> Vec<PackageDescriptor> {
    let folder = tempfile::tempdir().expect("a folder");
    let info = world.info(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(World::host().required_packages(&info)).expect("packages")
}

const LOCK: &str = "packageDeclarationVersion: 1\nname: terraform\nversion: 0.8.0\ndownloadUrl: https://t\n\
                    parameterization:\n  name: renamed\n  version: 2.0.0\n  value: aGk=\n";

#[test]
fn packages_come_from_tokens_options_files_and_the_project() {
    let mut world = world(concat!(
        "packages: {pinned: pinned@3.1.0, local: ./here}\n",
        "resources:\n  z: {type: \"zoo:Z\", options: {version: 1.2.3, pluginDownloadURL: https://z}}\n  y: {type: \"zoo:Y\"}\n",
        "  p: {type: \"pulumi:providers:aws\"}\n  s: {type: \"pulumi:pulumi:StackReference\"}\n  r: {type: \"renamed:A\"}\n",
        "variables:\n  v: {\"fn::pinned:f\": {}}\n",
    ));
    world.files.push(("sdks/renamed/renamed-2.0.0.yaml", LOCK.into()));
    world.files.push(("node_modules/x/y.yaml", LOCK.replace("renamed", "hidden")));
    world.files.push(("other.yaml", "name: other".into()));
    let shown: Vec<String> = required(&world)
        .iter()
        .map(|p| format!("{} {} {} {}", p.name, p.version, p.download_url, p.package()))
        .collect();
    assert_eq!(
        shown,
        ["aws   aws", "pinned 3.1.0  pinned", "terraform 0.8.0 https://t renamed", "zoo 1.2.3 https://z zoo"]
    );
}

#[test]
fn resources_of_an_installed_package_say_how_it_is_served() {
    let program =
        "resources:\n  a: {type: \"renamed:Box\"}\n  b: {type: \"renamed:Box\", options: {version: 9.0.0}}\n";
    let mut world = world(program);
    world.files.push(("sdks/renamed.yaml", LOCK.into()));
    let ran = world.run();
    let asked = ran.asked();
    assert!(asked.contains("register renamed:index/box:Box a {}\n    version: 0.8.0\n    url: https://t\n    parameterization: renamed\n"), "{asked} {:?}", ran.said);
    assert!(
        asked.contains(
            "register renamed:index/box:Box b {}\n    version: 9.0.0\n    url: https://t\n    additional"
        ),
        "{asked}"
    );
}

#[test]
fn a_broken_package_file_is_named() {
    let mut world = world("");
    world.files.push(("sdks/bad.yaml", "packageDeclarationVersion: 1\nname: ''\n".into()));
    let purlin_ports::RunOutcome::Failed(problem) = world.run().outcome else { panic!("a failure") };
    assert!(problem.message.ends_with("sdks/bad.yaml names no package"), "{problem}");
}

#[test]
fn the_program_may_be_in_a_file_of_its_own() {
    let mut world = world("");
    world.files.push(("Main.yaml", "outputs: {o: 1}\n".into()));
    assert_eq!(world.run().outputs(), "{o: 1}");
}
