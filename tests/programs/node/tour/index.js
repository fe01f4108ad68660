// A tour of what programs do: config, components, outputs of outputs, secrets, dependencies, stack
// references, invokes, assets and a dynamic provider. Each part can be left out by config.
"use strict";

const pulumi = require("@pulumi/pulumi");

class Thing extends pulumi.CustomResource {
    constructor(name, args, opts) {
        super("faultcloud:index:Object", name, { arn: undefined, ...args }, opts);
    }
}

class Shelf extends pulumi.ComponentResource {
    constructor(name, words, opts) {
        super("tour:index:Shelf", name, {}, opts);
        this.things = words.map(
            (word) => new Thing(`${name}-${word}`, { name: `${name}-${word}`, value: word }, { parent: this }),
        );
        this.names = pulumi.all(this.things.map((thing) => thing.name)).apply((names) => names.join(", "));
        this.registerOutputs({ names: this.names });
    }
}

const config = new pulumi.Config();
const greeting = config.require("greeting");
const token = config.requireSecret("token");

const first = new Thing("first", { name: "first", value: greeting });
const second = new Thing("second", {
    name: "second",
    value: first.value.apply((v) => `${v} again`),
    secretValue: token,
});
new Thing(
    "nested",
    {
        name: "nested",
        value: { list: [first.name, { deep: second.value }], flag: true, number: 1.5, none: null },
    },
    { dependsOn: [second] },
);
const shelf = new Shelf("shelf", ["red", "green", "blue"]);
new Thing(
    "guarded",
    { name: shelf.names.apply((names) => names.split(", ")[0] + "-guarded"), value: undefined },
    {
        parent: shelf,
        aliases: [{ name: "guarded-before", parent: pulumi.rootStackResource }],
        ignoreChanges: ["value"],
        additionalSecretOutputs: ["arn"],
        deleteBeforeReplace: true,
        customTimeouts: { create: "5m", delete: "1h30m" },
    },
);

console.log(`greeting is ${greeting}`);
pulumi.log.warn("this is a warning", first);

if (config.getBoolean("assets")) {
    new Thing("files", {
        name: "files",
        value: {
            text: new pulumi.asset.StringAsset("hello"),
            file: new pulumi.asset.FileAsset("./package.json"),
            tree: new pulumi.asset.AssetArchive({ "a.txt": new pulumi.asset.StringAsset("a") }),
        },
    });
}

if (config.get("reference")) {
    const reference = new pulumi.StackReference(config.require("reference"));
    exports.borrowed = reference.getOutput("lent");
}

if (config.getBoolean("invoke")) {
    const found = pulumi.runtime.invokeOutput("faultcloud:index:echo", { value: first.value });
    exports.echoed = found.apply((result) => result.value);
}

if (config.getBoolean("dynamic")) {
    const doubler = {
        async create(props) {
            return { id: "doubled", outs: { ...props, twice: props.number * 2 } };
        },
        async update(_id, _olds, news) {
            return { outs: { ...news, twice: news.number * 2 } };
        },
    };
    class Doubled extends pulumi.dynamic.Resource {
        constructor(name, number, opts) {
            super(doubler, name, { number, twice: undefined }, opts);
        }
    }
    exports.twice = new Doubled("doubled", 21).twice;
}

if (config.getBoolean("transforms")) {
    new Thing(
        "labelled",
        { name: "labelled", value: second.value },
        {
            transforms: [
                (args) => ({ props: { ...args.props, tags: { labelled: args.name } }, opts: args.opts }),
            ],
        },
    );
}

exports.first = first.value;
exports.token = token;
exports.names = shelf.names;
