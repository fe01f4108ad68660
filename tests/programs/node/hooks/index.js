// Hooks of all kinds, which note in `hooks.txt` that they were called. What they do comes from config.
"use strict";

const fs = require("fs");
const pulumi = require("@pulumi/pulumi");

const config = new pulumi.Config();
const note = (line) => fs.appendFileSync("hooks.txt", `${line}\n`);
const told = (bag) => (bag === undefined ? "-" : String(bag.value));

function hook(name) {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return new pulumi.ResourceHook(snake, async (args) => {
        const bags = [args.oldInputs, args.newInputs, args.oldOutputs, args.newOutputs];
        note(`${snake} ${args.name} ${bags.map(told).join(" ")}`);
        if (config.get("fails") === snake) {
            throw new Error(`${snake} is to fail`);
        }
    });
}

const failed = new pulumi.ErrorHook("failed", async (args) => {
    note(`error ${args.name} ${args.failedOperation} ${args.errors.length}`);
    return config.getBoolean("again") || false;
});

const hooks = { onError: [failed] };
for (const name of ["beforeCreate", "afterCreate", "beforeUpdate", "afterUpdate", "beforeDelete", "afterDelete"]) {
    hooks[name] = [hook(name)];
}

class Thing extends pulumi.CustomResource {
    constructor(name, value, opts) {
        super("faultcloud:index:Object", name, { name, value }, opts);
    }
}

if (config.get("value")) {
    new Thing("thing", config.require("value"), { hooks });
}
