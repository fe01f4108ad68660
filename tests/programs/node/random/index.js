"use strict";
// Values of the random package through its official SDK.
const random = require("@pulumi/random");

const text = new random.RandomString("text", { length: 12, special: false });
const password = new random.RandomPassword("password", { length: 20, keepers: { text: text.result } });
const number = new random.RandomInteger("number", { min: 5, max: 9 });

exports.text = text.result;
exports.password = password.result;
exports.number = number.result;
