// npm run mutate: does a test fail for every line that is changed? Slow, so not part of npm test.
//   npm run mutate -- src/session/renew.ts   looks at those files only; `stores` stands for the adapters' stores
//   npm run mutate -- again                  looks only at what nobody noticed the last time, and at changed files
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Stryker } from '@stryker-mutator/core';
import { mergeReport, printSummary, readReport, unnoticed } from './mutation/report.mjs';
import { root } from './process.mjs';

const CORE = ['src/oauth/**/*.ts', 'src/session/**/*.ts'];
const STORES = [
  'adapters/node/{file-store,private-files,keyring-store,sealed-record,sealing-keys}.ts',
  'adapters/web/{store-list,store-choice}.ts',
];
/** The tests that are to notice. Those of random runs and of every provider say little of a line. */
const TESTS = {
  'src/oauth': /^test\/(oauth\/|session\/device|providers\/(profiles|providers|oauth)\.)/,
  'src/session': /^test\/(session\/(?!model|siblings-model|secrets)|api\/|providers\/(?!every-))/,
  adapters: /^test\/adapters\/(node\/((file|keyring)-store|promises)|web\/store-list)/,
};

const reportFile = join(root, '.cache/mutation/report.json');
const given = process.argv.slice(2);
const isAgain = given[0] === 'again';
const mutate = isAgain
  ? unnoticed(readReport(reportFile), given.slice(1))
  : given.length === 0
    ? CORE
    : given.flatMap((name) => (name === 'stores' ? STORES : name));

const wanted = Object.keys(TESTS)
  .filter((folder) => mutate.some((name) => name.startsWith(folder)))
  .map((folder) => TESTS[folder]);
const testFiles = readdirSync(join(root, 'test'), { recursive: true })
  .map((path) => `test/${path.replaceAll('\\', '/')}`)
  .filter((path) => path.endsWith('.test.ts') && wanted.some((some) => some.test(path)))
  .filter((path) => !process.env.MORTISE_SKIP?.split(',').some((part) => path.includes(part)));

const work = join(root, '.cache/mutation', String(process.pid));
mkdirSync(work, { recursive: true });
process.env.MORTISE_MUTATION = JSON.stringify({
  testFiles,
  planFile: join(work, 'plan.json'),
  patienceMs: Number(process.env.MORTISE_PATIENCE ?? 60) * 1_000,
});
const startedAt = Date.now();

await new Stryker({
  mutate,
  plugins: [join(root, '.ci/mutation/runner.mjs')],
  testRunner: 'in-process',
  coverageAnalysis: 'perTest',
  ignorePatterns: ['.cache', '.ci', 'dist', 'samples', '*.md'],
  tempDirName: '.cache/stryker',
  concurrency: Number(process.env.MORTISE_WORKERS ?? 2),
  timeoutMS: 90_000,
  timeoutFactor: 1,
  warnings: { slow: false },
  reporters: ['progress-append-only', 'json'],
  jsonReporter: { fileName: join(work, 'report.json') },
}).runMutationTest();

const report = mergeReport(reportFile, join(work, 'report.json'), isAgain);
if (!process.env.KEEP) rmSync(work, { recursive: true });
printSummary(report);
console.log(`${testFiles.length} test files, ${Math.round((Date.now() - startedAt) / 1000)} s`);
