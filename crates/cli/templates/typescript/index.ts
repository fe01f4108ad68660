import * as pulumi from "@pulumi/pulumi";

// Reads a configuration value and exports it.
const config = new pulumi.Config();
const name = config.get("name") || "world";

export const greeting = `Hello, ${name}!`;
