import pulumi
import pulumi_random as random

config = pulumi.Config()


class Pair(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("swap:index:Pair", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.left = random.RandomPet(f"{name}-left", length=2, opts=child)
        self.right = random.RandomId(f"{name}-right", byte_length=4, opts=child)
        self.register_outputs({"both": pulumi.Output.concat(self.left.id, self.right.hex)})


text = random.RandomString("text", length=12, special=False, keepers={"k": config.require("keeper")})
password = random.RandomPassword("password", length=20, override_special="!#%")
number = random.RandomInteger("number", min=1, max=1000, keepers={"text": text.result})
uuid = random.RandomUuid("uuid", opts=pulumi.ResourceOptions(depends_on=[number]))
shuffle = random.RandomShuffle("shuffle", inputs=["a", "b", "c"], result_count=2)
pair = Pair("pair")

pulumi.export("text", text.result)
pulumi.export("password", password.result)
pulumi.export("pair", pair.left.id)
pulumi.export("config", config.require_secret("secret"))
