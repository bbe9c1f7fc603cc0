// What TypeScript's own emitter would write for sources, by the projects that list them.
//
//   node outputs.cjs MODULES ROOT < paths, one a line
//
// Answers one JSON document: {path: [output, ...]}. A project is any tsconfig*.json in a folder above the source that
// writes to another folder (`outDir`, `declarationDir`), or one anywhere whose `rootDir` lies above its own folder and
// whose program comes to the source by imports. Nothing is built.
"use strict";
const { readFileSync, readdirSync } = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const [modules, root, ...reaching] = process.argv.slice(2);
const ts = createRequire(path.join(modules, "package.json"))("typescript");

const projects = new Map();

/** The projects whose configuration lies directly in the folder. */
function projectsAt(folder) {
  if (!projects.has(folder)) {
    const names = readdirSync(folder).filter((name) => /^[tj]sconfig.*\.json$/.test(name));
    projects.set(folder, names.map((name) => project(path.join(folder, name))).filter(Boolean));
  }
  return projects.get(folder);
}

function project(file) {
  const text = ts.readConfigFile(file, (name) => readFileSync(name, "utf8"));
  const found = ts.parseJsonConfigFileContent(text.config ?? {}, ts.sys, path.dirname(file), undefined, file);
  const { outDir, declarationDir, noEmit, declaration } = found.options;
  // Where `noEmit` stands, another configuration or the command line lifts it, or nothing is written.
  if (noEmit || !(outDir || (declarationDir && declaration))) return null;
  return { found, listed: new Set(found.fileNames) };
}

/** The projects of the configurations given whose programs take in files of other folders. */
function wideProjects() {
  return reaching.map((name) => path.join(root, name)).flatMap((file) => {
    const wide = project(file);
    const top = wide?.found.options.rootDir;
    if (!top || !path.dirname(file).startsWith(`${top}${path.sep}`)) return [];
    const program = ts.createProgram({ rootNames: wide.found.fileNames, options: { ...wide.found.options, types: [] } });
    const inside = program.getSourceFiles().map((each) => each.fileName).filter((each) => each.startsWith(`${top}/`));
    return [{ found: { ...wide.found, fileNames: inside }, listed: new Set(inside) }];
  });
}

function* outputs(file) {
  for (let folder = path.dirname(file); folder.startsWith(root); folder = path.dirname(folder)) {
    for (const { found, listed } of projectsAt(folder)) {
      if (listed.has(file)) yield* ts.getOutputFileNames(found, file, false);
    }
  }
  for (const { found, listed } of wide) if (listed.has(file)) yield* ts.getOutputFileNames(found, file, false);
}

const wide = wideProjects();

const answers = {};
for (const name of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  try {
    const found = [...outputs(path.join(root, name))].map((each) => path.relative(root, each));
    answers[name] = found.filter((each) => !each.startsWith(".."));
  } catch {
    answers[name] = []; // The compiler refuses sources outside of `rootDir`.
  }
}
process.stdout.write(JSON.stringify(answers));
