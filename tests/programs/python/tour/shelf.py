"""Resources of the test provider, as small classes of our own."""

from typing import Any

import pulumi


class Thing(pulumi.CustomResource):
    """A thing in the test cloud."""

    name: pulumi.Output[str]
    value: pulumi.Output[Any]
    secret_value: pulumi.Output[str]

    def __init__(self, resource_name, name=None, value=None, secret_value=None, opts=None):
        super().__init__(
            "faultcloud:index:Object",
            resource_name,
            {"name": name, "value": value, "secretValue": secret_value, "arn": None},
            opts,
        )

    def translate_output_property(self, prop):
        return "secret_value" if prop == "secretValue" else prop


class Shelf(pulumi.ComponentResource):
    """A component with one thing for each word."""

    def __init__(self, name, words, opts=None):
        super().__init__("tour:index:Shelf", name, None, opts)
        self.things = [
            Thing(f"{name}-{word}", name=f"{name}-{word}", value=word, opts=pulumi.ResourceOptions(parent=self))
            for word in words
        ]
        self.names = pulumi.Output.all(*[thing.name for thing in self.things]).apply(", ".join)
        self.register_outputs({"names": self.names})
