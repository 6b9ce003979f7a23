import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import { SECRET } from '../support/fake-server.js';
import { broken, createDesk, failing, neverHeld, RENEW } from './support.js';

/** Signed in, renewed, and the store did not take what was renewed. */
async function createUnsaved(how: Parameters<typeof createDesk>[0] = {}) {
  const desk = createDesk(how);
  const own = await desk.signedIn();
  const { clock, store, server } = desk;
  const old = await own.session.getAccessToken();
  store.before = broken('set');
  const token = await own.session.getAccessToken(RENEW);
  return { desk, own, session: own.session, clock, store, server, old, token };
}
type Unsaved = Awaited<ReturnType<typeof createUnsaved>>;

const mend = ({ store }: Unsaved) => void (store.before = () => {});
/** The next look at the store waits until then. */
const SAVE_AGAIN_MS = 5_000;

describe('case 125: tokens that the store did not take', () => {
  test('work from memory, and the state and the change say so', async () => {
    const { own, session, token, old } = await createUnsaved();
    expect(token).not.toBe(old);
    expect(await session.getAccessToken()).toBe(token);
    expect(session.state).toMatchObject({ name: 'signedIn', unsaved: true });
    const told = own.changes.find(({ event }) => event === 'tokensIssued');
    expect(told).toEqual({
      from: 'refreshing',
      to: 'signedIn',
      event: 'tokensIssued',
      error: failing('store_unavailable'),
    });
    expect(JSON.stringify([session.state, own.changes])).not.toContain(SECRET);
  });

  // prettier-ignore
  test.each([
    ['nothing can be written',     broken('set')],
    ['nothing can be read',        broken('get')],
    ['nothing works at all',       broken('get', 'set', 'remove')],
    ['it throws what is not an error', () => { throw undefined; }],
  ])('are there although %s', async (_, fault) => {
    const desk = createDesk();
    const { session } = await desk.signedIn();
    desk.store.before = fault;
    const token = await session.getAccessToken(RENEW);
    expect(session.state).toMatchObject({ name: 'signedIn', unsaved: true });
    desk.store.before = () => {};
    await desk.clock.advance(SAVE_AGAIN_MS);
    expect(desk.record()?.accessToken).toBe(token);
  });

  test('are saved by themselves in the background, which is told once', async () => {
    const unsaved = await createUnsaved();
    const { own, desk, clock, session, token } = unsaved;
    own.news();
    expect([clock.pending, clock.pendingInBackground]).toEqual([0, 1]);
    mend(unsaved);
    await clock.advance(SAVE_AGAIN_MS - 1);
    expect(desk.record()?.accessToken).not.toBe(token);
    await clock.advance(1);
    expect(desk.record()?.accessToken).toBe(token);
    expect(own.news()).toEqual(['saved signedIn']);
    expect(session.state).toEqual({
      name: 'signedIn',
      expiresAtMs: expect.any(Number),
      scopes: ['read', 'write'],
    });
    await clock.advance(3_000_000);
    expect(own.news()).toEqual([]);
    expect([clock.pending, clock.pendingInBackground]).toEqual([0, 0]);
    expect(desk.refreshes()).toHaveLength(1);
  });

  test('are tried again every five seconds, quietly, and no token is asked for', async () => {
    const unsaved = await createUnsaved();
    const { own, desk, clock, store } = unsaved;
    own.news();
    store.operations.length = 0;
    await clock.advance(60_000);
    const sets = store.operations.filter(({ operation }) => operation === 'set');
    expect(sets).toHaveLength(12);
    expect(own.news()).toEqual([]);
    mend(unsaved);
    await clock.advance(SAVE_AGAIN_MS);
    expect(own.news()).toEqual(['saved signedIn']);
    expect(desk.refreshes()).toHaveLength(1);
  });

  test('are saved by the next use after five seconds, where nothing runs in the background', async () => {
    const desk = createDesk();
    const { inBackground: _, ...clock } = desk.clock;
    const own = await desk.signedIn({ clock: { ...clock, after: () => () => {} } as never });
    desk.store.before = broken('set');
    const token = await own.session.getAccessToken(RENEW);
    desk.store.before = () => {};
    await desk.clock.advance(SAVE_AGAIN_MS - 1);
    expect(await own.session.getAccessToken()).toBe(token);
    expect(desk.record()?.accessToken).not.toBe(token);
    await desk.clock.advance(1);
    expect(await own.session.getAccessToken()).toBe(token);
    await settle();
    expect(desk.record()?.accessToken).toBe(token);
    expect(own.news().at(-1)).toBe('saved signedIn');
  });

  test('are saved by one of many uses at once', async () => {
    const unsaved = await createUnsaved();
    const { session, clock, store, token } = unsaved;
    mend(unsaved);
    await clock.advance(SAVE_AGAIN_MS - 1);
    store.operations.length = 0;
    const asked = clock.advance(1);
    const tokens = await Promise.all(Array.from({ length: 50 }, () => session.getAccessToken()));
    await asked;
    expect(new Set(tokens)).toEqual(new Set([token]));
    expect(store.operations.filter(({ operation }) => operation === 'set')).toHaveLength(1);
  });

  test('come to be in the store with the refresh after, too', async () => {
    const unsaved = await createUnsaved();
    const { session, desk, own } = unsaved;
    own.news();
    mend(unsaved);
    const token = await session.getAccessToken(RENEW);
    expect(desk.record()?.accessToken).toBe(token);
    expect(own.news()).toEqual(['refreshDue refreshing', 'tokensIssued signedIn']);
    expect(session.state).not.toHaveProperty('unsaved');
    const next = desk.start();
    await next.session.getAccessToken(RENEW);
    expect(next.session.state.name).toBe('signedIn');
  });

  test('are there, degraded, when the server then is away, and are saved all the same', async () => {
    const unsaved = await createUnsaved();
    const { session, server, own, clock, desk, token } = unsaved;
    server.next(() => ({ status: 503 }));
    expect(await session.getAccessToken(RENEW)).toBe(token);
    expect(session.state).toEqual({
      name: 'degraded',
      retryAtMs: expect.any(Number),
      unsaved: true,
    });
    own.news();
    mend(unsaved);
    await clock.advance(SAVE_AGAIN_MS);
    expect(own.news()).toEqual(['saved degraded']);
    expect(session.state).toEqual({ name: 'degraded', retryAtMs: expect.any(Number) });
    expect(desk.record()?.accessToken).toBe(token);
  });

  test('are shown as such again after a sign-in that failed', async () => {
    const unsaved = await createUnsaved();
    const { session, own, clock, desk, token } = unsaved;
    const done = session.signIn();
    const visit = await own.host.visit();
    await Promise.all([visit.redirect({ error: 'access_denied' }), done.catch(() => {})]);
    expect(session.state).toMatchObject({ name: 'signedIn', unsaved: true });
    mend(unsaved);
    await clock.advance(SAVE_AGAIN_MS);
    expect(session.state).not.toHaveProperty('unsaved');
    expect(desk.record()?.accessToken).toBe(token);
  });

  test('need no clock of a certain make: one that is an object with methods will do', async () => {
    const desk = createDesk();
    class OwnClock {
      readonly #inner = desk.clock;
      nowMs() {
        return this.#inner.nowMs();
      }
      monotonicMs() {
        return this.#inner.monotonicMs();
      }
      after(delayMs: number, callback: () => void) {
        return this.#inner.after(delayMs, callback);
      }
      inBackground(delayMs: number, callback: () => void) {
        return this.#inner.inBackground(delayMs, callback);
      }
    }
    const own = await desk.signedIn({ clock: new OwnClock() as never });
    desk.store.before = broken('set');
    const token = await own.session.getAccessToken(RENEW);
    desk.store.before = () => {};
    await desk.clock.advance(SAVE_AGAIN_MS);
    expect(desk.record()?.accessToken).toBe(token);
  });
});

type Act = (unsaved: Unsaved) => Promise<unknown>;

describe('case 125: while tokens are not saved', () => {
  // prettier-ignore
  test.each<[string, Act, string]>([
    ['a sign-out',             ({ session }) => session.signOut(), 'signedOut'],
    ['a new sign-in',          ({ own }) => own.signIn('bob'),     'signedIn'],
    ['close',                  ({ session }) => session.close(),   'signedIn'],
  ])('%s ends the wait: no timer, nothing written afterwards', async (_, act, name) => {
    const unsaved = await createUnsaved();
    const { session, clock, store, own } = unsaved;
    mend(unsaved);
    await act(unsaved);
    expect(session.state.name).toBe(name);
    own.news();
    const before = JSON.stringify([...store.values]);
    await clock.advance(60_000);
    expect(JSON.stringify([...store.values])).toBe(before);
    expect(own.news()).toEqual([]);
    expect([clock.pending, clock.pendingInBackground]).toEqual([0, 0]);
  });

  test('a sign-out revokes them, and leaves nothing in the store', async () => {
    const unsaved = await createUnsaved();
    const { session, server, store, token, desk } = unsaved;
    mend(unsaved);
    await session.signOut();
    expect(server.revoked).toContain(token);
    expect(store.values.size).toBe(0);
    await expect(desk.start().session.getAccessToken()).rejects.toEqual(
      failing('sign_in_required'),
    );
  });

  test('a sign-out that cannot remove what is stored does not take the spent tokens up again', async () => {
    const { session, store, own, clock } = await createUnsaved();
    store.before = broken('set', 'remove');
    await session.signOut();
    store.before = () => {};
    store.tell();
    await clock.advance(60_000);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
    await expect(session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
    expect(own.changes.at(-1)?.event).toBe('signOutCompleted');
  });

  test('close saves them, at the last moment', async () => {
    const unsaved = await createUnsaved();
    const { session, desk, token, clock } = unsaved;
    mend(unsaved);
    await session.close();
    expect(desk.record()?.accessToken).toBe(token);
    expect([clock.pending, clock.pendingInBackground]).toEqual([0, 0]);
    const next = desk.start();
    expect(await next.session.getAccessToken()).toBe(token);
    await next.session.getAccessToken(RENEW);
    expect(next.session.state.name).toBe('signedIn');
  });

  // prettier-ignore
  test.each<[string, (unsaved: Unsaved) => void]>([
    ['is still full',                         () => {}],
    ['never answers',                         ({ store }) => void (store.before = () => new Promise(() => {}))],
    ['is locked by somebody who never leaves', ({ own, desk }) => void own.host.lock(keyOf(desk), 1, () => new Promise(() => {}))],
  ])('close does not wait for ever for a store that %s', async (_, fault) => {
    const unsaved = await createUnsaved();
    const { session, clock } = unsaved;
    fault(unsaved);
    let isClosed = false;
    const closed = session.close().then(() => (isClosed = true));
    await clock.advance(2_000);
    expect(isClosed).toBe(true);
    await closed;
    await clock.advance(60_000);
    expect([clock.pending, clock.pendingInBackground]).toEqual([0, 0]);
  });

  test('close takes its turn, and what a sibling has stored meanwhile wins', async () => {
    const unsaved = await createUnsaved();
    const { session, desk, own } = unsaved;
    mend(unsaved);
    const gate = deferred<void>();
    const held = own.host.lock(keyOf(desk), 1, async () => {
      await gate.promise;
      const [key = '', text = ''] = [...desk.store.values][0] ?? [];
      const theirs = { ...JSON.parse(text), accessToken: 'theirs', revision: 'theirs' };
      await desk.store.set(key, JSON.stringify(theirs));
    });
    const closed = session.close();
    await settle();
    gate.resolve();
    await Promise.all([held, closed]);
    expect(desk.record()?.accessToken).toBe('theirs');
  });

  const keyOf = ({ store }: Unsaved['desk']) => [...store.values.keys()][0] ?? '';
});

describe.each([
  ['with a lock', undefined],
  ['with a lock that is never had', neverHeld],
])('case 121, 122, 125: %s, while tokens are not saved', (_, lock) => {
  const create = () => createUnsaved(lock && { lock });

  test('a sibling’s sign-in wins, and nothing is asked of the server', async () => {
    const unsaved = await create();
    const { desk, own, clock, session } = unsaved;
    mend(unsaved);
    const sibling = await desk.signedIn();
    own.sent.length = 0;
    await clock.advance(SAVE_AGAIN_MS);
    const token = await sibling.session.getAccessToken();
    expect(await session.getAccessToken()).toBe(token);
    expect(desk.record()?.accessToken).toBe(token);
    expect(session.state).not.toHaveProperty('unsaved');
    // Its own tokens are given back, for nobody has them any more.
    expect(own.sent.filter((request) => !request.endsWith('/revoke'))).toEqual([]);
  });

  test('a sibling’s sign-in wins, though the tokens here are over', async () => {
    const unsaved = await create();
    const { desk, own, clock, session, store } = unsaved;
    await clock.advance(3_600_000);
    mend(unsaved);
    const sibling = await desk.signedIn();
    own.sent.length = 0;
    store.before = () => {};
    expect(await session.getAccessToken()).toBe(await sibling.session.getAccessToken());
    expect(session.state).toMatchObject({ name: 'signedIn' });
    expect(own.sent.filter((request) => !request.endsWith('/revoke'))).toEqual([]);
  });

  // prettier-ignore
  test.each<[string, number, object]>([
    ['are good',          0,         {}],
    ['are good, and renewed', 0,     RENEW],
    ['are over',          3_600_000, {}],
  ])('a sibling’s sign-out wins, when the tokens here %s', async (_name, ageMs, demand) => {
    const unsaved = await create();
    const { desk, own, clock, session } = unsaved;
    const sibling = desk.start();
    await clock.advance(ageMs);
    mend(unsaved);
    await sibling.session.signOut();
    await settle();
    own.news();
    if (ageMs === 0 && demand !== RENEW) await clock.advance(SAVE_AGAIN_MS);
    await expect(session.getAccessToken(demand)).rejects.toEqual(
      failing('sign_in_required', { reason: 'signedOut' }),
    );
    expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
    expect(desk.record()).toBeNull();
    await clock.advance(60_000);
    expect(own.news().at(-1)).toBe('sessionGone signedOut');
    expect(clock.pendingInBackground).toBe(0);
    await own.signIn();
    expect(session.state.name).toBe('signedIn');
  });

  test('a change that is told does not replace them before they are compared', async () => {
    const unsaved = await create();
    const { session, store, own, token, desk } = unsaved;
    own.news();
    store.tell();
    await settle();
    expect(own.news()).toEqual([]);
    expect(await session.getAccessToken()).toBe(token);
    expect(desk.record()?.accessToken).not.toBe(token);
  });
});
