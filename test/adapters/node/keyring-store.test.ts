import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { inspect } from 'node:util';
import { defaultDirectory, defaultDirectoryOn } from '../../../adapters/node/default-directory.js';
import { fileStore } from '../../../adapters/node/file-store.js';
import { createNodeHost } from '../../../adapters/node/index.js';
import { createKeyringStore, keyringStore } from '../../../adapters/node/keyring-store.js';
import { createLocalLock } from '../../../adapters/web/local-lock.js';
import { systemClock as clock } from '../../../adapters/web/system-clock.js';
import { MortiseError } from '../../../src/errors.js';
import type { Lock } from '../../../src/ports/index.js';
import { createSession } from '../../../src/session/create-session.js';
import { createFakeClock } from '../../support/fake-clock.js';
import { createFakeHost } from '../../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../../support/fake-server.js';
import { describeKeyValueStore } from '../../support/key-value-store-contract.js';
import { createFakeKeychain, type Mood } from '../../support/keyring-fake.js';
import { buildStoreProgram } from '../../support/keyring-process.js';

const KEY = 'mortise/1/key';
const SECRET = 'refresh-token-of-nobody-0123456789';
const TIMEOUT_MS = 40;

let root: string;
let directory: string;
let fake: ReturnType<typeof createFakeKeychain>;
beforeEach(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'mortise-'));
  directory = join(root, 'acme-scan');
  fake = createFakeKeychain();
});
afterEach(() => fs.rm(root, { recursive: true, force: true }));

/** As another process has it: only the folder and the keychain are shared. */
const openStore = (lock: Lock = createLocalLock(clock), itsClock = clock) =>
  createKeyringStore({
    service: 'acme-scan',
    directory,
    keychain: fake.keychain,
    lock,
    clock: itsClock,
    timeoutMs: TIMEOUT_MS,
  });

const files = async () => (await fs.readdir(directory).catch(() => [])).sort();
const onlyFile = async () => join(directory, (await files())[0] ?? '');
const everything = async () =>
  Promise.all((await files()).map((name) => fs.readFile(join(directory, name), 'utf8')));
const modeOf = async (path: string) => ((await fs.lstat(path)).mode & 0o777).toString(8);
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it did not fail',
    (error: unknown) => error,
  );
const unavailable = (problem: string, more = {}) => ({
  code: 'store_unavailable',
  message: `store unavailable: ${problem}`,
  details: { problem },
  ...more,
});

describeKeyValueStore(
  'keyringStore over a keychain in memory',
  () => openStore(),
  () => openStore(),
);

describe('keyringStore: what rests where', () => {
  test('case 192: the keychain holds 44 characters, whatever the size of the record', async () => {
    const store = openStore();
    await store.set('a', SECRET.repeat(2_000));
    expect([...fake.secrets.keys()]).toEqual([KEY]);
    expect(fake.secrets.get(KEY)).toMatch(/^[\w+/]{43}=$/);
    expect(await openStore().get('a')).toBe(SECRET.repeat(2_000));
  });

  test('the file holds nothing of the record, in no usual encoding, and no save is like another', async () => {
    const store = openStore();
    await store.set('a', SECRET);
    const [once = ''] = await everything();
    await store.set('a', SECRET);
    const [twice = ''] = await everything();
    expect(twice).not.toBe(once);
    expect(twice.length).toBe(once.length);
    const bytes = Buffer.from(once.split(':').at(-1) ?? '', 'base64url');
    for (const text of [once, bytes.toString('latin1'), bytes.toString('base64')]) {
      for (const part of [SECRET, SECRET.slice(0, 8), fake.secrets.get(KEY) ?? '']) {
        for (const form of ['utf8', 'hex', 'base64', 'utf16le'] as const) {
          expect(text).not.toContain(Buffer.from(part).toString(form));
        }
      }
    }
  });

  test('case 183: file 0600 and folder 0700 under umask 000', async () => {
    const before = process.umask(0);
    try {
      await openStore().set('a', SECRET);
    } finally {
      process.umask(before);
    }
    expect(await modeOf(await onlyFile())).toBe('600');
    expect(await modeOf(directory)).toBe('700');
  });

  test('shares a folder with plain records and touches none', async () => {
    const plain = fileStore({ directory });
    await plain.set('a', 'plain');
    const store = openStore();
    expect(await store.get('a')).toBeNull();
    await store.set('a', SECRET);
    expect(await plain.get('a')).toBe('plain');
    await store.remove('a');
    expect(await plain.get('a')).toBe('plain');
    expect({ name: store.name, place: store.place }).toEqual({
      name: 'keyring',
      place: plain.place,
    });
  });

  test('refuses what it could not give back', async () => {
    const store = openStore();
    await store.set('a', 'one');
    for (const value of ['\ud800', 'x'.repeat(1024 * 1024)]) {
      expect(await failure(store.set('a', value))).toMatchObject({ code: 'store_unavailable' });
    }
    expect(await store.get('a')).toBe('one');
  });
});

describe('keyringStore: when the keychain is asked', () => {
  test('not for what was never stored, nor for removing', async () => {
    const store = openStore();
    expect(await store.get('a')).toBeNull();
    await store.remove('a');
    expect(fake.calls).toEqual([]);
    expect(await fs.readdir(root)).toEqual([]);
  });

  test('once in a process', async () => {
    await openStore().set('a', 'one');
    await openStore().set('b', 'two');
    fake.calls.length = 0;
    const store = openStore();
    expect(await Promise.all([store.get('a'), store.get('b')])).toEqual(['one', 'two']);
    await store.set('a', 'three');
    expect(fake.calls).toEqual([`get ${KEY}`]);
  });

  test('a first save makes the key and leaves nothing else', async () => {
    await openStore().set('a', 'one');
    expect(fake.calls.length).toBe(6);
    expect([...fake.secrets.keys()]).toEqual([KEY]);
  });
});

// prettier-ignore
const MOODS: readonly (readonly [name: string, mood: Mood, problem: string])[] = [
  ['locked, and shows nothing',  'locked',                                                            'locked'],
  ['locked, and says so',        { says: "Couldn't access platform storage: prompt was dismissed" },  'locked'],
  ['never answering a prompt',   'silent',                                                            'timeout'],
  ['hung',                       { says: 'Platform failure: DBus error: Did not receive a reply' },   'timeout'],
  ['gone',                       { says: 'Platform failure: DBus error: The connection is closed' },  'absent'],
  ['refusing this program',      { says: 'Platform failure: not allowed' },                           'refused'],
  ['failing without words',      { says: '' },                                                        'refused'],
];

describe.each(MOODS)('case 190, a keychain %s', (_, mood, problem) => {
  test('keeps the record and says what to do', async () => {
    await openStore().set('a', SECRET);
    const before = await everything();
    fake.mood = mood;
    const store = openStore();
    const errors = [
      await failure(store.get('a')),
      await failure(store.set('a', 'other')),
      await failure(store.set('b', 'other')),
    ];
    for (const error of errors) {
      expect(error).toMatchObject(unavailable(problem, { hint: expect.stringMatching(/\w+\.$/) }));
      expect(error).not.toHaveProperty('cause');
      const shown = inspect(error, { depth: Infinity, showHidden: true });
      for (const secret of [SECRET, ...fake.secrets.values()]) expect(shown).not.toContain(secret);
    }
    expect(await everything()).toEqual(before);
    fake.mood = 'open';
    if (mood !== 'silent') expect(await store.get('a')).toBe(SECRET);
    expect(await openStore().get('a')).toBe(SECRET);
  });

  test('does not stop a sign-out', async () => {
    await openStore().set('a', SECRET);
    fake.mood = mood;
    await openStore().remove('a');
    expect(await files()).toEqual([]);
  });

  test('case 125: does not stop the saves of who has the key already', async () => {
    const store = openStore();
    await store.set('a', 'one');
    fake.mood = mood;
    await store.set('a', 'renewed');
    fake.mood = 'open';
    expect(await openStore().get('a')).toBe('renewed');
  });
});

describe('keyringStore: a keychain that is slow', () => {
  test('case 190: holds one thread, however often it is asked, and its late answer counts', async () => {
    await openStore().set('a', SECRET);
    const store = openStore();
    fake.calls.length = 0;
    const { get } = fake.keychain;
    let answer = () => {};
    const answered = new Promise<void>((done) => (answer = done));
    const asked = jest.fn(async (account: string, signal: AbortSignal) => {
      await answered;
      return get(account, signal);
    });
    Object.assign(fake.keychain, { get: asked });
    for (let i = 0; i < 3; i += 1) {
      const startMs = performance.now();
      expect(await failure(store.get('a'))).toMatchObject(unavailable('timeout'));
      expect(performance.now() - startMs).toBeLessThan(5_000);
    }
    expect(asked).toHaveBeenCalledTimes(1);
    expect(asked.mock.calls[0]?.[1].aborted).toBe(true);
    answer();
    expect(await store.get('a')).toBe(SECRET);
    // Nobody waits any more for those that were given up meanwhile.
    expect(fake.calls.length).toBeLessThanOrEqual(2);
  });
});

describe('keyringStore: keys', () => {
  test('a keychain that shows nothing until it is opened does not get a second key', async () => {
    await openStore().set('a', SECRET);
    const key = fake.secrets.get(KEY);
    fake.mood = 'hidden';
    await openStore().set('b', 'two');
    expect(fake.secrets.get(KEY)).toBe(key);
    fake.mood = 'hidden';
    expect(await openStore().get('a')).toBe(SECRET);
    expect([...fake.secrets.keys()]).toEqual([KEY]);
  });

  // prettier-ignore
  test.each([
    ['gone',                  null],
    ['another',               Buffer.alloc(32, 7).toString('base64')],
    ['empty',                 ''],
    ['too short',             Buffer.alloc(31, 7).toString('base64')],
    ['something else',        'written by another program'],
  ])('case 190: a key that is %s is no damage; the record stays, and a save heals', async (_, found) => {
    await openStore().set('a', SECRET);
    const before = await everything();
    if (found === null) fake.secrets.clear();
    else fake.secrets.set(KEY, found);
    const store = openStore();
    for (let i = 0; i < 2; i += 1) {
      expect(await failure(store.get('a'))).toMatchObject(
        unavailable('reset', { retryable: false, hint: expect.stringContaining('sign in again') }),
      );
    }
    expect(await everything()).toEqual(before);
    await store.set('a', 'new');
    expect(await store.get('a')).toBe('new');
    expect(await openStore().get('a')).toBe('new');
    expect(await files()).toHaveLength(1);
  });

  test('a key that another process has replaced is asked for again', async () => {
    const store = openStore();
    await store.set('a', 'one');
    fake.secrets.clear();
    await openStore().set('b', 'two');
    expect(await store.get('b')).toBe('two');
    await store.set('a', 'again');
    expect(await openStore().get('a')).toBe('again');
  });

  test('two first saves at once end with one key', async () => {
    const lock = createLocalLock(clock);
    const [one, two] = [openStore(lock), openStore(lock)];
    await Promise.all([one.set('a', 'one'), two.set('b', 'two')]);
    expect(fake.calls.filter((call) => call === `set ${KEY}`)).toHaveLength(1);
    const third = openStore();
    expect([await third.get('a'), await third.get('b')]).toEqual(['one', 'two']);
  });

  test('while somebody is still being asked by the keychain, there is no second key', async () => {
    const slow = createFakeClock();
    const busy: Lock = async (_name, timeoutMs, task) => {
      // The timers of Node are a little early.
      await slow.advance(timeoutMs - 1);
      return task(false);
    };
    expect(await failure(openStore(busy, slow).set('a', SECRET))).toMatchObject(
      unavailable('timeout'),
    );
    expect(fake.calls.filter((call) => call.startsWith('set '))).toEqual([]);
    await openStore().set('a', 'one');
  });

  test('without a lock the key that is read back is the key', async () => {
    const foreign = Buffer.alloc(32, 9).toString('base64');
    let isSet = false;
    fake.before = (call) => {
      if (isSet && call === `get ${KEY}`) fake.secrets.set(KEY, foreign);
      if (call === `set ${KEY}`) isSet = true;
    };
    await openStore((_name, _timeoutMs, task) => task(false)).set('a', 'one');
    expect(fake.secrets.get(KEY)).toBe(foreign);
    expect(await openStore().get('a')).toBe('one');
  });

  test('a keychain that forgets at once is not saved to', async () => {
    fake.before = (call) => {
      if (call === `get ${KEY}`) fake.secrets.clear();
    };
    expect(await failure(openStore().set('a', SECRET))).toMatchObject(unavailable('refused'));
    expect(await files()).toEqual([]);
  });
});

describe('keyringStore: damage', () => {
  const flip = (part: number) => (text: string) => {
    const parts = text.split(':');
    const bytes = Buffer.from(parts[part] ?? '', 'base64url');
    bytes.writeUInt8(bytes.readUInt8(3) ^ 1, 3);
    parts[part] = bytes.toString('base64url');
    return parts.join(':');
  };
  // prettier-ignore
  test.each([
    ['a flipped bit',             flip(3)],
    ['a flipped bit, the nonce',  flip(2)],
    ['its end cut off',           (text: string) => text.slice(0, -4)],
    ['something after it',        (text: string) => `${text}AAAA`],
    ['no tag',                    (text: string) => text.replace(/:[^:]*$/, ':AAAA')],
    ['nothing',                   () => ''],
    ['another format',            (text: string) => text.replace('sealed-1', 'sealed-9')],
    ['what is not sealed',        () => SECRET],
    ['bytes of no text',          () => Buffer.from([0xff, 0xfe, 0xfd])],
  ])('case 187: %s is told once and set aside', async (_, damage) => {
    const store = openStore();
    await store.set('a', SECRET);
    const file = await onlyFile();
    await fs.writeFile(file, damage(await fs.readFile(file, 'utf8')));
    expect(await failure(store.get('a'))).toMatchObject({ code: 'store_damaged', details: {} });
    expect(await files()).toHaveLength(1);
    expect(await files()).not.toContain(basename(file));
    expect(await store.get('a')).toBeNull();
    await store.set('a', 'again');
    expect(await store.get('a')).toBe('again');
    await store.remove('a');
    expect(await files()).toEqual([]);
  });

  test('a record in the place of another is damage', async () => {
    const store = openStore();
    await store.set('a', 'of a');
    const ofA = await onlyFile();
    await store.set('b', 'of b');
    const ofB = join(directory, (await files()).find((name) => name !== basename(ofA)) ?? '');
    await fs.copyFile(ofB, ofA);
    expect(await failure(store.get('a'))).toMatchObject({ code: 'store_damaged' });
    expect(await store.get('b')).toBe('of b');
  });

  test('an older record of the same key is none: that is for the session to see', async () => {
    const store = openStore();
    await store.set('a', 'old');
    const old = await fs.readFile(await onlyFile());
    await store.set('a', 'new');
    await fs.writeFile(await onlyFile(), old);
    expect(await store.get('a')).toBe('old');
  });
});

describe('keyringStore: without its package', () => {
  test('case 190: says what to install, removes all the same, and writes nothing', async () => {
    const program = await buildStoreProgram(root);
    try {
      const store = await program.start();
      await store.open('keyring', { service: 'acme-scan', directory });
      expect(await store.get('a')).toBeNull();
      expect(await failure(store.set('a', SECRET))).toMatchObject(
        unavailable('absent', {
          hint: expect.stringContaining('Install the package @napi-rs/keyring'),
          retryable: false,
        }),
      );
      await store.remove('a');
      expect(await files()).toEqual([]);
    } finally {
      await program.remove();
    }
  });
});

describe('a session over a store that fails', () => {
  const told = async (thrown: unknown) => {
    const store = { ...openStore(), get: () => Promise.reject(thrown) };
    const host = createFakeHost({ http: createFakeServer().http, store });
    const session = createSession({ host, provider: fakeProvider() });
    const errors: unknown[] = [];
    session.onChange(({ error }) => error && errors.push(error));
    await session.restore().catch(() => {});
    return errors[0];
  };
  const hint = 'Unlock it.';

  test.each(['absent', 'locked', 'timeout', 'refused', 'reset', 'unwritable', 'full'] as const)(
    'case 190: tells the problem %s, its hint, and whether it may pass by itself',
    async (problem) => {
      for (const retryable of [true, false]) {
        const thrown = new MortiseError('store_unavailable', { problem }, { hint, retryable });
        expect(await told(thrown)).toMatchObject(unavailable(problem, { hint, retryable }));
      }
    },
  );

  const likeOurs = (more: object) => ({ name: 'MortiseError', code: 'store_unavailable', ...more });
  // prettier-ignore
  test.each([
    ['a problem nobody knows',  likeOurs({ details: { problem: SECRET } })],
    ['a problem that is more',  likeOurs({ details: { problem: { toString: () => SECRET } } })],
    ['no details',              likeOurs({})],
    ['details beside it',       likeOurs({ details: { secret: SECRET } })],
    ['words of its own',        new Error(SECRET)],
    ['nothing',                 undefined],
  ])('does not pass on %s', async (_, thrown) => {
    const error = await told(thrown);
    expect(error).toMatchObject({ code: 'store_unavailable', details: {} });
    expect(error).toHaveProperty('details', {});
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(SECRET);
  });
});

describe('createNodeHost', () => {
  const ofFile = () => fileStore({ directory });
  const ofKeyring = () => keyringStore({ service: 'acme-scan', directory });

  test('takes one store as it is', () => {
    const store = ofFile();
    expect(createNodeHost({ store }).store).toBe(store);
    expect(createNodeHost({ store: [store] }).store).toBe(store);
  });

  test('takes the first that works of a list, and asks none before it is used', async () => {
    const { store } = createNodeHost({ store: [ofKeyring(), ofFile()] });
    expect(store.place).toBe(`${ofFile().place}\n${ofFile().place}`);
    expect(store.name).toBe('');
    expect(await fs.readdir(root)).toEqual([]);
  });

  test.each([[undefined], [[]], [[undefined]], ['keyring']])('refuses %j', (store) => {
    expect(() => createNodeHost({ store } as never)).toThrow(
      expect.objectContaining({ code: 'configuration_error' }),
    );
  });
});

describe('case 196: the folder', () => {
  const on = (platform: NodeJS.Platform, env: Record<string, string>, home = '/home/ann') =>
    defaultDirectoryOn({ platform, env, home: () => home }, 'acme-scan');

  // prettier-ignore
  test.each([
    ['Windows',              on('win32', { LOCALAPPDATA: 'D:\\Local', APPDATA: 'D:\\Roaming' }), 'D:\\Local\\acme-scan'],
    ['Windows, no variable', on('win32', {}, 'C:\\Users\\Ann'),                  'C:\\Users\\Ann\\AppData\\Local\\acme-scan'],
    ['macOS',                on('darwin', { XDG_STATE_HOME: '/elsewhere' }),     '/home/ann/Library/Application Support/acme-scan'],
    ['Linux',                on('linux', {}),                                    '/home/ann/.local/state/acme-scan'],
    ['Linux, as set',        on('linux', { XDG_STATE_HOME: '/state' }),          '/state/acme-scan'],
    ['Linux, relative',      on('linux', { XDG_STATE_HOME: 'state' }),           '/home/ann/.local/state/acme-scan'],
    ['FreeBSD',              on('freebsd', {}),                                  '/home/ann/.local/state/acme-scan'],
  ])('on %s is per user and does not roam', (_, found, expected) => {
    expect(found).toBe(expected);
  });

  test('is that of the store, when none is named', () => {
    expect(keyringStore({ service: 'acme-scan' }).place).toBe(
      fileStore({ directory: defaultDirectory('acme-scan') }).place,
    );
  });

  test.each([
    '',
    '.',
    '..',
    'a/b',
    'a\\b',
    '.a',
    'a.',
    'a..b',
    ' a',
    'a ',
    'a  b',
    'a:b',
    'a\0',
    'a\n',
    'ż',
    'CON',
    'nul.txt',
    'com1',
    'a'.repeat(65),
    '-a',
    '%TEMP%',
    '$HOME',
    '~',
    null,
    undefined,
    7,
  ])('is not made of %j', (service) => {
    for (const make of [
      () => defaultDirectory(service as string),
      () => keyringStore({ service: service as string, directory }),
    ]) {
      expect(make).toThrow(expect.objectContaining({ code: 'configuration_error' }));
    }
  });

  test.each(['acme-scan', 'com.acme.scan', 'Acme Scan 2', 'a', 'console', 'a_b'])(
    'may be made of %j',
    (service) => {
      expect(basename(defaultDirectory(service))).toBe(service);
    },
  );

  test.each([
    [
      'throws',
      () => {
        throw new Error('no such user');
      },
    ],
    ['is empty', () => ''],
  ])('where the home %s, the author has to name one', (_, home) => {
    expect(() => defaultDirectoryOn({ platform: 'linux', env: {}, home }, 'a')).toThrow(
      expect.objectContaining({ code: 'configuration_error' }),
    );
  });
});
