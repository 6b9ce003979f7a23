import type { Clock } from '../../src/ports/index.js';
import type { HostFunction } from './host-function.js';

/** A clock, and a way to be told that time has passed. */
export interface HostClock extends Clock {
  /** Calls back whoever is due. */
  tick(): void;
}

/** 2^31 - 1 ms: what a timer of most hosts can take. */
const LONGEST_WAIT_MS = 0x7fff_ffff;
/** Timers of some systems are early by a rounding. */
const TOLERANCE_MS = 2;
/** Answers to `wait` that come before their time, or not at all: a host that keeps doing that has no timers. */
const MAX_UNMET = 3;

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/**
 * The wall clock is the engine's own. `clock.monotonic` and `wait` are the host's.
 *
 * Where the host has no timers (it refuses `wait`, or answers at once), whoever is due is called back after
 * each answer of the host and by `tick`. Then a time limit is no more exact than that, but still none is missed.
 */
export function createHostClock(host: HostFunction): HostClock {
  const monotonicMs = createMonotonic(host);
  const timers = new Map<number, Timer>();
  let way: 'waits' | 'ticks' = 'waits';
  let unmet = 0;

  const fire = (id: number, { callback }: Timer) => {
    timers.delete(id);
    callback();
  };

  const tick = () => {
    if (timers.size === 0) return;
    const nowMs = monotonicMs();
    for (const [id, timer] of [...timers]) {
      if (timer.dueMs > nowMs || !timers.has(id)) continue;
      if (way === 'waits') host.tell('cancel', { id });
      fire(id, timer);
    }
  };

  const wait = async (id: number, timer: Timer, isBackground: boolean): Promise<void> => {
    while (timers.has(id) && way === 'waits') {
      const startMs = monotonicMs();
      const leftMs = Math.ceil(timer.dueMs - startMs);
      const ms = Math.min(Math.max(leftMs, 0), LONGEST_WAIT_MS);
      const answer = await host.ask('wait', { id, ms, background: isBackground }).catch(() => null);
      if (!timers.has(id)) return;
      if (answer && answer.refused !== null) break;
      const nowMs = monotonicMs();
      if (nowMs - timer.dueMs >= -TOLERANCE_MS) {
        if (answer) unmet = 0;
        return fire(id, timer);
      }
      const isEarly = nowMs - startMs < ms - TOLERANCE_MS;
      if ((!answer || isEarly) && (unmet += 1) >= MAX_UNMET) break;
    }
    if (!timers.has(id)) return;
    way = 'ticks';
    // Who is due already has waited long enough.
    tick();
  };

  const start = (delayMs: number, callback: () => void, isBackground: boolean) => {
    const id = host.nextId();
    const timer = { dueMs: monotonicMs() + Math.max(delayMs, 0), callback };
    timers.set(id, timer);
    // Not before this has returned, whatever the host answers.
    void Promise.resolve().then(() => wait(id, timer, isBackground));
    return () => {
      if (!timers.delete(id)) return;
      if (way === 'waits') host.tell('cancel', { id });
    };
  };

  // Also where there are timers: one that the host forgot is late, not lost.
  host.onAnswer(tick);

  return {
    nowMs: () => Date.now(),
    monotonicMs,
    after: (delayMs, callback) => start(delayMs, callback, false),
    inBackground: (delayMs, callback) => start(delayMs, callback, true),
    tick,
  };
}

/**
 * The host's, or from the first call on the engine's wall clock, kept from going back. A host whose clock fails
 * later has time stand still: whoever asks the time is not to fail.
 */
function createMonotonic(host: HostFunction): () => number {
  let source: 'host' | 'wall' | null = null;
  let lastMs = 0;
  const read = (): number | null => {
    if (source === 'wall') return Date.now();
    try {
      const answer = host.askNow('clock.monotonic', {});
      const ms = answer.refused === null ? answer.result : null;
      if (typeof ms === 'number' && Number.isFinite(ms)) return ms;
    } catch {
      // The same as none.
    }
    return null;
  };
  return () => {
    let ms = read();
    source ??= ms === null ? 'wall' : 'host';
    ms ??= source === 'wall' ? Date.now() : lastMs;
    lastMs = Math.max(lastMs, ms);
    return lastMs;
  };
}
