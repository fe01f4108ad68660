import math

import pulumi


class Object(pulumi.CustomResource):
    arn: pulumi.Output[str]
    value: pulumi.Output

    def __init__(self, name, value, opts=None, **more):
        props = {"value": value, "arn": None, "generation": None, "size": None, "secretOutput": None, **more}
        super().__init__("faultcloud:index:Object", name, props, opts)


nulls = Object("nulls", {"a": None, "b": [None, {"c": None}], "d": {"e": None, "f": 1}})
floats = Object(
    "floats",
    {
        "infinity": math.inf,
        "minus": -math.inf,
        "nan": math.nan,
        "zero": -0.0,
        "tiny": 5e-324,
        "large": 1.7976931348623157e308,
        "long": 2**63,
    },
)
secrets = Object(
    "secrets",
    {
        "null": pulumi.Output.secret(None),
        "object": pulumi.Output.secret({"a": None, "b": pulumi.Output.secret("inner")}),
        "text": pulumi.Output.secret("żółć"),
        "asset": pulumi.Output.secret(pulumi.StringAsset("hidden")),
    },
)
assets = Object(
    "assets",
    {
        "text": pulumi.StringAsset("text"),
        "file": pulumi.FileAsset("__main__.py"),
        "archive": pulumi.AssetArchive(
            {"a/b.txt": pulumi.StringAsset("b"), "c": pulumi.AssetArchive({"d": pulumi.FileAsset("Pulumi.yaml")})}
        ),
    },
)
chained = Object("chained", [nulls, {"of": floats}, assets.arn], tags={"a": "b"})

pulumi.export("nulls", {"a": None, "b": [None]})
pulumi.export("none", None)
pulumi.export("secret", pulumi.Output.secret({"a": [1, None]}))
pulumi.export("asset", pulumi.StringAsset("exported"))
pulumi.export("resource", nulls)
pulumi.export("numbers", [1, -1, 1.5, 1e21, 0])
