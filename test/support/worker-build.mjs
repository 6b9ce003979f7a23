// Puts worker-main.ts and everything of ours that it imports into one file, from the sources as they are
// now: a built package could be an old one, and one file starts in half the time of a hundred.
//
// node worker-build.mjs <file to write>
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFile } from '@swc/core';
import { rollup } from 'rollup';

const here = dirname(fileURLToPath(import.meta.url));

const typescript = {
  name: 'typescript',
  resolveId(source, importer) {
    if (!importer || !source.startsWith('.')) return null;
    const file = resolve(dirname(importer), source.replace(/\.js$/, '.ts'));
    return existsSync(file) ? file : null;
  },
  load: (file) =>
    transformFile(file, {
      configFile: false,
      swcrc: false,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    }),
};

const bundle = await rollup({
  input: join(here, 'worker-main.ts'),
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
  plugins: [typescript],
  onwarn: (warning) => {
    throw new Error(warning.message);
  },
});
await bundle.write({ file: process.argv[2], format: 'es', inlineDynamicImports: true });
