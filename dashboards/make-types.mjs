/** Writes static/js/api-types.d.ts from the API's OpenAPI document: `node make-types.mjs [FILE or URL]`, else the service's own code is asked. */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const OUT = new URL("static/js/api-types.d.ts", import.meta.url);
const PYTHON = process.env.PYTHON ?? new URL("../.venv/bin/python", import.meta.url).pathname;
const ASK = `
import json, pathlib
from service.api.app import make_app
from service.api.settings import ApiSettings
app = make_app(ApiSettings(store_url="sqlite://", home=pathlib.Path("."), roots=(pathlib.Path("."),)))
print(json.dumps(app.openapi()))
`;

const source = process.argv[2];
const text =
  source === undefined
    ? execFileSync(PYTHON, ["-c", ASK], { cwd: new URL("..", import.meta.url), encoding: "utf8", maxBuffer: 1 << 26 })
    : source.startsWith("http")
      ? await (await fetch(source)).text()
      : readFileSync(source, "utf8");
const types = astToString(await openapiTS(JSON.parse(text), { alphabetize: true }));
writeFileSync(OUT, `/** Made by \`npm run types\` from the API's OpenAPI document. */\n\n${types}`);
