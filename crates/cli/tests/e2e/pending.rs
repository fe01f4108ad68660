//! Creates whose outcome nobody knows: what a refresh in a terminal asks about them.

use serde_json::{Value, json};

use crate::support::{DOWN, ENTER, Sealed, Terminal};

const PROGRAM: &str = "name: shop\nruntime: yaml\nresources:\n  made: { type: \"faultcloud:Object\" }\n  \
                       lost: { type: \"faultcloud:Object\" }\n";
const REFRESH: [&str; 3] = ["refresh", "--yes", "--skip-preview"];

/// A stack of which one create took effect and another did not, both without an answer.
fn interrupted() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", PROGRAM);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.faults(&json!({ "made": { "crashAfter": ["create"] } }));
    let made = "urn:pulumi:dev::shop::faultcloud:index:Object::made";
    let lost = "urn:pulumi:dev::shop::faultcloud:index:Object::lost";
    sealed.run(["up", "--yes", "--skip-preview", "--target", made]).exits(1);
    sealed.faults(&json!({ "lost": { "crashBefore": ["create"] } }));
    sealed.run(["up", "--yes", "--skip-preview", "--target", lost]).exits(1);
    sealed.faults(&Value::Null);
    assert_eq!((pending(&sealed), sealed.objects().len()), (vec!["lost".into(), "made".into()], 1));
    sealed
}

fn names(list: &Value) -> Vec<String> {
    let urns = list.as_array().cloned().unwrap_or_default();
    let name = |entry: &Value| entry["urn"].as_str().unwrap().rsplit("::").next().unwrap().to_owned();
    let mut names: Vec<String> = urns.iter().map(name).collect();
    names.sort();
    names
}

/// The names of the creates that are pending.
fn pending(sealed: &Sealed) -> Vec<String> {
    let checkpoint = sealed.checkpoint("shop", "dev");
    let all = checkpoint["checkpoint"]["latest"]["pending_operations"].as_array().cloned();
    let resources: Vec<Value> = all.unwrap_or_default().iter().map(|op| op["resource"].clone()).collect();
    names(&resources.into())
}

/// The names of the objects in the state.
fn known(sealed: &Sealed) -> Vec<String> {
    let checkpoint = sealed.checkpoint("shop", "dev");
    let all = names(&checkpoint["checkpoint"]["latest"]["resources"]);
    all.into_iter().filter(|name| ["made", "lost"].contains(&name.as_str())).collect()
}

#[test]
fn a_refresh_in_a_terminal_asks_what_became_of_each_create() {
    let sealed = interrupted();
    let id = sealed.objects().into_keys().next().unwrap();
    let mut terminal = Terminal::start(&sealed, REFRESH);
    // The last one comes first, as in the state.
    terminal.shows("What became of the create of urn:pulumi:dev::shop::faultcloud:index:Object::lost?");
    terminal.shows("import");
    terminal.types(ENTER);
    terminal.shows("What became of the create of urn:pulumi:dev::shop::faultcloud:index:Object::made?");
    terminal.shows("import");
    terminal.types(&[DOWN, DOWN, ENTER].concat());
    terminal.shows("Its id:");
    terminal.types(&format!("{id}{ENTER}"));
    terminal.exits(0);
    assert_eq!((pending(&sealed), known(&sealed)), (vec![], vec!["made".to_owned()]));
    // Only what was lost is made again.
    sealed.forget_calls();
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    let made: Vec<String> =
        sealed.calls().iter().filter(|c| c.method == "Create").map(|c| c.name().to_owned()).collect();
    assert_eq!((made, sealed.objects().len()), (vec!["lost".to_owned()], 2));
}

#[test]
fn what_is_skipped_in_a_terminal_stays_pending_and_an_interrupt_changes_nothing() {
    let sealed = interrupted();
    let before = sealed.checkpoint("shop", "dev");
    let mut terminal = Terminal::start(&sealed, REFRESH);
    terminal.shows("What became of the create of");
    terminal.shows("import");
    // The user gives up.
    terminal.types("\u{3}");
    terminal.exits(1);
    assert_eq!(sealed.checkpoint("shop", "dev"), before);

    let mut terminal = Terminal::start(&sealed, REFRESH);
    for name in ["lost", "made"] {
        terminal.shows(&format!("faultcloud:index:Object::{name}?"));
        terminal.shows("import");
        terminal.types(&[DOWN, ENTER].concat());
    }
    terminal.exits(0);
    assert_eq!(pending(&sealed), ["lost", "made"]);
    // Who says it with a flag is not asked.
    let terminal = Terminal::start(&sealed, [&REFRESH[..], &["--clear-pending-creates"]].concat());
    let shown = terminal.exits(0);
    assert!(!shown.contains("What became"), "{shown}");
    assert_eq!(pending(&sealed), [""; 0]);
}

#[test]
fn an_import_without_an_id_is_refused_in_a_terminal_and_changes_nothing() {
    let sealed = interrupted();
    let before = sealed.checkpoint("shop", "dev");
    let mut terminal = Terminal::start(&sealed, REFRESH);
    terminal.shows("What became of the create of");
    terminal.shows("import");
    terminal.types(&[DOWN, DOWN, ENTER].concat());
    terminal.shows("Its id:");
    terminal.types(ENTER);
    let shown = terminal.exits(1);
    assert!(shown.contains("is empty"), "{shown}");
    assert_eq!(sealed.checkpoint("shop", "dev"), before);
}
