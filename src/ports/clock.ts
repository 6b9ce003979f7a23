/** The time, and being called back later. Lent by the host, so that a test can turn it by hand. */
export interface Clock {
  /** Wall-clock milliseconds since 1970. May jump in either direction when a user sets the clock. */
  nowMs(): number;
  /** Milliseconds since an arbitrary moment. Never goes back; may stand still while the machine sleeps. */
  monotonicMs(): number;
  /**
   * Calls `callback` once, later, never before `after` has returned.
   *
   * @param delayMs 0 or more, of any size.
   * @returns A function that cancels; harmless when it is too late.
   */
  after(delayMs: number, callback: () => void): () => void;
  /** The same for what nobody waits for: it keeps no process alive. Left out, `after` does. */
  inBackground?(delayMs: number, callback: () => void): () => void;
}
