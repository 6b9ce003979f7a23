import { randomBytes } from 'node:crypto';
import { createLocalLock } from '../../adapters/web/local-lock.js';
import { settle } from '../support/fake-clock.js';
import { deferred, type FakeAnswer } from '../support/fake-host.js';
import { createDesk, failing, neverHeld, RENEW } from './support.js';

/** Two processes of one account. The second is the one that notices. */
async function createPair(how: Parameters<typeof createDesk>[0] = {}) {
  const desk = createDesk(how);
  const first = await desk.signedIn();
  const second = desk.start();
  await second.session.restore();
  second.news();
  return { desk, first, second, server: desk.server, store: desk.store, clock: desk.clock };
}
type Pair = Awaited<ReturnType<typeof createPair>>;
type Process = Pair['first'];
type Act = (pair: Pair) => Promise<unknown>;

const renew = ({ session }: Process) => session.getAccessToken(RENEW);

/** What may be under way, how it ends, and what it says when nobody disturbs it. */
// prettier-ignore
const UNDER_WAY: readonly [name: string, begin: (pair: Pair) => Promise<() => Promise<unknown>>, undisturbed: string[]][] = [
  ['authorizing', async ({ second }) => {
    const done = second.session.signIn();
    const visit = await second.host.visit();
    return async () => { await visit.redirect({ error: 'access_denied' }); await done.catch(() => {}); };
  }, ['signInRequested authorizing', 'addressReady authorizing', 'sessionKept signedIn']],
  ['exchanging', async ({ second, server }) => {
    const answer = deferred<FakeAnswer>();
    server.next(() => answer.promise);
    const done = second.session.signIn();
    const redirected = (await second.host.visit()).redirect({ code: 'ann' });
    await settle();
    return async () => { answer.resolve({ status: 500 }); await redirected; await done.catch(() => {}); };
  }, ['signInRequested authorizing', 'addressReady authorizing', 'redirectReceived exchanging', 'sessionKept signedIn']],
  ['refreshing', async ({ second, server }) => {
    const answer = deferred<FakeAnswer>();
    server.next(() => answer.promise);
    const done = renew(second);
    await settle();
    return async () => { answer.resolve({ status: 503 }); await done; };
  }, ['refreshDue refreshing', 'refreshFailed degraded']],
];

/** What a sibling does that a lock cannot keep out, for it waits five seconds at most. */
// prettier-ignore
const MEANWHILE: readonly [name: string, act: Act, caughtUp: string][] = [
  ['signs out',                ({ first }) => first.session.signOut(), 'sessionGone signedOut'],
  ['signs in as another user', ({ first }) => first.signIn('bob'),     'sessionRenewed signedIn'],
];

describe.each(UNDER_WAY)('case 195: while %s', (name, begin, undisturbed) => {
  test.each(MEANWHILE)(
    'a sibling that %s disturbs nothing, and is noticed when it is over',
    async (_, act, caughtUp) => {
      const pair = await createPair({ lock: neverHeld });
      const { second, desk } = pair;
      const end = await begin(pair);
      await act(pair);
      await settle();
      expect(second.session.state.name).toBe(name);
      const before = undisturbed.slice(0, -1);
      expect(second.news()).toEqual(before);
      await end();
      await settle();
      // It may be told in one step, or after what was under way is over.
      expect(second.news().at(-1)).toBe(caughtUp);
      expect(second.session.state.name).toBe(desk.record() ? 'signedIn' : 'signedOut');
    },
  );
});

test('case 195: while it is restored, a sibling’s sign-out is noticed when that is over', async () => {
  const desk = createDesk();
  const first = await desk.signedIn();
  const second = desk.start();
  const gate = deferred<void>();
  const [text] = [...desk.store.values.values()];
  const { get } = desk.store;
  let isFirst = true;
  // It has read, but does not know yet.
  desk.store.get = async (key) => {
    if (!isFirst) return get(key);
    isFirst = false;
    await gate.promise;
    return text ?? null;
  };
  const restored = second.session.restore();
  await first.session.signOut();
  await settle();
  gate.resolve();
  await restored;
  await settle();
  expect(second.news()).toEqual([
    'restoreRequested restoring',
    'sessionFound signedIn',
    'sessionGone signedOut',
  ]);
});

test('case 195: a look that a click interrupts is made up for', async () => {
  const { first, second, store } = await createPair();
  const gate = deferred<void>();
  store.before = (operation) => (operation === 'get' ? gate.promise : undefined);
  const left = first.session.signOut();
  await first.host.clock.advance(1_500);
  await left;
  // It is looking when the user clicks.
  const arriving = second.host.visit();
  const done = second.session.signIn();
  done.catch(() => {});
  gate.resolve();
  await (await arriving).redirect({ error: 'access_denied' });
  await settle();
  expect(second.session.state.name).toBe('signedOut');
  await expect(second.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
});

describe('case 150: what one user began does not go on as another', () => {
  test.each([
    ['is told meanwhile', true],
    ['is found by the renewal itself', false],
  ])('a POST that gets a 401, when a sibling’s sign-in %s', async (_, isHeard) => {
    const desk = createDesk();
    const first = await desk.signedIn();
    const second = desk.start({ isHeard });
    await second.session.restore();
    const answer = deferred<FakeAnswer>();
    desk.apiAnswers.push(answer.promise);
    const posted = second.session.api.request({ method: 'POST', path: 'things', json: {} });
    await settle();
    await first.signIn('bob');
    answer.resolve({ status: 401 });
    await expect(posted).rejects.toEqual(failing('aborted'));
    expect(desk.calls).toEqual([{ method: 'POST', path: 'things', user: 'ann' }]);
    await second.session.api.request({ method: 'POST', path: 'things', json: {} });
    expect(desk.calls.at(-1)?.user).toBe('bob');
  });

  test('a sibling’s renewal is no other user: the POST goes on', async () => {
    const { desk, first, second } = await createPair();
    const answer = deferred<FakeAnswer>();
    desk.apiAnswers.push(answer.promise);
    const posted = second.session.api.request({ method: 'POST', path: 'things', json: {} });
    await settle();
    await renew(first);
    answer.resolve({ status: 401 });
    expect((await posted).status).toBe(200);
    expect(desk.calls.map(({ user }) => user)).toEqual(['ann', 'ann']);
  });

  test('nor does a GET that was to be repeated after a pause', async () => {
    const { desk, first, second, clock } = await createPair();
    desk.apiAnswers.push({ status: 503 });
    const got = second.session.api.request({ path: 'things' });
    got.catch(() => {});
    await settle();
    await first.signIn('bob');
    await clock.advance(60_000);
    await expect(got).rejects.toEqual(failing('aborted'));
    expect(desk.calls).toHaveLength(1);
  });

  test('whatever the moment at which the sign-in is noticed', async () => {
    for (let turns = 0; turns < 60; turns += 1) {
      const desk = createDesk();
      const first = await desk.signedIn();
      let gate = Promise.resolve();
      const get = async (key: string) => (await gate, desk.store.get(key));
      const second = desk.start({ store: { ...desk.store, get } });
      await second.session.restore();
      const open = deferred<void>();
      gate = open.promise;
      await first.signIn('bob');
      await settle();
      desk.apiAnswers.push({ status: 401 });
      const posting = { method: 'POST', path: 'things', json: {} };
      // Noticed that many turns after the request was begun, or before it.
      const posted =
        turns % 2 === 0 ? second.session.api.request(posting).catch(() => {}) : undefined;
      open.resolve();
      for (let turn = 0; turn < turns / 2; turn += 1) await null;
      await (posted ?? second.session.api.request(posting).catch(() => {}));
      const users = new Set(desk.calls.map(({ user }) => user));
      expect({ turns, users: [...users] }).toEqual({ turns, users: [expect.any(String)] });
    }
  });
});

test('case 121, 122, 145: without a lock, who is refused waits for the one who was quicker to store', async () => {
  const pair = await createPair({ lock: neverHeld });
  const { first, second, server, clock, desk } = pair;
  const answer = deferred<FakeAnswer>();
  const tokens = {
    access_token: randomBytes(24).toString('hex'),
    refresh_token: randomBytes(24).toString('hex'),
    token_type: 'Bearer',
    expires_in: 60,
  };
  server.next(() => answer.promise);
  const quicker = renew(first);
  await settle();
  server.next(() => ({ status: 400, json: { error: 'invalid_grant' } }));
  const slower = renew(second);
  await settle();
  expect(second.session.state.name).toBe('refreshing');
  answer.resolve({ json: tokens });
  expect(await quicker).toBe(tokens.access_token);
  await clock.advance(1_000);
  expect(await slower).toBe(tokens.access_token);
  expect(desk.record()?.refreshToken).toBe(tokens.refresh_token);
  for (const { session } of [first, second]) expect(session.state.name).toBe('signedIn');
});

test('case 142: a refusal while somebody has the lock all the time says nothing yet, though timers are a little early', async () => {
  const desk = createDesk();
  const clock = {
    ...desk.clock,
    after: (ms: number, then: () => void) => desk.clock.after(ms - 0.4, then),
  };
  const lock = createLocalLock(clock);
  const { session } = await desk.signedIn({ lock, clock });
  const [key = ''] = [...desk.store.values.keys()].filter((name) => !name.endsWith('/attempts'));
  void lock(key, 1, () => new Promise<void>(() => {}));
  desk.server.next(() => ({ status: 400, json: { error: 'invalid_grant' } }));
  const token = session.getAccessToken(RENEW);
  await desk.clock.advance(50_000);
  expect(await token).toEqual(expect.any(String));
  expect([session.state.name, desk.record() !== null]).toEqual(['degraded', true]);
});
