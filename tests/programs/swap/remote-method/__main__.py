import pulumi


class Group(pulumi.ComponentResource):
    names: pulumi.Output
    secretJoin: pulumi.Output

    def __init__(self, name, count, opts=None):
        props = {"count": count, "value": name, "names": None, "secretJoin": None}
        super().__init__("faultcloud:index:Group", name, props, opts, remote=True)

    def describe(self, prefix):
        return pulumi.runtime.call(
            "faultcloud:index:Group/describe", {"__self__": self, "prefix": prefix}, res=self
        )


class Object(pulumi.CustomResource):
    def __init__(self, name, value, opts=None):
        super().__init__("faultcloud:index:Object", name, {"value": value}, opts)


group = Group("group", 3)
answer = group.describe("members: ")
user = Object("user", answer)
found = pulumi.runtime.invoke_output("faultcloud:index:lookup", {"name": group.names[0]})
echoed = pulumi.runtime.invoke_output("faultcloud:index:secretEcho", {"value": group.names})

pulumi.export("answer", answer)
pulumi.export("found", found.apply(lambda f: f["arn"]))
pulumi.export("echoed", echoed)
pulumi.export("join", group.secretJoin)
