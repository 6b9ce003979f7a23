// Whose code is in the built files, read off their source maps: its licence has to go out with it.
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { root } from '../../.ci/process.mjs';
import { noticeOf } from '../../rollup.licences.mjs';
import { oneFiles, packageJson } from './package-entries.mjs';

const read = (file) => readFileSync(join(root, file), 'utf8');
const readJson = (file) => JSON.parse(read(file));
const packageOf = (name) => readJson(`node_modules/${name}/package.json`);

const modules = readdirSync(join(root, 'dist'), { recursive: true })
  .map((file) => `dist/${file.replaceAll('\\', '/')}`)
  .filter((file) => /^dist\/(esm|cjs)\/(?!types\/).*\.js$/.test(file));

/** What the map of a file says it was made of. */
function packagesIn(file) {
  const names = readJson(`${file}.map`).sources.flatMap((source) => {
    const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source) ?? [];
    return name ? [name] : [];
  });
  return [...new Set(names)].sort();
}

/** A file of ours and all that it loads of ours. */
function withLoaded(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, to] of read(file).matchAll(/(?:from |import\()'(\.[^']+)'/g)) {
    withLoaded(relative(root, join(root, dirname(file), to)).replaceAll('\\', '/'), seen);
  }
  return seen;
}

/** The engine's has no map; what it is made of does. */
function packagesInOne(file) {
  if (existsSync(join(root, `${file}.map`))) return packagesIn(file);
  const providers = modules.filter((module) => module.startsWith('dist/esm/providers/'));
  const made = ['dist/esm/index.js', 'dist/esm/engine.js', ...providers];
  const all = [...made.reduce((seen, each) => withLoaded(each, seen), new Set())];
  return [...new Set(all.flatMap(packagesIn))].sort();
}

const inFiles = new Map([
  ...modules.map((file) => [file, packagesIn(file)]),
  ...oneFiles.map((file) => [file, packagesInOne(file)]),
]);

/** The sections of the file: the first is ours, then one a package. */
const sections = read('dist/LICENSES.txt').split(`\n\n${'-'.repeat(80)}\n\n`);
const sectionOf = (name) => sections.find((text) => text.startsWith(`${name} `));

test('the maps are read rightly', () => {
  assert.deepEqual(inFiles.get('dist/mortise.browser.iife.js'), ['@noble/hashes', 'idb-keyval']);
  assert.ok(inFiles.get('dist/mortise.engine.js').includes('whatwg-url'));
  assert.deepEqual(inFiles.get('dist/esm/index.js'), []);
});

test('our own licence comes first', () => {
  assert.ok(sectionOf('mortise').includes(read('LICENSE').trim()));
  assert.equal(sections[0], sectionOf('mortise'));
});

const bundled = [...new Set([...inFiles.values()].flat())].sort();

for (const name of bundled) {
  test(`${name}: version, licence, where it is, and the whole text`, () => {
    const { version, license } = packageOf(name);
    const [title, where, ...text] = sectionOf(name).split('\n\n');
    assert.equal(title, `${name} ${version} (${license})`);
    const files = [...inFiles].flatMap(([file, all]) => (all.includes(name) ? [file] : []));
    const listed = where.replace('In ', '').split(', ');
    assert.deepEqual(listed.map((file) => `dist/${file}`).sort(), files.sort());
    const folder = join(root, 'node_modules', name);
    const own = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    const whole = text.join('\n\n');
    assert.ok(whole.includes(readFileSync(join(folder, own), 'utf8').trim()), own);
    // Of this licence packages have a notice alone, and it asks for more.
    if (license === 'Apache-2.0') assert.match(whole, /9\. Accepting Warranty[^]*END OF TERMS/);
  });
}

test('a package without the text of its licence stops the build', () => {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'mortise-licence-'));
  const inside = join(folder, 'node_modules/none');
  mkdirSync(inside, { recursive: true });
  const chunk = { modules: { [join(inside, 'index.js')]: { renderedLength: 1 } } };
  const declare = (license, text) => {
    writeFileSync(
      join(inside, 'package.json'),
      JSON.stringify({ name: 'none', version: '1.0.0', license }),
    );
    if (text !== undefined) writeFileSync(join(inside, 'LICENSE'), text);
  };
  const refused = { message: /^none comes without the text of its licence/ };
  try {
    declare('MIT');
    assert.throws(() => noticeOf(chunk, 'one.js'), refused);
    declare('MIT', 'MIT');
    assert.throws(() => noticeOf(chunk, 'one.js'), refused);
    declare('MIT', read('LICENSE'));
    assert.match(noticeOf(chunk, 'one.js'), /none 1\.0\.0 \(MIT\)/);
    // Nobody has read this one yet.
    declare('LGPL-3.0', read('LICENSE'));
    assert.throws(() => noticeOf(chunk, 'one.js'), refused);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('it names nothing that is in no file', () => {
  const named = sections.slice(1).map((text) => text.split(' ')[0]);
  assert.deepEqual(named.sort(), bundled);
});

for (const [file, names] of inFiles) {
  if (names.length === 0) continue;
  test(`${file} says at its beginning what is in it`, () => {
    const [notice] = /^\/\*!.*?\*\//.exec(read(file)) ?? [''];
    const wanted = names.map((name) => `${name} ${packageOf(name).version}`);
    assert.deepEqual(
      wanted.filter((title) => !notice.includes(title)),
      [],
    );
    assert.match(notice, /LICENSES\.txt/);
  });
}

test('what a file imports is installed with the package, and nothing else is', () => {
  const { dependencies, peerDependencies } = packageJson;
  const imports = modules.flatMap((file) =>
    [
      ...read(file).matchAll(
        /(?:^import .*? ?from|^export .*? ?from|import\(|require\()\s*'([^'.][^']*)'/gm,
      ),
    ].map(([, to]) => to),
  );
  const names = imports.flatMap((to) => {
    const [name] = /^(@[^/]+\/)?[^/]+/.exec(to);
    return to.startsWith('node:') ? [] : [name];
  });
  const installed = Object.keys({ ...dependencies, ...peerDependencies }).sort();
  assert.deepEqual([...new Set(names)].sort(), installed);
});

test('what a type refers to is installed with the package', () => {
  const { dependencies, peerDependencies } = packageJson;
  const installed = Object.keys({ ...dependencies, ...peerDependencies });
  const entries = readdirSync(join(root, 'dist/esm/types/adapters'), { recursive: true })
    .map((file) => `dist/esm/types/adapters/${file.replaceAll('\\', '/')}`)
    .filter((file) => /\/index\.d\.ts$/.test(file));
  const seen = new Set();
  const foreign = new Set();
  const climb = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, to] of read(file).matchAll(/(?:from |import\()['"]([^'"]+)['"]/g)) {
      if (to.startsWith('.'))
        climb(join(dirname(file), to.replace(/\.js$/, '.d.ts')).replaceAll('\\', '/'));
      else foreign.add(to);
    }
  };
  ['dist/esm/types/src/index.d.ts', 'dist/esm/types/src/sandbox/index.d.ts', ...entries].forEach(
    climb,
  );
  const missing = [...foreign].filter(
    (to) => !to.startsWith('node:') && !installed.some((name) => `${to}/`.startsWith(`${name}/`)),
  );
  assert.deepEqual(missing, []);
  assert.ok(seen.size > 20);
});
