// npm run mutate: does a test fail for every line that is changed? Slow, so not part of npm test.
// `npm run mutate -- 'src/session/renew.ts'` looks at those files only.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Stryker } from '@stryker-mutator/core';
import { root } from './process.mjs';

const { jest } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const chosen = process.argv.slice(2);
// Random runs are for finding what nobody thought of; a mutant that only they find wants a test of its own.
const leftOut = [
  'model.test.ts',
  'secrets.test.ts',
  ...(process.env.MORTISE_SKIP?.split(',') ?? []),
];

const stryker = new Stryker({
  mutate: chosen.length > 0 ? chosen : ['src/session/**/*.ts', 'src/oauth/**/*.ts'],
  testRunner: 'jest',
  coverageAnalysis: 'perTest',
  jest: {
    projectType: 'custom',
    config: {
      ...jest,
      maxWorkers: 1,
      testMatch: ['<rootDir>/test/(session|oauth)/**/*.test.ts'],
      testPathIgnorePatterns: leftOut,
    },
    enableFindRelatedTests: false,
  },
  ignoreStatic: true,
  ignorePatterns: ['.cache', '.ci', 'dist', 'samples', 'adapters/**/*.md'],
  tempDirName: '.cache/stryker',
  incremental: true,
  incrementalFile: '.cache/stryker-incremental.json',
  concurrency: Number(process.env.MORTISE_WORKERS ?? 2),
  timeoutMS: 10_000,
  reporters: ['clear-text', 'progress-append-only', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: '.cache/mutation.json' },
});
await stryker.runMutationTest();
