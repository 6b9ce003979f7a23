// Bundles entries of the library as modules for a browser, from the sources as they are now: what they share is one
// chunk, what is imported only when needed is a chunk of its own. Writes { "<file>": "<text>" } to stdout.
//
// node web-build.mjs mortise mortise/browser mortise/providers/prevu3d
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import commonjs from '@rollup/plugin-commonjs';
import nodeResolve from '@rollup/plugin-node-resolve';
import { transformFile } from '@swc/core';
import { rollup } from 'rollup';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** `mortise` → `src/index.ts`, and so on, as package.json names them to whoever installs it. */
function sourceOf(entry) {
  const [, place = ''] = /^mortise(?:\/(.+))?$/.exec(entry) ?? [];
  const inSource = place === 'sandbox' ? 'src/sandbox/index.ts' : `src/${place || 'index'}.ts`;
  const files = [inSource, `adapters/${place}/index.ts`].map((file) => join(root, file));
  const file = files.find(existsSync);
  if (!file) throw new Error(`the library has no ${entry}`);
  return file;
}

const typescript = {
  name: 'typescript',
  resolveId(source, importer) {
    if (!importer || !source.startsWith('.')) return null;
    const file = resolve(dirname(importer), source.replace(/\.js$/, '.ts'));
    return file.endsWith('.ts') && existsSync(file) ? file : null;
  },
  load: (file) =>
    file.endsWith('.ts')
      ? transformFile(file, {
          configFile: false,
          swcrc: false,
          jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        })
      : null,
};

const entries = process.argv.slice(2);
const build = await rollup({
  input: Object.fromEntries(
    entries.map((entry) => [entry === 'mortise' ? 'mortise/index' : entry, sourceOf(entry)]),
  ),
  plugins: [typescript, nodeResolve({ browser: true }), commonjs()],
  onwarn: (warning) => {
    throw new Error(warning.message);
  },
});
const { output } = await build.generate({
  format: 'es',
  chunkFileNames: 'mortise/chunk-[hash].js',
});
process.stdout.write(
  JSON.stringify(Object.fromEntries(output.map((it) => [it.fileName, it.code]))),
);
