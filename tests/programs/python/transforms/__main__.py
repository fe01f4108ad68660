"""Transforms of resources and of functions, by callback: of one resource, of a component, of the stack."""

import pulumi

OBJECT = "faultcloud:index:Object"


def tagged(word):
    def transform(args):
        if args.type_ != OBJECT:
            return None
        order = (args.props.get("tags") or {}).get("order", "")
        props = {**args.props, "tags": {"order": order + word}}
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=False, ignore_changes=["size"]))
        return pulumi.ResourceTransformResult(props=props, opts=opts)

    return transform


def loud(args):
    if args.token == "faultcloud:index:echo":
        return pulumi.InvokeTransformResult(args={"value": args.args["value"] + "!"}, opts=args.opts)
    return None


pulumi.runtime.register_resource_transform(tagged(" stack"))
pulumi.runtime.register_invoke_transform(loud)


class Thing(pulumi.CustomResource):
    def __init__(self, name, opts=None):
        super().__init__(OBJECT, name, {"name": name, "secretValue": pulumi.Output.secret("hidden-4711")}, opts)


class Box(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("transforms:index:Box", name, {}, opts)
        Thing("inner", pulumi.ResourceOptions(parent=self, transforms=[tagged("own")], protect=True))
        self.register_outputs({})


Box("box", pulumi.ResourceOptions(transforms=[tagged(" box")]))
Thing("outer")
pulumi.export("echo", pulumi.runtime.invoke_output("faultcloud:index:echo", {"value": "hey"}).apply(lambda r: r["value"]))
