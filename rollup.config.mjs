import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import nodeResolve from '@rollup/plugin-node-resolve';
import typescript from '@rollup/plugin-typescript';

const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
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
  plugins: [markFormat(folder, type)],
});

// One build for all entries: what two of them share is one chunk, so MortiseError is one class.
export default {
  input: findEntries(),
  external: (id) =>
    id.startsWith('node:') || installedApart.some((name) => `${id}/`.startsWith(`${name}/`)),
  plugins: [cleanDist, nodeResolve(), typescript({ tsconfig: '.ci/tsconfig.json' })],
  output: [output('esm', 'es', 'module'), output('cjs', 'cjs', 'commonjs')],
};
