// A program in TypeScript: one component and what it makes of config.
import * as pulumi from "@pulumi/pulumi";

interface BoxArgs {
    label: pulumi.Input<string>;
}

class Box extends pulumi.ComponentResource {
    public readonly label: pulumi.Output<string>;

    constructor(name: string, args: BoxArgs, opts?: pulumi.ComponentResourceOptions) {
        super("typed:index:Box", name, {}, opts);
        this.label = pulumi.output(args.label).apply((label) => label.toUpperCase());
        this.registerOutputs({ label: this.label });
    }
}

const config = new pulumi.Config();
export const label = new Box("box", { label: config.require("greeting") }).label;
