"""A minimal program: it reads a configuration value and exports it."""

import pulumi

config = pulumi.Config()
name = config.get("name") or "world"

pulumi.export("greeting", f"Hello, {name}!")
