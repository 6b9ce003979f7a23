import type { KeyValueStore } from '../../src/ports/index.js';
import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import { prevu3d } from '../../src/providers/prevu3d.js';
import { broken, createDesk, createDisk, failing, neverHeld, RENEW, type Desk } from './support.js';

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

const refused = { status: 400, json: { error: 'invalid_grant' } };
const renew = ({ session }: Process) => session.getAccessToken(RENEW);

/** The platform is away for this process, and the token is over. */
async function degrade({ second, server, clock }: Pair) {
  await clock.advance(3_600_000);
  server.next(() => ({ status: 503 }));
  await second.session.getAccessToken().catch(() => {});
}

async function signBothOut({ first, second }: Pair) {
  await first.session.signOut();
  await settle();
  expect(second.news()).toEqual(['sessionGone signedOut']);
}

type Act = (pair: Pair) => Promise<unknown>;
// prettier-ignore
const NEWS: readonly [name: string, before: Act | null, act: Act, news: string, state: object][] = [
  ['a sign-in',                         signBothOut, ({ first }) => first.signIn(),           'sessionFound signedIn',   { name: 'signedIn', scopes: ['read', 'write'] }],
  ['a refresh',                         null,        ({ first }) => renew(first),             'sessionRenewed signedIn', { name: 'signedIn' }],
  ['the same user’s next sign-in',      null,        ({ first }) => first.signIn(),           'sessionRenewed signedIn', { name: 'signedIn' }],
  ['another user’s sign-in',            null,        ({ first }) => first.signIn('bob'),      'sessionRenewed signedIn', { name: 'signedIn' }],
  ['a sign-out',                        null,        ({ first }) => first.session.signOut(),  'sessionGone signedOut',   { name: 'signedOut', reason: 'signedOut' }],
  ['a refusal by the server',           null,        ({ first, server }) => (server.next(() => refused), renew(first).catch(() => {})), 'sessionGone signedOut', { name: 'signedOut' }],
  ['a refresh while degraded',          degrade,     ({ first }) => renew(first),             'sessionRenewed signedIn', { name: 'signedIn' }],
  ['a sign-in while degraded',          degrade,     ({ first }) => first.signIn('bob'),      'sessionRenewed signedIn', { name: 'signedIn' }],
  ['a sign-out while degraded',         degrade,     ({ first }) => first.session.signOut(),  'sessionGone signedOut',   { name: 'signedOut', reason: 'signedOut' }],
];

describe.each([
  ['with a lock', undefined],
  ['with a lock that is never had', neverHeld],
])('case 195, 150: %s, a sibling’s', (_, lock) => {
  test.each(NEWS)(
    '%s is noticed once, without a request',
    async (_name, before, act, news, state) => {
      const pair = await createPair(lock && { lock });
      const { desk, first, second } = pair;
      await before?.(pair);
      first.news();
      second.news();
      second.sent.length = 0;
      const done = act(pair);
      await settle();
      // Without a lock a refusal is not believed before whoever was quicker could have saved.
      await desk.clock.advance(1_000);
      await done;
      await settle();
      expect(second.news()).toEqual([news]);
      expect(second.session.state).toMatchObject(state);
      expect(second.sent).toEqual([]);
      expect(first.news()).not.toContain(news);
      // And it is what both work with from now on.
      if (second.session.state.name === 'signedIn') {
        const token = desk.record()?.accessToken;
        expect(await second.session.getAccessToken()).toBe(token);
        expect(await first.session.getAccessToken()).toBe(token);
        await second.session.api.whoAmI();
        expect(desk.calls.at(-1)?.user).toBe(desk.calls.length ? await ownerOf(desk, first) : '');
      } else {
        await expect(second.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
      }
      expect(second.news()).toEqual([]);
    },
  );
});

async function ownerOf({ calls }: Desk, { session }: Process) {
  await session.api.whoAmI();
  return calls.at(-1)?.user;
}

test('case 195: three processes tell of one sign-in, one refresh and one sign-out, each once', async () => {
  const desk = createDesk();
  const all = [desk.start(), desk.start(), desk.start()];
  for (const { session } of all) await session.restore();
  for (const each of all) each.news();
  const [one, two, three] = all as [Process, Process, Process];
  await one.signIn();
  expect([two.news(), three.news()]).toEqual([
    ['sessionFound signedIn'],
    ['sessionFound signedIn'],
  ]);
  await renew(two);
  await settle();
  expect(three.news()).toEqual(['sessionRenewed signedIn']);
  await three.session.signOut();
  await settle();
  expect(two.news()).toEqual([
    'refreshDue refreshing',
    'tokensIssued signedIn',
    'sessionGone signedOut',
  ]);
  expect(desk.refreshes()).toHaveLength(1);
});

describe('one’s own writes are no news', () => {
  // prettier-ignore
  test.each<[string, (process: Process) => Promise<unknown>, string[]]>([
    ['a sign-in',           (own) => own.signIn('bob'),      ['signInRequested authorizing', 'addressReady authorizing', 'redirectReceived exchanging', 'tokensIssued signedIn']],
    ['a refresh',           renew,                           ['refreshDue refreshing', 'tokensIssued signedIn']],
    ['a narrower token',    (own) => own.session.share({ scopes: ['read'] }).getAccessToken(), ['refreshDue refreshing', 'tokensIssued signedIn']],
    ['the user’s identity', (own) => own.session.api.whoAmI(), []],
    ['a sign-out',          (own) => own.session.signOut(),  ['signOutRequested signingOut', 'signOutCompleted signedOut']],
  ])('%s', async (_, act, news) => {
    const desk = createDesk();
    const own = await desk.signedIn();
    await act(own);
    await settle();
    expect(own.news()).toEqual(news);
    desk.store.tell();
    await settle();
    expect(own.news()).toEqual([]);
  });
});

describe('nothing is noticed', () => {
  test('when nobody listens: the store is not even read', async () => {
    const desk = createDesk();
    const first = await desk.signedIn({ isHeard: false });
    const silent = desk.start({ isHeard: false });
    await silent.session.restore();
    await first.session.signOut();
    desk.store.operations.length = 0;
    desk.store.tell();
    await settle();
    expect(desk.store.operations.filter(({ operation }) => operation === 'get')).toEqual([]);
    expect(silent.session.state.name).toBe('signedIn');
    await expect(renew(silent as Process)).rejects.toEqual(
      failing('sign_in_required', { reason: 'signedOut' }),
    );
  });

  test('before the store was read, nor is it read for that', async () => {
    const desk = createDesk();
    const idle = desk.start();
    await desk.signedIn();
    expect(idle.session.state.name).toBe('idle');
    expect(idle.news()).toEqual([]);
    await idle.session.restore();
    expect(idle.news()).toEqual(['restoreRequested restoring', 'sessionFound signedIn']);
  });

  test.each<[string, Partial<KeyValueStore>]>([
    ['has no watch', { watch: undefined as never }],
    ['throws when it is to watch', { watch: () => { throw new Error('too many'); } }], // prettier-ignore
    ['gives nothing to end it with', { watch: () => undefined as never }],
    ['gives a promise to end it with', { watch: () => Promise.reject(new Error('mine')) as never }],
    ['throws when it is to end', { watch: () => () => { throw new Error('mine'); } }], // prettier-ignore
  ])('by a store that %s, until the next use', async (_, more) => {
    const { first, second, clock } = await createPair({ store: createDisk(more) });
    await first.session.signOut();
    await settle();
    expect(second.news()).toEqual([]);
    await expect(renew(second)).rejects.toEqual(failing('sign_in_required'));
    expect(second.session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
    await second.session.close();
    expect([clock.pending, clock.pendingInBackground]).toEqual([0, 0]);
  });

  test('after close, though the store calls back; and it has been told that nobody watches', async () => {
    let changed = () => {};
    const stop = jest.fn();
    const store = createDisk({ watch: (_, call) => ((changed = call), stop) });
    const { first, second } = await createPair({ store });
    await second.session.close();
    await second.session.close();
    expect(stop.mock.calls.length).toBeGreaterThanOrEqual(1);
    await first.session.signOut();
    const { length } = store.operations;
    changed();
    await settle();
    expect(store.operations).toHaveLength(length);
    expect(second.session.state.name).toBe('signedIn');
    expect(second.news()).toEqual([]);
  });

  test('when close comes while it looks', async () => {
    const { first, second, store } = await createPair();
    const gate = deferred<void>();
    store.before = (operation) => (operation === 'get' ? gate.promise : undefined);
    const left = first.session.signOut();
    await first.host.clock.advance(1_500);
    await left;
    await second.session.close();
    gate.resolve();
    await settle();
    expect(second.news()).toEqual([]);
    expect(second.session.state.name).toBe('signedIn');
  });
});

test('a store that calls back a thousand times is read a few times, and one thing is told', async () => {
  const { first, second, store } = await createPair();
  await renew(first);
  store.operations.length = 0;
  for (let call = 0; call < 1_000; call += 1) store.tell();
  await settle();
  expect(store.operations.length).toBeLessThanOrEqual(4);
  expect(second.news()).toEqual(['sessionRenewed signedIn']);
});

test('onChange watches once, however many listen, and the store is let go with the session', async () => {
  const { second, store } = await createPair();
  const { watchers } = store;
  for (let count = 0; count < 10; count += 1) second.session.onChange(() => {})();
  expect(store.watchers).toBe(watchers);
  await second.session.close();
  expect(store.watchers).toBe(watchers - 1);
});

describe('case 187: a store that at that moment', () => {
  test('cannot be read changes nothing; the next call tells', async () => {
    const { first, second, store } = await createPair();
    await first.session.signOut();
    second.news();
    await first.signIn();
    second.news();
    store.before = broken('get');
    store.tell();
    await settle();
    expect(second.news()).toEqual([]);
    expect(second.session.state.name).toBe('signedIn');
    store.before = () => {};
    await renew(first);
    await settle();
    expect(second.news()).toEqual(['sessionRenewed signedIn']);
  });

  test('holds a damaged record does not sign out who has good tokens', async () => {
    const { second, store, first } = await createPair();
    const [key = ''] = [...store.values.keys()];
    store.values.set(key, '{"acc');
    store.tell();
    await settle();
    expect([second.session.state.name, first.session.state.name]).toEqual(['signedIn', 'signedIn']);
    await renew(second);
    expect(second.session.state.name).toBe('signedIn');
    expect(store.values.get(key)).toContain('accessToken');
  });

  // prettier-ignore
  test.each<[string, (pair: Pair) => Promise<unknown>]>([
    ['at once, before anything was saved again', async () => {}],
    ['later, when all was well again',           async ({ clock }) => clock.advance(10_000)],
    ['later, and in another order than usual',   async ({ clock, store }) => {
      await clock.advance(10_000);
      // Others see that the record has gone before all of it has.
      store.before = async (operation, key) => {
        if (operation === 'remove' && key.endsWith('/damaged')) await settle();
      };
    }],
  ])('holds a damaged record stops no sign-out %s', async (_, wait) => {
    const pair = await createPair();
    const { first, second, store, clock, desk } = pair;
    const [key = ''] = [...store.values.keys()];
    store.values.set(key, '{"acc');
    store.tell();
    await settle();
    await wait(pair);
    await first.session.signOut();
    await clock.advance(60_000);
    expect([first.session.state.name, second.session.state.name]).toEqual(['signedOut', 'signedOut']);
    expect(desk.record()).toBeNull();
    await expect(second.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });
});

describe('who was signed out here', () => {
  test.each([
    ['by the user', async ({ second }: Pair) => void (await second.session.signOut())],
    [
      'by the server',
      async ({ second, server }: Pair) => {
        server.next(() => refused);
        await renew(second).catch(() => {});
      },
    ],
  ])('%s is not taken up again from a store that cannot remove', async (_, leave) => {
    const pair = await createPair();
    const { second, store, first } = pair;
    store.before = broken('remove');
    await leave(pair);
    second.news();
    store.tell();
    await settle();
    expect(second.news()).toEqual([]);
    await expect(second.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
    // Somebody else’s sign-in is another matter.
    store.before = () => {};
    await first.signIn('bob');
    await settle();
    expect(second.news()).toEqual(['sessionFound signedIn']);
  });
});

describe('without a user', () => {
  const service = () =>
    prevu3d({ grant: 'client_credentials', clientId: 'id', clientSecret: 'secret' });

  test('a token that a sibling asked for is taken over; an emptied store is no sign-out', async () => {
    const desk = createDesk();
    const tokens = () => ({
      json: { hasError: false, expiresIn: 3600, accessToken: `a${desk.server.requests.length}` },
    });
    desk.server.next(tokens);
    const first = desk.start({ provider: service() });
    const second = desk.start({ provider: service() });
    await second.session.restore();
    const token = await first.session.getAccessToken();
    await settle();
    expect(second.news()).toEqual([
      'restoreRequested restoring',
      'sessionAbsent signedOut',
      'sessionFound signedIn',
    ]);
    expect(await second.session.getAccessToken()).toBe(token);
    desk.store.values.clear();
    desk.store.tell();
    await settle();
    expect(second.news()).toEqual([]);
    expect(await second.session.getAccessToken()).toBe(token);
  });
});
