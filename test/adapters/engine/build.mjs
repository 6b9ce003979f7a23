// Puts the library into one classic script for a bare engine, from the sources as they are now, as the build does
// with dist/mortise.engine.js. Writes it to stdout.
//
// node build.mjs
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import commonjs from '@rollup/plugin-commonjs';
import nodeResolve from '@rollup/plugin-node-resolve';
import { transform, transformFile } from '@swc/core';
import { rollup } from 'rollup';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

const providers = readdirSync(join(root, 'src/providers')).filter((file) => file.endsWith('.ts'));
const files = [
  'src/index.ts',
  'adapters/engine/index.ts',
  ...providers.map((file) => `src/providers/${file}`),
];
const program = [
  ...files.map(
    (file, index) => `import * as part${index} from ${JSON.stringify(join(root, file))};`,
  ),
  `globalThis.Mortise = { ${files.map((_, index) => `...part${index}`).join(', ')} };`,
  'globalThis.Mortise.installWebNames();',
].join('\n');

const whole = {
  name: 'whole',
  resolveId(source, importer) {
    if (source === 'whole') return source;
    if (!importer || !source.startsWith('.')) return null;
    const file = resolve(dirname(importer), source.replace(/\.js$/, '.ts'));
    return file.endsWith('.ts') && existsSync(file) ? file : null;
  },
  load(id) {
    if (id === 'whole') return program;
    if (!id.endsWith('.ts')) return null;
    const jsc = { parser: { syntax: 'typescript' }, target: 'es2022' };
    return transformFile(id, { configFile: false, swcrc: false, jsc });
  },
};

/** whatwg-url takes the text codec when it is loaded; a bare engine has none. */
const engineParts = {
  name: 'engine-parts',
  transform(code, id) {
    if (/[\\/]tr46[\\/].*\.json$/.test(id)) return { code: `export default ${code}`, map: null };
    if (!/[\\/]whatwg-url[\\/]lib[\\/]encoding\.js$/.test(id)) return null;
    const names = `const { TextEncoder, TextDecoder } = require('@exodus/bytes/encoding-lite.js');`;
    return { code: `${names}\n${code}`, map: null };
  },
};

const build = await rollup({
  input: 'whole',
  plugins: [whole, nodeResolve({ preferBuiltins: false }), engineParts, commonjs()],
  onwarn: (warning) => {
    throw new Error(warning.message);
  },
});
const { output } = await build.generate({
  format: 'iife',
  generatedCode: { preset: 'es2015', symbols: false },
  inlineDynamicImports: true,
});
const { code } = await transform(output[0].code, {
  configFile: false,
  swcrc: false,
  isModule: false,
  jsc: {
    target: 'es2018',
    assumptions: { setPublicClassFields: true },
    minify: { compress: true, mangle: true },
  },
  minify: true,
});
// What the compiler put in front of it is nobody else's.
process.stdout.write(`(() => {${code}})();\n`);
