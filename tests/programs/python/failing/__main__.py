"""Fails in a function of its own, so that the trace has something to show."""

import sys

import pulumi


def explode():
    raise ValueError("the fuse was lit")


pulumi.ComponentResource("tour:index:Shelf", "before", None, None)
print("about to fail", file=sys.stderr)
explode()
