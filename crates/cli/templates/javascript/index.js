"use strict";
const pulumi = require("@pulumi/pulumi");

// Reads a configuration value and exports it.
const config = new pulumi.Config();
const name = config.get("name") || "world";

exports.greeting = `Hello, ${name}!`;
