import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import {
  parse,
  readImports,
  readText,
  repositoryFiles,
  root,
  visit,
} from './support/source-reader.js';

const NOTHING = /^$/;

/** Room → what may be imported there, and of what further the types. The first room that fits counts. */
// prettier-ignore
const ROOMS: ReadonlyArray<readonly [room: RegExp, mayImport: RegExp, types?: RegExp]> = [
  [/^src\/errors\.ts$/,        NOTHING],
  [/^src\/ports\//,            NOTHING, /^src\/(ports\/|errors\.ts)/],
  [/^src\/oauth\//,            /^src\/(oauth\/|errors\.ts)/, /^src\/(ports\/|api\/request\.ts)/],
  [/^src\/http\//,             /^src\/(http\/|errors\.ts)/, /^src\/ports\//],
  [/^src\/api\//,              /^src\/((api|http|oauth)\/|errors\.ts)/, /^src\/ports\//],
  // One file a platform; what it cannot hold is in a folder of its name.
  [/^src\/providers\/([\w-]+)/, /^src\/((oauth|api|http|providers\/SELF)\/|errors\.ts)/, /^src\/ports\//],
  [/^src\/session\//,          /^src\/((session|oauth|http|api)\/|errors\.ts)/, /^src\/ports\//],
  [/^src\/plugins\//,          /^src\/((plugins|session|oauth|http)\/|errors\.ts)/, /^src\/ports\//],
  [/^src\/sandbox\//,          /^src\/((sandbox|oauth)\/|errors\.ts)|^@noble\/hashes\//, /^src\/ports\//],
  [/^src\/index\.ts$/,         /^src\//],
  [/^adapters\/web\//,         /^src\/errors\.ts|^adapters\/web\/|^@noble\/hashes\//, /^src\/ports\//],
  // Also the only one with Node's modules. What a program without a proxy or keychain need not load
  // (open, undici, keyring) is imported when it is used.
  [/^adapters\/(node)\//,      /^src\/errors\.ts|^adapters\/(web|SELF)\/|^node:|^(open|undici|@napi-rs\/keyring)$/, /^src\/(ports|sandbox)\//],
  // What a bare engine lacks comes from packages, which the build puts into its entry.
  [/^adapters\/(engine)\//,    /^src\/errors\.ts|^adapters\/(web|SELF)\/|^@noble\/hashes\/|^whatwg-url$|^@exodus\/bytes\//, /^src\/ports\//],
  // A panel and its host know the protocol and a channel between them, and neither knows the other.
  [/^adapters\/webview\/(protocol)\//, /^src\/errors\.ts|^adapters\/(web|webview\/SELF)\//, /^src\/(ports|session|api)\//],
  [/^adapters\/webview\/(channels|panel|host)\//, /^src\/errors\.ts|^adapters\/(web|webview\/(SELF|protocol))\//, /^src\/(ports|session|api)\/|^adapters\/webview\/channels\/channel\.ts/],
  // Tokens rest in memory where nothing else was asked for. A panel and an element show the states of a session.
  [/^adapters\/([\w-]+)\//,    /^src\/(errors|session\/(memory-store|paste-user-agent))\.ts|^adapters\/(web|SELF)\/|^idb-keyval$|^@noble\/hashes\//, /^src\/(ports|session|api)\//],
  // The stage is what all samples play on; nobody copies it.
  [/^samples\/(quickjs-add-in)\//, /^mortise(\/[\w/-]+)?$|^node:|^samples\/(SELF|stage)\/|^quickjs-emscripten$/],
  [/^samples\/([\w-]+)\//,     /^mortise(\/[\w/-]+)?$|^node:|^samples\/(SELF|stage)\//],
];

function wrongImports(path: string, text: string): string[] {
  const found = ROOMS.find(([room]) => room.test(path));
  if (!found) return [`${path} is in no room`];
  const [room, mayImport, types = NOTHING] = found;
  const self = room.exec(path)?.[1] ?? '';
  const allows = (rule: RegExp, to: string) =>
    new RegExp(rule.source.replace('SELF', self)).test(to);
  return readImports(path, text)
    .filter(({ to, kind }) => !allows(mayImport, to) && !(kind === 'type' && allows(types, to)))
    .map(({ to, kind }) => `${path} may not import ${kind === 'type' ? 'types of ' : ''}${to}`);
}

/** Time, chance and ways around the compiler's permit: ECMAScript has them, so tsc lets them pass. */
function wrongWords(path: string, text: string): string[] {
  const found: string[] = [];
  const inCore = path.startsWith('src/');
  const file = parse(path, text);
  const isIdentifier = (node: ts.Node, ...names: string[]) =>
    ts.isIdentifier(node) && names.includes(node.text);
  visit(file, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) found.push('any');
    if (!inCore) return;
    if (ts.isPropertyAccessExpression(node)) {
      if (isIdentifier(node.expression, 'Date') && node.name.text === 'now') found.push('Date.now');
      if (isIdentifier(node.expression, 'Math') && node.name.text === 'random') {
        found.push('Math.random');
      }
    }
    const isDate = ts.isNewExpression(node) || ts.isCallExpression(node);
    if (isDate && isIdentifier(node.expression, 'Date') && !node.arguments?.length) {
      found.push('new Date()');
    }
    if (isIdentifier(node, 'console', 'globalThis', 'eval', 'Function')) {
      const { parent } = node;
      const isName = ts.isPropertyAccessExpression(parent) && parent.name === node;
      if (!isName) found.push(node.getText());
    }
  });
  const silenced = /@ts-(ignore|nocheck|expect-error)/.exec(text);
  if (silenced) found.push(silenced[0]);
  const lines = text.trimEnd().split('\n').length;
  if (lines > 220) found.push(`${lines} lines`);
  return found.map((what) => `${path}: ${what}`);
}

/** What a public repository must not hold. Patterns are put together, so as not to find this file. */
const LEAKS: ReadonlyArray<readonly [what: string, pattern: RegExp]> = [
  ['a path of one machine', new RegExp(`(?<![\\w.:/-])/(${['work', 'root'].join('|')})/`)],
  ['a folder outside the repository', new RegExp(`\\.\\./${'shared'}\\b`)],
  ['a long JWT', /\beyJ[\w-]{15,}\.[\w-]{20,}\.[\w-]{20,}/],
  ['a private key', new RegExp(`-----BEGIN ${'[A-Z ]*'}PRIVATE KEY`)],
  ['a key of a known service', /\b(gh[pousr]_|npm_|xox[abp]-|AKIA|sk_live_)[A-Za-z0-9-]{16,}/],
  ['an address of a package registry', /"resolved": ?"(?!https:\/\/registry\.npmjs\.org\/)/],
];

function leaks(path: string, text: string): string[] {
  return LEAKS.flatMap(([what, pattern]) => (pattern.test(text) ? [`${path} holds ${what}`] : []));
}

const files = repositoryFiles();
const isCode = (path: string) => /\.([cm]?[jt]s|html)$/.test(path);
const library = files.filter((path) => /^(src|adapters)\/.*\.ts$/.test(path));

/** Runs `check` over files; a list, so that a failure names every offender at once. */
function over(paths: readonly string[], check: (path: string, text: string) => string[]): string[] {
  expect(paths.length).toBeGreaterThan(0);
  return paths.flatMap((path) => check(path, readText(path)));
}

describe('the repository', () => {
  test('imports only from the rooms it may', () => {
    const samples = files.filter((path) => path.startsWith('samples/') && isCode(path));
    const compiled = library.filter((path) => path !== 'src/runtime.d.ts');
    expect(over([...compiled, ...samples], wrongImports)).toEqual([]);
  });

  test('has no time, chance, any or long file in the library', () => {
    expect(over(library, wrongWords)).toEqual([]);
  });

  test('holds no secret and no path of a machine', () => {
    expect(over(files, leaks)).toEqual([]);
  });

  test('lets the compiler know what exists in the core', () => {
    const { config } = ts.readConfigFile('tsconfig.json', () => readText('src/tsconfig.json'));
    expect(config.compilerOptions).toEqual({ lib: ['ES2022'], types: [] });
    expect(config.include).toEqual(['.']);
    expect(config.exclude).toEqual([]);
  });

  const hosts = [
    ...new Set(library.flatMap((path) => /^adapters\/([\w-]+)\//.exec(path)?.[1] ?? [])),
  ];
  test.each(hosts)('has an entry and a permit for %s', (host) => {
    const has = (file: string) => existsSync(resolve(root, 'adapters', host, file));
    expect(has('tsconfig.json')).toBe(true);
    expect(has('index.ts')).toBe(host !== 'web');
    expect(['index', 'sandbox', 'providers', 'chunks', 'types', 'package']).not.toContain(host);
  });
});

describe('the rules themselves catch', () => {
  const jwt = ['eyJhbGciOiJIUzI1NiJ9', 'a'.repeat(30), 'b'.repeat(43)].join('.');

  // prettier-ignore
  test.each([
    ['src/errors.ts',             `import './ports/index.js';`],
    ['src/ports/clock.ts',        `import { MortiseError } from '../errors.js';`],
    ['src/ports/clock.ts',        `export * from '../oauth/pkce.js';`],
    ['src/oauth/pkce.ts',         `import { x } from '../session/machine.js';`],
    ['src/oauth/provider.ts',     `import { createApi } from '../api/request.js';`],
    ['src/oauth/provider.ts',     `import { type A, b } from '../api/request.js';`],
    ['src/http/guard.ts',         `import type { A } from '../oauth/provider.js';`],
    ['src/api/retry.ts',          `import type { A } from '../session/machine.js';`],
    ['src/providers/aps.ts',      `import { x } from '../session/session.js';`],
    ['src/providers/aps.ts',      `import { x } from './speckle.js';`],
    ['src/providers/aps.ts',      `import { x } from './speckle/protocol.js';`],
    ['src/session/session.ts',    `import { x } from '../providers/aps.js';`],
    ['src/session/session.ts',    `import { readFile } from 'node:fs';`],
    ['src/session/session.ts',    `const fs = require('fs');`],
    ['src/session/session.ts',    `const fs = await import('node:fs');`],
    ['src/session/session.ts',    `type A = import('../plugins/host.js').A;`],
    ['src/session/session.ts',    `const part = await import(name);`],
    ['src/plugins/host.ts',       `import { x } from '../providers/aps.js';`],
    ['src/sandbox/index.ts',      `import { x } from '../session/session.js';`],
    ['src/index.ts',              `export * from '../adapters/node/index.js';`],
    ['src/utils/left-pad.ts',     ``],
    ['adapters/web/fetch.ts',     `import { x } from '../node/index.js';`],
    ['adapters/web/fetch.ts',     `import { readFile } from 'node:fs';`],
    ['adapters/node/index.ts',    `import { x } from '../browser/index.js';`],
    ['adapters/node/index.ts',    `import { createSandbox } from '../../src/sandbox/index.js';`],
    ['adapters/node/index.ts',    `const x = await import('left-pad');`],
    ['adapters/node/index.ts',    `import { x } from '../../src/session/session.js';`],
    ['adapters/browser/index.ts', `import { x } from '../node/index.js';`],
    ['adapters/webview/panel/a.ts',    `import { x } from '../host/serve-host.js';`],
    ['adapters/webview/host/a.ts',     `import { x } from '../panel/bridge.js';`],
    ['adapters/webview/host/a.ts',     `import { x } from '../channels/sketchup.js';`],
    ['adapters/webview/protocol/a.ts', `import { x } from '../panel/bridge.js';`],
    ['adapters/browser/index.ts', `import { readFile } from 'node:fs';`],
    ['adapters/browser/index.ts', `import type { A } from '../../src/sandbox/index.js';`],
    ['samples/one/main.mjs',      `import { x } from '../../src/index.js';`],
    ['samples/one/main.mjs',      `import { x } from '../two/part.mjs';`],
    ['samples/one/index.html',    `<script type="module">import 'left-pad';</script>`],
  ])('%s: %s', (path, text) => {
    expect(wrongImports(path, text)).not.toEqual([]);
  });

  test.each([
    ['src/a.ts', 'const at = Date.now();'],
    ['src/a.ts', 'const at = new Date().getTime();'],
    ['src/a.ts', 'const at = new Date;'],
    ['src/a.ts', 'const at = Date();'],
    ['src/a.ts', 'const dice = Math.random();'],
    ['src/a.ts', "console.log('here');"],
    ['src/a.ts', 'const f = (globalThis as unknown as { fetch: unknown }).fetch;'],
    ['src/a.ts', "const f = new Function('return this');"],
    ['src/a.ts', "eval('1');"],
    ['adapters/node/a.ts', 'const x = y as any;'],
    ['adapters/node/a.ts', '// @ts-expect-error: not here'],
    ['src/a.ts', '// @ts-ignore'],
  ])('%s: %s', (path, text) => {
    expect(wrongWords(path, text)).not.toEqual([]);
  });

  test('a file past 220 lines', () => {
    expect(wrongWords('src/a.ts', `${'\n'.repeat(219)}let x;`)).toEqual([]);
    expect(wrongWords('src/a.ts', `${'\n'.repeat(220)}let x;`)).not.toEqual([]);
  });

  test.each([
    ['a machine', `see ${['', 'work', 'main'].join('/')}`],
    ['a home', `open("${['', 'root', '.npmrc'].join('/')}")`],
    ['what lies beside', ['..', 'shared', 'design.md'].join('/')],
    ['a token', `Bearer ${jwt}`],
    ['a key', ['-----BEGIN', 'RSA PRIVATE', 'KEY-----'].join(' ')],
    ['a service', `gh${'p'}_${'a1B2'.repeat(9)}`],
    ['a registry', JSON.stringify({ resolved: 'https://mirror.example/left-pad.tgz' })],
  ])('%s', (_, text) => {
    expect(leaks('a.ts', text)).not.toEqual([]);
  });
});
