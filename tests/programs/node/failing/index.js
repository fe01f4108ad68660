// Throws in a function of its own, so that the trace has something to show.
"use strict";

const pulumi = require("@pulumi/pulumi");

function explode() {
    throw new Error("the fuse was lit");
}

new pulumi.ComponentResource("tour:index:Shelf", "before", {});
console.error("about to fail");
explode();
