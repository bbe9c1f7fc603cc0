// What TypeScript's own parser and resolver, or oxc-resolver, say of files.
//
//   node driver.cjs MODULES ROOT typescript|oxc < paths, one a line
//
// Answers one JSON document: {"files": {path: [[specifier, line, resolved or null], ...]}, "unread": {path: reason}}.
// A file belongs to the nearest tsconfig.json or jsconfig.json upward that includes it, itself or by a project that it
// references, else to the nearest. Where none says how modules are resolved, they are as for a bundler, which is
// TypeScript 6's default, and for Node.js. JavaScript counts whether or not `allowJs` is set.
"use strict";
const { readFileSync, realpathSync, existsSync } = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const [modules, root, authority] = process.argv.slice(2);
const load = createRequire(path.join(modules, "package.json"));
const ts = load("typescript");

// What the compiler adds; what bundlers add is tried where that leads nowhere.
const COMPILED = [".ts", ".tsx", ".d.ts", ".js", ".jsx"];
const BUNDLED = [".mts", ".cts", ".mjs", ".cjs", ".json", ".vue", ".svelte", ".astro"];
const MOCKS = new Set(
  ["mock", "doMock", "unmock", "dontMock", "doUnmock", "deepUnmock", "setMock", "requireActual", "requireMock"].concat(
    ["importActual", "importMock", "createMockFromModule", "genMockFromModule", "unstable_mockModule", "unstable_unmockModule"]),
);

const inside = (file) => {
  const relative = path.relative(root, file);
  return relative.startsWith("..") ? null : relative;
};

// ---------------------------------------------------------------------------------------------------------------------
// What a file names

/** [node, specifier, how] of every import construct; `how` is import, require, path or types. */
function imports(file) {
  const found = [];
  const javascript = /\.[cm]?jsx?$/.test(file.fileName);
  const add = (node, literal, how = "import") => {
    if (literal && ts.isStringLiteralLike(literal)) found.push([node, literal.text, how]);
  };
  const pending = [file];
  while (pending.length) {
    const node = pending.pop();
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node, node.moduleSpecifier);
    else if (node.kind === ts.SyntaxKind.JSDocImportTag) add(node, node.moduleSpecifier);
    else if (ts.isExternalModuleReference(node)) add(node, node.expression, "require");
    else if (ts.isImportTypeNode(node)) add(node, node.argument.literal);
    else if (ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name) && !node.name.text.includes("*")) add(node, node.name);
    else if (ts.isCallExpression(node)) called(node, add);
    ts.forEachChild(node, (child) => void pending.push(child));
    if (javascript && node.jsDoc) pending.push(...node.jsDoc);
  }
  for (const each of file.referencedFiles) found.push([each, each.fileName, "path"]);
  for (const each of file.typeReferenceDirectives) found.push([each, each.fileName, "types"]);
  return found;
}

function called(node, add) {
  const [callee, first] = [node.expression, node.arguments[0]];
  if (callee.kind === ts.SyntaxKind.ImportKeyword) add(node, first);
  else if (ts.isIdentifier(callee) && callee.text === "require") add(node, first, "require");
  else if (ts.isPropertyAccessExpression(callee) && ts.isIdentifier(callee.expression)) {
    const [object, member] = [callee.expression.text, callee.name.text];
    if (object === "require" && member === "resolve") add(node, first, "require");
    if (["jest", "vi", "vitest"].includes(object) && MOCKS.has(member)) add(node, first);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The configuration of a file

const parsed = new Map();
const atFolder = new Map();
const owners = new Map();

function config(file) {
  if (!parsed.has(file)) {
    const text = ts.readConfigFile(file, (name) => readFileSync(name, "utf8"));
    const result = ts.parseJsonConfigFileContent(text.config ?? {}, ts.sys, path.dirname(file), { allowJs: true }, file);
    const options = { ...result.options, allowJs: true, resolveJsonModule: true, preserveSymlinks: false };
    if (options.moduleResolution === undefined && !(options.module >= ts.ModuleKind.Node16 && options.module <= ts.ModuleKind.NodeNext)) {
      options.moduleResolution = ts.ModuleResolutionKind.Bundler;
      options.customConditions = [...(options.customConditions ?? []), "node"];
    }
    const references = (result.projectReferences ?? []).map(ts.resolveProjectReferencePath).filter(existsSync);
    parsed.set(file, { options, names: new Set(result.fileNames), references, cache: cacheOf(options) });
  }
  return parsed.get(file);
}

/** A cache without answers of folders above: where those fail, a script in a node_modules nearer would not be looked for. */
function cacheOf(options) {
  return { ...ts.createModuleResolutionCache(root, (name) => name, options), getFromNonRelativeNameCache: () => undefined };
}

function configAt(folder) {
  if (!atFolder.has(folder)) {
    const found = ["tsconfig.json", "jsconfig.json"].map((name) => path.join(folder, name)).find((file) => existsSync(file));
    atFolder.set(folder, found ?? null);
  }
  return atFolder.get(folder);
}

function owner(config_, file) {
  const seen = new Set([config_]);
  for (const each of seen) {
    const project = config(each);
    if (project.names.has(file)) return project;
    project.references.forEach((reference) => seen.add(reference));
  }
  return null;
}

const bundled = { moduleResolution: ts.ModuleResolutionKind.Bundler, customConditions: ["node"] };
const none = { options: { allowJs: true, resolveJsonModule: true, ...bundled } };

function projectOf(file) {
  let nearest = null;
  for (let folder = path.dirname(file); folder.startsWith(root); folder = path.dirname(folder)) {
    const found = configAt(folder);
    if (!found) continue;
    nearest ??= found;
    const project = owner(found, file);
    if (project) return project;
  }
  return nearest ? config(nearest) : none;
}

// ---------------------------------------------------------------------------------------------------------------------
// Where a specifier leads

function byTypeScript(file, project, specifier, how) {
  if (how === "path") {
    const target = path.resolve(path.dirname(file), specifier);
    return [target, `${target}.ts`, `${target}.tsx`, `${target}.d.ts`].find(ts.sys.fileExists);
  }
  if (how === "types") {
    return ts.resolveTypeReferenceDirective(specifier, file, project.options, ts.sys).resolvedTypeReferenceDirective?.resolvedFileName;
  }
  for (const mode of modes(project.options, how)) {
    const found = ts.resolveModuleName(specifier, file, project.options, ts.sys, project.cache, undefined, mode).resolvedModule;
    const isOther = mode === ts.ModuleKind.CommonJS && how !== "require" && !/^\.\.?(\/|$)/.test(specifier);
    const entered = found?.originalPath ?? found?.resolvedFileName;
    if (found && !(isOther && entered.includes("/node_modules/") && hasExports(entered))) return found.resolvedFileName;
  }
}

/** Whether the package in node_modules that a file lies in has `exports`: these tell the formats of importers apart. */
function hasExports(file) {
  for (let folder = path.dirname(file); path.basename(folder) !== "node_modules"; folder = path.dirname(folder)) {
    const manifest = path.join(folder, "package.json");
    if (existsSync(manifest)) return JSON.parse(readFileSync(manifest, "utf8")).exports !== undefined;
  }
  return false;
}

function modes(options, how) {
  // With a mode, even the old algorithms would look at `exports`.
  if (options.moduleResolution < ts.ModuleResolutionKind.Node16) return [undefined];
  if (how === "require") return [ts.ModuleKind.CommonJS];
  // The format of the importer is not judged: a specifier may leave out what only CommonJS allows.
  return [ts.ModuleKind.ESNext, ts.ModuleKind.CommonJS];
}

function oxcResolvers() {
  const { ResolverFactory } = load("oxc-resolver");
  const options = {
    tsconfig: "auto",
    extensionAlias: {
      ".js": [".ts", ".tsx", ".d.ts", ".js", ".jsx"],
      ".jsx": [".tsx", ".ts", ".d.ts", ".jsx", ".js"],
      ".mjs": [".mts", ".d.mts", ".mjs"],
      ".cjs": [".cts", ".d.cts", ".cjs"],
    },
    mainFields: ["types", "typings", "main", "module"],
    builtinModules: true,
  };
  const of = (syntax) =>
    [COMPILED, [...COMPILED, ...BUNDLED]].map(
      (extensions) => new ResolverFactory({ ...options, extensions, conditionNames: ["types", syntax, "node", "default"] }),
    );
  return { import: of("import"), require: of("require") };
}

const oxc = authority === "oxc" ? oxcResolvers() : null;

function resolve(file, project, specifier, how) {
  if (!oxc || how === "path" || how === "types") return byTypeScript(file, project, specifier, how);
  const [answer] = oxc[how].map((each) => each.resolveFileSync(file, specifier)).sort((one, other) => !one.path - !other.path);
  // It refuses every import beneath a tsconfig that it cannot read, such as one that extends a generated file.
  if (/tsconfig/i.test(answer.error ?? "")) throw new Error(answer.error);
  return answer.path?.replace(/\?.*$/, "");
}

const files = {};
const unread = {};
for (const name of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const file = path.join(root, name);
  try {
    const source = ts.createSourceFile(file, readFileSync(file, "utf8"), { languageVersion: ts.ScriptTarget.Latest, jsDocParsingMode: ts.JSDocParsingMode.ParseAll }, false);
    if (source.parseDiagnostics.length) {
      unread[name] = ts.flattenDiagnosticMessageText(source.parseDiagnostics[0].messageText, " ");
      continue;
    }
    const project = projectOf(file);
    files[name] = imports(source).map(([node, specifier, how]) => {
      const line = source.getLineAndCharacterOfPosition(node.getStart ? node.getStart(source) : node.pos).line + 1;
      const found = resolve(file, project, specifier, how);
      return [specifier, line, found && existsSync(found) ? inside(realpathSync(found)) : null];
    });
  } catch (error) {
    unread[name] = String(error);
  }
}
process.stdout.write(JSON.stringify({ files, unread }));
