import type { Clock } from '../ports/index.js';

/** How long a user may take, by two clocks: a timer sleeps with the machine. */
export interface TimeLimit {
  readonly ms: number;
  isPast(): boolean;
  /** To this long from now, if that is less than what is left. */
  shorten(ms: number): void;
  stop(): void;
}

export function startTimeLimit(clock: Clock, limitMs: number, expire: () => void): TimeLimit {
  const startedAtMs = clock.nowMs();
  const startedMonotonicMs = clock.monotonicMs();
  const passedMs = () =>
    Math.max(clock.nowMs() - startedAtMs, clock.monotonicMs() - startedMonotonicMs);
  let ms = limitMs;
  let stop = clock.after(ms, expire);
  return {
    get ms() {
      return ms;
    },
    isPast: () => passedMs() > ms,
    shorten(leftMs) {
      const shorterMs = Math.round(passedMs() + leftMs);
      if (shorterMs >= ms) return;
      ms = shorterMs;
      stop();
      stop = clock.after(leftMs, expire);
    },
    stop: () => stop(),
  };
}
