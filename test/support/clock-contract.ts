import type { Clock } from '../../src/ports/index.js';

export interface ClockUnderTest {
  readonly clock: Clock;
  /** Lets that much time pass, really or not. */
  readonly pass: (ms: number) => Promise<void>;
}

/** Timers of some systems are early by a rounding. */
const TOLERANCE_MS = 2;

/** What every clock must do. */
export function describeClock(name: string, setup: () => ClockUnderTest): void {
  describe(`${name}: a clock`, () => {
    test('goes on: the wall, and what never goes back', async () => {
      const { clock, pass } = setup();
      const wall = clock.nowMs();
      const before = clock.monotonicMs();
      expect(wall).toBeGreaterThan(Date.UTC(2020));
      await pass(20);
      expect(clock.nowMs() - wall).toBeGreaterThanOrEqual(20 - TOLERANCE_MS);
      expect(clock.monotonicMs() - before).toBeGreaterThanOrEqual(20 - TOLERANCE_MS);
    });
  });

  // A clock that has no `inBackground` has one way to be called back.
  describe.each(['after', 'inBackground'] as const)(`${name}: %s`, (way) => {
    function setUp() {
      const { clock, pass } = setup();
      const after: Clock['after'] = (delayMs, callback) =>
        way === 'inBackground' && clock.inBackground
          ? clock.inBackground(delayMs, callback)
          : clock.after(delayMs, callback);
      return { clock, pass, after };
    }

    test('calls back once, when it is time', async () => {
      const { clock, pass, after } = setUp();
      const start = clock.monotonicMs();
      const calls: number[] = [];
      after(30, () => calls.push(clock.monotonicMs() - start));
      await pass(5);
      expect(calls).toEqual([]);
      await pass(80);
      expect(calls).toHaveLength(1);
      expect(calls[0]).toBeGreaterThanOrEqual(30 - TOLERANCE_MS);
    });

    test('never calls back before it has returned, not for 0 either', async () => {
      const { pass, after } = setUp();
      let called = false;
      after(0, () => (called = true));
      expect(called).toBe(false);
      await pass(20);
      expect(called).toBe(true);
    });

    test('takes delays of any size', async () => {
      const { pass, after } = setUp();
      const called: number[] = [];
      const cancels = [2 ** 31, 2 ** 32 + 1, 1e15, Infinity].map((delayMs) =>
        after(delayMs, () => called.push(delayMs)),
      );
      await pass(20);
      for (const cancel of cancels) cancel();
      expect(called).toEqual([]);
    });

    test('forgets what was cancelled, in time or too late', async () => {
      const { pass, after } = setUp();
      let calls = 0;
      const cancelled = after(10, () => (calls += 1));
      const late = after(10, () => (calls += 10));
      cancelled();
      cancelled();
      await pass(40);
      late();
      expect(calls).toBe(10);
    });
  });
}
