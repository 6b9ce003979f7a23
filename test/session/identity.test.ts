import { settle } from '../support/fake-clock.js';
import { deferred, type FakeAnswer } from '../support/fake-host.js';
import type { Lock } from '../../src/ports/index.js';
import { broken, createDesk, neverHeld, personProvider, promptCrypto, RENEW } from './support.js';

const FLAGGED = { name: 'signedIn', userChanged: true };

/** Signed in as ann, and the platform has said so. */
async function createKnown(how: Parameters<typeof createDesk>[0] = {}) {
  const desk = createDesk(how);
  const own = await desk.signedIn();
  await own.session.api.whoAmI();
  await settle();
  own.news();
  return { desk, own, session: own.session };
}
type Known = Awaited<ReturnType<typeof createKnown>>;

/** The next refresh brings somebody else’s tokens. */
async function becomes(user: string, { desk, own }: Known) {
  desk.nextOwner = user;
  await own.session.getAccessToken(RENEW);
  own.news();
}

describe('case 140: who is signed in', () => {
  test('is nothing to tell while it is the same user, after whatever refreshes', async () => {
    const known = await createKnown();
    const { own, session } = known;
    for (let count = 0; count < 3; count += 1) {
      await session.getAccessToken(RENEW);
      await session.api.whoAmI();
      await settle();
    }
    expect(own.news().filter((news) => news.startsWith('userChanged'))).toEqual([]);
    expect(session.state).not.toHaveProperty('userChanged');
  });

  test('is flagged once when it is somebody else after a refresh, and stays so', async () => {
    const known = await createKnown();
    const { own, session } = known;
    await becomes('bob', known);
    expect(session.state).not.toHaveProperty('userChanged');
    for (let count = 0; count < 3; count += 1) await session.api.whoAmI();
    await settle();
    expect(own.news()).toEqual(['userChanged signedIn']);
    expect(session.state).toMatchObject(FLAGGED);
    await session.getAccessToken(RENEW);
    await session.api.whoAmI();
    await settle();
    expect(own.news()).toEqual(['refreshDue refreshing', 'tokensIssued signedIn']);
    expect(session.state).toMatchObject(FLAGGED);
  });

  test('is flagged while the server is away, too', async () => {
    const known = await createKnown();
    const { own, session, desk } = known;
    await becomes('bob', known);
    desk.server.next(() => ({ status: 503 }));
    await session.getAccessToken(RENEW);
    own.news();
    await session.api.whoAmI();
    await settle();
    expect(own.news()).toEqual(['userChanged degraded']);
    const retryAtMs = expect.any(Number);
    expect(session.state).toEqual({ name: 'degraded', retryAtMs, userChanged: true });
    desk.server.next(() => ({ status: 503 }));
    await session.getAccessToken(RENEW);
    expect(session.state).toEqual({ name: 'degraded', retryAtMs, userChanged: true });
    await session.getAccessToken(RENEW);
    expect(session.state).toMatchObject(FLAGGED);
  });

  test('stays flagged until the next sign-in here, though the first user is named again', async () => {
    const known = await createKnown();
    const { own, session } = known;
    const { desk } = known;
    for (const user of ['bob', 'ann', 'bob']) {
      desk.nextOwner = user;
      await session.getAccessToken(RENEW);
      await session.api.whoAmI();
      await settle();
      expect({ user, state: session.state }).toMatchObject({ user, state: FLAGGED });
    }
    expect(own.news().filter((news) => news.startsWith('userChanged'))).toHaveLength(1);
  });

  test('is a new question after a sign-in here: whoever that is', async () => {
    const known = await createKnown();
    const { own, session, desk } = known;
    await becomes('bob', known);
    await session.api.whoAmI();
    await settle();
    desk.nextOwner = undefined;
    await own.signIn('carol');
    expect(session.state).not.toHaveProperty('userChanged');
    own.news();
    await session.api.whoAmI();
    await settle();
    expect(own.news()).toEqual([]);
    await becomes('ann', known);
    await session.api.whoAmI();
    await settle();
    expect(own.news()).toEqual(['userChanged signedIn']);
  });

  test('is a new question after a sign-out, whoever signs in next, here or elsewhere', async () => {
    const { own, session, desk } = await createKnown();
    const sibling = desk.start();
    await session.signOut();
    await sibling.signIn('bob');
    await sibling.session.api.whoAmI();
    await settle();
    expect(own.news().at(-1)).toMatch(/signedIn$/);
    expect(session.state).not.toHaveProperty('userChanged');
  });

  test('is remembered by the next process, and flagged there', async () => {
    const known = await createKnown();
    const { desk } = known;
    await becomes('bob', known);
    await known.session.close();
    const next = desk.start();
    await next.session.api.whoAmI();
    await settle();
    expect(next.news().at(-1)).toBe('userChanged signedIn');
    expect(next.session.state).toMatchObject(FLAGGED);
  });

  test('rests in the store as a digest, written once, and names nobody', async () => {
    const { desk, session } = await createKnown();
    const { identity } = desk.record() ?? {};
    expect(identity).toMatch(/^[\w-]{22}$/);
    const text = JSON.stringify([...desk.store.values]);
    for (const name of ['ann', Buffer.from('ann').toString('base64').slice(0, 4)]) {
      expect(text.toLowerCase()).not.toContain(`"${name.toLowerCase()}`);
    }
    desk.store.operations.length = 0;
    await session.api.whoAmI();
    await settle();
    expect(desk.store.operations).toEqual([]);
    await session.getAccessToken(RENEW);
    expect(desk.record()?.identity).toBe(identity);
    expect(JSON.stringify(session.state)).not.toContain('ann');
  });

  test('noting it changes neither tokens nor lifetime, for siblings either', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const sibling = desk.start();
    await sibling.session.restore();
    const before = desk.record();
    await own.session.api.whoAmI();
    await settle();
    const { revision: _, identity, ...rest } = desk.record() ?? {};
    expect({ ...rest, identity: null }).toEqual(expect.objectContaining(rest));
    expect(before).toMatchObject(rest);
    expect(identity).toBeDefined();
    expect(await sibling.session.getAccessToken()).toBe(await own.session.getAccessToken());
    expect(desk.refreshes()).toHaveLength(0);
  });
});

describe('case 140, 195: siblings', () => {
  test('a sibling’s sign-in as somebody else is flagged with it', async () => {
    const { desk, own, session } = await createKnown();
    const sibling = await desk.signedIn();
    await settle();
    expect(session.state).not.toHaveProperty('userChanged');
    await sibling.signIn('bob');
    await sibling.session.api.whoAmI();
    await settle();
    expect(session.state).toMatchObject(FLAGGED);
    expect(sibling.session.state).not.toHaveProperty('userChanged');
    expect(own.news().filter((news) => news.endsWith('signedOut'))).toEqual([]);
  });

  test('a sibling’s sign-in as the same user is not', async () => {
    const { desk, session } = await createKnown();
    const sibling = await desk.signedIn();
    await sibling.session.api.whoAmI();
    await session.api.whoAmI();
    await settle();
    expect(session.state).not.toHaveProperty('userChanged');
  });

  test('two that ask at once note one identity, and neither tells of a change', async () => {
    const desk = createDesk();
    const one = await desk.signedIn();
    const other = desk.start();
    await other.session.restore();
    await Promise.all([one.session.api.whoAmI(), other.session.api.whoAmI()]);
    await settle();
    const news = [...one.news(), ...other.news()];
    expect(news.filter((each) => each.startsWith('userChanged'))).toEqual([]);
    expect(desk.record()?.identity).toMatch(/^[\w-]{22}$/);
    expect(await one.session.getAccessToken()).toBe(await other.session.getAccessToken());
  });

  test.each([
    ['signed out', 'signedOut'],
    ['signed in as somebody else', 'signedIn'],
    ['renewed', 'signedIn'],
  ])('noting it where a sibling has %s unseen shows that', async (what, name) => {
    const desk = createDesk();
    desk.store.watch = () => () => {};
    const own = await desk.signedIn();
    const sibling = desk.start();
    await sibling.session.restore();
    await settle();
    if (what === 'signed out') await sibling.session.signOut();
    else if (what === 'renewed') await sibling.session.getAccessToken(RENEW);
    else await sibling.signIn('bob');
    const posting = own.session.api.whoAmI();
    await posting;
    await settle();
    expect(own.session.state.name).toBe(name);
    const { state } = own.session;
    const record = desk.record();
    if (record && state.name === 'signedIn') {
      expect(state.expiresAtMs).toBe(record.receivedAtMs + (record.lifetimeMs ?? NaN));
      expect(await own.session.getAccessToken()).toBe(record.accessToken);
      expect(own.news()).toEqual(['sessionRenewed signedIn']);
    } else {
      await expect(own.session.getAccessToken()).rejects.toMatchObject({
        code: 'sign_in_required',
      });
      expect(own.news()).toEqual(['sessionGone signedOut']);
    }
  });
});

describe('case 137, 140: an answer that comes too late', () => {
  // prettier-ignore
  test.each<[string, (known: Known) => Promise<unknown>]>([
    ['a sign-in',            ({ own }) => own.signIn('bob')],
    ['a sign-out and sign-in', async ({ own, session }) => { await session.signOut(); await own.signIn('bob'); }],
    ['a sibling’s sign-in',  ({ desk }) => desk.signedIn().then((sibling) => sibling.signIn('bob'))],
  ])('for %s says nothing of the account now', async (_, leave) => {
    const known = await createKnown();
    const { desk, session, own } = known;
    const answer = deferred<FakeAnswer>();
    desk.apiAnswers.push(answer.promise);
    const asked = session.api.whoAmI();
    await settle();
    await leave(known);
    await settle();
    own.news();
    const before = desk.record();
    answer.resolve({ json: { id: 'ann' } });
    await asked;
    await settle();
    expect(own.news()).toEqual([]);
    expect(session.state).not.toHaveProperty('userChanged');
    expect(desk.record()).toEqual(before);
  });

  test('after close, too', async () => {
    const desk = createDesk();
    const hashed = deferred<void>();
    const sha256 = async (data: Uint8Array) => (await hashed.promise, promptCrypto.sha256(data));
    await desk.signedIn({ isHeard: false });
    const own = desk.start({ crypto: { ...promptCrypto, sha256 } });
    await own.session.restore();
    own.news();
    await own.session.api.whoAmI();
    const closed = own.session.close();
    await desk.clock.advance(1_500);
    await closed;
    hashed.resolve();
    await settle();
    expect(desk.record()?.identity ?? null).toBeNull();
    expect(own.news()).toEqual([]);
  });
});

describe('what says nothing', () => {
  // prettier-ignore
  test.each<[string, readonly unknown[]]>([
    ['nothing',        [undefined]],
    ['null',           [null]],
    ['a number',       [7]],
    ['an empty text',  ['']],
    ['an object',      [{ id: 'bob' }]],
    ['a part that is none', ['an-organization', undefined]],
  ])('%s neither notes nor flags', async (_, who) => {
    const desk = createDesk();
    const provider = personProvider((user) => (user === 'ann' ? [user] : who));
    const own = await desk.signedIn({ provider });
    await own.session.api.whoAmI();
    await settle();
    const before = desk.record();
    desk.nextOwner = 'bob';
    await own.session.getAccessToken(RENEW);
    own.news();
    await own.session.api.whoAmI();
    await settle();
    expect(own.news()).toEqual([]);
    expect(desk.record()?.identity).toBe(before?.identity);
    expect(own.session.state).not.toHaveProperty('userChanged');
  });

  test('parts are not run together: another organization is another identity', async () => {
    const desk = createDesk();
    const provider = personProvider((user) => (user === 'ann' ? ['a', 'bc'] : ['ab', 'c']));
    const own = await desk.signedIn({ provider });
    await own.session.api.whoAmI();
    desk.nextOwner = 'bob';
    await own.session.getAccessToken(RENEW);
    await own.session.api.whoAmI();
    await settle();
    expect(own.session.state).toMatchObject(FLAGGED);
  });
});

describe('a failure while it is noted harms nothing', () => {
  test('of the hash: no answer is spoilt, nothing is flagged', async () => {
    const desk = createDesk();
    const sha256 = () => Promise.reject(new Error('no hash here'));
    await desk.signedIn();
    const later = desk.start({ crypto: { ...promptCrypto, sha256 } });
    await later.session.restore();
    later.news();
    await later.session.api.whoAmI();
    await settle();
    expect(later.news()).toEqual([]);
    expect(later.session.state).toMatchObject({ name: 'signedIn' });
  });

  test.each<['get' | 'set']>([['get'], ['set']])('of the store’s %s', async (operation) => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const { session } = own;
    const token = await session.getAccessToken();
    desk.store.before = broken(operation);
    await session.api.whoAmI();
    await settle();
    expect(session.state.name).toBe('signedIn');
    expect(await session.getAccessToken()).toBe(token);
    // The tokens are in the store all the while.
    expect(session.state).not.toHaveProperty('unsaved');
    expect(desk.record()?.accessToken).toBe(token);
    desk.store.before = () => {};
    own.news();
    await desk.start().session.signOut();
    await settle();
    expect(own.news()).toEqual(['sessionGone signedOut']);
  });

  test.each<[string, Lock]>([
    ['never had', neverHeld],
    ['broken', () => Promise.reject(new Error('mine'))],
  ])('of a lock that is %s', async (_, lock) => {
    const desk = createDesk({ lock });
    const own = await desk.signedIn();
    await own.session.api.whoAmI();
    await settle();
    // Noted or not: without a lock it may wait.
    expect(desk.record()?.accessToken).toBe(await own.session.getAccessToken());
    expect(own.session.state.name).toBe('signedIn');
  });
});
