// The built files as they are loaded: both formats, one error class, nothing done by importing.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { root, run } from '../../.ci/process.mjs';
import { entries, expectedEntries, packageJson, specifier } from './package-entries.mjs';

const require = createRequire(import.meta.url);

const listNames = `
  import { createRequire } from 'node:module';
  const name = process.argv[1];
  const loaded = [await import(name), createRequire(process.cwd() + '/x.js')(name)];
  console.log(JSON.stringify(loaded.map((names) => Object.keys(names).sort())));
`;

const listEffects = `
  const seen = [];
  const later = setTimeout;
  const watch = (object, name) => {
    const original = object[name];
    object[name] = function (...args) {
      // Calls by Node itself, while it loads the file, are its own business.
      if (/\\/(dist|node_modules)\\//.test(new Error().stack)) seen.push(name);
      return new.target ? Reflect.construct(original, args) : Reflect.apply(original, this, args);
    };
  };
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch']) {
    watch(globalThis, name);
  }
  watch(process, 'on');
  watch(process, 'once');
  watch(Date, 'now');
  watch(Math, 'random');
  const before = Reflect.ownKeys(globalThis);
  const handles = process.getActiveResourcesInfo().sort().join();
  await import(process.argv[1]);
  const added = Reflect.ownKeys(globalThis).filter((key) => !before.includes(key)).map(String);
  // The loader's own files are closed a moment later.
  await new Promise((resolve) => later(resolve, 20));
  const left = process.getActiveResourcesInfo().sort().join();
  if (left !== handles) seen.push(left);
  console.log(JSON.stringify([...seen, ...added]));
`;

test('every provider and every host has an entry', () => {
  assert.deepEqual(entries, expectedEntries);
});

/** The targets that `exports` gives for one subpath, the most specific pattern first as Node has it. */
function targets(subpath) {
  const patterns = Object.keys(packageJson.exports).sort((a, b) => b.length - a.length);
  for (const pattern of patterns) {
    const [before, after] = pattern.split('*');
    const fits =
      after === undefined
        ? pattern === subpath
        : subpath.startsWith(before) && subpath.endsWith(after);
    if (!fits) continue;
    const filled = subpath.slice(before.length);
    const { import: esm, require: cjs } = packageJson.exports[pattern];
    return [esm.types, esm.default, cjs.types, cjs.default].map((to) => to.replace('*', filled));
  }
  throw new Error(`${subpath} is not exported`);
}

for (const entry of entries) {
  test(`${specifier(entry)}: every path in exports exists`, () => {
    const missing = targets(entry).filter((path) => !existsSync(resolve(root, path)));
    assert.deepEqual(missing, []);
  });

  test(`${specifier(entry)}: import and require give the same names`, () => {
    const [esm, cjs] = observe(listNames, entry);
    assert.deepEqual(esm, cjs);
    assert.notEqual(esm.length, 0);
  });
}

test('main, module and types exist too', () => {
  for (const field of ['main', 'module', 'types']) {
    assert.ok(existsSync(resolve(root, packageJson[field])), field);
  }
});

test('nothing deeper is exported', () => {
  const refusals = ['ERR_PACKAGE_PATH_NOT_EXPORTED', 'MODULE_NOT_FOUND'];
  for (const path of ['index', 'chunks/errors', 'types/src/index', 'dist/esm/index.js']) {
    assert.throws(
      () => require(`mortise/${path}`),
      ({ code }) => refusals.includes(code),
    );
  }
});

for (const format of ['esm', 'cjs']) {
  test(`${format}: MortiseError is one class for all entries`, () => {
    const folder = resolve(root, 'dist', format);
    const classes = readdirSync(folder, { recursive: true })
      .filter((path) => path.endsWith('.js'))
      .filter((path) => /\bclass MortiseError\b/.test(readFileSync(join(folder, path), 'utf8')));
    assert.equal(classes.length, 1, classes.join());
  });
}

for (const entry of entries) {
  test(`${specifier(entry)}: importing does nothing`, () => {
    assert.deepEqual(observe(listEffects, entry), []);
  });
}

/** Runs code in a process of its own, which has to end by itself, and returns what it prints. */
function observe(code, entry) {
  const command = [process.execPath, '--input-type=module', '--eval', code, specifier(entry)];
  const { ok, stdout, output } = run(command, { quiet: true, timeoutMs: 20_000 });
  assert.ok(ok, output || 'It does not end by itself.');
  return JSON.parse(stdout);
}
