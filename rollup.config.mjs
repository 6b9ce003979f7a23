import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import commonjs from '@rollup/plugin-commonjs';
import nodeResolve from '@rollup/plugin-node-resolve';
import typescript from '@rollup/plugin-typescript';
import { transform } from '@swc/core';
import { licences, noticeOf } from './rollup.licences.mjs';

const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
/** All else is taken in, such as `@noble/hashes`: an ES module alone, which not every Node that we run on can require. */
const installedApart = Object.keys({ ...dependencies, ...peerDependencies });

/** Entry name → file. A new provider is a new file, a new host a new folder; nothing is listed here. */
function findEntries() {
  const entries = { index: 'src/index.ts', sandbox: 'src/sandbox/index.ts' };
  for (const file of readdirSync('src/providers')) {
    const id = /^([\w-]+)\.ts$/.exec(file)?.[1];
    if (id) entries[`providers/${id}`] = `src/providers/${file}`;
  }
  for (const host of readdirSync('adapters')) {
    const file = `adapters/${host}/index.ts`;
    if (existsSync(file)) entries[host] = file;
  }
  return entries;
}

const cleanDist = {
  name: 'clean-dist',
  buildStart() {
    rmSync('dist', { recursive: true, force: true });
  },
};

/** Says which module format the files of one folder are, to Node and to TypeScript. */
const markFormat = (folder, type) => ({
  name: 'mark-format',
  generateBundle(_, bundle) {
    const fileName = `${folder}/package.json`;
    this.emitFile({ type: 'asset', fileName, source: `${JSON.stringify({ type })}\n` });
    // The compiler declares for one folder only; the other format gets the same text in its own.
    for (const asset of Object.values(bundle)) {
      if (asset.fileName.endsWith('.d.ts')) {
        asset.fileName = asset.fileName.replace(/^esm\//, `${folder}/`);
      }
    }
  },
});

/**
 * Puts what two entries share into one file, and the errors, which all need, into another: on a cold start each
 * further file costs more than a few unused lines.
 */
function shareOnce(id, { getModuleInfo }) {
  const users = new Set();
  const seen = new Set();
  const climb = (module) => {
    if (seen.has(module)) return;
    seen.add(module);
    const { isEntry, importers } = getModuleInfo(module);
    if (isEntry) users.add(module);
    importers.forEach(climb);
  };
  climb(id);
  // Pages that have a hash of their own never load it.
  if (/[\\/](@noble[\\/]hashes[\\/]|web[\\/]sha256\.ts$)/.test(id)) return 'sha256';
  if (users.size < 2) return undefined;
  // A host adapter needs the errors alone, and not what providers share.
  return /[\\/]src[\\/]errors\.ts$/.test(id) ? 'errors' : 'shared';
}

const output = (folder, format, type) => ({
  // One folder for both formats, because the compiler's declarations have to land below it.
  dir: 'dist',
  format,
  entryFileNames: `${folder}/[name].js`,
  chunkFileNames: `${folder}/chunks/[name].js`,
  generatedCode: 'es2015',
  externalLiveBindings: false,
  minifyInternalExports: false,
  manualChunks: shareOnce,
  sourcemap: true,
  banner: (chunk) => noticeOf(chunk, `dist/${chunk.fileName}`),
  plugins: [markFormat(folder, type)],
});

/**
 * What a bare engine lacks comes with its entry, since there are no packages there. Of these, whatwg-url takes the
 * text codec when it is loaded, and tr46 has a table in JSON.
 */
const engineParts = {
  name: 'engine-parts',
  transform(code, id) {
    if (/[\\/]tr46[\\/].*\.json$/.test(id)) return { code: `export default ${code}`, map: null };
    if (!/[\\/]whatwg-url[\\/]lib[\\/]encoding\.js$/.test(id)) return null;
    const names = `const { TextEncoder, TextDecoder } = require('@exodus/bytes/encoding-lite.js');`;
    return { code: `${names}\n${code}`, map: null };
  },
};

// One build for all entries: what two of them share is one chunk, so MortiseError is one class.
const entries = {
  input: findEntries(),
  external: (id) =>
    id.startsWith('node:') || installedApart.some((name) => `${id}/`.startsWith(`${name}/`)),
  plugins: [
    cleanDist,
    nodeResolve({ preferBuiltins: false }),
    engineParts,
    commonjs({ include: /node_modules/ }),
    typescript({ tsconfig: '.ci/tsconfig.json' }),
    licences,
  ],
  output: [output('esm', 'es', 'module'), output('cjs', 'cjs', 'commonjs')],
};

/** The program that puts all that `files` export into one global, beside what is there already. */
function fillGlobal(files) {
  const names = files.map((_, index) => `entry${index}`);
  const imports = files.map((file, index) => `import * as ${names[index]} from './${file}';`);
  const all = ['globalThis.Mortise', ...names].map((name) => `...${name}`).join(', ');
  return [...imports, `globalThis.Mortise = { ${all} };`].join('\n');
}

/** Serves what the first build has written, with its source maps. */
const fromBuilt = (listFiles) => ({
  name: 'from-built',
  resolveId: (id) => (id === 'all' ? resolve('all.js') : null),
  load(id) {
    if (id === resolve('all.js')) return fillGlobal(listFiles());
    const map = `${id}.map`;
    if (!existsSync(map)) return null;
    const code = readFileSync(id, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
    return { code, map: JSON.parse(readFileSync(map, 'utf8')) };
  },
});

/**
 * What the oldest engine in a CAD program reads (SketchUp 2021 has Chrome 88), dependencies included. Of functions it
 * lacks `Object.hasOwn` alone is in use, by `@noble/hashes` at once when it is loaded.
 */
const asEs2018 = {
  name: 'as-es2018',
  async renderChunk(text, chunk, { file }) {
    const known = text.replaceAll('Object.hasOwn(', 'Object.prototype.hasOwnProperty.call(');
    const { code, map } = await transform(known, {
      configFile: false,
      swcrc: false,
      isModule: false,
      sourceMaps: true,
      minify: true,
      jsc: {
        target: 'es2018',
        assumptions: { setPublicClassFields: true },
        minify: { compress: true, mangle: true },
      },
    });
    // Once more in a function: the compiler puts functions of its own in front, where they would be everybody's.
    const { mappings, ...rest } = JSON.parse(map);
    const begin = `${noticeOf(chunk, file)}(() => {\n`;
    return { code: `${begin}${code}\n})();\n`, map: { ...rest, mappings: `;${mappings}` } };
  },
};

/** One file to put next to an HTML file, or into a bare engine: a script that fills the global `Mortise`. */
const oneFile = (name, listFiles, more = {}) => ({
  input: 'all',
  plugins: [fromBuilt(listFiles), nodeResolve({ browser: true }), commonjs(), asEs2018, licences],
  output: {
    file: `dist/mortise.${name}.js`,
    format: 'iife',
    generatedCode: { preset: 'es2015', symbols: false },
    externalLiveBindings: false,
    freeze: false,
    inlineDynamicImports: true,
    sourcemap: true,
    ...more,
  },
});

const providers = () =>
  readdirSync('dist/esm/providers')
    .filter((file) => file.endsWith('.js'))
    .map((file) => `dist/esm/providers/${file}`);

const everythingOf = (host) => () => ['dist/esm/index.js', `dist/esm/${host}.js`, ...providers()];

/** Host → its file. */
const oneFiles = {
  browser: oneFile('browser.iife', everythingOf('browser')),
  webview: oneFile('webview.iife', everythingOf('webview')),
  element: oneFile('element.iife', () => ['dist/esm/element.js']),
  engine: oneFile('engine', everythingOf('engine'), {
    outro: 'globalThis.Mortise.installWebNames();',
    // No engine reads it.
    sourcemap: false,
  }),
};

// A copy of the library may have fewer hosts.
export default [
  entries,
  ...Object.keys(oneFiles).flatMap((host) => (host in entries.input ? [oneFiles[host]] : [])),
];
