/**
 * Makes the vendored echarts.charts.min.js: of ECharts' own modules, those that the pages draw with, two fifths smaller than
 * all of it. `node make-echarts.mjs` writes it and its hash into the lock; `--check` fails where what is there is another.
 */

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { buildSync } from "esbuild";

const FOLDER = new URL("../service/static/vendor/echarts-6.1.0/", import.meta.url);
const FILE = "echarts.charts.min.js";
const CHARTS = ["CustomChart", "LineChart", "ParallelChart", "ScatterChart"];
const COMPONENTS = [
  "AxisPointerComponent",
  "BrushComponent",
  "DataZoomComponent",
  "GridComponent",
  "MarkLineComponent",
  "ParallelComponent",
  "ToolboxComponent",
  "TooltipComponent",
];
const ENTRY = `
import { use } from "echarts/core";
import { ${CHARTS} } from "echarts/charts";
import { ${COMPONENTS} } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
use([${[...CHARTS, ...COMPONENTS]}, CanvasRenderer]);
export { connect, disconnect, dispose, getInstanceByDom, init } from "echarts/core";
`;
const BANNER = "/* Of Apache ECharts 6.1.0, Apache-2.0: see LICENSE, NOTICE and licenses/ beside this file. */";

const built = buildSync({
  stdin: { contents: ENTRY, resolveDir: new URL(".", import.meta.url).pathname },
  bundle: true,
  minify: true,
  write: false,
  format: "iife",
  globalName: "echarts",
  legalComments: "none",
  banner: { js: BANNER },
}).outputFiles[0].contents;

if (process.argv.includes("--check")) {
  if (!readFileSync(new URL(FILE, FOLDER)).equals(built)) {
    throw new Error(`${FILE} is not what ECharts' modules give; make it again with \`npm run echarts\``);
  }
} else {
  writeFileSync(new URL(FILE, FOLDER), built);
  const lock = JSON.parse(readFileSync(new URL("lock.json", FOLDER), "utf8"));
  lock.sha256[FILE] = createHash("sha256").update(built).digest("hex");
  writeFileSync(new URL("lock.json", FOLDER), `${JSON.stringify(lock, null, 2)}\n`);
}
