import { createLocalLock } from '../../../adapters/web/local-lock.js';
import { systemClock } from '../../../adapters/web/system-clock.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { describeLock } from '../../support/lock-contract.js';

describeLock('createLocalLock', () => createLocalLock(systemClock));

describe('createLocalLock', () => {
  test('serves first who came first, and leaves no timer', async () => {
    const clock = createFakeClock();
    const lock = createLocalLock(clock);
    const order: number[] = [];
    const tasks = [1, 2, 3, 4].map((n) => lock('a', 1_000, async () => void order.push(n)));
    await Promise.all(tasks);
    expect(order).toEqual([1, 2, 3, 4]);
    expect(clock.pending).toBe(0);
  });

  test('waits exactly as long as told', async () => {
    const clock = createFakeClock();
    const lock = createLocalLock(clock);
    void lock('a', 1_000, () => new Promise(() => {}));
    const seen: boolean[] = [];
    void lock('a', 1_000, async (held) => void seen.push(held));
    await clock.advance(999);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual([false]);
    expect(clock.pending).toBe(0);
  });

  test('passes over those who gave up', async () => {
    const clock = createFakeClock();
    const lock = createLocalLock(clock);
    let free = () => {};
    const seen: string[] = [];
    const waiter = (name: string, timeoutMs: number) =>
      void lock('a', timeoutMs, async (held) => void seen.push(`${name} ${held}`));
    void lock('a', 1_000, () => new Promise<void>((done) => (free = done)));
    waiter('first', 10);
    waiter('second', 1_000);
    waiter('third', 20);
    waiter('fourth', 1_000);
    await clock.advance(20);
    expect(seen).toEqual(['first false', 'third false']);
    free();
    await settle();
    expect(seen.slice(2)).toEqual(['second true', 'fourth true']);
    expect(clock.pending).toBe(0);
  });

  test('two locks made apart know nothing of each other', async () => {
    const clock = createFakeClock();
    void createLocalLock(clock)('a', 0, () => new Promise(() => {}));
    expect(await createLocalLock(clock)('a', 0, async (held) => held)).toBe(true);
  });
});
