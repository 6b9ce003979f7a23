// npm test: everything, in order, stopping at the first step that fails. `npm test -- types jest` runs
// only the steps it names (all: types format jest package nodes leaks).
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { nodeBinaries } from './node-versions.mjs';
import { root, run, timed } from './process.mjs';
import { build, install } from './setup.mjs';

const chosen = process.argv.slice(2);
const reports = join(root, '.cache/test');
/** What the tests kept secret, for the last step. It goes with this process. */
const secrets = join(reports, 'secrets');
const vmModules = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
const jestBin = join(root, 'node_modules/jest/bin/jest.js');
const totals = { passed: 0, failed: 0, skipped: 0 };
const leftOut = [];

function add(passed, failed, skipped) {
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
}

function jest(name, node, ...args) {
  const file = join(reports, `${name}.json`);
  const tee = ['--require', join(root, '.ci/tee.cjs')];
  const { ok } = run(
    [node, ...vmModules, ...tee, jestBin, '--json', `--outputFile=${file}`, ...args],
    { env: { MORTISE_LEAKS: secrets, MORTISE_TOLD: join(reports, `${name}.txt`) } },
  );
  const report = JSON.parse(readFileSync(file, 'utf8'));
  add(
    report.numPassedTests,
    report.numFailedTests + report.numRuntimeErrorTestSuites,
    report.numPendingTests,
  );
  const skipped = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'pending')
    .map(({ ancestorTitles, title }) => ancestorTitles[0] ?? title);
  for (const what of new Set(skipped))
    leftOut.push(`"${what}". Why is said above, where it would run.`);
  return ok && report.numPassedTests > 0;
}

/** Node itself leaves one core for the rest of the machine, which has nothing else to do. */
const atOnce = `--test-concurrency=${availableParallelism()}`;

/** Runs files of Node's own test runner, for what has to happen outside of jest's modules. */
function nodeTest(name, node, files) {
  const file = join(reports, `${name}.tap`);
  const reporters = ['spec', 'stdout', 'tap', file].map((value, index) =>
    index % 2 ? `--test-reporter-destination=${value}` : `--test-reporter=${value}`,
  );
  const { ok } = run([node, '--test', atOnce, ...reporters, ...files]);
  const tap = readFileSync(file, 'utf8');
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(tap)?.[1] ?? 0);
  add(count('pass'), count('fail') + count('cancelled'), count('skipped') + count('todo'));
  return ok && count('pass') > 0;
}

const packageTests = readdirSync(join(root, 'test/package'))
  .filter((file) => file.endsWith('.test.mjs'))
  .map((file) => `test/package/${file}`);

const steps = {
  types: ['Type-checking each room', () => run([process.execPath, '.ci/check-types.mjs']).ok],
  format: [
    'Checking the format',
    () => run([process.execPath, 'node_modules/prettier/bin/prettier.cjs', '--check', '.']).ok,
  ],
  jest: ['Testing the sources', () => jest('sources', process.execPath)],
  package: ['Testing the built package', () => nodeTest('package', process.execPath, packageTests)],
  nodes: [
    'Testing the built package on each Node',
    () =>
      nodeBinaries(leftOut).every(({ version, binary }) => {
        console.log(`  Node ${version}`);
        return (
          nodeTest(`entries-${version}`, binary, ['test/package/entries.test.mjs']) &&
          jest(`built-${version}`, binary, '--config=.ci/jest.built.config.mjs')
        );
      }),
  ],
  leaks: [
    'Searching everything told for secrets',
    () => run([process.execPath, '.ci/leaks.mjs', secrets, reports]).ok,
  ],
};

for (const name of chosen) {
  if (!(name in steps))
    throw new Error(`There is no step ${name}; there are: ${Object.keys(steps).join(' ')}`);
}

const startMs = performance.now();
install();
build();
rmSync(reports, { recursive: true, force: true });
mkdirSync(secrets, { recursive: true, mode: 0o700 });
process.on('exit', () => rmSync(secrets, { recursive: true, force: true }));

let failedAt;
for (const [name, [what, task]] of Object.entries(steps)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  if (timed(what, task)) continue;
  failedAt = what;
  break;
}

console.log(`\n${((performance.now() - startMs) / 1000).toFixed(0)} s in all`);
for (const notice of leftOut) console.log(`LEFT OUT: ${notice}`);
if (failedAt) console.log(`FAILED: ${failedAt}`);
if (failedAt && totals.failed === 0) totals.failed = 1;
console.log(
  `${totals.passed} passed, ${totals.failed} failed${totals.skipped ? `, ${totals.skipped} skipped` : ''}`,
);
process.exit(failedAt ? 1 : 0);
