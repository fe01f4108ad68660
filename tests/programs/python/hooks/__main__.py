"""Hooks of all kinds, which note in `hooks.txt` that they were called. What they do comes from config."""

import pulumi

config = pulumi.Config()


def note(line):
    with open("hooks.txt", "a", encoding="utf-8") as file:
        file.write(line + "\n")


def told(bag):
    return "-" if bag is None else str(bag.get("value"))


def hook(name):
    def called(args):
        bags = [args.old_inputs, args.new_inputs, args.old_outputs, args.new_outputs]
        note(f"{name} {args.name} {' '.join(told(bag) for bag in bags)}")
        if config.get("fails") == name:
            raise ValueError(f"{name} is to fail")

    return pulumi.ResourceHook(name, called)


def failed(args):
    note(f"error {args.name} {args.failed_operation} {len(args.errors)}")
    return config.get_bool("again") or False


names = ["before_create", "after_create", "before_update", "after_update", "before_delete", "after_delete"]
binding = pulumi.ResourceHookBinding(
    **{name: [hook(name)] for name in names}, on_error=[pulumi.ErrorHook("failed", failed)]
)


class Thing(pulumi.CustomResource):
    def __init__(self, name, value, opts=None):
        super().__init__("faultcloud:index:Object", name, {"name": name, "value": value}, opts)


if config.get("value"):
    Thing("thing", config.require("value"), pulumi.ResourceOptions(hooks=binding))
