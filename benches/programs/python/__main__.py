"""As many independent resources as config asks for, each with one property of 300 bytes."""

import pulumi

config = pulumi.Config()
provider = config.require("provider")


class Thing(pulumi.CustomResource):
    def __init__(self, number):
        name, payload = f"thing-{number}", str(number).rjust(300, "0")
        if provider == "random":
            inputs = {"length": 8, "keepers": {"payload": payload}}
            super().__init__("random:index/randomString:RandomString", name, inputs)
        else:
            super().__init__("faultcloud:index:Object", name, {"name": name, "value": payload})


for number in range(config.require_int("count")):
    Thing(number)
