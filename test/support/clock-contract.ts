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

    test('calls back once, when it is time', async () => {
      const { clock, pass } = setup();
      const start = clock.monotonicMs();
      const calls: number[] = [];
      clock.after(30, () => calls.push(clock.monotonicMs() - start));
      await pass(5);
      expect(calls).toEqual([]);
      await pass(80);
      expect(calls).toHaveLength(1);
      expect(calls[0]).toBeGreaterThanOrEqual(30 - TOLERANCE_MS);
    });

    test('never calls back before `after` has returned, not for 0 either', async () => {
      const { clock, pass } = setup();
      let called = false;
      clock.after(0, () => (called = true));
      expect(called).toBe(false);
      await pass(20);
      expect(called).toBe(true);
    });

    test('takes delays of any size', async () => {
      const { clock, pass } = setup();
      const called: number[] = [];
      const cancels = [2 ** 31, 2 ** 32 + 1, 1e15, Infinity].map((delayMs) =>
        clock.after(delayMs, () => called.push(delayMs)),
      );
      await pass(20);
      for (const cancel of cancels) cancel();
      expect(called).toEqual([]);
    });

    test('forgets what was cancelled, in time or too late', async () => {
      const { clock, pass } = setup();
      let calls = 0;
      const cancelled = clock.after(10, () => (calls += 1));
      const late = clock.after(10, () => (calls += 10));
      cancelled();
      cancelled();
      await pass(40);
      late();
      expect(calls).toBe(10);
    });
  });
}
