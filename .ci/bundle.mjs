// Bundles public entries of the built package as an application would, to be weighed or run.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import commonjs from '@rollup/plugin-commonjs';
import nodeResolve from '@rollup/plugin-node-resolve';
import terser from '@rollup/plugin-terser';
import { rollup } from 'rollup';

/**
 * @param {Record<string, string>} imports Entry → names, separated by commas, or `*`.
 * @param {{ format?: 'es' | 'iife', minify?: boolean }} [options]
 * @returns {Promise<string>} One file, dependencies included, what runs only when needed left out.
 */
export async function bundle(imports, { format = 'es', minify = false } = {}) {
  const entry = Object.entries(imports)
    .map(([from, names]) => `export ${names === '*' ? '*' : `{ ${names} }`} from '${from}';`)
    .join('\n');
  const fromEntry = {
    name: 'from-entry',
    resolveId: (id) => (id === 'entry' ? id : ownEntry(id)),
    load: (id) => (id === 'entry' ? entry : null),
  };
  const build = await rollup({
    input: 'entry',
    external: /^node:|^(open|undici|@napi-rs\/keyring)$/,
    plugins: [fromEntry, nodeResolve({ browser: true }), commonjs()],
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  // As a module, what is loaded only when needed is a file of its own.
  const inlineDynamicImports = format === 'iife';
  const output = { format, name: 'bundled', exports: 'named', inlineDynamicImports };
  const { output: files } = await build.generate({ ...output, plugins: minify ? [terser()] : [] });
  await build.close();
  return files[0].code;
}

/** The package by its own name is the built one, as for whoever installs it. */
function ownEntry(id) {
  return /^mortise(\/|$)/.test(id) ? fileURLToPath(import.meta.resolve(id)) : null;
}

export const gzipBytes = (code) => gzipSync(code, { level: 9 }).length;

/** Bytes as they are, without what only people need, and as they travel. */
export async function weigh(imports) {
  const minified = await bundle(imports, { minify: true });
  return {
    raw: Buffer.byteLength(await bundle(imports)),
    minified: Buffer.byteLength(minified),
    gzip: gzipBytes(minified),
  };
}
