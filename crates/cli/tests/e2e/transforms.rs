//! Transforms of real programs, which look into properties and change them.

use serde_json::{Value, json};

use crate::support::{Sealed, test_env};

const PYTHON: &str = r#"
import pulumi


class Thing(pulumi.CustomResource):
    value: pulumi.Output

    def __init__(self, name, opts=None, **props):
        super().__init__("faultcloud:index:Object", name, {"value": None, **props}, opts)


def owned(args):
    if args.type_ != "faultcloud:index:Object" or "tags" not in args.props:
        return None
    props = {**args.props, "tags": {**args.props["tags"], "owner": "me"}}
    return pulumi.ResourceTransformResult(props=props, opts=args.opts)


pulumi.runtime.register_resource_transform(owned)
first = Thing("first", value="v")
Thing("of-output", tags={"plain": "x", "first": first.value})
Thing("of-secret", tags={"plain": "x", "password": pulumi.Output.secret("pw")})
"#;

const NODE: &str = r#"
const pulumi = require("@pulumi/pulumi");

class Thing extends pulumi.CustomResource {
    constructor(name, props, opts) {
        super("faultcloud:index:Object", name, { value: undefined, ...props }, opts);
    }
}

pulumi.runtime.registerResourceTransform((args) => {
    if (args.type !== "faultcloud:index:Object" || !args.props.tags) return undefined;
    return { props: { ...args.props, tags: { ...args.props.tags, owner: "me" } }, opts: args.opts };
});
const first = new Thing("first", { value: "v" });
new Thing("of-output", { tags: { plain: "x", first: first.value } });
new Thing("of-secret", { tags: { plain: "x", password: pulumi.secret("pw") } });
"#;

fn tags(sealed: &Sealed, name: &str) -> Value {
    let export = sealed.run(["stack", "export", "--show-secrets"]).exits(0).json();
    let resources = export["deployment"]["resources"].as_array().unwrap();
    let urn = format!("::{name}");
    let found = resources.iter().find(|state| state["urn"].as_str().unwrap().ends_with(&urn)).unwrap();
    found["inputs"]["tags"].clone()
}

fn objects_of_others_can_be_added_to(mut sealed: Sealed, runtime: &str, file: &str, program: &str) {
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", &format!("name: shop\nruntime: {runtime}\n"));
    sealed.write(file, program);
    match runtime {
        "python" => sealed.use_python(),
        _ => sealed.use_node(),
    }
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    assert_eq!(tags(&sealed, "of-output"), json!({ "first": "v", "owner": "me", "plain": "x" }));
    let of_secret = tags(&sealed, "of-secret");
    assert_eq!((&of_secret["owner"], &of_secret["plain"]), (&json!("me"), &json!("x")), "{of_secret}");
    assert_eq!(of_secret["password"]["plaintext"], json!("\"pw\""), "{of_secret}");
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

#[test]
fn a_python_transform_adds_to_objects_with_outputs_and_secrets_in_them() {
    objects_of_others_can_be_added_to(Sealed::new(), "python", "__main__.py", PYTHON);
}

#[test]
fn a_node_transform_adds_to_objects_with_outputs_and_secrets_in_them() {
    assert!(test_env("node/node_modules").is_dir());
    objects_of_others_can_be_added_to(Sealed::new(), "nodejs", "index.js", NODE);
}
