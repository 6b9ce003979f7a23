import { createLocalLock } from '../../adapters/web/local-lock.js';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { MortiseError, type ErrorCode } from '../../src/errors.js';
import type { KeyValueStore } from '../../src/ports/index.js';
import { createSession } from '../../src/session/create-session.js';
import type { StateChange } from '../../src/session/machine.js';
import type { StoredAttempt, StoredSession } from '../../src/session/record.js';
import { createSessionStore } from '../../src/session/session-store.js';
import { createFakeClock, settle } from '../support/fake-clock.js';
import { createFakeHost, deferred } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';
import { anyCharacter } from '../support/any-character.js';

const KEY = 'mortise/1/account';
const SESSION: StoredSession = {
  accessToken: 'access',
  refreshToken: 'refresh',
  lifetimeMs: 3_600_000,
  scopes: ['read'],
  carried: null,
  receivedAtMs: 1_700_000_000_000,
  revision: 'r1',
  signInId: 'i1',
  identity: null,
};

const failing = (code: ErrorCode) => expect.objectContaining({ name: 'MortiseError', code });

/** A store of memory that can be looked into. */
function openStore(entries: Readonly<Record<string, string>> = {}) {
  const values = new Map(Object.entries(entries));
  const store: KeyValueStore = {
    get: async (key) => values.get(key) ?? null,
    set: async (key, value) => void values.set(key, value),
    remove: async (key) => void values.delete(key),
  };
  return { values, store };
}

function setUp(store: KeyValueStore = openStore().store) {
  const clock = createFakeClock();
  return {
    clock,
    sessionStore: createSessionStore({ store, clock, lock: createLocalLock(clock) }, KEY, 'list'),
  };
}

/** A session over `store`, and the key its record is under. */
async function openSession(store: KeyValueStore) {
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http, store });
  const session = createSession({ host, provider: fakeProvider() });
  const changes: StateChange[] = [];
  session.onChange((change) => void changes.push(change));
  const signIn = async () => {
    const done = session.signIn();
    await (await host.visit()).redirect({ code: 'good' });
    await done;
  };
  return { server, host, session, changes, signIn, clock: host.clock };
}

/** What a sign-in leaves in the store. */
async function soundRecord(): Promise<readonly [key: string, text: string]> {
  const { store, values } = openStore();
  await (await openSession(store)).signIn();
  const [entry] = values;
  if (!entry) throw new Error('a sign-in stored nothing');
  return entry;
}

describe('a damaged record', () => {
  const json = JSON.stringify;
  // prettier-ignore
  const DAMAGE: readonly [name: string, damaged: (sound: string) => string][] = [
    ['empty',                     () => ''],
    ['blank',                     () => ' \n'],
    ['truncated',                 (sound) => sound.slice(0, -2)],
    ['begun and never finished',  () => '{'],
    ['filled with NUL',           (sound) => '\0'.repeat(sound.length)],
    ['NUL at its end',            (sound) => `${sound}\0`],
    ['written twice',             (sound) => sound + sound],
    ['random bytes',              () => String.fromCharCode(...Array.from({ length: 512 }, (_, at) => (at * 7919) % 256))],
    ['a lone surrogate',          () => '"\ud800'],
    ['null',                      () => 'null'],
    ['true',                      () => 'true'],
    ['a number',                  () => '7'],
    ['a text',                    (sound) => json(sound)],
    ['a list',                    () => '[]'],
    ['the record in a list',      (sound) => `[${sound}]`],
    ['an empty object',           () => '{}'],
    ['wrong types',               () => json({ accessToken: 1, refreshToken: {}, lifetimeMs: 'x', scopes: 'y', receivedAtMs: [], revision: 0 })],
    ['one wrong type',            (sound) => json({ ...JSON.parse(sound), scopes: null })],
    ['one field missing',         (sound) => json({ ...JSON.parse(sound), revision: undefined })],
    ['everything in __proto__',   (sound) => `{"__proto__":${sound}}`],
    ['nested deeply',             () => '['.repeat(100_000)],
    ['huge',                      () => `{"accessToken":"${'a'.repeat(8 << 20)}"}`],
    ['another program’s',         () => '<?xml version="1.0"?><session/>'],
  ];

  test.each(DAMAGE)(
    'case 187, %s: signed out, told once, set aside, no throw',
    async (_, damage) => {
      const [key, sound] = await soundRecord();
      const damaged = damage(sound);
      const { store, values } = openStore({ [key]: damaged });
      const { session, changes, clock } = await openSession(store);

      await expect(session.restore()).resolves.toBeUndefined();
      await session.restore();
      expect(session.state).toEqual({ name: 'signedOut', reason: 'damaged' });
      expect(changes.map(({ error }) => error?.code).filter(Boolean)).toEqual(['store_damaged']);
      expect(values.has(key)).toBe(false);
      const [[asideKey, aside] = [], ...others] = values;
      expect(asideKey).not.toBe(key);
      expect(aside === damaged).toBe(true);
      expect(others).toEqual([]);
      expect(clock.pending).toBe(0);

      const next = await openSession(store);
      await next.session.restore();
      expect(next.session.state).toEqual({ name: 'signedOut', reason: 'never' });
      expect(next.changes.some(({ error }) => error)).toBe(false);
    },
  );

  test('the same record undamaged is a session, so the table above is about the damage', async () => {
    const [key, sound] = await soundRecord();
    const { session, changes } = await openSession(openStore({ [key]: sound }).store);
    await session.restore();
    expect(session.state.name).toBe('signedIn');
    expect(changes.some(({ error }) => error)).toBe(false);
  });

  test('case 187: tells nothing of its content', async () => {
    const [key, sound] = await soundRecord();
    const { session, changes } = await openSession(openStore({ [key]: `${sound}x` }).store);
    await session.restore();
    const { accessToken, refreshToken } = JSON.parse(sound) as StoredSession;
    const shown = inspect([session.state, changes], { depth: Infinity, showHidden: true });
    expect(shown).not.toContain(accessToken);
    expect(shown).not.toContain(refreshToken);
  });

  test('says why a token cannot be had, and a new sign-in mends it', async () => {
    const [key] = await soundRecord();
    const { store, values } = openStore({ [key]: '{' });
    const { session, signIn } = await openSession(store);
    await expect(session.getAccessToken()).rejects.toMatchObject({
      code: 'sign_in_required',
      details: { reason: 'damaged' },
    });
    await signIn();
    expect(session.state.name).toBe('signedIn');
    expect(JSON.parse(values.get(key) ?? '')).toMatchObject({ refreshToken: expect.any(String) });
  });

  test('that cannot be set aside is a store that cannot be used, and stays where it is', async () => {
    const { store, values } = openStore({ [KEY]: '{' });
    const { sessionStore } = setUp({ ...store, set: () => Promise.reject(new Error('full')) });
    await expect(sessionStore.load()).rejects.toEqual(failing('store_unavailable'));
    expect(values.get(KEY)).toBe('{');
  });

  test('case 187: whatever text is stored, restore resolves in signedIn or signedOut', async () => {
    const [key, sound] = await soundRecord();
    const cut = fc.tuple(fc.nat(sound.length), fc.nat(20), fc.string({ unit: anyCharacter }));
    const spoiled = cut.map(
      ([at, less, more]) => sound.slice(0, at) + more + sound.slice(at + less),
    );
    const any = fc.oneof(spoiled, fc.string({ unit: anyCharacter }), fc.json());
    await fc.assert(
      fc.asyncProperty(any, async (text) => {
        const { session, changes } = await openSession(openStore({ [key]: text }).store);
        await session.restore();
        const told = changes.filter(({ error }) => error?.code === 'store_damaged').length;
        expect([session.state.name, told]).toEqual(told === 0 ? ['signedIn', 0] : ['signedOut', 1]);
      }),
    );
  });
});

describe('a store that cannot be used', () => {
  type Operation = 'get' | 'set' | 'remove';
  type Call = (sessionStore: ReturnType<typeof createSessionStore>) => Promise<unknown>;
  const attempt: StoredAttempt = {
    state: 's1',
    codeVerifier: 'v1',
    redirectUri: 'https://plug-in.example/callback',
    startedAtMs: 0,
    expiresAtMs: 2_000_000_000_000,
  };
  // prettier-ignore
  const CALLS: readonly [name: string, operation: Operation, call: Call][] = [
    ['load',           'get',    (it) => it.load()],
    ['save',           'set',    (it) => it.save(SESSION)],
    ['remove',         'remove', (it) => it.remove()],
    ['removeAttempts', 'remove', (it) => it.removeAttempts()],
    ['addAttempt',     'get',    (it) => it.addAttempt(attempt)],
    ['addAttempt',     'set',    (it) => it.addAttempt(attempt)],
    ['takeAttempt',    'get',    (it) => it.takeAttempt('s1')],
    ['takeAttempt',    'remove', (it) => it.addAttempt(attempt).then(() => it.takeAttempt('s1'))],
  ];
  const QUOTE = 'EACCES: could not keep s3cret-refresh-token';
  // prettier-ignore
  const FAILURES: readonly [name: string, fail: () => never][] = [
    ['an Error',            () => { throw new Error(QUOTE, { cause: QUOTE }); }],
    ['a text',              () => { throw QUOTE; }],
    ['nothing',             () => { throw undefined; }],
    ['an AggregateError',   () => { throw new AggregateError([new Error(QUOTE)], QUOTE); }],
    ['its own error class', () => { throw Object.assign(new Error(QUOTE), { code: 'EACCES', path: QUOTE }); }],
    ['a false friend',      () => { throw { name: 'MortiseError', code: QUOTE, message: QUOTE }; }],
    ['one of our errors',   () => { throw new MortiseError('network_error', { host: QUOTE }); }],
  ];
  const table = CALLS.flatMap(([name, operation, call]) =>
    FAILURES.map(([what, fail]) => [name, operation, what, call, fail] as const),
  );

  test.each(table)(
    '%s, when %s rejects with %s: store_unavailable',
    async (_, operation, __, call, fail) => {
      const { sessionStore, clock } = setUp({
        ...openStore().store,
        [operation]: async () => fail(),
      });
      const error: unknown = await call(sessionStore).catch((caught: unknown) => caught);
      expect(error).toEqual(failing('store_unavailable'));
      expect(error).toMatchObject({ retryable: true, details: {} });
      expect(inspect(error, { depth: Infinity, showHidden: true })).not.toMatch(/s3cret|EACCES/);
      expect(clock.pending).toBe(0);
    },
  );

  test.each(CALLS)(
    '%s, when %s throws instead of rejecting: store_unavailable',
    async (_, operation, call) => {
      const { sessionStore } = setUp({
        ...openStore().store,
        [operation]: () => {
          throw new Error(QUOTE);
        },
      });
      await expect(call(sessionStore)).rejects.toEqual(failing('store_unavailable'));
    },
  );

  test.each(CALLS)(
    'case 190: %s, when %s hangs: store_unavailable after 30 s',
    async (_, operation, call) => {
      const { sessionStore, clock } = setUp({
        ...openStore().store,
        [operation]: () => new Promise(() => {}),
      });
      let error: unknown;
      void call(sessionStore).catch((caught: unknown) => (error = caught));
      await clock.advance(29_999);
      expect(error).toBeUndefined();
      await clock.advance(1);
      expect(error).toEqual(failing('store_unavailable'));
      expect(clock.pending).toBe(0);
    },
  );

  test('its own words on what to do are passed on: it is the one who knows', async () => {
    const locked = new MortiseError('store_unavailable', {}, { hint: 'Unlock the keychain.' });
    const { sessionStore } = setUp({ ...openStore().store, get: () => Promise.reject(locked) });
    await expect(sessionStore.load()).rejects.toMatchObject({ hint: 'Unlock the keychain.' });
  });

  test('a store set up wrongly says so itself', async () => {
    const wrong = new MortiseError('configuration_error', { problem: 'no folder' });
    const { sessionStore } = setUp({ ...openStore().store, get: () => Promise.reject(wrong) });
    await expect(sessionStore.load()).rejects.toBe(wrong);
  });

  test('restore rejects, leaves the session idle, and the next one tries again', async () => {
    const [key, sound] = await soundRecord();
    const { store } = openStore({ [key]: sound });
    let isBroken = true;
    const get: KeyValueStore['get'] = async (name) => {
      if (isBroken) throw new Error(QUOTE);
      return store.get(name);
    };
    const { session, changes } = await openSession({ ...store, get });
    await expect(session.restore()).rejects.toEqual(failing('store_unavailable'));
    expect(session.state).toEqual({ name: 'idle' });
    expect(changes.at(-1)).toMatchObject({
      event: 'storeFailed',
      error: failing('store_unavailable'),
    });
    isBroken = false;
    await session.restore();
    expect(session.state.name).toBe('signedIn');
  });

  test('after one that hung, the next operation is tried all the same', async () => {
    const { store } = openStore();
    let isHanging = true;
    const set: KeyValueStore['set'] = (key, value) =>
      isHanging ? new Promise(() => {}) : store.set(key, value);
    const { sessionStore, clock } = setUp({ ...store, set });
    const first = sessionStore.save(SESSION).catch((error: unknown) => error);
    const second = sessionStore.save({ ...SESSION, revision: 'r2' });
    await clock.advance(29_999);
    isHanging = false;
    await clock.advance(1);
    expect(await first).toEqual(failing('store_unavailable'));
    await second;
    await expect(sessionStore.load()).resolves.toMatchObject({ revision: 'r2' });
  });
});

describe('the operations', () => {
  test('happen one after another, in the order they were asked for', async () => {
    const log: string[] = [];
    const gate = deferred<void>();
    const slow = async (name: string) => {
      log.push(`${name} begins`);
      await gate.promise;
      await settle();
      log.push(`${name} ends`);
    };
    const { sessionStore } = setUp({
      get: async () => (await slow('get'), null),
      set: () => slow('set'),
      remove: (key) => slow(key === KEY ? 'remove' : 'remove attempts'),
    });
    const all = [
      sessionStore.save(SESSION),
      sessionStore.remove(),
      sessionStore.load(),
      sessionStore.removeAttempts(),
    ];
    await settle();
    expect(log).toEqual(['set begins']);
    gate.resolve();
    await Promise.all(all);
    // The second is of what was set aside as damaged.
    const names = ['set', 'remove', 'remove attempts', 'get', 'remove attempts'];
    expect(log).toEqual(names.flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  test('a removal asked for after a save leaves nothing, however slow the save', async () => {
    const { store, values } = openStore();
    const set: KeyValueStore['set'] = async (key, value) => {
      await settle();
      await store.set(key, value);
    };
    const { sessionStore } = setUp({ ...store, set });
    await Promise.all([sessionStore.save(SESSION), sessionStore.remove()]);
    expect([...values]).toEqual([]);
  });

  test('one that fails stops none of those behind it', async () => {
    const { store } = openStore();
    const { sessionStore } = setUp({ ...store, remove: () => Promise.reject(new Error('no')) });
    const [removed, , loaded] = await Promise.allSettled([
      sessionStore.remove(),
      sessionStore.save(SESSION),
      sessionStore.load(),
    ]);
    expect(removed.status).toBe('rejected');
    expect(loaded).toEqual({ status: 'fulfilled', value: SESSION });
  });

  test('what was saved is loaded, and gone when removed', async () => {
    const { sessionStore } = setUp();
    await expect(sessionStore.load()).resolves.toBeNull();
    await sessionStore.save(SESSION);
    await expect(sessionStore.load()).resolves.toEqual(SESSION);
    await sessionStore.remove();
    await expect(sessionStore.load()).resolves.toBeNull();
  });

  test('case 188: a record of another version is neither read nor touched', async () => {
    const [key, sound] = await soundRecord();
    const newer = key.replace('mortise/1/', 'mortise/2/');
    const older = key.replace('mortise/1/', 'mortise/0/');
    const entries = { [newer]: sound, [older]: '{"v":0}' };
    expect(newer).not.toBe(key);
    const { store, values } = openStore(entries);
    const { session, signIn } = await openSession(store);
    await session.restore();
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    await signIn();
    await session.signOut();
    expect(Object.fromEntries(values)).toEqual(entries);
  });
});

describe('attempts cut in two', () => {
  const attempt = (state: string, expiresAtMs = 2_000_000_000_000): StoredAttempt => ({
    state,
    codeVerifier: `verifier of ${state}`,
    redirectUri: 'https://plug-in.example/callback',
    startedAtMs: 0,
    expiresAtMs,
  });

  test('case 194: each is given out once', async () => {
    const { sessionStore } = setUp();
    await sessionStore.addAttempt(attempt('s1'));
    const taken = await Promise.all([
      sessionStore.takeAttempt('s1'),
      sessionStore.takeAttempt('s1'),
    ]);
    expect(taken).toEqual([true, false]);
  });

  // prettier-ignore
  test.each([['of another state', 's2'], ['with an empty state', ''], ['like a prefix', 's']])(
    'case 19: an answer %s takes none, and leaves it for the right one',
    async (_, state) => {
      const { sessionStore } = setUp();
      await sessionStore.addAttempt(attempt('s1'));
      await expect(sessionStore.takeAttempt(state)).resolves.toBe(false);
      await expect(sessionStore.takeAttempt('s1')).resolves.toBe(true);
    },
  );

  test('case 194: two open at once are both found, in either order', async () => {
    const { sessionStore } = setUp();
    await Promise.all([
      sessionStore.addAttempt(attempt('s1')),
      sessionStore.addAttempt(attempt('s2')),
    ]);
    await expect(sessionStore.takeAttempt('s2')).resolves.toBe(true);
    await expect(sessionStore.takeAttempt('s1')).resolves.toBe(true);
  });

  test('case 194: they never rest beside tokens, and the last one leaves nothing behind', async () => {
    const { store, values } = openStore();
    const { sessionStore } = setUp(store);
    await sessionStore.save(SESSION);
    await sessionStore.addAttempt(attempt('s1'));
    expect(values.size).toBe(2);
    expect(values.get(KEY)).not.toContain('verifier');
    for (const [key, text] of values) if (key !== KEY) expect(text).not.toMatch(/access|refresh/);
    await sessionStore.takeAttempt('s1');
    expect([...values.keys()]).toEqual([KEY]);
  });

  test('case 194: five rest at most; the oldest give way', async () => {
    const { store, values } = openStore();
    const { sessionStore } = setUp(store);
    for (let count = 1; count <= 20; count += 1)
      await sessionStore.addAttempt(attempt(`s${count}`));
    expect([...values.values()].join('').match(/verifier/g)).toHaveLength(5);
    await expect(sessionStore.takeAttempt('s15')).resolves.toBe(false);
    await expect(sessionStore.takeAttempt('s16')).resolves.toBe(true);
  });

  test('case 194: one that is over is forgotten at the next opportunity', async () => {
    const { store, values } = openStore();
    const { sessionStore, clock } = setUp(store);
    await sessionStore.addAttempt(attempt('s1', clock.nowMs() + 1_000));
    await clock.advance(1_000);
    await sessionStore.addAttempt(attempt('s2'));
    expect([...values.values()].join('')).not.toContain('verifier of s1');
  });

  test('case 187: damaged ones are none, and the next one is kept', async () => {
    const { store } = openStore({ [`${KEY}/attempts`]: '{"attempts":[7,{"__proto__":{}}]' });
    const { sessionStore } = setUp(store);
    await expect(sessionStore.takeAttempt('s1')).resolves.toBe(false);
    await sessionStore.addAttempt(attempt('s1'));
    await expect(sessionStore.takeAttempt('s1')).resolves.toBe(true);
  });

  test('case 194: signing out forgets them', async () => {
    const { store, values } = openStore();
    const { session } = await openSession(store);
    await session.beginSignIn({ redirectUri: 'https://plug-in.example/callback' });
    expect(values.size).toBe(1);
    await session.signOut();
    expect([...values]).toEqual([]);
  });
});
