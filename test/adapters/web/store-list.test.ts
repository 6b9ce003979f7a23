import { inspect } from 'node:util';
import { createLocalLock } from '../../../adapters/web/local-lock.js';
import { firstUsable } from '../../../adapters/web/store-list.js';
import { systemClock as clock } from '../../../adapters/web/system-clock.js';
import { MortiseError } from '../../../src/errors.js';
import type { KeyValueStore } from '../../../src/ports/index.js';
import { memoryStore } from '../../../src/session/memory-store.js';
import { describeKeyValueStore } from '../../support/key-value-store-contract.js';

const SECRET = 'refresh-token-of-nobody-0123456789';
const TIMEOUT_MS = 40;

const locked = () =>
  new MortiseError('store_unavailable', { problem: 'locked' }, { hint: 'Unlock it.' });
const foreign = () => new Error(`cannot keep ${SECRET}`);
const never = () => new Promise<never>(() => {});

type Fault = () => unknown;

/** A store that outlives the processes of a test, can be broken, and can be looked into. */
function disk(name: string, values = new Map<string, string>()) {
  const faults: { get?: Fault; set?: Fault; remove?: Fault } = {};
  const calls: string[] = [];
  const run = async <T>(operation: keyof typeof faults, key: string, task: () => T): Promise<T> => {
    calls.push(`${operation} ${key}`);
    await null;
    const fault = faults[operation];
    if (fault) await Promise.reject(await fault());
    return task();
  };
  const store: KeyValueStore = {
    name,
    place: `/${name}`,
    get: (key) => run('get', key, () => values.get(key) ?? null),
    set: (key, value) => run('set', key, () => void values.set(key, value)),
    remove: (key) => run('remove', key, () => void values.delete(key)),
  };
  return {
    store,
    values,
    calls,
    /** Everything fails from now on, or nothing does. */
    fail(
      fault: Fault | null,
      operations: readonly (keyof typeof faults)[] = ['get', 'set', 'remove'],
    ) {
      for (const operation of operations) {
        if (fault) faults[operation] = fault;
        else delete faults[operation];
      }
    },
    /** The keys of sessions, without what the list keeps for itself. */
    get keys() {
      return [...values.keys()].filter((key) => !key.startsWith('mortise/1-'));
    },
  };
}

let keyring: ReturnType<typeof disk>;
let file: ReturnType<typeof disk>;
beforeEach(() => {
  keyring = disk('keyring');
  file = disk('file');
});

/** The list as a newly started process has it. */
const start = (stores: readonly KeyValueStore[] = [keyring.store, file.store]) =>
  firstUsable(stores, { timeoutMs: TIMEOUT_MS });

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it did not fail',
    (error: unknown) => error,
  );

describe.each([
  ['the first', () => [memoryStore(), memoryStore()]],
  [
    'the second, for the first is broken',
    () => {
      const broken = disk('broken');
      broken.fail(locked);
      return [broken.store, memoryStore()];
    },
  ],
  [
    'the second, for the first is silent',
    () => {
      const silent = disk('silent');
      silent.fail(never);
      return [silent.store, memoryStore()];
    },
  ],
])('%s of a list', (_, stores) => {
  describeKeyValueStore('firstUsable', () => start(stores()));
});

describe('a list of stores', () => {
  test.each([
    ['nothing', []],
    ['no store', [undefined]],
    ['a store and none', [memoryStore(), null]],
  ])('of %s is refused', (_, stores) => {
    expect(() => firstUsable(stores as KeyValueStore[])).toThrow(
      expect.objectContaining({ code: 'configuration_error' }),
    );
  });

  test('of one is that one', () => {
    expect(start([file.store])).toBe(file.store);
  });

  test('has the name of the one in use, once there is one', async () => {
    const store = start();
    expect(store.name).toBe('');
    await store.set('a', 'one');
    expect(store.name).toBe('keyring');
    expect(file.keys).toEqual([]);
  });

  // prettier-ignore
  test.each([
    ['two places',           ['/a', '/b'],       '/a\n/b'],
    ['one of them private',  [null, '/b'],       '/b'],
    ['both private',         [null, null],       null],
    ['one unknown',          ['/a', undefined],  undefined],
  ])('with %s has one place from the start', async (_, places, expected) => {
    const stores = places.map((place) => ({
      ...memoryStore(),
      ...(place === undefined ? { place: undefined as never } : { place }),
    }));
    const store = start(stores);
    expect(store.place).toBe(expected);
    await store.set('a', 'one');
    expect(store.place).toBe(expected);
  });

  test('asks nobody to unlock anything while nothing was ever stored', async () => {
    expect(await start().get('a')).toBeNull();
    expect([...keyring.calls, ...file.calls]).toEqual(['get a', 'get a']);
    await start().remove('a');
    expect(keyring.calls.filter((call) => call.startsWith('set'))).toEqual([]);
  });

  test('tells of damage, which a store tells only once, before there is a choice', async () => {
    let times = 0;
    keyring.fail(() => {
      if (times === 0) keyring.fail(null);
      times += 1;
      return new MortiseError('store_damaged', {});
    });
    const store = start();
    expect(await failure(store.get('a'))).toMatchObject({ code: 'store_damaged' });
    expect(await store.get('a')).toBeNull();
  });

  test('does not try out what has just given a value', async () => {
    keyring.values.set('a', 'one');
    const store = start();
    expect(await store.get('a')).toBe('one');
    expect(store.name).toBe('keyring');
    expect(keyring.calls).toEqual(['get a']);
  });

  test('tries a store by writing, reading and removing, and leaves nothing there', async () => {
    const store = start();
    await Promise.all([store.set('a', 'one'), store.set('b', 'two'), store.get('c')]);
    const tried = keyring.calls.filter((call) => call.includes('trial'));
    expect(tried.map((call) => call.split(' ')[0])).toEqual(['set', 'get', 'remove']);
    expect([...keyring.values.keys()]).toEqual(['a', 'b']);
  });

  // prettier-ignore
  test.each([
    ['cannot be written',           () => keyring.fail(locked, ['set'])],
    ['cannot be read',              () => keyring.fail(locked, ['get'])],
    ['cannot be cleaned up',        () => keyring.fail(locked, ['remove'])],
    ['never answers',               () => keyring.fail(never)],
    ['throws at once',              () => Object.assign(keyring.store, { set: () => { throw foreign(); } })],
    ['does not keep what it takes', () => Object.assign(keyring.store, { set: async () => {} })],
  ])('case 190: falls back as listed from one that %s', async (_, spoil) => {
    spoil();
    const store = start();
    await store.set('a', 'one');
    expect(store.name).toBe('file');
    expect(await store.get('a')).toBe('one');
    expect(file.values.get('a')).toBe('one');
  });

  test('stays with its choice until the process ends', async () => {
    keyring.fail(locked);
    const store = start();
    await store.set('a', 'one');
    keyring.fail(null);
    await store.set('b', 'two');
    expect([keyring.keys, file.keys]).toEqual([[], ['a', 'b']]);
    file.fail(locked);
    expect(await failure(store.get('a'))).toMatchObject({ code: 'store_unavailable' });
    expect(store.name).toBe('file');
  });

  test('where none works says why the first does not, tells no secret, and tries again', async () => {
    keyring.fail(locked);
    file.fail(foreign);
    const store = start();
    const error = await failure(store.set('a', SECRET));
    expect(error).toMatchObject({ details: { problem: 'locked' }, hint: 'Unlock it.' });
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(SECRET);
    file.fail(null);
    await store.set('a', 'one');
    expect(store.name).toBe('file');
  });

  test('does not pass on what a broken store has to say', async () => {
    keyring.fail(foreign);
    file.fail(foreign);
    const error = await failure(start().set('a', SECRET));
    expect(error).toMatchObject({ code: 'store_unavailable', details: {} });
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(SECRET);
  });

  test('of three goes down one by one', async () => {
    const third = disk('third');
    keyring.fail(locked);
    file.fail(never);
    const store = start([keyring.store, file.store, third.store]);
    await store.set('a', 'one');
    expect([store.name, third.keys]).toEqual(['third', ['a']]);
  });
});

describe('case 190: a store that was in use', () => {
  test.each([
    ['is locked', locked, 'locked'],
    ['never answers', never, 'timeout'],
  ])('is not left for a weaker one when it %s', async (_, fault, problem) => {
    await start().set('a', SECRET);
    keyring.fail(fault);
    const store = start();
    for (const call of [store.get('a'), store.set('a', 'x'), store.get('b'), store.set('b', 'x')]) {
      expect(await failure(call)).toMatchObject({
        code: 'store_unavailable',
        details: { problem },
        hint: expect.stringContaining('Sessions were kept in: keyring.'),
      });
    }
    expect(file.keys).toEqual([]);
    expect(store.name).toBe('');
    keyring.fail(null);
    expect(await store.get('a')).toBe(SECRET);
    expect(store.name).toBe('keyring');
  });

  test('is not left after a sign-out either', async () => {
    const before = start();
    await before.set('a', SECRET);
    await before.remove('a');
    keyring.fail(locked);
    expect(await failure(start().set('a', SECRET))).toMatchObject({
      details: { problem: 'locked' },
    });
  });

  test('is not left by a list of three for the third', async () => {
    const third = disk('third');
    const stores = [keyring.store, file.store, third.store];
    await start(stores).set('a', SECRET);
    keyring.fail(locked);
    file.fail(locked);
    expect(await failure(start(stores).set('a', 'x'))).toMatchObject({
      hint: expect.stringContaining('keyring'),
    });
    expect(third.keys).toEqual([]);
  });

  test('is left when the author takes it off the list, or names another', async () => {
    await start().set('a', SECRET);
    await start([file.store]).set('a', 'x');
    const other = disk('keyring');
    Object.assign(other.store, { place: '/another' });
    other.fail(locked);
    const store = start([other.store, file.store]);
    await store.set('b', 'x');
    expect(store.name).toBe('file');
  });

  test('leaves a mark that tells no secret, once', async () => {
    await start().set('a', SECRET);
    const marks = [...file.values];
    expect(marks).toHaveLength(1);
    expect(inspect(marks)).not.toContain(SECRET);
    file.calls.length = 0;
    await start().set('a', SECRET);
    expect(file.calls.filter((call) => call.startsWith('set'))).toEqual([]);
    expect(keyring.keys).toEqual(['a']);
  });

  test('that cannot leave its mark is used all the same', async () => {
    file.fail(never);
    const store = start();
    await store.set('a', 'one');
    expect(await store.get('a')).toBe('one');
    expect(store.name).toBe('keyring');
  });
});

describe('a better store that is listed in front later', () => {
  beforeEach(() => start([file.store]).set('a', SECRET));

  test('gets the account, and the other one has it no more', async () => {
    const store = start();
    expect(await store.get('a')).toBe(SECRET);
    expect([...keyring.values]).toEqual([['a', SECRET]]);
    expect(file.keys).toEqual([]);
    keyring.fail(locked);
    expect(await failure(start().get('a'))).toMatchObject({ details: { problem: 'locked' } });
  });

  test('that does not work leaves it where it is', async () => {
    keyring.fail(locked);
    expect(await start().get('a')).toBe(SECRET);
    expect(file.keys).toEqual(['a']);
  });

  // prettier-ignore
  test.each([
    ['fails while it is moved',            () => keyring.fail(locked, ['set'])],
    ['takes it and does not give it back', () => Object.assign(keyring.store, { set: async () => {} })],
  ])('that %s loses nothing', async (_, spoil) => {
    const store = start();
    await store.set('b', 'in use');
    spoil();
    expect(await store.get('a')).toBe(SECRET);
    expect(file.keys).toEqual(['a']);
  });

  test('has the account once when many ask at once', async () => {
    const lock = createLocalLock(clock);
    const options = { timeoutMs: TIMEOUT_MS, createLock: () => lock };
    const stores = Array.from({ length: 5 }, () =>
      firstUsable([keyring.store, file.store], options),
    );
    const found = await Promise.all(stores.map((store) => store.get('a')));
    expect(found).toEqual(Array(5).fill(SECRET));
    expect(keyring.calls.filter((call) => call === 'set a')).toHaveLength(1);
  });

  test('is not overwritten with an older record while it is saved to', async () => {
    const lock = createLocalLock(clock);
    const options = { timeoutMs: TIMEOUT_MS, createLock: () => lock };
    const [one, two] = [0, 1].map(() => firstUsable([keyring.store, file.store], options));
    await Promise.all([one?.get('a'), two?.set('a', 'renewed')]);
    expect(keyring.values.get('a')).toBe('renewed');
    expect(file.keys).toEqual([]);
  });

  test('is signed in to anew, and nothing old is left in the other', async () => {
    const store = start();
    await store.set('a', 'new');
    await new Promise((done) => setTimeout(done));
    expect(file.keys).toEqual([]);
    await store.remove('a');
    expect(await start().get('a')).toBeNull();
  });

  test('is told of damage in the other as of its own', async () => {
    file.fail(() => new MortiseError('store_damaged', {}), ['get']);
    expect(await failure(start().get('a'))).toMatchObject({ code: 'store_damaged' });
  });
});

describe('signing out of a list', () => {
  test('removes everywhere, without choosing', async () => {
    keyring.values.set('a', 'one');
    file.values.set('a', 'older');
    const store = start();
    await store.remove('a');
    expect([keyring.keys, file.keys, store.name]).toEqual([[], [], '']);
  });

  test('is possible while the store in use can only remove', async () => {
    await start().set('a', SECRET);
    keyring.fail(locked, ['get', 'set']);
    await start().remove('a');
    expect(keyring.keys).toEqual([]);
  });

  test('is possible while one that was never in use cannot do anything', async () => {
    keyring.fail(never);
    const before = start();
    await before.set('a', SECRET);
    await before.remove('a');
    await start().remove('a');
    expect(file.keys).toEqual([]);
  });

  test('that a locked store in use refuses is told, and is done elsewhere', async () => {
    await start().set('a', SECRET);
    file.values.set('a', 'older');
    keyring.fail(locked);
    expect(await failure(start().remove('a'))).toMatchObject({ details: { problem: 'locked' } });
    expect(file.keys).toEqual([]);
  });

  test('that the store in use refuses is told', async () => {
    const store = start();
    await store.set('a', SECRET);
    keyring.fail(locked);
    expect(await failure(store.remove('a'))).toMatchObject({ details: { problem: 'locked' } });
    keyring.fail(null);
    expect(await store.get('a')).toBe(SECRET);
  });

  test('is not done while a record can still be read somewhere', async () => {
    const store = start();
    await store.set('a', 'one');
    file.values.set('a', 'older');
    file.fail(locked, ['remove']);
    expect(await failure(store.remove('a'))).toMatchObject({ code: 'store_unavailable' });
    expect(keyring.keys).toEqual([]);
  });

  test('that fails on a record that is not there is done', async () => {
    const store = start();
    await store.set('a', 'one');
    file.fail(locked, ['remove']);
    await store.remove('a');
    expect(keyring.keys).toEqual([]);
  });
});

describe('watching a list', () => {
  test('tells of every store, chosen or not, and asks none of them anything', () => {
    const stores = [memoryStore(), { ...memoryStore(), watch: undefined as never }, memoryStore()];
    const changed = jest.fn();
    const end = start(stores).watch?.('a', changed);
    void stores[0]?.set('a', 'one');
    void stores[2]?.set('a', 'one');
    expect(changed).toHaveBeenCalledTimes(2);
    end?.();
    end?.();
    void stores[2]?.set('a', 'two');
    expect(changed).toHaveBeenCalledTimes(2);
  });
});
