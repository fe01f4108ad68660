"""Rules about objects of the test cloud. What they are about is in the name of each."""

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ResourceValidationPolicy,
    StackValidationPolicy,
)

OBJECT = "faultcloud:index:Object"


def knows_the_stack(args, report):
    """Says what a pack knows of the operation."""
    if args.resource_type == OBJECT:
        region = pulumi.Config("shop").get("region")
        report(f"{pulumi.get_project()}/{pulumi.get_stack()} in {region}, preview: {pulumi.runtime.is_dry_run()}")


def no_secret_in_clear(args, report):
    """Objects keep their secrets: policies see them, and don't have to repeat them."""
    if args.resource_type == OBJECT and args.props.get("secretValue") == "weak":
        report("the secret is weak")


def strong_secret(args):
    """Writes a new bag by hand, without any mark of what is secret."""
    if args.resource_type == OBJECT and args.props.get("secretValue") == "mend me":
        return {**args.props, "secretValue": " ".join(["stronger", "than", "before"])}
    return None


def at_least_one(args, report):
    """There is at least one object."""
    if not any(resource.resource_type == OBJECT for resource in args.resources):
        report("there is no object")


PolicyPack(
    name="rules-in-python",
    enforcement_level=EnforcementLevel.ADVISORY,
    policies=[
        ResourceValidationPolicy(
            name="knows-the-stack",
            description="Packs know the stack.",
            validate=knows_the_stack,
        ),
        ResourceValidationPolicy(
            name="no-weak-secret",
            description="Secrets are strong.",
            enforcement_level=EnforcementLevel.MANDATORY,
            validate=no_secret_in_clear,
        ),
        ResourceValidationPolicy(
            name="strong-secret",
            description="Secrets are made stronger.",
            enforcement_level=EnforcementLevel.REMEDIATE,
            remediate=strong_secret,
        ),
        StackValidationPolicy(
            name="at-least-one",
            description="A stack has an object.",
            enforcement_level=EnforcementLevel.MANDATORY,
            validate=at_least_one,
        ),
    ],
)
