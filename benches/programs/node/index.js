// As many independent resources as config asks for, each with one property of 300 bytes.
"use strict";

const pulumi = require("@pulumi/pulumi");

const config = new pulumi.Config();
const provider = config.require("provider");

class Thing extends pulumi.CustomResource {
    constructor(number) {
        const name = `thing-${number}`;
        const payload = String(number).padStart(300, "0");
        if (provider === "random") {
            super("random:index/randomString:RandomString", name, { length: 8, keepers: { payload } });
        } else {
            super("faultcloud:index:Object", name, { name, value: payload });
        }
    }
}

const count = config.requireNumber("count");
for (let number = 0; number < count; number++) {
    new Thing(number);
}
