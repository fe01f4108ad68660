"""As many resources as config asks for, all independent of each other."""

import pulumi


class Thing(pulumi.CustomResource):
    def __init__(self, name, value):
        super().__init__("faultcloud:index:Object", name, {"name": name, "value": value})


config = pulumi.Config()
for number in range(config.require_int("count")):
    Thing(f"thing-{number}", f"value {number}")
