"""A program with an old SDK: it knows no way to wait for the end of the run, asks for features one by
one, and takes no list of failures."""

import pulumi


class Thing(pulumi.CustomResource):
    def __init__(self, name, value, opts=None):
        super().__init__("faultcloud:index:Object", name, {"name": name, "value": value, "arn": None}, opts)


config = pulumi.Config()
first = Thing("first", config.require_secret("word"))
names = config.get("names") or "second"
for name in names.split(","):
    Thing(
        name,
        first.arn,
        pulumi.ResourceOptions(depends_on=[first], aliases=[pulumi.Alias(name="second")] if name == "renamed" else None),
    )
pulumi.export("arn", first.arn)
