import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyValueStore } from '../../../src/ports/index.js';
import { describeKeyValueStore } from '../../support/key-value-store-contract.js';
import { buildStoreProgram, type StoreProcess } from '../../support/keyring-process.js';
import type { StoreProgram, ToldError } from '../../support/keyring-process.js';
import {
  describeWithKeychain,
  startKeychainSession,
  type KeychainSession,
} from '../../support/keyring-session.js';

const SERVICE = 'acme-scan';
const SECRET = 'refresh-token-of-nobody-0123456789';

let program: StoreProgram;
let root: string;
beforeAll(async () => {
  program = await buildStoreProgram();
  root = await fs.mkdtemp(join(tmpdir(), 'mortise-'));
});
afterAll(async () => {
  await program.remove();
  await fs.rm(root, { recursive: true, force: true });
});

/** A process with a store over the keychain of this session. */
async function openIn(
  session: KeychainSession,
  directory: string,
  options = {},
): Promise<StoreProcess> {
  const store = await program.start(session.env);
  await store.open('keyring', { service: SERVICE, directory, ...options });
  return store;
}

const failure = (promise: Promise<unknown>): Promise<ToldError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: ToldError) => error,
  );
const unavailable = (problem: string) => ({ code: 'store_unavailable', details: { problem } });

async function textOf(directory: string): Promise<string> {
  const names = await fs.readdir(directory);
  const texts = names.map((name) => fs.readFile(join(directory, name), 'latin1'));
  return (await Promise.all(texts)).join('\n');
}

describeWithKeychain('GNOME Keyring', () => {
  let session: KeychainSession;
  let directory: string;
  beforeAll(async () => {
    session = await startKeychainSession();
    await session.start('unlocked');
  });
  afterAll(() => session.end());
  beforeEach(async () => {
    directory = await fs.mkdtemp(join(root, 'store-'));
  });

  describe('keyringStore', () => {
    let store: StoreProcess;
    beforeAll(async () => {
      store = await program.start(session.env);
    });
    describeKeyValueStore('keyringStore over GNOME Keyring', async (): Promise<KeyValueStore> => {
      await store.open('keyring', { service: SERVICE, directory });
      return store;
    });
  });

  test('case 192: a record of 60 KB is sealed, and a second process reads it', async () => {
    const long = SECRET.repeat(1_800);
    await (await openIn(session, directory)).set('a', long);
    expect(await (await openIn(session, directory)).get('a')).toBe(long);
    expect(await textOf(directory)).not.toContain(SECRET.slice(0, 8));
    const outsider = await program.start(session.env);
    await outsider.tell('entry', SERVICE, 'mortise/1/key');
    expect(await outsider.tell('entryGet')).toMatch(/^[\w+/]{43}=$/);
  });

  test('the first saves of six processes at once end with one key', async () => {
    const outsider = await program.start(session.env);
    await outsider.tell('entry', SERVICE, 'mortise/1/key');
    await outsider.tell('entryRemove').catch(() => {});
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const stores = await Promise.all(names.map(() => openIn(session, directory)));
    await Promise.all(stores.map((store, i) => store.set(names[i] ?? '', `of ${names[i]}`)));
    const later = await openIn(session, directory);
    for (const name of names) expect(await later.get(name)).toBe(`of ${name}`);
    const keys = (await textOf(directory)).match(/(?<=sealed-1:)[0-9a-f]{16}/g);
    expect(keys).toHaveLength(names.length);
    expect(new Set(keys).size).toBe(1);
  });

  test('case 190: a key that was deleted in the keychain is said, and a save heals', async () => {
    await (await openIn(session, directory)).set('a', SECRET);
    const before = await textOf(directory);
    const outsider = await program.start(session.env);
    await outsider.tell('entry', SERVICE, 'mortise/1/key');
    await outsider.tell('entryRemove');
    const store = await openIn(session, directory);
    expect(await failure(store.get('a'))).toMatchObject(unavailable('reset'));
    expect(await textOf(directory)).toBe(before);
    await store.set('a', 'new');
    expect(await (await openIn(session, directory)).get('a')).toBe('new');
  });

  test('case 190: locked, it is said; the record stays, and is read once it is unlocked', async () => {
    const store = await openIn(session, directory);
    await store.set('a', SECRET);
    const before = await textOf(directory);
    session.lock();
    const other = await openIn(session, directory);
    for (const call of [other.get('a'), other.set('a', 'x'), other.set('b', 'x')]) {
      const error = await failure(call);
      expect(error).toMatchObject(unavailable('locked'));
      expect(error.shown).not.toContain('dismissed');
    }
    expect(await textOf(directory)).toBe(before);
    await store.set('a', 'renewed'); // case 125: who has the key goes on
    expect(await other.get('nothing')).toBeNull();
    await session.stop();
    await session.start('locked');
    expect(await failure(other.get('a'))).toMatchObject(unavailable('locked'));
    await session.stop();
    await session.start('unlocked');
    expect(await other.get('a')).toBe('renewed');
    session.lock();
    await (await openIn(session, directory)).remove('a');
    await session.stop();
    await session.start('unlocked');
    expect(await other.get('a')).toBeNull();
  });
});

describeWithKeychain('GNOME Keyring, and files where there is none', () => {
  const options = () => ({ service: SERVICE, directory: join(root, 'list') });
  const openList = async (env: NodeJS.ProcessEnv) => {
    const store = await program.start(env);
    const stores = [
      ['keyring', options()],
      ['file', options()],
    ];
    await store.open('list', { stores });
    return store;
  };

  test('case 190: falls back until the keychain was in use once, and then no more', async () => {
    const session = await startKeychainSession();
    try {
      const first = await openList(session.env);
      await first.set('a', SECRET);
      expect(await first.tell('name')).toBe('file');
      expect(await textOf(options().directory)).toContain(SECRET);

      await session.start('unlocked');
      const second = await openList(session.env);
      expect(await second.get('a')).toBe(SECRET);
      expect(await second.tell('name')).toBe('keyring');
      expect(await textOf(options().directory)).not.toContain(SECRET);

      session.lock();
      const third = await openList(session.env);
      const hint = expect.stringContaining('Sessions were kept in: keyring.');
      for (const call of [third.get('a'), third.set('a', SECRET)]) {
        expect(await failure(call)).toMatchObject({ ...unavailable('locked'), hint });
      }
      await session.stop();
      const fourth = await openList(session.env);
      expect(await failure(fourth.get('a'))).toMatchObject({ ...unavailable('absent'), hint });
      expect(await textOf(options().directory)).not.toContain(SECRET);

      await fourth.remove('a');
      expect(await fourth.get('a')).toBeNull();
    } finally {
      await session.end();
    }
  });
});

describeWithKeychain('no GNOME Keyring to speak of', () => {
  const absent = async (env: NodeJS.ProcessEnv, problem: string) => {
    const directory = join(root, 'absent');
    const store = await program.start(env);
    await store.open('keyring', { service: SERVICE, directory });
    expect(await store.get('a')).toBeNull();
    const startMs = performance.now();
    expect(await failure(store.set('a', SECRET))).toMatchObject(unavailable(problem));
    expect(performance.now() - startMs).toBeLessThan(8_000);
    await store.remove('a');
    await expect(fs.readdir(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  };

  test('case 190: no bus', () =>
    absent({ DBUS_SESSION_BUS_ADDRESS: `unix:path=${root}/none` }, 'absent'));

  test('case 190: no bus is named, and no kernel keyring takes its place', () =>
    absent({ DBUS_SESSION_BUS_ADDRESS: undefined, XDG_RUNTIME_DIR: undefined }, 'absent'));

  test('case 190: a bus with no keychain on it, and then one that comes', async () => {
    const session = await startKeychainSession();
    try {
      await absent(session.env, 'absent');
      const store = await openIn(session, join(root, 'later'));
      expect(await failure(store.set('a', SECRET))).toMatchObject(unavailable('absent'));
      await session.start('unlocked');
      await store.set('a', SECRET);
      expect(await store.get('a')).toBe(SECRET);
    } finally {
      await session.end();
    }
  });

  test('case 190: one that was never given a password', async () => {
    const session = await startKeychainSession();
    try {
      await session.start('locked');
      await absent(session.env, 'locked');
    } finally {
      await session.end();
    }
  });

  test('case 190: one that stands still', async () => {
    const session = await startKeychainSession();
    try {
      await session.start('unlocked');
      const directory = join(root, 'still');
      await (await openIn(session, directory)).set('a', SECRET);
      const store = await openIn(session, directory);
      session.suspend();
      expect(await failure(store.get('a'))).toMatchObject(unavailable('timeout'));
      session.resume();
      expect(await store.get('a')).toBe(SECRET);
    } finally {
      await session.end();
    }
  });

  test('case 190: a prompt that is never answered', async () => {
    const session = await startKeychainSession('unanswered');
    try {
      await session.start('unlocked');
      const directory = join(root, 'prompt');
      const store = await openIn(session, directory);
      await store.set('a', SECRET);
      session.lock();
      const other = await openIn(session, directory, { timeoutMs: 500 });
      const startMs = performance.now();
      expect(await failure(other.get('a'))).toMatchObject(unavailable('timeout'));
      expect(performance.now() - startMs).toBeLessThan(5_000);
      await store.set('a', 'renewed');
      await other.remove('a');
    } finally {
      await session.end();
    }
  });
});
