// npm run endure: what npm test does with processes and kills, for longer: 200 rounds of each kind, 500 kills.
import { build, install } from './setup.mjs';
import { npm, run } from './process.mjs';

install();
build();
const env = { MORTISE_ROUNDS: '200', MORTISE_RUNS: '500' };
const jest = npm(
  'run',
  'jest',
  '--',
  'test/real/processes',
  'test/real/crashes',
  'test/real/tabs',
  '--runInBand',
  '--verbose',
);
process.exit(run([...jest, '--testTimeout=600000'], { env }).ok ? 0 : 1);
