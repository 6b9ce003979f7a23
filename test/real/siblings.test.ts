// Two processes and one account: what one does reaches the other, whatever the other is in the middle of.
import { startStrictServer, type StrictServer } from '../support/strict-server.js';
import { makeDirectory, removeDirectories, signInTo, storedIn } from '../support/worker-account.js';
import {
  buildWorkers,
  digest,
  type Worker,
  type WorkerProgram,
} from '../support/worker-process.js';
import type { Answer, Instant, Opening } from '../support/worker-protocol.js';

/** A store tells of a change within 2 s; the rest is for a machine that has others to serve. */
const NOTICE_LIMIT_MS = 5_000;
/** Waiting goes so much faster for a process that is to be impatient: 45 s pass in half a second. */
const IMPATIENT = { speed: 100 };

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
  await begin();
});
afterEach(async () => {
  for (const worker of opened) {
    const { code, stderr } = await worker.end();
    // Neither was ended by something thrown past everybody: that would have been the host application.
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }
  await server.stop();
});

async function begin(options: Parameters<typeof startStrictServer>[0] = {}): Promise<void> {
  await server?.stop();
  server = await startStrictServer(options);
  opening = { directory: makeDirectory(), provider: server.provider };
}

async function open(name: string, more: { speed?: number } = {}): Promise<Worker> {
  const worker = await program.start({ name });
  opened.push(worker);
  await worker.ask({ do: 'open', ...opening, ...more });
  await worker.ask({ do: 'restore' });
  return worker;
}

const outcomes = () => server.refreshes.map(({ by, outcome }) => `${by} ${outcome}`);
const stored = () => storedIn(opening.directory);
const OUT = { error: { code: 'sign_in_required', reason: 'signedOut' } };

/** Of what others do it hears by itself, and in time. */
async function notices(worker: Worker, what: RegExp): Promise<void> {
  const { length } = worker.changes;
  const startMs = performance.now();
  await worker.changed(
    (change) => worker.changes.indexOf(change) >= length && what.test(change.event),
  );
  expect(performance.now() - startMs).toBeLessThan(NOTICE_LIMIT_MS);
}

test('case 195: a sign-in, a refresh and a sign-out are noticed by the other, within seconds', async () => {
  const [one, two] = [await open('one'), await open('two')];
  expect(await two.ask({ do: 'state' })).toMatchObject({ state: { name: 'signedOut' } });

  const found = Promise.all([notices(one, /^sessionFound$/), notices(two, /^sessionFound$/)]);
  await signInTo(opening);
  await found;
  expect(await two.ask({ do: 'getAccessToken' })).toEqual({
    token: digest(stored()?.accessToken ?? ''),
  });

  server.expireAccess();
  const renewed = notices(two, /^sessionRenewed$/);
  const { token } = await one.ask({ do: 'request' });
  await renewed;
  expect(await two.ask({ do: 'getAccessToken' })).toEqual({ token });
  expect(outcomes()).toEqual(['one rotated']);

  const gone = notices(two, /^sessionGone$/);
  await one.ask({ do: 'signOut' });
  await gone;
  expect(await two.ask({ do: 'state' })).toEqual({
    state: { name: 'signedOut', reason: 'signedOut' },
  });
  expect(await two.ask({ do: 'getAccessToken' })).toMatchObject(OUT);

  const again = notices(two, /^sessionFound$/);
  await signInTo(opening);
  await again;
  expect(await two.ask({ do: 'request' })).toEqual({ token: digest(stored()?.accessToken ?? '') });
  // Each change was told once, and none that did not happen.
  expect(two.changes.map(({ event }) => event)).toEqual([
    'restoreRequested',
    'sessionAbsent',
    'sessionFound',
    'sessionRenewed',
    'sessionGone',
    'sessionFound',
  ]);
}, 30_000);

describe('case 137: signing out here while the other one refreshes', () => {
  let one: Worker;
  let two: Worker;
  let held: ReturnType<StrictServer['hold']>;
  /** What the server gives, though nobody wants it any more. */
  let late: string;

  async function refreshing(impatient: boolean): Promise<{ asked: Promise<Answer> }> {
    await signInTo(opening);
    one = await open('one');
    two = await open('two', impatient ? IMPATIENT : {});
    server.expireAccess();
    held = server.hold();
    const asked = one.ask({ do: 'request' });
    await held.decided;
    late = server.current();
    return { asked };
  }

  async function expectEverythingOver(): Promise<void> {
    expect(stored()).toBeNull();
    expect(server.revoked).toContain(late);
    expect(server.current()).toBe('');
    for (const worker of [one, two]) {
      expect(await worker.ask({ do: 'getAccessToken' })).toMatchObject(OUT);
      expect(await worker.ask({ do: 'state' })).toMatchObject({ state: { name: 'signedOut' } });
    }
  }

  test('and the answer is long in coming: it is revoked, and not kept', async () => {
    const { asked } = await refreshing(true);
    await two.ask({ do: 'signOut' });
    expect(stored()).toBeNull();
    held.release();
    expect(await asked).toMatchObject(OUT);
    await expectEverythingOver();
  });

  test('and the answer comes while the sign-out waits for its turn: so too', async () => {
    const { asked } = await refreshing(false);
    const signedOut = two.ask({ do: 'signOut' });
    await two.changed(({ to }) => to === 'signingOut');
    held.release();
    await Promise.all([signedOut, asked]);
    await one.changed(({ to }) => to === 'signedOut');
    await expectEverythingOver();
  });

  test('and knows nothing of a refresh that is over: what that brought is revoked', async () => {
    const { asked } = await refreshing(false);
    held.release();
    await asked;
    await two.ask({ do: 'signOut' });
    await one.changed(({ to }) => to === 'signedOut');
    await expectEverythingOver();
  });
});

describe('case 142: whoever has the lock stands still for longer than anybody waits', () => {
  let one: Worker;
  let two: Worker;

  /** One stands still at this instant of its refresh; the other goes on without the lock, in bounded time. */
  async function standsStill(at: Instant) {
    await signInTo(opening);
    [one, two] = [await open('one'), await open('two', IMPATIENT)];
    server.expireAccess();
    await one.ask({ do: 'arm', at, then: 'stand still' });
    const asked = one.ask({ do: 'request' });
    await one.reached(at);
    await one.stopped();
    const startMs = performance.now();
    const answer = await two.ask({ do: 'request' });
    expect(performance.now() - startMs).toBeLessThan(5_000);
    return { answer, asked };
  }

  test('before it has asked: what the other one gets stays, and is taken over', async () => {
    await begin({ onReuse: 'refuse' });
    const { answer, asked } = await standsStill('before send');
    expect(answer).toEqual({ token: digest(stored()?.accessToken ?? '') });
    const { refreshToken } = stored() ?? {};
    one.signal('SIGCONT');
    // Case 121, 122: its refresh token was spent by the other one, whose record it finds, takes, and lets be.
    expect(await asked).toEqual(answer);
    expect(stored()).toMatchObject({ refreshToken });
    expect(outcomes()).toEqual(['two rotated', 'one refused']);
    expect(one.changes.map(({ to }) => to)).not.toContain('signedOut');
  });

  // A refusal says nothing while somebody else may have the next token in hand, and be about to store it.
  test.each<[string, Instant]>([
    ['with the answer in its hand', 'after the answer'],
    ['in the middle of its save', 'before rename'],
  ])('%s: the other one cannot know, so nobody is signed out', async (_, at) => {
    await begin({ onReuse: 'refuse' });
    const { answer, asked } = await standsStill(at);
    expect(answer.error).toMatchObject({ code: expect.not.stringMatching('sign_in_required') });
    expect(stored()).not.toBeNull();
    one.signal('SIGCONT');
    const { token } = await asked;
    expect(token).toEqual(expect.any(String));
    expect(await two.ask({ do: 'request' })).toEqual({ token });
    for (const { changes } of [one, two]) {
      expect(changes.map(({ to }) => to)).not.toContain('signedOut');
    }
  });

  test('with the answer in its hand: a sign-in that was made meanwhile is not overwritten', async () => {
    const { asked } = await standsStill('after the answer');
    const noticed = notices(two, /^session(Found|Renewed)$/);
    await signInTo({ ...opening, ...IMPATIENT });
    await noticed;
    const fresh = stored();
    one.signal('SIGCONT');
    // Case 150: what was begun for the one who was signed in before does not go on for another.
    expect(await asked).toMatchObject({ error: { code: 'aborted' } });
    expect(stored()).toEqual(fresh);
    for (const worker of [one, two]) {
      expect(await worker.ask({ do: 'request' })).toEqual({
        token: digest(fresh?.accessToken ?? ''),
      });
    }
  });
});
