import type { Clock } from '../../src/ports/index.js';

/** A clock that stands still until a test turns it. */
export interface FakeClock extends Clock {
  /** Kept apart from what `after` left, for it may be left over when a process ends. */
  inBackground(delayMs: number, callback: () => void): () => void;
  /** Lets time pass: both clocks go on, and what falls due is called, in order, promises settling in between. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock, as a user or a time server would: no timer notices. */
  setWall(nowMs: number): void;
  /** Timers of `after` not yet called or cancelled: a test ends with 0. */
  readonly pending: number;
  /** The same of `inBackground`: 0 after `close`. */
  readonly pendingInBackground: number;
}

/** Lets everything that is ready to run, run. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 50; round += 1) await new Promise((done) => setImmediate(done));
}

export function createFakeClock(startMs = 1_700_000_000_000): FakeClock {
  let wall = startMs;
  let monotonic = 0;
  interface Timer {
    readonly dueMs: number;
    readonly isInBackground: boolean;
    readonly callback: () => void;
  }
  const timers = new Set<Timer>();
  const start = (timer: Timer) => {
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const dueAfter = (delayMs: number) => monotonic + Math.max(delayMs, 0);
  const count = (isInBackground: boolean) =>
    [...timers].filter((timer) => timer.isInBackground === isInBackground).length;
  return {
    nowMs: () => wall,
    monotonicMs: () => monotonic,
    after: (delayMs, callback) =>
      start({ dueMs: dueAfter(delayMs), isInBackground: false, callback }),
    inBackground: (delayMs, callback) =>
      start({ dueMs: dueAfter(delayMs), isInBackground: true, callback }),
    async advance(ms) {
      const end = monotonic + ms;
      await settle();
      for (;;) {
        const next = [...timers].sort((a, b) => a.dueMs - b.dueMs)[0];
        if (!next || next.dueMs > end) break;
        timers.delete(next);
        wall += next.dueMs - monotonic;
        monotonic = next.dueMs;
        next.callback();
        await settle();
      }
      wall += end - monotonic;
      monotonic = end;
      await settle();
    },
    setWall(nowMs) {
      wall = nowMs;
    },
    get pending() {
      return count(false);
    },
    get pendingInBackground() {
      return count(true);
    },
  };
}
