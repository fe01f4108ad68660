// Rules about objects of the test cloud. What they are about is in the name of each.
const { PolicyPack } = require("@pulumi/policy");

const OBJECT = "faultcloud:index:Object";

new PolicyPack("rules-in-node", {
    enforcementLevel: "advisory",
    policies: [
        {
            name: "no-forbidden-value",
            description: "Objects don't hold what is forbidden.",
            enforcementLevel: "mandatory",
            severity: "high",
            configSchema: { properties: { forbidden: { type: "string", default: "forbidden" } } },
            validateResource: (args, report) => {
                if (args.type === OBJECT && args.props.value === args.getConfig().forbidden) {
                    report(`${args.name} holds '${args.props.value}'`);
                }
            },
        },
        {
            name: "values-are-short",
            description: "Values are short.",
            validateResource: (args, report) => {
                if (args.type === OBJECT && `${args.props.value}`.length > 10) {
                    report(`${args.name} has a long value`);
                }
            },
        },
        {
            name: "objects-have-an-owner",
            description: "Objects are tagged with their owner.",
            enforcementLevel: "remediate",
            remediateResource: (args) => {
                if (args.type !== OBJECT || (args.props.tags && args.props.tags.owner)) {
                    return undefined;
                }
                args.props.tags = { ...args.props.tags, owner: "nobody" };
                return args.props;
            },
        },
        {
            name: "few-objects",
            description: "A stack has few objects.",
            enforcementLevel: "mandatory",
            configSchema: { properties: { most: { type: "integer", minimum: 1, default: 3 } } },
            validateStack: (args, report) => {
                const objects = args.resources.filter((resource) => resource.isType !== undefined && resource.type === OBJECT);
                if (objects.length > args.getConfig().most) {
                    report(`${objects.length} objects are too many`);
                }
            },
        },
        {
            name: "objects-follow-each-other",
            description: "Objects that others were made from come first.",
            validateStack: (args, report) => {
                for (const resource of args.resources.filter((one) => one.type === OBJECT)) {
                    for (const other of resource.dependencies) {
                        report(`${resource.name} was made after ${other.name} (${other.props.arn ? "made" : "not made"})`, resource.urn);
                    }
                }
            },
        },
    ],
});
