"""A shape of a parameterized package, registered as generated SDKs do it."""

import pulumi
from pulumi.runtime.proto import resource_pb2


async def package():
    """The reference of the package, which the engine gives out."""
    request = resource_pb2.RegisterPackageRequest(
        name="shapecloud",
        version="1.0.0",
        parameterization=resource_pb2.Parameterization(name="circles", version="2.1.0", value=b"round"),
    )
    return pulumi.runtime.settings.get_monitor().RegisterPackage(request).ref


class Shape(pulumi.CustomResource):
    def __init__(self, name, value):
        super().__init__("circles:index:Shape", name, {"value": value, "kind": None}, None, package_ref=package())


shape = Shape("first", pulumi.Config().get("value") or "small")
asked = pulumi.runtime.invoke_output("circles:index:kindOf", {}, package_ref=package())
pulumi.export("kind", asked.apply(lambda answer: answer["kind"]))
