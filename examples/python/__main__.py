"""A team of names: a component with a child for each member, and a secret."""

import pulumi
import pulumi_random as random

words = pulumi.Config().require_int("words")


class Team(pulumi.ComponentResource):
    def __init__(self, name, size):
        super().__init__("example:index:Team", name)
        mine = pulumi.ResourceOptions(parent=self)
        members = [random.RandomPet(f"{name}-{n}", length=words, opts=mine) for n in range(size)]
        self.names = pulumi.Output.all(*[member.id for member in members])
        self.register_outputs({"names": self.names})


team = Team("team", 3)
password = random.RandomPassword("password", length=20, special=False)

pulumi.export("names", team.names)
pulumi.export("password", password.result)
