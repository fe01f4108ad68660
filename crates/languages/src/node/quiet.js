// Loaded before the SDK, to keep it from doing what is of no use unless debug output was asked for.
"use strict";

const Module = require("module");
const path = require("path");

const SDK = path.join("@pulumi", "pulumi");

const CHANGES = {
    // Each debug message goes to the engine, which drops it, in a call of its own.
    [path.join(SDK, "log", "index.js")]: (log) => {
        if (typeof log.debug === "function") {
            log.debug = () => Promise.resolve();
        }
    },
    // Each promise gets the text of the stack that made it, for reports of promises that were never
    // settled. The reports name the promises without it, too.
    [path.join(SDK, "runtime", "debuggable.js")]: (debuggable) => {
        const mark = debuggable.debuggablePromise;
        if (typeof mark !== "function" || process.env.PULUMI_DEBUG_PROMISE_LEAKS) {
            return;
        }
        debuggable.debuggablePromise = (promise, context) => {
            const limit = Error.stackTraceLimit;
            Error.stackTraceLimit = 0;
            try {
                return mark(promise, context);
            } finally {
                Error.stackTraceLimit = limit;
            }
        };
    },
};

const load = Module._extensions[".js"];

Module._extensions[".js"] = function (module, filename) {
    load(module, filename);
    for (const [suffix, change] of Object.entries(CHANGES)) {
        if (filename.endsWith(suffix)) {
            change(module.exports);
        }
    }
};
