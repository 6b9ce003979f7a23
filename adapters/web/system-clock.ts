import type { Clock } from '../../src/ports/index.js';

/** The longest delay a timer takes before it fires at once instead: 2^31 - 1 ms, nearly 25 days. */
const LONGEST_DELAY_MS = 0x7fff_ffff;

/** The clock of every runtime with web-standard timers. Each global is looked up when it is called. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = startTimer(delayMs, callback);
    return () => clearTimeout(timer);
  },
  inBackground(delayMs, callback) {
    const timer = startTimer(delayMs, callback);
    // In a browser a timer is a number, and no page lives for it.
    (Object(timer) as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer);
  },
};

const startTimer = (delayMs: number, callback: () => void) =>
  setTimeout(callback, Math.min(Math.max(delayMs, 0), LONGEST_DELAY_MS));
