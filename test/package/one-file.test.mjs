// The files that a person puts next to an HTML file, or into a bare engine: one script, which fills the global `Mortise`.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import vm from 'node:vm';
import { parse } from 'acorn';
import { root, run } from '../../.ci/process.mjs';
import { expectedEntries, oneFiles, specifier } from './package-entries.mjs';

const read = (file) => readFileSync(join(root, file), 'utf8');
const hostOf = (file) => /mortise\.(\w+)\./.exec(file)[1];
const isEngine = (file) => hostOf(file) === 'engine';

/** Runs scripts where there is ECMAScript and nothing else; the names they leave, and those in `Mortise`. */
function load(...files) {
  const context = vm.createContext({}, { codeGeneration: { strings: false, wasm: false } });
  vm.runInContext('delete globalThis.console; delete globalThis.WebAssembly;', context);
  const names = () =>
    vm.runInContext('JSON.stringify(Reflect.ownKeys(globalThis).map(String))', context);
  const before = JSON.parse(names());
  for (const file of files) vm.runInContext(read(file), context, { filename: file });
  const added = JSON.parse(names()).filter((name) => !before.includes(name));
  const keys = vm.runInContext('JSON.stringify(Object.keys(Mortise).sort())', context);
  return { added, keys: JSON.parse(keys) };
}

async function namesOf(entries) {
  const modules = await Promise.all(entries.map((entry) => import(specifier(entry))));
  return [...new Set(modules.flatMap((module) => Object.keys(module)))].sort();
}

const providers = expectedEntries.filter((entry) => entry.startsWith('./providers/'));

test('there is one for a browser, a web view, the element and a bare engine', () => {
  const hosts = ['browser', 'webview', 'element', 'engine'];
  const built = hosts.filter((host) => expectedEntries.includes(`./${host}`));
  assert.deepEqual(oneFiles.map(hostOf).sort(), built.sort());
});

for (const file of oneFiles) {
  test(`${file} is ES2018`, () => {
    parse(read(file), { ecmaVersion: 2018, sourceType: 'script' });
  });

  test(`${file} fills Mortise with everything, and leaves nothing else`, async () => {
    const host = `./${hostOf(file)}`;
    const { added, keys } = load(file);
    const webNames =
      'AbortController AbortSignal TextDecoder TextEncoder URL URLSearchParams'.split(' ');
    assert.deepEqual(added.sort(), [...(isEngine(file) ? webNames : []), 'Mortise'].sort());
    const entries = host === './element' ? [host] : ['.', host, ...providers];
    assert.deepEqual(keys, await namesOf(entries));
  });

  // No bare engine reads a map.
  if (isEngine(file)) continue;
  test(`${file} is text of its sources, to a debugger`, () => {
    const code = read(file).split('\n');
    const map = new SourceMap(JSON.parse(read(`${file}.map`)));
    const wanted = hostOf(file) === 'element' ? 'mortise-sign-in' : 'sign_in_required:';
    const line = code.findIndex((text) => text.includes(wanted));
    const { originalSource, originalLine } = map.findEntry(line, code[line].indexOf(wanted));
    const [source] = /(src|adapters)\/.*$/.exec(originalSource);
    assert.ok(existsSync(join(root, source)), originalSource);
    assert.match(read(source).split('\n')[originalLine], new RegExp(wanted.replace(':', '')));
  });
}

test('the element adds itself to what is there, in either order', () => {
  const [browser, element] = ['browser', 'element'].map((name) => `dist/mortise.${name}.iife.js`);
  const one = load(browser, element).keys;
  assert.ok(one.includes('createBrowserHost') && one.includes('define'));
  assert.deepEqual(load(element, browser).keys, one);
});

test('one can be imported as well', () => {
  const code = `await import('mortise/browser.iife.js'); console.log(typeof Mortise.createSession);`;
  const { stdout } = run([process.execPath, '--input-type=module', '--eval', code], {
    quiet: true,
  });
  assert.equal(stdout.trim(), 'function');
});
