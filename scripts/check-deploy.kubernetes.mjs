// Holds Kubernetes documents against Kubernetes' types: each becomes an object literal that the TypeScript compiler checks.
// Found are unknown fields, wrong types and missing fields; not found is a wrong word in an enumeration, which those types call a string.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';

/**
 * @typedef {{ configMapRef?: { name: string } }} EnvFrom
 * @typedef {{ env?: { name: string, value?: string }[], envFrom?: EnvFrom[] }} Container
 * @typedef {{ apiVersion: string, kind: string, metadata: { name: string }, data?: Record<string, string>,
 *   spec?: { template?: { spec?: { containers?: Container[] } } } }} KubernetesDocument
 */

const packageFile = createRequire(import.meta.url).resolve('kubernetes-types/package.json');
const typesFolder = dirname(packageFile);
/** @type {{ version: string }} */
const typesPackage = JSON.parse(readFileSync(packageFile, 'utf8'));
export const TYPES_NAME = `kubernetes-types ${typesPackage.version}`;

/** @type {ts.CompilerOptions} */
const options = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  lib: ['lib.es5.d.ts'],
  types: [],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};
/** @type {Map<string, ts.SourceFile | undefined>} */
const parsed = new Map();

/**
 * Reads as Kubernetes does, YAML 1.1: a bare `yes` is true there, and no string.
 * @param {string} text
 * @returns {KubernetesDocument[]}
 */
export function readDocuments(text) {
  return parseAllDocuments(text, { version: '1.1' }).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS();
  });
}

/**
 * @param {KubernetesDocument[]} documents
 * @returns {{ problems: string[], unchecked: string[] }} unchecked: names of documents of a kind that Kubernetes itself does not have
 */
export function checkDocuments(documents) {
  const found = documents.map((document) => ({ document, name: nameOf(document), type: typeOf(document) }));
  const typed = found.filter(({ type }) => type !== 'custom' && type !== 'none');
  const text = typed.map(({ document, type }, i) => `const d${i}: ${type} = ${JSON.stringify(document)};`);
  return {
    problems: [
      ...found.filter(({ type }) => type === 'none').map(({ name }) => `${name}: ${TYPES_NAME} has no such kind`),
      ...complaints(text.join('\n')).map(({ at, path, message }) => `${typed[at]?.name} ${path}: ${message}`),
    ],
    unchecked: found.filter(({ type }) => type === 'custom').map(({ name }) => name),
  };
}

/**
 * What the first container of every Deployment has in its environment, from ConfigMaps and from `env`.
 * @param {KubernetesDocument[]} documents
 */
export function environmentOf(documents) {
  /** @type {Record<string, string>} */
  const environment = {};
  for (const { kind, spec } of documents) {
    const [container] = kind === 'Deployment' ? (spec?.template?.spec?.containers ?? []) : [];
    for (const { configMapRef } of container?.envFrom ?? []) {
      const map = documents.find((other) => other.kind === 'ConfigMap' && other.metadata.name === configMapRef?.name);
      Object.assign(environment, map?.data);
    }
    for (const { name, value } of container?.env ?? []) environment[name] = value ?? '';
  }
  return environment;
}

/** @param {KubernetesDocument} document */
function nameOf({ apiVersion, kind, metadata }) {
  return `${apiVersion} ${kind}/${metadata.name}`;
}

/**
 * The TypeScript type of a document; `none` where its group is one of Kubernetes' own but has no such version or kind,
 * `custom` where a CustomResourceDefinition must have brought the group (only those have a dot and are not declared here).
 * @param {KubernetesDocument} document
 */
function typeOf({ apiVersion, kind }) {
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  const folder = join(typesFolder, group === '' ? 'core' : (group.split('.')[0] ?? ''));
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const declares = (/** @type {string} */ file, /** @type {RegExp} */ what) =>
    files.includes(file) && what.test(readFileSync(join(folder, file), 'utf8'));
  const anyOfGroup = new RegExp(`apiVersion\\?: "${group}/`);
  if (group.includes('.') && !files.some((file) => declares(file, anyOfGroup))) return 'custom';
  const declaration = new RegExp(`interface ${kind} \\{[^}]*apiVersion\\?: "${apiVersion}"`);
  return declares(`${version}.d.ts`, declaration) ? `import(${JSON.stringify(join(folder, version))}).${kind}` : 'none';
}

/** @param {string} text statements, one a document */
function complaints(text) {
  const file = join(typesFolder, 'documents-to-check.ts');
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...rest) => {
    if (name === file) return ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
    if (!parsed.has(name)) parsed.set(name, read(name, ...rest));
    return parsed.get(name);
  };
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const source = program.getSourceFile(file);
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ').replace(/\s+/g, ' ');
    if (source === undefined || diagnostic.file !== source) throw new Error(message);
    const start = diagnostic.start ?? 0;
    return { at: source.statements.findIndex(({ end }) => start < end), path: pathAt(source, start), message };
  });
}

/** @param {ts.SourceFile} source @param {number} position @returns {string} as in `spec.ports[0].port` */
function pathAt(source, position) {
  let path = '';
  const visit = (/** @type {ts.Node} */ node) => {
    if (position < node.getStart(source) || position >= node.end) return;
    if (ts.isPropertyAssignment(node)) path += `.${node.name.getText(source).slice(1, -1)}`;
    if (ts.isArrayLiteralExpression(node.parent))
      path += `[${node.parent.elements.findIndex((each) => each === node)}]`;
    ts.forEachChild(node, visit);
  };
  source.statements.forEach(visit);
  return path.slice(1);
}
