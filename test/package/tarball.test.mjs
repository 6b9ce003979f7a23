// The package as it would be published: what is in it, installed in an empty folder, used with types.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { npm, root, run } from '../../.ci/process.mjs';
import { expectedEntries, packageJson, specifier } from './package-entries.mjs';

const folder = mkdtempSync(join(realpathSync(tmpdir()), 'mortise-package-'));
/** Without `LICENSES.txt` nobody may pass the scripts on. */
const NEEDED = ['package.json', 'LICENSE', 'README.md', 'dist/LICENSES.txt', 'dist/esm/index.js'];
const bin = (path) => [process.execPath, join(root, 'node_modules', path)];
let tarball;
let files;

function succeed(command, options) {
  const { ok, stdout, output } = run(command, { quiet: true, ...options });
  assert.ok(ok, output);
  return stdout;
}

before(() => {
  const pack = npm('pack', '--json', '--ignore-scripts', '--loglevel=error');
  const report = JSON.parse(succeed([...pack, `--pack-destination=${folder}`]));
  // npm 12 keys the report by package name; earlier ones give a list.
  const [packed] = Object.values(report);
  tarball = join(folder, packed.filename);
  files = packed.files.map(({ path }) => path);
});

after(() => rmSync(folder, { recursive: true, force: true }));

describe('the tarball', () => {
  test('holds what it should and nothing else', () => {
    const allowed =
      /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|dist\/(esm|cjs)\/package\.json|dist\/LICENSES\.txt|dist\/mortise\.(engine|\w+\.iife)\.js(\.map)?|dist\/(esm|cjs)\/(?!types\/).*\.js(\.map)?|dist\/(esm|cjs)\/types\/(src|adapters)\/.*\.d\.ts|(src|adapters)\/([\w-]+\/)?README\.md|adapters\/webview\/(PROTOCOL\.md|conformance\.mjs)|src\/plugins\/integrations\.schema\.json)$/;
    assert.deepEqual(
      files.filter((path) => !allowed.test(path)),
      [],
    );
    for (const needed of NEEDED) {
      assert.ok(files.includes(needed), `${needed} is missing`);
    }
  });

  test('runs nothing when it is installed, and neither do its dependencies', () => {
    const hooks = /^(pre|post)?(install|prepare|pack|publish)/;
    assert.deepEqual(
      Object.keys(packageJson.scripts).filter((name) => hooks.test(name)),
      [],
    );
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
    const running = Object.entries(packages).filter(
      ([, { dev, optional, hasInstallScript }]) => hasInstallScript && !dev && !optional,
    );
    assert.deepEqual(running, []);
  });

  test('pins what it depends on', () => {
    const ranges = Object.values({ ...packageJson.dependencies, ...packageJson.devDependencies });
    assert.deepEqual(
      ranges.filter((range) => !/^(npm:typescript@)?\d+\.\d+\.\d+$/.test(range)),
      [],
    );
  });

  test('is clean to publint', () => {
    succeed([...bin('publint/src/cli.js'), tarball, '--strict']);
  });

  test('has types that fit its code, to are-the-types-wrong', () => {
    // Resolution before Node 16 is left out by the profile: it knows no `exports`.
    const entries = expectedEntries.map((entry) => (entry === '.' ? '.' : entry.slice(2)));
    const options = ['--profile=node16', '--no-color', '--entrypoints', ...entries];
    succeed([...bin('@arethetypeswrong/cli/dist/index.js'), tarball, ...options]);
  });
});

describe('installed in an empty folder', () => {
  const consumer = join(folder, 'consumer');
  const write = (file, ...lines) => writeFileSync(join(consumer, file), `${lines.join('\n')}\n`);

  before(() => {
    mkdirSync(consumer);
    write('package.json', JSON.stringify({ name: 'consumer', private: true }));
    const quietly = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
    succeed(npm('install', ...quietly, tarball), { cwd: consumer });
  });

  test('brings only packages with a permissive licence', () => {
    const lock = JSON.parse(readFileSync(join(consumer, 'package-lock.json'), 'utf8'));
    const others = Object.entries(lock.packages).filter(
      ([path, { license }]) =>
        path !== '' && !/^(MIT|ISC|Apache-2\.0|BSD-[23]-Clause)$/.test(license ?? ''),
    );
    assert.deepEqual(others, []);
  });

  const names = expectedEntries.map(specifier);

  test('every entry can be imported', () => {
    write(
      'all.mjs',
      ...names.map((name, index) => `import * as entry${index} from '${name}';`),
      ...names.map(
        (name, index) => `if (Object.keys(entry${index}).length === 0) throw '${name}';`,
      ),
    );
    succeed([process.execPath, 'all.mjs'], { cwd: consumer });
  });

  test('every entry can be required', () => {
    write(
      'all.cjs',
      ...names.map((name) => `if (Object.keys(require('${name}')).length === 0) throw '${name}';`),
    );
    // As before Node 20.19, where an ES module could not be required.
    const flag = '--experimental-require-module';
    const flags = process.allowedNodeEnvironmentFlags.has(flag)
      ? [flag.replace('--', '--no-')]
      : [];
    succeed([process.execPath, ...flags, 'all.cjs'], { cwd: consumer });
  });

  for (const [file, load] of [
    ['one-class.mjs', (name) => `await import('${name}')`],
    ['one-class.cjs', (name) => `require('${name}')`],
  ]) {
    test(`${file}: an error of one entry is an instance of another's class`, () => {
      write(
        file,
        `const { MortiseError, isMortiseError } = ${load('mortise')};`,
        `const { prevu3d } = ${load('mortise/providers/prevu3d')};`,
        `try {`,
        `  prevu3d({ clientId: '', scopes: [] });`,
        `  process.exitCode = 2;`,
        `} catch (error) {`,
        `  if (!(error instanceof MortiseError) || !isMortiseError(error)) throw error;`,
        `}`,
      );
      succeed([process.execPath, file], { cwd: consumer });
    });
  }

  describe('its types, checked with those of the libraries', () => {
    const use = [
      `import { createSession, isMortiseError, memoryStore, type Host } from 'mortise';`,
      `import { prevu3d } from 'mortise/providers/prevu3d';`,
      `export async function main(host: Host): Promise<string> {`,
      `  const session = createSession({ host, provider: prevu3d({ clientId: 'a', scopes: ['b'] }) });`,
      `  const off = session.onChange(({ from, to }) => void [from, to]);`,
      `  off();`,
      `  try {`,
      `    return await session.getAccessToken({ minValidityMs: 1 });`,
      `  } catch (error) {`,
      `    if (isMortiseError(error) && error.code === 'http_error') return String(error.details.status);`,
      `    throw error;`,
      `  }`,
      `}`,
      `export const store = memoryStore();`,
    ];
    const useNode = [
      `import { createNodeHost, fileStore } from 'mortise/node';`,
      `export const host = createNodeHost({ store: fileStore({ directory: 'a' }) });`,
    ];
    const everything = names.map((name, index) => `export * as entry${index} from '${name}';`);
    const withoutNode = everything.filter((line) => !line.includes("'mortise/node'"));
    // Their types speak of windows and elements.
    const withoutPages = everything.filter((line) => !/\/(browser|webview|element)'/.test(line));
    const node = { types: ['node'], lib: ['ES2022'] };

    const consumers = [
      [
        'node16, an ES module',
        'esm.mts',
        [...withoutPages, ...use, ...useNode],
        { module: 'node16', ...node },
      ],
      [
        'node16, CommonJS',
        'cjs.cts',
        [...withoutPages, ...use, ...useNode],
        { module: 'node16', ...node },
      ],
      [
        'nodenext, require',
        'require.cts',
        [`import node = require('mortise/node');`, `export const f = node.createNodeHost;`],
        { module: 'nodenext', ...node },
      ],
      [
        'a bundler, for Node',
        'bundled.ts',
        [...withoutPages, ...use, ...useNode],
        { module: 'esnext', moduleResolution: 'bundler', ...node },
      ],
      [
        'a bundler, for a page',
        'page.ts',
        [...withoutNode, ...use],
        { module: 'esnext', moduleResolution: 'bundler', types: [], lib: ['ES2022', 'DOM'] },
      ],
    ];
    // The older compiler once, for it takes five times as long.
    for (const [compiler, [name, file, text, options]] of [
      ...consumers.map((consumer) => ['typescript-7', consumer]),
      ['typescript', consumers[1]],
    ]) {
      test(`${name}, with ${compiler}`, () => {
        write(file, ...text);
        const compilerOptions = {
          ...options,
          target: 'es2022',
          strict: true,
          noEmit: true,
          skipLibCheck: false,
          typeRoots: [join(root, 'node_modules/@types')],
        };
        write('tsconfig.json', JSON.stringify({ compilerOptions, files: [file] }));
        succeed([...bin(`${compiler}/bin/tsc`), '-p', '.'], { cwd: consumer });
      });
    }
  });
});
