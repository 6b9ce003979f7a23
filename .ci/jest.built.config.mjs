// The public suite again, on what is shipped instead of the sources.
import { readFileSync } from 'node:fs';

const { jest } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

export default {
  ...jest,
  rootDir: '..',
  testMatch: ['<rootDir>/test/public/**/*.test.ts'],
  // Only the tests are compiled: the built files run as they are.
  transform: { '\\.ts$': jest.transform['\\.[jt]s$'] },
  setupFilesAfterEnv: [...jest.setupFilesAfterEnv, '<rootDir>/test/support/leak-guard-built.ts'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^mortise$': '<rootDir>/dist/cjs/index.js',
    '^mortise/(.*)$': '<rootDir>/dist/cjs/$1.js',
  },
};
