// Runs tests for Stryker within its own process: the files are loaded once, and for each mutant only the tests
// that come by its line are called, until one fails. Jest would start anew each time, for a hundred times as long.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PluginKind, declareClassPlugin } from '@stryker-mutator/api/plugin';
import { loadTests, unloadTests } from './load.mjs';
import { runTest } from './run-test.mjs';

const { testFiles, planFile, patienceMs } = JSON.parse(process.env.MORTISE_MUTATION ?? '{}');
const context = (globalThis.__stryker__ ??= {});

/** What is known since the first run, for every worker: the order of files and tests, and who loads what. */
let plan;
/** The loaded test files by path. */
const loaded = new Map();

const load = (path) => {
  unloadTests();
  const tests = loadTests(join(process.cwd(), path), path);
  loaded.set(path, tests);
  return tests;
};

class InProcessRunner {
  capabilities() {
    return { reloadEnvironment: true };
  }

  async dryRun() {
    const files = [];
    const results = [];
    for (const path of testFiles) {
      const coverage = (context.mutantCoverage ??= { static: {}, perTest: {} });
      coverage.static = {};
      for (const test of load(path)) {
        context.currentTestId = test.id;
        const startedAt = performance.now();
        const failure = await runTest(test, 15_000);
        context.currentTestId = undefined;
        const ms = performance.now() - startedAt;
        // What fails unchanged cannot notice a change.
        if (failure === undefined) {
          results.push({ id: test.id, name: test.id, fileName: path, timeSpentMs: ms, status: 0 });
          continue;
        }
        console.error(`left out, for it fails: ${test.id}\n${failure}`);
        delete coverage.perTest[test.id];
      }
      files.push({ path, whileLoading: Object.keys(coverage.static) });
    }
    const { perTest } = context.mutantCoverage;
    const all = {};
    for (const { whileLoading } of files) for (const id of whileLoading) all[id] = 1;
    // First the tests that come by little, for they are about it, and of these the quickest.
    const cost = ({ id, timeSpentMs }) => Object.keys(perTest[id] ?? {}).length * (1 + timeSpentMs);
    const order = results
      .filter(({ timeSpentMs }) => timeSpentMs < 1_000)
      .sort((a, b) => cost(a) - cost(b));
    // What is run while a file is loaded may be run by the tests of another, too.
    for (const file of files) {
      const own = results.filter(({ fileName }) => fileName === file.path);
      const runs = own.flatMap(({ id }) => Object.keys(perTest[id] ?? {}));
      file.mutants = [...new Set([...file.whileLoading, ...runs])];
    }
    files.sort((a, b) => a.mutants.length - b.mutants.length);
    const tests = order.map(({ id, fileName, timeSpentMs }) => ({ id, fileName, timeSpentMs }));
    writeFileSync(planFile, JSON.stringify({ files, tests }));
    return { status: 'complete', tests: results, mutantCoverage: { static: all, perTest } };
  }

  async mutantRun({ activeMutant, testFilter, mutantActivation, hitLimit }) {
    plan ??= JSON.parse(readFileSync(planFile, 'utf8'));
    context.hitLimit = hitLimit;
    context.hitCount = hitLimit === undefined ? undefined : 0;
    try {
      return await (mutantActivation === 'static'
        ? whileLoading(activeMutant.id)
        : atRuntime(activeMutant.id, new Set(testFilter)));
    } finally {
      context.activeMutant = undefined;
    }
  }
}

async function atRuntime(id, chosen) {
  const tests = inTurn(plan.tests.filter((test) => chosen.has(test.id)));
  for (const { fileName } of tests) if (!loaded.has(fileName)) load(fileName);
  context.activeMutant = id;
  return untilKilled(tests);
}

async function whileLoading(id) {
  context.activeMutant = id;
  let nrOfTests = 0;
  for (const { path } of plan.files.filter((file) => file.mutants.includes(id))) {
    try {
      load(path);
    } catch (error) {
      loaded.delete(path);
      return killed('(loading)', String(error), nrOfTests);
    }
    const result = await untilKilled(plan.tests.filter((test) => test.fileName === path));
    loaded.delete(path);
    if (result.status !== 'survived') return result;
    nrOfTests += result.nrOfTests;
  }
  return { status: 'survived', nrOfTests };
}

/** One of each file, then the next of each: tests of one file notice much the same. */
function inTurn(tests) {
  const seen = new Map();
  const place = ({ fileName }) => {
    seen.set(fileName, (seen.get(fileName) ?? 0) + 1);
    return seen.get(fileName);
  };
  const placed = tests.map((test) => ({ test, place: place(test) }));
  return placed.sort((a, b) => a.place - b.place).map(({ test }) => test);
}

async function untilKilled(tests) {
  let nrOfTests = 0;
  const startedAt = performance.now();
  for (const { id, fileName, timeSpentMs } of tests) {
    if (performance.now() - startedAt > patienceMs) break;
    const test = loaded.get(fileName).find((each) => each.id === id);
    // A mutant may change which tests there are.
    if (!test) return killed(id, 'the test is gone', nrOfTests);
    nrOfTests += 1;
    const failure = await runTest(test, Math.max(3_000, 10 * timeSpentMs));
    if (failure === undefined) continue;
    // What still hangs or was left behind is not to meet the next mutant.
    loaded.delete(fileName);
    return killed(id, failure, nrOfTests);
  }
  return { status: 'survived', nrOfTests };
}

const killed = (id, failureMessage, nrOfTests) => ({
  status: 'killed',
  killedBy: [id],
  failureMessage,
  nrOfTests,
});

process.on('unhandledRejection', () => {});

export const strykerPlugins = [
  declareClassPlugin(PluginKind.TestRunner, 'in-process', InProcessRunner),
];
