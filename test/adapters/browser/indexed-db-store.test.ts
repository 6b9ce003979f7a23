import { randomBytes } from 'node:crypto';
import {
  createIndexedDbStore,
  indexedDbStore,
} from '../../../adapters/browser/indexed-db-store.js';
import { openRecords } from '../../../adapters/browser/indexed-db.js';
import { createLimited } from '../../../adapters/web/store-choice.js';
import { firstUsable } from '../../../adapters/web/store-list.js';
import { createSession } from '../../../src/session/create-session.js';
import { memoryStore } from '../../../src/session/memory-store.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { createFakeHost } from '../../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../../support/fake-server.js';
import { describeKeyValueStore } from '../../support/key-value-store-contract.js';
import { createFakeIndexedDb, type FakeIndexedDb } from './fake-indexed-db.js';

const newSecret = () => `code-${randomBytes(24).toString('base64url')}`;
const SECRET = 'refresh-token-of-nobody-0123456789';
const KEY = 'mortise/1/key';
const RECORD = 'mortise/1-sealed/a';

let fake: FakeIndexedDb;
const replace = (name: 'indexedDB' | 'crypto' | 'BroadcastChannel', value: unknown) =>
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
const originals = (['crypto', 'BroadcastChannel'] as const).map(
  (name) => [name, Object.getOwnPropertyDescriptor(globalThis, name) ?? {}] as const,
);
beforeEach(() => {
  fake = createFakeIndexedDb();
  replace('indexedDB', fake.factory);
});
afterEach(() => {
  Reflect.deleteProperty(globalThis, 'indexedDB');
  for (const [name, original] of originals) Object.defineProperty(globalThis, name, original);
});

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it did not fail',
    (error: unknown) => error,
  );
const unavailable = (problem: string, more = {}) => ({
  code: 'store_unavailable',
  details: { problem },
  ...more,
});
const kept = () => fake.databases.get('mortise/default') ?? new Map<string, unknown>();
const record = () =>
  kept().get(RECORD) as { keyId: string; nonce: Uint8Array; sealed: ArrayBuffer };

/** A key as another tab has made it. */
const pageKey = async () => ({
  id: 'of another tab',
  key: await crypto.subtle.importKey('raw', randomBytes(32), 'AES-GCM', false, [
    'encrypt',
    'decrypt',
  ]),
});

describeKeyValueStore(
  'indexedDbStore',
  () => indexedDbStore(),
  () => indexedDbStore(),
);

describe('indexedDbStore: what rests where', () => {
  test('nothing of a record is there to read, and no save is like another', async () => {
    const store = indexedDbStore();
    await store.set('a', SECRET);
    const first = record();
    await store.set('a', SECRET);
    const second = record();
    expect(Buffer.from(second.sealed)).not.toEqual(Buffer.from(first.sealed));
    expect(second.nonce).toHaveLength(12);
    expect(second.nonce).not.toEqual(first.nonce);
    for (const { sealed } of [first, second]) {
      expect(Buffer.from(sealed).includes(SECRET)).toBe(false);
      expect(sealed.byteLength).toBe(SECRET.length + 16);
    }
  });

  test('its key can be used, and not read', async () => {
    await indexedDbStore().set('a', SECRET);
    const { key } = kept().get(KEY) as { key: CryptoKey };
    expect(key).toMatchObject({ extractable: false, algorithm: { name: 'AES-GCM', length: 256 } });
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toMatchObject({
      name: expect.stringContaining('InvalidAccess'),
    });
  });

  test('stores of one name are the same, of two names are not', async () => {
    await indexedDbStore({ name: 'one' }).set('a', SECRET);
    expect(await indexedDbStore({ name: 'one' }).get('a')).toBe(SECRET);
    expect(await indexedDbStore({ name: 'two' }).get('a')).toBeNull();
    expect(indexedDbStore({ name: 'one' }).place).toBe(indexedDbStore({ name: 'one' }).place);
    expect(indexedDbStore({ name: 'one' }).place).not.toBe(indexedDbStore().place);
  });

  test.each([{ name: '' }, { name: 7 as unknown as string }])('refuses %j', (options) => {
    expect(() => indexedDbStore(options)).toThrow(
      expect.objectContaining({ code: 'configuration_error' }),
    );
  });

  test('reading what was never stored, and removing, make no key', async () => {
    await indexedDbStore().get('a');
    await indexedDbStore().remove('a');
    expect([...kept().keys()]).toEqual([]);
  });

  test('text that is none is refused, and nothing is stored', async () => {
    expect(await failure(indexedDbStore().set('a', `${SECRET}\ud800`))).toMatchObject(
      unavailable('refused', { retryable: false }),
    );
    expect([...kept().keys()]).toEqual([]);
  });

  test('case 150: what another format keeps in the same database is left alone', async () => {
    const store = indexedDbStore();
    await store.set('a', 'one');
    const newer = { format: 'of a newer copy' };
    for (const name of ['mortise/2-sealed/a', 'mortise/2/key']) kept().set(name, newer);
    await store.set('a', SECRET);
    await store.remove('a');
    expect([...kept()].filter(([, value]) => value === newer)).toHaveLength(2);
    // And of what has to do with keys and names, all copies of this format agree.
    expect([...kept().keys()]).toContain(KEY);
  });

  test('is asked for nothing before it is used', () => {
    indexedDbStore();
    expect(fake.opened).toBe(0);
  });
});

describe('indexedDbStore: the key', () => {
  test('two tabs that make one at the same time end with the same', async () => {
    const stores = Array.from({ length: 5 }, () => indexedDbStore());
    await Promise.all(stores.map((store, at) => store.set(`${at}`, `${SECRET} ${at}`)));
    const third = indexedDbStore();
    for (const at of stores.keys()) expect(await third.get(`${at}`)).toBe(`${SECRET} ${at}`);
  });

  test('one who has made another meanwhile takes the one that is there', async () => {
    const { subtle } = globalThis.crypto;
    let goOn = () => {};
    const slow = jest.spyOn(subtle, 'generateKey').mockImplementationOnce(async (...how) => {
      await new Promise<void>((done) => (goOn = done));
      slow.mockRestore();
      return subtle.generateKey(...(how as Parameters<SubtleCrypto['generateKey']>));
    });
    const late = indexedDbStore().set('b', 'of another');
    await settle();
    // Not the slow one's.
    kept().set(KEY, await pageKey());
    await indexedDbStore().set('a', SECRET);
    goOn();
    await late;
    expect(await indexedDbStore().get('a')).toBe(SECRET);
    expect(await indexedDbStore().get('b')).toBe('of another');
  });

  test.each([
    ['is gone', () => void kept().delete(KEY)],
    ['is another', () => void kept().set(KEY, { ...(kept().get(KEY) as object), id: 'another' })],
    ['is no key', () => void kept().set(KEY, 'mortise')],
    ['is none any more', () => void kept().set(KEY, { ...(kept().get(KEY) as object), key: null })],
    ['is something else', () => void kept().set(KEY, { ...(kept().get(KEY) as object), key: {} })],
  ])(
    'that %s: the record cannot be read again, and the next save replaces it',
    async (_, spoil) => {
      await indexedDbStore().set('a', SECRET);
      spoil();
      const store = indexedDbStore();
      expect(await failure(store.get('a'))).toMatchObject(
        unavailable('reset', { retryable: false, hint: expect.stringContaining('sign in again') }),
      );
      expect(kept().has(RECORD)).toBe(true);
      await store.set('a', 'another');
      expect(await indexedDbStore().get('a')).toBe('another');
    },
  );

  test('is made anew when the user clears the site in the middle of a save', async () => {
    const store = indexedDbStore();
    await store.set('a', 'one');
    let isCleared = false;
    fake.onTransaction = (mode) => {
      if (mode !== 'readwrite' || isCleared) return;
      isCleared = true;
      fake.databases.set('mortise/default', new Map());
    };
    await store.set('a', SECRET);
    expect(isCleared).toBe(true);
    expect(await indexedDbStore().get('a')).toBe(SECRET);
  });

  test('a site that is cleared again and again ends the save', async () => {
    fake.onTransaction = (mode) => {
      if (mode === 'readonly') fake.databases.set('mortise/default', new Map());
    };
    expect(await failure(indexedDbStore().set('a', SECRET))).toMatchObject(
      unavailable('unwritable'),
    );
  });
});

describe('indexedDbStore: a record that was changed', () => {
  const flip = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte));

  test.each([
    ['its text', () => ({ ...record(), sealed: flip(new Uint8Array(record().sealed)).buffer })],
    ['its nonce', () => ({ ...record(), nonce: flip(record().nonce) })],
    ['all of it', () => 'mortise'],
    ['its shape', () => ({ keyId: record().keyId })],
    ['its nonce to what is no text', () => ({ ...record(), nonce: { toString: null } })],
    ['its place', () => kept().get('mortise/1-sealed/b')],
  ])('%s: is damaged, told once, and taken away', async (_, changed) => {
    const store = indexedDbStore();
    await store.set('b', 'of another');
    await store.set('a', SECRET);
    kept().set(RECORD, changed());
    expect(await failure(store.get('a'))).toMatchObject({ code: 'store_damaged' });
    expect(await store.get('a')).toBeNull();
    await store.set('a', 'again');
    expect(await store.get('a')).toBe('again');
  });

  test('what another tab has saved meanwhile stays', async () => {
    const store = indexedDbStore();
    await store.set('a', SECRET);
    const good = record();
    kept().set(RECORD, { ...good, nonce: flip(good.nonce) });
    fake.onTransaction = (mode) => {
      if (mode === 'readwrite') kept().set(RECORD, good);
    };
    expect(await failure(store.get('a'))).toMatchObject({ code: 'store_damaged' });
    expect(await store.get('a')).toBe(SECRET);
  });
});

describe('case 76: a page that cannot keep anything', () => {
  // prettier-ignore
  test.each([
    ['no IndexedDB',                 () => replace('indexedDB', undefined)],
    ['one that throws when used',    () => fake.failToOpen('throws', 'SecurityError')],
    ['one that fails when opened',   () => fake.failToOpen('fails', 'InvalidStateError')],
    ['one that keeps no keys',       () => fake.fail('readwrite', 'DataCloneError')],
    ['no crypto.subtle',             () => replace('crypto', { getRandomValues: () => {} })],
    ['no crypto',                    () => replace('crypto', undefined)],
  ])('%s: is told as absent, with a hint, and never thrown outside a promise', async (_, spoil) => {
    spoil();
    const store = indexedDbStore();
    for (const use of [() => store.set('a', SECRET), () => store.ready?.()]) {
      expect(await failure(Promise.resolve(use()))).toMatchObject(
        unavailable('absent', { retryable: false, hint: expect.stringContaining('https') }),
      );
    }
    expect(() => store.watch?.('a', () => {})?.()).not.toThrow();
  });

  // prettier-ignore
  test.each([
    ['works',        'indexedDb', () => {}],
    ['throws',       'memory',    () => fake.failToOpen('throws', 'SecurityError')],
    ['is not there', 'memory',    () => replace('indexedDB', undefined)],
  ])('IndexedDB %s: of [indexedDbStore(), memoryStore()] the session uses and names %s', async (_, name, spoil) => {
    spoil();
    const host = createFakeHost({
      http: createFakeServer().http,
      store: firstUsable([indexedDbStore(), memoryStore()]),
    });
    const session = createSession({ host, provider: fakeProvider() });
    const done = session.signIn();
    await (await host.visit()).redirect({ code: newSecret() });
    await done;
    expect(session.state.name).toBe('signedIn');
    expect(session.diagnostics.store).toBe(name);
    await session.close();
  });

  test.each(['request', 'commit'] as const)(
    'a full disk, found out by the %s, is told as full, and what was there stays',
    async (at) => {
      const store = indexedDbStore();
      await store.set('a', 'one');
      fake.fail('readwrite', 'QuotaExceededError', 1, at);
      expect(await failure(store.set('a', SECRET))).toMatchObject(
        unavailable('full', { retryable: true }),
      );
      expect(await store.get('a')).toBe('one');
      await store.set('a', 'two');
      expect(await store.get('a')).toBe('two');
    },
  );

  test('a database that cannot be used for another reason', async () => {
    fake.fail('readwrite', 'UnknownError');
    expect(await failure(indexedDbStore().set('a', SECRET))).toMatchObject(
      unavailable('unwritable', { retryable: true }),
    );
  });

  test('a page without BroadcastChannel keeps its sign-in all the same', async () => {
    replace('BroadcastChannel', undefined);
    const store = indexedDbStore();
    const stop = store.watch?.('a', () => {});
    await store.set('a', SECRET);
    expect(await store.get('a')).toBe(SECRET);
    stop?.();
  });
});

describe('indexedDbStore: a database that is taken away', () => {
  test.each(['told', 'silently'] as const)(
    'closed by the browser, %s: one more try',
    async (how) => {
      const store = indexedDbStore();
      await store.set('a', SECRET);
      fake.closeAll(how);
      expect(await store.get('a')).toBe(SECRET);
      fake.closeAll(how);
      await store.set('a', 'two');
      expect(await indexedDbStore().get('a')).toBe('two');
    },
  );

  test('deleted: makes way for it, and begins anew', async () => {
    const store = indexedDbStore();
    await store.set('a', SECRET);
    fake.clear();
    expect(fake.open).toBe(0);
    expect(await store.get('a')).toBeNull();
    await store.set('a', 'again');
    expect(await store.get('a')).toBe('again');
  });

  test('a transaction that failed is tried once more, and not for ever', async () => {
    const store = indexedDbStore();
    await store.set('a', SECRET);
    fake.fail('readonly', 'AbortError', 1);
    expect(await store.get('a')).toBe(SECRET);
    const { opened } = fake;
    fake.fail('readonly', 'AbortError');
    expect(await failure(store.get('a'))).toMatchObject(unavailable('unwritable'));
    expect(fake.opened - opened).toBeLessThanOrEqual(2);
  });
});

describe('indexedDbStore: a database that does not answer', () => {
  const LIMIT_MS = 10_000;
  function open() {
    const clock = createFakeClock();
    const records = openRecords('mortise/default', createLimited(clock, LIMIT_MS));
    return { clock, store: createIndexedDbStore({ name: 'default', records }) };
  }

  test('case 76: an opening that never ends is given up in time, and the next call tries anew', async () => {
    const { clock, store } = open();
    fake.failToOpen('never');
    const failed = failure(store.get('a'));
    await clock.advance(LIMIT_MS - 1);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(await failed).toMatchObject(
      unavailable('timeout', { retryable: true, hint: expect.stringContaining('reload') }),
    );
    fake.resume();
    await settle();
    // What came too late is closed, and was used for nothing.
    expect(fake.open).toBe(0);
    await store.set('a', SECRET);
    expect(await store.get('a')).toBe(SECRET);
    expect(clock.pending).toBe(0);
    expect(fake.open).toBe(1);
  });

  test('a save that was given up is not made later, over a newer one', async () => {
    const { clock, store } = open();
    await store.ready?.();
    // The key is read, and then there is no connection to write with.
    fake.onTransaction = () => {
      fake.closeAll('told');
      fake.failToOpen('never');
      fake.onTransaction = () => {};
    };
    const failed = failure(store.set('a', 'older'));
    while (fake.hanging === 0) await settle();
    await clock.advance(LIMIT_MS);
    expect(await failed).toMatchObject(unavailable('timeout'));
    fake.openAgain();
    await store.set('a', SECRET);
    fake.resume();
    await settle();
    expect(await store.get('a')).toBe(SECRET);
  });
});
