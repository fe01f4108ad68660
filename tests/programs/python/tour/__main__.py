"""A tour of what programs do: config, components, outputs of outputs, secrets, dependencies,
stack references, invokes, assets and a dynamic provider. Each part can be left out by config."""

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider, UpdateResult

from shelf import Shelf, Thing

config = pulumi.Config()
greeting = config.require("greeting")
token = config.require_secret("token")

first = Thing("first", name="first", value=greeting)
second = Thing("second", name="second", value=first.value.apply(lambda v: f"{v} again"), secret_value=token)
nested = Thing(
    "nested",
    name="nested",
    value={"list": [first.name, {"deep": second.value}], "flag": True, "number": 1.5, "none": None},
    opts=pulumi.ResourceOptions(depends_on=[second]),
)
shelf = Shelf("shelf", ["red", "green", "blue"])
guarded = Thing(
    "guarded",
    name=shelf.names.apply(lambda names: names.split(", ")[0] + "-guarded"),
    opts=pulumi.ResourceOptions(
        parent=shelf,
        aliases=[pulumi.Alias(name="guarded-before", parent=pulumi.ROOT_STACK_RESOURCE)],
        ignore_changes=["value"],
        additional_secret_outputs=["arn"],
        delete_before_replace=True,
        custom_timeouts=pulumi.CustomTimeouts(create="5m", delete="1h30m"),
    ),
)

print(f"greeting is {greeting}")
pulumi.log.warn("this is a warning", resource=first)

if config.get_bool("assets"):
    Thing(
        "files",
        name="files",
        value={
            "text": pulumi.StringAsset("hello"),
            "file": pulumi.FileAsset("./shelf.py"),
            "tree": pulumi.AssetArchive({"a.txt": pulumi.StringAsset("a")}),
        },
    )

if config.get("reference"):
    reference = pulumi.StackReference(config.require("reference"))
    pulumi.export("borrowed", reference.get_output("lent"))

if config.get_bool("invoke"):
    found = pulumi.runtime.invoke_output("faultcloud:index:echo", {"value": first.value})
    pulumi.export("echoed", found.apply(lambda result: result["value"]))

if config.get_bool("dynamic"):

    class Doubler(ResourceProvider):
        def create(self, props):
            return CreateResult("doubled", {**props, "twice": props["number"] * 2})

        def update(self, _id, _olds, news):
            return UpdateResult({**news, "twice": news["number"] * 2})

    class Doubled(Resource):
        twice: pulumi.Output[float]

        def __init__(self, name, number, opts=None):
            super().__init__(Doubler(), name, {"number": number, "twice": None}, opts)

    pulumi.export("twice", Doubled("doubled", 21).twice)

if config.get_bool("transforms"):

    def label(args):
        if args.type_ == "faultcloud:index:Object":
            return pulumi.ResourceTransformResult(
                {**args.props, "tags": {"labelled": args.name}},
                pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=False)),
            )
        return None

    pulumi.runtime.register_resource_transform(label)
    Thing("labelled", name="labelled", value=second.value)

pulumi.export("first", first.value)
pulumi.export("token", token)
pulumi.export("names", shelf.names)
