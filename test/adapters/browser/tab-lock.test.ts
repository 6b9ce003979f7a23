import { createTabLock } from '../../../adapters/browser/tab-lock.js';
import { systemClock } from '../../../adapters/web/system-clock.js';
import { memoryStore } from '../../../src/session/memory-store.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { describeLock } from '../../support/lock-contract.js';

type Granted = (lock: { name: string } | null) => unknown;

/** As much of Web Locks as is used: one holder for each name, first come, first served. */
function createFakeLocks() {
  const queues = new Map<string, (() => Promise<void>)[]>();
  const asked: string[] = [];
  const advance = (name: string) => {
    const queue = queues.get(name) ?? [];
    void queue[0]?.().then(() => {
      queue.shift();
      advance(name);
    });
  };
  const request = (name: string, { signal }: { signal: AbortSignal }, granted: Granted) => {
    asked.push(name);
    return new Promise((resolve, reject) => {
      const queue = queues.get(name) ?? [];
      queues.set(name, queue);
      const turn = async () => {
        signal.removeEventListener('abort', leave);
        await Promise.resolve()
          .then(() => granted({ name }))
          .then(resolve, reject);
      };
      const leave = () => {
        queue.splice(queue.indexOf(turn), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave);
      queue.push(turn);
      if (queue.length === 1) advance(name);
    });
  };
  return { request, asked, waiting: () => [...queues.values()].flat().length };
}

const original = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
const replace = (value: unknown) =>
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
let locks: ReturnType<typeof createFakeLocks>;
beforeEach(() => {
  locks = createFakeLocks();
  replace({ locks });
});
afterEach(() => {
  if (original) Object.defineProperty(globalThis, 'navigator', original);
  else Reflect.deleteProperty(globalThis, 'navigator');
});

const forEver = () => new Promise<void>(() => {});
const SHARED = { place: 'indexedDb/default' };

describeLock('createTabLock', () => createTabLock(systemClock));
describeLock('createTabLock for a store of this tab alone', () =>
  createTabLock(systemClock, memoryStore()),
);

describe('createTabLock', () => {
  test('excludes other tabs, by name and place', async () => {
    const clock = createFakeClock();
    void createTabLock(clock, SHARED)('a', 1_000, forEver);
    await settle();
    const seen: string[] = [];
    const ask = (who: string, place: string, name: string) =>
      void createTabLock(clock, { place })(name, 1_000, async (held) => {
        seen.push(`${who} ${held}`);
      });
    ask('same', SHARED.place, 'a');
    ask('other name', SHARED.place, 'b');
    ask('other place', 'indexedDb/another', 'a');
    await settle();
    expect(seen).toEqual(['other name true', 'other place true']);
    await clock.advance(1_000);
    expect(seen).toEqual(['other name true', 'other place true', 'same false']);
    // No blind steal: the first still has it, and nobody waits any more.
    expect(locks.waiting()).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test('waits for the turn here and in other tabs no longer than told, both together', async () => {
    const clock = createFakeClock();
    void createTabLock(clock, SHARED)('a', 1_000, forEver);
    await settle();
    const lock = createTabLock(clock, SHARED);
    const seen: string[] = [];
    void lock('a', 600, async (held) => void seen.push(`first ${held} ${clock.monotonicMs()}`));
    void lock('a', 1_000, async (held) => void seen.push(`second ${held} ${clock.monotonicMs()}`));
    await clock.advance(2_000);
    expect(seen).toEqual(['first false 600', 'second false 1000']);
    expect(clock.pending).toBe(0);
  });

  test('a lock that is granted as the time is over is given back at once', async () => {
    const clock = createFakeClock();
    let grant: Granted = () => {};
    replace({
      locks: {
        request: (_: string, __: unknown, granted: Granted) => ((grant = granted), forEver()),
      },
    });
    const held = createTabLock(clock)('a', 1_000, async (it) => it);
    await clock.advance(1_000);
    expect(await held).toBe(false);
    expect(grant({ name: 'a' })).toBeUndefined();
  });

  test('a lock that is taken from its holder: the task goes on, and nothing is thrown', async () => {
    const clock = createFakeClock();
    const stolen = new DOMException('stolen', 'AbortError');
    let steal = () => {};
    replace({
      locks: {
        request: (name: string, _: unknown, granted: Granted) => {
          granted({ name });
          return new Promise((_resolve, reject) => (steal = () => reject(stolen)));
        },
      },
    });
    let end = () => {};
    const running = createTabLock(clock)('a', 1_000, async (held) => {
      await new Promise<void>((done) => (end = done));
      return held;
    });
    await settle();
    steal();
    await settle();
    end();
    expect(await running).toBe(true);
    expect(clock.pending).toBe(0);
  });
});

describe('case 145: Web Locks that are not there, throw, refuse or never grant', () => {
  // prettier-ignore
  const broken: readonly (readonly [string, unknown])[] = [
    ['no navigator',           undefined],
    ['no locks',               {}],
    ['locks that throw',       { locks: { request: () => { throw new DOMException('no', 'SecurityError'); } } }],
    ['a getter that throws',   { get locks() { throw new DOMException('no', 'SecurityError'); } }],
    ['locks that refuse',      { locks: { request: () => Promise.reject(new DOMException('no', 'SecurityError')) } }],
    ['locks that give nothing', { locks: { request: () => undefined } }],
    ['locks that grant none',  { locks: { request: async (_: string, __: unknown, granted: Granted) => granted(null) } }],
  ];

  test.each(broken)(
    '%s: at once, not held, and one at a time in this tab',
    async (_, navigator) => {
      replace(navigator);
      const clock = createFakeClock();
      const lock = createTabLock(clock, SHARED);
      let inside = 0;
      let most = 0;
      const task = async (held: boolean) => {
        inside += 1;
        most = Math.max(most, inside);
        await settle();
        inside -= 1;
        return held;
      };
      expect(await Promise.all([1, 2, 3].map(() => lock('a', 1_000, task)))).toEqual(
        Array(3).fill(false),
      );
      expect(most).toBe(1);
      expect(clock.monotonicMs()).toBe(0);
      expect(clock.pending).toBe(0);
      const failure = new Error('mine');
      await expect(lock('a', 1_000, () => Promise.reject(failure))).rejects.toBe(failure);
    },
  );

  test('never granted: runs when the time is over, and asks for nothing any more', async () => {
    let signal: AbortSignal | undefined;
    replace({
      locks: {
        request: (_: string, options: { signal: AbortSignal }) => (
          (signal = options.signal),
          forEver()
        ),
      },
    });
    const clock = createFakeClock();
    const held = createTabLock(clock, SHARED)('a', 45_000, async (it) => it);
    await clock.advance(44_999);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    expect(await held).toBe(false);
    expect(signal?.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test.each(broken)(
    '%s: a store of this tab alone has its lock all the same',
    async (_, navigator) => {
      replace(navigator);
      const clock = createFakeClock();
      const store = memoryStore();
      // Two hosts that have the store have its lock.
      let free = () => {};
      const first = createTabLock(clock, store)('a', 1_000, async (held) => {
        await new Promise<void>((done) => (free = done));
        return held;
      });
      let isSecondIn = false;
      const second = createTabLock(clock, store)('a', 1_000, async (held) => {
        isSecondIn = true;
        return held;
      });
      const other = createTabLock(clock, memoryStore())('a', 1_000, async (held) => held);
      expect(await other).toBe(true);
      await settle();
      expect(isSecondIn).toBe(false);
      free();
      expect(await Promise.all([first, second])).toEqual([true, true]);
      expect(clock.pending).toBe(0);
    },
  );
});
