import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { root } from '../../.ci/process.mjs';

export const packageJson = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));

const filesBelow = (folder) =>
  readdirSync(resolve(root, folder), { recursive: true }).map((path) => path.replaceAll('\\', '/'));

const built = filesBelow('dist/esm').filter((path) => /^(?!chunks\/|types\/).*\.js$/.test(path));

/** What can be imported, as subpaths: `.`, `./node`, `./providers/oauth` and so on. */
export const entries = built
  .map((path) => (path === 'index.js' ? '.' : `./${path.slice(0, -'.js'.length)}`))
  .sort();

/** What must be there, read off the sources. */
export const expectedEntries = [
  '.',
  './sandbox',
  ...filesBelow('src/providers').flatMap((path) =>
    /^[\w-]+\.ts$/.test(path) ? [`./providers/${path.slice(0, -'.ts'.length)}`] : [],
  ),
  ...filesBelow('adapters').flatMap((path) =>
    /^[\w-]+\/index\.ts$/.test(path) ? [`./${path.split('/')[0]}`] : [],
  ),
].sort();

/** What is put next to an HTML file. */
export const oneFiles = readdirSync(resolve(root, 'dist'))
  .filter((file) => /^mortise\.[\w.]+\.js$/.test(file))
  .map((file) => `dist/${file}`)
  .sort();

/** `.` → `mortise`, `./node` → `mortise/node`. */
export const specifier = (entry) => packageJson.name + entry.slice(1);
