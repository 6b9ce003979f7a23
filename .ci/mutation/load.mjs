// Loads a test file and all it imports, written in TypeScript, and gives the tests in it without running them.
import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import swc from '@swc/core';
import { bind } from 'jest-each';
import { expect } from 'expect';
import { root } from '../process.mjs';

const require = createRequire(import.meta.url);
const { jest } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const [, swcOptions] = Object.values(jest.transform)[0];
const { ModuleMocker } = require('jest-mock');
const mocker = new ModuleMocker(globalThis);

const here = () => process.cwd();
const names = Object.entries(jest.moduleNameMapper).filter(([name]) => name.startsWith('^mortise'));
const resolveAsUsual = Module._resolveFilename;
Module._resolveFilename = function (name, parent, ...rest) {
  if (name === 'fast-check') return FAST_CHECK;
  for (const [from, to] of names) {
    if (!new RegExp(from).test(name)) continue;
    return name.replace(new RegExp(from), to).replace('<rootDir>', here());
  }
  const folder = parent?.filename ? dirname(parent.filename) : '';
  if (/^\.{1,2}\//.test(name) && folder.startsWith(here())) {
    for (const path of [name.replace(/\.js$/, '.ts'), `${name}.ts`, `${name}/index.ts`]) {
      const found = resolve(folder, path);
      if (path.endsWith('.ts') && exists(found)) return found;
    }
  }
  return resolveAsUsual.call(this, name, parent, ...rest);
};

const known = new Map();
function exists(path) {
  if (!known.has(path)) {
    try {
      readFileSync(path);
      known.set(path, true);
    } catch {
      known.set(path, false);
    }
  }
  return known.get(path);
}

const compiled = new Map();
function compile(module, filename) {
  if (!compiled.has(filename)) {
    const options = { ...swcOptions, module: { type: 'commonjs' }, filename, swcrc: false };
    compiled.set(filename, swc.transformSync(readFileSync(filename, 'utf8'), options).code);
  }
  module._compile(compiled.get(filename), filename);
}
Module._extensions['.ts'] = compile;
const loadJs = Module._extensions['.js'];
Module._extensions['.js'] = (module, filename) =>
  filename.includes('/@noble/') ? compile(module, filename) : loadJs(module, filename);

// Random runs are for finding what nobody thought of; a mutant that only they find wants a test of its own.
// So here they are left out: the test ends, and is taken for one that passed.
export class LeftOut extends Error {}
const FAST_CHECK = 'mortise:fast-check';
const fc = new Module(FAST_CHECK);
fc.exports = {
  ...require(join(root, 'node_modules/fast-check/lib/cjs/fast-check.js')),
  assert() {
    throw new LeftOut();
  },
};
fc.loaded = true;
Module._cache[FAST_CHECK] = fc;

/** All that a test file has loaded is loaded anew for the next, as Jest does. */
export function unloadTests() {
  for (const path of Object.keys(Module._cache)) {
    if (path.startsWith(here()) && !path.includes('/node_modules/')) delete Module._cache[path];
  }
}

let block;

/** @returns {{ id: string, fn: Function, blocks: object[] }[]} */
export function loadTests(file, name) {
  const tests = [];
  const ids = new Set();
  const open = (parent, title) => ({ parent, title, before: [], after: [], once: [], finally: [] });
  block = open(null, '');
  const path = () => {
    const blocks = [];
    for (let each = block; each; each = each.parent) blocks.unshift(each);
    return blocks;
  };
  const test = (title, fn) => {
    const blocks = path();
    const words = [...blocks.map((each) => each.title), title].filter(Boolean).join(' ');
    let id = `${name}: ${words}`;
    while (ids.has(id)) id += ' (again)';
    ids.add(id);
    tests.push({ id, fn, blocks });
  };
  // What is known to fail promises nothing yet.
  test.failing = () => {};
  test.skip = () => {};
  test.todo = () => {};
  const describe = (title, fn) => {
    block = open(block, String(title));
    fn();
    block = block.parent;
  };
  describe.skip = () => {};
  test.skip.each = () => () => {};
  describe.skip.each = () => () => {};
  test.each = bind(test, false);
  test.failing.each = () => () => {};
  describe.each = bind(describe, false);
  Object.assign(globalThis, {
    test,
    it: test,
    describe,
    expect,
    jest: { fn: mocker.fn.bind(mocker), spyOn: mocker.spyOn.bind(mocker) },
    beforeEach: (fn) => void block.before.push(fn),
    afterEach: (fn) => void block.after.unshift(fn),
    beforeAll: (fn) => void block.once.push(fn),
    afterAll: (fn) => void block.finally.push(fn),
  });
  createRequire(file)(file);
  return tests;
}
