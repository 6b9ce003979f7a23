// Clocks that disagree: between processes of one machine, and with what they said a moment ago. Beside
// test/session/clocks.test.ts, where one fake clock is set at every state of one session.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FakeClock } from '../support/fake-clock.js';
import { startStrictServer, type StrictServer } from '../support/strict-server.js';
import { makeDirectory, removeDirectories, signInTo, storedIn } from '../support/worker-account.js';
import {
  buildWorkers,
  digest,
  faketimeEnv,
  testWithFaketime,
  type Worker,
  type WorkerProgram,
} from '../support/worker-process.js';
import type { Opening } from '../support/worker-protocol.js';
import { createDesk } from '../session/support.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('case 133, 150: two processes whose clocks differ use one account all day', () => {
  const DAY_HOURS = 8;
  const STEP_MINUTES = 4;
  // Tokens live for an hour, so one refresh an hour is what it takes. What one stores may look old to the
  // other, who then renews early, and the first one once more: no more than that, and no end of it never.
  const MOST = 3 * (DAY_HOURS + 1);

  // prettier-ignore
  test.each([
    ['two minutes ahead', 2 * MINUTE_MS],
    ['ten minutes ahead', 10 * MINUTE_MS],
    ['an hour ahead',     HOUR_MS],
    ['an hour behind',    -HOUR_MS],
    ['a day ahead',       24 * HOUR_MS],
    ['a day behind',      -24 * HOUR_MS],
  ])('one is %s', async (_, aheadMs) => {
    for (const renewAheadMs of [undefined, 5 * MINUTE_MS]) {
      const desk = createDesk();
      const ahead = renewAheadMs === undefined ? {} : { renewAheadMs };
      const off: FakeClock = Object.create(desk.clock, {
        nowMs: { value: () => desk.clock.nowMs() + aheadMs },
      });
      const right = await desk.signedIn({ ...ahead });
      const wrong = desk.start({ ...ahead, clock: off });
      for (let minute = 0; minute < DAY_HOURS * 60; minute += STEP_MINUTES) {
        await right.session.getAccessToken();
        await wrong.session.getAccessToken();
        await desk.clock.advance(STEP_MINUTES * MINUTE_MS);
      }
      expect(desk.refreshes().length).toBeGreaterThanOrEqual(DAY_HOURS - 1);
      expect(desk.refreshes().length).toBeLessThanOrEqual(MOST);
      for (const { session } of [right, wrong]) {
        expect(session.state.name).toBe('signedIn');
        await session.close();
      }
    }
  });
});

describe('a process whose clock is set while it runs', () => {
  let program: WorkerProgram;
  let server: StrictServer;
  let opening: Opening;
  let opened: Worker[];

  beforeAll(() => {
    program = buildWorkers();
  }, 60_000);
  afterAll(async () => {
    await program.remove();
    removeDirectories();
  });
  beforeEach(async () => {
    opened = [];
    server = await startStrictServer({ lifetimeS: 2 * 3_600 });
    opening = { directory: makeDirectory(), provider: server.provider };
    await signInTo(opening);
  });
  afterEach(async () => {
    for (const worker of opened) {
      const { code, stderr } = await worker.end();
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    }
    await server.stop();
  });

  async function open(name: string, env: Readonly<Record<string, string>> = {}): Promise<Worker> {
    const worker = await program.start({ name, env });
    opened.push(worker);
    await worker.ask({ do: 'open', ...opening });
    return worker;
  }

  /** A clock on the wall that a test sets, by an offset such as `+1h`, for the processes that have it. */
  function createWall() {
    const file = join(dirname(opening.directory), 'clock');
    const set = (offset: string) => writeFileSync(file, `${offset}\n`);
    set('+0');
    return { env: faketimeEnv({ file }), set };
  }

  testWithFaketime('case 133: forth and back costs one refresh at most, each time', async () => {
    const wall = createWall();
    let worker = await open('one', wall.env);
    const steps = ['+1d', '+0', '-1d', '+0', '+1h', '+0', '-1h', '+0', '+60d', '-60d'];
    for (const step of steps) {
      const before = server.refreshes.length;
      wall.set(step);
      for (let call = 0; call < 5; call += 1) {
        expect(await worker.ask({ do: 'request' })).toEqual({ token: expect.any(String) });
      }
      expect(server.refreshes.length - before).toBeLessThanOrEqual(1);
      // Who starts only now knows nothing of the step.
      const later = server.refreshes.length;
      await worker.end();
      worker = await open('next', wall.env);
      for (let call = 0; call < 5; call += 1) await worker.ask({ do: 'getAccessToken' });
      expect(server.refreshes.length - later).toBeLessThanOrEqual(1);
    }
    expect(server.refreshes.every(({ outcome }) => outcome === 'rotated')).toBe(true);
  });

  testWithFaketime(
    'case 136: asleep over the end of the token, with ten timers set, it wakes to one refresh',
    async () => {
      const wall = createWall();
      const worker = await open('sleeper', wall.env);
      await worker.ask({ do: 'getAccessToken' });
      const asked = worker.ask({ do: 'getAccessToken', times: 10, afterMs: 300 });
      worker.signal('SIGSTOP');
      await worker.stopped();
      wall.set('+3h');
      await new Promise((done) => setTimeout(done, 400));
      worker.signal('SIGCONT');
      expect(await asked).toEqual({
        token: digest(storedIn(opening.directory)?.accessToken ?? ''),
      });
      expect(server.refreshes).toEqual([{ by: 'sleeper', outcome: 'rotated' }]);
    },
  );

  testWithFaketime(
    'case 142: a clock an hour ahead does not make a lock look abandoned',
    async () => {
      const [holder, ahead] = [
        await open('holder'),
        await open('ahead', faketimeEnv({ offset: '+1h' })),
      ];
      server.expireAccess();
      await holder.ask({ do: 'arm', at: 'before send', then: 'stand still' });
      const first = holder.ask({ do: 'request' });
      await holder.reached('before send');
      await holder.stopped();
      const second = ahead.ask({ do: 'request' });
      await server.refused(2);
      // Measured: a lock that goes by the time of files is stolen within 4 ms.
      await new Promise((done) => setTimeout(done, 400));
      expect(server.refreshes).toEqual([]);
      holder.signal('SIGCONT');
      expect(await first).toEqual({ token: expect.any(String) });
      expect(await second).toEqual({ token: expect.any(String) });
      expect(server.refreshes[0]).toEqual({ by: 'holder', outcome: 'rotated' });
    },
  );
});
