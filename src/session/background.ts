import type { Clock } from '../ports/index.js';

/** Calls `callback` later, for what nobody waits for. Returns what cancels. */
export const inBackground = (clock: Clock, delayMs: number, callback: () => void): (() => void) =>
  clock.inBackground ? clock.inBackground(delayMs, callback) : clock.after(delayMs, callback);
