// Makes a container in Azurite: port, account, key, name.
const [port, account, key, container] = process.argv.slice(1);
const http = require("node:http"), crypto = require("node:crypto");
const date = new Date().toUTCString(), version = "2021-12-02";
const target = `/${account}/${container}?restype=container`;
const text = ["PUT", "", "", "", "", "", "", "", "", "", "", "", `x-ms-date:${date}`, `x-ms-version:${version}`,
  `/${account}/${account}/${container}`, "restype:container"].join("\n");
const signature = crypto.createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
const headers = { "x-ms-date": date, "x-ms-version": version, "content-length": 0,
  authorization: `SharedKey ${account}:${signature}` };
http.request({ host: "127.0.0.1", port, method: "PUT", path: target, headers }, (answer) => {
  answer.on("data", (data) => process.stderr.write(data));
  process.exitCode = answer.statusCode === 201 ? 0 : 1;
}).end();
