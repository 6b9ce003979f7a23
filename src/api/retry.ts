import type { Clock, CryptoProvider } from '../ports/index.js';

const FIRST_PAUSE_MS = 300;

/**
 * How long to wait before a further try: what the server asked for, or twice as long each time; plus up to
 * half of that again, so that many clients do not come back in step.
 *
 * @param retry 0 for the first further try.
 */
export function pauseMs(crypto: CryptoProvider, retry: number, askedMs: number | null): number {
  const usualMs = FIRST_PAUSE_MS * 2 ** retry;
  const jitter = (crypto.randomBytes(1)[0] ?? 0) / 512;
  return (askedMs ?? usualMs) + usualMs * jitter;
}

/** Fresh tokens refused in a row before an API is believed to refuse them all, and for how long. */
const MAX_REFUSALS = 3;
const OPEN_MS = 30_000;

/** Keeps an API that answers 401 to everything from costing a renewal with every request. */
export function createBreaker(clock: Clock): {
  count(): void;
  reset(): void;
  isOpen(): boolean;
} {
  let refusals = 0;
  let lastMs = 0;
  return {
    count() {
      refusals += 1;
      lastMs = clock.monotonicMs();
    },
    reset: () => void (refusals = 0),
    isOpen: () => refusals >= MAX_REFUSALS && clock.monotonicMs() - lastMs < OPEN_MS,
  };
}
