//! Programs that drive the command line by the Automation API of an SDK: it finds us as `pulumi`.

use std::os::unix::fs::symlink;

use crate::support::{BINARY, Ran, Sealed};

const PROJECT: &str = "name: shop\nruntime: yaml\nconfig:\n  size: { type: string, default: small }\nresources:\n  \
                       first:\n    type: faultcloud:Object\n    properties: { value: '${size}' }\noutputs:\n  \
                       made: ${first.value}\n";

const PYTHON: &str = r#"
import sys
from pulumi import automation as auto

stack = auto.create_or_select_stack(stack_name="dev", work_dir=sys.argv[1])
stack.set_all_config({"size": auto.ConfigValue("large"), "token": auto.ConfigValue("t0k3n-t0k3n", secret=True)})
foreseen = stack.preview()
print("foreseen", dict(foreseen.change_summary))
events, lines = [], []
done = stack.up(on_event=events.append, on_output=lines.append)
print("done", done.summary.result, done.outputs["made"].value, len(lines) > 0)
print("made", [e.res_outputs_event.metadata.urn for e in events if e.res_outputs_event][-1].split("::")[-1])
print("ends", events[-1].cancel_event is not None, [e.sequence for e in events] == list(range(len(events))))
print("refreshed", stack.refresh(on_event=events.append).summary.result)
print("history", [entry.kind for entry in stack.history()])
print("gone", stack.destroy(on_event=events.append).summary.result)
stack.workspace.remove_stack("dev")
"#;

const NODE: &str = r#"
const { LocalWorkspace } = require("@pulumi/pulumi/automation");

(async () => {
    const stack = await LocalWorkspace.createOrSelectStack({ stackName: "dev", workDir: process.argv[2] });
    await stack.setConfig("size", { value: "large" });
    console.log("foreseen", JSON.stringify((await stack.preview()).changeSummary));
    const events = [];
    const done = await stack.up({ onEvent: (event) => events.push(event) });
    console.log("done", done.summary.result, done.outputs.made.value);
    console.log("ends", events[events.length - 1].cancelEvent !== undefined);
    console.log("gone", (await stack.destroy({ onEvent: () => {} })).summary.result);
    await stack.workspace.removeStack("dev");
})();
"#;

fn driven(sealed: &mut Sealed, program: &str, file: &str) -> Ran {
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", PROJECT);
    sealed.write(file, program);
    let bin = sealed.root().join("bin-as-pulumi");
    std::fs::create_dir_all(&bin).unwrap();
    symlink(BINARY, bin.join("pulumi")).unwrap();
    let script = "PATH=\"$0:$PATH\" exec \"$1\" \"$2\" .";
    let mut shell = sealed.command("sh");
    let interpreter = if file.ends_with(".py") { "python3" } else { "node" };
    shell.args(["-c", script]).arg(&bin).args([interpreter, file]);
    sealed.launch(shell, None).wait().exits(0)
}

#[test]
fn a_python_program_previews_deploys_listens_and_destroys() {
    let mut sealed = Sealed::new();
    sealed.use_python();
    let ran = driven(&mut sealed, PYTHON, "drive.py");
    let expected = [
        "foreseen {'create': 2}",
        "done succeeded large True",
        "made shop-dev",
        "ends True True",
        "refreshed succeeded",
        "history ['refresh', 'update']",
        "gone succeeded",
    ];
    let printed: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(printed, expected, "{ran}");
    assert!(sealed.objects().is_empty());
}

#[test]
fn a_node_program_previews_deploys_listens_and_destroys() {
    let mut sealed = Sealed::new();
    sealed.use_node();
    let ran = driven(&mut sealed, NODE, "drive.js");
    let expected = ["foreseen {\"create\":2}", "done succeeded large", "ends true", "gone succeeded"];
    let printed: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(printed, expected, "{ran}");
    assert!(sealed.objects().is_empty());
}
