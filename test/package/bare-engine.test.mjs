// The core where nothing of the web and nothing of Node exists, as in an embedded JavaScript engine.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import vm from 'node:vm';
import ts from 'typescript';
import { bundle } from '../../.ci/bundle.mjs';
import { expectedEntries, specifier } from './package-entries.mjs';

const pure = expectedEntries.filter((entry) => /^\.$|^\.\/(providers\/.*|sandbox)$/.test(entry));

/** ECMAScript and nothing else: no console either, which V8 puts into every context. */
function createBareContext() {
  const context = vm.createContext({}, { codeGeneration: { strings: false, wasm: false } });
  vm.runInContext('delete globalThis.console; delete globalThis.WebAssembly;', context);
  return context;
}

test('the context is bare', () => {
  const names = [
    'URL',
    'TextEncoder',
    'AbortController',
    'setTimeout',
    'fetch',
    'crypto',
    'console',
  ];
  for (const name of names) {
    assert.equal(vm.runInContext(`typeof ${name}`, createBareContext()), 'undefined', name);
  }
});

for (const entry of pure) {
  test(`${specifier(entry)} can be loaded there`, async () => {
    const code = await bundle({ [specifier(entry)]: '*' }, { format: 'iife' });
    const context = createBareContext();
    vm.runInContext(code, context);
    const functions = vm.runInContext(
      'Object.values(bundled).filter((value) => typeof value === "function").length',
      context,
    );
    assert.notEqual(functions, 0);
  });
}

/**
 * The names a program takes from its surroundings, beyond ECMAScript and src/runtime.d.ts. The compiler
 * finds them, as it does in the sources; here also in what is bundled in.
 */
function unknownNames(code) {
  const options = {
    allowJs: true,
    checkJs: true,
    noEmit: true,
    strict: false,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ES2022,
    moduleDetection: ts.ModuleDetectionKind.Force,
    lib: ['lib.es2022.d.ts'],
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => path === 'bundle.js' || fileExists(path);
  host.getSourceFile = (path, ...rest) =>
    path === 'bundle.js'
      ? ts.createSourceFile(path, code, ts.ScriptTarget.ES2022, true)
      : getSourceFile(path, ...rest);
  const program = ts.createProgram(['bundle.js', 'src/runtime.d.ts'], options, host);
  const texts = program
    .getSemanticDiagnostics(program.getSourceFile('bundle.js'))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  return texts.flatMap((text) => /^Cannot find name '(.*?)'/.exec(text)?.[1] ?? []);
}

test('a name of a host would be noticed', () => {
  const code = `
    const crypto = { window: 'open', module() {} };
    export const x = [fetch, window.document, process, require, Buffer, setTimeout];
    export const y = [crypto.window, new URL('a:b'), Math.PI, localStorage, document];`;
  const names = 'fetch window process require Buffer setTimeout localStorage document';
  assert.deepEqual(unknownNames(code), names.split(' '));
});

for (const entry of pure) {
  test(`${specifier(entry)} names nothing of a host`, async () => {
    assert.deepEqual(unknownNames(await bundle({ [specifier(entry)]: '*' })), []);
  });
}
