// Sixteen processes share one account in one folder, at servers that take a refresh token once. The rounds:
// the API refuses the token that all have, so all of them want another one at the same moment.
import { oidcAccount, type OidcAccount } from '../support/oidc-account.js';
import { startStrictServer, type StrictServer } from '../support/strict-server.js';
import { makeDirectory, removeDirectories, signInTo, storedIn } from '../support/worker-account.js';
import {
  buildWorkers,
  digest,
  faketimeEnv,
  testWithFaketime,
  type Worker,
  type WorkerOptions,
  type WorkerProgram,
} from '../support/worker-process.js';
import type { Opening } from '../support/worker-protocol.js';

const PROCESSES = 16;
/** `npm run endure` plays 200 of each, and 500 kills in crashes.test.ts. */
const ROUNDS = Number(process.env['MORTISE_ROUNDS'] ?? 4);
/** Of one round. It takes a tenth of a second, and no machine is so busy that it takes this. */
const ROUND_LIMIT_MS = 15_000;

let program: WorkerProgram;
let opened: Worker[];
let server: StrictServer;
let opening: Opening;

beforeAll(() => {
  program = buildWorkers();
}, 60_000);
afterAll(async () => {
  await program.remove();
  removeDirectories();
});

beforeEach(async () => {
  opened = [];
  server = await startStrictServer();
  opening = { directory: makeDirectory(), provider: server.provider };
});
afterEach(async () => {
  const exits = await Promise.all(opened.map((worker) => worker.end()));
  await server.stop();
  // Nothing was thrown past everybody: that would have ended the host application.
  for (const { code, signal, stderr } of exits) {
    if (signal !== 'SIGKILL') expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }
});

async function open(options: WorkerOptions, where = opening): Promise<Worker> {
  const worker = await program.start(options);
  opened.push(worker);
  await worker.ask({ do: 'open', ...where });
  return worker;
}

const openAll = (where = opening) =>
  Promise.all(Array.from({ length: PROCESSES }, (_, at) => open({ name: `process ${at}` }, where)));

/** One question of each, all at once, and what they were told: a token's digest, or what went wrong. */
async function askAll(workers: readonly Worker[], path?: string): Promise<string[]> {
  const startMs = performance.now();
  const asked = workers.map((worker) => worker.ask({ do: 'request', ...(path && { path }) }));
  const answers = await Promise.all(asked);
  expect(performance.now() - startMs).toBeLessThan(ROUND_LIMIT_MS);
  return answers.map(({ token, error }) => token ?? error?.text ?? '');
}

const expectNobodySignedOut = (workers: readonly Worker[]) => {
  for (const { changes } of workers) {
    expect(changes.filter(({ to }) => to === 'signedOut' || to === 'degraded')).toEqual([]);
  }
};

const summary = (what: string, times: number[]) => {
  const sorted = [...times].sort((a, b) => a - b);
  const ms = (at: number) => sorted[Math.floor((sorted.length - 1) * at)]?.toFixed(0);
  process.stderr.write(
    `    ${what}: ${times.length} rounds, ${ms(0.5)} ms each (most ${ms(1)} ms)\n`,
  );
};

/** One refresh, and all are served with what it brought: by now it is what the folder holds. */
function expectOneFor(told: readonly string[], refreshesBefore: number): void {
  const refreshes = server.refreshes.slice(refreshesBefore);
  expect(refreshes).toEqual([{ by: expect.any(String), outcome: 'rotated' }]);
  const { accessToken = '' } = storedIn(opening.directory) ?? {};
  expect([...new Set(told)]).toEqual([digest(accessToken)]);
}

/** @returns How long it took. */
async function playRound(workers: readonly Worker[]): Promise<number> {
  const { length } = server.refreshes;
  server.expireAccess();
  const startMs = performance.now();
  const told = await askAll(workers);
  const tookMs = performance.now() - startMs;
  expectOneFor(told, length);
  return tookMs;
}

test(`case 120: ${ROUNDS} rounds: one refresh in each, and all are served with what it brought`, async () => {
  await signInTo(opening);
  const workers = await openAll();
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) times.push(await playRound(workers));
  expectNobodySignedOut(workers);
  summary('all at once', times);
}, 600_000);

test('case 120, 141: though whoever has the lock is killed in each round, before it has sent anything', async () => {
  await signInTo(opening);
  let workers = await openAll();
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { length } = server.refreshes;
    const [victim, ...others] = workers;
    if (!victim) throw new Error('nobody is left');
    const successor = open({ name: `process ${PROCESSES + round}` });
    server.expireAccess();
    await victim.ask({ do: 'arm', at: 'locked', then: 'stand still' });
    const last = victim.ask({ do: 'request' });
    await victim.reached('locked');
    const refusedBefore = server.refusals;
    const served = askAll(others);
    // All have been refused, so they are on their way to the lock, or wait for it.
    await server.refused(refusedBefore + others.length);
    const startMs = performance.now();
    victim.signal('SIGKILL');
    const told = await served;
    times.push(performance.now() - startMs);
    expect(await last).toMatchObject({ error: { code: 'killed' } });
    expectOneFor(told, length);
    workers = [...others, await successor];
  }
  expectNobodySignedOut(opened);
  summary('the holder killed', times);
}, 600_000);

// Its clock is wrong in what it stores, and right in nothing it reads: that a token is new nobody has to be
// told by a clock, for another one was there a moment ago.
testWithFaketime(
  'case 120, 133: though the clock of one is an hour ahead',
  async () => {
    await signInTo(opening);
    const ahead = await open({ name: 'ahead', env: faketimeEnv({ offset: '+1h' }) });
    const workers = [ahead, ...(await openAll()).slice(1)];
    await playRound(workers);
    // Who is first in a round is chance, so this one is its own.
    const { length } = server.refreshes;
    server.expireAccess();
    const leading = await askAll([ahead]);
    expect(server.refreshes[length]).toEqual({ by: 'ahead', outcome: 'rotated' });
    expectOneFor([...leading, ...(await askAll(workers))], length);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) times.push(await playRound(workers));
    expectNobodySignedOut(workers);
    summary('one clock ahead', times);
  },
  600_000,
);

describe('at a certified server', () => {
  let account: OidcAccount;
  beforeAll(async () => {
    account = await oidcAccount();
  });
  afterAll(() => account.stop());

  test('case 120: one refresh a round, and nobody is signed out', async () => {
    const where = { directory: makeDirectory(), provider: account.provider };
    await signInTo(where);
    const workers = await openAll(where);
    const times: number[] = [];
    for (let round = 0; round < Math.min(ROUNDS, 20); round += 1) {
      const { granted } = await account.refreshes();
      await account.expireAccess();
      const startMs = performance.now();
      const told = await askAll(workers, 'me');
      times.push(performance.now() - startMs);
      expect(await account.refreshes()).toEqual({ granted: granted + 1, refused: 0 });
      expect(new Set(told)).toEqual(
        new Set([digest(storedIn(where.directory)?.accessToken ?? '')]),
      );
    }
    expectNobodySignedOut(workers);
    summary('certified server', times);
  }, 600_000);
});
