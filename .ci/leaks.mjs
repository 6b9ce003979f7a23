// node .ci/leaks.mjs SECRETS REPORTS: searches what the tests have printed and reported, the files of REPORTS, for
// what they kept secret, which the leak guard (test/support/leak-guard-setup.ts) has left in SECRETS.
import { transformFileSync } from '@swc/core';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './process.mjs';

const [secretsFolder, reportsFolder] = process.argv.slice(2);
const read = (folder, pattern) =>
  readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => [name, readFileSync(join(folder, name), 'utf8')]);

/** The search of the guard itself, which is TypeScript. */
async function loadSearch() {
  const folder = join(root, '.cache/leaks');
  mkdirSync(folder, { recursive: true });
  for (const name of ['canaries', 'leak-search']) {
    const { code } = transformFileSync(join(root, `test/support/${name}.ts`), {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    });
    writeFileSync(join(folder, `${name}.js`), code);
  }
  return import(pathToFileURL(join(folder, 'leak-search.js')).href);
}

const { createSearch, isMarked } = await loadSearch();
const guarded = read(secretsFolder, /\.json$/).map(([, text]) => JSON.parse(text));
const owners = new Map(guarded.flatMap(({ file, random }) => random.map((one) => [one, file])));
const told = read(reportsFolder, /\.(json|tap|txt)$/);
const sum = (count) => guarded.reduce((total, one) => total + count(one), 0);

const search = createSearch(owners.keys());
const found = told.flatMap(([name, text]) => [
  ...new Set(
    [...search(text)].map((secret) => `${name} holds a secret of test/${owners.get(secret)}`),
  ),
  ...(isMarked(text) ? [`${name} holds something marked as secret`] : []),
]);

console.log(
  `  ${owners.size} secrets in ${sum(({ told }) => told)} texts told to programs and users, and in`,
);
console.log(
  `  ${told.length} reports; ${sum(({ madeUp }) => madeUp)} made-up names as whole words only,`,
);
console.log(`  ${sum(({ tooShort }) => tooShort)} too short to search for`);
for (const line of found) console.error(`  ${line}`);
if (owners.size === 0 || told.length === 0)
  console.error('  Nothing was searched: the step jest comes first.');
process.exit(found.length > 0 || owners.size === 0 || told.length === 0 ? 1 : 0);
