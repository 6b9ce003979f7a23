import type { Lock } from '../../src/ports/index.js';

const LONG_MS = 5_000;
const SHORT_MS = 40;

/** What every lock must do. Waits for real, some 40 ms at a time. */
export function describeLock(name: string, setup: () => Lock | Promise<Lock>): void {
  describe(`${name}: a lock`, () => {
    let lock: Lock;
    beforeEach(async () => {
      lock = await setup();
    });

    /** Takes the lock and keeps it until told. */
    async function hold(lockName: string): Promise<() => Promise<void>> {
      let free = () => {};
      const until = new Promise<void>((done) => (free = done));
      let holder: Promise<void> = until;
      await new Promise<void>((taken) => {
        holder = lock(lockName, LONG_MS, () => (taken(), until));
      });
      return async () => {
        free();
        await holder;
      };
    }

    test('is held, and settles as the task does', async () => {
      expect(await lock('a', LONG_MS, async (held) => held)).toBe(true);
      const failure = new Error('mine');
      await expect(lock('a', LONG_MS, () => Promise.reject(failure))).rejects.toBe(failure);
    });

    test('lets one at a time', async () => {
      let inside = 0;
      let most = 0;
      const task = async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((done) => setTimeout(done, 1));
        inside -= 1;
      };
      await Promise.all(Array.from({ length: 20 }, () => lock('a', LONG_MS, task)));
      expect(most).toBe(1);
    });

    test('does not make one name wait for another', async () => {
      const free = await hold('a');
      expect(await lock('b', LONG_MS, async (held) => held)).toBe(true);
      await free();
    });

    test('runs the task all the same when the wait is over, and says so', async () => {
      const free = await hold('a');
      const startMs = performance.now();
      expect(await lock('a', SHORT_MS, async (held) => held)).toBe(false);
      expect(performance.now() - startMs).toBeLessThan(LONG_MS / 2);
      await free();
      expect(await lock('a', LONG_MS, async (held) => held)).toBe(true);
    });

    test('settles as the task does without it, too', async () => {
      const free = await hold('a');
      const failure = new Error('mine');
      expect(await lock('a', SHORT_MS, async () => 'given')).toBe('given');
      await expect(lock('a', SHORT_MS, () => Promise.reject(failure))).rejects.toBe(failure);
      await free();
    });

    test('serves all who wait, and one who asks again meanwhile', async () => {
      const free = await hold('a');
      const all = Array.from({ length: 50 }, () => lock('a', LONG_MS, async (held) => held));
      const again = lock('a', LONG_MS, () => Promise.resolve()).then(() =>
        lock('a', LONG_MS, async (held) => held),
      );
      await free();
      expect(await Promise.all([...all, again])).toEqual(Array(51).fill(true));
    });

    test('does not free the lock of another when a late task ends', async () => {
      const free = await hold('a');
      await lock('a', SHORT_MS, async () => {});
      expect(await lock('a', SHORT_MS, async (held) => held)).toBe(false);
      await free();
    });

    test('is not kept by a waiter who gave up', async () => {
      const free = await hold('a');
      const impatient = lock('a', SHORT_MS, async (held) => held);
      const patient = lock('a', LONG_MS, async (held) => held);
      expect(await impatient).toBe(false);
      await free();
      expect(await patient).toBe(true);
    });

    test.each([
      ['rejects', () => Promise.reject(new Error('mine'))],
      [
        'throws',
        () => {
          throw new Error('mine');
        },
      ],
    ])('is free after a task that %s', async (_, task) => {
      await expect(lock('a', LONG_MS, task)).rejects.toThrow('mine');
      expect(await lock('a', LONG_MS, async (held) => held)).toBe(true);
    });
  });
}
