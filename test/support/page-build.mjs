// Bundles page-parts.ts, from the sources as they are now, as one classic script with the global `Parts`: for pages that
// can import nothing (file:, data:, injected HTML), and for parts of the library that have no name outside. To stdout.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import nodeResolve from '@rollup/plugin-node-resolve';
import { transformFile } from '@swc/core';
import { rollup } from 'rollup';

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

const build = await rollup({
  input: join(dirname(fileURLToPath(import.meta.url)), 'page-parts.ts'),
  plugins: [typescript, nodeResolve({ browser: true })],
  onwarn: (warning) => {
    throw new Error(warning.message);
  },
});
const { output } = await build.generate({
  format: 'iife',
  name: 'Parts',
  inlineDynamicImports: true,
});
process.stdout.write(output[0].code);
