//! What was shown and agreed to is what is done, and what is shown holds no secret.

use std::process::Command;

use crate::support::{BINARY, Ran, Sealed, Terminal};

fn object(name: &str) -> String {
    format!("  {name}:\n    type: faultcloud:Object\n    properties: {{ value: v }}\n")
}

fn program(objects: &[&str]) -> String {
    let objects: String = objects.iter().map(|name| object(name)).collect();
    format!("name: shop\nruntime: yaml\nresources:\n{objects}")
}

fn shop() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", &program(&["first"]));
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    sealed
}

/// An update that waits for an answer.
fn asked(sealed: &Sealed, objects: &[&str]) -> Terminal {
    sealed.write("Pulumi.yaml", &program(objects));
    let mut terminal = Terminal::start(sealed, ["up"]);
    terminal.shows("Do you want to perform this update?");
    terminal
}

#[test]
fn nobody_changes_the_stack_between_the_preview_and_the_answer() {
    let sealed = shop();
    let mut terminal = asked(&sealed, &["first", "ours"]);
    sealed.write("Pulumi.yaml", &program(&["first", "theirs"]));
    let refused = sealed.run(["up", "--yes", "--skip-preview"]).exits(1);
    assert!(refused.output().contains("currently locked"), "{refused}");
    sealed.write("Pulumi.yaml", &program(&["first", "ours"]));
    terminal.types("y\r");
    terminal.exits(0);
    let made: Vec<String> = sealed.objects().into_keys().collect();
    assert_eq!(made.len(), 2, "{made:?}");
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

#[test]
fn who_says_no_lets_go_of_the_stack() {
    let sealed = shop();
    let mut terminal = asked(&sealed, &["first", "second"]);
    terminal.types("n\r");
    terminal.exits(1);
    assert_eq!(sealed.objects().len(), 1);
    let history = sealed.run(["stack", "history", "--json"]).exits(0).json();
    assert_eq!(history.as_array().unwrap().len(), 1, "nothing was done");
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
}

#[test]
fn a_preview_that_fails_lets_go_of_the_stack() {
    let sealed = shop();
    sealed.write("Pulumi.yaml", "name: shop\nruntime: yaml\noutputs: { x: '${missing}' }\n");
    sealed.run(["up", "--yes"]).exits(1);
    sealed.write("Pulumi.yaml", &program(&["first"]));
    sealed.run(["up", "--yes", "--expect-no-changes"]).exits(0);
}

#[test]
fn secrets_of_the_configuration_are_hidden_wherever_they_turn_up() {
    let sealed = Sealed::new();
    let program = |end: &str| {
        format!(
            "name: shop\nruntime: yaml\nconfig:\n  token: {{ type: string, secret: true }}\nresources:\n  \
             run:\n    type: command:local:Command\n    properties:\n      create: 'echo \"said ${{token}}\"; \
             {end}'\noutputs:\n  said: ${{run.stdout}}\n"
        )
    };
    sealed.run(["version"]).exits(0);
    sealed.write("Pulumi.yaml", &program("exit 1"));
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["config", "set", "--secret", "token", "hunter2-hunter2"]).exits(0);
    let hides = |ran: Ran| {
        let output = ran.output();
        assert!(!output.contains("hunter2"), "{ran}");
        assert!(output.contains("[secret]"), "{ran}");
    };
    hides(sealed.run(["up", "--yes", "--skip-preview"]).exits(1));
    hides(sealed.run(["up", "--yes", "--skip-preview", "--json"]).exits(1));
    sealed.write("Pulumi.yaml", &program("exit 0"));
    hides(sealed.run(["up", "--yes", "--diff"]).exits(0));
    hides(sealed.run(["preview", "--json", "--show-sames"]).exits(0));
}

#[test]
fn a_terminal_that_can_not_be_drawn_on_is_nobody_to_ask() {
    let sealed = shop();
    let mut terminal = Terminal::of_kind("dumb", &sealed, ["up"]);
    terminal.shows("--yes or --skip-preview must be passed in");
    terminal.exits(2);
}

#[test]
fn a_reference_to_a_stack_of_another_organization_is_refused() {
    let sealed = shop();
    let reading = |name: &str| {
        format!(
            "name: other\nruntime: yaml\nresources:\n  shop:\n    type: pulumi:pulumi:StackReference\n    \
             properties: {{ name: {name} }}\n"
        )
    };
    sealed.write("Pulumi.yaml", &reading("shop/dev"));
    sealed.run(["stack", "init", "prod"]).exits(0);
    let refused = sealed.run(["up", "--yes", "--skip-preview"]).exits(1);
    assert!(refused.output().contains("no organization 'shop'"), "{refused}");
    sealed.write("Pulumi.yaml", &reading("organization/shop/dev"));
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_can_not_be_written_is_a_failure() {
    let sealed = shop();
    let binary = BINARY;
    let script = |arguments: &str| {
        let mut shell: Command = sealed.command("sh");
        shell.args(["-c", &format!("{binary} {arguments} > /dev/full")]);
        sealed.launch(shell, None).wait()
    };
    for arguments in ["stack export", "stack output --json", "stack ls", "preview --json"] {
        let ran = script(arguments).exits(1);
        assert!(ran.output().contains("failed to write to standard output: No space left"), "{ran}");
    }
}
