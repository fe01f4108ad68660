// A shape of a parameterized package, registered as generated SDKs do it.
"use strict";

const pulumi = require("@pulumi/pulumi");
const proto = require("@pulumi/pulumi/proto/resource_pb");
const { getMonitor } = require("@pulumi/pulumi/runtime/settings");

// The reference of the package, which the engine gives out.
function packageReference() {
    const parameterization = new proto.Parameterization();
    parameterization.setName("circles");
    parameterization.setVersion("2.1.0");
    parameterization.setValue(Buffer.from("round").toString("base64"));
    const request = new proto.RegisterPackageRequest();
    request.setName("shapecloud");
    request.setVersion("1.0.0");
    request.setParameterization(parameterization);
    return new Promise((resolve, reject) => {
        getMonitor().registerPackage(request, (error, answer) => (error ? reject(error) : resolve(answer.getRef())));
    });
}

class Shape extends pulumi.CustomResource {
    constructor(name, args) {
        super("circles:index:Shape", name, { kind: undefined, ...args }, {}, false, packageReference());
    }
}

new Shape("first", { value: new pulumi.Config().get("value") || "small" });
exports.kind = pulumi
    .output(pulumi.runtime.invoke("circles:index:kindOf", {}, {}, packageReference()))
    .apply((answer) => answer.kind);
