// As many resources as config asks for, all independent of each other.
"use strict";

const pulumi = require("@pulumi/pulumi");

class Thing extends pulumi.CustomResource {
    constructor(name, value) {
        super("faultcloud:index:Object", name, { name, value });
    }
}

const count = new pulumi.Config().requireNumber("count");
for (let number = 0; number < count; number++) {
    new Thing(`thing-${number}`, `value ${number}`);
}
